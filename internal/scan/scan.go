// Package scan reads JSON that strangers wrote, fast and strictly: what decides how many machines run is never guessed
// from a body that is half right.
//
// A [Scanner] walks over one byte slice and allocates nothing once it is warm. It accepts what encoding/json accepts,
// less invalid UTF-8, lone surrogates and nesting beyond its limit; it accepts nothing that encoding/json refuses. It
// has no opinion about duplicate keys: whoever reads an object has.
package scan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may lie within each other unless the scanner says otherwise (facts: events
// 7.9).
const MaxDepth = 64

// Kind is what kind of value comes next.
type Kind uint8

// The kinds of value. Invalid stands for the end of the input, for a byte that begins no value, and for a scanner that
// has failed.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	True
	False
	Null
)

var kindNames = [...]string{"nothing", "an object", "an array", "a string", "a number", "true", "false", "null"}

// String names the kind for messages: "an object", "a number".
func (k Kind) String() string { return kindNames[k] }

var kinds = [256]Kind{
	'{': Object, '[': Array, '"': String, 't': True, 'f': False, 'n': Null, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// Scanner walks over JSON. It is told what to read next and fails for good at the first thing that is not so: from then
// on loops end, values are zero, and [Scanner.Err] says what was wrong and where. It is made for one goroutine; its zero
// value reads an empty input.
//
//	for s.Object(); s.Field(); {
//		switch string(s.Key()) {
//		case "count":
//			n = s.Float()
//		default:
//			s.Skip()
//		}
//	}
//
// Each field and each element must be read, or skipped, before the next is asked for.
type Scanner struct {
	// Limit is the nesting that is allowed; 0 means MaxDepth.
	Limit int

	data  []byte
	pos   int
	depth int
	// first is true between the opening of a container and its first field or element. One flag is enough for all
	// levels: whoever closes a container was an item of the one around it.
	first bool
	key   []byte
	// scratch holds the texts that had escapes; it only grows until Reset, so that texts stay valid together.
	scratch []byte
	problem Problem
	at      int
}

// Reset makes the scanner read data from its beginning. Texts returned before become invalid.
func (s *Scanner) Reset(data []byte) {
	s.data, s.pos, s.depth, s.first = data, 0, 0, false
	s.key, s.scratch, s.problem, s.at = nil, s.scratch[:0], 0, 0
}

// Offset is how many bytes have been read.
func (s *Scanner) Offset() int { return s.pos }

// Kind looks at the next value without reading it.
func (s *Scanner) Kind() Kind {
	if i := s.space(s.pos); i < len(s.data) {
		s.pos = i
		return kinds[s.data[i]]
	}
	return Invalid
}

// End reports whether nothing but white space is left and nothing has failed.
func (s *Scanner) End() bool {
	s.pos = s.space(s.pos)
	return s.pos == len(s.data) && s.problem == 0
}

// Finish fails unless nothing but white space is left, and returns the scanner's error.
func (s *Scanner) Finish() error {
	if !s.End() {
		s.fail(TrailingBytes, s.pos)
	}
	return s.Err()
}

// space returns the first index from i on that is not white space.
func (s *Scanner) space(i int) int {
	for ; i < len(s.data); i++ {
		if c := s.data[i]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
	}
	return i
}

// fail keeps the first problem and moves to the end, where every further step fails too.
func (s *Scanner) fail(p Problem, at int) {
	if s.problem == 0 {
		s.problem, s.at = p, at
	}
	s.pos = len(s.data)
}

// unexpected fails at i: with an end where there is nothing, otherwise with p.
func (s *Scanner) unexpected(p Problem, i int) {
	if i >= len(s.data) {
		p = UnexpectedEnd
	}
	s.fail(p, i)
}

// Object enters an object and reports whether there was one. Its fields follow by [Scanner.Field].
func (s *Scanner) Object() bool { return s.open('{') }

// Array enters an array and reports whether there was one. Its elements follow by [Scanner.Element].
func (s *Scanner) Array() bool { return s.open('[') }

func (s *Scanner) open(bracket byte) bool {
	i := s.space(s.pos)
	if i >= len(s.data) || s.data[i] != bracket {
		s.unexpected(WrongKind, i)
		return false
	}
	limit := s.Limit
	if limit == 0 {
		limit = MaxDepth
	}
	if s.depth >= limit {
		s.fail(TooDeep, i)
		return false
	}
	s.depth++
	s.pos, s.first = i+1, true
	return true
}

// next moves to the next item of a container that ends with bracket; false at its end, which it reads.
func (s *Scanner) next(bracket byte) bool {
	i := s.space(s.pos)
	if i >= len(s.data) {
		s.fail(UnexpectedEnd, i)
		return false
	}
	c := s.data[i]
	if c == bracket {
		s.depth--
		s.pos, s.first = i+1, false
		return false
	}
	if s.first {
		s.first = false
		s.pos = i
		return true
	}
	if c != ',' {
		s.fail(UnexpectedByte, i)
		return false
	}
	s.pos = s.space(i + 1)
	return true
}

// Element moves to the next element of an array; false at the end of the array and when the scanner has failed.
func (s *Scanner) Element() bool {
	if !s.next(']') {
		return false
	}
	if s.pos >= len(s.data) || kinds[s.data[s.pos]] == Invalid {
		s.unexpected(UnexpectedByte, s.pos)
		return false
	}
	return true
}

// Field moves to the value of an object's next field, whose name is then in Key; false at the end of the object and
// when the scanner has failed.
func (s *Scanner) Field() bool {
	if !s.next('}') {
		return false
	}
	if s.pos >= len(s.data) || s.data[s.pos] != '"' {
		s.unexpected(UnexpectedByte, s.pos)
		return false
	}
	s.key = s.Text()
	i := s.space(s.pos)
	if i >= len(s.data) || s.data[i] != ':' {
		s.unexpected(UnexpectedByte, i)
		return false
	}
	s.pos = s.space(i + 1)
	return true
}

// Key is the name of the field that Field moved to, unescaped and valid like a [Scanner.Text].
func (s *Scanner) Key() []byte { return s.key }

// Bool reads true or false.
func (s *Scanner) Bool() bool {
	if s.Kind() == True {
		s.word("true")
		return true
	}
	s.word("false")
	return false
}

// Null reads null.
func (s *Scanner) Null() { s.word("null") }

func (s *Scanner) word(w string) {
	i := s.space(s.pos)
	if len(s.data)-i < len(w) || string(s.data[i:i+len(w)]) != w {
		for n := 0; n < len(w) && i < len(s.data) && s.data[i] == w[n]; n++ {
			i++
		}
		s.unexpected(UnexpectedByte, i)
		return
	}
	s.pos = i + len(w)
}

// Raw reads any value as [Scanner.Skip] does and returns its bytes, a part of the input.
func (s *Scanner) Raw() []byte {
	start := s.space(s.pos)
	s.Skip()
	if s.problem != 0 {
		return nil
	}
	return s.data[start:s.pos]
}

// Rest is the input from the next value on.
func (s *Scanner) Rest() []byte {
	s.pos = s.space(s.pos)
	return s.data[s.pos:]
}

// Advance reads n bytes of [Scanner.Rest] unchecked: they must be one value that the caller has read by other means.
func (s *Scanner) Advance(n int) { s.pos = min(s.pos+n, len(s.data)) }

// Skip reads any value, as strictly as if it were wanted; only the range of its numbers is not looked at.
func (s *Scanner) Skip() {
	switch s.Kind() {
	case Object:
		for s.Object(); s.next('}'); {
			if s.pos >= len(s.data) || s.data[s.pos] != '"' {
				s.unexpected(UnexpectedByte, s.pos)
				return
			}
			s.skipText()
			i := s.space(s.pos)
			if i >= len(s.data) || s.data[i] != ':' {
				s.unexpected(UnexpectedByte, i)
				return
			}
			s.pos = i + 1
			s.Skip()
		}
	case Array:
		for s.Array(); s.Element(); {
			s.Skip()
		}
	case String:
		s.skipText()
	case Number:
		s.number()
	case True:
		s.word("true")
	case False:
		s.word("false")
	case Null:
		s.word("null")
	default:
		s.unexpected(UnexpectedByte, s.space(s.pos))
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, in the top bit of each byte of a word, control characters, quotes, backslashes and bytes beyond ASCII.
// Only the lowest mark can be relied on, since the subtractions borrow upwards; nobody needs the others.
func special(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash | w) & highs
}

// plain returns the first index from i on that holds a special byte, or the length of d.
func plain(d []byte, i int) int {
	for ; i+8 <= len(d); i += 8 {
		if m := special(binary.LittleEndian.Uint64(d[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(d) && d[i] >= ' ' && d[i] < utf8.RuneSelf && d[i] != '"' && d[i] != '\\' {
		i++
	}
	return i
}
