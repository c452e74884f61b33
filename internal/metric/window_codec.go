package metric

import (
	enc "encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"trimtab/internal/scale"
)

// The encoding, version 2. Numbers are varints, signed ones zigzag; order makes most of them small differences.
//
//	version byte, set byte, sequence, enqueued, since, lives, limit, lanes, points, length of names, names
//	each lane that holds anything, by name: length of name, fingerprint (8 bytes), newest at, span, points, rests
//	    each point: flags byte, at, [series (8 bytes)], [stamp, sequence], element, statistics
//	    each rest: start, n, has byte, [average sum], [minimum], [maximum], [total sum], [count sum]
//	    format, counters, full buckets (all three from version 2 on)
//	    each counter: flags byte, at, series (8 bytes), since, [stamp, sequence], element, [total], [count]
//	    each full bucket: start
//	checksum of all before (CRC-32C, 4 bytes)
const codecVersion = 2

// The flags of a point: its statistics in the lower five bits, and what need not be written.
const (
	hasAll      = scale.HasAverage | scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount
	sameSeries  = 1 << 5
	sameArrival = 1 << 6
	meanFollows = 1 << 7
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendTo appends the window's encoding. Windows of the same content have the same encoding.
func (w *Window) AppendTo(dst []byte) []byte {
	order, points, names := make([]*lane, 0, MaxSignals), 0, 0
	for i := range w.lanes {
		if l := &w.lanes[i]; l.held {
			order, points, names = append(order, l), points+len(l.points), names+len(l.name)
		}
	}
	byName := func(a, b *lane) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(order, byName) {
		slices.SortFunc(order, byName)
	}
	begin := len(dst)
	dst = slices.Grow(dst, headSize+names+len(order)*laneSize/2+points*24)
	set := byte(0)
	if w.mark.set {
		set = 1
	}
	dst = append(dst, codecVersion, set)
	dst = enc.AppendVarint(dst, w.mark.sequence)
	dst = enc.AppendVarint(dst, w.mark.enqueued)
	dst = enc.AppendVarint(dst, w.mark.since)
	dst = enc.AppendVarint(dst, w.mark.lives)
	limit := w.limit
	if len(order) == 0 {
		limit = 0
	}
	dst = enc.AppendUvarint(dst, uint64(limit))
	dst = enc.AppendUvarint(dst, uint64(len(order)))
	dst = enc.AppendUvarint(dst, uint64(points))
	dst = enc.AppendUvarint(dst, uint64(names))
	for _, l := range order {
		dst = append(dst, l.name...)
	}
	for _, l := range order {
		dst = w.appendLane(dst, l)
	}
	return enc.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], castagnoli))
}

func (w *Window) appendLane(dst []byte, l *lane) []byte {
	dst = enc.AppendUvarint(dst, uint64(len(l.name)))
	dst = enc.LittleEndian.AppendUint64(dst, l.print)
	dst = enc.AppendVarint(dst, l.newestAt)
	dst = enc.AppendVarint(dst, l.newestEnd-l.newestAt)
	dst = enc.AppendUvarint(dst, uint64(len(l.points)))
	dst = enc.AppendUvarint(dst, uint64(len(l.rests)))
	prev := point{stamp: w.mark.enqueued, sequence: w.mark.sequence}
	for i := range l.points {
		dst = appendPoint(dst, &l.points[i], &prev)
		prev = l.points[i]
	}
	start := int64(0)
	for i := range l.rests {
		r := &l.rests[i]
		dst = enc.AppendVarint(dst, r.start-start)
		start = r.start
		dst = r.appendTo(dst)
	}
	dst = enc.AppendUvarint(dst, uint64(l.format))
	dst = enc.AppendUvarint(dst, uint64(len(l.counters)))
	dst = enc.AppendUvarint(dst, uint64(len(l.full)))
	before := counter{point: point{at: l.newestAt, stamp: w.mark.enqueued, sequence: w.mark.sequence}}
	for i := range l.counters {
		dst = l.counters[i].appendTo(dst, &before)
		before = l.counters[i]
	}
	start = l.newestAt
	for _, s := range l.full {
		dst = enc.AppendVarint(dst, s-start)
		start = s
	}
	return dst
}

func (c *counter) appendTo(dst []byte, prev *counter) []byte {
	flags := byte(c.Has)
	if c.stamp == prev.stamp && c.sequence == prev.sequence {
		flags |= sameArrival
	}
	dst = append(dst, flags)
	dst = enc.AppendVarint(dst, c.at-prev.at)
	dst = enc.LittleEndian.AppendUint64(dst, c.series)
	dst = enc.AppendVarint(dst, c.since-prev.since)
	if flags&sameArrival == 0 {
		dst = enc.AppendVarint(dst, c.stamp-prev.stamp)
		dst = enc.AppendVarint(dst, c.sequence-prev.sequence)
	}
	dst = enc.AppendUvarint(dst, uint64(c.element))
	if c.Has&scale.HasTotal != 0 {
		dst = appendValue(dst, c.Total)
	}
	if c.Has&scale.HasCount != 0 {
		dst = appendValue(dst, c.Count)
	}
	return dst
}

func appendPoint(dst []byte, p, prev *point) []byte {
	flags := byte(p.Has)
	if p.series == prev.series {
		flags |= sameSeries
	}
	if p.stamp == prev.stamp && p.sequence == prev.sequence {
		flags |= sameArrival
	}
	if p.Has&hasMean == hasMean && p.Average == p.Total/p.Count {
		flags |= meanFollows
	}
	dst = append(dst, flags)
	dst = enc.AppendVarint(dst, p.at-prev.at)
	if flags&sameSeries == 0 {
		dst = enc.LittleEndian.AppendUint64(dst, p.series)
	}
	if flags&sameArrival == 0 {
		dst = enc.AppendVarint(dst, p.stamp-prev.stamp)
		dst = enc.AppendVarint(dst, p.sequence-prev.sequence)
	}
	dst = enc.AppendUvarint(dst, uint64(p.element))
	if p.Has&scale.HasAverage != 0 && flags&meanFollows == 0 {
		dst = appendValue(dst, p.Average)
	}
	if p.Has&scale.HasMinimum != 0 {
		dst = appendValue(dst, p.Minimum)
	}
	if p.Has&scale.HasMaximum != 0 {
		dst = appendValue(dst, p.Maximum)
	}
	if p.Has&scale.HasTotal != 0 {
		dst = appendValue(dst, p.Total)
	}
	if p.Has&scale.HasCount != 0 {
		dst = appendValue(dst, p.Count)
	}
	return dst
}

// hasMean are the statistics of which one follows from the others.
const hasMean = scale.HasAverage | scale.HasTotal | scale.HasCount

func (t *tally) appendTo(dst []byte) []byte {
	dst = enc.AppendUvarint(dst, t.n)
	dst = append(dst, byte(t.has))
	if t.has&scale.HasAverage != 0 {
		dst = t.average.appendTo(dst)
	}
	if t.has&scale.HasMinimum != 0 {
		dst = appendValue(dst, t.minimum)
	}
	if t.has&scale.HasMaximum != 0 {
		dst = appendValue(dst, t.maximum)
	}
	if t.has&scale.HasTotal != 0 {
		dst = t.total.appendTo(dst)
	}
	if t.has&scale.HasCount != 0 {
		dst = t.count.appendTo(dst)
	}
	return dst
}

// The forms of a value: whole units, thousandths or millionths where that is exact, else its bits. The form is in the
// lowest two bits of a varint; for bits, which follow in 8 bytes, nothing else is.
const (
	formWhole = iota
	formMilli
	formMicro
	formBits
)

func appendValue(dst []byte, v float64) []byte {
	for form, unit := range [...]float64{1, 1e3, 1e6} {
		if n := math.RoundToEven(v * unit); math.Abs(n) <= 1<<53 && n/unit == v {
			return enc.AppendUvarint(dst, zigzag(int64(n))<<2|uint64(form))
		}
	}
	dst = append(dst, formBits)
	return enc.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

func zigzag(n int64) uint64   { return uint64(n<<1) ^ uint64(n>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendTo writes the number as a zigzag varint of up to 19 bytes.
func (w wide) appendTo(dst []byte) []byte {
	sign := uint64(w.high >> 63)
	high, low := uint64(w.high)<<1|w.low>>63, w.low<<1
	high, low = high^sign, low^sign
	for high != 0 || low >= 0x80 {
		dst = append(dst, byte(low)|0x80)
		high, low = high>>7, low>>7|high<<57
	}
	return append(dst, byte(low))
}

// ParseWindow reads an encoding. No bytes at all are a new, empty window. An error says that the bytes are not what
// AppendTo wrote: there is nothing to be saved from them.
func ParseWindow(data []byte) (*Window, error) {
	w := &Window{}
	if len(data) == 0 {
		return w, nil
	}
	if data[0] < 1 || data[0] > codecVersion {
		return nil, fmt.Errorf("window: version %d is not known, this program reads versions 1 to %d", data[0], codecVersion)
	}
	if len(data) < 4 {
		return nil, fmt.Errorf("window: cut off after %d bytes", len(data))
	}
	body, stored := data[:len(data)-4], enc.LittleEndian.Uint32(data[len(data)-4:])
	if sum := crc32.Checksum(body, castagnoli); sum != stored {
		return nil, fmt.Errorf("window: damaged: checksum %08x, stored is %08x, over %d bytes", sum, stored, len(body))
	}
	r := reader{data: body, at: 1, version: data[0]}
	r.window(w)
	if r.wrong == "" && r.at != len(body) {
		r.fail("bytes after the end")
	}
	if r.wrong != "" {
		return nil, fmt.Errorf("window: damaged at byte %d of %d: %s", r.at, len(body), r.wrong)
	}
	return w, nil
}
