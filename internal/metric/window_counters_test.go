package metric_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// windowReading is a reading of a series in the minute n, so many seconds after its beginning.
func windowReading(series string, n int, seconds, total float64, sequence int64, since ...time.Time) *scale.Sample {
	s := windowSample(n, sequence, 0)
	s.At, s.Grain = s.At.Add(time.Duration(seconds*float64(time.Second))), 0
	s.Stats = scale.Stats{Has: scale.HasTotal, Total: total}
	s.Running = &scale.Running{}
	if len(since) > 0 {
		s.Running.Since = since[0]
	}
	s.Dimensions = "host=" + series
	return s
}

func TestReadingsOfCumulativeSeries(t *testing.T) {
	signals := []scale.Signal{windowSignal("requests", scale.Total)}
	signals[0].Dimensions = map[string]string{"host": "*"}
	each := func(series string, from, to int, total, step float64) (all []*scale.Sample) {
		for n := from; n <= to; n++ {
			all = append(all, windowReading(series, n, 0, total+step*float64(n-from), int64(100+n)))
		}
		return all
	}
	for _, c := range []struct {
		name    string
		samples []*scale.Sample
		state   scale.SignalState
		total   float64
		buckets int
	}{
		{"one reading says nothing", each("a", 0, 0, 1000, 0), scale.SignalPartial, 0, 0},
		{"what is added between two readings", each("a", -1, 0, 1000, 60), scale.SignalPartial, 300, 1},
		{"a full window, its first bucket against the reading before it", each("a", -6, 0, 1000, 60), scale.SignalFresh, 300, 5},
		{"a series that stands still has measured a zero", each("a", -6, 0, 1000, 0), scale.SignalFresh, 0, 5},
		{"two series are added up", append(each("a", -6, 0, 0, 60), each("b", -6, 0, 500, 30)...), scale.SignalFresh, 450, 5},
		{
			"a reset counts from zero", append(each("a", -6, -3, 1000, 60), each("a", -2, 0, 40, 60)...),
			scale.SignalFresh, 60 + 60 + 40 + 60 + 60, 5,
		},
		{
			"a gap is filled evenly by what was added in it",
			[]*scale.Sample{windowReading("a", -5, 0, 0, 1), windowReading("a", 0, 0, 500, 2)},
			scale.SignalFresh, 500, 5,
		},
		{
			"of a gap that began before the window only the part within counts",
			[]*scale.Sample{windowReading("a", -9, 0, 0, 1), windowReading("a", 0, 0, 900, 2)},
			scale.SignalFresh, 500, 5,
		},
		{
			"of several readings in a bucket the last counts, and what lies between two is spread evenly",
			[]*scale.Sample{windowReading("a", -6, 30, 0, 1), windowReading("a", -1, 30, 300, 2), windowReading("a", 0, 0, 315, 3)},
			scale.SignalFresh, 315 / 5.5 * 5, 5,
		},
		{
			"a series that began within the window counts from its beginning",
			[]*scale.Sample{windowReading("a", 0, 0, 120, 1, windowMinute(-2))},
			scale.SignalPartial, 300, 2,
		},
		{
			"of one that began long ago it is not known what was added when",
			[]*scale.Sample{windowReading("a", 0, 0, 120, 1, windowMinute(-60))},
			scale.SignalPartial, 0, 0,
		},
		{
			"a later beginning is a reset although the value grew",
			[]*scale.Sample{windowReading("a", -5, 0, 10, 1, windowMinute(-60)), windowReading("a", 0, 0, 50, 2, windowMinute(-3))},
			scale.SignalFresh, 50 * 5 / 3.0, 3,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &metric.Window{}
			w.Fold(signals, windowRoute(c.samples...), windowNow)
			v := windowAverages(t, w, signals)
			if v.State != c.state || v.Buckets != c.buckets || math.Abs(float64(v.Value)-c.total*1000) > 2 {
				t.Errorf("got %s, %d buckets, %d thousandths; want %s, %d, %v", v.State, v.Buckets, v.Value, c.state, c.buckets, c.total)
			}
		})
	}
}

func TestASeriesMayWanderBetweenPartitions(t *testing.T) {
	signals := []scale.Signal{windowSignal("requests", scale.Total)}
	signals[0].Dimensions = map[string]string{"host": "*"}
	windows := []*metric.Window{{}, {}}
	for n := -6; n <= 0; n++ {
		windows[(n+6)%2].Fold(signals, windowRoute(windowReading("a", n, 0, float64(60*n), int64(n+100))), windowNow)
	}
	if v := metric.View(signals, windows, windowNow, nil)["requests"]; v.State != scale.SignalFresh || v.Value != 300_000 {
		t.Errorf("got %+v", v)
	}
}

func TestReadingsSurviveARestart(t *testing.T) {
	signals := []scale.Signal{windowSignal("requests", scale.Total)}
	signals[0].Dimensions = map[string]string{"host": "*"}
	w := &metric.Window{}
	for n := -6; n <= 0; n++ {
		w.Fold(signals, windowRoute(windowReading("a", n, 0, float64(60*n+1000), int64(n+100))), windowNow)
		stored, err := metric.ParseWindow(w.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		w = stored
	}
	if v := windowAverages(t, w, signals); v.Value != 300_000 {
		t.Errorf("got %+v", v)
	}
}

func TestFoldTellsWhatBecameOfEachReading(t *testing.T) {
	signals := []scale.Signal{windowSignal("requests", scale.Total)}
	signals[0].Dimensions = map[string]string{"host": "*"}
	for _, c := range []struct {
		name   string
		sample *scale.Sample
		want   metric.Counts
	}{
		{"a further one", windowReading("a", 0, 0, 9, 20), metric.Counts{Folded: 1}},
		{"the same event", windowReading("a", -1, 30, 5, 10), metric.Counts{Repeated: 1}},
		{"the same reading in another event", windowReading("a", -1, 30, 5, 20), metric.Counts{Repeated: 1}},
		{"a correction", windowReading("a", -1, 30, 6, 20), metric.Counts{Folded: 1, Corrected: 1}},
		{"an earlier one of the same bucket", windowReading("a", -1, 10, 4, 20), metric.Counts{Repeated: 1}},
		{"one of before the window, which the first is compared with", windowReading("a", -8, 0, 4, 20), metric.Counts{Folded: 1}},
		{"one that is too old even for that", windowReading("a", -12, 0, 4, 20), metric.Counts{Late: 1}},
		{"one of the future", windowReading("a", 5, 0, 4, 20), metric.Counts{Future: 1}},
		{"one that is no number", windowReading("a", 0, 0, math.NaN(), 20), metric.Counts{Absent: 1}},
	} {
		w := &metric.Window{}
		w.Fold(signals, windowRoute(windowReading("a", -1, 30, 5, 10)), windowNow)
		if got, _ := w.Fold(signals, windowRoute(c.sample), windowNow); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestMoreSeriesThanAreKeptHaveNoStatistics(t *testing.T) {
	signals := []scale.Signal{windowSignal("requests", scale.Total)}
	signals[0].Dimensions = map[string]string{"host": "*"}
	w := &metric.Window{}
	for n := -6; n <= 0; n++ {
		var batch []*scale.Sample
		for k := range 1000 {
			s := windowReading(fmt.Sprint(k), n, 0, float64(n+100), int64(n+100))
			s.Source.Element = k
			batch = append(batch, s)
		}
		w.Fold(signals, windowRoute(batch...), windowNow)
	}
	if size := len(w.AppendTo(nil)); size > metric.Budget {
		t.Errorf("%d bytes", size)
	}
	if v := windowAverages(t, w, signals); v.State != scale.SignalPartial || v.HasValue {
		t.Errorf("got %+v", v)
	}
	// What is too much is forgotten with its bucket.
	for n := 1; n <= 6; n++ {
		w.Fold(signals, windowRoute(windowReading("a", n, 0, float64(n*10), int64(n+200))), windowMinute(n))
	}
	if v := metric.View(signals, []*metric.Window{w}, windowMinute(6), nil)["requests"]; v.State != scale.SignalFresh || v.Value != 50_000 {
		t.Errorf("got %+v", v)
	}
}

func TestCumulativeHistogramsHaveAnAverage(t *testing.T) {
	signals := []scale.Signal{windowSignal("latency", scale.Average)}
	signals[0].Dimensions = map[string]string{"host": "*"}
	w := &metric.Window{}
	for n := -6; n <= 0; n++ {
		s := windowReading("a", n, 0, float64(n+6)*600, int64(n+100))
		s.Has, s.Count = scale.HasTotal|scale.HasCount, float64(n+6)*20
		w.Fold(signals, windowRoute(s), windowNow)
	}
	if v := windowAverages(t, w, signals); v.State != scale.SignalFresh || v.Value != 30_000 {
		t.Errorf("got %+v", v)
	}
}
