package main

import (
	"maps"
	"slices"
	"sync"

	"trimtab/internal/supply"
)

// shelved remembers what became last of each bundle, for who asks at /status why a change of policies is not in use.
type shelved struct {
	mu   sync.Mutex
	last map[string]supply.News
}

// hear takes a piece of news.
func (s *shelved) hear(n supply.News) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]supply.News{}
	}
	s.last[n.Bundle] = n
}

// policyState is how the policies of a process stand.
type policyState struct {
	// Revision is the digest of all policies in use.
	Revision string        `json:"revision"`
	Bundles  []bundleState `json:"bundles"`
}

// bundleState is what became last of a bundle or folder.
type bundleState struct {
	Bundle string `json:"bundle"`
	From   string `json:"from"`
	// Manifest is the revision that the bundle's own manifest names, ETag what its server calls it.
	Manifest string `json:"manifest,omitempty"`
	ETag     string `json:"etag,omitempty"`
	InUse    bool   `json:"in_use"`
	// Refused is why it is not in use, a line for each problem; the last good ones go on.
	Refused string `json:"refused,omitempty"`
}

// state is what was heard, by the names of the bundles.
func (s *shelved) state(revision string) policyState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := policyState{Revision: revision, Bundles: []bundleState{}}
	for _, name := range slices.Sorted(maps.Keys(s.last)) {
		n := s.last[name]
		b := bundleState{Bundle: name, From: n.From, Manifest: n.Manifest, ETag: n.ETag, InUse: n.Problem == nil}
		if n.Problem != nil {
			b.Refused = n.Problem.Error()
		}
		out.Bundles = append(out.Bundles, b)
	}
	return out
}
