package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// call runs a command line over an environment.
func call(t *testing.T, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr, environ)
	return code, stdout.String(), stderr.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const webSet = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"

func TestDecodeSaysWhatBecomesOfEachElement(t *testing.T) {
	record := func(resource, metric string) string {
		return `{"count":1,"total":5,"minimum":5,"maximum":5,"average":5,"resourceId":"` + resource +
			`","time":"2026-05-04T09:00:00Z","metricName":"` + metric + `","timeGrain":"PT1M"}`
	}
	body := `{"records":[` + record(strings.ToUpper(webSet), "Percentage CPU") + `,` + record(webSet, "Network In Total") + `,` +
		record("/subscriptions/x/other", "Percentage CPU") + `,{"category":"AuditEvent","time":"2026-05-04T09:00:00Z"}]}`
	code, out, errs := call(t, nil, "decode", write(t, "body.json", body))
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if want := "1 bodies: 3 samples, 1 of them with a signal that listens; 0 notices; 1 rejections\n"; errs != want {
		t.Errorf("got %q, want %q", errs, want)
	}
	var lines []map[string]any
	for line := range strings.Lines(out) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q is no JSON line: %v", line, err)
		}
		lines = append(lines, l)
	}
	if len(lines) != 4 {
		t.Fatalf("got %d lines", len(lines))
	}
	if got := lines[0]["signals"].([]any); len(got) != 1 || got[0] != "web.cpu" {
		t.Errorf("got signals %v, want web.cpu", got)
	}
	for i, want := range map[int]string{1: "signals name this resource, but other metrics", 2: "no signal names this resource"} {
		if lines[i]["note"] != want {
			t.Errorf("element %d: got note %v, want %q", i, lines[i]["note"], want)
		}
	}
	if lines[3]["rejected"] == "" || lines[3]["detail"] == "" || lines[3]["element"] != 3.0 {
		t.Errorf("got rejection %v", lines[3])
	}
}

func TestDecodeMatchesWithThePoliciesThatServeWouldLoad(t *testing.T) {
	set, flag, broken := t.TempDir(), t.TempDir(), t.TempDir()
	for folder, pool := range map[string]string{set: "shop", flag: "till"} {
		if err := os.CopyFS(folder, policies.FS); err != nil {
			t.Fatal(err)
		}
		// The same pool, under a name of its own, is what signals listen by.
		for _, file := range []string{"data.json", "web.rego"} {
			text, err := os.ReadFile(filepath.Join(folder, "pools", "web", file))
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.ReplaceAll(text, []byte("package pools.web"), []byte("package pools."+pool))
			if err := os.MkdirAll(filepath.Join(folder, "pools", pool), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "pools", pool, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(filepath.Join(folder, "pools", "web")); err != nil {
			t.Fatal(err)
		}
	}
	body := write(t, "body.json", `{"trimtab":1,"resource":"`+webSet+`","metric":"Percentage CPU","time":"2026-05-04T09:00:00Z","value":1}`)
	for name, c := range map[string]struct {
		environ []string
		args    []string
		want    string
	}{
		"the setting's folder":              {[]string{setPolicies + "=" + set}, nil, `"signals":["shop.cpu"]`},
		"the flag's folder":                 {nil, []string{"--policies", flag}, `"signals":["till.cpu"]`},
		"the flag's before the setting's":   {[]string{setPolicies + "=" + set}, []string{"--policies", flag}, `"signals":["till.cpu"]`},
		"the embedded ones by their name":   {[]string{setPolicies + "=embedded"}, nil, `"signals":["web.cpu"]`},
		"the embedded ones where none else": {nil, nil, `"signals":["web.cpu"]`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := call(t, c.environ, append([]string{"decode", body}, c.args...)...)
			if code != exitDone || !strings.Contains(out, c.want) {
				t.Errorf("exit %d, want %s\n%s%s", code, c.want, out, errs)
			}
		})
	}
	for name, folder := range map[string]string{"is not a directory": filepath.Join(broken, "gone"), "main/main.rego:1: ": broken} {
		if code, _, errs := call(t, []string{setPolicies + "=" + folder}, "decode", body); code == exitDone || !strings.Contains(errs, name) {
			t.Errorf("exit %d, want a failure that says %q: %s", code, name, errs)
		}
	}
}

func TestDecodeReadsLines(t *testing.T) {
	path := write(t, "bodies.jsonl", `{"records":[]}`+"\n\nnot json\n")
	code, out, errs := call(t, nil, "decode", "--lines", path)
	if code != exitDone || !strings.HasPrefix(errs, "2 bodies: 0 samples") || !strings.Contains(out, path+":3") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}

func TestDecodeOfAMissingFileFails(t *testing.T) {
	if code, _, errs := call(t, nil, "decode", "no-such-file"); code == exitDone || !strings.Contains(errs, "no-such-file") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// journal is a ledger in a folder with two entries of the web pool: a growth that was applied, and a hold a minute later.
func journal(t *testing.T) (environ []string, at time.Time) {
	t.Helper()
	dir := t.TempDir()
	l, err := ledger.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	at = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	view := scale.View{
		Version: scale.ViewVersion, Now: at, Pool: "web", Mode: scale.Enforce, Rails: scale.Rails{Limits: scale.Limits{Min: 2, Max: 12}},
		Facts:   scale.Facts{ReadAt: at.Add(-5 * time.Second), Capacity: 10, ProvisioningState: "Succeeded", Mix: &scale.Mix{Base: 2, RegularPercent: 25}},
		Signals: map[string]scale.SignalView{"cpu": {State: scale.SignalFresh, HasValue: true, Value: 90_500, Unit: "percent", Buckets: 5, Expected: 5, AgeSeconds: 40}, "queue": {State: scale.SignalMissing}},
	}
	growth := scale.Entry{
		Version: scale.EntryVersion, Pool: "web", At: at, View: view, Key: "7445486848651452607-0000000000000001",
		Trigger: scale.Trigger{Kind: "events", Source: "ns/metrics/3", FirstSequence: 41, LastSequence: 43, Folded: 3},
		Proposal: scale.Proposal{Known: true, Doubt: true, Instances: 15, Revision: "abc", Reasons: []scale.Reason{
			{Code: "track", Name: "cpu", State: scale.ReasonKnown, Instances: 15, Numbers: map[string]int64{"demand_milli": 905_000, "target_milli": 60_000}},
			{Code: "track", Name: "queue", State: scale.ReasonUnknown, Detail: "signal is missing"},
		}},
		Decision: scale.Decision{
			Action: scale.Scale, Direction: scale.Grow, Reason: "limit_max", Act: true,
			From: scale.Capacity{Instances: 10, Mix: view.Facts.Mix}, To: scale.Capacity{Instances: 12, Mix: &scale.Mix{Base: 3, RegularPercent: 25}},
			Adjustments: []scale.Adjustment{{Rail: "limits", Code: "limit_max", Before: 15, After: 12}},
		},
	}
	hold := growth
	hold.At, hold.View.Now = at.Add(time.Minute), at.Add(time.Minute)
	hold.Decision = scale.Decision{
		Action: scale.Hold, Direction: scale.Still, Reason: "cooldown_grow", From: growth.Decision.To, To: growth.Decision.To,
		Adjustments: []scale.Adjustment{{Rail: "cooldown", Code: "cooldown_grow", Before: 15, After: 12, Until: at.Add(3 * time.Minute)}},
	}
	for i, e := range []*scale.Entry{&growth, &hold} {
		e.Key = fmt.Sprintf("%019d-%016x", math.MaxInt64-e.At.UnixNano(), i)
		control := scale.Control{Version: scale.ControlVersion, LastEntry: e.Key}
		stored, err := l.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		commit := scale.Commit{Attempt: "a" + string(rune('0'+i)), Control: &control, ControlVersion: stored.ControlVersion, Entry: e}
		if i == 1 {
			commit.Outcome = &scale.Outcome{Entry: growth.Key, At: at.Add(40 * time.Second), Result: scale.Applied, Capacity: 12}
		}
		if err := l.Commit(t.Context(), "web", commit); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return []string{setLedger + "=file:" + dir}, at
}

func TestExplain(t *testing.T) {
	environ, at := journal(t)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"the last entry": {[]string{"web"}, []string{
			"Hold at 12, because of cooldown_grow: the policy wants 15.", "until 09:03:00 (2m0s more)",
		}},
		"the last change": {[]string{"web", "--change"}, []string{
			"web at 2026-05-04 09:00:00 UTC, by events 41 to 43 of ns/metrics/3 (3 samples folded)",
			"Grow from 10 to 12 instances, because of limit_max; mix 3 regular and 25 % above (5 regular, 7 Spot).",
			"Outcome: applied after 40s.", "> track", "demand 905, target 60", "unknown", "signal is missing",
			"limit_max", "15 -> 12", "90.5 percent", "5 of 5 buckets, newest 40s old", "missing", "read 5s before", "policies abc",
		}},
		"the entry at an instant": {[]string{"web", "--at", at.Add(30 * time.Second).Format(time.RFC3339)}, []string{"Grow from 10 to 12"}},
		"as JSON":                 {[]string{"web", "--json"}, []string{`"reason": "cooldown_grow"`}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := call(t, environ, append([]string{"explain"}, c.args...)...)
			if code != exitDone {
				t.Fatalf("exit %d: %s", code, errs)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	environ, at := journal(t)
	for name, c := range map[string]struct {
		environ []string
		args    []string
		want    string
	}{
		"an unknown pool names those there are":     {environ, []string{"wbe"}, "these pools have: web"},
		"an instant before the first entry":         {environ, []string{"web", "--at", at.Add(-time.Hour).Format(time.RFC3339)}, "no entry at or before"},
		"an instant that is none":                   {environ, []string{"web", "--at", "yesterday"}, "not an RFC 3339 instant"},
		"a ledger in another process's memory":      {[]string{setLedger + "=memory"}, []string{"web"}, "cannot be read"},
		"a folder that is not there":                {[]string{setLedger + "=file:/nowhere/at/all"}, []string{"web"}, "/nowhere/at/all"},
		"an environment that does not name a table": {nil, []string{"web"}, setTableURL},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := call(t, c.environ, append([]string{"explain"}, c.args...)...)
			if code == exitDone || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d, want a failure that says %q: %s", code, c.want, errs)
			}
		})
	}
}

func TestOrders(t *testing.T) {
	environ := []string{setLedger + "=file:" + t.TempDir(), setPolicies + "=embedded"}
	for _, c := range []struct {
		args []string
		want string
		fail bool
	}{
		{[]string{"freeze", "web", "--reason", "r"}, "web: frozen\n", false},
		{[]string{"pause", "web", "--direction", "shrink"}, "web: frozen, shrinking paused\n", false},
		{[]string{"release", "web"}, "web: no orders\n", false},
		{[]string{"pin", "web", "7"}, "web: pinned to 7\n", false},
		{[]string{"pause", "--all", "--direction", "grow"}, "web: growth paused, pinned to 7\n", false},
		{[]string{"pause", "web", "--direction", "up"}, "grow or shrink", true},
		{[]string{"pin", "web", "many"}, "whole number", true},
		{[]string{"freeze"}, "--all", true},
		{[]string{"freeze", "web", "--all"}, "not both", true},
		{[]string{"freeze", "wbe"}, `no pool "wbe"`, true},
	} {
		code, out, errs := call(t, environ, c.args...)
		if (code != exitDone) != c.fail || !strings.Contains(out+errs, c.want) {
			t.Errorf("%v: exit %d, want %q\n%s%s", c.args, code, c.want, out, errs)
		}
	}
}

func TestSendRefusesWhatNobodyWouldUnderstand(t *testing.T) {
	good := `{"trimtab":1,"resource":"` + webSet + `","metric":"m","time":"2026-05-04T09:00:00Z","value":1}`
	for name, c := range map[string]struct {
		body    string
		environ []string
		want    string
	}{
		"a body that is no JSON":       {"no json", nil, "nothing was sent"},
		"no hub":                       {good, nil, setHubNamespace},
		"a malformed connection":       {good, []string{setHubString + "=canary-secret"}, "malformed"},
		"a namespace without a hub":    {good, []string{setHubNamespace + "=ns.servicebus.windows.net"}, "hub"},
		"an empty list of bodies":      {"", nil, "nothing to send"},
		"a metric log, not understood": {`{"category":"x"}`, nil, "unsupported_format"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"send", write(t, "body", c.body)}
			if c.body == "" {
				args = append(args, "--lines")
			}
			code, out, errs := call(t, c.environ, args...)
			if code == exitDone || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d, want a failure that says %q: %s%s", code, c.want, out, errs)
			}
			if strings.Contains(out+errs, "canary-secret") {
				t.Error("the connection string was shown")
			}
		})
	}
}
