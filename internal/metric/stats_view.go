package metric

import (
	"time"

	"trimtab/internal/scale"
)

// View gives each signal as a policy may see it at now, over the windows of all partitions of a pool.
//
// The statistics are taken in sample time over the buckets of the signal's window, counted back from the one that holds
// the newest sample of any partition; how late the samples came, and how many at once, plays no part. Where partitions
// hold different arrivals of one point the newest counts.
//
//   - average: the mean over the buckets that hold samples of each bucket's average; that is the sum of totals over the
//     sum of counts where all its points have both, else the mean of their averages. last: the newest bucket's average.
//   - minimum, maximum, total, count: over all points of all buckets. Where a signal's value is a total or a count and
//     buckets are empty, the value is reckoned up to the whole window: a sum with a hole in it would look like less load
//     than there was.
//   - What a process with a clock that ran ahead has folded is left out.
//   - A statistic is there, in Has, only if every point in the window has it and it fits [scale.Milli]: a sum with a
//     hole in it, or a maximum of those that name one, would look like less load than there was.
//   - If the statistic that the signal names is not there, HasValue is false and the state is partial even if coverage
//     is full, so that no rail and no policy takes it for a reason to shrink.
//   - Demand takes, for each bucket, the instances that instances gives for the bucket's end, or for the newest bucket
//     the end of its newest span; a false answer, or no function, leaves it out.
//
// A signal is missing if no partition holds a sample, stale if the newest sample's span ended StaleAfter ago or more,
// partial if fewer than MinCoverage percent of the window's buckets hold samples, else fresh; the first that holds wins.
func View(signals []scale.Signal, windows []*Window, now time.Time, instances func(time.Time) (int, bool)) map[string]scale.SignalView {
	views := make(map[string]scale.SignalView, len(signals))
	m := merger{limit: pointLimit(signals)}
	for i := range signals {
		m.gather(&signals[i], i, windows, now)
		views[signals[i].Name] = m.view(&signals[i], now, instances)
	}
	return views
}

// merger walks one signal through the windows of all partitions at once.
type merger struct {
	heads               []head
	newestAt, newestEnd int64
	width               int64
	buckets             int
	// series are the covered buckets of the last sum, oldest first; kept only where keeps is set.
	series []Bucket
	keeps  bool
	named  scale.Aggregation
	// readings are those of cumulative series, of all partitions.
	readings []counter
	// newest are the newest points, and format that of the newest sample; limit is how many points windows keep apart.
	newest []point
	format scale.Format
	limit  int
}

// head is what is left of one partition's lane.
type head struct {
	points   []point
	rests    []rest
	counters []counter
	full     []int64
}

// gather sets the merger on a signal.
func (m *merger) gather(sig *scale.Signal, hint int, windows []*Window, now time.Time) {
	m.heads, m.series = m.heads[:0], m.series[:0]
	m.width, m.buckets = extent(sig)
	m.named = sig.Aggregation
	print, found := fingerprint(sig), false
	for _, w := range windows {
		if w == nil {
			continue
		}
		l := find(w.lanes, hint, sig.Name)
		if l == nil || !l.held || l.print != print || l.newestAt > now.UnixMicro()+futureLimit.Microseconds() {
			continue
		}
		if !found || l.newestAt > m.newestAt || l.newestAt == m.newestAt && l.newestEnd > m.newestEnd {
			found, m.newestAt, m.newestEnd, m.format = true, l.newestAt, l.newestEnd, l.format
		} else if l.newestAt == m.newestAt && l.newestEnd == m.newestEnd {
			m.format = max(m.format, l.format)
		}
		m.heads = append(m.heads, head{points: l.points, rests: l.rests, counters: l.counters, full: l.full})
	}
	floor := m.start(0)
	for i := range m.heads {
		h := &m.heads[i]
		for len(h.points) > 0 && h.points[0].at < floor {
			h.points = h.points[1:]
		}
		for len(h.rests) > 0 && h.rests[0].start < floor {
			h.rests = h.rests[1:]
		}
	}
}

// start is the start of the i-th bucket of the window.
func (m *merger) start(i int) int64 {
	return floorTo(m.newestAt, m.width) - int64(m.buckets-1-i)*m.width
}

// bucket tallies the bucket that starts there. Buckets are asked for in ascending order.
func (m *merger) bucket(start int64) tally {
	var t tally
	for i := range m.heads {
		h := &m.heads[i]
		if len(h.rests) > 0 && h.rests[0].start == start {
			t.join(&h.rests[0].tally)
			h.rests = h.rests[1:]
		}
	}
	for p := m.next(start + m.width); p != nil; p = m.next(start + m.width) {
		t.add(&p.Stats)
	}
	return t
}

// next takes the first point before end off all heads that have it, and gives its newest arrival; nil if none is left.
func (m *merger) next(end int64) *point {
	var p *point
	for i := range m.heads {
		h := &m.heads[i]
		if len(h.points) == 0 || h.points[0].at >= end {
			continue
		}
		q := &h.points[0]
		if p == nil {
			p = q
			continue
		}
		if c := compareKey(q, p); c < 0 || c == 0 && compareArrival(q, p) > 0 {
			p = q
		}
	}
	if p == nil {
		return nil
	}
	for i := range m.heads {
		if h := &m.heads[i]; len(h.points) > 0 && compareKey(&h.points[0], p) == 0 {
			h.points = h.points[1:]
		}
	}
	return p
}

// summary is what the buckets of a window amount to.
type summary struct {
	all     tally
	covered int
	// mean and demand are sums over the covered buckets; last is the newest bucket's mean.
	mean, demand, last float64
	hasMean, hasDemand bool
}

func (m *merger) sum(now time.Time, instances func(time.Time) (int, bool)) summary {
	s := summary{hasMean: true, hasDemand: instances != nil}
	added := m.added()
	for i := range m.buckets {
		start := m.start(i)
		t := m.bucket(start)
		if added != nil {
			t.join(&added[i])
		}
		if t.n == 0 {
			continue
		}
		s.covered++
		s.all.join(&t)
		mean, ok := t.mean()
		s.hasMean = s.hasMean && ok
		s.mean, s.last = s.mean+mean, mean
		if m.keeps {
			b := Bucket{start: start}
			b.Value, b.HasValue = t.named(m.named)
			m.series = append(m.series, b)
		}
		if !s.hasDemand {
			continue
		}
		end := start + m.width
		if i == m.buckets-1 {
			end = min(end, m.newestEnd, now.UnixMicro())
		}
		n, ok := instances(time.UnixMicro(end).UTC())
		s.hasDemand = ok
		s.demand += mean * float64(n)
		if m.keeps {
			b := &m.series[len(m.series)-1]
			b.Demand, b.HasDemand = mean*float64(n), ok
		}
	}
	s.hasMean = s.hasMean && s.covered > 0
	return s
}

func (m *merger) view(sig *scale.Signal, now time.Time, instances func(time.Time) (int, bool)) scale.SignalView {
	v := scale.SignalView{State: scale.SignalMissing, Unit: sig.Unit, Expected: m.buckets, Wants: sig.Wants()}
	if len(m.heads) == 0 {
		return v
	}
	m.keeps = v.Wants&(scale.WantsTrend|scale.WantsRecent) != 0
	delay, interval := m.arrivals(m.limit)
	s := m.sum(now, instances)
	v.Buckets = s.covered
	v.NewestAt = time.UnixMicro(m.newestEnd).UTC()
	age := max(now.Sub(v.NewestAt), 0)
	v.AgeSeconds = int(age / time.Second)

	set := func(to *scale.Milli, value float64, there bool) bool {
		milli, fits := scale.ToMilli(value)
		if !there || !fits {
			return false
		}
		*to = milli
		return true
	}
	stat := func(to *scale.Milli, bit scale.Has, value float64, there bool) {
		if set(to, value, there) {
			v.Has |= bit
		}
	}
	n := float64(max(s.covered, 1))
	stat(&v.Average, scale.HasAverage, s.mean/n, s.hasMean)
	stat(&v.Minimum, scale.HasMinimum, s.all.minimum, s.all.has&scale.HasMinimum != 0)
	stat(&v.Maximum, scale.HasMaximum, s.all.maximum, s.all.has&scale.HasMaximum != 0)
	stat(&v.Total, scale.HasTotal, s.all.total.float(), s.all.has&scale.HasTotal != 0)
	stat(&v.Count, scale.HasCount, s.all.count.float(), s.all.has&scale.HasCount != 0)
	hasLast := set(&v.Last, s.last, s.hasMean)
	v.HasDemand = set(&v.Demand, s.demand/n, s.hasMean && s.hasDemand)
	m.outlook(sig, &v, now)
	v.Value, v.HasValue = named(&v, sig.Aggregation, hasLast)
	if sig.Aggregation == scale.Total || sig.Aggregation == scale.Count {
		v.HasValue = v.HasValue && set(&v.Value, float64(v.Value)/1000*float64(m.buckets)/n, true)
	}

	stale := staleAfter(sig, m.format, delay, interval)
	v.Format, v.StaleAfterSeconds = m.format, int(stale/time.Second)
	v.DelaySeconds, v.IntervalSeconds = int(delay/time.Second), int(interval/time.Second)
	// A resolved alert says nothing more until it fires again.
	resolved := m.format == scale.FormatAlert && hasLast && v.Last == 0
	if every := max(interval, sig.Bucket); every > 0 && !resolved {
		v.Missed = int(max(age-delay, 0) / every)
	}
	switch {
	case now.Sub(v.NewestAt) >= stale && !resolved:
		v.State = scale.SignalStale
		v.Silence = silence(&v, m.format, age, delay, interval)
	case s.covered*100 < sig.MinCoverage*m.buckets || !v.HasValue:
		v.State = scale.SignalPartial
	default:
		v.State = scale.SignalFresh
	}
	return v
}

// named is the statistic that the signal's definition names.
func named(v *scale.SignalView, a scale.Aggregation, hasLast bool) (scale.Milli, bool) {
	switch a {
	case scale.Average:
		return v.Average, v.Has&scale.HasAverage != 0
	case scale.Minimum:
		return v.Minimum, v.Has&scale.HasMinimum != 0
	case scale.Maximum:
		return v.Maximum, v.Has&scale.HasMaximum != 0
	case scale.Total:
		return v.Total, v.Has&scale.HasTotal != 0
	case scale.Count:
		return v.Count, v.Has&scale.HasCount != 0
	case scale.Last:
		return v.Last, hasLast
	}
	return 0, false
}
