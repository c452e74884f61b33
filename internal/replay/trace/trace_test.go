package trace_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/replay/trace"
)

func TestReadCSV(t *testing.T) {
	monday := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		note, text string
		options    trace.CSVOptions
		values     []float64
		step       time.Duration
		start      time.Time
		missing    int
	}{
		{
			note: "a header and local times", text: "timestamp,value\n2026-05-04 00:00:00,1\n2026-05-04 00:05:00,2.5\n",
			values: []float64{1, 2.5}, step: 5 * time.Minute, start: monday,
		},
		{
			note: "Unix seconds without a header, a gap filled with the value before", text: "1777852800,1\n1777852860,2\n1777852980,4\n1777853040,5",
			values: []float64{1, 2, 2, 4, 5}, step: time.Minute, start: monday, missing: 1,
		},
		{
			note: "Unix milliseconds", text: "ts,v\n1777852800000,1\n1777852860000,2\n", values: []float64{1, 2}, step: time.Minute, start: monday,
		},
		{
			note: "columns by name, the time behind the value, and minutes from a beginning",
			text: "load,note,minute\n3,x,0\n4,x,1\n", options: trace.CSVOptions{Time: "Minute", Value: "load", Unit: "min", Origin: monday},
			values: []float64{3, 4}, step: time.Minute, start: monday,
		},
		{
			note: "columns by number", text: "a,b,c\n2026-05-04,9,7\n2026-05-05,9,8\n", options: trace.CSVOptions{Value: "3"},
			values: []float64{7, 8}, step: 24 * time.Hour, start: monday,
		},
		{
			note: "a longer interval averages", text: "2026-05-04T00:00:00Z,1\n2026-05-04T00:01:00Z,3\n2026-05-04T00:02:00Z,9\n",
			options: trace.CSVOptions{Interval: 2 * time.Minute}, values: []float64{2, 9}, step: 2 * time.Minute, start: monday,
		},
		{
			note: "rows counted, one each for an event", text: "2026-05-04T00:00:10Z\n2026-05-04T00:00:20Z\n2026-05-04T00:02:20Z\n",
			options: trace.CSVOptions{Count: true}, values: []float64{2, 0, 1}, step: time.Minute, start: monday,
		},
	} {
		t.Run(c.note, func(t *testing.T) {
			s, err := trace.ReadCSV("t", []byte(c.text), c.options)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.values, s.Values); d != "" || s.Step != c.step || !s.Start.Equal(c.start) || s.Missing != c.missing {
				t.Errorf("step %s, start %s, %d missing, values:\n%s", s.Step, s.Start, s.Missing, d)
			}
		})
	}
}

func TestReadCSVRefuses(t *testing.T) {
	for _, c := range []struct{ note, text, says string }{
		{"no rows", "timestamp,value\n", "none of its 0 rows"},
		{"rows without a value", "timestamp,value\n2026-05-04,\n2026-05-05,NaN\n", "none of its 2 rows"},
		{"semicolons", "time;rps\n2026-05-04;1\n", `separated by ";"`},
		{"a decimal comma", "time,rps\n2026-05-04,\"1,5\"\n", `right would be "1.5"`},
		{"a value that is no number", "2026-05-04,1\n2026-05-05,many\n", `t:2: value "many" is no number`},
		{"a negative load", "2026-05-04,-1\n", "below zero"},
		{"more than any number", "2026-05-04,Inf\n", "no finite number"},
		{"one instant, which tells no interval", "2026-05-04,1\n", "the interval cannot be told"},
		{"one column", "2026-05-04\n", "a time and a value are needed"},
		{"a span beyond reason", "0,1\n1,1\n2,1\n400000000,1\n", "more than"},
		{"an instant beyond reason", "0,1\n1e300,1\n", "out of range"},
	} {
		t.Run(c.note, func(t *testing.T) {
			if _, err := trace.ReadCSV("t", []byte(c.text), trace.CSVOptions{}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want something that says %q", err, c.says)
			}
		})
	}
}

const monitored = `{"cost": 59, "interval": "PT5M", "value": [{"name": {"value": "Percentage CPU", "localizedValue": "x"}, "timeseries": [
  {"data": [{"timeStamp": "2026-05-04T00:00:00Z", "average": 10}, {"timeStamp": "2026-05-04T00:05:00Z"}, {"timeStamp": "2026-05-04T00:10:00Z", "average": 30}]},
  {"data": [{"timeStamp": "2026-05-04T00:00:00Z", "average": 1}]}]}]}`

func TestReadMonitorAddsSeriesAndFillsGaps(t *testing.T) {
	s, err := trace.ReadMonitor("t", []byte(monitored), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{11, 11, 30}, s.Values); d != "" || s.Step != 5*time.Minute || s.Missing != 1 {
		t.Errorf("step %s, %d missing\n%s", s.Step, s.Missing, d)
	}
	if !strings.Contains(strings.Join(s.Notes, " "), "In 1 of 2 steps only some of its 2 time series") {
		t.Errorf("a step with half of the series is not told: %q", s.Notes)
	}
	if _, err := trace.ReadMonitor("t", []byte(monitored), "Requests", ""); err == nil || !strings.Contains(err.Error(), "Percentage CPU") {
		t.Errorf("got %v, want the names of the metrics", err)
	}
}

func TestReadMonitorRefuses(t *testing.T) {
	one := `{"interval": "PT1M", "value": [{"name": {"value": "CPU"}, "unit": "Percent", "timeseries": [{"data": [{"timeStamp": "2026-05-04T00:00:00Z", "average": %s}]}]}%s]}`
	for _, c := range []struct{ note, text, metric, aggregation, says string }{
		{"something else", `{"a": 1}`, "", "", "no answer of az monitor metrics list"},
		{"a list", `[1]`, "", "", "no answer of az monitor metrics list"},
		{"several metrics and no choice", fmt.Sprintf(one, "1", `, {"name": {"value": "Network"}}`), "", "", "--metric chooses one: CPU, Network"},
		{"a metric that is not there", fmt.Sprintf(one, "1", ""), "GPU", "", `no metric "GPU"; there are: CPU`},
		{"an aggregation that is none", fmt.Sprintf(one, "1", ""), "", "averge", "there are: average, total"},
		{"an aggregation that it does not have", fmt.Sprintf(one, "1", ""), "", "Total", "they have: average"},
		{"nothing but nulls", fmt.Sprintf(one, "null", ""), "", "", "none of the 1 points of CPU"},
		{"an interval that is none", strings.Replace(fmt.Sprintf(one, "1", ""), "PT1M", "1 minute", 1), "", "", "ISO 8601"},
	} {
		if _, err := trace.ReadMonitor("t", []byte(c.text), c.metric, c.aggregation); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something that says %q", c.note, err, c.says)
		}
	}
	s, err := trace.ReadMonitor("t", []byte(fmt.Sprintf(one, "1", "")), "", "")
	if err != nil || !strings.Contains(strings.Join(s.Notes, " "), "percentage") {
		t.Errorf("a percentage is not told to be no load: %+v, %v", s, err)
	}
}

func TestWhatIsDoubtfulInAFileIsNoted(t *testing.T) {
	origin := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		note, text string
		options    trace.CSVOptions
		says       string
		missing    int
	}{
		{"a value that was not measured is a gap", "0,1\n60,\n120,3\n", trace.CSVOptions{Unit: "s", Origin: origin}, "", 1},
		{"numbers without a unit", "minute,rps\n0,1\n1,2\n", trace.CSVOptions{Origin: origin}, "--unit", 0},
		{"a unit that was said", "minute,rps\n0,1\n1,2\n", trace.CSVOptions{Unit: "min", Origin: origin}, "", 0},
		{"an interval that is too short", "0,1\n60,2\n120,2\n", trace.CSVOptions{Unit: "s", Interval: 10 * time.Second}, "rows lie 1m0s apart", 10},
		{"a spreadsheet's way to write times", "5/4/2026 12:01:00 AM,1\n5/4/2026 12:02:00 AM,2\n", trace.CSVOptions{}, "", 0},
	} {
		s, err := trace.ReadCSV("t", []byte(c.text), c.options)
		if err != nil {
			t.Errorf("%s: %v", c.note, err)
			continue
		}
		notes := strings.Join(s.Notes, " ")
		if !strings.Contains(notes, c.says) || c.says == "" && notes != "" || s.Missing != c.missing {
			t.Errorf("%s: %d missing, notes %q", c.note, s.Missing, notes)
		}
	}
	if _, err := trace.ReadCSV("t", []byte("0,1\n1,2\n"), trace.CSVOptions{Interval: -time.Second}); err == nil {
		t.Error("an interval below 0 was taken")
	}
	s, _ := trace.ReadCSV("t", []byte("0,1\n60,2\n"), trace.CSVOptions{})
	if _, err := s.Cut(0, time.Second); err == nil || !strings.Contains(err.Error(), "shorter than its step") {
		t.Errorf("got %v", err)
	}
}

func TestGeneratedLoadHasItsShape(t *testing.T) {
	for _, name := range trace.Shapes() {
		o, err := trace.ParseShape(name + ",days=14,noise=0,seed=3")
		if err != nil {
			t.Fatal(err)
		}
		s := o.Generate()
		if len(s.Values) != 14*24*60 {
			t.Fatalf("%s: %d values", name, len(s.Values))
		}
		rise := 0.0
		for i, v := range s.Values {
			if v < 0 || v > 1.01 {
				t.Fatalf("%s: value %d is %g", name, i, v)
			}
			if i > 0 {
				rise = math.Max(rise, v-s.Values[i-1])
			}
		}
		if sudden := rise > 0.3; sudden != (name == "flash" || name == "step" || name == "idle-burst") {
			t.Errorf("%s: the steepest minute rises by %g", name, rise)
		}
		again, err := trace.ParseShape(name + ",days=14,noise=0,seed=3")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s.Values, again.Generate().Values); d != "" {
			t.Errorf("%s: the same seed made another course", name)
		}
	}
	weekly, _ := trace.ParseShape("weekly,days=7,noise=0")
	s := weekly.Generate()
	if noon := func(d int) float64 { return s.At(time.Duration(24*d+14) * time.Hour) }; noon(5) > noon(4)/2 {
		t.Errorf("Saturday %g, Friday %g; want the week-end quieter", noon(5), noon(4))
	}
	for _, bad := range []string{"nothing", "diurnal,days=x", "diurnal,days=0", "diurnal,noise=-1", "diurnal,colour=3"} {
		if _, err := trace.ParseShape(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestReadSpot(t *testing.T) {
	s, err := trace.ReadSpot("t", []byte("index,elapsed_s,a,b\n0,0,1,0\n1,600,0,1\n2,1200,1,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Step != 10*time.Minute || s.At(0, 0) != trace.Unlimited || s.At(0, 11*time.Minute) != 0 || s.At(0, 31*time.Minute) != trace.Unlimited {
		t.Errorf("got %+v", s)
	}
	b, err := s.Choose("b")
	if err != nil || b.At(0, 0) != 0 || b.At(0, 600*time.Second) == 0 {
		t.Errorf("got %+v, %v", b, err)
	}
	if _, err := s.Choose("c"); err == nil {
		t.Error("a zone that is not there was chosen")
	}
	counted, err := trace.ReadSpot("t", []byte("elapsed_s,a\n0,12\n60,0\n120,1\n"))
	if err != nil || counted.At(0, 0) != 12 || counted.At(0, 2*time.Minute) != 1 {
		t.Errorf("got %+v, %v; want numbers above 1 to be counts", counted, err)
	}
	p, err := trace.ReadProbes("z", []byte(`{"metadata": {"gap_seconds": 600}, "data": [0, 1]}`))
	if err != nil || p.At(0, 0) == 0 || p.At(0, 10*time.Minute) != 0 {
		t.Errorf("got %+v, %v; want a 1 to mean not available", p, err)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("timestamp,value\n2026-05-04 00:00:00,1\n2026-05-04 00:05:00,2.5\n"))
	f.Add([]byte("1777852800,1\n1777852860,2\n"))
	f.Add([]byte("0,1\n0.5,2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := trace.ReadCSV("t", text, trace.CSVOptions{})
		if err != nil {
			return
		}
		if len(s.Values) == 0 || s.Step <= 0 {
			t.Fatalf("a series of %d values, %s apart", len(s.Values), s.Step)
		}
		for _, v := range s.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				t.Fatalf("the value %g", v)
			}
		}
	})
}
