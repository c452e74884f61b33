package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a schedule's zone must not depend on what the machine has installed

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// named are the objects in a field, ordered by name, each with its fields checked.
func (o fields) named(name string, most int, known ...string) map[string]fields {
	s, ok := o.sub(name)
	if !ok {
		return nil
	}
	if len(s.at.keys) > most {
		o.wrong(name, "%d are more than %d", len(s.at.keys), most)
	}
	all := map[string]fields{}
	for _, k := range s.at.keys {
		if !nameForm.MatchString(k) {
			s.wrong(k, "a name is a lower-case letter, then letters, digits and _")
		}
		if f, ok := s.sub(k, known...); ok {
			all[k] = f
		}
	}
	return all
}

func sortedNames(m map[string]fields) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

func (o fields) signals(scaleSet string) []scale.Signal {
	all := o.named("signals", maxSignals, "resource", "metric", "dimensions", "aggregation", "unit", "window_seconds",
		"bucket_seconds", "stale_after_seconds", "min_coverage_percent", "trend", "recent_buckets",
		"forecast")
	var signals []scale.Signal
	for _, name := range sortedNames(all) {
		signals = append(signals, all[name].signal(name, scaleSet))
	}
	return signals
}

func (o fields) signal(name, scaleSet string) scale.Signal {
	resource := strings.TrimSuffix(o.text("resource", scaleSet), "/")
	if n := o.fields["resource"]; n != nil && n.kind == text {
		o.checkResource(n.text, resource)
	}
	window := o.whole("window_seconds", 10, day, defaultWindow)
	bucket := o.whole("bucket_seconds", 1, hour, defaultBucket)
	s := scale.Signal{
		Name:     name,
		Resource: strings.ToLower(resource),
		Metric:   strings.ToLower(o.text("metric", required)),
		Aggregation: scale.Aggregation(o.choice("aggregation", string(scale.Average),
			"average", "minimum", "maximum", "total", "count", "last")),
		Unit:        o.text("unit", ""),
		Window:      time.Duration(window) * time.Second,
		Bucket:      time.Duration(bucket) * time.Second,
		StaleAfter:  time.Duration(o.whole("stale_after_seconds", 10, day, defaultStaleAfter)) * time.Second,
		MinCoverage: o.whole("min_coverage_percent", 0, 100, defaultMinCoverage),
		Trend:       o.flag("trend"),
		Recent:      o.whole("recent_buckets", 0, maxRecent, 0),
		Forecast:    o.forecast(),
	}
	s.StaleByFormat = o.fields["stale_after_seconds"] == nil
	switch {
	case window == 0 || bucket == 0:
	case window%bucket != 0:
		o.wrong("window_seconds", "%d is no multiple of bucket_seconds, which is %d", window, bucket)
	case window/bucket > maxBuckets:
		o.wrong("window_seconds", "%d holds %d buckets of %d seconds: at most %d", window, window/bucket, bucket, maxBuckets)
	case s.Recent > window/bucket:
		o.wrong("recent_buckets", "%d are more than the window has, which is %d", s.Recent, window/bucket)
	case s.Trend && window/bucket < minTrend:
		o.wrong("trend", "needs a window of at least %d buckets, and this one has %d", minTrend, window/bucket)
	}
	if s.Forecast != nil && bucket > 0 && window/bucket < forecastBuckets {
		o.wrong("forecast", "needs a window of at least %d buckets, and this one has %d", forecastBuckets, window/bucket)
	}
	if d, ok := o.sub("dimensions"); ok && len(d.at.keys) > 0 {
		s.Dimensions = make(map[string]string, len(d.at.keys))
		for _, k := range d.at.keys {
			s.Dimensions[strings.ToLower(k)] = d.text(k, "")
		}
	}
	return s
}

// checkResource checks what a signal names as its resource.
func (o fields) checkResource(written, resource string) {
	small := strings.ToLower(resource)
	d := o.fields["dimensions"]
	switch {
	case resource == metric.AnyResource && (d == nil || len(d.keys) == 0):
		o.wrong("resource", "* is every resource: dimensions must tell this signal's samples from others")
	case resource == metric.AnyResource:
	case !strings.HasPrefix(resource, "/"):
		o.wrong("resource", "%q is no resource ID: it begins with /; or it is *, with dimensions", written)
	case strings.Contains(resource, "*") && (!strings.HasSuffix(small, "/virtualmachines/*") ||
		strings.Count(resource, "*") > 1 || !strings.Contains(small, "/virtualmachinescalesets/")):
		o.wrong("resource", "%q: the machines of a scale set are SCALE_SET_ID/virtualMachines/*; no other * is understood", written)
	}
}

func (o fields) schedules() []scale.Schedule {
	all := o.named("schedules", maxSchedules, "days", "from", "to", "zone", "starts", "ends")
	var schedules []scale.Schedule
	for _, name := range sortedNames(all) {
		f := all[name]
		s := scale.Schedule{
			Name: name, Days: f.days(), From: f.minute("from", 24*60-1), To: f.minute("to", 24*60), Zone: f.zone(),
			Starts: f.instant("starts"), Ends: f.instant("ends"),
		}
		if !s.Starts.IsZero() && !s.Ends.IsZero() && !s.Starts.Before(s.Ends) {
			f.wrong("ends", "is not after starts")
		}
		schedules = append(schedules, s)
	}
	return schedules
}

// days reads "Mon-Fri", "Sat,Sun", "Fri-Mon".
func (o fields) days() (days [7]bool) {
	s := o.text("days", required)
	if s == "" {
		return days
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, span := strings.Cut(strings.TrimSpace(part), "-")
		if !span {
			last = first
		}
		from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if from < 0 || to < 0 {
			o.wrong("days", "%q is no day nor span of days: Mon, Tue, Wed, Thu, Fri, Sat, Sun, as in \"Mon-Fri\" or \"Sat,Sun\"", part)
			continue
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days
}

// minute reads "07:30" as the minute of the day.
func (o fields) minute(name string, most int) int {
	s := o.text(name, required)
	if s == "" {
		return 0
	}
	var h, m int
	if n, err := fmt.Sscanf(s, "%02d:%02d", &h, &m); n != 2 || err != nil || fmt.Sprintf("%02d:%02d", h, m) != s ||
		m > 59 || h*60+m > most {
		o.wrong(name, "%q is no time of day: 00:00 to %02d:%02d", s, most/60, most%60)
		return 0
	}
	return h*60 + m
}

func (o fields) zone() *time.Location {
	s := o.text("zone", required)
	if s == "" {
		return time.UTC
	}
	if z := o.zones[s]; z != nil {
		return z
	}
	z, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		o.wrong("zone", "%q is no time zone: a name of the IANA database, such as Europe/Berlin or Etc/UTC", s)
		return time.UTC
	}
	o.zones[s] = z
	return z
}

func (o fields) instant(name string) time.Time {
	s := o.text(name, "")
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		o.wrong(name, "%q is no instant: 2026-11-27T00:00:00Z", s)
		return time.Time{}
	}
	return t
}
