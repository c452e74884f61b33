package metric_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"trimtab/internal/metric"
)

// event is a CloudEvent around data.
func event(data string, changes ...string) string {
	return replaced([]string{
		"specversion", `"1.0"`, "id", `"5b3e-0001"`, "source", `"/fleets/web"`, "type", `"com.example.fleet.metric"`,
		"subject", `"web-vmss"`, "time", `"2026-05-04T09:03:10.25Z"`, "data", "0",
	}, append([]string{"data", data}, changes...)...)
}

// grid is an event of Event Grid's schema around data.
func grid(data string, changes ...string) string {
	return replaced([]string{
		"id", `"1"`, "topic", `"/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/t"`, "subject", `"` + webVMSS + `"`,
		"eventType", `"Example.Metric"`, "eventTime", `"2026-05-04T09:03:10.25Z"`, "dataVersion", `"1"`, "data", "0",
	}, append([]string{"data", data}, changes...)...)
}

// simple is a reading that leaves to its envelope what that can say.
const simple = `{"metricName":"queue_depth","value":1280,"unit":"Count"}`

// queue is what simple says within event.
func queue(element int, change ...func(*decoded)) decoded {
	return depth(element, append([]func(*decoded){func(d *decoded) {
		d.Resource, d.Unit, d.At = "web-vmss", "Count", at("2026-05-04T09:03:10.25Z")
	}}, change...)...)
}

func resource(name string) func(*decoded) { return func(d *decoded) { d.Resource = name } }

func base(text string) string { return `"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"` }

func TestCloudEvents(t *testing.T) {
	check(t, []decodeCase{
		{"a reading, its resource and time from the envelope", event(simple), []decoded{queue(0)}, nil},
		{"an array of events", `[` + event(simple) + `,` + event(simple) + `]`, []decoded{queue(0), queue(1)}, nil},
		{"data in base64", event("", "data_base64", base(simple)), []decoded{queue(0)}, nil},
		{
			"a platform metric, its own resource and time before the envelope's", event(platform()),
			[]decoded{cpu(0)},
			nil,
		},
		{"records", event(`{"records":[` + platform() + `,` + platform() + `]}`), []decoded{cpu(0), cpu(1)}, nil},
		{"an array of readings", event(`[` + simple + `,` + own() + `]`), []decoded{queue(0), depth(1)}, nil},
		{"one of Trimtab's own samples", event(own()), []decoded{depth(0)}, nil},
		{"an own sample is held to its schema all the same", event(own("time", "")), nil, first(metric.ReasonMissingField, "in a CloudEvent", "without time")},
		{"a platform metric without a resource", event(platform("resourceId", "")), []decoded{cpu(0, resource("web-vmss"))}, nil},
		{"a platform metric without a time or a grain", event(platform("time", "", "timeGrain", "")), []decoded{
			cpu(0, func(d *decoded) { d.At, d.Grain = at("2026-05-04T09:03:10.25Z"), "0s" }),
		}, nil},
		{"every field of a reading", event(`{"metric":"M","resource":"r","timestamp":1777885390,"grain":"PT1M","dimensions":{"B":"x"},"count":2,"total":5}`), []decoded{{
			Resource: "r", Metric: "m", Dimensions: "b=x", At: at("2026-05-04T09:03:10Z"), Grain: "1m0s",
			Stats: stats("average", 2.5, "count", 2.0, "total", 5.0),
		}}, nil},
		{"a reading that counts nothing", event(`{"name":"m","value":0,"count":0}`), []decoded{queue(0, func(d *decoded) { d.Metric, d.Unit = "m", "" }, with(stats("count", 0.0)))}, nil},
		{"a reading with nothing but a count", event(`{"name":"m","count":3}`), nil, first(metric.ReasonMissingField, `no value of "m"`)},
		{"a reading that is no number", event(`{"name":"m","value":"NaN"}`), nil, first(metric.ReasonBadNumber, "value at byte", `"NaN"`)},
		{"a reading twice", event(`{"name":"m","value":1,"Value":2}`), nil, first(metric.ReasonDuplicateField, "value at byte")},

		{"the source is the resource where there is no subject", event(simple, "subject", ""), []decoded{queue(0, resource("/fleets/web"))}, nil},
		{"an ARM resource ID goes before a mere name", event(simple, "source", `"`+strings.ToUpper(webVMSS)+`"`), []decoded{queue(0, resource(webVMSS))}, nil},
		{"a source that is a mere word names the sender", event(simple, "subject", "", "source", `"telegraf"`), nil, first(metric.ReasonNoResource, "cloud.resource_id")},
		{"no time anywhere", event(simple, "time", ""), nil, first(metric.ReasonBadTime, "no time")},
		{"attributes in capitals", strings.Replace(event(simple), "specversion", "SpecVersion", 1), []decoded{queue(0)}, nil},
		{"extensions", event(simple, "partitionkey", `"p"`, "traceparent", `"00-0"`), []decoded{queue(0)}, nil},

		{"no data", event(""), nil, first(metric.ReasonMissingField, "without data", `type "com.example.fleet.metric"`)},
		{"data that is null", event("null"), nil, first(metric.ReasonMissingField, "without data")},
		{"data twice", event(simple, "data_base64", base(simple)), nil, first(metric.ReasonDuplicateField, "data_base64")},
		{"data that is text", event(`"{}"`), nil, first(metric.ReasonBadElement, "a string", "quoted once more")},
		{"data that nothing is known about", event(`{"a":1}`), nil, first(metric.ReasonUnknownFormat, `in a CloudEvent (type "com.example.fleet.metric")`)},
		{"base64 that is none", event("", "data_base64", `"e30"`), nil, first(metric.ReasonBadField, "want base64", `"e30"`)},
		{
			"base64 that holds no JSON costs its own event only", `[` + event("", "data_base64", base("cpu value=1")) + `,` + event(simple) + `]`,
			[]decoded{queue(1)},
			first(metric.ReasonNotJSON, "line protocol"),
		},
		{
			"base64 that is cut off after whole records", `[` + event("", "data_base64", base(`{"records":[`+platform()+`,`)) + `,` + event(simple) + `]`,
			[]decoded{queue(1)},
			first(metric.ReasonBadJSON, "too early"),
		},
		{"another version", event(simple, "specversion", `"0.3"`), nil, first(metric.ReasonUnsupportedVersion, `got "0.3"`)},
		{"an attribute twice", event(simple, "Subject", `"x"`), nil, first(metric.ReasonDuplicateField, "subject at byte")},
		{"an envelope within an envelope", event(event(simple)), nil, first(metric.ReasonUnsupportedFormat, "in an envelope already")},
		{
			"events among other elements", `{"records":[` + event(simple) + `,` + platform() + `,` + event(`[5,`+simple+`]`) + `,` + platform() + `]}`,
			[]decoded{queue(0), cpu(1), queue(3), cpu(4)},
			[]refused{{2, metric.ReasonBadElement, nil}},
		},
		{
			"a place within the data is a place of the body", event(`[` + platform("average", "true") + `]`), nil,
			first(metric.ReasonBadNumber, "average at byte "+place(event(`[`+platform("average", "true")+`]`), "true")),
		},
	})
}

func TestEventGridSchema(t *testing.T) {
	queued := func(element int) decoded { return queue(element, resource(webVMSS)) }
	check(t, []decodeCase{
		{"an array of one", `[` + grid(simple) + `]`, []decoded{queued(0)}, nil},
		{"a batch", `[` + grid(simple) + `,` + grid(platform()) + `]`, []decoded{queued(0), cpu(1)}, nil},
		{"the topic is no resource", grid(simple, "subject", `""`), nil, first(metric.ReasonNoResource, "in an Event Grid event")},
		{"no data", grid(""), nil, first(metric.ReasonMissingField, "without data")},
		{"data that nothing is known about", grid(`{"a":1}`), nil, first(metric.ReasonUnknownFormat, `eventType "Example.Metric"`)},
	})
}
