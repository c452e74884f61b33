package supply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/download"
	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins"
	opabundle "github.com/open-policy-agent/opa/v1/plugins/bundle"
	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"trimtab/internal/policy"
)

// maxBundle bounds a bundle's file, and all that is kept of one.
const maxBundle = 8 << 20

// Store keeps the last good bundles across starts, as they were downloaded, signatures and all.
type Store interface {
	// KeepBundle replaces what is kept under a name.
	KeepBundle(ctx context.Context, name string, tarball []byte) error
	// Bundle is what is kept under a name; nil if there is nothing.
	Bundle(ctx context.Context, name string) ([]byte, error)
}

// Config is the part of OPA's configuration that names bundles: services, bundles and keys, with OPA's own fields
// (facts: opa 2.5).
type Config struct {
	Services json.RawMessage            `json:"services"`
	Bundles  map[string]json.RawMessage `json:"bundles"`
	Keys     json.RawMessage            `json:"keys"`
}

// Services are the bundles of OPA bundle services.
type Services struct {
	shelf   *Shelf
	stores  []Store
	sources []*source
	// lost hears of a store that could not keep or give a bundle.
	lost    func(name string, err error)
	started bool
}

// source is one bundle and who downloads it.
type source struct {
	name   string
	verify *bundle.VerificationConfig
	limit  int64
	loader downloader
	oci    bool
}

// downloader is OPA's, for HTTP and for OCI registries.
type downloader interface {
	Start(ctx context.Context)
	Stop(ctx context.Context)
	Trigger(ctx context.Context) error
}

// NewServices reads a configuration; the error joins everything that is wrong with it. Bundles must be signed, unless
// their entry says "unsigned": true. Stores are asked for last good bundles in their order; scratch is a folder for what
// an OCI registry sends. Nothing is downloaded before Start.
func NewServices(shelf *Shelf, c Config, scratch string, stores []Store, lost func(name string, err error)) (*Services, error) {
	s := &Services{shelf: shelf, stores: stores, lost: lost}
	known, err := keys.ParseKeysConfig(orEmpty(c.Keys))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	clients, names, err := clientsOf(c.Services, known)
	if err != nil {
		return nil, err
	}
	if len(c.Bundles) == 0 {
		return nil, errors.New("bundles: there are none")
	}
	raw, err := json.Marshal(c.Bundles)
	if err != nil {
		return nil, fmt.Errorf("bundles: %w", err)
	}
	trigger := plugins.TriggerPeriodic
	parsed, err := opabundle.NewConfigBuilder().WithBytes(raw).WithServices(names).WithKeyConfigs(known).WithTriggerMode(&trigger).Parse()
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(parsed.Bundles)) {
		given := parsed.Bundles[name]
		if err := checkSource(name, given, c.Bundles[name]); err != nil {
			wrong = append(wrong, err)
			continue
		}
		s.sources = append(s.sources, s.source(name, given, clients[given.Service], scratch))
	}
	return s, errors.Join(wrong...)
}

func orEmpty(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return []byte("{}")
	}
	return raw
}

// clientsOf makes a client for each service, which OPA lets be an object by name or a list.
func clientsOf(raw json.RawMessage, known map[string]*keys.Config) (map[string]rest.Client, []string, error) {
	var services map[string]json.RawMessage
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err == nil {
		services = map[string]json.RawMessage{}
		for _, one := range list {
			var named struct{ Name string }
			if err := json.Unmarshal(one, &named); err != nil {
				return nil, nil, fmt.Errorf("services: %w", err)
			}
			services[named.Name] = one
		}
	} else if err := json.Unmarshal(raw, &services); err != nil {
		return nil, nil, fmt.Errorf("services: an object of services, each with a url: %w", err)
	}
	clients := map[string]rest.Client{}
	for name, one := range services {
		client, err := rest.New(one, known, rest.Name(name), rest.Logger(logging.NewNoOpLogger()))
		if err != nil {
			return nil, nil, fmt.Errorf("service %s: %w", name, err)
		}
		clients[name] = client
	}
	return clients, slices.Sorted(maps.Keys(clients)), nil
}

func checkSource(name string, given *opabundle.Source, raw json.RawMessage) error {
	var ours struct {
		Unsigned bool            `json:"unsigned"`
		Signing  json.RawMessage `json:"signing"`
	}
	if err := json.Unmarshal(raw, &ours); err != nil {
		return fmt.Errorf("bundle %s: %w", name, err)
	}
	switch {
	case strings.HasPrefix(given.Resource, "file:"):
		return fmt.Errorf("bundle %s: a file is no bundle service; name a folder of policies instead", name)
	case len(ours.Signing) == 0 && !ours.Unsigned:
		return fmt.Errorf(`bundle %s: give "signing" with the "keyid" of one of "keys", or say "unsigned": true`, name)
	case given.Trigger != nil && *given.Trigger != plugins.TriggerPeriodic:
		return fmt.Errorf("bundle %s: trigger is periodic, or left out", name)
	}
	if given.SizeLimitBytes > maxBundle {
		given.SizeLimitBytes = maxBundle
	}
	return nil
}

func (s *Services) source(name string, given *opabundle.Source, client rest.Client, scratch string) *source {
	one := &source{name: name, verify: given.Signing, limit: given.SizeLimitBytes}
	heard := func(ctx context.Context, u download.Update) error { return s.heard(ctx, one, u) }
	parse := ast.ParserOptions{RegoVersion: ast.RegoV1}
	if one.oci = client.Config().Type == "oci"; one.oci {
		one.loader = download.NewOCI(given.Config, client, given.Resource, path.Join(scratch, "oci", name)).WithCallback(heard).
			WithBundleVerificationConfig(given.Signing).WithSizeLimitBytes(given.SizeLimitBytes).WithBundlePersistence(true).
			WithBundleParserOpts(parse)
		return one
	}
	one.loader = download.New(given.Config, client, given.Resource).WithCallback(heard).WithBundleName(name).
		WithBundleVerificationConfig(given.Signing).WithSizeLimitBytes(given.SizeLimitBytes).WithBundlePersistence(true).
		WithBundleParserOpts(parse)
	return one
}

// heard takes what a download brought. An error sends the downloader back to its polling with a growing delay.
func (s *Services) heard(ctx context.Context, from *source, u download.Update) error {
	news := News{Bundle: from.name, From: "service", ETag: u.ETag}
	switch {
	case u.Error != nil:
		news.Problem = fmt.Errorf("download: %w", u.Error)
		s.shelf.refuse(news)
		return nil
	case u.Bundle == nil:
		return nil // as it was
	}
	var raw []byte
	if u.Raw != nil {
		var err error
		if raw, err = io.ReadAll(io.LimitReader(u.Raw, maxBundle+1)); err != nil {
			return err
		}
	}
	if err := s.offer(ctx, news, u.Bundle); err != nil {
		return nil // told; the same bundle is not asked for again
	}
	for _, store := range s.stores {
		if err := keep(ctx, store, from.name, raw); err != nil {
			s.lost(from.name, err)
		}
	}
	return nil
}

func keep(ctx context.Context, store Store, name string, raw []byte) error {
	switch n := len(raw); {
	case n == 0:
		return errors.New("the download left nothing to keep")
	case n > maxBundle:
		return fmt.Errorf("a bundle of more than %d bytes is not kept", maxBundle)
	}
	return store.KeepBundle(ctx, name, raw)
}

// offer puts a bundle in use.
func (s *Services) offer(ctx context.Context, news News, b *bundle.Bundle) error {
	news.Manifest = b.Manifest.Revision
	files, err := filesOf(b)
	if err != nil {
		news.Problem = err
		s.shelf.refuse(news)
		return err
	}
	return s.shelf.offer(ctx, news, part{files: files, roots: rootsOf(b)})
}

// filesOf are the policies and data of a bundle, and nothing else that it may carry: only these did its signature cover.
func filesOf(b *bundle.Bundle) (policy.Files, error) {
	if b.Type() != bundle.SnapshotBundleType {
		return nil, errors.New("a delta bundle: only whole bundles are taken")
	}
	files := policy.Files{}
	for _, m := range b.Modules {
		files[strings.TrimPrefix(path.Clean("/"+m.Path), "/")] = m.Raw
	}
	for _, root := range rootsOf(b) {
		data, err := json.MarshalIndent(below(b.Data, root), "", "  ")
		if err != nil {
			return nil, err
		}
		// Under its root, so that no other bundle's data have the same name.
		if string(data) != "null" {
			files[path.Join(root, "data.json")] = data
		}
	}
	return files, nil
}

// rootsOf are the parts of the tree that a bundle owns; all of it unless its manifest says less.
func rootsOf(b *bundle.Bundle) []string {
	if b.Manifest.Roots == nil {
		return []string{""}
	}
	return *b.Manifest.Roots
}

// below is what data have at a root; nil if there is nothing.
func below(data map[string]any, root string) any {
	var at any = data
	for part := range strings.SplitSeq(strings.Trim(root, "/"), "/") {
		if part == "" {
			continue
		}
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[part]
	}
	return at
}

// Restore puts the last good bundles in use, from the first store that has one for each. It reports whether there are
// policies in use now; a bundle that is not kept, or no longer good, is waited for.
func (s *Services) Restore(ctx context.Context) bool {
	for _, from := range s.sources {
		for _, store := range s.stores {
			raw, err := store.Bundle(ctx, from.name)
			if err != nil {
				s.lost(from.name, err)
				continue
			}
			if raw != nil && s.restore(ctx, from, raw) == nil {
				break
			}
		}
	}
	return s.complete()
}

// restore verifies what was kept as if it had just come.
func (s *Services) restore(ctx context.Context, from *source, raw []byte) error {
	news := News{Bundle: from.name, From: "kept"}
	loader := bundle.NewTarballLoaderWithBaseURL(bytes.NewReader(raw), "").WithSizeLimitBytes(from.limit)
	b, err := bundle.NewCustomReader(loader).WithRegoVersion(ast.RegoV1).WithBundleVerificationConfig(from.verify).
		WithBundleName(from.name).WithSizeLimitBytes(from.limit).Read()
	if err != nil {
		news.Problem = fmt.Errorf("read what was kept: %w", err)
		s.shelf.refuse(news)
		return err
	}
	return s.offer(ctx, news, &b)
}

// complete reports whether every bundle is in use: pools of one that is missing would seem to be gone.
func (s *Services) complete() bool {
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	for _, from := range s.sources {
		if _, ok := s.shelf.parts[from.name]; !ok {
			return false
		}
	}
	return true
}

// Fetch downloads every bundle once, for a start that has none to go on with. The error joins what could not be had.
func (s *Services) Fetch(ctx context.Context) error {
	var wrong []error
	for _, from := range s.sources {
		if err := from.loader.Trigger(ctx); err != nil {
			wrong = append(wrong, fmt.Errorf("bundle %s: %w", from.name, err))
		}
	}
	if s.complete() {
		return nil
	}
	return errors.Join(append(wrong, errors.New("not every bundle could be put in use"))...)
}

// Start polls the services until Stop.
func (s *Services) Start(ctx context.Context) {
	s.started = true
	for _, from := range s.sources {
		from.loader.Start(ctx)
	}
}

// Stop ends the polling and waits for it.
func (s *Services) Stop(ctx context.Context) {
	if !s.started {
		return
	}
	for _, from := range s.sources {
		from.loader.Stop(ctx)
	}
}
