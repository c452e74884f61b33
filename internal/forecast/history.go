package forecast

import (
	"maps"
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

const (
	// minHistory is how long a history must be for a forecast, whatever its season: a week, as Azure's (features: C9).
	minHistory = 7 * 24 * time.Hour
	// spareDays is what a history keeps beyond its seasons, so that past forecasts can be scored.
	spareDays = 24 * time.Hour
	// gap stands for a slot in which nothing was measured.
	gap = -1 << 62
	// loadLimit bounds the loads that are kept, in thousandths; beyond it nothing is load of anything.
	loadLimit = 1 << 46
)

// Point is the load of a span of time, in thousandths.
type Point struct {
	At    time.Time
	Width time.Duration
	Load  int64
}

// History is the past of a pool's signals: for each one that has a forecast, the mean load of each slot of time. The zero
// History is empty and ready for use.
type History struct {
	// lanes are ordered by name.
	lanes []lane
}

// lane is the past of one signal.
type lane struct {
	name string
	// print tells a signal's definition from another of the same name.
	print uint64
	// slot is the width of a slot in seconds, first the number of the first one since 1970.
	slot, first int64
	// means are the closed slots from first on; gap where nothing was measured.
	means []int64
	// sum and n are the open slot's, which follows the closed ones.
	sum, n int64
	// through is the end of the last span recorded, in Unix seconds.
	through int64
}

// Through is the instant up to which a signal's loads are recorded; zero if there are none.
func (h *History) Through(sig *scale.Signal) time.Time {
	l := h.find(sig)
	if l == nil {
		return time.Time{}
	}
	return time.Unix(l.through, 0).UTC()
}

// Record brings loads into the history of a signal, each span once: what begins before the end of the last one recorded
// is left out. It reports whether that changed anything.
func (h *History) Record(sig *scale.Signal, points []Point) (changed bool) {
	if sig.Forecast == nil || len(points) == 0 {
		return false
	}
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
	l := h.find(sig)
	if l == nil {
		h.drop(sig.Name)
		at, _ := slices.BinarySearchFunc(h.lanes, sig.Name, func(l lane, name string) int { return strings.Compare(l.name, name) })
		slot := int64(sig.Forecast.Slot / time.Second)
		first := points[0].At.Unix() / slot
		h.lanes = slices.Insert(h.lanes, at, lane{name: sig.Name, print: print(sig), slot: slot, first: first})
		l = &h.lanes[at]
	}
	for _, p := range points {
		if p.At.Unix() < l.through || p.Load > loadLimit || p.Load < -loadLimit || l.n == 1<<16 {
			continue
		}
		l.add(p, keep(sig.Forecast))
		changed = true
	}
	return changed
}

// Keep lets go of the history of every signal but those that have a forecast, and reports whether there was any.
func (h *History) Keep(signals []scale.Signal) (changed bool) {
	kept := slices.DeleteFunc(slices.Clone(h.lanes), func(l lane) bool {
		return !slices.ContainsFunc(signals, func(s scale.Signal) bool {
			return s.Forecast != nil && s.Name == l.name && print(&s) == l.print
		})
	})
	changed = len(kept) != len(h.lanes)
	h.lanes = kept
	return changed
}

func (h *History) drop(name string) {
	h.lanes = slices.DeleteFunc(h.lanes, func(l lane) bool { return l.name == name })
}

// find is a signal's lane, nil if there is none or it is of another definition.
func (h *History) find(sig *scale.Signal) *lane {
	for i := range h.lanes {
		if h.lanes[i].name == sig.Name && h.lanes[i].print == print(sig) {
			return &h.lanes[i]
		}
	}
	return nil
}

// keep is how many closed slots a history keeps: two seasons and what the scoring needs, fifteen days at least.
func keep(rule *scale.ForecastRule) int {
	return int(max(3*rule.Season+spareDays, 2*minHistory+spareDays) / rule.Slot)
}

// add brings a span into the slot that it begins in, closing the slots before it.
func (l *lane) add(p Point, most int) {
	at := p.At.Unix() / l.slot
	for open := l.first + int64(len(l.means)); open < at; open++ {
		if at-open > int64(2*most) {
			// So long a gap leaves nothing that a forecast could use.
			l.means, l.first, open = l.means[:0], at, at
			l.sum, l.n = 0, 0
			break
		}
		l.means = append(l.means, l.mean())
		l.sum, l.n = 0, 0
	}
	if over := len(l.means) - most; over > 0 {
		l.means = slices.Delete(l.means, 0, over)
		l.first += int64(over)
	}
	l.sum += p.Load
	l.n++
	l.through = p.At.Add(p.Width).Unix()
}

// mean is the open slot's, a gap while it is empty.
func (l *lane) mean() int64 {
	if l.n == 0 {
		return gap
	}
	return rounded(l.sum, l.n)
}

// rounded is a quotient to the nearest whole number, halves away from zero; the divisor is above 0.
func rounded(a, b int64) int64 {
	if a < 0 {
		return -rounded(-a, b)
	}
	return (a + b/2) / b
}

// print is a number that is another one for another series or rule.
func print(sig *scale.Signal) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	add := func(s string) {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h *= prime
	}
	add(sig.Resource)
	add(sig.Metric)
	for _, k := range slices.Sorted(maps.Keys(sig.Dimensions)) {
		add(k)
		add(sig.Dimensions[k])
	}
	add(sig.Forecast.Slot.String())
	if sig.Forecast.Total {
		add(string(sig.Aggregation))
		add("total")
	}
	return h
}
