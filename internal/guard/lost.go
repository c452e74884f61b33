package guard

import (
	"time"

	"trimtab/internal/scale"
)

// lostFor is how long after machines have gone the number that was intended stands for them; by then the policy has had
// every chance to say what it wants without them.
const lostFor = 2 * time.Hour

// base is the number that the pool is meant to have: what there is, or what Trimtab last asked for where machines have
// gone since by no decision: evicted, or deleted behind the set's back (facts: VMSS 2.2, 5.5 row 4). What keeps a pool
// from shrinking keeps it at its base, so that what was lost is replaced without waiting for a metric.
func (w *walk) base() int {
	v := w.view
	in := v.Memory.Intended
	elsewhere := false
	if p := v.Facts.Pair; p != nil {
		own := v.Memory.Own(v.Facts)
		if in != nil {
			own = max(own, in.Instances)
		}
		in, elsewhere = &scale.Capacity{Instances: own + p.Intended}, p.Instances < p.Intended
	}
	if in == nil || in.Instances <= w.from || v.Facts.Live == nil || v.Memory.InFlight != nil ||
		v.Orders.PauseGrow.Holds(v.Now) {
		return w.from
	}
	drifted := v.Memory.Drift != nil && v.Memory.Drift.Sure > 0
	if n := len(w.capacities); !drifted && !v.Facts.Spot && !elsewhere || n == 0 || v.Now.Sub(w.capacities[n-1].At) > lostFor {
		return w.from
	}
	return min(in.Instances, max(w.from, v.Rails.Limits.Max))
}

// unsettled lets no pool shrink while it is not sure which machines are there: what a lower count deletes is the
// difference of the nominal counts, whatever has gone already (facts: VMSS 0.2). Nor does it let a pool grow by machines
// that are there beyond the nominal count.
func unsettled(w *walk) {
	v := w.view
	if v.Facts.Live != nil && v.Facts.Orchestration == scale.Flexible && w.number > w.from {
		if surplus := v.Facts.Live.Instances + v.Facts.Live.Parked - v.Facts.Capacity; surplus > 0 {
			w.set("live", "machines_surplus", max(w.from, w.number-surplus), time.Time{}, "")
		}
	}
	if w.number >= w.from {
		return
	}
	switch {
	case v.Facts.LiveProblem != "":
		w.set("live", "live_unread", w.from, time.Time{}, v.Facts.LiveProblem)
	case v.Facts.Live != nil && v.Memory.Drift.Unsure():
		w.set("live", "drift_unsettled", w.from, time.Time{}, "")
	}
}

// toldLately is how long ago an eviction that was told of explains a count of zero.
const toldLately = 10 * time.Minute

// zeroTold reports whether a count of zero is what events told of: since the last growth as many machines were evicted as
// the last count that was more than zero, and the list of machines is empty too. Without the list a false zero could hide
// machines that a stranger has made meanwhile; and on a Flexible set, whose count may stay when its machines go (facts: VMSS
// 2.2), an empty list says nothing about it.
func (w *walk) zeroTold() bool {
	v := w.view
	if l := v.Facts.Live; v.Facts.Pair != nil || v.Facts.Orchestration != scale.Uniform || l == nil || l.Instances+l.Deallocated+l.Failed+l.Parked > 0 {
		return false
	}
	last := 0
	for _, c := range v.Memory.Capacities {
		if c.Instances > 0 {
			last = c.Instances
		}
	}
	told := 0
	for _, e := range v.Memory.Evictions {
		if age := v.Facts.ReadAt.Sub(e.At); e.At.After(v.Memory.GrownAt) && age <= toldLately && age >= -time.Minute {
			told += e.Instances
		}
	}
	return last > 0 && told >= last
}

// contradicted reports whether there are more than twice the machines of the nominal count: then the count is not to be
// believed, or the set holds machines that are none of ours (facts: VMSS 2.4, 5.5 row 2).
func contradicted(f scale.Facts) bool {
	return f.Live != nil && f.Live.Instances > 2*f.Capacity+1
}
