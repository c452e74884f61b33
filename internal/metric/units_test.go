package metric_test

import (
	"math"
	"testing"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestSamplesComeInTheUnitOfTheirSignal(t *testing.T) {
	gateway := "/subscriptions/s/resourcegroups/g/providers/microsoft.network/applicationgateways/a"
	for _, c := range []struct {
		name                     string
		resource, metric, sample string
		signal                   string
		factor                   float64 // 0 for what does not fit
	}{
		{"a fraction for a signal in percent", "/r", "system.cpu.utilization", "1", "Percent", 100},
		{"a percentage for a signal in fractions", "/r", "cpu", "Percent", "1", 0.01},
		{"the same unit in another casing", "/r", "latency", "MilliSeconds", "milliseconds", 1},
		{"milliseconds for a signal in seconds", "/r", "latency", "ms", "Seconds", 0.001},
		{"mebibytes for a signal in bytes", "/r", "memory", "MiBy", "Bytes", 1 << 20},
		{"mebibytes a second for a signal in bytes a second", "/r", "network", "MiBy/s", "BytesPerSecond", 1 << 20},
		{"bytes a second are no bytes, in thousands either", "/r", "network", "kBy/s", "Bytes", 0},
		{"a platform metric that does not say its unit", windowSet, "percentage cpu", "", "Percent", 1},
		{"a platform metric for a signal in another unit", windowSet, "available memory bytes", "", "GiB", 1.0 / (1 << 30)},
		{"a gateway's latency in seconds", gateway, "backendconnecttime", "", "s", 0.001},
		{"a gateway's utilisation for a signal in fractions", gateway, "cpuutilization", "", "1", 0.01},
		{"the size of a namespace's queues", "/subscriptions/s/resourcegroups/g/providers/microsoft.servicebus/namespaces/b", "size", "", "GB", 1e-9},
		{"a component's durations in seconds", "/subscriptions/s/resourcegroups/g/providers/microsoft.insights/components/c", "requests/duration", "", "s", 0.001},
		{"a platform metric of another kind of unit", windowSet, "available memory bytes", "", "Percent", 0},
		{"bytes are no seconds", "/r", "m", "By", "s", 0},
		{"what is counted fits everything", "/r", "vipavailability", "Count", "Percent", 1},
		{"OpenTelemetry's braces count", "/r", "requests", "{request}", "Percent", 1},
		{"requests a second", "/r", "requests", "{request}/s", "CountPerSecond", 1},
		{"a sample without a unit", "/r", "m", "", "Percent", 1},
		{"a unit that nobody knows", "/r", "m", "furlongs", "Percent", 1},
		{"a signal whose unit is for readers only", "/r", "m", "ms", "jobs", 1},
		{"a signal without a unit", "/r", "m", "ms", "", 1},
	} {
		s := scale.Sample{Resource: c.resource, Metric: c.metric, Unit: c.sample, Stats: scale.Stats{
			Has: scale.HasAverage | scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount, Average: 2, Minimum: 1, Maximum: 3, Total: 8, Count: 4,
		}}
		got, ok := metric.InUnit(&scale.Signal{Unit: c.signal}, s)
		if ok != (c.factor != 0) {
			t.Errorf("%s: fits %t", c.name, ok)
			continue
		}
		if f := c.factor; ok && (math.Abs(got.Average-2*f) > 1e-12 || math.Abs(got.Minimum-f) > 1e-12 || math.Abs(got.Maximum-3*f) > 1e-12*f*1e9 || math.Abs(got.Total-8*f) > 1e-9*math.Max(f, 1) || got.Count != 4) {
			t.Errorf("%s: got %+v", c.name, got.Stats)
		}
	}
}
