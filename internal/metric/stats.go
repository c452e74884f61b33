package metric

import (
	"math"
	"math/bits"

	"trimtab/internal/scale"
)

// valueLimit bounds the numbers that are reckoned with: sums of as many as a window can hold then fit 128 bits of
// millionths. What lies beyond is not a measurement of anything and counts as not measured.
const valueLimit = 1e24

// usable tells which of the statistics are numbers that can be reckoned with.
func usable(s *scale.Stats) scale.Has {
	has := s.Has
	drop := func(bit scale.Has, v float64) {
		if !(math.Abs(v) <= valueLimit) {
			has &^= bit
		}
	}
	drop(scale.HasAverage, s.Average)
	drop(scale.HasMinimum, s.Minimum)
	drop(scale.HasMaximum, s.Maximum)
	drop(scale.HasTotal, s.Total)
	drop(scale.HasCount, s.Count)
	return has
}

// normalised gives the statistics a form of which there is one only: what is not measured is zero, a zero has no sign,
// and an average that follows from total and count is there (facts: events 1.12, case 10).
func normalised(s *scale.Stats) scale.Stats {
	has := usable(s)
	pick := func(bit scale.Has, v float64) float64 {
		if has&bit == 0 || v == 0 {
			return 0
		}
		return v
	}
	n := scale.Stats{
		Has:     has,
		Average: pick(scale.HasAverage, s.Average),
		Minimum: pick(scale.HasMinimum, s.Minimum),
		Maximum: pick(scale.HasMaximum, s.Maximum),
		Total:   pick(scale.HasTotal, s.Total),
		Count:   pick(scale.HasCount, s.Count),
	}
	if has&(scale.HasAverage|scale.HasTotal|scale.HasCount) == scale.HasTotal|scale.HasCount {
		if mean := n.Total/n.Count + 0; math.Abs(mean) <= valueLimit {
			n.Average, n.Has = mean, n.Has|scale.HasAverage
		}
	}
	return n
}

// tally is what several points amount to. Its sums are whole millionths in 128 bits, so they do not depend on the order
// of adding; a statistic counts only if every point had it.
type tally struct {
	n                     uint64
	has                   scale.Has
	average, total, count wide
	minimum, maximum      float64
}

func (t *tally) add(s *scale.Stats) {
	if t.n == 0 {
		t.has, t.minimum, t.maximum = s.Has, s.Minimum, s.Maximum
	}
	t.n++
	t.has &= s.Has
	t.average = t.average.plus(millionths(s.Average))
	t.total = t.total.plus(millionths(s.Total))
	t.count = t.count.plus(millionths(s.Count))
	t.minimum, t.maximum = min(t.minimum, s.Minimum), max(t.maximum, s.Maximum)
}

func (t *tally) join(u *tally) {
	if u.n == 0 {
		return
	}
	if t.n == 0 {
		*t = *u
		return
	}
	t.n += u.n
	t.has &= u.has
	t.average, t.total, t.count = t.average.plus(u.average), t.total.plus(u.total), t.count.plus(u.count)
	t.minimum, t.maximum = min(t.minimum, u.minimum), max(t.maximum, u.maximum)
}

// mean is the average of all points: their totals over their counts where all have both, so that points weigh as much as
// was measured for them; else the mean of their averages. ok is false where neither is there.
func (t *tally) mean() (m float64, ok bool) {
	const both = scale.HasTotal | scale.HasCount
	if t.has&both == both && t.count != (wide{}) {
		return t.total.millionths() / t.count.millionths(), true
	}
	if t.n > 0 && t.has&scale.HasAverage != 0 {
		return t.average.float() / float64(t.n), true
	}
	return 0, false
}

// wide is a whole number of 128 bits, in two's complement.
type wide struct {
	high int64
	low  uint64
}

// millionths rounds to whole millionths.
func millionths(v float64) wide {
	m := math.RoundToEven(v * 1e6)
	if math.Abs(m) < 1<<62 {
		n := int64(m)
		return wide{n >> 63, uint64(n)}
	}
	frac, exp := math.Frexp(math.Abs(m)) // whole, at least 2^62: its 53 digits are followed by zeros only
	digits, shift := uint64(frac*(1<<53)), uint(exp-53)
	w := wide{int64(shiftHigh(digits, shift)), digits << shift}
	if m < 0 {
		return w.negative()
	}
	return w
}

// shiftHigh is the upper half of x shifted left by n, n below 128.
func shiftHigh(x uint64, n uint) uint64 {
	if n >= 64 {
		return x << (n - 64)
	}
	return x >> (64 - n)
}

func (w wide) negative() wide {
	low, borrow := bits.Sub64(0, w.low, 0)
	return wide{int64(0 - uint64(w.high) - borrow), low}
}

func (w wide) plus(v wide) wide {
	low, carry := bits.Add64(w.low, v.low, 0)
	return wide{w.high + v.high + int64(carry), low}
}

// float is the sum in units; millionths is the number itself. Both are the same for the same number, however it came
// about, and differ from it by a rounding or two at most.
func (w wide) float() float64 { return w.millionths() / 1e6 }

func (w wide) millionths() float64 {
	if w.high == int64(w.low)>>63 {
		return float64(int64(w.low))
	}
	if w.high < 0 {
		return -w.negative().millionths()
	}
	return float64(w.high)*(1<<64) + float64(w.low)
}
