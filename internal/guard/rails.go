package guard

import (
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// limits keeps the number within the pool's own range.
func limits(w *walk) {
	l := w.view.Rails.Limits
	switch {
	case w.number < l.Min:
		w.set("limits", "limit_min", l.Min, time.Time{}, "")
	case w.number > l.Max:
		w.set("limits", "limit_max", l.Max, time.Time{}, "")
	}
}

// platform keeps the number within what the platform allows this set. A range whose lower end the platform forbids
// leaves no number that is right: hold.
func platform(w *walk) {
	f := w.view.Facts
	most := w.room()
	if f.PlatformMax <= 0 || w.number <= most {
		return
	}
	if least := w.view.Rails.Limits.Min; most < least && !w.holdsPlace() {
		w.set("platform", "platform_below_min", w.from, time.Time{}, f.PlatformMaxRule)
		w.halted = true
		return
	}
	w.set("platform", "platform_max", most, time.Time{}, f.PlatformMaxRule)
}

// holdsPlace reports whether the platform has room for the lower limit, and for the nominal count as it is: what keeps the pool
// from its minimum then are machines that are missing.
func (w *walk) holdsPlace() bool {
	f := w.view.Facts
	return f.PlatformMax >= max(w.view.Rails.Limits.Min, f.Capacity)
}

// room is how far the platform lets the number go. Where what is missing or serves nobody holds the room for the lower limit,
// the pool comes as near to it as it can, is cleaned meanwhile, and shrinks no further than it wants to.
func (w *walk) room() int {
	most, least := w.platformMax(), w.view.Rails.Limits.Min
	if most < least && w.holdsPlace() {
		most = max(most, min(w.from, w.number))
	}
	return most
}

// platformMax is how many instances the platform leaves room for: machines that are missing still hold their place in
// the nominal count.
func (w *walk) platformMax() int {
	f := w.view.Facts
	if f.Pair != nil && !w.single {
		// The other set has a limit of its own: each is bound by its own where the number is split.
		return 1 << 30
	}
	// Parked machines hold their place for themselves: started, they need no other.
	parked, _ := w.view.Memory.Off()
	return max(0, f.PlatformMax-(f.Capacity-w.own()-parked))
}

// pause stops one direction, as an operator ordered.
func pause(w *walk) {
	o, now := w.view.Orders, w.view.Now
	switch {
	case w.number > w.from && o.PauseGrow.Holds(now):
		w.set("pause", "paused_grow", w.from, o.PauseGrow.Until, o.PauseGrow.Reason)
	case w.number < w.from && o.PauseShrink.Holds(now):
		w.set("pause", "paused_shrink", w.from, o.PauseShrink.Until, o.PauseShrink.Reason)
	}
}

// signals lets no pool shrink while a signal of its is missing, stale or partial, or a reason is in doubt: what is not
// known agrees to nothing. Growth does not wait for it.
func signals(w *walk) {
	if w.pinned || w.number >= w.base() {
		return
	}
	if code, names := doubtful(w.view); code != "" {
		w.set("signals", code, w.base(), time.Time{}, strings.Join(names, ","))
		return
	}
	// No known reason is one in doubt: the default count, cut by the platform, may lie below what is there.
	if w.proposal.Doubt || !w.proposal.Known {
		w.set("signals", "reason_unknown", w.base(), time.Time{}, strings.Join(doubters(w.proposal), ","))
	}
}

// doubtful names the signals in the worst state that occurs, with that state's code.
func doubtful(v *scale.View) (code string, names []string) {
	for _, s := range []struct {
		state scale.SignalState
		code  string
	}{
		{scale.SignalMissing, "signal_missing"}, {scale.SignalStale, "signal_stale"}, {scale.SignalPartial, "signal_partial"},
	} {
		for name, signal := range v.Signals {
			if signal.State == s.state {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			return s.code, names
		}
	}
	for name, signal := range v.Signals {
		if signal.State != scale.SignalFresh {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		return "signal_unknown", names
	}
	return "", nil
}

// doubters names the reasons in doubt.
func doubters(p *scale.Proposal) (names []string) {
	for _, r := range p.Reasons {
		if r.State == scale.ReasonUnknown || r.State == scale.ReasonFault {
			names = append(names, strings.TrimSuffix(r.Code+":"+r.Name, ":"))
		}
	}
	return names
}

// stabilise remembers the recommendation and lets the pool shrink only to the highest of the window.
func stabilise(w *walk) {
	w.recommend(w.number)
	if w.pinned || w.number >= w.base() {
		return
	}
	horizon := w.view.Now.Add(-seconds(w.view.Rails.StabilisationSeconds))
	highest, until := w.number, time.Time{}
	for i, r := range w.recommendations {
		ended := i+1 < len(w.recommendations) && !w.recommendations[i+1].At.After(horizon)
		if ended || r.Instances <= highest {
			continue
		}
		highest = r.Instances
		if i+1 < len(w.recommendations) {
			until = w.recommendations[i+1].At.Add(seconds(w.view.Rails.StabilisationSeconds))
		}
	}
	w.set("stabilisation", "stabilisation", min(highest, w.base()), until, "")
}

// step bounds the movement within a window of time: growth against the lowest count of the window, shrink against the
// highest.
func step(w *walk) {
	if w.pinned || w.number == w.from {
		return
	}
	v := w.view
	if w.number > w.from {
		s := v.Rails.GrowStep
		if s == (scale.Step{}) {
			return
		}
		start := w.from
		for _, c := range since(Believed(w.capacities, v.Now), v.Now.Add(-seconds(s.WindowSeconds))) {
			start = min(start, c.Instances)
		}
		if most := max(w.base(), start+reach(s, start)); w.number > most {
			w.set("step", "step_grow", most, time.Time{}, "")
		}
		return
	}
	s := v.Rails.ShrinkStep
	if s == (scale.Step{}) {
		return
	}
	start := w.from
	for _, c := range since(w.capacities, v.Now.Add(-seconds(s.WindowSeconds))) {
		start = max(start, c.Instances)
	}
	if least := min(w.from, start-reach(s, start)); w.number < least {
		w.set("step", "step_shrink", least, time.Time{}, "")
	}
}

// reach is how far a step goes from a count: the larger of its two measures, a share rounded up, and at least one, else
// a share of nothing would never leave it.
func reach(s scale.Step, start int) int {
	return max(1, s.Instances, (s.Percent*start+99)/100)
}

// cooldown lets a direction rest after a change. Growth never waits for a shrink; a shrink waits for both.
func cooldown(w *walk) {
	if w.pinned || w.number == w.from {
		return
	}
	m, c, now := w.view.Memory, w.view.Rails.Cooldown, w.view.Now
	if w.number > w.from {
		if w.number <= w.base() && w.standsIn() {
			// What failed a moment ago for want of Spot is no growth to rest after.
			return
		}
		if w.continues() {
			return
		}
		if until := m.GrownAt.Add(seconds(c.GrowSeconds)); !m.GrownAt.IsZero() && now.Before(until) {
			w.set("cooldown", "cooldown_grow", w.from, until, "")
		}
		return
	}
	last := m.ShrunkAt
	if m.GrownAt.After(last) {
		last = m.GrownAt
	}
	if until := last.Add(seconds(c.ShrinkSeconds)); !last.IsZero() && now.Before(until) {
		w.set("cooldown", "cooldown_shrink", w.from, until, "")
	}
}

// backOff obeys what failures forbid for a while.
func backOff(w *walk) {
	direction := scale.Grow
	switch {
	case w.number == w.from:
		return
	case w.number < w.from:
		direction = scale.Shrink
	}
	if b, ok := forbids(w.view, direction, w.number, w.standsIn()); ok {
		w.set("back_off", "back_off_"+string(b.Class), w.from, b.Until, b.Code)
		return
	}
	for _, b := range w.view.Memory.BackOffs {
		if b.Zone != "" && b.Direction == direction && w.view.Now.Before(b.Until) && elsewhere(w.view, &b) {
			w.adjustments = append(w.adjustments, scale.Adjustment{
				Rail: "back_off", Code: "back_off_other_zones", Before: w.number, After: w.number, Until: b.Until,
				Detail: "zone " + b.Zone + " rests: " + b.Code,
			})
		}
	}
}

// elsewhere reports whether a back-off is about a zone, and the set has another that does not rest.
func elsewhere(v *scale.View, b *scale.BackOff) bool {
	if b.Zone == "" || len(v.Facts.Zones) == 0 {
		return false
	}
	return slices.ContainsFunc(v.Facts.Zones, func(zone string) bool {
		return !slices.ContainsFunc(v.Memory.BackOffs, func(o scale.BackOff) bool {
			return o.Zone == zone && o.Direction == b.Direction && v.Now.Before(o.Until) && (o.Size == "" || o.Size == v.Facts.Size)
		})
	})
}

// forbids finds the longest back-off in force against a direction. A failure to get Spot machines does not hold back a
// set with a mix, whose regular part comes all the same, unless the whole request was refused because of its Spot part
// and nothing stands in for it.
func forbids(v *scale.View, direction scale.Direction, number int, standsIn bool) (longest scale.BackOff, found bool) {
	for _, b := range v.Memory.BackOffs {
		spotOnly := scale.SpotShort(b.Class)
		mix := v.Facts.Mix
		switch {
		case !v.Now.Before(b.Until), b.Direction != "" && b.Direction != direction, b.Size != "" && b.Size != v.Facts.Size:
		case elsewhere(v, &b):
		case spotOnly && mix != nil && standsIn:
		case spotOnly && mix != nil && (!b.Refused || number-mix.Regular(number) <= v.Facts.Capacity-mix.Regular(v.Facts.Capacity)):
		case !found || b.Until.After(longest.Until):
			longest, found = b, true
		}
	}
	return longest, found
}

// inFlight lets one change at a time be under way.
func inFlight(w *walk) {
	if w.view.Memory.InFlight != nil && w.number != w.from {
		w.set("in_flight", "in_flight", w.from, time.Time{}, "")
	}
}

// edge brings a number that still moves into the limits: a step from outside them would else end outside them.
func edge(w *walk) {
	if w.number == w.from || w.halted {
		return
	}
	grows := w.number > w.from
	limits(w)
	if f := w.view.Facts; f.PlatformMax > 0 && w.number > w.room() {
		// What the platform has no room for is no reason to shrink: nobody has asked for that.
		most := w.room()
		if grows {
			most = max(most, w.from)
		}
		w.set("platform", "platform_max", most, time.Time{}, f.PlatformMaxRule)
	}
}
