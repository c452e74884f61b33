package metric

import (
	"fmt"
	"math"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// vectorShape reads a metric of Vector's native JSON (facts: events 1.9): a name, a kind, and a value under the name of
// its type.
var vectorShape = shape{
	is: func(o *object) bool {
		if o.text("kind") != "absolute" && o.text("kind") != "incremental" || !o.mark("name") {
			return false
		}
		return vectorValue(o) != nil
	},
	read: (*Decoder).vector,
	once: append([]string{"name", "namespace", "kind", "tags", "timestamp", "interval_ms"}, vectorTypes...),
}

var vectorTypes = []string{"gauge", "counter", "distribution", "aggregated_histogram", "aggregated_summary", "set", "sketch"}

func vectorValue(o *object) *member { return o.get(vectorTypes...) }

func (d *Decoder) vector(o *object) {
	value, kind := vectorValue(o), o.text("kind")
	p := draft{tagged: true, what: fmt.Sprintf("a Vector metric (%s %s, name %s) at byte %d", kind, value.key, clip([]byte(o.text("name"))), o.at)}
	inner := value.inner()
	if inner == nil {
		d.reject(ReasonBadField, p.what+": want an object; "+value.where())
		return
	}
	if o.text("name") == "" {
		d.reject(ReasonBadName, p.what+": the name is empty or no string")
		return
	}
	p.metric = prefixed(o.text("namespace"), o.text("name"))
	var bad *member
	switch {
	case value.key == "set" || value.key == "sketch" || value.key == "gauge" && kind == "incremental":
		d.reject(ReasonUnsupportedFormat, p.what+": no statistic can be made of it")
		return
	case value.key == "gauge":
		var s scale.Stats
		s, bad = inner.statsOf(statNames{average: "value"})
		if p.stats = s; s.Has != 0 {
			p.stats = lone(s.Average)
		}
	case value.key == "counter":
		p.stats, bad = inner.statsOf(statNames{total: "value"})
	case value.key == "distribution":
		p.stats, bad = distribution(inner)
	default:
		p.stats, bad = inner.statsOf(statNames{total: "sum", count: "count"})
		p.stats = settled(p.stats)
	}
	if bad != nil {
		d.reject(ReasonBadNumber, p.what+": want a finite number; "+bad.where())
		return
	}
	if kind == "absolute" && value.key != "gauge" && value.key != "distribution" {
		// What is absolute and no gauge counts up from a beginning that is not told.
		p.running = &scale.Running{}
		if value.key != "counter" {
			p.stats, _ = inner.statsOf(statNames{total: "sum", count: "count"})
		}
	}
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
	if interval := o.get("interval_ms"); interval != nil && p.running == nil {
		ms, _ := interval.number()
		if span, ok := millis(ms); ok {
			// The timestamp is when the interval ended.
			p.at, p.grain = p.at.Add(-span), span
		}
	}
	if p.dimensions, why = dimensionsOf(o.get("tags")); why != "" {
		d.reject(ReasonBadDimension, p.what+": "+why)
		return
	}
	d.put(p)
}

// distribution sums up the samples of a distribution, each of which was seen so many times as its rate says.
func distribution(o *object) (s scale.Stats, bad *member) {
	samples := o.get("samples")
	if samples == nil || samples.kind() != scan.Array {
		return s, samples
	}
	s = scale.Stats{Minimum: math.Inf(1), Maximum: math.Inf(-1)}
	var in scan.Scanner
	in.Reset(samples.raw)
	for in.Array(); in.Element(); {
		from := in.Offset()
		raw := in.Raw()
		e := (&member{raw: raw, at: samples.at + from}).inner()
		if e == nil || !e.has("value", "rate") {
			return s, samples
		}
		v, ok := e.get("value").number()
		rate, ok2 := e.get("rate").number()
		if !ok || !ok2 || rate < 0 {
			return s, samples
		}
		if rate > 0 {
			s.Minimum, s.Maximum = min(s.Minimum, v), max(s.Maximum, v)
			s.Total, s.Count = s.Total+v*rate, s.Count+rate
		}
	}
	s.Has = scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount
	return settled(s), nil
}
