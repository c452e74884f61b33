package metric

import "bytes"

// The reasons of rejections. They are stable: dead letters are counted and searched by them.
const (
	ReasonEmptyBody       = "empty_body"
	ReasonTooLarge        = "too_large"
	ReasonTooManyElements = "too_many_elements"
	ReasonTooDeep         = "too_deep"
	ReasonCompressed      = "compressed"
	ReasonNotJSON         = "not_json"
	ReasonBadJSON         = "bad_json"
	ReasonBadUTF8         = "bad_utf8"
	// ReasonBadElement: an element is no object.
	ReasonBadElement = "bad_element"
	// ReasonUnsupportedFormat: a format that Trimtab knows by name and does not read.
	ReasonUnsupportedFormat = "unsupported_format"
	// ReasonUnknownFormat: an object that nothing is known about.
	ReasonUnknownFormat = "unknown_format"
	// ReasonUnsupportedVersion: one of Trimtab's own samples, of another version.
	ReasonUnsupportedVersion = "unsupported_version"
	ReasonMissingField       = "missing_field"
	ReasonUnknownField       = "unknown_field"
	// ReasonDuplicateField: a field that matters stands there twice, in whatever casing.
	ReasonDuplicateField = "duplicate_field"
	// ReasonBadField: a field holds a value of the wrong kind.
	ReasonBadField     = "bad_field"
	ReasonBadTime      = "bad_time"
	ReasonBadNumber    = "bad_number"
	ReasonBadGrain     = "bad_grain"
	ReasonBadDimension = "bad_dimension"
	// ReasonBadName: a resource, metric or unit is too long, or holds control characters.
	ReasonBadName = "bad_name"
)

const (
	gzipBody = "gzip"
	zstdBody = "Zstandard"
)

// looksLike names what a body that is not JSON seems to be, "" if it might be broken JSON. Only bodies that the scanner
// has refused come here, for protobuf begins with a line break where JSON may begin with one too.
func looksLike(body []byte) string {
	head := body[:min(len(body), 64)]
	text := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipBody
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstdBody
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return "UTF-16"
	case bytes.HasSuffix(bytes.TrimSpace(body), []byte("B blob data]")):
		return "a log viewer's stand-in for a body that it could not show"
	case head[0] == 0x0a && binary(head):
		return "protobuf, perhaps OTLP"
	case len(text) == 0 || binary(text[:1]):
		return "binary data"
	case text[0] == '<':
		return "XML"
	case bytes.HasPrefix(text, []byte("# HELP ")), bytes.HasPrefix(text, []byte("# TYPE ")):
		return "Prometheus exposition text"
	case bytes.IndexByte([]byte(`{["-0123456789`), text[0]) < 0 && !word(text):
		return "text, perhaps influx line protocol"
	}
	return ""
}

// binary reports whether a beginning holds control characters that no text holds.
func binary(head []byte) bool {
	return bytes.IndexFunc(head, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }) >= 0
}

// word reports whether a text begins with a word of JSON.
func word(text []byte) bool {
	return bytes.HasPrefix(text, []byte("true")) || bytes.HasPrefix(text, []byte("false")) || bytes.HasPrefix(text, []byte("null"))
}
