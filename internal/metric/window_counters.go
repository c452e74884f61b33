package metric

import (
	"cmp"
	"slices"

	"trimtab/internal/scale"
)

// counter is the newest reading of one cumulative series within one bucket. Readings are kept as they came: what was
// added between two of them shows only when the readings of all partitions lie side by side, for a series may wander from
// one partition to another.
type counter struct {
	point
	// since is when the series began to count, in Unix microseconds; 0 if that was not told.
	since int64
}

// bucket is the start of the bucket that a reading belongs to: what was counted by an instant was added before it, so that a reading
// on the border of two buckets belongs to the earlier one.
func (c *counter) bucket(width int64) int64 { return floorTo(c.at-1, width) }

func byBucket(width int64) func(a, b counter) int {
	return func(a, b counter) int {
		return cmp.Or(cmp.Compare(a.bucket(width), b.bucket(width)), cmp.Compare(a.series, b.series))
	}
}

// read brings one reading in. Of the readings of a series in a bucket the last one says all that the window keeps.
func (l *lane) read(s *scale.Sample, at, stamp int64) fate {
	c := counter{point: point{at: at, series: seriesOf(s), stamp: stamp, Stats: normalised(&s.Stats)}}
	c.Has &= scale.HasTotal | scale.HasCount
	c.Average, c.Minimum, c.Maximum = 0, 0, 0
	if s.Source.Known {
		c.sequence = s.Source.Sequence
	}
	c.element = elementOf(s)
	if !s.Running.Since.IsZero() {
		c.since = s.Running.Since.UnixMicro()
	}
	if c.at <= l.horizon() {
		return late
	}
	if !l.touched {
		l.touched, l.was = true, slices.Clone(l.counters)
	}
	i, there := slices.BinarySearchFunc(l.counters, c, byBucket(l.width))
	if !there {
		l.counters = slices.Insert(l.counters, i, c)
		return folded
	}
	old := &l.counters[i]
	switch {
	case c.at == old.at:
		f, moved := old.meet(&c.point)
		if moved {
			old.since = c.since
		}
		return f
	case c.at < old.at:
		return repeated
	}
	*old = c
	return folded
}

// horizon is the instant up to which readings are too old even to be what the first of the window is compared with.
func (l *lane) horizon() int64 { return l.floor() - int64(l.buckets)*l.width }

// settle drops what is no longer needed of the readings: before the window all but the last of each series, and of a
// bucket what is above the limit. A bucket that had more series than are kept is marked, and has no statistics.
func (l *lane) settle(limit int) (changed bool) {
	was := l.counters
	if l.touched {
		was, l.touched, l.was = l.was, false, nil
	}
	if len(was)+len(l.counters)+len(l.full) == 0 {
		return false
	}
	floor, horizon := l.floor(), l.horizon()
	full := slices.DeleteFunc(slices.Clone(l.full), func(start int64) bool { return start < floor })
	before := 0
	for before < len(l.counters) && l.counters[before].bucket(l.width) < floor {
		before++
	}
	kept := make([]counter, 0, len(l.counters))
	seen := make(map[uint64]bool)
	for i := before - 1; i >= 0; i-- {
		if c := l.counters[i]; !seen[c.series] && c.at > horizon {
			seen[c.series] = true
			kept = append(kept, c)
		}
	}
	if len(kept) > limit {
		slices.SortFunc(kept, func(a, b counter) int { return cmp.Compare(a.series, b.series) })
		kept = kept[:limit]
	}
	slices.SortFunc(kept, byBucket(l.width))
	for low := before; low < len(l.counters); {
		start, high := l.counters[low].bucket(l.width), low+1
		for high < len(l.counters) && l.counters[high].bucket(l.width) == start {
			high++
		}
		if high-low > limit && !slices.Contains(full, start) {
			full = append(full, start)
		}
		kept = append(kept, l.counters[low:min(high, low+limit)]...)
		low = high
	}
	slices.Sort(full)
	changed = !slices.Equal(kept, was) || !slices.Equal(full, l.full)
	l.counters, l.full = kept, full
	return changed
}

// counterLimit is how many series of readings each bucket keeps, so that the readings stay within their own budget.
func counterLimit(signals []scale.Signal) int {
	rows := 0
	for i := range signals {
		_, n := extent(&signals[i])
		rows += n + 1 // the readings before the window are as many as those of a bucket
	}
	return min(max((counterBudget/max(rows, 1)-fullSize)/counterSize, 0), maxCounters)
}

// added tallies for each bucket of the window what was added in it, by all series of readings; nil if there are none. What
// lies between two readings is spread evenly over the time between them. A reading that is lower than the one before, or
// that counts from a later beginning, begins anew (facts: events 1.8).
func (m *merger) added() []tally {
	m.readings = m.readings[:0]
	any := false
	for i := range m.heads {
		h := &m.heads[i]
		any = any || len(h.full) > 0
		m.readings = append(m.readings, h.counters...)
	}
	if len(m.readings) == 0 && !any {
		return nil
	}
	slices.SortFunc(m.readings, func(a, b counter) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.at, b.at), compareArrival(&a.point, &b.point),
			cmp.Compare(a.since, b.since))
	})
	buckets := make([]tally, m.buckets)
	var before *counter
	for i := range m.readings {
		c := &m.readings[i]
		if before != nil && before.series != c.series {
			before = nil
		}
		if m.outdone(i) {
			continue
		}
		if c.at-1 >= m.start(0) {
			m.spread(buckets, before, c)
		}
		before = c
	}
	for i := range m.heads {
		for _, start := range m.heads[i].full {
			if n := (start - m.start(0)) / m.width; start >= m.start(0) && n < int64(m.buckets) {
				// More than was kept: a tally without statistics.
				buckets[n].join(&tally{n: 1})
			}
		}
	}
	return buckets
}

// outdone reports whether a later reading of the same series says all that a reading says: one in the same bucket, another
// arrival of it, or one that lies before the window too. So it is the same whether one partition had all of them or not.
func (m *merger) outdone(i int) bool {
	c, first := &m.readings[i], m.start(0)
	if c.at <= first-int64(m.buckets)*m.width {
		return true
	}
	if i+1 == len(m.readings) || m.readings[i+1].series != c.series {
		return false
	}
	bucket, next := c.bucket(m.width), m.readings[i+1].bucket(m.width)
	return bucket == next || next < first
}

// spread adds what lies between two readings to the buckets.
func (m *merger) spread(buckets []tally, before, c *counter) {
	first := m.start(0)
	from, s := int64(0), scale.Stats{Has: c.Has, Total: c.Total, Count: c.Count}
	switch {
	case before == nil && c.since >= first && c.since < c.at:
		// A series that began within the window: all of it was added since.
		from = c.since
	case before == nil:
		return // what was added before the first reading is not known
	case c.Total < before.Total || c.Count < before.Count || c.since > before.since && before.since != 0:
		if from = before.at; c.since > from && c.since < c.at {
			from = c.since
		}
	default:
		from = before.at
		s.Has &= before.Has
		s.Total, s.Count = c.Total-before.Total, c.Count-before.Count
	}
	if s.Has == 0 || s.Has&scale.HasCount != 0 && s.Count == 0 {
		return // nothing was measured, which is not a measured zero
	}
	length := float64(c.at - from)
	for i := max(0, (floorTo(max(from, first), m.width)-first)/m.width); i < int64(m.buckets); i++ {
		start := first + i*m.width
		low, high := max(from, start), min(c.at, start+m.width)
		if low >= high {
			break
		}
		part := float64(high-low) / length
		buckets[i].add(&scale.Stats{Has: s.Has, Total: s.Total * part, Count: s.Count * part})
	}
}
