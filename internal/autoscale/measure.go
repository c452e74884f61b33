package autoscale

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The bounds of a signal's definition: policies/schemas/pool.
const (
	maxWindow  = 24 * time.Hour
	maxBucket  = time.Hour
	maxBuckets = 240
)

// measured reads what a rule measures into it; false where that cannot be had.
func (r *reader) measured(path string, p part, out *rule) bool {
	s := signal{resource: p.text("metricResourceUri"), metric: p.text("metricName")}
	if s.resource == "" {
		s.resource = r.target
	}
	if s.metric == "" {
		r.note(Lost, path+".metricName", "not given")
		return false
	}
	own := strings.EqualFold(strings.TrimRight(s.resource, "/"), strings.TrimRight(r.target, "/"))
	ok := r.spans(path, p, &s, out)
	r.statistics(path, p, &s, out)
	if !r.dimensions(path, p, &s) {
		return false
	}
	out.spread = own && !out.divide && (s.aggregation == "average" || s.aggregation == "minimum" || s.aggregation == "maximum" || s.aggregation == "last")
	r.source(path, p, s, own)
	for _, known := range r.signals {
		if known.same(s) {
			out.signal = known
			return ok
		}
	}
	s.name = r.free(s)
	r.signals = append(r.signals, s)
	out.signal = s
	return ok
}

// spans reads grain and window. The window has whole buckets, of the grain where they are not too many.
func (r *reader) spans(path string, p part, s *signal, out *rule) bool {
	ok := true
	read := func(name string, otherwise time.Duration) time.Duration {
		text := p.text(name)
		if text == "" {
			r.note(Changed, path+"."+name, "not given: %s is taken", short(otherwise))
			return otherwise
		}
		d, err := duration(text)
		if err != nil || d <= 0 {
			r.note(Lost, path+"."+name, "%q is no duration above nothing such as PT5M", text)
			ok = false
		}
		return d
	}
	s.bucket, s.window = read("timeGrain", time.Minute), read("timeWindow", 5*time.Minute)
	if !ok {
		return false
	}
	if s.window < s.bucket {
		r.note(Changed, path+".timeWindow", "%s is shorter than the grain: %s is taken", short(s.window), short(s.bucket))
		s.window = s.bucket
	}
	if s.window > maxWindow {
		r.note(Changed, path+".timeWindow", "%s is more than a signal's window may be: %s is taken", short(s.window), short(maxWindow))
		s.window = maxWindow
	}
	if s.bucket > maxBucket {
		r.note(Changed, path+".timeGrain", "%s is more than a bucket may be: %s is taken", short(s.bucket), short(maxBucket))
		s.bucket = maxBucket
	}
	if rest := s.window % s.bucket; rest != 0 {
		kept := s.window + s.bucket - rest
		r.note(Changed, path+".timeWindow", "%s is no multiple of the grain of %s: %s is taken", short(s.window), short(s.bucket), short(kept))
		s.window = kept
	}
	out.parts = int(s.window / s.bucket)
	if n := s.window / s.bucket; n > maxBuckets {
		grain := s.bucket
		for s.bucket += grain; s.window%s.bucket != 0 || s.window/s.bucket > maxBuckets; s.bucket += grain {
			if s.bucket > maxBucket {
				s.bucket = maxBucket
				s.window = (s.window + s.bucket - 1) / s.bucket * s.bucket
				break
			}
		}
		r.note(Told, path+".timeGrain", "a window of %s is kept in buckets of %s instead of %s, which has the same mean while no sample is missing",
			short(s.window), short(s.bucket), short(grain))
	}
	return true
}

var (
	statistics = map[string]string{
		"average": "average", "avg": "average", "min": "minimum", "minimum": "minimum", "max": "maximum", "maximum": "maximum",
		"sum": "total", "total": "total", "count": "count",
	}
	aggregations = map[string]string{
		"average": "average", "avg": "average", "minimum": "minimum", "min": "minimum", "maximum": "maximum", "max": "maximum",
		"total": "total", "sum": "total", "count": "count", "last": "last",
	}
)

// statistics turns the statistic of a grain and the aggregation over the window into what a signal can be. A mean of
// sums is a sum in parts; what a window does not hold has the nearest that calls for growth no later.
func (r *reader) statistics(path string, p part, s *signal, out *rule) {
	statistic, ok := statistics[strings.ToLower(p.text("statistic"))]
	if !ok {
		statistic = "average"
		r.note(Changed, path+".statistic", "%q is none: Average is taken", p.text("statistic"))
	}
	over, ok := aggregations[strings.ToLower(p.text("timeAggregation"))]
	if !ok {
		over = "average"
		r.note(Changed, path+".timeAggregation", "%q is none: Average is taken", p.text("timeAggregation"))
	}
	parts := out.parts
	out.parts = 1
	switch statistic + " " + over {
	case "average average", "minimum minimum", "maximum maximum", "total total", "count total":
		s.aggregation = statistic
		return
	case "average last":
		s.aggregation = "last"
		return
	case "total average", "count average":
		s.aggregation, out.parts = statistic, parts
		return
	}
	switch {
	case over == "count":
		s.aggregation = "count"
	case statistic == "total" || statistic == "count":
		s.aggregation, out.parts = statistic, parts
	case over == "total":
		s.aggregation = "total"
	case over == "maximum", statistic == "maximum":
		s.aggregation = "maximum"
	default:
		s.aggregation = "average"
	}
	kept := s.aggregation + " of the window"
	if out.parts > 1 {
		kept = fmt.Sprintf("%s of the window in %d parts", s.aggregation, out.parts)
	}
	r.note(Changed, path, "%s over time of %s over a grain is not kept in a window: the %s is taken",
		p.text("timeAggregation"), p.text("statistic"), kept)
}

// dimensions keeps those that ask for one value. A list of several, and all but one, would be another series.
func (r *reader) dimensions(path string, p part, s *signal) bool {
	for i, v := range p.list("dimensions") {
		o, _ := v.(map[string]any)
		d := part{at: o}
		at := fmt.Sprintf("%s.dimensions[%d]", path, i)
		name, operator := d.text("DimensionName"), strings.ToLower(d.text("Operator"))
		if name == "" {
			name = d.text("name")
		}
		var wanted []string
		for _, value := range d.list("Values") {
			wanted = append(wanted, asText(value))
		}
		switch {
		case name == "":
			r.note(Lost, at, "a dimension without a name")
			return false
		case operator != "equals" && operator != "==" && operator != "":
			r.note(Lost, at, "the rule: a signal takes the series with a value of %s, not those without (%s %s)", name, d.text("Operator"), strings.Join(wanted, ", "))
			return false
		case len(wanted) != 1:
			r.note(Lost, at, "the rule: a signal takes one value of %s, or any, not %d of them (%s)", name, len(wanted), strings.Join(wanted, ", "))
			return false
		}
		if s.dimensions == nil {
			s.dimensions = map[string]string{}
		}
		s.dimensions[name] = wanted[0]
	}
	if len(s.dimensions) > 0 {
		r.note(Told, path+".dimensions", "platform exports by diagnostic settings carry no dimensions (facts: events 1.2): send this metric by a data collection rule or as a sample of your own")
	}
	return true
}

// setMetrics are the platform metrics of a scale set, lower-cased (facts: events 2).
var setMetrics = strings.Split("percentage cpu|network in total|network out total|network in|network out|disk read bytes|disk write bytes|"+
	"disk read operations/sec|disk write operations/sec|cpu credits remaining|cpu credits consumed|data disk read bytes/sec|"+
	"data disk write bytes/sec|data disk read operations/sec|data disk write operations/sec|data disk queue depth|"+
	"os disk read bytes/sec|os disk write bytes/sec|os disk read operations/sec|os disk write operations/sec|os disk queue depth|"+
	"inbound flows|outbound flows|inbound flows maximum creation rate|outbound flows maximum creation rate|"+
	"available memory bytes|available memory percentage|vm availability metric (preview)|vmavailabilitymetric|"+
	"premium data disk cache read hit|premium data disk cache read miss|premium os disk cache read hit|premium os disk cache read miss|"+
	"os disk latency|data disk latency|temp disk latency|vm cached bandwidth consumed percentage|vm cached iops consumed percentage|"+
	"vm uncached bandwidth consumed percentage|vm uncached iops consumed percentage|data disk bandwidth consumed percentage|"+
	"data disk iops consumed percentage|os disk bandwidth consumed percentage|os disk iops consumed percentage", "|")

// IsPlatformMetric reports whether a metric, in any case, is one that the platform itself measures of scale sets.
func IsPlatformMetric(metric string) bool {
	return slices.Contains(setMetrics, strings.ToLower(metric))
}

// source says where the samples of a signal must come from, where that is not the platform's own export of the target.
func (r *reader) source(path string, p part, s signal, own bool) {
	known := IsPlatformMetric(s.metric)
	namespace := p.text("metricNamespace")
	switch {
	case !own && p.text("metricResourceUri") != "":
		text := "the metric %q is another resource's: its samples must come to the hub with the resource ID %s"
		if kind := strings.ToLower(s.resource); strings.Contains(kind, "/microsoft.servicebus/") || strings.Contains(kind, "/microsoft.storage/") {
			text += "; queue lengths are in no platform export, something must send them"
		}
		r.note(Told, path+".metricResourceUri", text, s.metric, s.resource)
	case strings.HasPrefix(s.metric, `\`) || strings.HasPrefix(s.metric, "/builtin/"):
		r.note(Told, path+".metricName", "%q is measured in the guest: an agent must send it to the hub under this name", s.metric)
	case !known:
		r.note(Told, path+".metricName", "%q is no platform metric of scale sets that is known here: it must be sent to the hub under this name", s.metric)
	}
	if namespace != "" && !strings.EqualFold(namespace, "microsoft.compute/virtualmachinescalesets") && (known || own) {
		r.note(Changed, path+".metricNamespace", "%s: signals have no namespace, they go by resource and metric name", namespace)
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// slug makes a name as definitions have them of any text.
func slug(text, otherwise string) string {
	s := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(text), "_"), "_")
	if s == "" {
		s = otherwise
	}
	if s[0] < 'a' || s[0] > 'z' {
		s = otherwise + "_" + s
	}
	return strings.TrimRight(s[:min(len(s), 48)], "_")
}

// free is a name for a signal that no other has: the metric's, and what tells it apart where that is taken.
func (r *reader) free(s signal) string {
	base := slug(strings.ReplaceAll(s.metric, "%", " percent "), "metric")
	taken := func(name string) bool {
		return slices.ContainsFunc(r.signals, func(o signal) bool { return o.name == name })
	}
	for _, name := range []string{base, base + "_" + s.aggregation, base + "_" + s.aggregation + "_" + short(s.window)} {
		if !taken(name) {
			return name
		}
	}
	for i := 2; ; i++ {
		if name := fmt.Sprintf("%s_%d", base, i); !taken(name) {
			return name
		}
	}
}
