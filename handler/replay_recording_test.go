package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/record"
	"trimtab/internal/replay"
	"trimtab/internal/scale"
)

func TestALoadOfARecordingIsWhatTheSignalWouldHaveHeard(t *testing.T) {
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	own := func(resource string, minute int, rest string) string {
		return fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":"load","time":"2026-05-04T09:%02d:00Z",%s}`, resource, minute, rest)
	}
	exported := func(minute int, statistics string) string {
		return fmt.Sprintf(`{"resourceId":%q,"metricName":"Load","timeGrain":"PT1M","time":"2026-05-04T09:%02d:00Z",%s}`, webSet, minute, statistics)
	}
	event := func(after time.Duration, body string) record.Event {
		return record.Event{EnqueuedAt: start.Add(after), Body: []byte(body)}
	}
	binary := event(0, `{"metricName":"load","value":30}`)
	binary.Properties = map[string]any{
		"cloudEvents_specversion": "1.0", "cloudEvents_source": webSet, "cloudEvents_type": "t", "cloudEvents_time": "2026-05-04T09:01:00Z",
	}
	first := event(0, own(webSet, 0, `"value":10`))
	for _, c := range []struct {
		name   string
		signal scale.Signal
		events []record.Event
		want   []float64
	}{
		{"a minute in which nothing was measured is none of load 0", scale.Signal{}, []record.Event{
			first, event(0, exported(1, `"count":0,"total":0,"average":0`)), event(0, own(webSet, 2, `"value":30`)),
		}, []float64{10, 10, 30}},
		{"a correction replaces what it corrects, whatever comes first in the file", scale.Signal{}, []record.Event{
			first, event(2*time.Minute, own(webSet, 1, `"value":50`)), event(time.Minute, own(webSet, 1, `"value":20`)),
		}, []float64{10, 50}},
		{"of two that arrived together the later in the file", scale.Signal{}, []record.Event{
			first, event(0, own(webSet, 1, `"value":20`)), event(0, own(webSet, 1, `"value":50`)),
		}, []float64{10, 50}},
		{"an event whose properties are its envelope", scale.Signal{}, []record.Event{first, binary}, []float64{10, 30}},
		{"the set's mere name", scale.Signal{}, []record.Event{first, event(0, own("web", 1, `"value":30`))}, []float64{10, 30}},
		{"another unit of the same quantity", scale.Signal{Unit: "percent"}, []record.Event{
			first, event(0, own(webSet, 1, `"value":0.3,"unit":"1"`)),
		}, []float64{10, 30}},
		{"a unit of another quantity is not heard", scale.Signal{Unit: "percent"}, []record.Event{
			first, event(0, own(webSet, 1, `"value":4,"unit":"Bytes"`)),
		}, []float64{10}},
		{"totals", scale.Signal{Aggregation: scale.Total}, []record.Event{
			event(0, exported(0, `"count":2,"total":10,"average":5`)), event(0, exported(1, `"count":2,"total":30,"average":15`)),
		}, []float64{10, 30}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.signal.Name, c.signal.Metric, c.signal.Resource = "load", "load", strings.ToLower(webSet)
			if c.signal.Aggregation == "" {
				c.signal.Aggregation = scale.Average
			}
			p := &replay.Policy{Pool: scale.Pool{Name: "web", ScaleSet: webSet, Signals: []scale.Signal{c.signal}}}
			got, err := (&readFlags{signal: "load"}).recorded("r.jsonl", c.events, p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Values); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("readings of a counter are no load", func(t *testing.T) {
		body := `{"resourceMetrics":[{"resource":{"attributes":[{"key":"cloud.resource_id","value":{"stringValue":"` + webSet + `"}}]},` +
			`"scopeMetrics":[{"metrics":[{"name":"load","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[` +
			`{"timeUnixNano":"1777885390000000000","asInt":"918273"}]}}]}]}]}`
		signal := scale.Signal{Name: "load", Metric: "load", Resource: strings.ToLower(webSet), Aggregation: scale.Total}
		p := &replay.Policy{Pool: scale.Pool{Name: "web", ScaleSet: webSet, Signals: []scale.Signal{signal}}}
		if _, err := (&readFlags{signal: "load"}).recorded("r.jsonl", []record.Event{event(0, body)}, p); err == nil ||
			!strings.Contains(err.Error(), "running sums") {
			t.Errorf("got %v, want an error that tells of running sums", err)
		}
	})
}
