package autoscale

import (
	"bytes"
	"regexp"
	"unicode/utf16"
)

// cleaned is a file's text as JSON: ARM's tools also take comments, a comma behind the last item and lines broken within
// a string, and some shells write UTF-16.
func cleaned(text []byte) []byte {
	text = utf8Of(text)
	out := make([]byte, 0, len(text))
	comma := -1 // where in out a comma waits for another item
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			comma = -1
			n := stringLength(text[i:])
			out = append(out, oneLine(text[i:i+n])...)
			i += n
		case c == '/' && i+1 < len(text) && (text[i+1] == '/' || text[i+1] == '*'):
			// Lines are kept, for the places in messages.
			n := commentLength(text[i:])
			out = append(out, bytes.Repeat([]byte{'\n'}, bytes.Count(text[i:i+n], []byte{'\n'}))...)
			i += n
		default:
			if (c == ']' || c == '}') && comma >= 0 {
				out[comma] = ' '
			}
			out = append(out, c)
			switch {
			case c == ',':
				comma = len(out) - 1
			case c != ' ' && c != '\t' && c != '\r' && c != '\n':
				comma = -1
			}
			i++
		}
	}
	return out
}

// utf8Of is a text without a byte order mark, from UTF-16 where the mark says so.
func utf8Of(text []byte) []byte {
	big := bytes.HasPrefix(text, []byte{0xfe, 0xff})
	if !big && !bytes.HasPrefix(text, []byte{0xff, 0xfe}) {
		return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(text)/2)
	for i := 2; i+1 < len(text); i += 2 {
		unit := uint16(text[i]) | uint16(text[i+1])<<8
		if big {
			unit = uint16(text[i])<<8 | uint16(text[i+1])
		}
		units = append(units, unit)
	}
	return []byte(string(utf16.Decode(units)))
}

// stringLength is the length of the string that a text begins with, to the text's end if it has none.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

func oneLine(s []byte) []byte {
	if !bytes.ContainsAny(s, "\n\r\t") {
		return s
	}
	s = bytes.ReplaceAll(s, []byte{'\r'}, []byte(`\r`))
	s = bytes.ReplaceAll(s, []byte{'\t'}, []byte(`\t`))
	return bytes.ReplaceAll(s, []byte{'\n'}, []byte(`\n`))
}

func commentLength(text []byte) int {
	end, past := "\n", 0
	if text[1] == '*' {
		end, past = "*/", 2
	}
	if n := bytes.Index(text[2:], []byte(end)); n >= 0 {
		return n + 2 + past
	}
	return len(text)
}

var (
	bicepForm     = regexp.MustCompile(`(?m)^\s*(param|var|resource|targetScope|module|metadata)\s+\S`)
	terraformForm = regexp.MustCompile(`(?m)^\s*(resource|variable|provider|module)\s+"`)
)

// otherForm says what to do with a file that is known, but not as JSON.
func otherForm(text []byte) string {
	switch text = utf8Of(text); {
	case terraformForm.Match(text):
		return "; it looks like Terraform: `az monitor autoscale show` prints what was made of it"
	case bicepForm.Match(text):
		return "; it looks like Bicep: `az bicep build --file FILE --stdout` makes the JSON of it"
	}
	return ""
}
