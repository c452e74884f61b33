package metric_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

const (
	webVMSS  = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourcegroups/rg-web/providers/microsoft.compute/virtualmachinescalesets/web-vmss"
	nineZero = "2026-05-04T09:03:00Z"
)

// fieldsOf writes the fields of an object in order: name, value, name, value, the values as JSON.
func fieldsOf(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", pairs[i], pairs[i+1])
	}
	return "{" + b.String() + "}"
}

// replaced is an object's fields with some of them replaced; an empty value takes a field out, a new name is appended.
func replaced(pairs []string, changes ...string) string {
	out := append([]string(nil), pairs...)
next:
	for i := 0; i < len(changes); i += 2 {
		for j := 0; j < len(out); j += 2 {
			if out[j] == changes[i] {
				if changes[i+1] == "" {
					out = append(out[:j], out[j+2:]...)
				} else {
					out[j+1] = changes[i+1]
				}
				continue next
			}
		}
		out = append(out, changes[i], changes[i+1])
	}
	return fieldsOf(out...)
}

func platform(changes ...string) string {
	return replaced([]string{
		"count", "4", "total", "289.4", "minimum", "55.1", "maximum", "91.2", "average", "72.35",
		"resourceId", `"` + strings.ToUpper(webVMSS) + `"`, "time", `"2026-05-04T09:03:00.0000000Z"`,
		"metricName", `"Percentage CPU"`, "timeGrain", `"PT1M"`,
	}, changes...)
}

func exported(changes ...string) string {
	return replaced([]string{
		"Average", `"72.35"`, "Count", `"4"`, "Maximum", `"91.2"`, "Minimum", `"55.1"`, "Total", `"289.4"`,
		"resourceId", `"` + webVMSS + `"`, "time", `"2026-05-04T09:03:00.0000000Z"`, "unit", `"Percent"`,
		"metricName", `"Percentage CPU"`, "timeGrain", `"PT1M"`, "dimension", `{"VMName":"web-vmss_3"}`,
	}, changes...)
}

func own(changes ...string) string {
	return replaced([]string{
		"trimtab", "1", "resource", `"orders"`, "metric", `"queue_depth"`, "time", `"2026-05-04T09:03:10Z"`, "value", "1280",
	}, changes...)
}

func stats(pairs ...any) map[string]float64 {
	m := map[string]float64{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1].(float64)
	}
	return m
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// cpu is what platform() says.
func cpu(element int, change ...func(*decoded)) decoded {
	d := decoded{
		Element: element, Resource: webVMSS, Metric: "percentage cpu", At: at(nineZero), Grain: "1m0s",
		Stats: stats("average", 72.35, "count", 4.0, "maximum", 91.2, "minimum", 55.1, "total", 289.4),
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

// depth is what own() says.
func depth(element int, change ...func(*decoded)) decoded {
	d := decoded{
		Element: element, Resource: "orders", Metric: "queue_depth", At: at("2026-05-04T09:03:10Z"), Grain: "0s",
		Stats: stats("average", 1280.0, "count", 1.0, "maximum", 1280.0, "minimum", 1280.0, "total", 1280.0),
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func with(s map[string]float64) func(*decoded) { return func(d *decoded) { d.Stats = s } }

func dimensioned(dimensions string) func(*decoded) {
	return func(d *decoded) { d.Dimensions = dimensions }
}

func export(element int, change ...func(*decoded)) decoded {
	return cpu(element, append([]func(*decoded){func(d *decoded) {
		d.Unit, d.Dimensions = "Percent", "vmname=web-vmss_3"
	}}, change...)...)
}

// refused is a rejection: its detail must contain all the fragments.
type refused struct {
	element int
	reason  string
	detail  []string
}

func whole(reason string, detail ...string) []refused {
	return []refused{{metric.WholeBody, reason, detail}}
}

func first(reason string, detail ...string) []refused { return []refused{{0, reason, detail}} }

type decodeCase struct {
	name, body string
	samples    []decoded
	refused    []refused
}

func check(t *testing.T, cases []decodeCase) {
	t.Helper()
	d := metric.NewDecoder()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			samples, rejected := d.Decode([]byte(c.body), scale.Source{})
			var got []decoded
			for _, s := range samples {
				got = append(got, readable(s))
			}
			if diff := cmp.Diff(c.samples, got); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
			if len(rejected) != len(c.refused) {
				t.Fatalf("rejections: got %+v, want %+v", rejected, c.refused)
			}
			for i, r := range rejected {
				want := c.refused[i]
				if r.Element != want.element || r.Reason != want.reason {
					t.Errorf("got %+v, want %+v", r, want)
				}
				for _, fragment := range want.detail {
					if !strings.Contains(r.Detail, fragment) {
						t.Errorf("detail %q says nothing of %q", r.Detail, fragment)
					}
				}
			}
		})
	}
}

func TestShapes(t *testing.T) {
	check(t, []decodeCase{
		{"records", `{"records":[` + platform() + `,` + platform() + `]}`, []decoded{cpu(0), cpu(1)}, nil},
		{"a bare array", `[` + platform() + `,` + exported() + `]`, []decoded{cpu(0), export(1)}, nil},
		{"a single object", exported(), []decoded{export(0)}, nil},
		{
			"an array of wrapped records, elements counted through", `[{"records":[` + platform() + `,5]},{"records":[]},{"records":[` + platform() + `]}]`,
			[]decoded{cpu(0), cpu(2)},
			[]refused{{1, metric.ReasonBadElement, nil}},
		},
		{"wrapped and bare records mixed", `[{"records":[` + platform() + `]},` + own() + `]`, []decoded{cpu(0), depth(1)}, nil},
		{"a viewer's fields beside the records", `[{"EventProcessedUtcTime":"2026-05-04T09:09:00Z","PartitionId":0,"records":[` + platform() +
			`],"EventEnqueuedUtcTime":"2026-05-04T09:08:00Z"}]`, []decoded{cpu(0)}, nil},
		{"a viewer's fields within a sample", own("PartitionId", "3", "EventEnqueuedUtcTime", "null"), []decoded{depth(0)}, nil},
		{"several samples on a line each", own() + "\n" + own() + "\r\n\r\n" + platform() + "\n", []decoded{depth(0), depth(1), cpu(2)}, nil},
		{"two values on one line", own() + " " + own(), nil, whole(metric.ReasonBadJSON, "a line each")},
		{"lines, the last one broken", own() + "\n" + own()[:40], nil, whole(metric.ReasonBadJSON, "ends too early")},
		{"no records", `{"records":[]}`, nil, nil},
		{"an empty array", `[]`, nil, nil},
		{"records that are null", `{"records":null}`, nil, first(metric.ReasonBadField, "records at byte 11", "want an array, got null")},
		{"records that are an object", `{"records":{"a":1}}`, nil, first(metric.ReasonBadField, `got {"a":1}`)},
		{"records twice", `{"records":[` + platform() + `],"Records":[]}`, nil, first(metric.ReasonDuplicateField, "records at byte 11")},
		{"records within records", `{"records":[{"records":[` + platform() + `]}]}`, nil, first(metric.ReasonUnknownFormat, "within records")},
		{
			"elements that are null", `{"records":[null,` + platform() + `,null]}`,
			[]decoded{cpu(1)},
			[]refused{{0, metric.ReasonBadElement, []string{"null at byte 12"}}, {2, metric.ReasonBadElement, nil}},
		},
		{"an array within an array", `[[` + platform() + `]]`, nil, first(metric.ReasonBadElement, "an array at byte 1")},
		{"white space everywhere", " \n[ { \"records\" : [ " + platform() + " ] } ] \n ", []decoded{cpu(0)}, nil},
		{"capitals in keys", strings.NewReplacer("resourceId", "RESOURCEID", "timeGrain", "TimeGrain").Replace(platform()), []decoded{cpu(0)}, nil},
		{
			"escapes in keys and values", strings.NewReplacer("average", `aver\u0061ge`, "PERCENT", "PERCENT").Replace(platform("metricName", `"\u0050ercentage CPU"`)),
			[]decoded{cpu(0)},
			nil,
		},
		{
			"a platform metric and a log in one array", `{"records":[{"category":"AuditEvent"},` + platform() + `]}`,
			[]decoded{cpu(1)},
			first(metric.ReasonUnsupportedFormat, "resource log", "AuditEvent"),
		},
		{"a foreign mark after the records", `{"records":[` + platform() + `],"specversion":"1.0"}`, nil, first(metric.ReasonMissingField, "a CloudEvent", "without data")},
	})
}

func TestOddBodies(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	check(t, []decodeCase{
		{"an empty body", "", nil, whole(metric.ReasonEmptyBody)},
		{"white space", " \r\n\t", nil, whole(metric.ReasonEmptyBody)},
		{"a byte order mark alone", "\xef\xbb\xbf", nil, whole(metric.ReasonEmptyBody)},
		{"a byte order mark before the body", "\xef\xbb\xbf" + platform(), []decoded{cpu(0)}, nil},
		{"offsets count the byte order mark", "\xef\xbb\xbf{x", nil, whole(metric.ReasonBadJSON, "byte 4")},
		{"single quotes", `{'records':[]}`, nil, whole(metric.ReasonBadJSON, "byte 1", "not with '")},
		{"a raw line break within a string", "{\"records\":[{\"time\":\"2026\n\"}]}", nil, whole(metric.ReasonBadJSON, "control character", "byte 25")},
		{"a viewer's stand-in", `[218 B blob data]`, nil, whole(metric.ReasonNotJSON, "stand-in")},
		{"a string that holds JSON", `"{\"records\":[]}"`, nil, first(metric.ReasonBadElement, "a string at byte 0", "quoted once more")},
		{"a number", `5`, nil, first(metric.ReasonBadElement, "a number")},
		{"a body cut off after whole records", `{"records":[` + platform() + `,` + platform()[:50], nil, whole(metric.ReasonBadJSON, "ends too early")},
		{
			"a name with an escaped quote does not vouch for one with a raw quote", own("resource", `"a\"b"`) + "\n" + own("resource", `"a"b"`), nil,
			whole(metric.ReasonBadJSON, "cannot stand here"),
		},
		{"a trailing comma", `[` + platform() + `,]`, nil, whole(metric.ReasonBadJSON, "cannot stand here")},
		{"gzip that is cut off", "\x1f\x8b\x08\x00\x00\x00\x00\x00", nil, whole(metric.ReasonCompressed, "gzip", "unexpected EOF")},
		{"Zstandard that is cut off", "\x28\xb5\x2f\xfd\x00", nil, whole(metric.ReasonCompressed, "Zstandard")},
		{"protobuf", "\x0a\x12\x0a\x10\x0a\x0e", nil, whole(metric.ReasonNotJSON, "protobuf")},
		{"protobuf whose second byte looks like an object", "\x0a\x7b\x0a\x10\x0a\x0e", nil, whole(metric.ReasonNotJSON, "protobuf")},
		{"binary data", "\x00\x01\x02", nil, whole(metric.ReasonNotJSON, "binary")},
		{"UTF-16", "\xff\xfe{\x00}\x00", nil, whole(metric.ReasonNotJSON, "UTF-16")},
		{"influx line protocol", "cpu,host=web usage_idle=27.65 1777885390000000000", nil, whole(metric.ReasonNotJSON, "line protocol")},
		{"line protocol of a measurement that begins like a word", "temp,host=web value=27.65", nil, whole(metric.ReasonNotJSON, "line protocol")},
		{"Prometheus text", "# HELP up x\nup 1\n", nil, whole(metric.ReasonNotJSON, "Prometheus")},
		{"XML", "<html></html>", nil, whole(metric.ReasonNotJSON, "XML")},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", nil, whole(metric.ReasonBadUTF8, "byte 6")},
		{"half a surrogate pair", `{"a":"\ud83d"}`, nil, whole(metric.ReasonBadUTF8, "surrogate", "byte 6")},
		{"nesting as deep as allowed", `[{"a":` + nested(62) + `}]`, nil, first(metric.ReasonUnknownFormat)},
		{"nesting one too deep", `[{"a":` + nested(63) + `}]`, nil, whole(metric.ReasonTooDeep, "64 levels")},
		{"nesting so deep that a stack would overflow", strings.Repeat(`{"a":`, 100_000), nil, whole(metric.ReasonTooDeep)},
		{"an object that nothing is known about", `{"a":1}`, nil, first(metric.ReasonUnknownFormat, "without metricName, trimtab or records")},
		{"an empty object", `{}`, nil, first(metric.ReasonUnknownFormat)},
	})
}

func TestForeignFormatsAreNamed(t *testing.T) {
	check(t, []decodeCase{
		{"a resource log", `{"category":"FunctionAppLogs","durationMs":"0","time":"04/02/2021 07:45:00"}`, nil, first(metric.ReasonUnsupportedFormat, "resource log")},
		{"OTLP logs", `{"resourceLogs":[]}`, nil, first(metric.ReasonUnsupportedFormat, "OTLP logs or traces")},
		{"a metric with a category is a metric", platform("category", `"AllMetrics"`), []decoded{cpu(0)}, nil},
		{"a reading outside of an envelope", `{"name":"queue_depth","value":5}`, nil, first(metric.ReasonUnknownFormat, "a trimtab sample")},
		{"more fields than are looked at", `{` + strings.Repeat(`"a":0,`, metric.MaxElements) + `"b":0}`, nil, first(metric.ReasonTooManyElements, "10000 fields")},
	})
}

// TestTheSchemaAndTheDecoderAgree holds the published schema to the decoder: the same fields, the same required ones.
func TestTheSchemaAndTheDecoderAgree(t *testing.T) {
	text, err := os.ReadFile("../../policies/schemas/sample/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Required   []string
		Properties map[string]json.RawMessage
		Examples   []json.RawMessage
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	full := []string{
		"trimtab", "1", "resource", `"orders"`, "metric", `"queue_depth"`, "time", `"2026-05-04T09:03:10Z"`, "value", "1", "grain", `"PT1M"`,
		"minimum", "1", "maximum", "1", "total", "1", "count", "1", "unit", `"Count"`, "dimensions", `{"a":"b"}`,
	}
	if len(schema.Properties) != len(full)/2 {
		t.Errorf("the schema has %d properties, the test knows %d", len(schema.Properties), len(full)/2)
	}
	d := metric.NewDecoder()
	taken := func(body string) bool {
		samples, rejected := d.Decode([]byte(body), scale.Source{})
		return len(samples) == 1 && len(rejected) == 0
	}
	if !taken(fieldsOf(full...)) {
		t.Error("a sample with every field is refused")
	}
	for name := range schema.Properties {
		if !strings.Contains(fieldsOf(full...), `"`+name+`"`) {
			t.Errorf("the decoder was not shown %s", name)
		}
	}
	for _, name := range schema.Required {
		if taken(replaced(full, name, "")) {
			t.Errorf("a sample without %s is taken", name)
		}
	}
	for _, example := range schema.Examples {
		if !taken(string(example)) {
			t.Errorf("an example is refused: %s", example)
		}
	}
	if len(schema.Required) != 4 || len(schema.Examples) == 0 {
		t.Errorf("%d required, %d examples", len(schema.Required), len(schema.Examples))
	}
}

func TestLimits(t *testing.T) {
	d := metric.NewDecoder()
	many := func(n int) []byte {
		return []byte(`{"records":[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `]}`)
	}
	if _, rejected := d.Decode(many(metric.MaxElements), scale.Source{}); len(rejected) != metric.MaxElements {
		t.Errorf("as many elements as allowed: %d rejections", len(rejected))
	}
	_, rejected := d.Decode(many(metric.MaxElements+1), scale.Source{})
	if len(rejected) != 1 || rejected[0].Reason != metric.ReasonTooManyElements || rejected[0].Element != metric.WholeBody {
		t.Errorf("one element too many: %+v", rejected[:min(len(rejected), 2)])
	}

	records := strings.TrimSuffix(strings.Repeat(platform()+",", 3500), ",")
	body := []byte(`{"records":[` + records + `]}`)
	if samples, rejected := d.Decode(body[:0:0], scale.Source{}); len(samples) != 0 || len(rejected) != 1 {
		t.Errorf("an empty body: %d samples, %d rejections", len(samples), len(rejected))
	}
	samples, rejected := d.Decode(body, scale.Source{})
	if len(body) <= metric.DefaultMaxBody || len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonTooLarge {
		t.Errorf("%d bytes: %d samples, %+v", len(body), len(samples), rejected)
	}
	d.MaxBody = 20 << 20
	if samples, rejected = d.Decode(body, scale.Source{}); len(samples) != 3500 || len(rejected) != 0 {
		t.Errorf("%d bytes within a larger limit: %d samples, %d rejections", len(body), len(samples), len(rejected))
	}
}

func TestSamplesCarryTheirSource(t *testing.T) {
	source := scale.Source{Hub: "ns/hub", Partition: "3", Sequence: 41, Known: true, EnqueuedAt: at(nineZero), Element: 99}
	samples, _ := metric.NewDecoder().Decode([]byte(`[5,`+platform()+`]`), source)
	source.Element = 1
	if len(samples) != 1 || samples[0].Source != source {
		t.Errorf("got %+v, want %+v", samples, source)
	}
}

func TestNamesOutliveTheDecodersMemory(t *testing.T) {
	d := metric.NewDecoder()
	samples, _ := d.Decode([]byte(own("resource", `"KEPT"`)), scale.Source{})
	kept := samples[0].Resource
	long := strings.Repeat("y", 4000)
	for i := range 4000 {
		samples, _ = d.Decode([]byte(own("resource", fmt.Sprintf(`"%s%d"`, long, i), "metric", fmt.Sprintf(`"m%d"`, i))), scale.Source{})
		if want := fmt.Sprintf("%s%d", long, i); samples[0].Resource != want {
			t.Fatalf("sample %d is of %.20s…", i, samples[0].Resource)
		}
	}
	samples, _ = d.Decode([]byte(own("resource", `"Kept"`)), scale.Source{})
	if kept != "kept" || samples[0].Resource != kept {
		t.Errorf("got %q and %q", kept, samples[0].Resource)
	}
}

func TestDecodingKnownSeriesAllocatesNothing(t *testing.T) {
	d := metric.NewDecoder()
	body := []byte(`{"records":[` + platform() + `,` + exported() + `,` + own("dimensions", `{"b":"1","a":"2"}`) + `]}`)
	decode := func() { d.Decode(body, scale.Source{}) }
	decode()
	if n := testing.AllocsPerRun(100, decode); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// place is where a text begins in a body.
func place(body, text string) string { return fmt.Sprint(strings.Index(body, text)) }

// decodeAll decodes a body once.
func decodeAll(body string) ([]scale.Sample, []scale.Rejection) {
	return metric.NewDecoder().Decode([]byte(body), scale.Source{})
}
