package metric

import (
	enc "encoding/binary"
	"math"

	"trimtab/internal/scale"
)

// reader reads an encoding up to the first thing that is wrong; from then on it yields zeros.
type reader struct {
	data  []byte
	at    int
	wrong string
	// version is that of the encoding.
	version byte
}

// spare is room for new points in a parsed lane, so that a fold of one batch seldom allocates.
const spare = 4

func (r *reader) fail(wrong string) {
	if r.wrong == "" {
		r.wrong = wrong
	}
	r.data = r.data[:r.at]
}

func (r *reader) byte() byte {
	if r.at >= len(r.data) {
		r.fail("cut off")
		return 0
	}
	b := r.data[r.at]
	r.at++
	return b
}

func (r *reader) uint64() uint64 {
	if len(r.data)-r.at < 8 {
		r.fail("cut off")
		return 0
	}
	u := enc.LittleEndian.Uint64(r.data[r.at:])
	r.at += 8
	return u
}

func (r *reader) uvarint() uint64 {
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	u, n := enc.Uvarint(r.data[r.at:])
	if n <= 0 {
		r.fail("number cut off or too long")
		return 0
	}
	r.at += n
	return u
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

// length reads a number of things that take at least size bytes each, and refuses one that cannot be true, before
// anything is allocated for it.
func (r *reader) length(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.data)-r.at)/uint64(size) {
		r.fail("more things announced than there are bytes")
		return 0
	}
	return int(n)
}

func (r *reader) value() float64 {
	u := r.uvarint()
	var v float64
	switch u & 3 {
	case formWhole:
		v = float64(unzigzag(u >> 2))
	case formMilli:
		v = float64(unzigzag(u>>2)) / 1e3
	case formMicro:
		v = float64(unzigzag(u>>2)) / 1e6
	case formBits:
		v = math.Float64frombits(r.uint64())
	}
	if !(math.Abs(v) <= valueLimit) {
		r.fail("value out of range")
		return 0
	}
	return v
}

func (r *reader) wide() wide {
	var high, low uint64
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if shift > 126 || shift == 126 && b > 3 {
			r.fail("sum too long")
			return wide{}
		}
		x := uint64(b & 0x7f)
		if shift < 64 {
			low |= x << shift
		}
		high |= shiftHigh(x, shift)
		if b < 0x80 {
			break
		}
	}
	sign := -(low & 1)
	low, high = low>>1|high<<63, high>>1
	return wide{int64(high ^ sign), low ^ sign}
}

func (r *reader) window(w *Window) {
	w.mark.set = r.byte() == 1
	w.mark.sequence = r.varint()
	w.mark.enqueued = r.varint()
	w.mark.since = r.varint()
	w.mark.lives = r.varint()
	w.limit = int(min(r.uvarint(), maxPoints))
	lanes := r.length(8)
	points := r.length(3)
	n := r.length(1)
	names := string(r.data[r.at : r.at+n])
	r.at += n
	w.lanes = make([]lane, lanes)
	arena := make([]point, 0, points+lanes*spare)
	for i := range w.lanes {
		l := &w.lanes[i]
		n := r.uvarint()
		if n > uint64(len(names)) {
			r.fail("name longer than the names")
			return
		}
		l.name, names = names[:n], names[n:]
		if i > 0 && l.name <= w.lanes[i-1].name {
			r.fail("names out of order")
			return
		}
		if arena = r.lane(l, &w.mark, arena); r.wrong != "" {
			return
		}
	}
	if names != "" {
		r.fail("more names than lanes")
	}
}

// lane reads one lane, with its points in the arena, and gives back what is left of that.
func (r *reader) lane(l *lane, m *mark, arena []point) []point {
	l.held = true
	l.print = r.uint64()
	l.newestAt = r.varint()
	l.newestEnd = l.newestAt + r.varint()
	points, rests := r.length(3), r.length(3)
	if points+spare > cap(arena) {
		r.fail("more points than announced")
		return nil
	}
	l.points, arena = arena[:points:points+spare], arena[points+spare:points+spare]
	prev := point{stamp: m.enqueued, sequence: m.sequence}
	for i := range l.points {
		p := &l.points[i]
		r.point(p, &prev)
		if i > 0 && compareKey(&prev, p) >= 0 {
			r.fail("points out of order")
		}
		if r.wrong != "" {
			return nil
		}
		prev = *p
	}
	if rests > 0 {
		l.rests = make([]rest, rests)
	}
	start := int64(0)
	for i := range l.rests {
		t := &l.rests[i]
		t.start = start + r.varint()
		if i > 0 && t.start <= start {
			r.fail("buckets out of order")
		}
		r.tally(&t.tally)
		if r.wrong != "" {
			return nil
		}
		start = t.start
	}
	if r.version > 1 {
		r.counters(l, m)
	}
	return arena
}

// counters reads what version 2 has added to a lane.
func (r *reader) counters(l *lane, m *mark) {
	format := r.uvarint()
	n, full := r.length(13), r.length(1)
	if format >= uint64(scale.Formats) {
		// A format of a newer program: nothing that is reckoned with depends on it.
		format = 0
	}
	l.format = scale.Format(format)
	if n > 0 {
		l.counters = make([]counter, n)
	}
	prev := counter{point: point{at: l.newestAt, stamp: m.enqueued, sequence: m.sequence}}
	for i := range l.counters {
		c := &l.counters[i]
		flags := r.byte()
		c.Has = scale.Has(flags) & (scale.HasTotal | scale.HasCount)
		c.at = prev.at + r.varint()
		c.series = r.uint64()
		c.since = prev.since + r.varint()
		c.stamp, c.sequence = prev.stamp, prev.sequence
		if flags&sameArrival == 0 {
			c.stamp += r.varint()
			c.sequence += r.varint()
		}
		c.element = uint32(r.uvarint())
		if c.Has&scale.HasTotal != 0 {
			c.Total = r.value()
		}
		if c.Has&scale.HasCount != 0 {
			c.Count = r.value()
		}
		if r.wrong != "" {
			return
		}
		prev = *c
	}
	start := l.newestAt
	for range full {
		start += r.varint()
		l.full = append(l.full, start)
	}
}

func (r *reader) point(p, prev *point) {
	flags := r.byte()
	p.Has = scale.Has(flags) & hasAll
	p.at = prev.at + r.varint()
	p.series, p.stamp, p.sequence = prev.series, prev.stamp, prev.sequence
	if flags&sameSeries == 0 {
		p.series = r.uint64()
	}
	if flags&sameArrival == 0 {
		p.stamp += r.varint()
		p.sequence += r.varint()
	}
	p.element = uint32(r.uvarint())
	if p.Has&scale.HasAverage != 0 && flags&meanFollows == 0 {
		p.Average = r.value()
	}
	if p.Has&scale.HasMinimum != 0 {
		p.Minimum = r.value()
	}
	if p.Has&scale.HasMaximum != 0 {
		p.Maximum = r.value()
	}
	if p.Has&scale.HasTotal != 0 {
		p.Total = r.value()
	}
	if p.Has&scale.HasCount != 0 {
		p.Count = r.value()
	}
	if flags&meanFollows != 0 {
		if p.Average = p.Total / p.Count; !(math.Abs(p.Average) <= valueLimit) {
			r.fail("average out of range")
		}
	}
}

func (r *reader) tally(t *tally) {
	t.n = r.uvarint()
	t.has = scale.Has(r.byte()) & hasAll
	if t.n == 0 {
		r.fail("no points merged")
	}
	if t.has&scale.HasAverage != 0 {
		t.average = r.wide()
	}
	if t.has&scale.HasMinimum != 0 {
		t.minimum = r.value()
	}
	if t.has&scale.HasMaximum != 0 {
		t.maximum = r.value()
	}
	if t.has&scale.HasTotal != 0 {
		t.total = r.wide()
	}
	if t.has&scale.HasCount != 0 {
		t.count = r.wide()
	}
}
