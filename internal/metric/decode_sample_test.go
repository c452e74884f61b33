package metric_test

import (
	"strings"
	"testing"

	"trimtab/internal/metric"
)

func TestStatistics(t *testing.T) {
	absent := with(stats("count", 0.0))
	check(t, []decodeCase{
		{
			"a measured zero", platform("count", "1", "total", "0", "minimum", "0", "maximum", "0", "average", "0"),
			[]decoded{cpu(0, with(stats("average", 0.0, "count", 1.0, "maximum", 0.0, "minimum", 0.0, "total", 0.0)))},
			nil,
		},
		{"a count of zero: absent, with zeros", platform("count", "0", "total", "0", "minimum", "0", "maximum", "0", "average", "0"), []decoded{cpu(0, absent)}, nil},
		{"a count of zero: absent, with nulls", platform("count", "0", "total", "null", "minimum", "null", "maximum", "null", "average", "null"), []decoded{cpu(0, absent)}, nil},
		{"a count of zero: absent, with nothing", platform("count", "0", "total", "", "minimum", "", "maximum", "", "average", ""), []decoded{cpu(0, absent)}, nil},
		{
			"an average derived from total and count", platform("average", "", "minimum", "null"),
			[]decoded{cpu(0, with(stats("average", 72.35, "count", 4.0, "maximum", 91.2, "total", 289.4)))},
			nil,
		},
		{
			"no average without a count", platform("average", "", "count", ""),
			[]decoded{cpu(0, with(stats("maximum", 91.2, "minimum", 55.1, "total", 289.4)))},
			nil,
		},
		{"only an average", platform("count", "", "total", "", "minimum", "", "maximum", ""), []decoded{cpu(0, with(stats("average", 72.35)))}, nil},
		{"only a count", platform("average", "", "total", "", "minimum", "", "maximum", ""), nil, first(metric.ReasonMissingField, "without any of average")},
		{"no statistic", platform("count", "", "average", "", "total", "", "minimum", "", "maximum", ""), nil, first(metric.ReasonMissingField, "without any of average")},
		{
			"numbers in strings and strings in numbers", `[` + platform("average", `"72.35"`, "count", `"4"`) + `,` + exported("Average", "72.35", "Total", "289.4") + `]`,
			[]decoded{cpu(0), export(1)},
			nil,
		},
		{"beyond 2^53", platform("total", "9007199254740993", "count", `"18014398509481985"`), []decoded{
			cpu(0, with(stats("average", 72.35, "count", 18014398509481984.0, "maximum", 91.2, "minimum", 55.1, "total", 9007199254740992.0))),
		}, nil},
		{"a negative measurement", platform("minimum", "-1.5e0"), []decoded{
			cpu(0, with(stats("average", 72.35, "count", 4.0, "maximum", 91.2, "minimum", -1.5, "total", 289.4))),
		}, nil},
		{"NaN in a string", exported("Average", `"NaN"`), nil, first(metric.ReasonBadNumber, `average at byte 11: want a finite number, got "NaN"`)},
		{"Infinity in a string", exported("Total", `"-Infinity"`), nil, first(metric.ReasonBadNumber, "total")},
		{"an empty string", exported("Total", `""`), nil, first(metric.ReasonBadNumber, `got ""`)},
		{"a decimal comma", exported("Total", `"1,5"`), nil, first(metric.ReasonBadNumber)},
		{
			"a number beyond float64 spoils its own element only", `[` + platform("total", "1e400") + `,` + platform("total", `"1e400"`) + `,` + platform() + `]`,
			[]decoded{cpu(2)},
			[]refused{{0, metric.ReasonBadNumber, []string{"total", "1e400"}}, {1, metric.ReasonBadNumber, []string{`"1e400"`}}},
		},
		{"a truth value", platform("average", "true"), nil, first(metric.ReasonBadNumber, "got true")},
		{"an object", platform("average", `{"a":1}`), nil, first(metric.ReasonBadNumber, `got {"a":1}`)},
		{"a negative count", platform("count", "-1"), nil, first(metric.ReasonBadNumber, "count", "got -1")},
		{"the same sample twice with different values is two samples", `[` + platform() + `,` + platform("average", "80") + `]`, []decoded{
			cpu(0), cpu(1, func(d *decoded) { d.Stats["average"] = 80 }),
		}, nil},
	})
}

func TestNames(t *testing.T) {
	named := func(resource, name string) func(*decoded) {
		return func(d *decoded) { d.Resource, d.Metric = resource, name }
	}
	long := strings.Repeat("x", metric.MaxName)
	check(t, []decodeCase{
		{
			"one set in three casings", `[` + platform() + `,` + exported("dimension", "", "unit", "") + `,` +
				platform("resourceId", `"/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachineScaleSets/web-vmss"`) + `]`,
			[]decoded{cpu(0), cpu(1), cpu(2)},
			nil,
		},
		{"a trailing slash", platform("resourceId", `"`+webVMSS+`/"`), []decoded{cpu(0)}, nil},
		{"escaped slashes", platform("resourceId", `"`+strings.ReplaceAll(webVMSS, "/", `\/`)+`"`), []decoded{cpu(0)}, nil},
		{"the names of guest counters", platform("metricName", `"\\Processor(_Total)\\% Processor Time"`), []decoded{cpu(0, named(webVMSS, `\processor(_total)\% processor time`))}, nil},
		{"names beyond ASCII", own("resource", `"ÄPFEL"`, "metric", `"größe"`), []decoded{depth(0, named("äpfel", "größe"))}, nil},
		{"names as long as allowed", own("metric", `"`+long+`"`), []decoded{depth(0, named("orders", long))}, nil},
		{"names longer than allowed", own("metric", `"`+long+`x"`), nil, first(metric.ReasonBadName, "metric at byte", "longer than 8192 bytes")},
		{"control characters", own("resource", `"a\u0000b"`), nil, first(metric.ReasonBadName, "resource at byte", "control characters")},
		{"an empty resource", platform("resourceId", `""`), nil, first(metric.ReasonBadName, "resourceId", "is empty")},
		{"a resource of slashes", platform("resourceId", `"//"`), nil, first(metric.ReasonBadName, "resourceId", "is empty")},
		{"an empty metric", platform("metricName", `""`), nil, first(metric.ReasonBadName, "metricName", "is empty")},
		{"an empty unit", own("unit", `""`), []decoded{depth(0)}, nil},
		{"a unit keeps its spelling", own("unit", `"MilliSeconds"`), []decoded{depth(0, func(d *decoded) { d.Unit = "MilliSeconds" })}, nil},
		{"a bad unit", own("unit", `"\n"`), nil, first(metric.ReasonBadName, "unit at byte")},
		{"a resource that is a number", platform("resourceId", `5`), nil, first(metric.ReasonBadField, "resourceId at byte", "want a string, got 5")},
	})
}

func TestFieldsThatAreMissingOrTwice(t *testing.T) {
	var cases []decodeCase
	for _, field := range []string{"resourceId", "metricName", "time", "timeGrain"} {
		reason := metric.ReasonMissingField
		if field == "metricName" {
			cases = append(cases, decodeCase{"no " + field, platform(field, ""), nil, first(metric.ReasonUnknownFormat)})
		} else {
			cases = append(cases, decodeCase{"no " + field, platform(field, ""), nil, first(reason, "a platform metric at byte 0 without "+field)})
		}
		cases = append(cases, decodeCase{"null for " + field, platform(field, "null"), nil, first(reason, "without "+field)})
	}
	for _, field := range []string{"resource", "metric", "time"} {
		cases = append(cases, decodeCase{"a sample with no " + field, own(field, ""), nil, first(metric.ReasonMissingField, "a trimtab sample at byte 0 without "+field)})
	}
	check(t, append(cases,
		decodeCase{"a field twice in two casings", platform("RESOURCEID", `"x"`), nil, first(metric.ReasonDuplicateField, "resourceId at byte")},
		decodeCase{"a field twice with the same value", strings.Replace(platform(), "{", `{"count":4,`, 1), nil, first(metric.ReasonDuplicateField, "count at byte 9")},
		decodeCase{"null and then a value", strings.Replace(platform(), "{", `{"time":null,`, 1), nil, first(metric.ReasonDuplicateField, "time")},
		decodeCase{"a field twice that does not matter", platform("location", `"a"`, "Location", `"b"`, "Value", "1", "value", "2"), []decoded{cpu(0)}, nil},
	))
}

func TestDimensions(t *testing.T) {
	dims := func(object, want string) decodeCase {
		return decodeCase{object, own("dimensions", object), []decoded{depth(0, dimensioned(want))}, nil}
	}
	bad := func(object, detail string) decodeCase {
		return decodeCase{object, own("dimensions", object), nil, first(metric.ReasonBadDimension, "dimensions at byte", detail)}
	}
	check(t, []decodeCase{
		dims(`{}`, ""), dims(`null`, ""), dims(`{"b":"2","A":"One"}`, "a=One,b=2"), dims(` { "A" : "One" } `, "a=One"),
		dims(`{"a":"x,b=y"}`, `a=x\,b\=y`), dims(`{"a":"x","b":"y"}`, `a=x,b=y`), dims(`{"a,b":"\\"}`, `a\,b=\\`),
		dims(`{"a=":"b"}`, `a\==b`), dims(`{"a":"=b"}`, `a=\=b`), dims(`{"a":""}`, "a="), dims(`{"a b":"1","a":"2"}`, "a=2,a b=1"),
		bad(`{"a":1}`, `"a": want a string, got a number`), bad(`{"a":null}`, "got null"), bad(`{"":"x"}`, "without a name"),
		bad(`{"a":"1","A":"2"}`, `"a" stands there more than once`), bad(`{"a":"\u0001"}`, "control characters"),
		bad(`{"\t":"1"}`, "control characters"), bad(`{"a":"`+strings.Repeat("x", metric.MaxName)+`"}`, "longer than 8192 bytes"),
		bad(`[]`, "want an object of strings, got []"), bad(`"a=1"`, `got "a=1"`),
		{"present and absent for one metric are two series", `[` + exported() + `,` + exported("dimension", "") + `]`, []decoded{export(0), export(1, dimensioned(""))}, nil},
		{"a guest agent's record has them in the plural", platform("dimensions", `{"RoleInstance":"_web-vmss_3"}`), []decoded{cpu(0, dimensioned("roleinstance=_web-vmss_3"))}, nil},
		{"singular and plural at once", exported("dimensions", `{"a":"b"}`), nil, first(metric.ReasonDuplicateField, "besides dimension")},
	})
}

func TestOwnSamples(t *testing.T) {
	check(t, []decodeCase{
		{"a lone value is one measurement", own(), []decoded{depth(0)}, nil},
		{"a value among others is an average", own("count", "60", "maximum", "2000"), []decoded{depth(0, with(stats("average", 1280.0, "count", 60.0, "maximum", 2000.0)))}, nil},
		{"total and count", own("value", "", "total", "5400", "count", "60"), []decoded{depth(0, with(stats("average", 90.0, "count", 60.0, "total", 5400.0)))}, nil},
		{"a count of zero", own("count", "0"), []decoded{depth(0, with(stats("count", 0.0)))}, nil},
		{"no statistic", own("value", ""), nil, first(metric.ReasonMissingField, "without any of value, minimum")},
		{"a grain", own("grain", `"PT10S"`), []decoded{depth(0, func(d *decoded) { d.Grain = "10s" })}, nil},
		{"another version", own("trimtab", "2"), nil, first(metric.ReasonUnsupportedVersion, "trimtab at byte 11", "got 2")},
		{"a version that is none", own("trimtab", `"one"`), nil, first(metric.ReasonUnsupportedVersion, `got "one"`)},
		{"no version", own("trimtab", "null"), nil, first(metric.ReasonUnsupportedVersion, "got null")},
		{"a misspelt field", own("dimnesions", `{}`), nil, first(metric.ReasonUnknownField, `"dimnesions" at byte`)},
		{"the singular of dimensions", own("dimension", `{}`), nil, first(metric.ReasonUnknownField, "dimension at byte", "it is called dimensions there")},
		{"a platform metric's field", own("resourceId", `"x"`), nil, first(metric.ReasonUnknownField, "it is called resource there")},
		{"another known field", own("category", `"x"`), nil, first(metric.ReasonUnknownField, "category at byte")},
		{"records within", own("records", `[]`), nil, first(metric.ReasonUnknownField, "records")},
	})
}
