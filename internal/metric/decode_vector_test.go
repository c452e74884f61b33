package metric_test

import (
	"testing"

	"trimtab/internal/metric"
)

func TestVector(t *testing.T) {
	vector := func(kind, value, inner string, changes ...string) string {
		return replaced([]string{
			"name", `"Load"`, "namespace", `"host"`, "tags", `{"resource_id":"` + webVMSS + `","host":"web000003"}`,
			"timestamp", `"2026-05-04T09:03:10.25Z"`, "kind", `"` + kind + `"`, value, inner,
		}, changes...)
	}
	said := func(s map[string]float64, change ...func(*decoded)) []decoded {
		d := decoded{Resource: webVMSS, Metric: "host_load", Dimensions: "host=web000003", At: at("2026-05-04T09:03:10.25Z"), Grain: "0s", Stats: s}
		for _, c := range change {
			c(&d)
		}
		return []decoded{d}
	}
	check(t, []decodeCase{
		{"a gauge", vector("absolute", "gauge", `{"value":72.3}`), said(lone(72.3)), nil},
		{"a gauge without a namespace", vector("absolute", "gauge", `{"value":72.3}`, "namespace", "null"), said(lone(72.3), func(d *decoded) { d.Metric = "load" }), nil},
		{"what a counter grew by", vector("incremental", "counter", `{"value":12}`), said(stats("total", 12.0)), nil},
		{"what it grew by in an interval that ended then", vector("incremental", "counter", `{"value":12}`, "interval_ms", "10000"), said(stats("total", 12.0), func(d *decoded) {
			d.At, d.Grain = at("2026-05-04T09:03:00.25Z"), "10s"
		}), nil},
		{"a distribution", vector("incremental", "distribution", `{"samples":[{"value":1,"rate":3},{"value":9,"rate":1},{"value":99,"rate":0}],"statistic":"histogram"}`), said(stats("average", 3.0, "count", 4.0, "maximum", 9.0, "minimum", 1.0, "total", 12.0)), nil},
		{"a distribution of nothing", vector("incremental", "distribution", `{"samples":[]}`), said(stats("count", 0.0)), nil},
		{"a histogram", vector("incremental", "aggregated_histogram", `{"buckets":[],"count":4,"sum":10}`), said(stats("average", 2.5, "count", 4.0, "total", 10.0)), nil},
		{"a summary", vector("incremental", "aggregated_summary", `{"quantiles":[],"count":4,"sum":10}`), said(stats("average", 2.5, "count", 4.0, "total", 10.0)), nil},
		{"a counter since some beginning", vector("absolute", "counter", `{"value":12}`), said(map[string]float64{"total": 12}, func(d *decoded) { d.Running = "?" }), nil},
		{"a histogram since some beginning", vector("absolute", "aggregated_histogram", `{"count":4,"sum":10}`), said(map[string]float64{"total": 10, "count": 4}, func(d *decoded) { d.Running = "?" }), nil},
		{"a change of a gauge", vector("incremental", "gauge", `{"value":1}`), nil, first(metric.ReasonUnsupportedFormat)},
		{"a set", vector("incremental", "set", `{"values":["a"]}`), nil, first(metric.ReasonUnsupportedFormat)},
		{"a sample that is none", vector("incremental", "distribution", `{"samples":[{"value":1}]}`), nil, first(metric.ReasonBadNumber)},
		{"a value that is none", vector("absolute", "gauge", `{"value":"NaN"}`), nil, first(metric.ReasonBadNumber)},
		{"no value", vector("absolute", "gauge", `{}`), nil, first(metric.ReasonMissingField)},
		{"a gauge that is no object", vector("absolute", "gauge", `5`), nil, first(metric.ReasonBadField)},
		{"no time", vector("absolute", "gauge", `{"value":1}`, "timestamp", ""), nil, first(metric.ReasonMissingField, "without timestamp")},
		{"tags of several values", vector("absolute", "gauge", `{"value":1}`, "tags", `{"a":["b"]}`), nil, first(metric.ReasonBadDimension)},
		{"a host is what was measured", vector("absolute", "gauge", `{"value":1}`, "tags", `{"host":"a"}`), said(lone(1), func(d *decoded) { d.Resource, d.Dimensions = "host/a", "host=a" }), nil},
		{"no resource", vector("absolute", "gauge", `{"value":1}`, "tags", `{"rack":"a"}`), nil, first(metric.ReasonNoResource)},
		{"a log that has a kind", `{"kind":"absolute","name":"x","message":"m"}`, nil, first(metric.ReasonUnknownFormat)},
	})
}
