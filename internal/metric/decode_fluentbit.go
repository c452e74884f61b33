package metric

import (
	"fmt"

	"trimtab/internal/scan"
)

// fluentBitShape reads a record of Fluent Bit's JSON, as its inputs for processor, memory and disks make them (facts:
// events 1.9). Nothing marks a record as a measurement, so it must name its resource, which a filter of Fluent Bit can
// add, and must not be a line of a log.
var fluentBitShape = shape{
	is:   func(o *object) bool { return o.mark("@timestamp") },
	read: (*Decoder).fluentBit,
	once: []string{"@timestamp", "cloud.resource_id", "resource_id", "resourceid", "vmss"},
}

func (d *Decoder) fluentBit(o *object) {
	p := draft{what: fmt.Sprintf("a record with @timestamp, as Fluent Bit writes them, at byte %d", o.at)}
	if line := o.get("log", "message", "msg"); line != nil {
		d.reject(ReasonUnsupportedFormat, p.what+": a line of a log, not a metric")
		return
	}
	stamp := o.get("@timestamp")
	if stamp == nil {
		d.reject(ReasonMissingField, p.what+" without a time")
		return
	}
	var why string
	if p.at, why = stamp.timeOf(); why != "" {
		d.reject(ReasonBadTime, p.what+": "+why)
		return
	}
	var fields []member
	for _, m := range o.members {
		switch {
		case m.key == stamp.key:
		case m.kind() == scan.String:
			text, _ := m.text()
			p.dimensions = append(p.dimensions, dimension{m.key, text})
		default:
			fields = append(fields, m)
		}
	}
	d.putNumbers(p, fields, func(field string) string { return field })
}
