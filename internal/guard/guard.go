// Package guard turns a proposal into a decision: what the policy wants becomes what the rails allow.
//
// Its one function is pure: the same view and proposal give the same decision, now among the view's fields. No policy
// can lift a rail, and no rail can fail: a "no" is a number that stayed where it was, with a reason. Capacity that is
// written lies within the pool's limits and the platform's, always.
package guard

import (
	"slices"
	"time"

	"trimtab/internal/scale"
)

// Decide runs the rails over the proposal in a fixed order and answers with the decision and with the histories as they
// are after it. The order is part of the contract:
//
//  0. control: other processes keep winning the control row → hold, the decision is theirs.
//  1. facts: never read, too old, or of another kind than the pool says → hold.
//  2. freeze: of the installation or of the pool → hold; an enforcing pool beside Azure Autoscale → hold.
//  3. source: an operator's pin, else the policy's number; a fault of the whole policy → hold; no known reason → hold, or
//     grow to the default count.
//  4. limits, then platform: clamp.
//  5. pause: of one direction.
//  6. signals: no shrink while a signal or a reason is in doubt.
//  7. live: no shrink while it is not sure which machines are there, nor by the count while some were attached by hand.
//  8. stabilisation: no lower than the highest recommendation of the window.
//  9. step: no further than the step within its window.
//  10. cooldown of the direction.
//  11. back-off after failures.
//  12. repair: a few machines more, so that the live split comes back to the blend.
//  13. in flight: one change at a time.
//  14. limits again: a step that would end outside them goes to their edge.
//  15. pair: the part of one set of a pair.
//  16. quota: of a growth, the part that fits.
//  17. start: a growth begins with the machines that are parked.
//  18. victims: a shrink by chosen machines takes no more than were chosen.
//  19. clean: at a number that stays, machines that serve nobody are deleted.
//  20. mix: the split that goes with the number.
//  21. mode: observe records, enforce acts.
//
// A pin is an operator's order: rails 6, 8, 9 and 10, which protect against a policy's haste, do not bind it; the others
// do. The count that they start from is that of the machines, where it is surely lower than the nominal one.
func Decide(view *scale.View, proposal *scale.Proposal) scale.Decision {
	from := view.Memory.Instances(view.Facts)
	w := &walk{view: view, proposal: proposal, from: from, number: from}
	w.traps = Traps(&view.Facts, w.wish())
	if w.leftOut = w.unblended(); w.leftOut != "" {
		unblended := *proposal
		unblended.Blend, w.proposal = nil, &unblended
	}
	if w.opened() {
		for _, rail := range []func(*walk){
			limits, platform, pause, signals, unsettled, attached, stabilise, step, cooldown, backOff, repair, inFlight, edge, pair, quota, start, victims, clean,
		} {
			rail(w)
		}
	}
	return w.close()
}

// walk is one number on its way through the rails.
type walk struct {
	view     *scale.View
	proposal *scale.Proposal
	from     int
	number   int
	// reason is the code of whatever last gave the number its value.
	reason string
	// pinned is true when an operator's pin gave the number; halted when a rail ended the walk.
	pinned, halted bool
	// single is true once number and from are those of one set of a pair, whole what the pool grows to then.
	single bool
	whole  int
	// spotRoom is how many more Spot machines the quota leaves room for, where regular ones stand in for the rest.
	spotRoom *int
	// traps are what about the set works against the pool; leftOut is the one because of which the blend is left out.
	traps   []scale.Trap
	leftOut string
	// astray is how many machines are of the wrong kind, where that is what is repaired.
	astray int
	// starts are the parked machines that a growth starts, aim the number that it stops short of for them; 0 if it does not.
	starts []string
	aim    int
	// crowded is how many machines a growth falls short of because parked ones hold their place. cleans are the machines that
	// serve nobody, and go; cleansFor is the code of why.
	crowded         int
	cleans          []string
	cleansFor       string
	adjustments     []scale.Adjustment
	recommendations []scale.Recommendation
	capacities      []scale.Recommendation
}

// set gives the number a new value, with the rail's reason. A rail that leaves the number alone is not recorded.
func (w *walk) set(rail, code string, number int, until time.Time, detail string) {
	if number == w.number {
		return
	}
	w.adjustments = append(w.adjustments, scale.Adjustment{
		Rail: rail, Code: code, Before: w.number, After: number, Until: until, Detail: detail,
	})
	w.number, w.reason = number, code
}

// halt ends the walk where it began: hold, because of code.
func (w *walk) halt(rail, code string, wanted int, until time.Time, detail string) {
	w.adjustments = append(w.adjustments, scale.Adjustment{
		Rail: rail, Code: code, Before: wanted, After: w.from, Until: until, Detail: detail,
	})
	w.number, w.reason, w.halted = w.from, code, true
}

// wanted is the number that the policy or the pin asks for, for the record of a halt.
func (w *walk) wanted() int {
	if w.view.Orders.Pin.Holds(w.view.Now) {
		return w.view.Orders.Pin.Instances
	}
	if w.proposal.Fault == "" && w.proposal.Known {
		return w.proposal.Instances
	}
	return w.from
}

// opened runs the rails that may end the walk before a number is chosen, then chooses it.
func (w *walk) opened() bool {
	v := w.view
	w.remember()
	switch {
	case v.Contended:
		w.halt("control", "contended", w.wanted(), time.Time{}, "another process decides")
	case !v.Facts.Known():
		w.halt("facts", "facts_unknown", w.wanted(), time.Time{}, v.FactsProblem)
	case age(v.Now, v.Facts.ReadAt) > v.FactsMaxAgeSeconds || v.Facts.ReadAt.After(v.Now.Add(time.Minute)):
		w.halt("facts", "facts_stale", w.wanted(), time.Time{}, v.FactsProblem)
	case v.FactsUnread:
		w.halt("facts", "facts_unread", w.wanted(), time.Time{}, v.FactsProblem)
	case v.Facts.Orchestration != v.Orchestration:
		w.halt("facts", "orchestration_mismatch", w.wanted(), time.Time{}, string(v.Facts.Orchestration))
	case v.Facts.ProvisioningState == "Deleting":
		w.halt("facts", "set_deleting", w.wanted(), time.Time{}, "")
	case (v.Memory.Intended == nil || v.Memory.Intended.Instances > 0) && ZeroDoubted(v.Facts, Seen(&v.Memory, v.Facts.Pair != nil), v.Now) && !w.zeroTold():
		w.halt("facts", "facts_implausible", w.wanted(), time.Time{}, "")
	case v.Facts.Pair != nil && (v.Facts.Pair.ReadAt.IsZero() || age(v.Now, v.Facts.Pair.ReadAt) > v.FactsMaxAgeSeconds):
		w.halt("facts", "pair_unknown", w.wanted(), time.Time{}, v.Facts.Pair.ScaleSet)
	case v.Memory.InFlight == nil && contradicted(v.Facts):
		w.halt("facts", "facts_implausible", w.wanted(), time.Time{}, "there are far more machines than the count says")
	case v.Frozen:
		w.halt("freeze", "frozen", w.wanted(), time.Time{}, "installation")
	case v.Orders.Freeze.Holds(v.Now):
		w.halt("freeze", "frozen", w.wanted(), v.Orders.Freeze.Until, v.Orders.Freeze.Reason)
	case v.Mode == scale.Enforce && w.rival() != "":
		w.halt("rival", "rival", w.wanted(), time.Time{}, w.rival())
	case v.Orders.Pin.Holds(v.Now):
		w.pinned = true
		w.set("pin", "pinned", v.Orders.Pin.Instances, v.Orders.Pin.Until, v.Orders.Pin.Reason)
		w.reason = "pinned"
	case w.proposal.Fault != "":
		w.halt("policy", "policy_fault", w.from, time.Time{}, w.proposal.Fault)
	case !w.proposal.Known && w.base() > w.from:
		w.set("lost", "lost_machines", w.base(), time.Time{}, "no reason is known")
	case !w.proposal.Known && v.Rails.Limits.Default > w.from:
		w.set("policy", "default_count", v.Rails.Limits.Default, time.Time{}, "no reason is known")
	case !w.proposal.Known && v.Rails.Limits.Min > w.from:
		// A set without machines measures nothing: it would stay empty for ever.
		w.set("limits", "limit_min", v.Rails.Limits.Min, time.Time{}, "no reason is known")
	case !w.proposal.Known:
		w.halt("policy", "no_known_reason", w.from, time.Time{}, "")
	default:
		w.number, w.reason = w.proposal.Instances, winner(w.proposal)
	}
	if w.halted && v.Facts.Known() && w.reason != "facts_implausible" {
		// What stops us from knowing agrees to no shrink: it counts as a recommendation to stay.
		w.recommend(w.from)
	}
	return !w.halted
}

// winner is the code of the reason that asks for the most, with its name.
func winner(p *scale.Proposal) string {
	for _, r := range p.Reasons {
		if r.State == scale.ReasonKnown && r.Instances == p.Instances {
			return r.Code
		}
	}
	return "policy"
}

// close makes the decision of where the walk has ended.
func (w *walk) close() scale.Decision {
	v := w.view
	if w.view.Facts.Pair != nil && !w.single {
		// Halted on the way: the decision is about this set alone.
		w.from = w.view.Memory.Own(w.view.Facts)
		w.number, w.single = w.from, true
	}
	d := scale.Decision{
		Action: scale.Hold, Direction: scale.Still, Reason: w.reason,
		From:            scale.Capacity{Instances: w.from, Mix: v.Facts.Mix},
		To:              scale.Capacity{Instances: w.from, Mix: v.Facts.Mix},
		Recommendations: w.recommendations, Capacities: w.capacities, Traps: w.traps,
	}
	if !w.halted {
		d.Astray = w.astray
		d.To.Instances = w.number
		d.To.Mix = w.mix()
		switch {
		case w.number > w.from:
			d.Action, d.Direction = scale.Scale, scale.Grow
		case w.number < w.from:
			d.Action, d.Direction = scale.Scale, scale.Shrink
		case !sameMix(d.To.Mix, v.Facts.Mix):
			d.Action, d.Direction, d.Reason = scale.Scale, scale.Remix, "blend"
		case len(w.cleans) > 0:
			w.cleaned(&d)
		}
		if missing := v.Facts.Capacity - w.from; missing != 0 && d.Action == scale.Scale && d.Direction != scale.Clean {
			// As many as are missing come on top, or the platform would make or delete others than are meant (facts: VMSS
			// 0.2, 5.5 row 10).
			n := w.number + missing
			d.Nominal = &n
		}
	}
	if chosen := v.Facts.Victims; chosen != nil && d.Direction == scale.Shrink && len(v.Rails.Shrink.Order) > 0 {
		d.Victims = chosen.Names[:w.from-w.number]
		// A deletion changes nothing else.
		d.To.Mix = v.Facts.Mix
		if v.Rails.Shrink.Parks() {
			d.Verb = scale.Deallocate
		}
	}
	if d.Direction == scale.Grow && len(w.starts) > 0 {
		d.Victims, d.Verb, d.Aim, d.To.Mix = w.starts[:w.number-w.from], scale.Start, w.aim, v.Facts.Mix
	}
	if d.Verb != "" {
		// Who is parked keeps the place in the count.
		n := v.Facts.Capacity
		d.Nominal = &n
	}
	d.Act = d.Action == scale.Scale && v.Mode == scale.Enforce
	if d.Action == scale.Scale && !d.Act {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "mode", Code: "observe", Before: d.To.Instances, After: w.from,
		})
	}
	d.Adjustments = w.adjustments
	return d
}

// sameMix reports whether two mixes are the same, absent ones among them.
func sameMix(a, b *scale.Mix) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

// age is the whole seconds from then to now, never negative.
func age(now, then time.Time) int {
	return max(0, int(now.Sub(then)/time.Second))
}

// historyKept is how long capacities are remembered at least: as long as the slowest signal looks back.
const historyKept = 3 * time.Hour

// capacitiesKept bounds how many changes of capacity are remembered.
const capacitiesKept = 128

// remember brings the capacity seen now into its history, where only changes are kept, and drops what no rail can
// still look at. The newest entry at or before the horizon stays: it was in force at the horizon.
func (w *walk) remember() {
	v := w.view
	w.recommendations = v.Memory.Recommendations
	w.capacities = v.Memory.Capacities
	if !v.Facts.Known() {
		return
	}
	kept := historyKept
	for _, s := range []scale.Step{v.Rails.GrowStep, v.Rails.ShrinkStep} {
		kept = max(kept, seconds(s.WindowSeconds))
	}
	c := slices.Clone(w.capacities)
	if n := len(c); n == 0 || c[n-1].Instances != w.from {
		c = append(c, scale.Recommendation{At: v.Facts.ReadAt, Instances: w.from})
	}
	c = since(c, v.Now.Add(-kept))
	if n := len(c); n > capacitiesKept {
		c = c[n-capacitiesKept:]
	}
	w.capacities = c
}

// recommend brings a recommendation into the history of the stabilisation window. A recommendation is in force from its
// instant until the next one, so a gap between evaluations does not empty the window. Only the staircase that a maximum
// over windows ending now can see is kept: an entry that a later one reaches gives that one its instant and goes.
func (w *walk) recommend(n int) {
	now := w.view.Now
	r := slices.Clone(w.recommendations)
	if len(r) == 0 {
		// A pool that was never evaluated has, as far as anybody knows, wanted what it has.
		r = append(r, scale.Recommendation{At: now, Instances: w.from})
		if n >= w.from {
			r[0].Instances = n
			w.recommendations = r
			return
		}
	}
	at := now
	for len(r) > 0 && r[len(r)-1].Instances <= n {
		at = r[len(r)-1].At
		r = r[:len(r)-1]
	}
	r = append(r, scale.Recommendation{At: at, Instances: n})
	w.recommendations = since(r, now.Add(-seconds(w.view.Rails.StabilisationSeconds)))
}

// ZeroSettles is how long a count of zero must have been seen before it is believed.
const ZeroSettles = 10 * time.Minute

// ZeroDoubted reports whether the facts say zero and that is not to be believed yet: the API has been seen to answer 0
// for a set of 90 (facts: VMSS 5.5, row 2). A zero that every read since ZeroSettles has shown is one: evictions may
// take the last machine (facts: VMSS 2.2).
func ZeroDoubted(f scale.Facts, capacities []scale.Recommendation, now time.Time) bool {
	if !f.Known() || f.Capacity != 0 {
		return false
	}
	n := len(capacities)
	return n == 0 || capacities[n-1].Instances != 0 || now.Sub(capacities[n-1].At) < ZeroSettles
}

// Seen are the counts by which a zero of a set is judged: those remembered, and of a set of a pair its own zeroes, because
// what is remembered there are the counts of both.
func Seen(m *scale.Memory, pair bool) []scale.Recommendation {
	switch {
	case !pair:
		return m.Capacities
	case m.ZeroSince.IsZero():
		return nil
	default:
		return []scale.Recommendation{{At: m.ZeroSince}}
	}
}

// Doubt is the history of capacities when a zero is read anew: too long after the last read, or of a set that has been
// written since, so that what was seen before says nothing about it. The doubt begins again now: beside a zero that the
// reads until seen had shown to last, and in place of one that they had not.
func Doubt(capacities []scale.Recommendation, seen, now time.Time) []scale.Recommendation {
	n := len(capacities)
	if n == 0 || capacities[n-1].Instances != 0 {
		return capacities
	}
	if seen.Sub(capacities[n-1].At) < ZeroSettles {
		n--
	}
	return append(capacities[:n:n], scale.Recommendation{At: now})
}

// Believed are the capacities without the zeros that did not last: an answer of zero in passing is no machine less in
// service.
func Believed(capacities []scale.Recommendation, now time.Time) []scale.Recommendation {
	doubted := func(i int) bool {
		end := now
		if i+1 < len(capacities) {
			end = capacities[i+1].At
		}
		return capacities[i].Instances == 0 && end.Sub(capacities[i].At) < ZeroSettles
	}
	for i := range capacities {
		if !doubted(i) {
			continue
		}
		kept := slices.Clone(capacities[:i])
		for j := i; j < len(capacities); j++ {
			if !doubted(j) {
				kept = append(kept, capacities[j])
			}
		}
		return kept
	}
	return capacities
}

// since drops the entries that were no longer in force at the horizon.
func since(r []scale.Recommendation, horizon time.Time) []scale.Recommendation {
	first := 0
	for first+1 < len(r) && !r[first+1].At.After(horizon) {
		first++
	}
	return r[first:]
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
