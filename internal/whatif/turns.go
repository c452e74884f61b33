package whatif

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"trimtab/internal/scale"
)

// Turn is one thing that would have to change for another decision, and the decision that would be.
type Turn struct {
	// Kind is signal, fresh, time, order or limits. Name tells turns of one kind apart: a signal, an order, a limit.
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// From and To are the number that would change, for a signal in thousandths of its unit.
	From scale.Milli `json:"from"`
	To   scale.Milli `json:"to"`
	// At is the instant of a turn of time.
	At time.Time `json:"at"`
	// Action, Instances and Reason are of the decision that would be.
	Action    scale.Action    `json:"action"`
	Direction scale.Direction `json:"direction"`
	Instances int             `json:"instances"`
	Reason    string          `json:"reason"`
}

// Turns are the nearest changes that would make another decision than the one on the view: each signal's value upwards
// and downwards, a signal that is in doubt if it were fresh, the instants at which a rail lets go or a schedule turns,
// each order if it were taken back, and the limit that cut. They come in that order, signals by name.
func Turns(ctx context.Context, p Policy, view *scale.View) []Turn {
	s := seeker{ctx: ctx, policy: p, view: view, here: Ask(ctx, p, view)}
	for _, name := range slices.Sorted(maps.Keys(view.Signals)) {
		s.signal(name)
	}
	s.fresh()
	s.times()
	s.orders()
	s.limits()
	return s.turns
}

type seeker struct {
	ctx    context.Context
	policy Policy
	view   *scale.View
	here   Answer
	turns  []Turn
}

// differs asks about another view and says whether its decision is another.
func (s *seeker) differs(v *scale.View) (Answer, bool) {
	a := Ask(s.ctx, s.policy, v)
	return a, !Same(a.Decision, s.here.Decision)
}

func (s *seeker) add(t Turn, a Answer) {
	t.Action, t.Direction = a.Decision.Action, a.Decision.Direction
	t.Instances, t.Reason = a.Decision.To.Instances, a.Decision.Reason
	s.turns = append(s.turns, t)
}

// The bounds of a search for a signal's value.
const (
	percentMost = scale.Milli(100_000)
	valueMost   = scale.Milli(1) << 46
)

// signal looks for the nearest value of a signal on either side at which the decision is another.
func (s *seeker) signal(name string) {
	v := s.view.Signals[name]
	if !v.HasValue || v.State == scale.SignalMissing || v.State == scale.SignalStale {
		return
	}
	most := min(valueMost, 1000*max(v.Value, 1000))
	if v.Unit == "percent" {
		most = max(percentMost, v.Value)
	}
	for _, bound := range []scale.Milli{0, most} {
		if to, a, found := s.nearest(name, v, bound); found {
			s.add(Turn{Kind: "signal", Name: name, From: v.Value, To: to}, a)
		}
	}
}

// nearest goes from the value towards bound in steps that double until the decision is another, then halves what lies
// between. It sees no change that is undone within a step.
func (s *seeker) nearest(name string, v scale.SignalView, bound scale.Milli) (scale.Milli, Answer, bool) {
	sign, room := scale.Milli(1), bound-v.Value
	if room < 0 {
		sign, room = -1, -room
	}
	ask := func(away scale.Milli) (Answer, bool) {
		return s.differs(With(s.view, name, WithValue(v, v.Value+sign*away, s.view.Facts.Capacity)))
	}
	same, away := scale.Milli(0), scale.Milli(0)
	var found Answer
	for step := max(1, v.Value/64); away < room; step *= 2 {
		away = min(away+step, room)
		if a, other := ask(away); other {
			found = a
			break
		}
		same = away
		if s.ctx.Err() != nil {
			return 0, found, false
		}
	}
	if found.View == nil {
		return 0, found, false
	}
	for away-same > 1 {
		middle := same + (away-same)/2
		if a, other := ask(middle); other {
			away, found = middle, a
		} else {
			same = middle
		}
	}
	return v.Value + sign*away, found, true
}

// fresh asks what would be if every signal in doubt were fresh with what is known of it.
func (s *seeker) fresh() {
	for _, name := range slices.Sorted(maps.Keys(s.view.Signals)) {
		v := s.view.Signals[name]
		if v.State == scale.SignalFresh || v.State == scale.SignalMissing || !v.HasValue {
			continue
		}
		v.State = scale.SignalFresh
		if a, other := s.differs(With(s.view, name, v)); other {
			s.add(Turn{Kind: "fresh", Name: name, From: v.Value, To: v.Value}, a)
		}
	}
}

// Later is a copy of a view at a later instant, with facts read then, everything measured as it is, and what the decision
// on the view leaves in memory.
func Later(v *scale.View, d *scale.Decision, at time.Time) *scale.View {
	w := *v
	w.Now = at
	w.Memory.Recommendations, w.Memory.Capacities = d.Recommendations, d.Capacities
	if w.Facts.Known() {
		w.Facts.ReadAt = at
	}
	w.Schedules = make(map[string]scale.ScheduleView, len(v.Schedules))
	for name, s := range v.Schedules {
		if !s.NextAt.IsZero() && !at.Before(s.NextAt) {
			s = scale.ScheduleView{Active: !s.Active, Dated: s.Dated}
		}
		w.Schedules[name] = s
	}
	return &w
}

// times asks at each instant at which something that is known lets go.
func (s *seeker) times() {
	type edge struct {
		at   time.Time
		name string
	}
	var edges []edge
	add := func(at time.Time, name string) {
		if at.After(s.view.Now) {
			edges = append(edges, edge{at, name})
		}
	}
	for _, a := range s.here.Decision.Adjustments {
		add(a.Until, a.Rail)
	}
	for _, name := range slices.Sorted(maps.Keys(s.view.Schedules)) {
		add(s.view.Schedules[name].NextAt, "schedule "+name)
	}
	for _, b := range s.view.Memory.BackOffs {
		add(b.Until, "back-off")
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	last := s.here
	for i, e := range edges {
		if i > 0 && edges[i-1].at.Equal(e.at) {
			continue
		}
		a := Ask(s.ctx, s.policy, Later(s.view, &s.here.Decision, e.at))
		if !Same(a.Decision, last.Decision) {
			s.add(Turn{Kind: "time", Name: e.name, At: e.at}, a)
			last = a
		}
	}
}

// orders asks what would be without each order that holds.
func (s *seeker) orders() {
	o := s.view.Orders
	for _, c := range []struct {
		name  string
		holds bool
		off   func(*scale.View)
	}{
		{"freeze of the installation", s.view.Frozen, func(v *scale.View) { v.Frozen = false }},
		{"freeze", o.Freeze.Holds(s.view.Now), func(v *scale.View) { v.Orders.Freeze = nil }},
		{"pause grow", o.PauseGrow.Holds(s.view.Now), func(v *scale.View) { v.Orders.PauseGrow = nil }},
		{"pause shrink", o.PauseShrink.Holds(s.view.Now), func(v *scale.View) { v.Orders.PauseShrink = nil }},
		{"pin", o.Pin.Holds(s.view.Now), func(v *scale.View) { v.Orders.Pin = nil }},
	} {
		if !c.holds {
			continue
		}
		w := *s.view
		c.off(&w)
		if a, other := s.differs(&w); other {
			s.add(Turn{Kind: "order", Name: c.name}, a)
		}
	}
}

// limits asks what would be if the limit that cut were where the number wanted to go.
func (s *seeker) limits() {
	for _, adjustment := range s.here.Decision.Adjustments {
		w := *s.view
		var from int
		switch adjustment.Code {
		case "limit_min":
			from, w.Rails.Limits.Min = w.Rails.Limits.Min, max(0, adjustment.Before)
		case "limit_max":
			from, w.Rails.Limits.Max = w.Rails.Limits.Max, adjustment.Before
		default:
			continue
		}
		if a, other := s.differs(&w); other {
			s.add(Turn{Kind: "limits", Name: adjustment.Code, From: scale.Milli(from) * 1000, To: scale.Milli(adjustment.Before) * 1000}, a)
			return
		}
	}
}
