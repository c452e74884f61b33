package metric_test

import (
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// A namespace that is throttled reports zero messages (facts: events 1.4, 1.12 case 29). With a count that is a measured
// zero: it is folded and shown as one, and it is for the policy to ask a second witness. Without a count nothing was
// measured, and a zero must not appear.
func TestAZeroThatWasMeasuredIsOneAndAZeroThatWasNotIsNone(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 5, 0, 0, time.UTC)
	signals := []scale.Signal{{
		Name: "messages", Resource: "/subscriptions/s/bus", Metric: "incomingmessages", Aggregation: scale.Total,
		Window: time.Minute, Bucket: time.Minute, StaleAfter: 15 * time.Minute,
	}}
	for name, c := range map[string]struct {
		count string
		state scale.SignalState
	}{
		"count 1": {"1", scale.SignalFresh},
		"count 0": {"0", scale.SignalMissing},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"records":[{"count":` + c.count + `,"total":0,"minimum":0,"maximum":0,"average":0,` +
				`"resourceId":"/SUBSCRIPTIONS/S/BUS","time":"2026-05-04T09:04:00.0000000Z","metricName":"IncomingMessages","timeGrain":"PT1M"}]}`
			samples, rejected := metric.NewDecoder().Decode([]byte(body), scale.Source{Hub: "h", Partition: "0", Sequence: 1, Known: true})
			if len(samples) != 1 || len(rejected) != 0 {
				t.Fatalf("%d samples, rejected %v", len(samples), rejected)
			}
			var w metric.Window
			w.Fold(signals, []metric.Routed{{Sample: &samples[0]}}, now)
			v := metric.View(signals, []*metric.Window{&w}, now, nil)["messages"]
			if v.State != c.state || v.HasValue != (c.state == scale.SignalFresh) || v.Value != 0 {
				t.Errorf("got %+v, want %s", v, c.state)
			}
		})
	}
}
