package metric_test

import (
	"fmt"
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// windowBenchmark is a pool of ten signals with a quarter of an hour in its window, and a batch of 100 events with one
// sample each: ten minutes of every signal.
func windowBenchmark(b *testing.B) (signals []scale.Signal, stored []byte, batch []metric.Routed) {
	b.Helper()
	for i := range 10 {
		sig := windowSignal(fmt.Sprintf("signal_%d", i), scale.Average)
		sig.Window = 15 * time.Minute
		signals = append(signals, sig)
	}
	route := func(from, to int, sequence int64) (routed []metric.Routed) {
		for n := from; n < to; n++ {
			for i := range signals {
				routed = append(routed, metric.Routed{Signal: i, Sample: windowSample(n, sequence, 50+float64(i*n)/1000)})
				sequence++
			}
		}
		return routed
	}
	w := &metric.Window{}
	w.Fold(signals, route(-25, -10, 0), windowNow)
	return signals, w.AppendTo(nil), route(-10, 0, 1000)
}

func BenchmarkWindow(b *testing.B) {
	signals, stored, batch := windowBenchmark(b)
	fold := func(b *testing.B) *metric.Window {
		w, err := metric.ParseWindow(stored)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := w.Fold(signals, batch, windowNow); n.Folded != len(batch) {
			b.Fatalf("%+v", n)
		}
		return w
	}
	full := fold(b)
	bytes := full.AppendTo(nil)
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := fold(b)
			w.AppendTo(nil)
			metric.View(signals, []*metric.Window{w}, windowNow, nil)
		}
		b.ReportMetric(float64(len(bytes)), "window-bytes")
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := metric.ParseWindow(bytes); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse and fold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fold(b)
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buffer []byte
		for b.Loop() {
			buffer = full.AppendTo(buffer[:0])
		}
	})
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			metric.View(signals, []*metric.Window{full}, windowNow, nil)
		}
	})
	b.Run("view of eight partitions", func(b *testing.B) {
		windows := make([]*metric.Window, 8)
		for p := range windows {
			var part []metric.Routed
			for i, r := range batch {
				if i%len(windows) == p {
					part = append(part, r)
				}
			}
			windows[p] = &metric.Window{}
			windows[p].Fold(signals, part, windowNow)
		}
		b.ReportAllocs()
		for b.Loop() {
			metric.View(signals, windows, windowNow, nil)
		}
	})
}
