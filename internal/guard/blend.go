package guard

import (
	"time"

	"trimtab/internal/scale"
)

// standsIn reports whether regular machines are to stand in for Spot ones now: the policy's blend says so, Spot could
// not be had lately, and the time held off after that is not over.
func (w *walk) standsIn() bool {
	if _, refused := w.refused(scale.TrapSpotRestore); refused {
		return false
	}
	short := w.view.Memory.SpotShort
	if p, b := w.view.Facts.Pair, w.proposal.Blend; p != nil && p.Role == scale.RoleRegular {
		return b != nil && b.StandIn && w.proposal.Fault == "" && p.SpotShort != nil &&
			w.view.Now.Before(p.SpotShort.Until.Add(seconds(b.ReturnSeconds)))
	}
	return short != nil && w.blendStandsIn() && w.view.Now.Before(short.Until.Add(seconds(w.proposal.Blend.ReturnSeconds)))
}

// mix is the split that goes with the number: the policy's blend where the set has a mix and nothing forbids the
// change, else the set's own.
func (w *walk) mix() *scale.Mix {
	v, own := w.view, w.view.Facts.Mix
	blend := w.proposal.Blend
	note := func(code string, until time.Time) *scale.Mix {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "mix", Code: code, Before: w.number, After: w.number, Until: until, Detail: w.leftOut,
		})
		return own
	}
	switch {
	case w.leftOut != "":
		return note("mix_unsupported", time.Time{})
	case blend == nil || w.proposal.Fault != "":
		return own
	}
	if v.Facts.Pair != nil {
		return own
	}
	if own == nil || v.Orchestration != scale.Flexible || !v.Facts.Spot {
		return note("mix_unsupported", time.Time{})
	}
	want := w.split(w.number)
	if off, spotOff := v.Memory.Off(); want.RegularPercent == 0 && w.exact(w.number) {
		// To Azure the parked regular machines are regular ones that there are.
		want.Base += off - spotOff
	}
	if want.Base < 0 || want.RegularPercent < 0 || want.RegularPercent > 100 {
		return note("mix_out_of_range", time.Time{})
	}
	if want == *own {
		return own
	}
	if v.Memory.InFlight != nil {
		return note("in_flight", time.Time{})
	}
	if w.number == w.from {
		// A change of the mix alone rests like a change of the number.
		until := v.Memory.RemixedAt.Add(seconds(v.Rails.Cooldown.MixSeconds))
		if !v.Memory.RemixedAt.IsZero() && v.Now.Before(until) {
			return note("cooldown_mix", until)
		}
		if b, ok := forbids(v, scale.Remix, w.number, false); ok {
			return note("back_off_"+string(b.Class), b.Until)
		}
	}
	if w.standsIn() && w.number > w.from {
		note("spot_stand_in", v.Memory.SpotShort.Until.Add(seconds(blend.ReturnSeconds)))
	}
	return &want
}

// split is the mix that yields for n instances what the blend asks for. While regular machines stand in, no more Spot
// is asked for than there is: the rest is regular.
func (w *walk) split(n int) scale.Mix {
	v, blend := w.view, w.proposal.Blend
	want := blend.Mix.For(n, blend.Rounding)
	if want.Base < 0 || want.RegularPercent < 0 || want.RegularPercent > 100 {
		return want
	}
	if !w.standsIn() && w.spotRoom == nil {
		if w.exact(n) {
			// Azure reckons with the nominal count, in which the missing machines are: the regular ones are named exactly.
			return scale.Mix{Base: want.Regular(n)}
		}
		return want
	}
	if n <= w.from {
		// Nothing is to be had and nothing is needed: the split stays, so that returning to it costs one change.
		return *v.Facts.Mix
	}
	spot := w.from - v.Facts.Mix.Regular(w.from)
	if l := v.Facts.Live; l != nil {
		spot = l.Spot
	}
	if w.spotRoom != nil && !w.standsIn() {
		spot += *w.spotRoom
	}
	if regular := max(want.Regular(n), n-spot); regular > want.Regular(n) {
		return scale.Mix{Base: regular}
	}
	return want
}

// exact reports whether the nominal count holds machines that are not there, so that a share of it would be another than
// is meant. Parked ones matter to a growth only: a number that stays needs no other mix for their sake.
func (w *walk) exact(n int) bool {
	off, _ := w.view.Memory.Off()
	missing := w.view.Facts.Capacity - w.from
	return missing > off || missing > 0 && n > w.from
}

// outOfHours reports whether nothing may be replaced now, and until when: the disruption budget holds within the hours of
// its schedule only (features: C16). A schedule that is not known is shut.
func outOfHours(v *scale.View) (until time.Time, shut bool) {
	name := v.Rails.Repair.During
	if name == "" {
		return time.Time{}, false
	}
	s := v.Schedules[name]
	return s.NextAt, !s.Active
}

// repairAgain is how long a repair is not tried again that brought the split no nearer.
const repairAgain = 6 * time.Hour

// repair moves machines of the kind that there are too many of, at constant size: Azure applies a mix to later changes
// only (facts: VMSS 2.1), so the pool grows by a few first, which come as the kind that is missing, and then shrinks to
// its number, which takes the kind that there is too much of. How many at once is the pool's disruption budget.
func repair(w *walk) {
	v := w.view
	budget, live, mix := v.Rails.Repair, v.Facts.Live, v.Facts.Mix
	if w.pinned || w.number != w.from || budget == (scale.Repair{}) || live == nil || mix == nil || w.proposal.Blend == nil ||
		!w.proposal.Known || w.proposal.Doubt || v.Memory.InFlight != nil || w.standsIn() || w.split(w.number) != *mix {
		return
	}
	if _, pets := w.refused(scale.TrapAttached); pets && len(v.Rails.Shrink.Order) == 0 {
		// What came out could not go in again.
		return
	}
	if live.Pending() > 0 || live.Instances != w.from || v.Facts.ProvisioningState == "Updating" {
		return
	}
	astray := live.Regular - mix.Regular(w.from)
	spotWanted := astray > 0
	astray = max(astray, -astray)
	if astray == 0 {
		return
	}
	if spotWanted {
		if b, ok := forbids(v, scale.Grow, w.number, false); ok && scale.SpotShort(b.Class) || v.Memory.SpotShort != nil && v.Now.Before(v.Memory.SpotShort.Until) {
			return
		}
	}
	last := v.Memory.GrownAt
	for _, at := range []time.Time{v.Memory.RemixedAt, v.Memory.ShrunkAt} {
		if at.After(last) {
			last = at
		}
	}
	until := last.Add(seconds(v.Rails.Cooldown.MixSeconds))
	if !last.IsZero() && v.Now.Before(until) {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "repair", Code: "cooldown_mix", Before: w.number, After: w.number, Until: until,
		})
		return
	}
	if r := v.Memory.Repaired; r != nil && astray >= r.Astray && v.Now.Sub(r.At) < repairAgain {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "repair", Code: "repair_in_vain", Before: w.number, After: w.number, Until: r.At.Add(repairAgain),
		})
		return
	}
	if until, shut := outOfHours(v); shut {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "repair", Code: "repair_hours", Before: w.number, After: w.number, Until: until, Detail: budget.During,
		})
		return
	}
	w.astray = astray
	most := min(astray, max(budget.Instances, budget.Percent*w.from/100, 1))
	if n := min(w.number+most, v.Rails.Limits.Max, w.platformMax()); n > w.number && !v.Orders.PauseGrow.Holds(v.Now) {
		w.set("repair", "mix_repair", n, time.Time{}, "")
		return
	}
	if n := max(w.number-most, v.Rails.Limits.Min); n < w.number && !v.Orders.PauseShrink.Holds(v.Now) {
		// No room above: first in, then out. What goes is of the kind that there is too much of.
		if code, _ := doubtful(v); code == "" && v.Facts.LiveProblem == "" && !v.Memory.Drift.Unsure() {
			w.set("repair", "mix_repair", n, time.Time{}, "")
		}
	}
}
