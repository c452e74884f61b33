package metric

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// envelope is what is wrapped around data: a CloudEvent, or an event of Event Grid's own schema.
type envelope struct {
	// name is for messages: `a CloudEvent (type "x")`.
	name string
	// resource and at serve data that says neither; both may be missing.
	resource string
	at       time.Time
	// reason and thing are set for notifications of Azure, whose data is a notice and nothing else.
	reason, thing string
	// beside says that the envelope is not in the body but in the properties of the event.
	beside bool
}

var cloudEventShape = shape{
	is:       func(o *object) bool { return o.mark("specversion") },
	read:     (*Decoder).cloudEvent,
	once:     []string{"specversion", "type", "source", "subject", "time", "data", "data_base64", "datacontenttype"},
	envelope: true,
}

// mark reports whether a field is there, be it null.
func (o *object) mark(key string) bool {
	for i := range o.members {
		if o.members[i].key == key {
			return true
		}
	}
	return false
}

// cloudEvent reads a CloudEvent in structured mode, one of an array too (facts: events 1.5).
func (d *Decoder) cloudEvent(o *object) {
	e := newCloudEvent(o.text("type"), o.text("subject"), o.text("source"))
	if at := o.get("time"); at != nil {
		e.at, _ = at.timeOf()
	}
	what := fmt.Sprintf("%s at byte %d", e.name, o.at)
	if version := o.text("specversion"); version != "1.0" {
		d.reject(ReasonUnsupportedVersion, fmt.Sprintf("%s: want specversion 1.0, got %s", what, clip([]byte(version))))
		return
	}
	data, coded := o.get("data"), o.get("data_base64")
	switch {
	case data != nil && coded != nil:
		d.reject(ReasonDuplicateField, what+": data stands there besides data_base64")
	case data != nil:
		d.open(e, data.raw, data.at)
	case coded != nil:
		text, _ := coded.text()
		plain, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(plain) == 0 {
			d.reject(ReasonBadField, what+": want base64; "+coded.where())
			return
		}
		d.open(e, plain, 0)
	default:
		d.reject(ReasonMissingField, what+" without data")
	}
}

// newCloudEvent makes an envelope of the attributes that matter. The resource is the subject or the source, the one of
// them that is an ARM resource ID first. A source that is a mere word names the sender, as Telegraf's does.
func newCloudEvent(kind, subject, source string) envelope {
	e := envelope{name: fmt.Sprintf("a CloudEvent (type %s)", clip([]byte(kind))), resource: subject}
	if !strings.Contains(source, "/") {
		source = ""
	}
	if isARM(source) && !isARM(subject) || subject == "" {
		e.resource = source
	}
	e.reason, e.thing = notification(kind)
	return e
}

func isARM(id string) bool {
	const prefix = "/subscriptions/"
	return len(id) > len(prefix) && strings.EqualFold(id[:len(prefix)], prefix)
}

var eventGridShape = shape{
	is:       func(o *object) bool { return o.mark("eventtype") && o.mark("eventtime") && o.mark("topic") },
	read:     (*Decoder).eventGrid,
	once:     []string{"eventtype", "eventtime", "subject", "data"},
	envelope: true,
}

// eventGrid reads an event of Event Grid's own schema. Its topic is where it was published and not what was measured,
// so only the subject may name the resource.
func (d *Decoder) eventGrid(o *object) {
	e := envelope{name: fmt.Sprintf("an Event Grid event (eventType %s)", clip([]byte(o.text("eventtype")))), resource: o.text("subject")}
	if at := o.get("eventtime"); at != nil {
		e.at, _ = at.timeOf()
	}
	what := fmt.Sprintf("%s at byte %d", e.name, o.at)
	e.reason, e.thing = notification(o.text("eventtype"))
	data := o.get("data")
	if data == nil {
		d.reject(ReasonMissingField, what+" without data")
		return
	}
	d.open(e, data.raw, data.at)
}

// open reads the data of an envelope as a body of its own, at a place of the body around it. Data that is unreadable as
// a whole is one rejection, and costs nobody else.
func (d *Decoder) open(e envelope, data []byte, at int) {
	if d.envelope != nil && !d.envelope.beside {
		d.reject(ReasonUnsupportedFormat, fmt.Sprintf("%s in an envelope already; send it by itself", e.name))
		return
	}
	s, outer, inner, body, base, around := d.s, d.outer, d.inner, d.body, d.base, d.envelope
	before := d.mark()
	d.s, d.body, d.base, d.envelope = scan.Scanner{}, data, at, &e
	if reason, detail := d.read(); reason != "" && !d.tooMany {
		d.rewind(before)
		d.reject(reason, detail)
	}
	d.s, d.outer, d.inner, d.body, d.base, d.envelope = s, outer, inner, body, base, around
}

// place is a point to which what was decoded can be taken back.
type place struct{ element, samples, rejected, notices int }

func (d *Decoder) mark() place {
	return place{d.element, len(d.samples), len(d.rejected), len(d.notices)}
}

func (d *Decoder) rewind(p place) {
	d.element, d.samples, d.rejected, d.notices = p.element, d.samples[:p.samples], d.rejected[:p.rejected], d.notices[:p.notices]
}

// readingShape is the plain way to write one reading as the data of an envelope, which may then leave out what the
// envelope says: {"metricName":"queue_depth","value":1280} (facts: events 1.5). Outside of an envelope nothing so bare
// is taken for a measurement.
var readingShape = shape{
	is: func(o *object) bool {
		return o.get("metricname", "metric", "name") != nil && o.get("value", "average", "minimum", "maximum", "total", "count") != nil
	},
	read: (*Decoder).reading,
	once: []string{
		"metricname", "metric", "name", "resourceid", "resource", "time", "timestamp", "timegrain", "grain", "unit", "dimensions",
		"dimension", "tags", "value", "average", "minimum", "maximum", "total", "count",
	},
}

func (d *Decoder) reading(o *object) {
	p := draft{what: fmt.Sprintf("a reading at byte %d", o.at), resource: o.text("resourceid", "resource"), unit: o.text("unit")}
	if d.envelope == nil {
		d.reject(ReasonUnknownFormat, p.what+" without an envelope; right would be a trimtab sample: policies/schemas/sample/schema.json")
		return
	}
	p.metric = o.text("metricname", "metric", "name")
	stats, bad := o.statsOf(statNames{"average", "minimum", "maximum", "total", "count"})
	if value := o.get("value"); value != nil && bad == nil {
		v, ok := value.number()
		switch {
		case !ok:
			bad = value
		case stats.Has == 0:
			stats = lone(v)
		case stats.Has&scale.HasAverage == 0:
			stats.Average, stats.Has = v, stats.Has|scale.HasAverage
		}
	}
	if bad != nil {
		d.reject(ReasonBadNumber, p.what+": want a finite number; "+bad.where())
		return
	}
	p.stats = settled(stats)
	p.at = d.envelope.at
	var why string
	if at := o.get("time", "timestamp"); at != nil {
		if p.at, why = at.timeOf(); why != "" {
			d.reject(ReasonBadTime, p.what+": "+why)
			return
		}
	}
	if grain := o.get("timegrain", "grain"); grain != nil {
		text, _ := grain.text()
		if p.grain, why = sampleGrain([]byte(text)); why != "" {
			d.reject(ReasonBadGrain, p.what+": "+grain.where()+" "+why)
			return
		}
	}
	if p.dimensions, why = dimensionsOf(o.get("dimensions", "dimension", "tags")); why != "" {
		d.reject(ReasonBadDimension, p.what+": "+why)
		return
	}
	d.put(p)
}
