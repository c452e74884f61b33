package scan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scan"
)

// FuzzAgainstEncodingJSON holds the scanner to encoding/json: the same texts, less the documented three kinds, with the
// same values.
func FuzzAgainstEncodingJSON(f *testing.F) {
	f.Add([]byte(`{"records":[{"count":4,"average":2.25,"time":"2018-03-07T14:23:51.991Z"}]}`))
	for _, c := range refusals {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s scan.Scanner
		s.Reset(data)
		s.Skip()
		skipped := s.Finish()
		s.Reset(data)
		got := tree(&s)
		read := s.Finish()

		var failure *scan.Error
		if errors.As(read, &failure) && (failure.Offset < 0 || failure.Offset > len(data)) {
			t.Fatalf("an offset outside the text: %v", failure)
		}
		stricter := errors.As(skipped, &failure) &&
			(failure.Problem == scan.LoneSurrogate || failure.Problem == scan.InvalidUTF8 || failure.Problem == scan.TooDeep)
		if stricter {
			if read == nil {
				t.Fatalf("skipping refuses what reading accepts: %v", skipped)
			}
			return
		}
		if valid := json.Valid(data); valid != (skipped == nil) {
			t.Fatalf("encoding/json says valid %t, skipping says %v", valid, skipped)
		}
		var want any
		if err := json.Unmarshal(data, &want); (err == nil) != (read == nil) {
			t.Fatalf("encoding/json says %v, reading says %v", err, read)
		}
		if read == nil {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-encoding/json +scan):\n%s", diff)
			}
		}
	})
}

// FuzzText unquotes what encoding/json quoted, alone and within another string.
func FuzzText(f *testing.F) {
	f.Add("plain", uint8(1))
	f.Add("a \"quoted\" \\ text\nwith é€😀 and a control \x01", uint8(2))
	f.Fuzz(func(t *testing.T, text string, layers uint8) {
		if !utf8.ValidString(text) {
			return
		}
		data := []byte(text)
		for range layers%3 + 1 {
			data, _ = json.Marshal(string(data))
		}
		var buf []byte
		for range layers%3 + 1 {
			var s scan.Scanner
			s.Reset(data)
			buf = s.AppendText([]byte("kept"))
			if err := s.Finish(); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			s.Reset(data)
			if again := s.Text(); !bytes.Equal(again, buf[4:]) || string(buf[:4]) != "kept" {
				t.Fatalf("%s: Text says %q, AppendText %q", data, again, buf)
			}
			data = bytes.Clone(buf[4:])
		}
		if string(data) != text {
			t.Fatalf("got %q, want %q", data, text)
		}
	})
}

// FuzzTime never disagrees with time.Parse about a text that has a zone.
func FuzzTime(f *testing.F) {
	f.Add("2023-04-18T09:03:00.0000000Z")
	f.Add("2024-02-29T23:59:59+05:30")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := scan.Time([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, text)
		if ok && err == nil && !got.Equal(want) {
			t.Fatalf("%q: got %v, want %v", text, got, want)
		}
		if !ok {
			return
		}
		// What it takes beyond RFC 3339 it takes as the same instant written properly.
		proper := text[:10] + "T" + text[11:]
		if text[len(text)-1] == 'z' {
			proper = proper[:len(proper)-1] + "Z"
		} else if !zoned.MatchString(text) {
			proper += "Z"
		}
		want, err = time.Parse(time.RFC3339Nano, proper)
		if err != nil || !got.Equal(want) {
			t.Fatalf("%q: got %v, but %s is %v, %v", text, got, proper, want, err)
		}
	})
}

var zoned = regexp.MustCompile(`(Z|[+-]\d\d:\d\d)$`)
