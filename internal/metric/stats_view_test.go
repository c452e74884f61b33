package metric_test

import (
	"math"
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"

	"github.com/google/go-cmp/cmp"
)

const windowAll = scale.HasAverage | scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount

// windowOf folds samples of one partition into a new window.
func windowOf(signals []scale.Signal, samples ...*scale.Sample) *metric.Window {
	w := &metric.Window{}
	w.Fold(signals, windowRoute(samples...), windowNow)
	return w
}

func windowStats(n int, sequence int64, stats scale.Stats) *scale.Sample {
	return windowWith(windowSample(n, sequence, 0), func(s *scale.Sample) { s.Stats = stats })
}

func TestViewOfOneSignal(t *testing.T) {
	cpu := func(a scale.Aggregation, change ...func(*scale.Signal)) scale.Signal {
		sig := windowSignal("cpu", a)
		for _, c := range change {
			c(&sig)
		}
		return sig
	}
	only := func(has scale.Has, v float64) scale.Stats {
		return scale.Stats{Has: has, Average: v, Minimum: v, Maximum: v, Total: v, Count: v}
	}
	five := []*scale.Sample{
		windowSample(-5, 1, 10), windowSample(-4, 2, 20), windowSample(-3, 3, 30), windowSample(-2, 4, 40),
		windowSample(-1, 5, 60),
	}
	fresh := scale.SignalView{
		State: scale.SignalFresh, Unit: "Percent", Value: 32_000, HasValue: true,
		Average: 32_000, Minimum: 9_000, Maximum: 61_000, Total: 640_000, Count: 20_000, Last: 60_000, Has: windowAll,
		Buckets: 5, Expected: 5, NewestAt: windowNow,
	}
	but := func(v scale.SignalView, change func(*scale.SignalView)) scale.SignalView {
		change(&v)
		return v
	}
	cases := map[string]struct {
		signal  scale.Signal
		samples []*scale.Sample
		want    scale.SignalView
	}{
		"nothing is missing and has no values": {
			cpu(scale.Average), nil, scale.SignalView{State: scale.SignalMissing, Unit: "Percent", Expected: 5},
		},
		"a full window is fresh": {cpu(scale.Average), five, fresh},
		"minimum is the lowest of all": {
			cpu(scale.Minimum), five, but(fresh, func(v *scale.SignalView) { v.Value = 9_000 }),
		},
		"maximum is the highest of all": {
			cpu(scale.Maximum), five, but(fresh, func(v *scale.SignalView) { v.Value = 61_000 }),
		},
		"total is the sum": {cpu(scale.Total), five, but(fresh, func(v *scale.SignalView) { v.Value = 640_000 })},
		"count is the sum": {cpu(scale.Count), five, but(fresh, func(v *scale.SignalView) { v.Value = 20_000 })},
		"last is the newest bucket": {
			cpu(scale.Last), five, but(fresh, func(v *scale.SignalView) { v.Value = 60_000 }),
		},
		"an aggregation that is none gives no value": {
			cpu("p95"), five,
			but(fresh, func(v *scale.SignalView) { v.Value, v.HasValue, v.State = 0, false, scale.SignalPartial }),
		},
		"two of five buckets are partial at sixty percent": {
			cpu(scale.Average), five[3:], but(fresh, func(v *scale.SignalView) {
				v.State, v.Buckets, v.Value, v.Average, v.Minimum = scale.SignalPartial, 2, 50_000, 50_000, 39_000
				v.Total, v.Count = 400_000, 8_000
			}),
		},
		"three of five are not": {
			cpu(scale.Average), five[2:], but(fresh, func(v *scale.SignalView) {
				v.Buckets, v.Value, v.Average, v.Minimum, v.Total, v.Count = 3, 43_333, 43_333, 29_000, 520_000, 12_000
			}),
		},
		"an average weighs points by their counts": {
			cpu(scale.Average, func(s *scale.Signal) { s.Bucket, s.Window = 5*time.Minute, 5*time.Minute }),
			[]*scale.Sample{
				windowStats(-5, 1, scale.Stats{Has: windowAll, Average: 10, Minimum: 10, Maximum: 10, Total: 90, Count: 9}),
				windowStats(-4, 2, scale.Stats{Has: windowAll, Average: 20, Minimum: 20, Maximum: 20, Total: 20, Count: 1}),
			},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", Value: 11_000, HasValue: true, Average: 11_000, Minimum: 10_000,
				Maximum: 20_000, Total: 110_000, Count: 10_000, Last: 11_000, Has: windowAll, Buckets: 1, Expected: 1,
				NewestAt: windowMinute(-3), AgeSeconds: 180,
			},
		},
		"an average without counts weighs points alike": {
			cpu(scale.Average, func(s *scale.Signal) { s.Bucket, s.Window = 5*time.Minute, 5*time.Minute }),
			[]*scale.Sample{
				windowStats(-5, 1, scale.Stats{Has: windowAll, Average: 10, Minimum: 10, Maximum: 10, Total: 90, Count: 9}),
				windowStats(-4, 2, only(scale.HasAverage, 20)),
			},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", Value: 15_000, HasValue: true, Average: 15_000, Last: 15_000,
				Has: scale.HasAverage, Buckets: 1, Expected: 1, NewestAt: windowMinute(-3), AgeSeconds: 180,
			},
		},
		"a statistic that one sample lacks is absent": {
			cpu(scale.Maximum, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowSample(-2, 1, 50), windowStats(-1, 2, only(scale.HasAverage|scale.HasMinimum, 70))},
			scale.SignalView{
				State: scale.SignalPartial, Unit: "Percent", Average: 60_000, Minimum: 49_000, Last: 70_000,
				Has: scale.HasAverage | scale.HasMinimum, Buckets: 2, Expected: 5, NewestAt: windowNow,
			},
		},
		"a measured zero is a zero": {
			cpu(scale.Total, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowStats(-1, 1, scale.Stats{Has: scale.HasTotal | scale.HasCount, Count: 1})},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", HasValue: true, Count: 1_000,
				Has: scale.HasAverage | scale.HasTotal | scale.HasCount, Buckets: 1, Expected: 5, NewestAt: windowNow,
			},
		},
		"a value out of range is no value, and never fresh": {
			cpu(scale.Total, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowStats(-1, 1, scale.Stats{Has: windowAll, Average: 1, Minimum: 1, Maximum: 1, Total: 1e13, Count: 1})},
			scale.SignalView{
				State: scale.SignalPartial, Unit: "Percent", Minimum: 1_000, Maximum: 1_000, Count: 1_000,
				Has: scale.HasMinimum | scale.HasMaximum | scale.HasCount, Buckets: 1, Expected: 5, NewestAt: windowNow,
			},
		},
		"a total out of range does not spoil another value": {
			cpu(scale.Maximum, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowStats(-1, 1, scale.Stats{Has: scale.HasMaximum | scale.HasTotal, Maximum: 1, Total: 1e13})},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", Value: 1_000, HasValue: true, Maximum: 1_000,
				Has: scale.HasMaximum, Buckets: 1, Expected: 5, NewestAt: windowNow,
			},
		},
		"what is no number was not measured": {
			cpu(scale.Average, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowStats(-1, 1, scale.Stats{
				Has:     scale.HasAverage | scale.HasMinimum | scale.HasMaximum,
				Average: math.NaN(), Minimum: math.Inf(-1), Maximum: 3,
			})},
			scale.SignalView{
				State: scale.SignalPartial, Unit: "Percent", Maximum: 3_000, Has: scale.HasMaximum,
				Buckets: 1, Expected: 5, NewestAt: windowNow,
			},
		},
		"the newest sample is as old as allowed": {
			cpu(scale.Average, func(s *scale.Signal) { s.StaleAfter = 2 * time.Minute }),
			[]*scale.Sample{windowSample(-3, 1, 50)},
			scale.SignalView{
				State: scale.SignalStale, Unit: "Percent", Value: 50_000, HasValue: true, Average: 50_000, Minimum: 49_000,
				Maximum: 51_000, Total: 200_000, Count: 4_000, Last: 50_000, Has: windowAll, Buckets: 1, Expected: 5,
				NewestAt: windowMinute(-2), AgeSeconds: 120,
			},
		},
		"a sample ahead of the clock has no age": {
			cpu(scale.Last, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowSample(1, 1, 50)},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", Value: 50_000, HasValue: true, Average: 50_000, Minimum: 49_000,
				Maximum: 51_000, Total: 200_000, Count: 4_000, Last: 50_000, Has: windowAll, Buckets: 1, Expected: 5,
				NewestAt: windowMinute(1),
			},
		},
		"of the newest samples the longest span counts": {
			cpu(scale.Count, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{
				windowWith(windowStats(-3, 1, only(scale.HasCount, 1)), func(s *scale.Sample) { s.Grain = 30 * time.Second }),
				windowWith(windowStats(-3, 2, only(scale.HasCount, 1)), func(s *scale.Sample) { s.Grain = 2 * time.Minute }),
			},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", Value: 10_000, HasValue: true, Count: 2_000, Has: scale.HasCount,
				Buckets: 1, Expected: 5, NewestAt: windowMinute(-1), AgeSeconds: 60,
			},
		},
		"a span ends at the latest when the sample came": {
			cpu(scale.Last, func(s *scale.Signal) { s.MinCoverage = 0 }),
			[]*scale.Sample{windowWith(windowSample(-1, 1, 50), func(s *scale.Sample) { s.Grain = 24 * time.Hour })},
			scale.SignalView{
				State: scale.SignalFresh, Unit: "Percent", Value: 50_000, HasValue: true, Average: 50_000, Minimum: 49_000,
				Maximum: 51_000, Total: 200_000, Count: 4_000, Last: 50_000, Has: windowAll, Buckets: 1, Expected: 5,
				NewestAt: windowNow,
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			signals := []scale.Signal{c.signal}
			got := metric.View(signals, []*metric.Window{windowOf(signals, c.samples...), nil}, windowNow, nil)
			got["cpu"] = withoutArrival(got["cpu"])
			if diff := cmp.Diff(map[string]scale.SignalView{"cpu": c.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestABurstAfterSilenceCountsInSampleTime(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	var samples []*scale.Sample
	for n := -120; n < 0; n++ {
		average := 90.0
		if n >= -5 {
			average = 20
		}
		samples = append(samples, windowWith(windowSample(n, int64(n+120), average), func(s *scale.Sample) {
			s.Source.EnqueuedAt = windowNow
		}))
	}
	w := &metric.Window{}
	n, _ := w.Fold(signals, windowRoute(samples...), windowNow)
	if diff := cmp.Diff(metric.Counts{Folded: 5, Late: 115}, n); diff != "" {
		t.Errorf("counts, -want +got:\n%s", diff)
	}
	v := windowAverages(t, w, signals)
	if v.Average != 20_000 || v.Buckets != 5 || v.State != scale.SignalFresh {
		t.Errorf("got %+v", v)
	}
}

func TestTheNewestSampleOfAllPartitionsAnchorsTheWindow(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	early := windowOf(signals, windowSample(-9, 1, 10), windowSample(-4, 2, 30))
	newer := windowOf(signals, windowSample(-2, 1, 50), windowSample(-1, 2, 70))
	gone := windowOf(signals, windowSample(-8, 1, 99))
	v := metric.View(signals, []*metric.Window{early, gone, newer}, windowNow, nil)["cpu"]
	if v.Average != 50_000 || v.Buckets != 3 || !v.NewestAt.Equal(windowNow) {
		t.Errorf("got %+v", v)
	}
}

func TestTheNewestArrivalCountsAcrossPartitions(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Total)}
	old := windowOf(signals, windowSample(-2, 9, 10), windowSample(-1, 10, 10))
	corrected := windowOf(signals, windowWith(windowSample(-2, 1, 50), func(s *scale.Sample) {
		s.Source.EnqueuedAt = windowNow
	}))
	for _, windows := range [][]*metric.Window{{old, corrected}, {corrected, old}} {
		if v := metric.View(signals, windows, windowNow, nil)["cpu"]; v.Total != 240_000 || v.Count != 8_000 {
			t.Errorf("got %+v", v)
		}
	}
}

func TestDemandReckonsWithTheInstancesOfEachBucket(t *testing.T) {
	signals := []scale.Signal{windowSignal("cpu", scale.Average)}
	w := windowOf(signals, windowSample(-3, 1, 90), windowWith(windowSample(-1, 2, 60), func(s *scale.Sample) {
		s.Grain = 30 * time.Second
	}))
	var asked []time.Time
	view := func(instances func(time.Time) (int, bool)) scale.SignalView {
		return metric.View(signals, []*metric.Window{w}, windowNow, instances)["cpu"]
	}
	v := view(func(at time.Time) (int, bool) {
		asked = append(asked, at)
		if at.After(windowMinute(-2)) {
			return 6, true
		}
		return 4, true
	})
	if v.Demand != 360_000 || !v.HasDemand { // (90×4 + 60×6) / 2
		t.Errorf("got %d, %v; want 360000", v.Demand, v.HasDemand)
	}
	if diff := cmp.Diff([]time.Time{windowMinute(-2), windowNow.Add(-30 * time.Second)}, asked); diff != "" {
		t.Errorf("instants asked for, -want +got:\n%s", diff)
	}
	if v := view(func(at time.Time) (int, bool) { return 4, at.After(windowMinute(-2)) }); v.HasDemand || v.Demand != 0 {
		t.Errorf("one bucket's instances unknown: got %d, %v", v.Demand, v.HasDemand)
	}
	if v := view(nil); v.HasDemand {
		t.Error("no instances known at all, and a demand")
	}
}

func TestDimensionedSeriesOfOneSignalAreReckonedTogether(t *testing.T) {
	sig := windowSignal("cpu", scale.Average)
	sig.Dimensions = map[string]string{"vmname": "*"}
	signals := []scale.Signal{sig}
	of := func(vm string, n int, sequence int64, average float64) *scale.Sample {
		return windowWith(windowSample(n, sequence, average), func(s *scale.Sample) { s.Dimensions = "vmname=" + vm })
	}
	w := windowOf(signals, of("a", -1, 1, 20), of("b", -1, 2, 40), of("a", -2, 3, 60), of("b", -1, 4, 80))
	v := windowAverages(t, w, signals)
	if v.Average != 55_000 || v.Count != 12_000 { // ((20+80)/2 + 60) / 2
		t.Errorf("got %+v", v)
	}
}

func TestSumsAreExactAtTheEndsOfTheirRange(t *testing.T) {
	sig := windowSignal("cpu", scale.Total)
	sig.Dimensions = map[string]string{"vmname": "*"}
	signals := []scale.Signal{sig}
	for name, c := range map[string]struct {
		totals []float64
		want   scale.Milli
	}{
		"large numbers cancel out":    {[]float64{1e24, 0.5, -1e24, 1e18, 0.25, -1e18}, 750},
		"negative sums":               {[]float64{-1e12, -5e12, 1e12}, -5e15},
		"tenths add up":               {[]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, 1_000},
		"beyond sixty-four bits":      {[]float64{9e12, 9e12, 9e12, -9e12, -9e12, -8e12}, 1e15},
		"beyond the range is no sum":  {[]float64{1e24, 1e24}, 0},
		"ten thousand millionths too": {[]float64{0.000001, 0.009999}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			// Each on its own in one window, and all merged into the aggregate of a bucket in another.
			var samples []*scale.Sample
			for i, total := range c.totals {
				samples = append(samples, windowWith(windowStats(-1, int64(i), scale.Stats{Has: scale.HasTotal, Total: total}),
					func(s *scale.Sample) { s.Dimensions = "vmname=" + string(rune('a'+i)) }))
			}
			merged := append([]*scale.Sample(nil), samples...)
			for i := range 64 {
				merged = append(merged, windowWith(windowStats(-1, int64(100+i), scale.Stats{Has: scale.HasTotal}),
					func(s *scale.Sample) { s.At = s.At.Add(time.Second); s.Dimensions = "vmname=z" + string(rune('0'+i)) }))
			}
			for kind, samples := range map[string][]*scale.Sample{"apart": samples, "merged": merged} {
				v := windowAverages(t, windowOf(signals, samples...), signals)
				if v.Total != c.want || (v.Has&scale.HasTotal != 0) != (name != "beyond the range is no sum") {
					t.Errorf("%s: got %d, has %b; want %d", kind, v.Total, v.Has, c.want)
				}
			}
		})
	}
}

// withoutArrival is a view without what it says about how samples arrive.
func withoutArrival(v scale.SignalView) scale.SignalView {
	v.Format, v.DelaySeconds, v.IntervalSeconds, v.StaleAfterSeconds, v.Silence, v.Missed = 0, 0, 0, 0, "", 0
	return v
}
