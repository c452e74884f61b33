package metric_test

import (
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestHowSamplesArriveIsLearnt(t *testing.T) {
	for _, c := range []struct {
		name            string
		format          scale.Format
		delay, interval time.Duration
		value           float64
		age             time.Duration
		byFormat        bool

		state   scale.SignalState
		silence scale.Silence
		stale   time.Duration
	}{
		{"an exporter in its rhythm", scale.FormatDiagnostics, 7 * time.Minute, time.Minute, 50, 8 * time.Minute, true, scale.SignalFresh, "", 15 * time.Minute},
		{"an exporter that is silent after load", scale.FormatDiagnostics, 7 * time.Minute, time.Minute, 50, 20 * time.Minute, true, scale.SignalStale, scale.SilenceDead, 15 * time.Minute},
		{"an exporter that is silent after zeros", scale.FormatDiagnostics, 7 * time.Minute, time.Minute, 0, 20 * time.Minute, true, scale.SignalStale, scale.SilenceIdle, 15 * time.Minute},
		{"an exporter that is silent after zeros for half a day", scale.FormatDiagnostics, 7 * time.Minute, time.Minute, 0, 12 * time.Hour, true, scale.SignalStale, scale.SilenceDead, 15 * time.Minute},
		{"an agent that is silent after zeros is dead", scale.FormatAgent, time.Second, time.Minute, 0, 20 * time.Minute, true, scale.SignalStale, scale.SilenceDead, 3*time.Minute + time.Second},
		{"an agent is missed sooner than an exporter", scale.FormatAgent, 2 * time.Second, 10 * time.Second, 50, 4 * time.Minute, true, scale.SignalStale, scale.SilenceDead, 3 * time.Minute},
		{"an agent that sends every two minutes is given three of them", scale.FormatAgent, 2 * time.Second, 2 * time.Minute, 50, 4 * time.Minute, true, scale.SignalFresh, "", 6*time.Minute + 2*time.Second},
		{"what is learnt never goes beyond the most", scale.FormatAgent, 12 * time.Minute, 4 * time.Minute, 50, time.Minute, true, scale.SignalPartial, "", 15 * time.Minute},
		{"a definition has the last word", scale.FormatAgent, 2 * time.Second, 10 * time.Second, 50, 4 * time.Minute, false, scale.SignalFresh, "", 15 * time.Minute},
		{"a definition that is stricter than what arrives", scale.FormatDiagnostics, 16 * time.Minute, time.Minute, 50, 17 * time.Minute, false, scale.SignalStale, scale.SilenceLate, 15 * time.Minute},
		{"an alert that fired is not believed for ever", scale.FormatAlert, time.Second, time.Minute, 1, 20 * time.Minute, true, scale.SignalStale, scale.SilenceDead, 15 * time.Minute},
		{"an alert that was resolved holds", scale.FormatAlert, time.Second, time.Minute, 0, 20 * time.Hour, true, scale.SignalFresh, "", 15 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			sig := windowSignal("cpu", scale.Average)
			sig.StaleAfter, sig.StaleByFormat = 15*time.Minute, c.byFormat
			end := windowNow.Add(-c.age)
			w := &metric.Window{}
			for n := 20; n >= 0; n-- {
				s := windowSample(0, int64(100-n), c.value)
				s.At, s.Grain, s.Format = end.Add(-time.Duration(n)*c.interval), 0, c.format
				s.Stats = scale.Stats{Has: s.Has, Average: c.value, Minimum: c.value, Maximum: c.value, Total: c.value, Count: 1}
				s.Source.EnqueuedAt = s.At.Add(c.delay)
				w.Fold([]scale.Signal{sig}, windowRoute(s), windowNow)
			}
			v := windowAverages(t, w, []scale.Signal{sig})
			if v.State != c.state || v.Silence != c.silence || v.Format != c.format || v.StaleAfterSeconds != int(c.stale/time.Second) ||
				v.DelaySeconds != int(c.delay/time.Second) || v.IntervalSeconds != int(c.interval/time.Second) {
				t.Errorf("got %s, %q, %s, stale after %d s, %d s late, %d s apart", v.State, v.Silence, v.Format, v.StaleAfterSeconds, v.DelaySeconds, v.IntervalSeconds)
			}
		})
	}
}
