package supply_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"trimtab/internal/supply"
)

const secret = "a secret that only the signer and the verifier have, long enough"

// pool is the bundle of a team's pool.
func pool(name string, least int) map[string]string {
	return map[string]string{
		"pools/" + name + "/" + name + ".rego": fmt.Sprintf("package pools.%s\n\nimport data.lib.scale\n\nwant contains scale.at_least(%d, \"floor\")\n", name, least),
		"pools/" + name + "/data.json": fmt.Sprintf(`{"pool": {"scale_set": "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/%s",
  "orchestration": "uniform", "limits": {"min": 1, "max": 9}, "signals": {"cpu": {"metric": "Percentage CPU"}}, "settings": {}}}`, name),
	}
}

// tarball builds a bundle as `opa build` and `opa sign` do.
func tarball(t *testing.T, revision string, files map[string]string, signed bool, roots ...string) []byte {
	t.Helper()
	b := bundle.Bundle{Manifest: bundle.Manifest{Revision: revision, Roots: &roots}, Data: map[string]any{}}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		text := files[p]
		if strings.HasSuffix(p, ".rego") {
			parsed, err := ast.ParseModuleWithOpts(p, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
			if err != nil {
				parsed = ast.MustParseModule("package broken")
			}
			b.Modules = append(b.Modules, bundle.ModuleFile{URL: p, Path: "/" + p, Raw: []byte(text), Parsed: parsed})
			continue
		}
		at := b.Data
		for part := range strings.SplitSeq(strings.TrimSuffix(p, "/data.json"), "/") {
			if at[part] == nil {
				at[part] = map[string]any{}
			}
			at = at[part].(map[string]any)
		}
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			t.Fatal(err)
		}
	}
	b.Manifest.Init()
	if signed {
		if err := b.GenerateSignature(bundle.NewSigningConfig(secret, "HS256", ""), "teams", false); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).DisableFormat(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// server is a bundle service on loopback, with ETags and long polling as OPA's documents have them.
type server struct {
	*httptest.Server

	mu       sync.Mutex
	bundles  map[string][]byte
	changed  chan struct{}
	requests int
	notNew   int
	waited   int
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{bundles: map[string][]byte{}, changed: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) put(path string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundles[path] = b
	close(s.changed)
	s.changed = make(chan struct{})
}

func etagOf(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	b, changed := s.bundles[r.URL.Path], s.changed
	s.mu.Unlock()
	long := strings.Contains(r.Header.Get("Prefer"), "wait=")
	if b != nil && r.Header.Get("If-None-Match") == etagOf(b) && long {
		s.mu.Lock()
		s.waited++
		s.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		s.mu.Lock()
		b = s.bundles[r.URL.Path]
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/vnd.openpolicyagent.bundles")
	switch {
	case b == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("If-None-Match") == etagOf(b):
		s.mu.Lock()
		s.notNew++
		s.mu.Unlock()
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", etagOf(b))
		_, _ = w.Write(b)
	}
}

func config(t *testing.T, text string) supply.Config {
	t.Helper()
	var c supply.Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// signedBundles is a configuration of signed bundles by name.
func signedBundles(t *testing.T, url, polling string, names ...string) supply.Config {
	t.Helper()
	var all []string
	for _, n := range names {
		all = append(all, fmt.Sprintf(`%q: {"service": "here", "resource": "bundles/%s.tar.gz", "polling": %s, "signing": {"keyid": "teams"}}`, n, n, polling))
	}
	return config(t, fmt.Sprintf(`{"services": {"here": {"url": %q}}, "keys": {"teams": {"algorithm": "HS256", "key": %q}}, "bundles": {%s}}`,
		url, secret, strings.Join(all, ",")))
}

const soon = `{"min_delay_seconds": 1, "max_delay_seconds": 1}`

func services(t *testing.T, shelf *supply.Shelf, c supply.Config, stores ...supply.Store) *supply.Services {
	t.Helper()
	s, err := supply.NewServices(shelf, c, t.TempDir(), stores, func(name string, err error) { t.Errorf("%s was not kept: %v", name, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// until waits for a condition that polling brings about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(15 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("waited in vain: " + what)
		}
	}
}

func poolNames(shelf *supply.Shelf) (names []string) {
	if shelf.Policies() == nil {
		return nil
	}
	for _, p := range shelf.Policies().Pools {
		names = append(names, p.Name)
	}
	return names
}

func TestSignedBundlesOfTwoTeamsAreOneSetOfPolicies(t *testing.T) {
	ctx, s, news := context.Background(), newServer(t), &told{}
	s.put("/bundles/shop.tar.gz", tarball(t, "shop-1", pool("shop", 2), true, "pools/shop"))
	s.put("/bundles/ops.tar.gz", tarball(t, "ops-1", pool("ops", 3), true, "pools/ops"))
	shelf := supply.NewShelf(news.tell)
	if err := services(t, shelf, signedBundles(t, s.URL, soon, "shop", "ops")).Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	if got := poolNames(shelf); !slices.Equal(got, []string{"ops", "shop"}) {
		t.Errorf("pools %v", got)
	}
	if last := news.last(t); last.Manifest != "shop-1" || last.ETag == "" || last.From != "service" {
		t.Errorf("%+v", last)
	}
}

func TestWhatABundleIsRefusedFor(t *testing.T) {
	broken := pool("shop", 2)
	broken["pools/shop/shop.rego"] = "package pools.shop\n\nimport data.lib.scale\n\nwant contains scale.at_most_of_all(2)\n"
	tampered := tarball(t, "2", pool("shop", 2), false, "pools/shop")
	for name, tc := range map[string]struct {
		bundle []byte
		want   string
	}{
		"a policy that does not compile": {tarball(t, "2", broken, true, "pools/shop"), "pools/shop/shop.rego:5: undefined function data.lib.scale.at_most_of_all"},
		"no signature":                   {tampered, "missing .signatures.json"},
		"no bundle at all":               {[]byte("<html>sign in</html>"), "gzip"},
		"roots of another team":          {tarball(t, "2", pool("ops", 2), true, "pools"), `its root "pools" is within the roots of bundle ops`},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s, news := context.Background(), newServer(t), &told{}
			s.put("/bundles/shop.tar.gz", tarball(t, "shop-1", pool("shop", 2), true, "pools/shop"))
			s.put("/bundles/ops.tar.gz", tarball(t, "ops-1", pool("ops", 3), true, "pools/ops"))
			shelf := supply.NewShelf(news.tell)
			all := services(t, shelf, signedBundles(t, s.URL, soon, "shop", "ops"))
			if err := all.Fetch(ctx); err != nil {
				t.Fatal(err)
			}
			good := shelf.Policies()
			s.put("/bundles/shop.tar.gz", tc.bundle)
			if err := all.Fetch(ctx); err != nil {
				t.Fatal(err)
			}
			last := news.last(t)
			if last.Problem == nil || !strings.Contains(last.Problem.Error(), tc.want) || last.Bundle != "shop" {
				t.Errorf("told %+v, want %q", last, tc.want)
			}
			if shelf.Policies() != good || last.Revision != good.Revision() {
				t.Error("the last good do not go on")
			}
			s.put("/bundles/shop.tar.gz", tarball(t, "shop-3", pool("shop", 5), true, "pools/shop"))
			if err := all.Fetch(ctx); err != nil || news.last(t).Problem != nil || shelf.Policies() == good {
				t.Errorf("mended: %v, %+v", err, news.last(t))
			}
		})
	}
}

func TestPollingHeedsETagsAndLongPollingHearsAtOnce(t *testing.T) {
	ctx, s, news := context.Background(), newServer(t), &told{}
	s.put("/bundles/shop.tar.gz", tarball(t, "shop-1", pool("shop", 2), true, "pools/shop"))
	shelf := supply.NewShelf(news.tell)
	all := services(t, shelf, signedBundles(t, s.URL, `{"min_delay_seconds": 1, "max_delay_seconds": 1, "long_polling_timeout_seconds": 60}`, "shop"))
	all.Start(ctx)
	defer all.Stop(ctx)
	until(t, "the first bundle, and a long poll", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return shelf.Policies() != nil && s.waited > 0
	})
	first := shelf.Policies()
	begun := time.Now()
	s.put("/bundles/shop.tar.gz", tarball(t, "shop-2", pool("shop", 4), true, "pools/shop"))
	until(t, "the second bundle", func() bool { return shelf.Policies() != first })
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("a long poll took %v to hear of a change", took)
	}
	if news.last(t).Manifest != "shop-2" {
		t.Errorf("%+v", news.last(t))
	}
}

func TestPollingAsksWithTheETag(t *testing.T) {
	ctx, s := context.Background(), newServer(t)
	s.put("/bundles/shop.tar.gz", tarball(t, "shop-1", pool("shop", 2), true, "pools/shop"))
	news := &told{}
	shelf := supply.NewShelf(news.tell)
	all := services(t, shelf, signedBundles(t, s.URL, soon, "shop"))
	for range 3 {
		if err := all.Fetch(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if s.notNew != 2 || news.count() != 1 {
		t.Errorf("of 3 requests %d were answered with 304, and %d bundles told", s.notNew, news.count())
	}
}

func TestTheLastGoodBundleOutlivesAStartWithoutItsService(t *testing.T) {
	ctx, s := context.Background(), newServer(t)
	disk := supply.Disk{Dir: t.TempDir()}
	s.put("/bundles/shop.tar.gz", tarball(t, "shop-1", pool("shop", 2), true, "pools/shop"))
	before := supply.NewShelf((&told{}).tell)
	if err := services(t, before, signedBundles(t, s.URL, soon, "shop"), disk).Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	s.Close()

	news := &told{}
	after := supply.NewShelf(news.tell)
	again := services(t, after, signedBundles(t, s.URL, soon, "shop"), disk)
	if !again.Restore(ctx) || after.Policies().Revision() != before.Policies().Revision() {
		t.Fatalf("not restored: %+v", news.last(t))
	}
	if last := news.last(t); last.From != "kept" || last.Manifest != "shop-1" {
		t.Errorf("%+v", last)
	}
	_ = again.Fetch(ctx)
	if last := news.last(t); last.Problem == nil || !strings.Contains(last.Problem.Error(), "download") || after.Policies() == nil {
		t.Errorf("a service that is down: %+v", last)
	}
}

func TestWhatWasKeptIsVerifiedAnew(t *testing.T) {
	ctx, disk, news := context.Background(), supply.Disk{Dir: t.TempDir()}, &told{}
	if err := disk.KeepBundle(ctx, "shop", tarball(t, "shop-1", pool("shop", 2), false, "pools/shop")); err != nil {
		t.Fatal(err)
	}
	shelf := supply.NewShelf(news.tell)
	if services(t, shelf, signedBundles(t, "http://127.0.0.1:1", soon, "shop"), disk).Restore(ctx) {
		t.Error("an unsigned file was restored")
	}
	if last := news.last(t); last.Problem == nil || last.From != "kept" {
		t.Errorf("%+v", last)
	}
}

// One team's policies may need another's library: which comes first does not matter.
func TestABundleWaitsForWhatAnotherBrings(t *testing.T) {
	ctx, s, news := context.Background(), newServer(t), &told{}
	needy := pool("a", 2)
	needy["pools/a/a.rego"] = "package pools.a\n\nimport data.lib.ours\n\nwant contains ours.floor\n"
	ours := map[string]string{"lib/ours/ours.rego": "package lib.ours\n\nimport data.lib.scale\n\nfloor := scale.at_least(2, \"ours\")\n"}
	s.put("/bundles/a.tar.gz", tarball(t, "a-1", needy, true, "pools/a"))
	s.put("/bundles/b.tar.gz", tarball(t, "b-1", ours, true, "lib/ours"))
	shelf := supply.NewShelf(news.tell)
	if err := services(t, shelf, signedBundles(t, s.URL, soon, "a", "b")).Fetch(ctx); err != nil {
		t.Fatalf("%v\n%+v", err, news.all)
	}
	if got := poolNames(shelf); !slices.Equal(got, []string{"a"}) {
		t.Errorf("pools %v", got)
	}
}

func TestABundleFromARegistry(t *testing.T) {
	ctx, news := context.Background(), &told{}
	blobs := map[string][]byte{}
	blob := func(b []byte) string {
		sum := sha256.Sum256(b)
		digest := "sha256:" + hex.EncodeToString(sum[:])
		blobs[digest] = b
		return digest
	}
	layer := tarball(t, "shop-oci", pool("shop", 2), true, "pools/shop")
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob([]byte("{}")), "size": 2},
		"layers": []any{map[string]any{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": blob(layer), "size": len(layer)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := strings.TrimPrefix(r.URL.Path, "/v2/teams/shop/")
		var body []byte
		if digest, ok := strings.CutPrefix(at, "blobs/"); ok {
			body = blobs[digest]
			w.Header().Set("Content-Type", "application/octet-stream")
		} else if at == "manifests/v1" || at == "manifests/"+blob(manifest) {
			body = manifest
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", blob(manifest))
		}
		if body == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(body)
		}
	}))
	defer registry.Close()
	c := config(t, fmt.Sprintf(`{"services": {"registry": {"url": %q, "type": "oci"}}, "keys": {"teams": {"algorithm": "HS256", "key": %q}},
	  "bundles": {"shop": {"service": "registry", "resource": "%s/teams/shop:v1", "polling": %s, "signing": {"keyid": "teams"}}}}`,
		registry.URL, secret, strings.TrimPrefix(registry.URL, "http://"), soon))
	shelf := supply.NewShelf(news.tell)
	disk := supply.Disk{Dir: t.TempDir()}
	if err := services(t, shelf, c, disk).Fetch(ctx); err != nil {
		t.Fatalf("%v\n%+v", err, news.all)
	}
	if got := poolNames(shelf); !slices.Equal(got, []string{"shop"}) || news.last(t).Manifest != "shop-oci" {
		t.Errorf("pools %v, %+v", got, news.last(t))
	}
	if kept, err := disk.Bundle(ctx, "shop"); err != nil || len(kept) == 0 {
		t.Errorf("kept %d bytes, %v", len(kept), err)
	}
}

func TestAConfigurationThatIsWrongSaysWhere(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no signing":           {`{"services": {"a": {"url": "http://x"}}, "bundles": {"shop": {"service": "a"}}}`, `bundle shop: give "signing"`},
		"no bundles":           {`{"services": {"a": {"url": "http://x"}}}`, "bundles: there are none"},
		"a service of no name": {`{"services": {"a": {"url": "http://x"}}, "bundles": {"shop": {"service": "b", "unsigned": true}}}`, `service name "b" not found`},
		"a key of no name":     {`{"services": {"a": {"url": "http://x"}}, "bundles": {"shop": {"service": "a", "signing": {"keyid": "k"}}}}`, "k"},
		"a file":               {`{"services": {"a": {"url": "http://x"}}, "bundles": {"shop": {"resource": "file:///etc/passwd", "unsigned": true}}}`, "bundle shop: a file is no bundle service"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := supply.NewServices(supply.NewShelf((&told{}).tell), config(t, tc.text), t.TempDir(), nil, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
