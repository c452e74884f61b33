package metric

import (
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scan"
)

// telegrafShape reads one metric of Telegraf's JSON serializer, which is also the data of its CloudEvents (facts: events
// 1.9). Each field that is a number is a sample of its own.
var telegrafShape = shape{
	is:   func(o *object) bool { return o.mark("fields") && o.mark("name") && o.mark("tags") },
	read: (*Decoder).telegraf,
	once: []string{"fields", "name", "tags", "timestamp"},
}

// telegrafBatchShape reads what Telegraf writes of several metrics.
var telegrafBatchShape = shape{
	is: func(o *object) bool { m := o.get("metrics"); return m != nil && m.kind() == scan.Array },
	read: func(d *Decoder, o *object) {
		batch := o.get("metrics")
		var s scan.Scanner
		s.Reset(batch.raw)
		for s.Array(); !d.tooMany && s.Element(); {
			at := batch.at + s.Offset()
			metric, ok := (*object)(nil), false
			if s.Kind() == scan.Object {
				metric, ok = objectOf(s.Raw(), at)
			} else {
				s.Skip()
			}
			if !ok || !telegrafShape.is(metric) {
				d.reject(ReasonBadElement, fmt.Sprintf("an element of metrics at byte %d that is no Telegraf metric: want fields, name and tags", at))
				continue
			}
			d.telegraf(metric)
		}
	},
	once: []string{"metrics"},
}

// plainField is the field that needs no name besides its measurement's, as Telegraf's own outputs have it.
const plainField = "value"

func (d *Decoder) telegraf(o *object) {
	name := o.text("name")
	p := draft{tagged: true, what: fmt.Sprintf("a Telegraf metric (name %s) at byte %d", clip([]byte(name)), o.at)}
	at := o.get("timestamp")
	if at == nil {
		d.reject(ReasonMissingField, p.what+" without timestamp")
		return
	}
	var why string
	if p.at, why = at.timeOf(); why != "" {
		d.reject(ReasonBadTime, p.what+": "+why)
		return
	}
	if p.dimensions, why = dimensionsOf(o.get("tags")); why != "" {
		d.reject(ReasonBadDimension, p.what+": "+why)
		return
	}
	fields := o.get("fields").inner()
	if fields == nil {
		d.reject(ReasonBadField, p.what+": want an object of at most "+fmt.Sprint(MaxElements)+" fields under fields")
		return
	}
	if name == "" {
		d.reject(ReasonBadName, p.what+": the name is empty or no string")
		return
	}
	d.putNumbers(p, fields.members, func(field string) string {
		if field == plainField {
			return name
		}
		return name + "_" + field
	})
}

// putNumbers ends an element as one sample for each of its fields that is a number. Fields of other kinds are text
// beside the measurements; an element without a number is a rejection.
func (d *Decoder) putNumbers(p draft, fields []member, called func(field string) string) {
	if !d.locate(&p) {
		return
	}
	seen, what, numbers := make(map[string]bool), p.what, 0
	for i := range fields {
		m := &fields[i]
		if m.kind() != scan.Number {
			continue
		}
		if d.tooMany {
			return
		}
		numbers++
		p.what = what + ", field " + clip([]byte(m.key))
		v, ok := m.number()
		switch {
		case seen[m.key]:
			d.reject(ReasonDuplicateField, p.what+" stands there more than once")
		case !ok:
			d.reject(ReasonBadNumber, p.what+": want a finite number; "+m.where())
		default:
			p.metric, p.stats = called(m.key), lone(v)
			d.put(p)
		}
		seen[m.key] = true
	}
	if numbers == 0 {
		d.reject(ReasonMissingField, what+" without a field that is a number")
	}
}

// millis is a span of milliseconds; false if that is no sensible one.
func millis(ms float64) (time.Duration, bool) {
	if !(ms > 0) || ms > float64(maxGrain/time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}

// prefixed joins a namespace and a name as the ecosystem of Prometheus does.
func prefixed(namespace, name string) string {
	return strings.TrimPrefix(namespace+"_"+name, "_")
}
