package metric_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestTheTrendIsTheLineOfLeastSquares(t *testing.T) {
	asked := func(a scale.Aggregation) scale.Signal {
		sig := windowSignal("cpu", a)
		sig.Trend = true
		return sig
	}
	four := func(time.Time) (int, bool) { return 4, true }
	for name, c := range map[string]struct {
		signal    scale.Signal
		samples   []*scale.Sample
		instances func(time.Time) (int, bool)
		want      *scale.Trend
	}{
		"a straight line is found as it is": {
			asked(scale.Average),
			[]*scale.Sample{windowSample(-5, 1, 10), windowSample(-4, 2, 12), windowSample(-3, 3, 14), windowSample(-2, 4, 16), windowSample(-1, 5, 18)},
			four, &scale.Trend{Value: 2_000, Demand: 8_000, HasDemand: true, AgeSeconds: 150},
		},
		"a falling one falls": {
			asked(scale.Average),
			[]*scale.Sample{windowSample(-3, 1, 30), windowSample(-2, 2, 20), windowSample(-1, 3, 10)},
			four, &scale.Trend{Value: -10_000, Demand: -40_000, HasDemand: true, AgeSeconds: 90},
		},
		"scatter is evened out, by hand: 1, 3, 2, 6 rise by 1.4": {
			asked(scale.Average),
			[]*scale.Sample{windowSample(-4, 1, 1), windowSample(-3, 2, 3), windowSample(-2, 3, 2), windowSample(-1, 4, 6)},
			nil, &scale.Trend{Value: 1_400, AgeSeconds: 120},
		},
		"a bucket that is missing leaves its place empty": {
			asked(scale.Average),
			[]*scale.Sample{windowSample(-5, 1, 10), windowSample(-3, 2, 14), windowSample(-1, 3, 18)},
			four, &scale.Trend{Value: 2_000, Demand: 8_000, HasDemand: true, AgeSeconds: 150},
		},
		"totals rise by what a whole window rises by": {
			asked(scale.Total),
			[]*scale.Sample{windowSample(-3, 1, 10), windowSample(-2, 2, 12), windowSample(-1, 3, 14)},
			nil, &scale.Trend{Value: 40_000, AgeSeconds: 90},
		},
		"two buckets have none": {
			asked(scale.Average), []*scale.Sample{windowSample(-2, 1, 10), windowSample(-1, 2, 20)}, four, nil,
		},
		"nobody asked for one": {
			windowSignal("cpu", scale.Average),
			[]*scale.Sample{windowSample(-3, 1, 30), windowSample(-2, 2, 20), windowSample(-1, 3, 10)},
			four, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			signals := []scale.Signal{c.signal}
			w := windowOf(signals, c.samples...)
			got := metric.View(signals, []*metric.Window{w}, windowNow, c.instances)["cpu"].Trend
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecentBucketsComeHighestFirst(t *testing.T) {
	for name, c := range map[string]struct {
		aggregation scale.Aggregation
		recent      int
		samples     []*scale.Sample
		want        []scale.Milli
	}{
		"three of five": {
			scale.Average, 3,
			[]*scale.Sample{windowSample(-5, 1, 90), windowSample(-4, 2, 90), windowSample(-3, 3, 10), windowSample(-2, 4, 30), windowSample(-1, 5, 20)},
			[]scale.Milli{30_000, 20_000, 10_000},
		},
		"one that is missing is not replaced by an older one": {
			scale.Average, 3,
			[]*scale.Sample{windowSample(-5, 1, 90), windowSample(-3, 3, 10), windowSample(-1, 5, 20)},
			[]scale.Milli{20_000, 10_000},
		},
		"the statistic is the signal's own": {
			scale.Maximum, 2, []*scale.Sample{windowSample(-2, 1, 10), windowSample(-1, 2, 20)}, []scale.Milli{21_000, 11_000},
		},
		"totals are each bucket's": {
			scale.Total, 2, []*scale.Sample{windowSample(-2, 1, 10), windowSample(-1, 2, 20)}, []scale.Milli{80_000, 40_000},
		},
		"one without the statistic leaves none": {
			scale.Maximum, 2, []*scale.Sample{
				windowSample(-2, 1, 10), windowStats(-1, 2, scale.Stats{Has: scale.HasAverage, Average: 5}),
			}, nil,
		},
		"nobody asked for any": {scale.Average, 0, []*scale.Sample{windowSample(-1, 1, 10)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sig := windowSignal("cpu", c.aggregation)
			sig.Recent = c.recent
			signals := []scale.Signal{sig}
			got := windowAverages(t, windowOf(signals, c.samples...), signals).Recent
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
