package scan

import (
	"math"
	"strconv"
)

// Number reads a number and returns it with the bytes it was written in, a part of the input. A number that no float64
// can hold is infinite here, for callers who refuse one reading and go on; [Scanner.Float] fails instead.
func (s *Scanner) Number() (value float64, raw []byte) {
	start := s.space(s.pos)
	s.pos = start
	mantissa, exponent, exact := s.number()
	if s.problem != 0 {
		return 0, nil
	}
	raw = s.data[start:s.pos]
	if exact && exponent >= -22 && exponent <= 22 {
		// Both operands are exact, so the one rounding of the operation is the right one (W. D. Clinger, 1990).
		value = float64(mantissa)
		if exponent < 0 {
			value /= powers[-exponent]
		} else {
			value *= powers[exponent]
		}
		if raw[0] == '-' {
			value = -value
		}
		return value, raw
	}
	// The only error left is one of range, and then the value is infinite.
	value, _ = strconv.ParseFloat(string(raw), 64)
	return value, raw
}

// Float reads a number and fails if no float64 can hold it.
func (s *Scanner) Float() float64 {
	start := s.space(s.pos)
	value, _ := s.Number()
	if math.IsInf(value, 0) {
		s.fail(OutOfRange, start)
		return 0
	}
	return value
}

// ParseNumber reads text that must be one JSON number and nothing else; ok is false if it is not, or if no float64 can
// hold it. NaN and infinities are no JSON numbers.
func ParseNumber(text []byte) (value float64, ok bool) {
	if len(text) == 0 || kinds[text[0]] != Number {
		return 0, false
	}
	s := Scanner{data: text}
	value = s.Float()
	return value, s.problem == 0 && s.pos == len(text)
}

var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number reads a number by the grammar. Its magnitude is mantissa times ten to the exponent if exact is true, that is
// if the mantissa is below 2^53.
func (s *Scanner) number() (mantissa uint64, exponent int, exact bool) {
	d, i := s.data, s.pos
	if i < len(d) && d[i] == '-' {
		i++
	}
	start := i
	for i < len(d) && d[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(d[i]-'0')
		i++
	}
	digits := i - start
	// A leading zero stands alone.
	if digits == 0 || digits > 1 && d[start] == '0' {
		if digits > 1 {
			i = start + 1
		}
		s.unexpected(BadNumber, i)
		return 0, 0, false
	}
	if i < len(d) && d[i] == '.' {
		i++
		from := i
		for i < len(d) && d[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(d[i]-'0')
			i++
		}
		if i == from {
			s.unexpected(BadNumber, i)
			return 0, 0, false
		}
		exponent = from - i
		digits += i - from
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		i++
		negative := false
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			negative = d[i] == '-'
			i++
		}
		from, e := i, 0
		for i < len(d) && d[i]-'0' <= 9 {
			if e < 1<<20 {
				e = e*10 + int(d[i]-'0')
			}
			i++
		}
		if i == from {
			s.unexpected(BadNumber, i)
			return 0, 0, false
		}
		if negative {
			e = -e
		}
		exponent += e
	}
	s.pos = i
	// Nineteen digits cannot have overflowed.
	return mantissa, exponent, digits <= 19 && mantissa < 1<<53
}
