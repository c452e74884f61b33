package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"trimtab/internal/scale"
)

// Memory is the ledger in memory, the twin of Table for tests, benchmarks and replays. It is safe for concurrent use.
type Memory struct {
	// Retain is how many entries each pool keeps, the newest; 0 keeps all. It is set before the first use.
	Retain int

	mu      sync.Mutex
	serial  int64
	pools   map[string]*memoryPool
	letters map[string]scale.DeadLetter
}

// memoryPool is all of a pool.
type memoryPool struct {
	rowset
	journal journal[*scale.Entry]
}

// NewMemory makes an empty ledger.
func NewMemory() *Memory {
	return &Memory{pools: make(map[string]*memoryPool), letters: make(map[string]scale.DeadLetter)}
}

// Load reads a pool's control row and windows.
func (m *Memory) Load(ctx context.Context, pool string) (scale.Stored, error) {
	if err := ready(ctx, pool); err != nil {
		return scale.Stored{}, fmt.Errorf("ledger: load: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pools[pool]; p != nil {
		return p.stored(), nil
	}
	return scale.Stored{}, nil
}

// ready refuses a call that nobody waits for any more, and one for no pool.
func ready(ctx context.Context, pool string) error {
	if pool == "" {
		return errors.New("the pool has no name")
	}
	return ctx.Err()
}

// Commit stores all of a commit or none of it.
func (m *Memory) Commit(ctx context.Context, pool string, c scale.Commit) error {
	if err := check(pool, &c); err != nil {
		return fmt.Errorf("ledger: commit %q: %w", pool, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ledger: commit %s: %w", pool, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pools[pool]
	if p == nil {
		p = &memoryPool{}
	}
	written := notes(&c)
	if !p.fits(&c) {
		if p.wrote(c.Attempt) || slices.ContainsFunc(written, func(n note) bool { return p.journal.wrote(&n, c.Attempt) }) {
			return nil
		}
		return fmt.Errorf("ledger: commit %s: %w", pool, scale.ErrConflict)
	}
	m.serial++
	m.pools[pool] = p
	p.apply(&c, strconv.FormatInt(m.serial, 10))
	for _, n := range written {
		r := p.journal.at(n.key)
		if n.entry != nil {
			entry := clone(*n.entry)
			r.entry, r.has, r.attempt = &entry, true, c.Attempt
		}
		if n.outcome != nil {
			r.outcome, r.outcomeAttempt = n.outcome, c.Attempt
		}
	}
	if extra := len(p.journal.records) - m.Retain; m.Retain > 0 && extra > 0 {
		p.journal.records = slices.Delete(p.journal.records, 0, extra)
	}
	return nil
}

// Keep stores dead letters by the identity of their events.
func (m *Memory) Keep(ctx context.Context, letters []scale.DeadLetter) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ledger: keep dead letters: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range letters {
		l.Rejections = fewer(l.Rejections)
		l.Body = slices.Clone(l.Body)
		l.Application, l.System = slices.Clone(l.Application), slices.Clone(l.System)
		partition, key := letterKeys(&l)
		m.letters[partition+"/"+key] = l
	}
	return nil
}

// Entries reads up to n entries of a pool, newest first, the first of them no later than before; the zero time means the
// newest. Outcomes are joined.
func (m *Memory) Entries(ctx context.Context, pool string, before time.Time, n int) ([]scale.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: read entries of %s: %w", pool, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.pools[pool]
	if p == nil || n <= 0 {
		return nil, nil
	}
	var entries []scale.Entry
	for _, r := range p.journal.last(before, n) {
		e := orphan(pool, r.key, nil)
		if r.has {
			e = clone(*r.entry)
		}
		e.Outcome = clone(r.outcome)
		entries = append(entries, e)
	}
	return entries, nil
}

// Trim drops entries older than before, at most max of them, and says how many it dropped.
func (m *Memory) Trim(ctx context.Context, pool string, before time.Time, max int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("ledger: trim %s: %w", pool, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pools[pool]; p != nil {
		return p.journal.trim(before, max), nil
	}
	return 0, nil
}

// Pools names the pools that have a control row.
func (m *Memory) Pools(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: list pools: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name, p := range m.pools {
		if p.control != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// DeadLetters reads up to n dead letters, those received last first.
func (m *Memory) DeadLetters(ctx context.Context, n int) ([]scale.DeadLetter, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: read dead letters: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	letters := make([]scale.DeadLetter, 0, len(m.letters))
	for _, l := range m.letters {
		letters = append(letters, clone(l))
	}
	return newest(letters, max(n, 0)), nil
}

// TrimLetters drops dead letters received before an instant, at most max of them, and says how many it dropped.
func (m *Memory) TrimLetters(ctx context.Context, before time.Time, max int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("ledger: trim dead letters: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id, l := range m.letters {
		if n < max && isOld(l.ReceivedAt, before) {
			delete(m.letters, id)
			n++
		}
	}
	return n, nil
}

// isOld reports whether a dead letter was received before an instant. One that does not say when it was received is not.
func isOld(receivedAt, before time.Time) bool {
	return !receivedAt.IsZero() && receivedAt.Before(before)
}
