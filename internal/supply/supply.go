// Package supply brings policies in, from a folder or from OPA bundle services, and puts them in use.
//
// Policies are put in use whole or not at all: what does not load, is not signed or reaches into another team's roots is
// refused with its reason, and the last good ones go on. The room has no clock and writes no log; what happens to a
// bundle it tells whoever made it, who also says where the last good bundles are kept.
package supply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/bundle"

	"trimtab/internal/policy"
	"trimtab/policies"
)

// News is what became of one bundle.
type News struct {
	// Bundle is the bundle's name, or the folder.
	Bundle string
	// From is where it came from: folder, service or kept.
	From string
	// Manifest is the revision that the bundle's own manifest names, ETag what its server calls it; empty where there is
	// none.
	Manifest, ETag string
	// Revision is the digest of all policies in use after it.
	Revision string
	// Problem is why it was refused, nil if it is in use: file, line and reason, a line each.
	Problem error
}

// Shelf holds the policies in use. It is safe for concurrent use.
type Shelf struct {
	tell func(News)
	now  atomic.Pointer[policy.Bundle]

	mu    sync.Mutex
	parts map[string]part
	// waiting are parts that were refused, by the names of their bundles: another bundle may bring what they lack.
	waiting map[string]offered
}

// offered is a part with what is told of it.
type offered struct {
	news News
	part part
}

// part is what one bundle brought.
type part struct {
	files policy.Files
	roots []string
}

// NewShelf makes an empty shelf; tell hears of every bundle that is put in use or refused, one at a time.
func NewShelf(tell func(News)) *Shelf {
	return &Shelf{tell: tell, parts: map[string]part{}, waiting: map[string]offered{}}
}

// Policies are those in use; nil before there were any.
func (s *Shelf) Policies() *policy.Bundle { return s.now.Load() }

// offer puts a part in use, beside those of other names, if everything together loads; else nothing changes. Parts that
// were refused before are tried again after one that was not.
func (s *Shelf) offer(ctx context.Context, news News, p part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.put(ctx, offered{news, p}, true)
	for again := err == nil; again; {
		again = false
		for _, name := range slices.Sorted(maps.Keys(s.waiting)) {
			again = s.put(ctx, s.waiting[name], false) == nil || again
		}
	}
	return err
}

func (s *Shelf) put(ctx context.Context, o offered, first bool) error {
	name := o.news.Bundle
	loaded, err := s.with(ctx, name, o.part)
	if err == nil {
		delete(s.waiting, name)
		s.parts[name] = o.part
		s.now.Store(loaded)
	} else {
		s.waiting[name] = o
	}
	if o.news.Problem = err; err == nil || first {
		s.say(o.news)
	}
	return err
}

// say tells news, with what is in use.
func (s *Shelf) say(news News) {
	if b := s.now.Load(); b != nil {
		news.Revision = b.Revision()
	}
	s.tell(news)
}

// refuse tells of a bundle that could not even be read.
func (s *Shelf) refuse(news News) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.say(news)
}

// with loads the parts as they would be.
func (s *Shelf) with(ctx context.Context, name string, p part) (*policy.Bundle, error) {
	parts := maps.Clone(s.parts)
	parts[name] = p
	all := policy.Files{}
	for _, other := range slices.Sorted(maps.Keys(parts)) {
		if other != name {
			if root, taken := overlap(p.roots, parts[other].roots); taken {
				return nil, fmt.Errorf("bundle %s: its root %q is within the roots of bundle %s: roots of bundles are disjoint", name, root, other)
			}
		}
		maps.Copy(all, parts[other].files)
	}
	if err := addShipped(all); err != nil {
		return nil, err
	}
	return policy.LoadFiles(ctx, all)
}

// overlap is a root that two bundles both have.
func overlap(mine, theirs []string) (string, bool) {
	for _, a := range mine {
		for _, b := range theirs {
			if bundle.RootPathsOverlap(a, b) {
				return a, true
			}
		}
	}
	return "", false
}

// addShipped adds what this build carries of library, entry point and schemas, folder by folder, where nobody else gives
// a policy for it. Pools it does not add: those are somebody's.
func addShipped(all policy.Files) error {
	given := map[string]bool{}
	for p := range all {
		given[path.Dir(p)] = true
	}
	shipped, err := policy.Snapshot(policies.FS)
	if err != nil {
		return err
	}
	for p, text := range shipped {
		if !strings.HasPrefix(p, "pools/") && !given[path.Dir(p)] {
			all[p] = text
		}
	}
	return nil
}

// Folder is a tree of policies on disk. A change in it is put in use by the next look.
type Folder struct {
	shelf *Shelf
	name  string
	tree  fs.FS

	mu   sync.Mutex
	seen string
}

// NewFolder makes the supply of a folder; name is what it is called in news.
func NewFolder(shelf *Shelf, name string, tree fs.FS) *Folder {
	return &Folder{shelf: shelf, name: name, tree: tree, seen: "never"}
}

// Look puts the folder in use if it has changed since the last look. It compares names, sizes and times only, so a look at
// a folder that rests costs a fraction of a millisecond, and ten milliseconds or so for a thousand pools. The error is the news' problem; it is told once for each change.
func (f *Folder) Look(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen, err := signature(f.tree)
	if err == nil && seen == f.seen {
		return nil
	}
	news := News{Bundle: f.name, From: "folder"}
	if err != nil {
		if news.Problem = err; f.seen != err.Error() {
			f.seen = err.Error()
			f.shelf.refuse(news)
		}
		return err
	}
	files, err := policy.Snapshot(f.tree)
	if err != nil {
		news.Problem = err
		f.shelf.refuse(news)
		return err
	}
	f.seen = seen
	// A folder is the whole of it: what it lacks is a fault, not the shipped file's turn.
	return f.shelf.offerWhole(ctx, news, files)
}

// offerWhole puts a tree in use that brings everything along.
func (s *Shelf) offerWhole(ctx context.Context, news News, files policy.Files) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, err := policy.LoadFiles(ctx, files)
	if news.Problem = err; err == nil {
		s.now.Store(loaded)
	}
	s.say(news)
	return err
}

// signature tells whether a tree is as it was.
func signature(tree fs.FS) (string, error) {
	var b strings.Builder
	err := fs.WalkDir(tree, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone between the list and the question; the next look sees the list without it
		}
		if err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", p, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	return b.String(), err
}
