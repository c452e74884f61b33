package metric

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// lane is what a window holds of one signal.
type lane struct {
	name string
	// print tells a signal's definition from another of the same name.
	print uint64
	held  bool
	// newestAt and newestEnd bound the span of the newest sample, in Unix microseconds.
	newestAt, newestEnd int64
	// points are ordered by key; rests are ordered by start, one for each bucket that has merged points.
	points []point
	rests  []rest
	// counters are the readings of cumulative series, ordered by bucket and series; full are the starts of the buckets that
	// had more series than are kept.
	counters []counter
	full     []int64
	// format is that of the newest sample.
	format scale.Format
	// width is the bucket's, in microseconds; buckets is how many the signal's window has. Neither is stored.
	width   int64
	buckets int
	// touched is set while a batch brings readings; was is what there was before it. Neither is stored.
	touched bool
	was     []counter
}

// point is one measured point with its identity (at, series) and its arrival (stamp, sequence, element).
type point struct {
	// at is in Unix microseconds, stamp in Unix milliseconds.
	at       int64
	series   uint64
	stamp    int64
	sequence int64
	element  uint32
	scale.Stats
}

// rest is what a bucket's merged points amount to.
type rest struct {
	// start is the start of the bucket, in Unix microseconds.
	start int64
	tally
}

// Listens reports whether a sample belongs to a signal: a resource that it hears, the same metric, and dimensions as
// [scale.Signal.Dimensions] has it. A signal without dimensions takes undimensioned samples only; one with dimensions
// takes a sample that has each of its keys, with that value or with any where the value is "*". Names of dimensions are
// compared without regard to case, their values exactly.
func Listens(sig *scale.Signal, s *scale.Sample) bool {
	return sig.Metric == s.Metric && Hears(sig, s.Resource) && Fits(sig, s)
}

// Fits reports whether the dimensions of a sample are those that a signal listens to.
func Fits(sig *scale.Signal, s *scale.Sample) bool {
	if len(sig.Dimensions) == 0 || s.Dimensions == "" {
		return len(sig.Dimensions) == 0 && s.Dimensions == ""
	}
	for key, want := range sig.Dimensions {
		if !dimensioned(s.Dimensions, key, want) {
			return false
		}
	}
	return true
}

// dimensioned looks for one key among canonical dimensions: key=value pairs joined by commas, where a backslash stands
// before each comma, equals sign or backslash that belongs to a name or value.
func dimensioned(dimensions, key, want string) bool {
	for dimensions != "" {
		var k, v string
		k, dimensions = cutPlain(dimensions, '=')
		v, dimensions = cutPlain(dimensions, ',')
		if strings.EqualFold(k, key) {
			return want == "*" || want == v
		}
	}
	return false
}

// cutPlain cuts s at the first separator without a backslash before it, and takes the backslashes out of what precedes.
func cutPlain(s string, separator byte) (before, after string) {
	escaped := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case separator:
			return plain(s[:i], escaped), s[i+1:]
		}
	}
	return plain(s, escaped), ""
}

func plain(s string, escaped bool) string {
	if !escaped {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// extent is the width of a signal's buckets in microseconds and the number of them in its window. What [CheckBudget]
// would refuse is bent to the nearest that works, so that nothing here divides by zero or grows without bound.
func extent(sig *scale.Signal) (width int64, buckets int) {
	width = max(sig.Bucket, time.Second).Microseconds()
	n := (max(sig.Window.Microseconds(), 1) + width - 1) / width
	return width, int(min(n, MaxBuckets))
}

// floorTo is the start of the bucket that holds at.
func floorTo(at, width int64) int64 {
	r := at % width
	if r < 0 {
		r += width
	}
	return at - r
}

// fingerprint tells whether stored points belong to the signal as it is defined now.
func fingerprint(sig *scale.Signal) uint64 {
	h := hashString(hashString(hashStart, sig.Resource), sig.Metric)
	if len(sig.Dimensions) > 0 {
		keys := make([]string, 0, len(sig.Dimensions))
		for k := range sig.Dimensions {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			h = hashString(hashString(h, k), sig.Dimensions[k])
		}
	}
	width, _ := extent(sig)
	return hashNumber(h, uint64(width))
}

// seriesOf tells the series of one signal apart: by dimensions and grain, the resource and metric being the same (facts:
// events 0, identity of a sample).
func seriesOf(s *scale.Sample) uint64 {
	return hashNumber(hashString(hashStart, s.Dimensions), uint64(s.Grain))
}

// The hash is FNV-1a, 64 bits: it is stored, so it must be the same in every process.
const (
	hashStart uint64 = 14695981039346656037
	hashPrime uint64 = 1099511628211
)

func hashString(h uint64, s string) uint64 {
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return (h ^ 0xff) * hashPrime // no UTF-8 text holds this byte: "ab"+"c" is not "a"+"bc"
}

func hashNumber(h, n uint64) uint64 {
	for range 8 {
		h = (h ^ n&0xff) * hashPrime
		n >>= 8
	}
	return h
}

// compareKey orders points by time and then by series.
func compareKey(a, b *point) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	return cmp.Compare(a.series, b.series)
}

// compareArrival orders two arrivals of one point. It ends with the numbers themselves, so that two deliveries without
// any metadata, or of two partitions in the same millisecond, come out the same in whatever order they are met.
func compareArrival(a, b *point) int {
	if c := cmp.Compare(a.stamp, b.stamp); c != 0 {
		return c
	}
	if c := cmp.Compare(a.sequence, b.sequence); c != 0 {
		return c
	}
	if c := cmp.Compare(a.element, b.element); c != 0 {
		return c
	}
	if a.Stats == b.Stats {
		return 0
	}
	return cmp.Or(cmp.Compare(a.Has, b.Has), cmp.Compare(a.Average, b.Average), cmp.Compare(a.Maximum, b.Maximum),
		cmp.Compare(a.Minimum, b.Minimum), cmp.Compare(a.Total, b.Total), cmp.Compare(a.Count, b.Count))
}

// see takes note that the signal has a sample of that span, before any is taken in: what is late is told by the newest
// sample of the whole batch, so that the order within it does not matter.
func (l *lane) see(at, end int64, format scale.Format) (moved bool) {
	switch {
	case !l.held || at > l.newestAt || at == l.newestAt && end > l.newestEnd:
		l.held, l.newestAt, l.newestEnd, l.format = true, at, end, format
		return true
	case at == l.newestAt && end == l.newestEnd && format > l.format:
		l.format = format // whichever comes first
		return true
	}
	return false
}

// floor is the start of the oldest bucket of the window.
func (l *lane) floor() int64 {
	return floorTo(l.newestAt, l.width) - int64(l.buckets-1)*l.width
}

// prune drops what is older than the window and reports whether anything was.
func (l *lane) prune() bool {
	if !l.held {
		return false
	}
	floor, points, rests := l.floor(), 0, 0
	for points < len(l.points) && l.points[points].at < floor {
		points++
	}
	for rests < len(l.rests) && l.rests[rests].start < floor {
		rests++
	}
	l.points, l.rests = l.points[points:], l.rests[rests:]
	return points+rests > 0
}

// take brings one sample in and reports its fate and whether anything that is stored is different.
func (l *lane) take(s *scale.Sample, at, stamp int64, limit int) (fate, bool) {
	if at < l.floor() {
		return late, false
	}
	p := point{at: at, series: seriesOf(s), stamp: stamp, Stats: normalised(&s.Stats)}
	if s.Source.Known {
		p.sequence = s.Source.Sequence
	}
	p.element = elementOf(s)
	i := l.place(&p)
	if i < len(l.points) && compareKey(&l.points[i], &p) == 0 {
		return l.points[i].meet(&p)
	}
	return l.put(i, &p, s.Source.Known, limit)
}

// elementOf is the sample's place in the body, as points keep it.
func elementOf(s *scale.Sample) uint32 { return uint32(min(max(s.Source.Element, 0), math.MaxInt32)) }

// place is the index of the first point that does not come before p. Most points are the newest. (The search of package
// slices would have every point moved to the heap.)
func (l *lane) place(p *point) int {
	low, high := 0, len(l.points)
	if high > 0 && compareKey(&l.points[high-1], p) < 0 {
		return high
	}
	for low < high {
		if middle := int(uint(low+high) / 2); compareKey(&l.points[middle], p) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// meet lets another arrival of the same point replace it if it is newer.
func (p *point) meet(q *point) (fate, bool) {
	if compareArrival(q, p) <= 0 {
		return repeated, false
	}
	f := corrected
	if p.Stats == q.Stats {
		f = repeated
	}
	*p = *q
	return f, true
}

// put inserts a new point at its place i, and merges the oldest of its bucket if there are too many.
func (l *lane) put(i int, p *point, known bool, limit int) (fate, bool) {
	start := floorTo(p.at, l.width)
	low, high := i, i
	for low > 0 && l.points[low-1].at >= start {
		low--
	}
	for high < len(l.points) && l.points[high].at-start < l.width {
		high++
	}
	if i == low && !known && l.restAt(start) != nil {
		return repeated, false
	}
	if high-low < limit {
		l.points = slices.Insert(l.points, i, *p)
		return folded, true
	}
	if i > low {
		l.merge(start, &l.points[low])
		copy(l.points[low:i-1], l.points[low+1:i])
		l.points[i-1] = *p
	} else {
		l.merge(start, p)
	}
	return folded, true
}

// restAt finds the merged points of the bucket that starts there, nil if there are none.
func (l *lane) restAt(start int64) *rest {
	for i := len(l.rests) - 1; i >= 0 && l.rests[i].start >= start; i-- {
		if l.rests[i].start == start {
			return &l.rests[i]
		}
	}
	return nil
}

// merge adds a point to the merged ones of its bucket.
func (l *lane) merge(start int64, p *point) {
	r := l.restAt(start)
	if r == nil {
		i := len(l.rests)
		for i > 0 && l.rests[i-1].start > start {
			i--
		}
		l.rests = slices.Insert(l.rests, i, rest{start: start})
		r = &l.rests[i]
	}
	r.add(&p.Stats)
}

// trim merges in every bucket what is above the limit.
func (l *lane) trim(limit int) {
	kept := l.points[:0]
	for low := 0; low < len(l.points); {
		start, high := floorTo(l.points[low].at, l.width), low+1
		for high < len(l.points) && l.points[high].at-start < l.width {
			high++
		}
		for ; high-low > limit; low++ {
			l.merge(start, &l.points[low])
		}
		kept = append(kept, l.points[low:high]...)
		low = high
	}
	l.points = kept
}
