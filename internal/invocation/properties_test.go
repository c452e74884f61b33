package invocation_test

import (
	"testing"

	"trimtab/internal/invocation"
	"trimtab/internal/metric"
)

// TestABinaryCloudEventThroughTheHost reads what the host makes of a CloudEvent in binary mode and of one from Kafka,
// whose headers are bytes.
func TestABinaryCloudEventThroughTheHost(t *testing.T) {
	const reading = `{"metricName":"queue_depth","value":1280}`
	events := `["` + base(reading) + `","` + base(reading) + `"]`
	properties := string(marshal([]map[string]any{
		{"cloudEvents:specversion": "1.0", "cloudEvents:subject": "orders", "cloudEvents:time": "2026-05-04T09:03:10.25"},
		{"ce_specversion": []byte("1.0"), "ce_subject": []byte("orders"), "ce_time": []byte("2026-05-04T09:03:10.25Z")},
	}))
	var p invocation.Parser
	inv, err := p.Events(with(t, events, map[string]any{"PropertiesArray": properties}), "events")
	if err != nil || len(inv.Events) != 2 {
		t.Fatal(inv, err)
	}
	d := metric.NewDecoder()
	for i, e := range inv.Events {
		samples, rejected := d.DecodeWith(e.Body, metric.Properties{Application: e.Properties, System: e.System}, e.Source)
		if len(samples) != 1 {
			t.Fatalf("event %d: %+v", i, rejected)
		}
		if s := samples[0]; s.Resource != "orders" || s.Average != 1280 || s.At.Format("15:04:05.99") != "09:03:10.25" || s.Source.Sequence != int64(41+i) {
			t.Errorf("event %d: %+v", i, s)
		}
	}
}
