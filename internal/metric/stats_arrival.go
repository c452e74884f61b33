package metric

import (
	"cmp"
	"slices"
	"time"

	"trimtab/internal/scale"
)

// expectations are how late samples of a format usually come at most, and after how long without one the sender is no
// longer believed to be alive, where the signal's definition does not say (facts: events 4).
var expectations = [scale.Formats]struct{ delay, stale time.Duration }{
	scale.FormatUnknown:     {11 * time.Minute, 15 * time.Minute},
	scale.FormatDiagnostics: {11 * time.Minute, 15 * time.Minute},
	scale.FormatRule:        {3 * time.Minute, 8 * time.Minute},
	scale.FormatAgent:       {time.Minute, 3 * time.Minute},
	scale.FormatAlert:       {4 * time.Minute, 15 * time.Minute},
	scale.FormatTable:       {5 * time.Minute, 12 * time.Minute},
}

// Expected is how late samples of a format usually come at most, and after how long without one a signal of it is stale
// unless its definition or what has arrived says otherwise.
func Expected(f scale.Format) (delay, stale time.Duration) {
	e := expectations[min(f, scale.Formats-1)]
	return e.delay, e.stale
}

const (
	// maxArrivals is how many of the newest points tell how samples arrive.
	maxArrivals = 8
	// missedMost is how many samples may fail to come before learnt expectations are disappointed.
	missedMost = 3
	// idleMost is how long an exporter in its slowest rhythm is silent: two hours, and its usual delay (facts: events 1.1).
	idleMost = 2*time.Hour + 15*time.Minute
)

// arrivals learns from the newest points how late samples come and how far they lie apart; 0 where that cannot be told.
// Points are as many as every window keeps apart whatever its partition has received, so that it is the same for all ways
// of dealing events to partitions.
func (m *merger) arrivals(limit int) (delay, interval time.Duration) {
	most := min(maxArrivals, limit)
	m.newest = m.newest[:0]
	for i := range m.heads {
		points := m.heads[i].points
		m.newest = append(m.newest, points[max(0, len(points)-most):]...)
	}
	slices.SortFunc(m.newest, func(a, b point) int {
		return cmp.Or(compareKey(&b, &a), compareArrival(&b, &a))
	})
	m.newest = slices.CompactFunc(m.newest, func(a, b point) bool { return compareKey(&a, &b) == 0 })
	points := m.newest[:min(most, len(m.newest))]
	if len(points) == 0 {
		return 0, 0
	}
	span := m.newestEnd - m.newestAt
	var delays, gaps [maxArrivals]int64
	n := 0
	for i := range points {
		delays[i] = max(0, points[i].stamp*1000-points[i].at-span)
		if i > 0 && points[i].at < points[i-1].at {
			gaps[n] = points[i-1].at - points[i].at
			n++
		}
	}
	return median(delays[:len(points)]), median(gaps[:n])
}

// median of microseconds, the lower of two; 0 of none.
func median(all []int64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return time.Duration(all[(len(all)-1)/2]) * time.Microsecond
}

// staleAfter is the age from which on a signal is stale: what its definition says, and where that leaves it open what is
// usual for the format, but no less than what has arrived lets expect and no more than the default.
func staleAfter(sig *scale.Signal, f scale.Format, delay, interval time.Duration) time.Duration {
	if !sig.StaleByFormat {
		return sig.StaleAfter
	}
	_, usual := Expected(f)
	return min(sig.StaleAfter, max(usual, delay+missedMost*interval))
}

// silence says why nothing new may have come to a stale signal. An exporter that has seen nothing but zeros for an hour
// sends only every 15 minutes, after a week every two hours (facts: events 1.1): such silence is no sign of death, and no
// measurement either.
func silence(v *scale.SignalView, f scale.Format, age, delay, interval time.Duration) scale.Silence {
	const extremes = scale.HasMinimum | scale.HasMaximum
	zeros := v.Has&extremes == extremes && v.Minimum == 0 && v.Maximum == 0
	switch {
	case f == scale.FormatDiagnostics && zeros && age <= idleMost:
		return scale.SilenceIdle
	case interval > 0 && age <= delay+missedMost*interval:
		return scale.SilenceLate
	}
	return scale.SilenceDead
}
