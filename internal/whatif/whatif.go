// Package whatif asks the real policy and the real rails about views that were not: one with another load, at another
// time, without an operator's order. It answers what would have to change for another decision.
//
// It decides nothing itself and has no rule of its own about scaling: every answer is the corridor's, so it cannot differ
// from what the engine would do. Pure: the same view and policies give the same answers.
package whatif

import (
	"context"
	"slices"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

// Policy makes a proposal of a view.
type Policy interface {
	Propose(ctx context.Context, view *scale.View) scale.Proposal
}

// Answer is what the corridor makes of a view.
type Answer struct {
	View     *scale.View
	Proposal scale.Proposal
	Decision scale.Decision
}

// Ask walks a view through policy and rails.
func Ask(ctx context.Context, p Policy, view *scale.View) Answer {
	proposal := p.Propose(ctx, view)
	return Answer{View: view, Proposal: proposal, Decision: guard.Decide(view, &proposal)}
}

// Same reports whether two decisions come to the same: the same count and the same split.
func Same(a, b scale.Decision) bool {
	mix := func(c scale.Capacity) scale.Mix {
		if c.Mix == nil {
			return scale.Mix{Base: -1}
		}
		return *c.Mix
	}
	return a.Action == b.Action && a.To.Instances == b.To.Instances && mix(a.To) == mix(b.To)
}

// View is a view of a pool of so many instances that nothing disturbs: facts just read, its schedules as they are at
// now, no order, no change before, and no signal measured.
func View(p *scale.Pool, instances int, now time.Time) *scale.View {
	v := &scale.View{
		Version: scale.ViewVersion, Now: now, Pool: p.Name, Policy: p.Policy, Mode: p.Mode, Labels: p.Labels,
		Orchestration: p.Orchestration, Rails: p.Rails, Settings: p.Settings, FactsMaxAgeSeconds: 300,
		Facts: scale.Facts{
			ReadAt: now, Capacity: instances, ETag: `"0"`, ProvisioningState: "Succeeded", Orchestration: p.Orchestration,
		},
		Signals: map[string]scale.SignalView{},
	}
	v.Memory.Intended = &scale.Capacity{Instances: instances}
	for _, s := range p.Signals {
		v.Signals[s.Name] = scale.SignalView{
			State: scale.SignalMissing, Unit: s.Unit, Expected: int(s.Window / max(s.Bucket, time.Second)), Wants: s.Wants(),
			Recent: repeated(0, s.Recent),
		}
	}
	for _, s := range p.Schedules {
		if v.Schedules == nil {
			v.Schedules = map[string]scale.ScheduleView{}
		}
		active, next := s.Active(now)
		if !next.IsZero() {
			next = next.UTC()
		}
		v.Schedules[s.Name] = scale.ScheduleView{Active: active, NextAt: next, Dated: s.Dated()}
	}
	return v
}

// repeated is so many of one value, nil for none.
func repeated(value scale.Milli, n int) []scale.Milli {
	if n == 0 {
		return nil
	}
	return slices.Repeat([]scale.Milli{value}, n)
}

// Settled is a copy of a view in which the pool has wanted nothing for as long as the stabilisation looks back, so that
// the rails that wait for time let a shrink through at once.
func Settled(v *scale.View) *scale.View {
	w := *v
	w.Memory.GrownAt, w.Memory.ShrunkAt, w.Memory.RemixedAt = time.Time{}, time.Time{}, time.Time{}
	w.Memory.Recommendations = []scale.Recommendation{{At: v.Now.Add(-48 * time.Hour)}}
	w.Memory.Capacities = []scale.Recommendation{{At: v.Now.Add(-48 * time.Hour), Instances: v.Facts.Capacity}}
	w.Rails.GrowStep, w.Rails.ShrinkStep = scale.Step{}, scale.Step{}
	return &w
}

// WithValue is a signal as it would be if its value were another: everything measured of it moves in proportion. From a
// value of nothing, what each of the instances shows becomes the value.
func WithValue(s scale.SignalView, value scale.Milli, instances int) scale.SignalView {
	was := s.Value
	if s.State == scale.SignalMissing || s.State == "" {
		s = scale.SignalView{
			State: scale.SignalFresh, Unit: s.Unit, Buckets: s.Expected, Expected: s.Expected, Wants: s.Wants, Recent: s.Recent,
		}
		s.Has = scale.HasAverage | scale.HasMinimum | scale.HasMaximum
		s.HasDemand = true
		if s.Wants&scale.WantsTrend != 0 {
			s.Trend = &scale.Trend{HasDemand: true} // it has been so for the whole window
		}
	}
	s.Value, s.HasValue = value, true
	if was == 0 {
		for _, m := range []*scale.Milli{&s.Average, &s.Minimum, &s.Maximum, &s.Last} {
			*m = value
		}
		s.Demand = value * scale.Milli(instances)
		s.Recent = repeated(value, len(s.Recent))
		return s
	}
	moved := func(m scale.Milli) scale.Milli { return scale.Milli(float64(m) / float64(was) * float64(value)) }
	for _, m := range []*scale.Milli{&s.Average, &s.Minimum, &s.Maximum, &s.Total, &s.Last, &s.Demand} {
		if *m == was {
			*m = value
		} else {
			*m = moved(*m)
		}
	}
	recent := make([]scale.Milli, len(s.Recent))
	for i, m := range s.Recent {
		recent[i] = moved(m)
	}
	if s.Recent != nil {
		s.Recent = recent
	}
	if s.Trend != nil {
		line := *s.Trend
		line.Value, line.Demand = moved(line.Value), moved(line.Demand)
		s.Trend = &line
	}
	return s
}

// With is a copy of a view with one signal replaced.
func With(v *scale.View, name string, s scale.SignalView) *scale.View {
	w := *v
	w.Signals = make(map[string]scale.SignalView, len(v.Signals))
	for k, each := range v.Signals {
		w.Signals[k] = each
	}
	w.Signals[name] = s
	return &w
}
