package guard

import (
	"fmt"
	"time"

	"trimtab/internal/scale"
)

// quota asks for the part of a growth that the subscription's quotas leave room for, and records what is short: a
// request that passes a quota is refused whole, though a part of it fits (facts: VMSS 5.5 row 7). Regular cores and
// those of Spot are counted apart.
func quota(w *walk) {
	q := w.view.Facts.Quota
	if q == nil || w.number <= w.from {
		return
	}
	// A deallocated Spot machine has kept its cores (facts: VMSS 2.2).
	_, spotOff := w.view.Memory.Off()
	if regular, spot := w.parts(w.number); q.Spot != nil && spot-spotOff > *q.Spot && w.blendStandsIn() {
		w.spotRoom = q.Spot
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "quota", Code: "spot_quota_stand_in", Before: w.number, After: w.number,
			Detail: fmt.Sprintf("%d of %d Spot and %d regular: %s", *q.Spot, spot, regular, q.SpotName),
		})
	}
	for n := w.number; n > w.from; n-- {
		regular, spot := w.parts(n)
		if (q.Regular == nil || regular <= *q.Regular) && (q.Spot == nil || spot-spotOff <= *q.Spot) {
			w.set("quota", "quota", n, time.Time{}, shortOf(q, w))
			return
		}
	}
	w.set("quota", "quota", w.from, time.Time{}, shortOf(q, w))
}

// shortOf names the quotas that the number wanted does not fit.
func shortOf(q *scale.Quota, w *walk) string {
	regular, spot := w.parts(w.number)
	text := ""
	if q.Regular != nil && regular > *q.Regular {
		text = fmt.Sprintf("%d regular of %d fit %s", *q.Regular, regular, q.RegularName)
	}
	if q.Spot != nil && spot > *q.Spot {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%d Spot of %d fit %s", *q.Spot, spot, q.SpotName)
	}
	return text
}

// parts are how many machines of each kind a growth to n makes.
func (w *walk) parts(n int) (regular, spot int) {
	f, d := w.view.Facts, n-w.from
	mix := f.Mix
	switch {
	case !f.Spot:
		return d, 0
	case mix == nil:
		return 0, d
	}
	hasRegular := mix.Regular(w.from)
	hasSpot := w.from - hasRegular
	if f.Live != nil && f.Live.Instances == w.from {
		hasRegular, hasSpot = f.Live.Regular, f.Live.Spot
	}
	if b := w.proposal.Blend; b != nil && w.proposal.Fault == "" && w.view.Orchestration == scale.Flexible {
		m := w.split(n)
		mix = &m
	}
	after, _ := mix.Change(hasRegular, hasSpot, d)
	return after - hasRegular, d - (after - hasRegular)
}

// blendStandsIn reports whether the policy's blend lets regular machines stand in for Spot, and the set can follow it.
func (w *walk) blendStandsIn() bool {
	v, b := w.view, w.proposal.Blend
	if _, refused := w.refused(scale.TrapSpotRestore); refused {
		return false
	}
	return b != nil && b.StandIn && w.proposal.Fault == "" && v.Facts.Mix != nil && v.Facts.Spot && v.Orchestration == scale.Flexible
}
