package metric

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// The limits that hold before anything is understood (facts: events 7.9).
const (
	// DefaultMaxBody is the largest body in bytes that a new Decoder reads: what a hub of the Standard tier carries.
	DefaultMaxBody = 1 << 20
	// MaxElements is how many elements one body may hold.
	MaxElements = 10_000
	// MaxName is how long in bytes a resource, a metric, a unit, or the dimensions of a sample may be.
	MaxName = 8 << 10
)

// WholeBody is the element of a rejection that concerns not one element but all of the body.
const WholeBody = -1

// Decoder turns the bodies of events into samples. Elements are told apart one by one, because one hub and even one body
// may mix kinds (facts: events 0). Three kinds fill hubs and are read on the way, without a second look:
//
//   - records of platform metrics as diagnostic settings export them (facts: events 1.1),
//   - records of the metrics export by data collection rules, whose statistics may be strings (facts: events 1.2),
//   - Trimtab's own sample, for senders of one's own: policies/schemas/sample/schema.json.
//
// Elements come as {"records":[…]}, as an array of elements or of such objects, alone, or as several of these, each on
// a line of its own. All other formats are rows of the table in shapes; docs/signals.md says of each how it is
// recognised, what becomes a sample and what is refused. What none of them knows is rejected with a reason.
//
// A Decoder remembers the names it has seen, in a table of bounded size, so that a stream of samples of the same series
// allocates nothing. It is made for one goroutine.
type Decoder struct {
	// MaxBody is the size in bytes above which a body is rejected unread. Change it before the first Decode.
	MaxBody int

	s        scan.Scanner
	body     []byte
	base     int // what was cut from the front of the body: a byte order mark
	source   scale.Source
	element  int
	format   scale.Format
	tooMany  bool
	samples  []scale.Sample
	rejected []scale.Rejection
	notices  []scale.Notice
	outer    record
	inner    record

	// shapes is the table of the formats beside the three.
	shapes []shape
	// envelope is what the element that is being read was wrapped in, nil if in nothing.
	envelope *envelope
	// encoding and protobuf are what the properties of the event say of its body.
	encoding string
	protobuf bool
	inflater inflater

	resources, metrics, dimensions, units names

	timeText  []byte
	time      time.Time
	grainText []byte
	grain     time.Duration
}

// NewDecoder returns a Decoder with the default limits.
func NewDecoder() *Decoder { return &Decoder{MaxBody: DefaultMaxBody, shapes: shapes()} }

// Decode reads the body of one event that came from src. Each element of the body is a sample, a rejection or a notice
// (see [Decoder.Notices]), one of them and only one; elements are counted through the whole body from 0. What holds several measurements,
// such as a Telegraf metric of several fields, is as many elements. A body that cannot be read from beginning to end, or
// breaks a limit, is one rejection of [WholeBody] and has no samples: half a body is not evidence. A body without
// elements, such as {"records":[]}, yields neither.
//
// Bodies in gzip and Zstandard are uncompressed first, within [MaxInflated] and [MaxRatio]; the bytes that details name
// are then those of the uncompressed body.
//
// Decode never fails and never panics. The slices are valid until the next call; the strings in them for good.
func (d *Decoder) Decode(body []byte, src scale.Source) (samples []scale.Sample, rejected []scale.Rejection) {
	return d.DecodeWith(body, Properties{}, src)
}

// DecodeWith is [Decoder.Decode] of an event whose properties are known too: they may say how the body is encoded, and
// be the envelope around it (facts: events 1.5, 1.10).
func (d *Decoder) DecodeWith(body []byte, p Properties, src scale.Source) (samples []scale.Sample, rejected []scale.Rejection) {
	d.samples, d.rejected, d.notices = d.samples[:0], d.rejected[:0], d.notices[:0]
	d.source, d.element, d.tooMany = src, 0, false
	d.envelope, d.encoding, d.protobuf = nil, "", false
	d.body, d.base = body, 0
	if reason, detail := d.whole(p); reason != "" {
		d.refuseBody(reason, detail)
	}
	d.body = nil
	return d.samples, d.rejected
}

// whole reads the body; reason is "" unless it is refused as a whole.
func (d *Decoder) whole(p Properties) (reason, detail string) {
	if p.Application != nil || p.System != nil {
		if reason, detail = d.heed(p); reason != "" {
			return reason, detail
		}
	}
	if len(d.body) > d.MaxBody {
		return ReasonTooLarge, fmt.Sprintf("the body has %d bytes, more than the %d that are read; send several bodies", len(d.body), d.MaxBody)
	}
	if compressed(d.body) {
		if d.body, reason, detail = d.inflater.inflate(d.body); reason != "" {
			return reason, detail
		}
	}
	if trimmed, ok := bytes.CutPrefix(d.body, []byte("\xef\xbb\xbf")); ok {
		d.base = len(d.body) - len(trimmed)
		d.body = trimmed
	}
	return d.read()
}

// read reads all of d.body; reason is "" unless it is refused as a whole.
func (d *Decoder) read() (reason, detail string) {
	if len(bytes.TrimLeft(d.body, " \t\r\n")) == 0 {
		return ReasonEmptyBody, "the body is empty; send JSON"
	}
	before := d.mark()
	if d.protobuf && d.otlpBytes(d.body) {
		return d.crowded()
	}
	d.s.Reset(d.body)
	for d.value(); d.another(); {
		d.value()
	}
	err := d.s.Finish()
	switch {
	case d.tooMany, err == nil:
		return d.crowded()
	}
	// JSON may begin with a line break too, so this is asked second.
	if d.rewind(before); d.body[0] == otlpFirst && d.otlpBytes(d.body) {
		return d.crowded()
	}
	if remoteWrite(d.body) && d.remoteWritten(d.body) {
		return d.crowded()
	}
	return d.broken(err)
}

// crowded says whether a body that was read had too many elements.
func (d *Decoder) crowded() (reason, detail string) {
	if d.tooMany {
		return ReasonTooManyElements, fmt.Sprintf("more than %d elements in one body; send several bodies", MaxElements)
	}
	return "", ""
}

func (d *Decoder) refuseBody(reason, detail string) {
	d.samples, d.notices = d.samples[:0], d.notices[:0]
	d.rejected = append(d.rejected[:0], scale.Rejection{Element: WholeBody, Reason: reason, Detail: detail})
}

// broken says why a body that stopped the scanner is rejected.
func (d *Decoder) broken(err error) (reason, detail string) {
	var failure *scan.Error
	if !errors.As(err, &failure) {
		return ReasonBadJSON, err.Error()
	}
	where := fmt.Sprintf("%s at byte %d", failure.Problem, failure.Offset+d.base)
	if encodings[d.encoding] && d.encoding != "identity" {
		return ReasonCompressed, fmt.Sprintf("the content-encoding is %s and the body is not readable (%s); what is undone are "+
			"%s and %s", d.encoding, where, gzipBody, zstdBody)
	}
	if name := looksLike(d.body); name != "" {
		return ReasonNotJSON, fmt.Sprintf("the body looks like %s (%s); send JSON in UTF-8, or OTLP", name, where)
	}
	switch failure.Problem {
	case scan.TooDeep:
		return ReasonTooDeep, fmt.Sprintf("%s: at most %d levels are read", where, scan.MaxDepth)
	case scan.InvalidUTF8, scan.LoneSurrogate:
		return ReasonBadUTF8, where + ": send UTF-8"
	case scan.UnexpectedByte:
		if failure.Offset < len(d.body) && d.body[failure.Offset] == '\'' {
			where += ": JSON quotes with \", not with '"
		}
	case scan.ControlCharacter:
		where += ": write line breaks within strings as \\n"
	case scan.TrailingBytes:
		where += ": several values in one body need a line each"
	}
	return ReasonBadJSON, "the body is not valid JSON: " + where
}

// another reports whether a further value follows on a line of its own.
func (d *Decoder) another() bool {
	if d.tooMany || d.s.Failed() {
		return false
	}
	rest := d.body[d.s.Offset():]
	trimmed := bytes.TrimLeft(rest, " \t\r\n")
	return len(trimmed) > 0 && bytes.IndexByte(rest[:len(rest)-len(trimmed)], '\n') >= 0
}

// value reads one value at the top of the body.
func (d *Decoder) value() {
	switch d.s.Kind() {
	case scan.Object:
		d.object()
	case scan.Array:
		for d.s.Array(); !d.tooMany && d.s.Element(); {
			if d.s.Kind() == scan.Object {
				d.object()
			} else {
				d.stray()
			}
		}
	default:
		d.stray()
	}
}

// object reads an object that may be an element or may hold elements under records. Elements that were read are taken
// back when a later field shows that the whole is of a foreign format.
func (d *Decoder) object() {
	before := d.mark()
	r := &d.outer
	r.reset(d.s.Offset())
	for d.s.Object(); !d.tooMany && d.s.Field(); {
		if f := fieldOf(d.s.Key()); f == fRecords && !r.seen.has(f) && d.s.Kind() == scan.Array {
			r.seen |= f.bit()
			r.offset[f] = d.s.Offset()
			d.records()
		} else {
			d.field(r, f)
		}
	}
	if d.tooMany || d.s.Failed() {
		return
	}
	if r.format() == formatRecords && !(r.bad | r.twice | r.null).has(fRecords) {
		return
	}
	d.rewind(before)
	d.finish(r, false)
}

// records reads the array under records.
func (d *Decoder) records() {
	r := &d.inner
	for d.s.Array(); !d.tooMany && d.s.Element(); {
		if d.s.Kind() != scan.Object {
			d.stray()
			continue
		}
		r.reset(d.s.Offset())
		for d.s.Object(); d.s.Field(); {
			d.field(r, fieldOf(d.s.Key()))
		}
		if d.s.Failed() {
			return
		}
		d.finish(r, true)
	}
}

// stray rejects an element that is no object.
func (d *Decoder) stray() {
	at, kind := d.s.Offset(), d.s.Kind()
	d.s.Skip()
	if d.s.Failed() {
		return
	}
	detail := fmt.Sprintf("%s at byte %d where an object is expected", kind, at+d.base)
	if kind == scan.String {
		detail += "; if it holds JSON, send that itself, not quoted once more"
	}
	d.reject(ReasonBadElement, detail)
}

// reject ends the current element as a rejection.
func (d *Decoder) reject(reason, detail string) {
	if d.envelope != nil {
		detail = "in " + d.envelope.name + ": " + detail
	}
	if d.counted() {
		d.rejected = append(d.rejected, scale.Rejection{Element: d.element, Reason: reason, Detail: detail})
		d.element++
	}
}

// accept ends the current element as a sample, for the caller to fill; its source is set.
func (d *Decoder) accept() *scale.Sample {
	if !d.counted() {
		return new(scale.Sample)
	}
	d.samples = append(d.samples, scale.Sample{Source: d.source})
	sample := &d.samples[len(d.samples)-1]
	sample.Source.Element = d.element
	d.element++
	return sample
}

func (d *Decoder) counted() bool {
	d.tooMany = d.element >= MaxElements
	return !d.tooMany
}
