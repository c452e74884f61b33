package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/hub"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// noFleet is scale sets that cannot be read: entries are written all the same.
type noFleet struct{ engine.Fleet }

func (noFleet) Read(context.Context, string) (scale.Facts, error) {
	return scale.Facts{}, &scale.FleetError{Op: "read", Class: scale.ClassMissing}
}

func TestASavedPolicyDecidesTheNextEvaluationAndABrokenOneDoesNot(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	if err := os.CopyFS(dir, policies.FS); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	s, err := openSupply(ctx, &Config{Policies: dir}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	memory := ledger.NewMemory()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	s.look.now = func() time.Time { return now }
	walk, err := newRenewing(s, func(b *policy.Bundle) (corridor, error) {
		return engine.New(engine.Options{
			Pools: b.Pools, Policy: b, Fleet: noFleet{}, Ledger: memory, Now: func() time.Time { return now }, Writer: writerName(), Log: log,
		})
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	decided := func() string {
		t.Helper()
		now = now.Add(time.Minute)
		if _, err := walk.Sweep(ctx, "test"); err != nil {
			t.Fatal(err)
		}
		entries, err := memory.Entries(ctx, "web", time.Time{}, 1)
		if err != nil || len(entries) != 1 || !entries[0].At.Equal(now) {
			t.Fatal(entries, err)
		}
		return entries[0].Proposal.Revision
	}
	save := func(text string) {
		t.Helper()
		file := filepath.Join(dir, "pools", "web", "more.rego")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	first := decided()
	save("package pools.web\n\nimport data.lib.scale\n\nwant contains scale.at_least(4, \"four\")\n")
	second := decided()
	if second == first || second != s.shelf.Policies().Revision() {
		t.Errorf("the next evaluation was decided by %s, before the change by %s, in use %s", second, first, s.shelf.Policies().Revision())
	}
	save("package pools.web\n\nimport data.lib.scale\n\nwant contains scale.at_leest(4, \"four\")\n")
	if third := decided(); third != second {
		t.Errorf("a broken policy left %s deciding, want the last good %s", third, second)
	}
	if said := out.String(); !strings.Contains(said, "pools/web/more.rego:5: undefined function data.lib.scale.at_leest") || strings.Count(said, "policies refused") != 1 {
		t.Errorf("the log does not say once why:\n%s", said)
	}
	probed := func() string {
		w := httptest.NewRecorder()
		p := &probes{state: func() hub.State { return hub.State{} }, policies: s.state, now: time.Now}
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/status", nil))
		return w.Body.String()
	}
	if said := probed(); !strings.Contains(said, `"revision":"`+second+`"`) || !strings.Contains(said, `"in_use":false`) ||
		!strings.Contains(said, `"refused":"pools/web/more.rego:5: undefined function data.lib.scale.at_leest`) {
		t.Errorf("/status does not say why: %s", said)
	}
	save("package pools.web\n\nimport data.lib.scale\n\nwant contains scale.at_least(5, \"five\")\n")
	if fourth := decided(); fourth == second || fourth == first {
		t.Errorf("mended, %s decides", fourth)
	}
	if said := probed(); !strings.Contains(said, `"in_use":true`) || strings.Contains(said, "refused") {
		t.Errorf("mended, /status says %s", said)
	}
}

func TestBundlesAreConfiguredInOneSetting(t *testing.T) {
	for name, tc := range map[string]struct{ environ, want string }{
		"a variable that is not set": {`TRIMTAB_BUNDLES={"bundles": {"a": "${NOBODY}"}}`, "refers to NOBODY"},
		"no JSON":                    {"TRIMTAB_BUNDLES={", "is not such JSON"},
		"a file that is not there":   {"TRIMTAB_BUNDLES=/nowhere/at/all.json", "names no file"},
	} {
		_, err := readConfig(least(tc.environ), true)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	c, err := readConfig(least(`TRIMTAB_BUNDLES={"bundles": {"a": "${WORD}"}}`, "WORD=said", "TRIMTAB_BUNDLE_DIR=/x"), true)
	if err != nil || string(c.Bundles.Bundles["a"]) != `"said"` || c.BundleDir != "/x" {
		t.Errorf("%+v, %v", c.Bundles, err)
	}
}
