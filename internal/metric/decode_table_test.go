package metric_test

import (
	"testing"

	"trimtab/internal/metric"
)

func TestTableRows(t *testing.T) {
	row := func(changes ...string) string {
		return replaced([]string{
			"time", `"2026-05-04T09:03:10.5Z"`, "resourceId", `"/SUBSCRIPTIONS/S/COMPONENTS/C"`, "Type", `"AppMetrics"`, "Name", `"Orders.Waiting"`,
			"Sum", "80", "Min", "5", "Max", "30", "ItemCount", "4",
		}, changes...)
	}
	said := func(element int, change ...func(*decoded)) decoded {
		d := decoded{
			Element: element, Resource: "/subscriptions/s/components/c", Metric: "orders.waiting", At: at("2026-05-04T09:03:10.5Z"), Grain: "0s",
			Stats: stats("average", 20.0, "count", 4.0, "maximum", 30.0, "minimum", 5.0, "total", 80.0),
		}
		for _, c := range change {
			c(&d)
		}
		return d
	}
	check(t, []decodeCase{
		{"a row", `{"records":[` + row() + `]}`, []decoded{said(0)}, nil},
		{"a row beside a platform metric", `{"records":[` + row() + `,` + platform() + `,` + row() + `]}`, []decoded{said(0), cpu(1), said(2)}, nil},
		{"the columns of a workspace", row("time", "", "TimeGenerated", `"2026-05-04T09:03:10.5Z"`, "resourceId", "", "_ResourceId", `"/subscriptions/s/components/c/"`), []decoded{said(0)}, nil},
		{"properties and roles are dimensions", row("Properties", `{"Queue":"a,b","n":5}`, "AppRoleName", `"web"`, "AppRoleInstance", `"web_3"`, "ClientIP", `"0.0.0.0"`), []decoded{
			said(0, dimensioned(`approleinstance=web_3,approlename=web,n=5,queue=a\,b`)),
		}, nil},
		{"properties as a string", row("Properties", `"{\"queue\":\"a\"}"`), []decoded{said(0, dimensioned("queue=a"))}, nil},
		{"what the SDK notes for itself is no dimension, its interval is the grain", row("Properties", `{"_MS.AggregationIntervalMs":"60000","_MS.IsAutocollected":"True"}`), []decoded{
			said(0, func(d *decoded) { d.Grain = "1m0s" }),
		}, nil},
		{"an interval that is none", row("Properties", `{"_MS.AggregationIntervalMs":"soon"}`), []decoded{said(0)}, nil},
		{"a count of zero", row("ItemCount", "0"), []decoded{said(0, with(stats("count", 0.0)))}, nil},
		{"numbers as strings", row("Sum", `"80"`), []decoded{said(0)}, nil},
		{"another table", row("Type", `"AppRequests"`), nil, first(metric.ReasonUnsupportedFormat, `"AppRequests"`, "only AppMetrics")},
		{"no name", row("Name", ""), nil, first(metric.ReasonBadName, "is empty")},
		{"no resource", row("resourceId", ""), nil, first(metric.ReasonNoResource)},
		{"no time", row("time", ""), nil, first(metric.ReasonBadTime, "no time")},
		{"a bad time", row("time", `"04/05/2026"`), nil, first(metric.ReasonBadTime, "two dates")},
		{"no statistic", row("Sum", "", "Min", "", "Max", ""), nil, first(metric.ReasonMissingField)},
		{"a sum that is none", row("Sum", `"NaN"`), nil, first(metric.ReasonBadNumber, "sum at byte")},
		{"properties that are none", row("Properties", `[]`), nil, first(metric.ReasonBadDimension, "properties at byte")},
		{"properties of properties", row("Properties", `{"a":{}}`), nil, first(metric.ReasonBadDimension, `"a": want a string, got an object`)},
		{"the same column twice", row("sum", "5"), nil, first(metric.ReasonDuplicateField, "sum at byte")},
	})
}
