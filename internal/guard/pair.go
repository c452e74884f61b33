package guard

import (
	"time"

	"trimtab/internal/scale"
)

// pair turns the number of the whole pool into that of the one set of a pair which this decision is about. The blend
// says how many are regular; Trimtab makes the split itself (facts: VMSS 2.2, a Uniform set is all of one kind). A set
// grows to its part whatever becomes of the other, and shrinks only as far as the other has machines up for the number
// of the whole. Regular machines stand in for Spot as the blend says.
func pair(w *walk) {
	p := w.view.Facts.Pair
	if p == nil {
		return
	}
	whole, own := w.number, w.own()
	part := w.part(whole)
	target := part
	switch {
	case part > own:
		// Beyond the number of the whole no more at once than the disruption budget allows: out, then in.
		room := max(0, whole-own-p.Instances)
		_, shut := outOfHours(w.view)
		if b := w.view.Rails.Repair; b != (scale.Repair{}) && !shut && !w.proposal.Doubt && w.proposal.Known {
			room = max(room, min(part-own, max(b.Instances, b.Percent*whole/100, 1)))
		}
		target = min(part, own+room, own+max(0, w.view.Rails.Limits.Max-own-p.Instances))
		if most := w.ownPlatformMax(); target > most {
			target = max(own, most)
		}
	case part < own:
		// What is coming up elsewhere does not serve yet, nor does what a list does not show.
		up := p.Instances - p.Pending
		if p.Live != nil {
			up = min(up, p.Live.Instances-p.Live.Pending())
		}
		target = min(own, max(part, whole-max(0, up)))
		if w.proposal.Doubt || !w.proposal.Known && !w.pinned || w.view.Orders.PauseShrink.Holds(w.view.Now) {
			target = own
		}
		if code, _ := doubtful(w.view); code != "" && !w.pinned {
			target = own
		}
		if w.view.Facts.Live != nil && p.Live == nil {
			// Unlisted, the other set's nominal count holds its evicted machines too (facts: VMSS 2.2).
			target = own
		}
		if w.view.Facts.LiveProblem != "" || w.view.Facts.Live != nil && w.view.Memory.Drift.Unsure() {
			target = own
		}
	}
	if target > own && w.view.Orders.PauseGrow.Holds(w.view.Now) || w.view.Memory.InFlight != nil {
		target = own
	}
	direction := scale.Grow
	if target < own {
		direction = scale.Shrink
	}
	if b, ok := forbids(w.view, direction, target, false); ok && target != own {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "pair", Code: "back_off_" + string(b.Class), Before: target, After: own, Until: b.Until, Detail: b.Code,
		})
		target = own
	}
	w.adjustments = append(w.adjustments, scale.Adjustment{
		Rail: "pair", Code: "pair_" + string(p.Role), Before: whole, After: target, Until: time.Time{}, Detail: p.ScaleSet,
	})
	w.from, w.number, w.single, w.whole = own, target, true, whole
}

// own is how many instances the set of this decision has, without the other of its pair.
func (w *walk) own() int {
	if w.single || w.view.Facts.Pair == nil {
		return w.from
	}
	return w.view.Memory.Own(w.view.Facts)
}

func (w *walk) ownPlatformMax() int {
	f := w.view.Facts
	if f.PlatformMax <= 0 {
		return 1 << 30
	}
	parked, _ := w.view.Memory.Off()
	return max(0, f.PlatformMax-(f.Capacity-w.own()-parked))
}

// part is how many of the whole belong into this set.
func (w *walk) part(whole int) int {
	v := w.view
	p, b := v.Facts.Pair, w.proposal.Blend
	own := w.own()
	spot, short := p.Instances, p.SpotShort
	if p.Role == scale.RoleSpot {
		spot, short = own, v.Memory.SpotShort
	}
	var regular int
	switch {
	case b == nil || w.proposal.Fault != "":
		// No policy says how to split: the regular part stays, and Spot takes up the difference.
		regular = own
		if p.Role == scale.RoleSpot {
			regular = p.Instances
		}
		regular = min(regular, whole)
	default:
		regular = b.Mix.For(whole, b.Rounding).Regular(whole)
		if _, refused := w.refused(scale.TrapSpotRestore); !refused && b.StandIn && short != nil && v.Now.Before(short.Until.Add(seconds(b.ReturnSeconds))) {
			regular = max(regular, whole-spot)
		}
	}
	if p.Role == scale.RoleRegular {
		return regular
	}
	return whole - regular
}
