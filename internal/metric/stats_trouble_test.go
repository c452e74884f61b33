package metric_test

import (
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// minutes are samples of a steady thousand a minute, at the given minutes before now.
func minutes(now time.Time, first int64, ago ...int) (routed []metric.Routed) {
	for i, m := range ago {
		routed = append(routed, metric.Routed{Sample: &scale.Sample{
			Resource: "r", Metric: "m", At: now.Truncate(time.Minute).Add(time.Duration(-m) * time.Minute), Grain: time.Minute,
			Stats:  scale.Stats{Has: scale.HasTotal | scale.HasCount | scale.HasAverage, Total: 1000, Count: 10, Average: 100},
			Source: scale.Source{Hub: "h", Partition: "0", Sequence: first + int64(i), Known: true},
		}})
	}
	return routed
}

var steady = []scale.Signal{{
	Name: "requests", Resource: "r", Metric: "m", Aggregation: scale.Total, Window: 5 * time.Minute, Bucket: time.Minute,
	StaleAfter: 15 * time.Minute, MinCoverage: 60,
}}

func TestASumWithAHoleInItIsReckonedUp(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 5, 30, 0, time.UTC)
	var w metric.Window
	w.Fold(steady, minutes(now, 1, 5, 3, 1), now)
	v := metric.View(steady, []*metric.Window{&w}, now, nil)["requests"]
	if v.State != scale.SignalFresh || v.Value != 5_000_000 || v.Total != 3_000_000 || v.Average != 100_000 {
		t.Errorf("a steady 1000 a minute over five minutes, two of which are missing, reads %+v", v)
	}
}

func TestAClockThatRanAheadIsForgotten(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 5, 30, 0, time.UTC)
	ahead := now.Add(24 * time.Hour)
	var w, other metric.Window
	w.Fold(steady, minutes(ahead, 1, 3, 2, 1), ahead)
	other.Fold(steady, minutes(now, 1, 3, 2, 1), now)
	v := metric.View(steady, []*metric.Window{&w, &other}, now, nil)["requests"]
	if v.State != scale.SignalFresh || v.AgeSeconds > 90 {
		t.Errorf("beside a window from tomorrow the signal is %s, %d s old", v.State, v.AgeSeconds)
	}
	if n, _ := w.Fold(steady, minutes(now, 10, 3, 2, 1), now); n.Folded != 3 || n.Late != 0 {
		t.Errorf("after the clock went right again: %+v, want three folded", n)
	}
	v = metric.View(steady, []*metric.Window{&w}, now, nil)["requests"]
	if v.State != scale.SignalFresh || v.NewestAt.After(now) {
		t.Errorf("got %s, newest at %v", v.State, v.NewestAt)
	}
}
