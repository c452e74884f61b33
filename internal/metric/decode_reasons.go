package metric

import "bytes"

// The reasons of rejections. They are stable: dead letters are counted and searched by them.
const (
	ReasonEmptyBody       = "empty_body"
	ReasonTooLarge        = "too_large"
	ReasonTooManyElements = "too_many_elements"
	ReasonTooDeep         = "too_deep"
	// ReasonCompressed: a body that is compressed in a way that is not undone, or cannot be.
	ReasonCompressed = "compressed"
	ReasonNotJSON    = "not_json"
	ReasonBadJSON    = "bad_json"
	ReasonBadUTF8    = "bad_utf8"
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
	// ReasonNoResource: a measurement that does not say of what.
	ReasonNoResource = "no_resource"

	// What is no measurement but recognised for what it is; see docs/signals.md.
	ReasonRecognisedAlert       = "recognised_alert"
	ReasonRecognisedAutoscale   = "recognised_autoscale"
	ReasonRecognisedActivity    = "recognised_activity"
	ReasonRecognisedHealth      = "recognised_health"
	ReasonRecognisedMaintenance = "recognised_maintenance"
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
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return "UTF-16"
	case bytes.HasSuffix(bytes.TrimSpace(body), []byte("B blob data]")):
		return "a log viewer's stand-in for a body that it could not show"
	case head[0] == 0x0a && unprintable(head):
		return "protobuf, and not OTLP metrics"
	case remoteWrite(body):
		return "Prometheus remote write"
	case len(text) == 0 || unprintable(text[:1]):
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

// unprintable reports whether a beginning holds control characters that no text holds.
func unprintable(head []byte) bool {
	return bytes.IndexFunc(head, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }) >= 0
}

// word reports whether a text begins with a word of JSON.
func word(text []byte) bool {
	return bytes.HasPrefix(text, []byte("true")) || bytes.HasPrefix(text, []byte("false")) || bytes.HasPrefix(text, []byte("null"))
}
