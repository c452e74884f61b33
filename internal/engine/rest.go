package engine

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

// longestRest is the longest time for which sweeps leave a pool alone, whatever its edges: a change that nobody thought of
// costs minutes and no more. Facts past their age end it earlier.
const longestRest = 5 * time.Minute

// hearer is what a [Policy] may also be: one that knows which policies hear the clock. Those of a Policy that does not say
// count as hearing it.
type hearer interface {
	HearsClock(policy string) bool
}

// rests reports whether a sweep may leave the pool alone: nothing has come since its last evaluation, and the clock alone
// can have changed nothing.
func (e *Engine) rests(v *visit) bool {
	c := &v.control
	return v.now.Before(c.RestUntil) && c.RestUntil.Sub(c.EvaluatedAt) <= min(e.FactsMaxAge, longestRest) && c.Intent == nil &&
		!c.FactsOutdated && c.FactsProblem == "" && c.Revision == e.Policy.Revision() && c.RestOn == restOn(&v.stored, nil)
}

// restOn is a digest of the windows that an evaluation saw: those stored, with the turn's own in its place. A window that
// another process stores without the control row is told by it.
func restOn(stored *scale.Stored, mine *scale.StoredWindow) uint64 {
	all := make([]scale.StoredWindow, 0, len(stored.Windows)+1)
	for _, w := range stored.Windows {
		if w.Source != scale.HistorySource && w.Source != scale.RosterSource && (mine == nil || w.Source != mine.Source) {
			all = append(all, w)
		}
	}
	if mine != nil {
		all = append(all, *mine)
	}
	slices.SortFunc(all, func(a, b scale.StoredWindow) int { return strings.Compare(a.Source, b.Source) })
	h := fnv.New64a()
	for _, w := range all {
		// Lengths keep what follows apart.
		_, _ = h.Write([]byte{byte(len(w.Source)), byte(len(w.Source) >> 8)})
		_, _ = h.Write([]byte(w.Source))
		n := len(w.Data)
		_, _ = h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
		_, _ = h.Write(w.Data)
	}
	return h.Sum64()
}

// restUntil is the instant until which the clock alone changes nothing about what has just been decided, zero if that is
// not known or no time at all. In doubt a pool does not rest: one with a change under way, a fault, machines that come or
// have gone, another set, a group, a candidate or a forecast is evaluated by each sweep.
func (e *Engine) restUntil(v *visit, c *scale.Control, entry *scale.Entry) time.Time {
	p, d := v.pool, &entry.Decision
	hears, ok := e.Policy.(hearer)
	switch {
	case !ok || hears.HearsClock(p.Policy) || p.Candidate != nil || len(p.Groups) > 0 || v.pairOf != nil || remembers(p):
		return time.Time{}
	case d.Act || c.Intent != nil || v.unread || v.failed || entry.Proposal.Fault != "" || len(entry.Proposal.Faults) > 0:
		return time.Time{}
	case !settled(c, d.From.Instances):
		return time.Time{}
	}
	n := nearest{now: v.now, at: v.now.Add(longestRest)}
	n.edge(c.Facts.ReadAt.Add(e.FactsMaxAge))
	if l := c.Facts.Live; l != nil {
		n.edge(l.ReadAt.Add(e.FactsMaxAge))
	}
	if q := c.Facts.Quota; q != nil {
		n.edge(q.ReadAt.Add(quotaHolds))
	}
	for _, s := range entry.View.Schedules {
		n.edge(s.NextAt)
	}
	for _, s := range entry.View.Signals {
		if !n.signal(&s) {
			return time.Time{}
		}
	}
	n.rails(&p.Rails, &entry.Proposal, d, &c.Memory)
	n.memory(&c.Memory, &c.Orders)
	if !n.at.After(v.now) {
		return time.Time{}
	}
	return n.at
}

// settled reports whether facts and machines are as they are meant to be.
func settled(c *scale.Control, from int) bool {
	f := &c.Facts
	in := c.Memory.Intended
	return f.Known() && !c.FactsOutdated && c.FactsProblem == "" && f.LiveProblem == "" && f.ProvisioningState == "Succeeded" &&
		f.Pair == nil && (f.Live == nil || f.Live.Pending() == 0) && c.Memory.Drift == nil && (in == nil || in.Instances <= from)
}

// nearest finds the nearest edge after now.
type nearest struct{ now, at time.Time }

// edge brings in an instant at which something may change; those that are over changed it already.
func (n *nearest) edge(at time.Time) {
	if at.After(n.now) && at.Before(n.at) {
		n.at = at
	}
}

// signal brings in the instant at which a signal turns stale. It is false for one whose next edge is not known: of a clock
// that ran ahead, or silent in a way that may yet change.
func (n *nearest) signal(s *scale.SignalView) bool {
	switch {
	case s.State == scale.SignalMissing:
		return true
	case s.NewestAt.After(n.now):
		return false
	case s.State == scale.SignalStale:
		return s.Silence == scale.SilenceDead
	}
	at := s.NewestAt.Add(seconds(s.StaleAfterSeconds))
	if !at.After(n.now) {
		// A resolved alert does not age; a part of a second may be all that is left to another signal.
		return s.Format == scale.FormatAlert
	}
	n.edge(at)
	return true
}

// rails brings in the ends of cooldowns, of the stabilisation window and of the windows of steps, and what the rails
// themselves named as the end of what holds.
func (n *nearest) rails(r *scale.Rails, p *scale.Proposal, d *scale.Decision, m *scale.Memory) {
	for _, changed := range []time.Time{m.GrownAt, m.ShrunkAt, m.RemixedAt} {
		for _, rest := range []int{r.Cooldown.GrowSeconds, r.Cooldown.ShrinkSeconds, r.Cooldown.MixSeconds} {
			n.edge(changed.Add(seconds(rest)))
		}
	}
	for _, was := range d.Recommendations {
		n.edge(was.At.Add(seconds(r.StabilisationSeconds)))
	}
	for _, was := range d.Capacities {
		n.edge(was.At.Add(seconds(r.GrowStep.WindowSeconds)))
		n.edge(was.At.Add(seconds(r.ShrinkStep.WindowSeconds)))
		n.edge(was.At.Add(seconds(r.WarmUpSeconds)))
		n.edge(was.At.Add(guard.ZeroSettles))
	}
	for _, a := range d.Adjustments {
		n.edge(a.Until)
	}
	if s := m.SpotShort; s != nil {
		n.edge(s.Until)
		if p.Blend != nil {
			n.edge(s.Until.Add(seconds(p.Blend.ReturnSeconds)))
		}
	}
}

// memory brings in the ends of back-offs and orders, and when what was told is forgotten.
func (n *nearest) memory(m *scale.Memory, o *scale.Orders) {
	for _, b := range m.BackOffs {
		n.edge(b.Until)
	}
	for _, order := range []*scale.Order{o.Freeze, o.PauseGrow, o.PauseShrink, o.Pin} {
		if order != nil {
			n.edge(order.Until)
		}
	}
	for _, was := range m.Evictions {
		n.edge(was.At.Add(scale.KeepNotices + 1)) // kept for the whole of it
	}
	for _, was := range m.Health {
		n.edge(was.At.Add(scale.KeepNotices + 1)) // kept for the whole of it
	}
	for _, was := range m.Rivals {
		n.edge(was.At.Add(scale.KeepNotices + 1)) // kept for the whole of it
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
