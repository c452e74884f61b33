package metric_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"trimtab/internal/metric"
)

// The reference decoder says the same as the real one in the obvious way, with encoding/json, and only in which elements
// are samples and what they say. It is slow and has no words for what is wrong.

// member is a field of an object, in order and with its duplicates, which encoding/json would fold away.
type member struct {
	key   string
	value json.RawMessage
}

func members(raw json.RawMessage) (ms []member) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		panic(err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			panic(err)
		}
		m := member{key: key.(string)}
		if err := dec.Decode(&m.value); err != nil {
			panic(err)
		}
		ms = append(ms, m)
	}
	return ms
}

// kindOf is the first byte of a value.
func kindOf(raw json.RawMessage) byte { return bytes.TrimSpace(raw)[0] }

func isNumber(raw json.RawMessage) bool {
	k := kindOf(raw)
	return k == '-' || k >= '0' && k <= '9'
}

func textOf(raw json.RawMessage) (text string, ok bool) {
	if kindOf(raw) != '"' {
		return "", false
	}
	return text, json.Unmarshal(raw, &text) == nil
}

func tooDeep(raw []byte) bool {
	depth, inside := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			if depth++; depth > 64 {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// The formats of the table are not known to the reference: each has tests of its own. These are fields without which
// none of them makes a sample.
var tableFields = []string{
	"data", "data_base64", "fields", "metrics", "resourcemetrics", "kind", "labels", "@timestamp", "type",
}

// referenceDecode returns the samples of a body and the indices of the elements that are none; whole is true when the
// body as a whole is refused, foreign when the reference cannot judge it.
func referenceDecode(body []byte) (samples []decoded, rejected []int, whole, foreign bool) {
	if bytes.HasPrefix(body, []byte("\x1f\x8b")) || bytes.HasPrefix(body, []byte("\x28\xb5\x2f\xfd")) || bytes.HasPrefix(body, []byte("\n")) {
		return nil, nil, false, true
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if len(bytes.Trim(body, " \t\r\n")) == 0 || len(body) > metric.DefaultMaxBody {
		return nil, nil, true, false
	}
	n := 0
	element := func(raw json.RawMessage, inner bool) {
		if kindOf(raw) == '{' {
			m := lowered(members(raw))
			foreign = foreign || referenceFormat(m) == "" && slices.ContainsFunc(tableFields, func(key string) bool { return len(m[key]) > 0 })
			if s, ok := referenceElement(members(raw)); ok {
				s.Element = n
				samples = append(samples, s)
				n++
				return
			}
		}
		rejected = append(rejected, n)
		n++
	}
	top := func(raw json.RawMessage) {
		if kindOf(raw) == '{' {
			if records, ok := referenceRecords(members(raw)); ok {
				for _, r := range records {
					element(r, true)
				}
				return
			}
		}
		element(raw, false)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	end := int64(0)
	for first := true; ; first = false {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if err == io.EOF && !first {
			break
		}
		if err != nil || tooDeep(raw) {
			return nil, nil, true, false
		}
		start := dec.InputOffset() - int64(len(raw))
		if !first && !bytes.Contains(body[end:start], []byte("\n")) {
			return nil, nil, true, false
		}
		end = dec.InputOffset()
		if kindOf(raw) == '[' {
			var elements []json.RawMessage
			if json.Unmarshal(raw, &elements) != nil {
				return nil, nil, true, false
			}
			for _, e := range elements {
				top(e)
			}
		} else {
			top(raw)
		}
	}
	if n > metric.MaxElements {
		return nil, nil, true, false
	}
	return samples, rejected, false, foreign
}

// lowered maps the small form of each key to its values, in order.
func lowered(ms []member) map[string][]json.RawMessage {
	m := map[string][]json.RawMessage{}
	for _, f := range ms {
		key := strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r | 0x20
			}
			return r
		}, f.key)
		m[key] = append(m[key], f.value)
	}
	return m
}

// referenceFormat is what an object claims to be: "own", "records", "platform", or "" for everything else.
func referenceFormat(m map[string][]json.RawMessage) string {
	has := func(keys ...string) bool {
		return !slices.ContainsFunc(keys, func(k string) bool { return len(m[k]) == 0 })
	}
	switch {
	case has("specversion"), has("eventtype", "eventtime", "topic"), has("schemaid"), has("resourcemetrics"):
		return ""
	case has("trimtab"):
		return "own"
	case has("records"):
		return "records"
	case has("metricname"):
		return "platform"
	}
	return ""
}

func referenceRecords(ms []member) (records []json.RawMessage, ok bool) {
	m := lowered(ms)
	if referenceFormat(m) != "records" || len(m["records"]) != 1 || kindOf(m["records"][0]) != '[' {
		return nil, false
	}
	return records, json.Unmarshal(m["records"][0], &records) == nil
}

func referenceElement(ms []member) (d decoded, ok bool) {
	m := lowered(ms)
	resource, name, grain, average := "resourceid", "metricname", "timegrain", "average"
	allowed := []string{resource, name, "time", grain, "unit", "dimension", "dimensions", average, "minimum", "maximum", "total", "count"}
	required := []string{resource, name, "time", grain}
	format := referenceFormat(m)
	switch format {
	case "own":
		resource, name, grain, average = "resource", "metric", "grain", "value"
		allowed = []string{"trimtab", resource, name, "time", grain, "unit", "dimensions", average, "minimum", "maximum", "total", "count"}
		required = []string{"trimtab", resource, name, "time"}
		viewer := []string{"eventprocessedutctime", "partitionid", "eventenqueuedutctime"}
		for key := range m {
			if !slices.Contains(allowed, key) && !slices.Contains(viewer, key) {
				return d, false
			}
		}
	case "platform":
	default:
		return d, false
	}
	value := map[string]json.RawMessage{}
	for _, key := range allowed {
		if len(m[key]) > 1 {
			return d, false
		}
		if len(m[key]) == 1 && kindOf(m[key][0]) != 'n' {
			value[key] = m[key][0]
		}
	}
	for _, key := range required {
		if value[key] == nil {
			return d, false
		}
	}
	if format == "own" {
		if v, ok := referenceNumber(value["trimtab"]); !ok || v != 1 {
			return d, false
		}
	}
	if d.Stats, ok = referenceStats(value, average, format == "own"); !ok {
		return d, false
	}
	if d.At, ok = referenceTime(value["time"]); !ok {
		return d, false
	}
	span := time.Duration(0)
	if value[grain] != nil {
		if span, ok = referenceGrain(value[grain]); !ok {
			return d, false
		}
	}
	d.Grain = span.String()
	if d.Resource, ok = textOf(value[resource]); !ok {
		return d, false
	}
	d.Resource = strings.ToLower(strings.TrimRight(d.Resource, "/"))
	if d.Metric, ok = textOf(value[name]); !ok {
		return d, false
	}
	d.Metric = strings.ToLower(d.Metric)
	if value["unit"] != nil {
		if d.Unit, ok = textOf(value["unit"]); !ok || !referenceName(d.Unit+"x") {
			return d, false
		}
	}
	if value["dimension"] != nil && value["dimensions"] != nil {
		return d, false
	}
	for _, key := range []string{"dimension", "dimensions"} {
		if value[key] != nil {
			if d.Dimensions, ok = referenceDimensions(value[key]); !ok {
				return d, false
			}
		}
	}
	return d, referenceName(d.Resource) && referenceName(d.Metric)
}

// referenceName judges a name; lengths around the limit are left to the tests of the limit.
func referenceName(name string) bool {
	return name != "" && len(name) <= metric.MaxName && !strings.ContainsFunc(name, unicode.IsControl)
}

func referenceNumber(raw json.RawMessage) (v float64, ok bool) {
	if text, is := textOf(raw); is {
		raw = json.RawMessage(text)
		if len(raw) == 0 || strings.TrimSpace(text) != text || !json.Valid(raw) {
			return 0, false
		}
	}
	if !isNumber(raw) {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil && !math.IsInf(v, 0)
}

func referenceStats(value map[string]json.RawMessage, average string, own bool) (map[string]float64, bool) {
	stats := map[string]float64{}
	for key, as := range map[string]string{average: "average", "minimum": "minimum", "maximum": "maximum", "total": "total", "count": "count"} {
		if value[key] == nil {
			continue
		}
		v, ok := referenceNumber(value[key])
		if !ok || as == "count" && v < 0 {
			return nil, false
		}
		stats[as] = v
	}
	count, counted := stats["count"]
	if counted && count == 0 {
		return map[string]float64{"count": 0}, true
	}
	v, averaged := stats["average"]
	if own && averaged && len(stats) == 1 {
		return map[string]float64{"average": v, "minimum": v, "maximum": v, "total": v, "count": 1}, true
	}
	if total, ok := stats["total"]; ok && counted && !averaged {
		stats["average"] = total / count
	}
	if counted {
		return stats, len(stats) > 1
	}
	return stats, len(stats) > 0
}

var (
	isoTime   = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}: ?\d{2}: ?\d{2})(\.\d+)?([Zz]|[+-]\d{2}: ?\d{2})?$`)
	digits    = regexp.MustCompile(`^(\d{1,19})(?:\.(\d+))?$`)
	isoLength = regexp.MustCompile(`^P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)
)

func referenceTime(raw json.RawMessage) (at time.Time, ok bool) {
	text, is := textOf(raw)
	if !is {
		if !isNumber(raw) {
			return at, false
		}
		return referenceEpoch(string(raw))
	}
	if p := isoTime.FindStringSubmatch(text); p != nil {
		zone := strings.ToUpper(strings.ReplaceAll(p[4], " ", ""))
		if zone == "" {
			zone = "Z"
		}
		// time.Parse takes 24:00 as the offset of a zone.
		if len(zone) > 1 && zone[1:3] > "23" {
			return at, false
		}
		at, err := time.Parse(time.RFC3339Nano, p[1]+"T"+strings.ReplaceAll(p[2], " ", "")+p[3]+zone)
		return at.UTC(), err == nil && at.UTC().Year() >= 1970
	}
	if strings.HasSuffix(text, " GMT") || strings.HasSuffix(text, " UTC") {
		at, err := time.Parse("Mon, 02 Jan 2006 15:04:05", text[:len(text)-4])
		return at, err == nil && at.Year() >= 1970
	}
	return referenceEpoch(text)
}

func referenceEpoch(text string) (at time.Time, ok bool) {
	p := digits.FindStringSubmatch(text)
	if p == nil {
		return at, false
	}
	whole, err := strconv.ParseInt(p[1], 10, 64)
	if err != nil {
		return at, false
	}
	fraction, _ := strconv.ParseInt((p[2] + "000000000")[:9], 10, 64)
	for _, unit := range []int64{1e9, 1e6, 1e3, 1} {
		at = time.Unix(whole/(1e9/unit), whole%(1e9/unit)*unit+fraction*unit/1e9).UTC()
		if at.Year() >= 2000 && at.Year() < 2100 {
			return at, true
		}
	}
	return at, false
}

func referenceGrain(raw json.RawMessage) (span time.Duration, ok bool) {
	text, is := textOf(raw)
	p := isoLength.FindStringSubmatch(strings.ToUpper(text))
	if !is || p == nil || p[3] == "T" || p[0] == "P" {
		return 0, false
	}
	hours, last := 0.0, 0
	units := map[int]time.Duration{1: 7 * 24 * time.Hour, 2: 24 * time.Hour, 4: time.Hour, 5: time.Minute, 6: time.Second}
	for i := range units {
		if p[i] != "" {
			last = max(last, i)
		}
	}
	for i, unit := range units {
		if p[i] == "" {
			continue
		}
		d := digits.FindStringSubmatch(p[i])
		if d == nil {
			return 0, false
		}
		whole, err := strconv.ParseInt(d[1], 10, 64)
		if err != nil {
			return 0, false
		}
		fraction, _ := strconv.ParseInt((d[2] + "000000000")[:9], 10, 64)
		if hours += float64(whole) * unit.Hours(); hours > 366*24 || fraction != 0 && i != last {
			return 0, false
		}
		span += time.Duration(whole)*unit + time.Duration(fraction)*(unit/time.Second)
	}
	return span, span <= 366*24*time.Hour
}

func referenceDimensions(raw json.RawMessage) (string, bool) {
	if kindOf(raw) != '{' {
		return "", false
	}
	values := map[string]string{}
	var keys []string
	for _, m := range members(raw) {
		key := strings.ToLower(m.key)
		value, ok := textOf(m.value)
		if _, twice := values[key]; twice || !ok || !referenceName(key) || strings.ContainsFunc(value, unicode.IsControl) {
			return "", false
		}
		values[key] = value
		keys = append(keys, key)
	}
	escape := func(s string) string {
		for _, c := range []string{`\`, `,`, `=`} {
			s = strings.ReplaceAll(s, c, `\`+c)
		}
		return s
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(escape(a), escape(b)) })
	var pairs []string
	for _, key := range keys {
		pairs = append(pairs, escape(key)+"="+escape(values[key]))
	}
	joined := strings.Join(pairs, ",")
	return joined, len(joined) < metric.MaxName
}
