package scan

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Text reads a string and returns its content. It is a part of the input if the string had no escapes, otherwise of a
// buffer of the scanner's; both stay valid until Reset.
func (s *Scanner) Text() []byte {
	i := s.opening()
	if i < 0 {
		return nil
	}
	end := s.unescaped(i)
	if end < 0 {
		return nil
	}
	if s.data[end] == '"' {
		s.pos = end + 1
		return s.data[i:end:end]
	}
	from := len(s.scratch)
	s.scratch = s.unquote(s.scratch, i)
	if s.problem != 0 {
		return nil
	}
	return s.scratch[from:len(s.scratch):len(s.scratch)]
}

// AppendText reads a string and appends its content to dst.
func (s *Scanner) AppendText(dst []byte) []byte {
	if i := s.opening(); i >= 0 {
		return s.unquote(dst, i)
	}
	return dst
}

// TextIs reads the next value if it is a string written exactly as content, byte for byte, and reports whether it was;
// otherwise nothing is read. The content must be that of a Text which was a part of its input: known to be well formed,
// it need not be checked again. Names that repeat from record to record so cost a comparison.
func (s *Scanner) TextIs(content []byte) bool {
	i := s.space(s.pos) + 1
	end := i + len(content)
	if end >= len(s.data) || s.data[i-1] != '"' || s.data[end] != '"' ||
		string(s.data[i:end]) != string(content) {
		return false
	}
	s.pos = end + 1
	return true
}

// Borrowed reports whether a Text is a part of the scanner's input, and so without escapes.
func (s *Scanner) Borrowed(text []byte) bool {
	return len(text) > 0 && len(s.data) > 0 && s.pos > len(text) && s.pos <= len(s.data) &&
		&s.data[s.pos-1-len(text)] == &text[0]
}

// opening reads the quote that begins a string and returns the index after it, negative if there is none.
func (s *Scanner) opening() int {
	i := s.space(s.pos)
	if i >= len(s.data) || s.data[i] != '"' {
		s.unexpected(WrongKind, i)
		return -1
	}
	return i + 1
}

// unescaped returns the index of the first quote or backslash from i on, negative after a failure.
func (s *Scanner) unescaped(i int) int {
	d := s.data
	for {
		i = plain(d, i)
		if i >= len(d) {
			s.fail(UnexpectedEnd, i)
			return -1
		}
		c := d[i]
		if c == '"' || c == '\\' {
			return i
		}
		n := s.beyond(i)
		if n == 0 {
			return -1
		}
		i += n
	}
}

// beyond is the length of the UTF-8 sequence at i; 0 after a failure.
func (s *Scanner) beyond(i int) int {
	if s.data[i] < ' ' {
		s.fail(ControlCharacter, i)
		return 0
	}
	r, n := utf8.DecodeRune(s.data[i:])
	if r == utf8.RuneError && n == 1 {
		s.fail(InvalidUTF8, i)
		return 0
	}
	return n
}

// skipText reads a string without keeping it.
func (s *Scanner) skipText() {
	i := s.opening()
	for i >= 0 {
		i = s.unescaped(i)
		if i < 0 {
			return
		}
		if s.data[i] == '"' {
			s.pos = i + 1
			return
		}
		_, n := s.escape(i)
		if n == 0 {
			return
		}
		i += n
	}
}

// unquote appends to dst what the string says whose content begins at i, and reads up to its closing quote. Words of
// eight bytes are copied whole and cut afterwards: most escapes of a string within a string lie a few bytes apart.
func (s *Scanner) unquote(dst []byte, i int) []byte {
	d := s.data
	for {
		// What is unquoted is never longer than what it was; eight more leave room for the last word.
		if cap(dst)-len(dst) < 16 {
			dst = slices.Grow(dst, min(len(d)-i, 2*len(dst)+512)+16)
		}
		out := dst[:cap(dst)]
		j := len(dst)
		for i+8 <= len(d) && j+8 <= len(out) {
			w := binary.LittleEndian.Uint64(d[i:])
			binary.LittleEndian.PutUint64(out[j:], w)
			m := special(w)
			if m == 0 {
				i, j = i+8, j+8
				continue
			}
			n := bits.TrailingZeros64(m) >> 3
			i, j = i+n, j+n
			// A quote two strings deep is two escapes in a row.
			from := i
			for i+1 < len(d) && d[i] == '\\' && j < len(out) && simple[d[i+1]] != 0 {
				out[j] = simple[d[i+1]]
				i, j = i+2, j+1
			}
			if i == from {
				break
			}
		}
		dst = out[:j]
		if i >= len(d) {
			s.fail(UnexpectedEnd, i)
			return dst
		}
		switch c := d[i]; {
		case c == '"':
			s.pos = i + 1
			return dst
		case c == '\\':
			r, n := s.escape(i)
			if n == 0 {
				return dst
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		case c < ' ' || c >= utf8.RuneSelf:
			n := s.beyond(i)
			if n == 0 {
				return dst
			}
			dst = append(dst, d[i:i+n]...)
			i += n
		default:
			dst = append(dst, c)
			i++
		}
	}
}

// simple are the escapes of two bytes.
var simple = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape returns the rune that the escape at i stands for and the escape's length, 0 after a failure.
func (s *Scanner) escape(i int) (rune, int) {
	if i+1 >= len(s.data) {
		s.fail(UnexpectedEnd, len(s.data))
		return 0, 0
	}
	c := s.data[i+1]
	if e := simple[c]; e != 0 {
		return rune(e), 2
	}
	if c != 'u' {
		s.fail(BadEscape, i)
		return 0, 0
	}
	r, ok := hex4(s.data[i+2:])
	if !ok {
		s.fail(BadEscape, i)
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if i+7 < len(s.data) && s.data[i+6] == '\\' && s.data[i+7] == 'u' {
		if low, ok := hex4(s.data[i+8:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	s.fail(LoneSurrogate, i)
	return 0, 0
}

func hex4(d []byte) (rune, bool) {
	if len(d) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range d[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
