package guard

import (
	"time"

	"trimtab/internal/scale"
)

// Machines started at once: their names stand in rows and entries, and on a Flexible set each takes a call.
const (
	startsFlexible = 20
	startsUniform  = 100
)

// growingFor is how long what is left of a growth does not rest after the part of it that was started.
const growingFor = time.Hour

// start lets a growth begin with the machines that Trimtab has parked: they are back sooner than new ones are made, and no
// count is written for them. What they do not cover follows in a change of its own. Those that cannot be started hold
// their place in the limits, as they do in the nominal count (facts: VMSS 2.2).
func start(w *walk) {
	v := w.view
	off, _ := v.Memory.Off()
	if w.number <= w.from || off == 0 {
		return
	}
	if names := w.startable(); len(names) > 0 {
		w.starts = names
		if most := w.from + len(names); most < w.number {
			w.aim = max(w.number, w.whole)
			w.set("start", "starts_first", most, time.Time{}, "")
		}
		return
	}
	most := v.Rails.Limits.Max - off
	if p := v.Facts.Pair; p != nil {
		most -= p.Instances
	}
	if v.Facts.PlatformMax > 0 {
		most = min(most, v.Facts.PlatformMax-(v.Facts.Capacity-w.own()))
	}
	if most = max(w.from, most); w.number > most {
		w.crowded = w.number - most
		w.set("start", "parked_hold_place", most, time.Time{}, "")
	}
}

// startable are the parked machines that the growth would start, of each kind no more than it makes.
func (w *walk) startable() (names []string) {
	v := w.view
	if v.Facts.Live == nil {
		return nil
	}
	if b, ok := forbids(v, scale.Starting, w.number, false); ok {
		w.adjustments = append(w.adjustments, scale.Adjustment{
			Rail: "start", Code: "back_off_" + string(b.Class), Before: w.number, After: w.number, Until: b.Until, Detail: b.Code,
		})
		return nil
	}
	most := startsUniform
	if v.Facts.Orchestration == scale.Flexible {
		most = startsFlexible
	}
	regular, spot := w.parts(w.number)
	for _, p := range v.Memory.Parked {
		left := &regular
		if p.Spot {
			left = &spot
		}
		if p.Off && *left > 0 && len(names) < most {
			*left--
			names = append(names, p.Name)
		}
	}
	return names
}

// continues reports whether a growth is what is left of one that the rails let through, and started parked machines first. Of
// a pair both numbers are those of the whole.
func (w *walk) continues() bool {
	g := w.view.Memory.Growing
	return g != nil && w.number <= g.Instances && w.view.Now.Sub(g.At) < growingFor
}
