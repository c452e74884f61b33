package metric_test

import (
	"testing"

	"trimtab/internal/metric"
)

func TestFluentBit(t *testing.T) {
	record := func(changes ...string) string {
		return replaced([]string{
			"@timestamp", "1777885390.25", "cpu_p", "12.5", "cpu0.p_cpu", "7", "hostname", `"web3"`, "resource_id", `"` + webVMSS + `"`,
		}, changes...)
	}
	said := func(element int, name string, v float64, change ...func(*decoded)) decoded {
		d := decoded{Element: element, Resource: webVMSS, Metric: name, Dimensions: "hostname=web3", At: at("2026-05-04T09:03:10.25Z"), Grain: "0s", Stats: lone(v)}
		for _, c := range change {
			c(&d)
		}
		return d
	}
	check(t, []decodeCase{
		{"a record that names its resource", record(), []decoded{said(0, "cpu_p", 12.5), said(1, "cpu0.p_cpu", 7)}, nil},
		{"its time as a string", record("@timestamp", `"2026-05-04T09:03:10.250000000Z"`), []decoded{said(0, "cpu_p", 12.5), said(1, "cpu0.p_cpu", 7)}, nil},
		{"fields of other kinds", record("up", "true", "x", "{}", "y", "null"), []decoded{said(0, "cpu_p", 12.5), said(1, "cpu0.p_cpu", 7)}, nil},
		{"a line of a log", record("log", `"GET /"`), nil, first(metric.ReasonUnsupportedFormat, "a line of a log")},
		{"no resource", record("resource_id", ""), nil, first(metric.ReasonNoResource)},
		{"no number", record("cpu_p", "", "cpu0.p_cpu", ""), nil, first(metric.ReasonMissingField)},
		{"a time that is none", record("@timestamp", "true"), nil, first(metric.ReasonBadTime)},
	})
}
