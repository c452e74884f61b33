package metric_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// TestEveryOddInput has a case for each odd input that is known from real data or from vendors' tests (facts: events 1.12),
// under its number there. What lies in the order of events is tried by TestEveryOddOrder.
func TestEveryOddInput(t *testing.T) {
	mixed, err := os.ReadFile("testdata/events/03-otelcontrib-metrics-mixed.json")
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 3500)
	for i := range many {
		many[i] = platform("metricName", fmt.Sprintf(`"M%d"`, i), "time", `"`+nineZero+`"`)
	}
	log := `{"records":[{"category":"Administrative","operationName":"x/write","resultType":"Success","durationMs":"20","time":"2026-05-04T09:03:00Z","resourceId":"/a"}]}`
	d := metric.NewDecoder()
	for _, c := range []struct {
		name             string
		body             string
		samples, notices int
		reasons          []string
	}{
		{"1 no records", `{"records":[]}`, 0, 0, nil},
		{"2 an empty body", "", 0, 0, []string{metric.ReasonEmptyBody}},
		{"3 a byte order mark", "\xef\xbb\xbf" + platform(), 1, 0, nil},
		{"4 two values, a line each", platform() + "\n" + platform(), 2, 0, nil},
		{"5 single quotes", `{'records':[]}`, 0, 0, []string{metric.ReasonBadJSON}},
		{"6 a raw line break within a string", "{\"metricName\":\"a\nb\"}", 0, 0, []string{metric.ReasonBadJSON}},
		{"7 a viewer's stand-in", "[218 B blob data]", 0, 0, []string{metric.ReasonNotJSON}},
		{"8 a string that holds JSON", `"{\"records\":[]}"`, 0, 0, []string{metric.ReasonBadElement}},
		{"9 records that are null", `{"records":[null,` + platform() + `,null]}`, 1, 0, []string{metric.ReasonBadElement, metric.ReasonBadElement}},
		{"10 no average, but total and count", platform("average", ""), 1, 0, nil},
		{"11 NaN as a string", exported("Average", `"NaN"`), 0, 0, []string{metric.ReasonBadNumber}},
		{"12 a number beyond 2^53", platform("total", "9007199254740993"), 1, 0, nil},
		{"13 one set in three casings", `[` + platform("resourceId", `"`+strings.ToUpper(webVMSSPath)+`"`) + `,` + platform("resourceId", `"`+strings.ToLower(webVMSSPath)+`"`) + `,` + platform("resourceId", `"`+webVMSSPath+`/"`) + `]`, 3, 0, nil},
		{"17 a body of 3,500 records", `{"records":[` + strings.Join(many, ",") + `]}`, 3500, 0, nil},
		{"18 deep nesting", strings.Repeat(`[`, 20_000), 0, 0, []string{metric.ReasonTooDeep}},
		{"19 a key twice in two casings", platform("RESOURCEID", `"/b"`), 0, 0, []string{metric.ReasonDuplicateField}},
		{"20 gzip without a marker", string(gzipped(t, []byte(platform()))), 1, 0, nil},
		{"21 a body of protobuf", "\x0a\x12\x0a\x10\x0a\x0e", 0, 0, []string{metric.ReasonNotJSON}},
		{"23 durationMs as a string", log, 0, 1, nil},
		{"24 a CloudEvent with data_base64", event("", "data_base64", base(simple)), 1, 0, nil},
		{"25 rows of a table and platform metrics in one array", string(mixed), 2, 0, nil},
		{"26 wrapped and bare records", `[{"records":[` + platform() + `]},` + platform() + `]`, 2, 0, nil},
		{"27 invalid UTF-8", "{\"a\":\"\xff\"}", 0, 0, []string{metric.ReasonBadUTF8}},
		{"27a a number that no float holds", platform("total", "1e400"), 0, 0, []string{metric.ReasonBadNumber}},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples, rejected := d.Decode([]byte(c.body), scale.Source{})
			account(t, samples, rejected, d.Notices())
			var reasons []string
			for _, r := range rejected {
				reasons = append(reasons, r.Reason)
			}
			if len(samples) != c.samples || len(d.Notices()) != c.notices || fmt.Sprint(reasons) != fmt.Sprint(c.reasons) {
				t.Errorf("%d samples, %d notices, %+v", len(samples), len(d.Notices()), rejected)
			}
			for _, s := range samples {
				if s.Resource != strings.ToLower(s.Resource) || strings.HasSuffix(s.Resource, "/") {
					t.Errorf("a resource as it was written: %s", s.Resource)
				}
			}
		})
	}
	t.Run("20 gzip with a marker, in whatever casing and as bytes", func(t *testing.T) {
		for _, value := range []any{"gzip", "GZIP", []byte("gzip")} {
			p := metric.PropertiesOf(map[string]any{"Content-Encoding": value}, nil)
			if samples, rejected := d.DecodeWith(gzipped(t, []byte(platform())), p, scale.Source{}); len(samples) != 1 {
				t.Errorf("%v: %+v", value, rejected)
			}
		}
	})
	t.Run("22 a body that an AMQP library gives as nil", func(t *testing.T) {
		if samples, rejected := d.Decode(nil, scale.Source{}); len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonEmptyBody {
			t.Errorf("%d samples, %+v", len(samples), rejected)
		}
	})
}

// TestEveryOddOrder has the odd inputs that only show in a window (facts: events 1.12).
func TestEveryOddOrder(t *testing.T) {
	one := func(n int, sequence int64, average float64, change ...func(*scale.Sample)) *scale.Sample {
		s := windowSample(n, sequence, average)
		for _, c := range change {
			c(s)
		}
		return s
	}
	for _, c := range []struct {
		name    string
		samples []*scale.Sample
		counts  metric.Counts
		average float64
	}{
		{"14 the same sample twice with another value: the newer arrival wins, and nothing is added up", []*scale.Sample{one(-1, 1, 50), one(-1, 2, 70)}, metric.Counts{Folded: 2, Corrected: 1}, 70},
		{"14 the same, the newer arrival first", []*scale.Sample{one(-1, 2, 70), one(-1, 1, 50)}, metric.Counts{Folded: 1, Repeated: 1}, 70},
		{"15 a sample older than the stored one", []*scale.Sample{one(-1, 1, 50), one(-2, 2, 70)}, metric.Counts{Folded: 2}, 60},
		{"15 a sample older than the window", []*scale.Sample{one(-1, 1, 50), one(-90, 2, 70)}, metric.Counts{Folded: 1, Late: 1}, 50},
		{"16 a sample of the future", []*scale.Sample{one(-1, 1, 50), one(30, 2, 70)}, metric.Counts{Folded: 1, Future: 1}, 50},
		{"29 zero readings count, absent ones do not", []*scale.Sample{one(-1, 1, 0, func(s *scale.Sample) { s.Stats = scale.Stats{Has: s.Has, Count: 1} }), one(-2, 2, 0, func(s *scale.Sample) { s.Stats = scale.Stats{Has: s.Has} })}, metric.Counts{Folded: 1, Absent: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			signals := []scale.Signal{windowSignal("cpu", scale.Average)}
			w := &metric.Window{}
			n, _ := w.Fold(signals, windowRoute(c.samples...), windowNow)
			if v := windowAverages(t, w, signals); n != c.counts || math.Abs(float64(v.Average)-1000*c.average) > 1 {
				t.Errorf("got %+v, average %d", n, v.Average)
			}
		})
	}
	t.Run("28 a series with dimensions and its twin without are two", func(t *testing.T) {
		plain, dimensioned := windowSignal("cpu", scale.Average), windowSignal("cpu", scale.Average)
		dimensioned.Dimensions = map[string]string{"vmname": "*"}
		twin := one(-1, 1, 50, func(s *scale.Sample) { s.Dimensions = "vmname=web_3" })
		if metric.Listens(&plain, twin) || !metric.Listens(&dimensioned, twin) || !metric.Listens(&plain, one(-1, 1, 50)) || metric.Listens(&dimensioned, one(-1, 1, 50)) {
			t.Error("a twin is taken for the other")
		}
	})
	t.Run("30 two hours of silence, then 120 samples at once", func(t *testing.T) {
		signals := []scale.Signal{windowSignal("cpu", scale.Average)}
		var all []*scale.Sample
		for n := range 120 {
			all = append(all, one(n-120, int64(n), 50, func(s *scale.Sample) { s.Source.EnqueuedAt = windowNow.Add(-time.Second) }))
		}
		w := &metric.Window{}
		n, _ := w.Fold(signals, windowRoute(all...), windowNow)
		if v := windowAverages(t, w, signals); n != (metric.Counts{Folded: 5, Late: 115}) || v.Buckets != 5 || v.Count != 20_000 {
			t.Errorf("got %+v, %+v", n, v)
		}
	})
}
