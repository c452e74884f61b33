package scan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scan"
)

// tree reads a whole value as encoding/json would decode it into an any.
func tree(s *scan.Scanner) any {
	switch s.Kind() {
	case scan.Object:
		m := map[string]any{}
		for s.Object(); s.Field(); {
			key := string(s.Key())
			m[key] = tree(s)
		}
		return m
	case scan.Array:
		a := []any{}
		for s.Array(); s.Element(); {
			a = append(a, tree(s))
		}
		return a
	case scan.String:
		return string(s.Text())
	case scan.Number:
		return s.Float()
	case scan.True, scan.False:
		return s.Bool()
	case scan.Null:
		s.Null()
		return nil
	default:
		s.Skip()
		return nil
	}
}

func TestValuesAreThoseOfEncodingJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `""`, `0`, `-0`, `true`, `false`, `null`, " \t\r\n[ 1 , 2 ] ",
		`{"a":{"b":[1,2.5,-3e2,{"c":null}]},"d":"x"}`,
		`"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00"`, `"é€😀 and more than eight bytes"`,
		`"a long text without any escape at all, longer than several words"`,
		`"\\\\\\\\\\\\\\\\\"\"\"\"\"\"\"\"\"\"\"\"x"`,
		`9007199254740993`, `18446744073709551617`, `1e22`, `1e23`, `123456789012345678901234567890`, `0.1`, `2.2250738585072014e-308`,
		`1e-400`, `0.12484394507124409`, `99.62546816517232`, `1E+2`, `5e-324`,
		`{"a":1,"a":2}`, `{"":0}`, `[[],{},[{}]]`,
	} {
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("encoding/json refuses %s: %v", text, err)
		}
		var s scan.Scanner
		s.Reset([]byte(text))
		got := tree(&s)
		if err := s.Finish(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

var refusals = []struct {
	name, text string
	problem    scan.Problem
	offset     int
}{
	{"nothing", ``, scan.UnexpectedEnd, 0},
	{"only white space", " \n", scan.UnexpectedEnd, 2},
	{"a value cut off", `{"a":`, scan.UnexpectedEnd, 5},
	{"a string cut off", `"abc`, scan.UnexpectedEnd, 4},
	{"an escape cut off", `"abc\`, scan.UnexpectedEnd, 5},
	{"a trailing comma in an array", `[1,]`, scan.UnexpectedByte, 3},
	{"a trailing comma in an object", `{"a":1,}`, scan.UnexpectedByte, 7},
	{"single quotes", `{'a':1}`, scan.UnexpectedByte, 1},
	{"a key without quotes", `{a:1}`, scan.UnexpectedByte, 1},
	{"a missing colon", `{"a" 1}`, scan.UnexpectedByte, 5},
	{"a missing comma", `[1 2]`, scan.UnexpectedByte, 3},
	{"text after the value", `{} x`, scan.TrailingBytes, 3},
	{"two values", `{}{}`, scan.TrailingBytes, 2},
	{"a byte order mark", "\xef\xbb\xbf{}", scan.UnexpectedByte, 0},
	{"a leading zero", `[01]`, scan.BadNumber, 2},
	{"a negative leading zero", `[-01]`, scan.BadNumber, 3},
	{"a plus sign", `[+1]`, scan.UnexpectedByte, 1},
	{"a point without digits before", `[.5]`, scan.UnexpectedByte, 1},
	{"a point without digits after", `[1.]`, scan.BadNumber, 3},
	{"an exponent without digits", `[1e]`, scan.BadNumber, 3},
	{"a lone minus", `[-]`, scan.BadNumber, 2},
	{"two numbers with a minus between", `[1-2]`, scan.UnexpectedByte, 2},
	{"a hexadecimal number", `[0x1]`, scan.UnexpectedByte, 2},
	{"NaN", `[NaN]`, scan.UnexpectedByte, 1},
	{"a number beyond float64", `[1e400]`, scan.OutOfRange, 1},
	{"a word cut off", `[tru]`, scan.UnexpectedByte, 4},
	{"a word that goes on", `[nullx]`, scan.UnexpectedByte, 5},
	{"a line break within a string", "\"a\nb\"", scan.ControlCharacter, 2},
	{"a line break within a long string", "\"123456789012\nb\"", scan.ControlCharacter, 13},
	{"an unknown escape", `"\x41"`, scan.BadEscape, 1},
	{"a short unicode escape", `"\u12"`, scan.BadEscape, 1},
	{"a high surrogate alone", `"a\ud83d"`, scan.LoneSurrogate, 2},
	{"a low surrogate alone", `"\ude00"`, scan.LoneSurrogate, 1},
	{"a high surrogate before another", `"\ud83d\ud83d"`, scan.LoneSurrogate, 1},
	{"a byte that begins no UTF-8", "\"a\xffb\"", scan.InvalidUTF8, 2},
	{"an overlong UTF-8 sequence", "\"\xc0\x80\"", scan.InvalidUTF8, 1},
	{"a surrogate in UTF-8", "\"\xed\xa0\x80\"", scan.InvalidUTF8, 1},
	{"a UTF-8 sequence cut off", "\"\xe2\x82\"", scan.InvalidUTF8, 1},
	{"invalid UTF-8 in a key", "{\"\xff\":1}", scan.InvalidUTF8, 2},
	{"a closing bracket of the other kind", `{"a":[1}`, scan.UnexpectedByte, 7},
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			want := &scan.Error{Problem: c.problem, Offset: c.offset}
			read := map[string]func(*scan.Scanner){
				"read":    func(s *scan.Scanner) { tree(s) },
				"skipped": func(s *scan.Scanner) { s.Skip() },
			}
			if c.problem == scan.OutOfRange {
				delete(read, "skipped")
			}
			for how, read := range read {
				var s scan.Scanner
				s.Reset([]byte(c.text))
				read(&s)
				var got *scan.Error
				if err := s.Finish(); !errors.As(err, &got) || *got != *want {
					t.Errorf("%s: got %v, want %v", how, err, want)
				}
			}
		})
	}
}

func TestNestingIsLimited(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(strings.Repeat(`[`, n) + strings.Repeat(`]`, n))
	}
	var s scan.Scanner
	s.Reset(nested(scan.MaxDepth))
	s.Skip()
	if err := s.Finish(); err != nil {
		t.Errorf("as deep as allowed: %v", err)
	}
	s.Reset(nested(scan.MaxDepth + 1))
	s.Skip()
	if err := s.Finish(); err == nil || err.Error() != "objects and arrays nested too deep at byte 64" {
		t.Errorf("one too deep: got %v", err)
	}
	s.Limit = 100
	s.Reset(nested(100))
	s.Skip()
	if err := s.Finish(); err != nil {
		t.Errorf("a limit of its own: %v", err)
	}
	s.Limit = 0
	s.Reset([]byte(strings.Repeat(`[]`, 1)))
	for range 1000 {
		s.Reset([]byte(`[[],[],[]]`))
		s.Skip()
	}
	if err := s.Finish(); err != nil {
		t.Errorf("siblings count as nesting: %v", err)
	}
}

func TestAFailureIsForGood(t *testing.T) {
	var s scan.Scanner
	s.Reset([]byte(`{"a":tru,"b":1}`))
	n := 0
	for s.Object(); s.Field(); {
		s.Bool()
		n++
	}
	if n != 1 || !s.Failed() || s.Kind() != scan.Invalid || s.Array() || s.Element() || s.Text() != nil || s.Float() != 0 {
		t.Errorf("the scanner went on after a failure, %d fields", n)
	}
	if err := s.Err(); err == nil || err.Error() != "a byte that cannot stand here at byte 8" {
		t.Errorf("the first failure was not kept: %v", err)
	}
}

func TestTextIs(t *testing.T) {
	var s scan.Scanner
	s.Reset([]byte(`["abc", "abcd", "ab", "abc"`))
	s.Array()
	s.Element()
	known := s.Text()
	if !s.Borrowed(known) {
		t.Error("a text without escapes is not a part of the input")
	}
	var got []bool
	for s.Element() {
		is := s.TextIs(known)
		got = append(got, is)
		if !is {
			s.Skip()
		}
	}
	if diff := cmp.Diff([]bool{false, false, true}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Reset([]byte(`"a\u0062"`))
	if text := s.Text(); string(text) != "ab" || s.Borrowed(text) {
		t.Errorf("an escaped text: %q, borrowed %t", text, s.Borrowed(text))
	}
}

func TestTextsStayValidTogether(t *testing.T) {
	var s scan.Scanner
	s.Reset([]byte(`["a\n", "b\n` + strings.Repeat("x", 5000) + `", "c\n"]`))
	var texts [][]byte
	for s.Array(); s.Element(); {
		texts = append(texts, s.Text())
	}
	if string(texts[0]) != "a\n" || string(texts[1]) != "b\n"+strings.Repeat("x", 5000) || string(texts[2]) != "c\n" {
		t.Error("a text was overwritten by a later one")
	}
}

func TestRawIsPartOfTheInput(t *testing.T) {
	var s scan.Scanner
	s.Reset([]byte(`[ {"a" : [1]} , 2]`))
	var got []string
	for s.Array(); s.Element(); {
		got = append(got, string(s.Raw()))
	}
	if diff := cmp.Diff([]string{`{"a" : [1]}`, `2`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]float64{"72.35": 72.35, "-1": -1, "1e3": 1000, "0": 0, "9007199254740993": 9007199254740992} {
		if got, ok := scan.ParseNumber([]byte(text)); !ok || got != want {
			t.Errorf("%q: got %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", " 1", "1 ", "NaN", "Infinity", "-", "+1", "01", "1,5", "1e400", "0x1", "1_000", "\"1\""} {
		if got, ok := scan.ParseNumber([]byte(text)); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestNumberLeavesTheRangeToTheCaller(t *testing.T) {
	var s scan.Scanner
	s.Reset([]byte(`[-1e400, 7]`))
	s.Array()
	s.Element()
	if value, raw := s.Number(); !math.IsInf(value, -1) || string(raw) != "-1e400" {
		t.Errorf("got %v, %s", value, raw)
	}
	s.Element()
	if got := s.Float(); got != 7 || s.Failed() {
		t.Errorf("the number after: %v, %v", got, s.Err())
	}
}

func TestTime(t *testing.T) {
	good := map[string]time.Time{
		"2023-04-18T09:03:00.0000000Z":     time.Date(2023, 4, 18, 9, 3, 0, 0, time.UTC),
		"2018-03-07T14:23:51.991Z":         time.Date(2018, 3, 7, 14, 23, 51, 991_000_000, time.UTC),
		"2024-05-01T10:00:00Z":             time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC),
		"2024-05-01T10:00:00.22z":          time.Date(2024, 5, 1, 10, 0, 0, 220_000_000, time.UTC),
		"2024-05-01T10:00:00.123456789Z":   time.Date(2024, 5, 1, 10, 0, 0, 123_456_789, time.UTC),
		"2024-05-01T10:00:00.1234567899Z":  time.Date(2024, 5, 1, 10, 0, 0, 123_456_789, time.UTC),
		"2024-05-01T10:00:00.123456+00:00": time.Date(2024, 5, 1, 10, 0, 0, 123_456_000, time.UTC),
		"2024-05-01T10:00:00+02:00":        time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC),
		"2024-01-01T00:30:00+02:30":        time.Date(2023, 12, 31, 22, 0, 0, 0, time.UTC),
		"2024-05-01T10:00:00-05:00":        time.Date(2024, 5, 1, 15, 0, 0, 0, time.UTC),
		"2007-01-09T09:41:00":              time.Date(2007, 1, 9, 9, 41, 0, 0, time.UTC),
		"2026-01-05T10:00:00.123":          time.Date(2026, 1, 5, 10, 0, 0, 123_000_000, time.UTC),
		"2024-02-29 10:00:00":              time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC),
	}
	for text, want := range good {
		if got, ok := scan.Time([]byte(text)); !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: got %v, %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "2024-05-01", "2024-05-01T10:00Z", "2024-05-01T9:00:00Z", "2024-05-01T10:00:00,5Z", "2024-05-01T10:00:00.Z",
		"2024-05-01T10:00:00+0200", "2024-05-01T10:00:00+24:00", "2024-05-01T10:00:00+02:60", "2024-05-01T10:00:00X",
		"2023-02-29T10:00:00Z", "2024-13-01T10:00:00Z", "2024-00-01T10:00:00Z", "2024-04-31T10:00:00Z", "2024-04-00T10:00:00Z",
		"2024-05-01T24:00:00Z", "2024-05-01T10:60:00Z", "2024-05-01T10:00:60Z", "2024-05-01T10:00:00Z ", "2O24-05-01T10:00:00Z",
		"01/09/2007 09:41:00", "2021-02-04T07: 45: 44Z", "+024-05-01T10:00:00Z", "2024-05-01T-1:00:00Z",
	} {
		if got, ok := scan.Time([]byte(text)); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	text := []byte(`{"a":"plain","b":"esc\n\u00e9aped","c":[1,2.5,0.12484394507124409,true,null],"d":{"e":"2024-05-01T10:00:00Z"}}`)
	var s scan.Scanner
	buf := make([]byte, 0, 256)
	read := func() {
		s.Reset(text)
		for s.Object(); s.Field(); {
			switch {
			case s.Kind() == scan.String:
				buf = s.AppendText(buf[:0])
			case bytes.Equal(s.Key(), []byte("c")):
				for s.Array(); s.Element(); {
					if s.Kind() == scan.Number {
						s.Float()
					} else {
						s.Skip()
					}
				}
			default:
				s.Skip()
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n != 0 || s.Failed() {
		t.Errorf("%v allocations, %v", n, s.Err())
	}
}
