package forecast

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// format is the first byte of an encoding.
const format = 1

var errCut = errors.New("cut off")

// AppendTo appends the encoding, which is the same for the same history.
func (h *History) AppendTo(b []byte) []byte {
	b = append(b, format)
	b = binary.AppendUvarint(b, uint64(len(h.lanes)))
	for i := range h.lanes {
		l := &h.lanes[i]
		b = binary.AppendUvarint(b, uint64(len(l.name)))
		b = append(b, l.name...)
		b = binary.LittleEndian.AppendUint64(b, l.print)
		b = binary.AppendUvarint(b, uint64(l.slot))
		for _, n := range []int64{l.first, l.sum, l.n, l.through} {
			b = binary.AppendVarint(b, n)
		}
		b = binary.AppendUvarint(b, uint64(len(l.means)))
		last := int64(0)
		for _, m := range l.means {
			// The lowest bit tells a gap; a mean is written as its distance from the one before.
			if m == gap {
				b = append(b, 1)
				continue
			}
			b = binary.AppendUvarint(b, zigzag(m-last)<<1)
			last = m
		}
	}
	return b
}

func zigzag(n int64) uint64 { return uint64(n<<1) ^ uint64(n>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// Parse reads what AppendTo wrote; nothing at all is an empty history.
func Parse(data []byte) (*History, error) {
	h := &History{}
	if len(data) == 0 {
		return h, nil
	}
	if data[0] != format {
		return nil, fmt.Errorf("history: format %d, this program reads %d", data[0], format)
	}
	r := reader{data: data[1:]}
	lanes := r.length()
	for i := 0; i < lanes && r.err == nil; i++ {
		l := r.lane()
		if i > 0 && l.name <= h.lanes[i-1].name {
			r.fail(errors.New("names out of order"))
		}
		h.lanes = append(h.lanes, l)
	}
	if r.err == nil && len(r.data) > 0 {
		r.fail(errors.New("more bytes than announced"))
	}
	if r.err != nil {
		return nil, fmt.Errorf("history: %w", r.err)
	}
	return h, nil
}

// reader reads up to the first thing that is wrong; from then on it yields zeros.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.data = nil
}

func (r *reader) uvarint() uint64 {
	u, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail(errCut)
		return 0
	}
	r.data = r.data[n:]
	return u
}

// binary's own varints are zigzag as well.
func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

// length reads a number of things, each of which takes at least a byte.
func (r *reader) length() int {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.fail(errCut)
		return 0
	}
	return int(n)
}

func (r *reader) lane() (l lane) {
	n := r.length()
	l.name = string(r.data[:n])
	r.data = r.data[n:]
	if len(r.data) < 8 {
		r.fail(errCut)
		return l
	}
	l.print = binary.LittleEndian.Uint64(r.data)
	r.data = r.data[8:]
	l.slot = int64(r.uvarint())
	l.first, l.sum, l.n, l.through = r.varint(), r.varint(), r.varint(), r.varint()
	if l.slot <= 0 || l.slot > 1<<32 || l.first < 0 || l.first > 1<<40 || l.n < 0 || l.n > 1<<16 ||
		l.sum > l.n*loadLimit || l.sum < -l.n*loadLimit {
		r.fail(errors.New("numbers out of range"))
		return l
	}
	l.means = make([]int64, r.length())
	last := int64(0)
	for i := range l.means {
		u := r.uvarint()
		if u&1 == 1 {
			l.means[i] = gap
			continue
		}
		last += unzigzag(u >> 1)
		if last > loadLimit || last < -loadLimit {
			r.fail(errors.New("load out of range"))
			return l
		}
		l.means[i] = last
	}
	return l
}
