package metric_test

import (
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/metric"
)

// telegraf is a metric of Telegraf with two fields.
func telegraf(changes ...string) string {
	return replaced([]string{
		"fields", `{"usage_idle":27.65,"usage_user":70.1}`, "name", `"cpu"`,
		"tags", `{"cpu":"cpu-total","host":"web000003","resource_id":"` + strings.ToUpper(webVMSS) + `"}`, "timestamp", "1777885390",
	}, changes...)
}

// usage is what telegraf says in one of its fields.
func usage(element int, field string, v float64, change ...func(*decoded)) decoded {
	d := decoded{
		Element: element, Resource: webVMSS, Metric: "cpu_" + field, Dimensions: "cpu=cpu-total,host=web000003",
		At: at("2026-05-04T09:03:10Z"), Grain: "0s", Stats: lone(v),
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func lone(v float64) map[string]float64 {
	return stats("average", v, "count", 1.0, "maximum", v, "minimum", v, "total", v)
}

func TestTelegraf(t *testing.T) {
	both := func(element int, change ...func(*decoded)) []decoded {
		return []decoded{usage(element, "usage_idle", 27.65, change...), usage(element+1, "usage_user", 70.1, change...)}
	}
	nano := func(d *decoded) { d.At = at("2026-05-04T09:03:10.000000001Z") }
	check(t, []decodeCase{
		{"seconds", telegraf(), both(0), nil},
		{"nanoseconds", telegraf("timestamp", "1777885390000000001"), both(0, nano), nil},
		{"milliseconds", telegraf("timestamp", "1777885390000"), both(0), nil},
		{"several metrics", `{"metrics":[` + telegraf() + `,` + telegraf() + `]}`, append(both(0), both(2)...), nil},
		{"several metrics, one of them none", `{"metrics":[5,` + telegraf() + `,{"name":"x"}]}`, both(1), []refused{
			{0, metric.ReasonBadElement, []string{"at byte 12", "no Telegraf metric"}}, {3, metric.ReasonBadElement, nil},
		}},
		{"no metrics", `{"metrics":[]}`, nil, nil},
		{"as the data of a CloudEvent, in nanoseconds", event(telegraf("timestamp", "1777885390000000001")), both(0, nano), nil},
		{"the resource from the CloudEvent", event(telegraf("tags", "{}"), "source", `"`+webVMSS+`"`, "subject", ""), both(0, dimensioned("")), nil},
		{"a set by its name", telegraf("tags", `{"vmss":"web-vmss"}`), both(0, dimensioned(""), resource("web-vmss")), nil},
		{"a resource ID goes before a name", telegraf("tags", `{"vmss":"web-vmss","resourceId":"/x"}`), both(0, dimensioned("vmss=web-vmss"), resource("/x")), nil},
		{"a field that needs no name of its own", telegraf("fields", `{"value":5}`, "name", `"queue"`), []decoded{
			usage(0, "", 5, func(d *decoded) { d.Metric = "queue" }),
		}, nil},
		{"fields that are no numbers are text beside the measurement", telegraf("fields", `{"uptime_format":"2:10","up":true,"x":{"y":1},"z":null,"usage_idle":5}`), []decoded{usage(0, "usage_idle", 5)}, nil},
		{"no field that is a number", telegraf("fields", `{"state":"5"}`), nil, first(metric.ReasonMissingField, "without a field that is a number")},
		{"a field twice in two casings", telegraf("fields", `{"usage_idle":5,"Usage_Idle":6}`), []decoded{usage(0, "usage_idle", 5)}, []refused{{1, metric.ReasonDuplicateField, []string{`"usage_idle"`}}}},
		{"a field beyond float64", telegraf("fields", `{"a":1e400,"usage_idle":5}`), []decoded{usage(1, "usage_idle", 5)}, []refused{{0, metric.ReasonBadNumber, []string{"1e400"}}}},
		{"a host is what was measured, where nothing says more", telegraf("tags", `{"host":"web000003"}`), both(0, dimensioned("host=web000003"), resource("host/web000003")), nil},
		{"nothing says of what, said once", telegraf("tags", `{"host":"","rack":"7"}`), nil, first(metric.ReasonNoResource, "cloud.resource_id, resource_id, resourceid", "vmss")},
		{"an empty resource is none", telegraf("tags", `{"resource_id":""}`), nil, first(metric.ReasonNoResource)},
		{"no timestamp", telegraf("timestamp", ""), nil, first(metric.ReasonMissingField, "without timestamp")},
		{"a timestamp that is none", telegraf("timestamp", "5"), nil, first(metric.ReasonBadTime, "timestamp at byte")},
		{"no name", telegraf("name", `""`), nil, first(metric.ReasonBadName, "the name is empty")},
		{"fields that are none", telegraf("fields", "[]"), nil, first(metric.ReasonBadField, "want an object")},
		{"tags that are none", telegraf("tags", "[]"), nil, first(metric.ReasonBadDimension, "tags at byte")},
		{"a tag with control characters", telegraf("tags", `{"vmss":"a","b":"\u0001"}`), nil, []refused{
			{0, metric.ReasonBadDimension, []string{"control characters"}}, {1, metric.ReasonBadDimension, nil},
		}},
		{"tags twice", telegraf("Tags", `{}`), nil, first(metric.ReasonDuplicateField, "tags at byte")},
	})
}

func TestFieldsAreElementsOfTheLimit(t *testing.T) {
	var fields []string
	for i := range metric.MaxElements {
		fields = append(fields, fmt.Sprintf(`"f%d":%d`, i, i))
	}
	most := telegraf("fields", "{"+strings.Join(fields, ",")+"}")
	samples, rejected := decodeAll(most)
	if len(samples) != metric.MaxElements || len(rejected) != 0 {
		t.Errorf("%d samples, %.200v", len(samples), rejected)
	}
	samples, rejected = decodeAll(`[` + most + `,` + own() + `]`)
	if len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonTooManyElements || rejected[0].Element != metric.WholeBody {
		t.Errorf("%d samples, %.200v", len(samples), rejected)
	}
	samples, rejected = decodeAll(event(`[` + most + `,` + most + `]`))
	if len(samples) != 0 || len(rejected) != 1 || rejected[0].Element != metric.WholeBody {
		t.Errorf("%d samples, %.200v", len(samples), rejected)
	}
	var tags []string
	for i := range 300 {
		tags = append(tags, fmt.Sprintf(`"t%d":""`, i))
	}
	if samples, rejected = decodeAll(telegraf("tags", `{"vmss":"a",`+strings.Join(tags, ",")+"}")); len(samples) != 0 || rejected[0].Reason != metric.ReasonBadDimension {
		t.Errorf("%d samples, %.200v", len(samples), rejected)
	}
}
