package engine

import (
	"errors"
	"sync/atomic"
	"time"

	"trimtab/internal/scale"
)

// breaker keeps one batch or sweep from waiting for an Azure Resource Manager that does not answer: once as many calls in
// a row as there are workers have come to nothing, the rest of the turn makes do without. Else a hundred pools would
// spend the invocation's time, each on a time-out of its own, and the windows would not be stored.
type breaker struct {
	most   int32
	failed atomic.Int32
}

// open reports whether calls are to be left out. A nil breaker never is.
func (b *breaker) open() bool { return b != nil && b.failed.Load() >= b.most }

// note takes the result of a call: only one that had no answer, or that of a server in trouble, counts against it.
func (b *breaker) note(err error) {
	if b == nil {
		return
	}
	var fe *scale.FleetError
	if errors.As(err, &fe) && fe.Class == scale.ClassUnsure {
		b.failed.Add(1)
		return
	}
	b.failed.Store(0)
}

// rewind takes back instants that lie in the future: a process whose clock ran ahead has written them, and what waits
// for them would wait as long as the clock was wrong. A cooldown begins at the present instead, which errs on the side
// of rest.
func rewind(c *scale.Control, now time.Time, lease time.Duration) {
	ahead := c.EvaluatedAt.After(now.Add(time.Minute)) || c.Facts.ReadAt.After(now.Add(time.Minute))
	back := func(t *time.Time) {
		if t.After(now) {
			*t = now
		}
	}
	m := &c.Memory
	for _, t := range []*time.Time{&m.GrownAt, &m.ShrunkAt, &m.RemixedAt, &c.EvaluatedAt} {
		back(t)
	}
	m.Recommendations, m.Capacities = past(m.Recommendations, now), past(m.Capacities, now)
	if c.Facts.ReadAt.After(now) {
		c.Facts.ReadAt, c.FactsOutdated = now, true
	}
	if ahead {
		c.FactsRetryAt, c.NextEdgeAt, c.RestUntil, c.EvaluatedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
	if c.Intent == nil {
		return
	}
	in := *c.Intent
	if in.StartedAt.After(now.Add(time.Minute)) {
		in.PollAt = now
	}
	back(&in.StartedAt)
	if latest := now.Add(lease); in.LeaseUntil.After(latest) {
		in.LeaseUntil = latest
	}
	c.Intent = &in
}

// past is a history whose future instants are taken back to now.
func past(all []scale.Recommendation, now time.Time) []scale.Recommendation {
	if len(all) == 0 || !all[len(all)-1].At.After(now) {
		return all
	}
	kept := append([]scale.Recommendation(nil), all...)
	for i := range kept {
		if kept[i].At.After(now) {
			kept[i].At = now
		}
	}
	return kept
}
