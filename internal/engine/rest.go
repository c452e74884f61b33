package engine

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"trimtab/internal/forecast"
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
func (e *Engine) rests(ctx context.Context, v *visit) bool {
	c := &v.control
	return v.now.Before(c.RestUntil) && c.RestUntil.Sub(c.EvaluatedAt) <= min(e.FactsMaxAge, longestRest) && c.Intent == nil &&
		!c.FactsOutdated && c.FactsProblem == "" && c.Revision == e.Policy.Revision() && c.RestOn == e.restOn(ctx, v, nil)
}

// restOn is a digest of what an evaluation saw that no row of its own tells: the windows stored, with the turn's own in
// its place, because another process may store one without the control row; what the other members of its groups said, as
// it counts at this instant, read here if it was not; and the other set of a pair, with the orders that are given to both.
func (e *Engine) restOn(ctx context.Context, v *visit, mine *scale.StoredWindow) uint64 {
	all := make([]scale.StoredWindow, 0, len(v.stored.Windows)+1)
	for _, w := range v.stored.Windows {
		if w.Source != scale.HistorySource && (mine == nil || w.Source != mine.Source) {
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
	if len(v.pool.Groups) > 0 {
		e.readGroups(ctx, v)
		digest(h, e.groupViews(v))
	}
	if v.pairOf != nil {
		digest(h, v.pair())
		digest(h, v.control.Orders)
	}
	return h.Sum64()
}

// digest adds a value to a hash, by its JSON, which is in a fixed order. What cannot be written is told apart by the error.
func digest(h io.Writer, of any) {
	if err := json.NewEncoder(h).Encode(of); err != nil {
		_, _ = io.WriteString(h, err.Error())
	}
}

// restUntil is the instant until which the clock alone changes nothing about what has just been decided, zero if that is
// not known or no time at all. In doubt a pool does not rest: one with a change under way, a fault, machines that come or
// have gone, loads that were just written into its history, or a candidate on trial whose score has just moved is evaluated
// by each sweep.
func (e *Engine) restUntil(v *visit, c *scale.Control, entry *scale.Entry, recorded bool) time.Time {
	p, d := v.pool, &entry.Decision
	switch {
	case e.hearsClock(p), recorded, scored(v.control.Memory.Trial, v.trial):
		return time.Time{}
	case d.Act || c.Intent != nil || v.unread || v.failed || faulty(&entry.Proposal):
		return time.Time{}
	case entry.Beside != nil && faulty(&entry.Beside.Proposal):
		return time.Time{}
	case !settled(c, d.From.Instances, v.pairOf != nil), v.pairOf != nil && !settled(&v.other, 0, true):
		return time.Time{}
	}
	n := nearest{now: v.now, at: v.now.Add(longestRest)}
	n.facts(&c.Facts, e.FactsMaxAge)
	for _, s := range entry.View.Schedules {
		n.edge(s.NextAt)
	}
	for _, s := range entry.View.Signals {
		if !n.signal(&s) {
			return time.Time{}
		}
	}
	for i := range p.Signals {
		n.edge(forecast.Next(&p.Signals[i], v.now))
	}
	n.rails(&p.Rails, &entry.Proposal, d, &c.Memory)
	if b := entry.Beside; b != nil {
		n.rails(&p.Rails, &b.Proposal, &b.Decision, &c.Memory)
	}
	n.memory(&c.Memory, &c.Orders)
	if v.pairOf != nil {
		n.facts(&v.other.Facts, e.FactsMaxAge)
		n.shortage(v.other.Memory.SpotShort, &entry.Proposal)
	}
	if !n.at.After(v.now) {
		return time.Time{}
	}
	return n.at
}

// hearsClock reports whether the pool's policy, or its candidate, may propose something else with every second.
func (e *Engine) hearsClock(p *pool) bool {
	hears, ok := e.Policy.(hearer)
	return !ok || hears.HearsClock(p.Policy) || p.Candidate != nil && hears.HearsClock(p.Candidate.Policy)
}

func faulty(p *scale.Proposal) bool { return p.Fault != "" || len(p.Faults) > 0 }

// scored reports whether an evaluation moved the score of a candidate on trial, or ended or began the trial.
func scored(before, after *scale.Trial) bool {
	if before == nil || after == nil {
		return before != after
	}
	return before.Candidate != after.Candidate || before.Attempt != after.Attempt || !before.Since.Equal(after.Since) ||
		!before.ReturnedAt.Equal(after.ReturnedAt) || before.Own != after.Own || before.Trying != after.Trying
}

// settled reports whether facts and machines are as they are meant to be. A set of a pair is held against its own count.
func settled(c *scale.Control, from int, ofPair bool) bool {
	f := &c.Facts
	in := c.Memory.Intended
	if ofPair {
		from = c.Memory.Own(*f)
	}
	if c.Intent != nil {
		return false
	}
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
	n.shortage(m.SpotShort, p)
}

// shortage brings in the end of a shortage of Spot, and when what stands in for it goes back.
func (n *nearest) shortage(s *scale.Shortage, p *scale.Proposal) {
	if s == nil {
		return
	}
	n.edge(s.Until)
	if p.Blend != nil {
		n.edge(s.Until.Add(seconds(p.Blend.ReturnSeconds)))
	}
}

// facts brings in when facts are too old to decide on.
func (n *nearest) facts(f *scale.Facts, most time.Duration) {
	n.edge(f.ReadAt.Add(most))
	if l := f.Live; l != nil {
		n.edge(l.ReadAt.Add(most))
	}
	if q := f.Quota; q != nil {
		n.edge(q.ReadAt.Add(quotaHolds))
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
