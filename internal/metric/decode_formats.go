package metric

import (
	"fmt"
	"math"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// shape is one format of elements beside the two that the Decoder reads on its way: a file of its own, a test, and a
// row in docs/signals.md. An element belongs to the first shape whose is says so.
type shape struct {
	// is judges by the names of the fields alone, or by the values of very few.
	is func(*object) bool
	// read ends the element as any number of samples and rejections, at least one unless there was nothing in it.
	read func(*Decoder, *object)
	// once are the fields, in small letters, that must not stand there twice in whatever casing.
	once []string
	// envelope says that the element wraps others. An envelope within an envelope is not opened: what it costs to look
	// into a body must not grow with how its sender folded it.
	envelope bool
	// format is what samples of it count as, an agent's unless given.
	format scale.Format
}

// shapes are the formats in the order in which they are tried, the surest marks first (facts: events 0). The function
// stands for a table because the formats that wrap others lead back to it.
func shapes() []shape {
	return []shape{
		cloudEventShape, eventGridShape, alertShape, otlpShape, otlpOtherShape, tableShape, logShape, telegrafShape,
		telegrafBatchShape, vectorShape, prometheusShape, autoscaleShape, fluentBitShape, readingShape,
	}
}

// foreign ends an element that is neither a platform metric nor one of Trimtab's own samples. It reads the element a
// second time: what is common pays nothing for what is not.
func (d *Decoder) foreign(r *record) {
	o, ok := objectOf(d.body[r.at:d.s.Offset()], r.at+d.base)
	if !ok {
		d.reject(ReasonTooManyElements, fmt.Sprintf("an object at byte %d of more than %d fields", o.at, MaxElements))
		return
	}
	if d.envelope != nil && d.envelope.reason != "" {
		d.notified(o)
		return
	}
	for i := range d.shapes {
		f := &d.shapes[i]
		if !f.is(o) {
			continue
		}
		if key, at := o.twice(f.once); key != "" {
			d.reject(ReasonDuplicateField, fmt.Sprintf("%s at byte %d stands there more than once", key, at))
			return
		}
		if !f.envelope {
			d.format = f.format
			defer func() { d.format = scale.FormatUnknown }()
		}
		f.read(d, o)
		return
	}
	d.reject(ReasonUnknownFormat, fmt.Sprintf("an object without metricName, trimtab or records at byte %d, and of no "+
		"format that docs/signals.md tells of", o.at))
}

// object is an element of the table's formats: its fields in order, their names in small letters.
type object struct {
	at      int
	members []member
}

// member is a field of an object. Raw is its value as it was written, at the place of that in the body.
type member struct {
	key string
	raw []byte
	at  int
}

// objectOf takes an object apart that has been found well formed and lies at a place of the body; ok is false if it has
// too many fields.
func objectOf(raw []byte, at int) (o *object, ok bool) {
	o = &object{at: at}
	var s scan.Scanner
	s.Reset(raw)
	for s.Object(); s.Field(); {
		if len(o.members) == MaxElements {
			return o, false
		}
		key := string(small(nil, s.Key()))
		s.Kind()
		from := s.Offset()
		o.members = append(o.members, member{key, s.Raw(), at + from})
	}
	return o, true
}

// get is the first of the named fields that is there with a value, nil if none is.
func (o *object) get(keys ...string) *member {
	for _, key := range keys {
		for i := range o.members {
			if m := &o.members[i]; m.key == key && m.kind() != scan.Null {
				return m
			}
		}
	}
	return nil
}

func (o *object) has(keys ...string) bool {
	for _, key := range keys {
		if o.get(key) == nil {
			return false
		}
	}
	return true
}

// text is the value of a field that is a string, "" if it is none.
func (o *object) text(keys ...string) string {
	if m := o.get(keys...); m != nil {
		text, _ := m.text()
		return text
	}
	return ""
}

func (o *object) twice(keys []string) (key string, at int) {
	for _, key := range keys {
		n := 0
		for i := range o.members {
			if o.members[i].key != key {
				continue
			}
			if n++; n > 1 {
				return key, o.members[i].at
			}
		}
	}
	return "", 0
}

func (m *member) kind() scan.Kind {
	var s scan.Scanner
	s.Reset(m.raw)
	return s.Kind()
}

func (m *member) text() (text string, ok bool) {
	if m.kind() != scan.String {
		return "", false
	}
	var s scan.Scanner
	s.Reset(m.raw)
	return string(s.Text()), true
}

// number is the value of a field that is a number, or a string that holds one (facts: events 0).
func (m *member) number() (v float64, ok bool) {
	var s scan.Scanner
	s.Reset(m.raw)
	switch s.Kind() {
	case scan.Number:
		v, _ = s.Number()
		return v, !math.IsInf(v, 0)
	case scan.String:
		return scan.ParseNumber(s.Text())
	}
	return 0, false
}

// inner is the value of a field that is an object, nil if it is none or has too many fields.
func (m *member) inner() *object {
	if m == nil || m.kind() != scan.Object {
		return nil
	}
	o, ok := objectOf(m.raw, m.at)
	if !ok {
		return nil
	}
	return o
}

// where names a field for messages, with its value shortened.
func (m *member) where() string {
	raw := string(m.raw)
	if len(raw) > 64 {
		raw = fmt.Sprintf("%+q…", raw[:64])
	}
	return fmt.Sprintf("%s at byte %d: got %s", m.key, m.at, raw)
}

// statNames are what a format calls the statistics; an empty name is of one that it does not have.
type statNames struct{ average, minimum, maximum, total, count string }

// statsOf collects the statistics of an object; bad is the first that is no fitting number.
func (o *object) statsOf(names statNames) (s scale.Stats, bad *member) {
	for _, f := range [...]struct {
		key  string
		has  scale.Has
		into *float64
	}{
		{names.average, scale.HasAverage, &s.Average},
		{names.minimum, scale.HasMinimum, &s.Minimum},
		{names.maximum, scale.HasMaximum, &s.Maximum},
		{names.total, scale.HasTotal, &s.Total},
		{names.count, scale.HasCount, &s.Count},
	} {
		m := o.get(f.key)
		if f.key == "" || m == nil {
			continue
		}
		v, ok := m.number()
		if !ok || f.has == scale.HasCount && v < 0 {
			return s, m
		}
		*f.into, s.Has = v, s.Has|f.has
	}
	return s, nil
}

// lone is one measurement, and all that can be said of one.
func lone(v float64) scale.Stats {
	const all = scale.HasAverage | scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount
	return scale.Stats{Has: all, Average: v, Minimum: v, Maximum: v, Total: v, Count: 1}
}

// unmeasured says that nothing was measured, which is not a measured zero.
var unmeasured = scale.Stats{Has: scale.HasCount}

// settled makes of the statistics as they were sent those that count: a count of 0 takes the zeros beside it away, for
// they are no measurements, and total and count make an average (facts: events 1.1).
func settled(s scale.Stats) scale.Stats {
	switch {
	case s.Has&scale.HasCount != 0 && s.Count == 0:
		return unmeasured
	case s.Has&scale.HasAverage == 0 && s.Has&scale.HasTotal != 0 && s.Has&scale.HasCount != 0:
		s.Average, s.Has = s.Total/s.Count, s.Has|scale.HasAverage
	}
	return s
}
