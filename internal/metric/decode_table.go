package metric

import (
	"fmt"
	"strings"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// tableShape reads rows of Application Insights' tables, as diagnostic settings and a workspace's data export write
// them (facts: events 1.3). Of the tables only AppMetrics holds measurements.
var tableShape = shape{
	is:     func(o *object) bool { return strings.HasPrefix(o.text("type"), "App") },
	read:   (*Decoder).tableRow,
	format: scale.FormatTable,
	once: []string{
		"type", "name", "sum", "min", "max", "itemcount", "time", "timegenerated", "resourceid", "_resourceid", "properties",
		"approlename", "approleinstance",
	},
}

// What the SDKs of Application Insights write about a metric beside its dimensions.
const (
	ownProperty      = "_ms."
	intervalProperty = "_MS.AggregationIntervalMs"
)

func (d *Decoder) tableRow(o *object) {
	table := o.text("type")
	p := draft{what: fmt.Sprintf("a row of %s at byte %d", clip([]byte(table)), o.at)}
	if table != "AppMetrics" {
		d.reject(ReasonUnsupportedFormat, p.what+": of the tables only AppMetrics is read")
		return
	}
	p.metric, p.resource = o.text("name"), o.text("resourceid", "_resourceid")
	stats, bad := o.statsOf(statNames{minimum: "min", maximum: "max", total: "sum", count: "itemcount"})
	if bad != nil {
		d.reject(ReasonBadNumber, p.what+": want a finite number; "+bad.where())
		return
	}
	p.stats = settled(stats)
	var why string
	if at := o.get("time", "timegenerated"); at != nil {
		if p.at, why = at.timeOf(); why != "" {
			d.reject(ReasonBadTime, p.what+": "+why)
			return
		}
	}
	properties, why := dimensionsOf(o.get("properties"))
	if why != "" {
		d.reject(ReasonBadDimension, p.what+": "+why)
		return
	}
	for _, e := range properties {
		switch {
		case strings.EqualFold(e.key, intervalProperty):
			// An unreadable interval leaves a point in time, which is true as well.
			if ms, ok := scan.ParseNumber([]byte(e.value)); ok {
				p.grain, _ = millis(ms)
			}
		case !strings.HasPrefix(strings.ToLower(e.key), ownProperty):
			p.dimensions = append(p.dimensions, e)
		}
	}
	// Two instances of one role send at one instant under one name.
	for _, key := range [...]string{"approlename", "approleinstance"} {
		if value := o.text(key); value != "" {
			p.dimensions = append(p.dimensions, dimension{key, value})
		}
	}
	d.put(p)
}
