package guard

import (
	"slices"
	"time"

	"trimtab/internal/scale"
)

// clean names the machines that the set holds and that serve nobody, so that they are deleted at constant number: they keep
// their place in the nominal count and in quotas for ever (facts: VMSS 2.2, 3.2). Only what two reads have shown goes, a few
// at a time within the disruption budget, and only while nothing else is done to the set. Parked machines go when they stand
// in the way of new ones that are wanted and cannot be started themselves.
func clean(w *walk) {
	v := w.view
	live := v.Facts.Live
	if w.number != w.from || v.Memory.InFlight != nil || live == nil || v.Facts.LiveProblem != "" ||
		v.Facts.ProvisioningState == "Updating" || live.Pending() > 0 {
		return
	}
	var names []string
	code := "clean"
	if w.crowded > 0 {
		code = "makes_room"
		for _, p := range v.Memory.Parked {
			// Whom the list does not show off yet somebody may have started since.
			if p.Off && !p.Protected && !v.Now.Before(p.BelievedUntil) && len(names) < w.crowded && len(names) < startsFlexible {
				names = append(names, p.Name)
			}
		}
	} else {
		names = w.remains()
	}
	if len(names) == 0 {
		return
	}
	if o := v.Orders.PauseShrink; o.Holds(v.Now) {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "clean", Code: "paused_shrink", Before: w.number, After: w.number, Until: o.Until, Detail: o.Reason,
		})
		return
	}
	if b, ok := forbids(v, scale.Clean, w.number, false); ok {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "clean", Code: "back_off_" + string(b.Class), Before: w.number, After: w.number, Until: b.Until, Detail: b.Code,
		})
		return
	}
	w.cleans, w.cleansFor = names, code
}

// remains are the machines that failed or were evicted, as far as the pool wants them gone and the budget goes.
func (w *walk) remains() []string {
	v := w.view
	budget, asked := v.Rails.Repair, v.Rails.Clean
	if budget == (scale.Repair{}) || v.Memory.Drift == nil || v.Now.Sub(v.Memory.CleanedAt) < seconds(v.Rails.Cooldown.MixSeconds) {
		return nil
	}
	if code, _ := doubtful(v); code != "" || w.proposal.Doubt || !w.proposal.Known {
		// What is not known agrees to no deletion.
		return nil
	}
	var names []string
	if asked.Failed {
		names = append(names, v.Facts.Live.FailedNames...)
	}
	if asked.Evicted {
		names = append(names, v.Facts.Live.EvictedNames...)
	}
	// How many are surely missing does not say which: a machine that one read shows to have failed may be back in the next.
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !v.Memory.SurelyDead(name, v.Now) })
	n := min(len(names), v.Memory.Drift.Sure, max(budget.Instances, budget.Percent*w.from/100, 1))
	return names[:n]
}

// cleaned makes the decision to delete machines at constant number.
func (w *walk) cleaned(d *scale.Decision) {
	n := w.view.Facts.Capacity - len(w.cleans)
	d.Action, d.Direction, d.Reason, d.Victims, d.Nominal = scale.Scale, scale.Clean, w.cleansFor, w.cleans, &n
	w.adjustments = append(w.adjustments, scale.Adjustment{
		Rail: "clean", Code: w.cleansFor, Before: w.number, After: w.number, Until: time.Time{},
	})
}
