package metric

import (
	"math"
	"math/bits"

	"trimtab/internal/scan"
)

// field is a field of an element that means something to us.
type field uint8

// Fields whose value is kept as text come first, then those whose value is a number, then those of which it is enough to
// know that they are there.
const (
	fOther field = iota
	fResourceID
	fMetricName
	fTime
	fTimeGrain
	fUnit
	fDimension
	fDimensions
	fResource
	fMetric
	fGrain
	fType
	fCategory
	fSchemaID
	fEventType
	fTrimtab
	fAverage
	fMinimum
	fMaximum
	fTotal
	fCount
	fValue
	fRecords
	fSpecVersion
	fEventTime
	fTopic
	fResourceMetrics
	fFields
	fName
	fTags
	// fViewer are the three fields that viewers of hubs add to what they show (facts: events 1.1).
	fViewer

	textFields   = fEventType + 1
	numberFields = fValue + 1
)

// fields is a set of fields.
type fields uint64

func (f field) bit() fields       { return 1 << f }
func (s fields) has(f field) bool { return s&f.bit() != 0 }
func (s fields) first() field     { return field(bits.TrailingZeros64(uint64(s))) }
func set(members ...field) (s fields) {
	for _, f := range members {
		s |= f.bit()
	}
	return s
}

// fieldNames spells the fields as messages should. Names are compared in small letters: the same field comes as
// resourceId, resourceid and RESOURCEID, as average and as Average (facts: events 1.1 to 1.3, 1.12).
var fieldNames = map[field]string{
	fResourceID: "resourceId", fMetricName: "metricName", fTime: "time", fTimeGrain: "timeGrain", fUnit: "unit",
	fDimension: "dimension", fDimensions: "dimensions", fResource: "resource", fMetric: "metric", fGrain: "grain",
	fType: "type", fCategory: "category", fSchemaID: "schemaId", fEventType: "eventType", fTrimtab: "trimtab",
	fAverage: "average", fMinimum: "minimum", fMaximum: "maximum", fTotal: "total", fCount: "count", fValue: "value",
	fRecords: "records", fSpecVersion: "specversion", fEventTime: "eventTime", fTopic: "topic",
	fResourceMetrics: "resourceMetrics", fFields: "fields", fName: "name", fTags: "tags",
}

var smallFields = func() map[string]field {
	bySmall := map[string]field{
		"eventprocessedutctime": fViewer, "partitionid": fViewer, "eventenqueuedutctime": fViewer,
	}
	for f, name := range fieldNames {
		bySmall[string(small(nil, []byte(name)))] = f
	}
	return bySmall
}()

// fieldOf finds the field that a key names. The spellings that fill a hub are tried first.
func fieldOf(key []byte) field {
	switch string(key) {
	case "count", "Count":
		return fCount
	case "total", "Total":
		return fTotal
	case "minimum", "Minimum":
		return fMinimum
	case "maximum", "Maximum":
		return fMaximum
	case "average", "Average":
		return fAverage
	case "resourceId":
		return fResourceID
	case "time":
		return fTime
	case "metricName":
		return fMetricName
	case "timeGrain":
		return fTimeGrain
	case "unit":
		return fUnit
	case "dimension":
		return fDimension
	case "records":
		return fRecords
	}
	var buf [24]byte
	if len(key) > len(buf) {
		return fOther
	}
	return smallFields[string(small(buf[:0], key))]
}

// small appends text to dst with the capital letters of ASCII made small.
func small(dst, text []byte) []byte {
	for _, c := range text {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// record is what has been read of one element, before it is known what the element is.
type record struct {
	// at is where the element begins.
	at int
	// seen fields were there, null ones as null, bad ones with a value that does not fit, twice ones more than once.
	seen, null, bad, twice fields
	// offset is where the value of a seen field begins.
	offset [fViewer + 1]int
	text   [textFields]([]byte)
	number [numberFields]float64
	// plain is the set of texts that were written without escapes.
	plain fields
	// timeIsNumber is set when the time was a number and not a string.
	timeIsNumber bool
	// unknown is the first key that means nothing to us.
	unknown   []byte
	unknownAt int
}

func (r *record) reset(at int) {
	r.at = at
	r.seen, r.null, r.bad, r.twice, r.plain = 0, 0, 0, 0, 0
	r.timeIsNumber, r.unknown = false, nil
}

// has reports whether a field was there with a value.
func (r *record) has(f field) bool { return (r.seen &^ r.null).has(f) }

// field reads the value of one field into the record.
func (d *Decoder) field(r *record, f field) {
	if f == fOther {
		if r.unknown == nil {
			r.unknown, r.unknownAt = d.s.Key(), d.s.Offset()
		}
		d.s.Skip()
		return
	}
	if r.seen.has(f) {
		r.twice |= f.bit()
		d.s.Skip()
		return
	}
	r.seen |= f.bit()
	r.offset[f] = d.s.Offset()
	kind := d.s.Kind()
	if kind == scan.Null {
		r.null |= f.bit()
		d.s.Null()
		return
	}
	switch {
	case f == fDimension || f == fDimensions:
		if kind != scan.Object {
			r.bad |= f.bit()
		}
		r.text[f] = d.s.Raw()
	case f == fTime && kind == scan.Number:
		r.timeIsNumber = true
		_, r.text[f] = d.s.Number()
	case f == fRecords:
		// An array of records where one can stand is read elsewhere.
		r.bad |= f.bit()
		d.s.Skip()
	case f < textFields:
		d.text(r, f, kind)
	case f < numberFields:
		d.number(r, f, kind)
	default:
		d.s.Skip()
	}
}

// text reads a field whose value is a string.
func (d *Decoder) text(r *record, f field, kind scan.Kind) {
	if kind != scan.String {
		r.bad |= f.bit()
		d.s.Skip()
		return
	}
	var known []byte
	switch f {
	case fResourceID, fResource:
		known = d.resources.last
	case fTime:
		known = d.timeText
	case fTimeGrain, fGrain:
		known = d.grainText
	}
	if d.s.TextIs(known) {
		end := d.s.Offset() - 1
		r.text[f] = d.body[end-len(known) : end]
		r.plain |= f.bit()
		return
	}
	r.text[f] = d.s.Text()
	if d.s.Borrowed(r.text[f]) {
		r.plain |= f.bit()
	}
}

// number reads a field whose value is a number or a string that holds one (facts: events 0).
func (d *Decoder) number(r *record, f field, kind scan.Kind) {
	ok := false
	switch kind {
	case scan.Number:
		r.number[f], _ = d.s.Number()
		ok = !math.IsInf(r.number[f], 0)
	case scan.String:
		r.number[f], ok = scan.ParseNumber(d.s.Text())
	default:
		d.s.Skip()
	}
	if !ok || f == fCount && r.number[f] < 0 {
		r.bad |= f.bit()
	}
}
