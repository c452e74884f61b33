package main

import (
	"context"
	"sync"
	"time"
)

const (
	// restShare bounds what looks cost while invocations come close together: one part of the time in so many.
	restShare = 20
	// restMost is the longest time in which a saved change is not seen.
	restMost = time.Second
)

// paced looks at a tree whose files may change, no more often than that is worth. A look walks the whole tree, which takes
// milliseconds where pools are many; a busy hub makes hundreds of invocations a second, and were each to look, or to wait
// for another's look, they would do little else. So a look is followed by a rest of many times what it took, at most a
// second, and an invocation that comes in the rest or during a look decides by the policies that are in use.
type paced struct {
	look func(context.Context)
	now  func() time.Time

	mu   sync.Mutex
	next time.Time
}

// ask looks, unless somebody does or has just done so.
func (p *paced) ask(ctx context.Context) {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	begun := p.now()
	// A clock that was set back does not hold looks up.
	if begun.Before(p.next) && p.next.Sub(begun) <= restMost {
		return
	}
	p.look(ctx)
	ended := p.now()
	p.next = ended.Add(min(restShare*ended.Sub(begun), restMost))
}
