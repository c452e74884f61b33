package metric_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// attribute is a KeyValue of OTLP JSON with a text.
func attribute(key, value string) string {
	return fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, key, value)
}

// otlp is a request of metrics, all of one resource and scope.
func otlp(attributes string, metrics ...string) string {
	return `{"resourceMetrics":[{"resource":{"attributes":[` + attributes + `]},"scopeMetrics":[{"scope":{},"metrics":[` + strings.Join(metrics, ",") + `]}]}]}`
}

const (
	otlpStart = `"startTimeUnixNano":"1777885330000000000",`
	otlpEnd   = `"timeUnixNano":"1777885390000000000",`
	otlpOver  = otlpStart + otlpEnd
)

// protobuf is a request of OTLP JSON in protobuf; ok is false for one that protobuf cannot hold.
func protobuf(t testing.TB, body string) (bytes []byte, ok bool) {
	t.Helper()
	var data metricspb.MetricsData
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(body), &data) != nil {
		return nil, false
	}
	bytes, err := proto.Marshal(&data)
	if err != nil {
		t.Fatal(err)
	}
	return bytes, true
}

// since makes what is decoded run since otlpStart.
func since(d *decoded) { d.Running = "2026-05-04T09:02:10Z" }

// checkOTLP holds each case to be the same in JSON and in protobuf, by itself and as the data of a CloudEvent.
func checkOTLP(t *testing.T, cases []decodeCase) {
	t.Helper()
	for i := range cases {
		if bytes, ok := protobuf(t, cases[i].body); ok && len(bytes) > 0 {
			binary := cases[i]
			binary.name += ", in protobuf"
			binary.body = string(bytes)
			coded := cases[i]
			coded.name += ", in protobuf within a CloudEvent"
			coded.body = event("", "data_base64", base(string(bytes)), "subject", "", "source", `"telegraf"`)
			cases = append(cases, binary, coded)
		}
	}
	check(t, cases)
}

func TestOTLP(t *testing.T) {
	who := attribute("cloud.resource_id", strings.ToUpper(webVMSS))
	said := func(element int, name, grain string, s map[string]float64, change ...func(*decoded)) decoded {
		d := decoded{Element: element, Resource: webVMSS, Metric: name, At: at("2026-05-04T09:03:10Z"), Grain: grain, Stats: s}
		if grain == "1m0s" {
			d.At = at("2026-05-04T09:02:10Z")
		}
		for _, c := range change {
			c(&d)
		}
		return d
	}
	sum := func(temporality int, monotonic bool, point string) string {
		return fmt.Sprintf(`{"name":"M","sum":{"aggregationTemporality":%d,"isMonotonic":%t,"dataPoints":[{%s}]}}`, temporality, monotonic, point)
	}
	gauge := func(point string) string { return `{"name":"M","gauge":{"dataPoints":[{` + point + `}]}}` }
	histogram := func(kind string, temporality int, point string) string {
		return fmt.Sprintf(`{"name":"M","%s":{"aggregationTemporality":%d,"dataPoints":[{%s}]}}`, kind, temporality, point)
	}
	const unit = `{"name":"System.CPU.Utilization","unit":"1","gauge":{"dataPoints":[{` + otlpOver + `"asDouble":0.7235}]}}`
	checkOTLP(t, []decodeCase{
		{"a gauge keeps its fraction and says so by its unit", otlp(who, unit), []decoded{said(0, "system.cpu.utilization", "0s", lone(0.7235), func(d *decoded) { d.Unit = "1" })}, nil},
		{"whole numbers as strings", otlp(who, gauge(otlpEnd+`"asInt":"12"`)), []decoded{said(0, "m", "0s", lone(12))}, nil},
		{"a delta is the total of its span", otlp(who, sum(1, true, otlpOver+`"asInt":"120"`)), []decoded{said(0, "m", "1m0s", stats("total", 120.0))}, nil},
		{"a delta whose span is unknown", otlp(who, sum(1, true, otlpEnd+`"asInt":"120"`)), []decoded{said(0, "m", "0s", stats("total", 120.0))}, nil},
		{"what goes up and down is where it is", otlp(who, sum(2, false, otlpOver+`"asInt":"7"`)), []decoded{said(0, "m", "0s", lone(7))}, nil},
		{"a cumulative sum is a reading since its start", otlp(who, sum(2, true, otlpOver+`"asInt":"918273"`)), []decoded{said(0, "m", "0s", stats("total", 918273.0), since)}, nil},
		{"a cumulative sum that does not say since when", otlp(who, sum(2, true, otlpEnd+`"asInt":"918273"`)), []decoded{said(0, "m", "0s", stats("total", 918273.0), func(d *decoded) { d.Running = "?" })}, nil},
		{"a sum of no temporality", otlp(who, sum(0, true, otlpOver+`"asInt":"1"`)), nil, first(metric.ReasonBadField, "got 0")},
		{"a histogram", otlp(who, histogram("histogram", 1, otlpOver+`"count":"120","sum":5400,"min":2,"max":300,"bucketCounts":["20","100"],"explicitBounds":[10]`)), []decoded{
			said(0, "m", "1m0s", stats("average", 45.0, "count", 120.0, "maximum", 300.0, "minimum", 2.0, "total", 5400.0)),
		}, nil},
		{"a histogram without sum and extremes has nothing to say but how many", otlp(who, histogram("histogram", 1, otlpOver+`"count":"120"`)), nil, first(metric.ReasonMissingField)},
		{"a histogram whose sum is a measured zero", otlp(who, histogram("histogram", 1, otlpOver+`"count":"2","sum":0`)), []decoded{said(0, "m", "1m0s", stats("average", 0.0, "count", 2.0, "total", 0.0))}, nil},
		{"a histogram of nothing", otlp(who, histogram("histogram", 1, otlpOver+`"count":"0","sum":0`)), []decoded{said(0, "m", "1m0s", stats("count", 0.0))}, nil},
		{"an exponential histogram", otlp(who, histogram("exponentialHistogram", 1, otlpOver+`"count":"4","sum":10,"scale":0,"positive":{"offset":1,"bucketCounts":["0","4"]},"max":5`)), []decoded{
			said(0, "m", "1m0s", stats("average", 2.5, "count", 4.0, "maximum", 5.0, "total", 10.0)),
		}, nil},
		{"a cumulative histogram, whose extremes say nothing about now", otlp(who, histogram("histogram", 2, otlpOver+`"count":"120","sum":5400,"min":1,"max":9`)), []decoded{said(0, "m", "0s", stats("total", 5400.0, "count", 120.0), since)}, nil},
		{"a cumulative histogram that has counted nothing yet", otlp(who, histogram("histogram", 2, otlpOver+`"count":"0","sum":0`)), []decoded{said(0, "m", "0s", stats("total", 0.0, "count", 0.0), since)}, nil},
		{"a cumulative exponential histogram", otlp(who, histogram("exponentialHistogram", 2, otlpOver+`"count":"120"`)), []decoded{said(0, "m", "0s", stats("count", 120.0), since)}, nil},
		{"a summary", otlp(who, `{"name":"M","summary":{"dataPoints":[{`+otlpOver+`"count":"1","sum":1}]}}`), []decoded{said(0, "m", "0s", stats("total", 1.0, "count", 1.0), since)}, nil},
		{"a cumulative point without recorded value", otlp(who, sum(2, true, otlpOver+`"flags":1`)), []decoded{said(0, "m", "0s", stats("count", 0.0))}, nil},
		{"a metric of nothing", otlp(who, `{"name":"M"}`), nil, first(metric.ReasonMissingField, "without gauge, sum or histogram")},
		{"a point that says there is no value", otlp(who, gauge(otlpEnd+`"flags":1`)), []decoded{said(0, "m", "0s", stats("count", 0.0))}, nil},
		{"a point without a value", otlp(who, gauge(strings.TrimSuffix(otlpEnd, ","))), nil, first(metric.ReasonMissingField, "point 0", "no value")},
		{"a value that is none", otlp(who, gauge(otlpEnd+`"asDouble":"NaN"`)), nil, first(metric.ReasonBadNumber, "not finite")},
		{"an infinite value", otlp(who, gauge(otlpEnd+`"asDouble":"-Infinity"`)), nil, first(metric.ReasonBadNumber)},
		{"no time", otlp(who, gauge(`"asDouble":1`)), nil, first(metric.ReasonBadTime, "no time")},
		{"a time beyond all calendars", otlp(who, gauge(`"timeUnixNano":"18446744073709551615","asDouble":1`)), nil, first(metric.ReasonBadTime)},
		{"a span of years", otlp(who, sum(1, true, `"startTimeUnixNano":"1577836800000000000",`+otlpEnd+`"asInt":"1"`)), nil, first(metric.ReasonBadGrain)},
		{"a start after the end is no span", otlp(who, sum(1, true, `"startTimeUnixNano":"1777885390000000001",`+otlpEnd+`"asInt":"1"`)), []decoded{said(0, "m", "0s", stats("total", 1.0))}, nil},
		{"a request without metrics", otlp(who), nil, nil},
		{"every point is an element", otlp(who, gauge(otlpEnd+`"asInt":"1"},{`+otlpEnd+`"asDouble":"NaN"},{`+otlpEnd+`"asInt":"3"`), sum(0, true, otlpEnd+`"asInt":"1"},{`+otlpEnd+`"asInt":"2"`), sum(3, true, otlpEnd+`"asInt":"1"`), gauge(otlpEnd+`"asInt":"4"`)), []decoded{
			said(0, "m", "0s", lone(1)), said(2, "m", "0s", lone(3)), said(5, "m", "0s", lone(4)),
		}, []refused{{1, metric.ReasonBadNumber, []string{"point 1"}}, {3, metric.ReasonBadField, []string{"2 points"}}, {4, metric.ReasonBadField, []string{"1 points"}}}},
		{"no name", otlp(who, `{"gauge":{"dataPoints":[{`+otlpEnd+`"asInt":"1"}]}}`), nil, first(metric.ReasonBadName, "is empty")},
		{"a service is what was measured, where nothing says more", otlp(attribute("service.name", "orders"), gauge(otlpEnd+`"asInt":"1"`)), []decoded{said(0, "m", "0s", lone(1), func(d *decoded) {
			d.Resource, d.Dimensions = "service/orders", "service.name=orders"
		})}, nil},
		{"and a host before it", otlp(attribute("service.name", "orders")+`,`+attribute("host.name", "Web1"), gauge(otlpEnd+`"asInt":"1"`)), []decoded{said(0, "m", "0s", lone(1), func(d *decoded) {
			d.Resource, d.Dimensions = "host/web1", "host.name=Web1,service.name=orders"
		})}, nil},
		{"no resource", otlp(attribute("deployment", "orders"), gauge(otlpEnd+`"asInt":"1"`)), nil, first(metric.ReasonNoResource, "cloud.resource_id")},
		{
			"the resource put together of what OpenTelemetry finds out on a machine",
			otlp(attribute("cloud.account.id", "0b1f6471-1bf0-4dda-aec3-111122223333")+`,`+attribute("azure.resourcegroup.name", "rg-web")+`,`+attribute("azure.vm.scaleset.name", "web-vmss"), gauge(otlpEnd+`"asInt":"1"`)),
			[]decoded{said(0, "m", "0s", lone(1))},
			nil,
		},
		{"a machine in no set", otlp(attribute("cloud.account.id", "0b1f")+`,`+attribute("azure.resourcegroup.name", "rg-web")+`,`+attribute("azure.vm.scaleset.name", ""), gauge(otlpEnd+`"asInt":"1"`)), nil, first(metric.ReasonNoResource)},
	})
}

func TestOTLPAttributes(t *testing.T) {
	request := func(resource, scope, point string) string {
		return `{"resourceMetrics":[{"resource":{"attributes":[` + attribute("resource_id", "r") + resource + `]},"scopeMetrics":[{` + scope +
			`"metrics":[{"name":"m","gauge":{"dataPoints":[{` + otlpEnd + `"asInt":"1","attributes":[` + point + `]}]}}]}]}]}`
	}
	dims := func(name, body, want string) decodeCase {
		return decodeCase{name, body, []decoded{{Resource: "r", Metric: "m", Dimensions: want, At: at("2026-05-04T09:03:10Z"), Grain: "0s", Stats: lone(1)}}, nil}
	}
	checkOTLP(t, []decodeCase{
		dims("none", request("", "", ""), ""),
		dims("of resource, scope and point together", request(`,`+attribute("host.name", "web3"), `"scope":{"name":"hostmetrics","version":"1"},`, attribute("State", "user")), "host.name=web3,otel.scope.name=hostmetrics,state=user"),
		dims("the point's before the resource's", request(`,`+attribute("Host", "a"), "", attribute("host", "b")), "host=b"),
		dims("escaped like all dimensions", request("", "", attribute("a,b", "c=d")), `a\,b=c\=d`),
		dims("numbers and truth values", request("", "", `{"key":"i","value":{"intValue":"-5"}},{"key":"d","value":{"doubleValue":0.5}},{"key":"b","value":{"boolValue":true}}`), "b=true,d=0.5,i=-5"),
		dims("lists and maps, in one order", request("", "", `{"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x\n"},{"intValue":"1"}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"b","value":{}},{"key":"a","value":{"boolValue":false}}]}}}`), `l=["x\\n"\,1],m={"a":false\,"b":}`),
		dims("bytes", request("", "", `{"key":"y","value":{"bytesValue":"AQI="}}`), `y=AQI\=`),
		dims("nothing", request("", "", `{"key":"n"}`), `n=`),
		{"twice at one point", request("", "", attribute("a", "1")+`,`+attribute("A", "2")), nil, first(metric.ReasonBadDimension, `"a" stands there more than once`)},
		{"without a name", request("", "", attribute("", "1")), nil, first(metric.ReasonBadDimension, "without a name")},
		{"more than are kept", request(strings.Repeat(`,`+attribute("a", "b"), 300), "", ""), nil, first(metric.ReasonBadDimension, "more than 256")},
	})
}

func TestOTLPThatIsNone(t *testing.T) {
	check(t, []decodeCase{
		{"a list that is none", `{"resourceMetrics":{}}`, nil, first(metric.ReasonBadField, "an OTLP metrics request at byte 0")},
		{"null", `{"resourceMetrics":null}`, nil, first(metric.ReasonMissingField)},
		{"a number that is none", otlp("", `{"name":"m","gauge":{"dataPoints":[{"asInt":"x"}]}}`), nil, first(metric.ReasonBadField)},
		{"a request in another casing", strings.Replace(otlp(""), "resourceMetrics", "RESOURCEMETRICS", 1), nil, nil},
		{"a request twice", `{"resourceMetrics":[],"ResourceMetrics":[]}`, nil, first(metric.ReasonDuplicateField)},
		{"fields that nobody knows", `{"resourceMetrics":[{"x":{"y":1}}],"more":1}`, nil, nil},
		{"more objects than are read", `{"resourceMetrics":[` + strings.Repeat("{},", 20*metric.MaxElements) + `{}]}`, nil, first(metric.ReasonTooManyElements)},
		{"more messages than are read", strings.Repeat("\x0a\x00", 20*metric.MaxElements), nil, first(metric.ReasonTooManyElements)},
		{"another field at the top", "\x0a\x00\x10\x01", nil, whole(metric.ReasonNotJSON, "protobuf")},
		{"logs in protobuf", "\x0a\x0d\x12\x0b\x12\x09\x09\x00\x00\x00\x00\x00\x00\x00\x01", nil, whole(metric.ReasonNotJSON, "protobuf")},
		{"a message that is cut off", "\x0a\x05\x12\x03\x12\x05", nil, whole(metric.ReasonNotJSON, "protobuf")},
		{"a name that is not UTF-8", "\x0a\x08\x12\x06\x12\x04\x0a\x02\xff\xfe", nil, whole(metric.ReasonNotJSON, "protobuf")},
	})
}

func TestOTLPNestedTooDeep(t *testing.T) {
	request := func(depth int) []byte {
		value := &commonpb.AnyValue{}
		for range depth {
			value = &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{value}}}}
		}
		bytes, ok := protobuf(t, otlp(attribute("vmss", "w"), `{"name":"m","gauge":{"dataPoints":[{`+otlpEnd+`"asInt":"1"}]}}`))
		var data metricspb.MetricsData
		if err := proto.Unmarshal(bytes, &data); err != nil || !ok {
			t.Fatal(err)
		}
		attributes := &data.GetResourceMetrics()[0].GetResource().Attributes
		*attributes = append(*attributes, &commonpb.KeyValue{Key: "a", Value: value})
		bytes, err := proto.Marshal(&data)
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	if samples, rejected := decodeAll(string(request(20))); len(samples) != 1 {
		t.Errorf("20 deep: %+v", rejected)
	}
	if samples, rejected := decodeAll(string(request(100))); len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonNotJSON {
		t.Errorf("100 deep: %d samples, %+v", len(samples), rejected)
	}
}

func TestOTLPDeclaredByItsContentType(t *testing.T) {
	bytes, ok := protobuf(t, otlp(attribute("vmss", "web"), `{"name":"m","gauge":{"dataPoints":[{`+otlpEnd+`"asDouble":1}]}}`))
	if !ok {
		t.Fatal("no protobuf")
	}
	d := metric.NewDecoder()
	plain, _ := d.Decode(bytes, scale.Source{})
	want := append([]scale.Sample(nil), plain...)
	for _, body := range [][]byte{bytes, gzipped(t, bytes), zstandard(t, bytes)} {
		got, rejected := d.DecodeWith(body, metric.Properties{System: []byte(`{"content-type":"application/x-protobuf"}`)}, scale.Source{})
		if diff := cmp.Diff(want, got); diff != "" || len(want) != 1 {
			t.Errorf("%s%+v", diff, rejected)
		}
	}
	// What says it is protobuf and is JSON is read as what it is.
	if got, rejected := d.DecodeWith([]byte(own()), metric.Properties{System: []byte(`{"content-type":"application/x-protobuf"}`)}, scale.Source{}); len(got) != 1 {
		t.Errorf("%+v", rejected)
	}
}

func TestOTLPTooManyPoints(t *testing.T) {
	var points []string
	for range metric.MaxElements + 1 {
		points = append(points, `{`+otlpEnd+`"asInt":"1"}`)
	}
	samples, rejected := decodeAll(otlp(attribute("vmss", "w"), `{"name":"m","gauge":{"dataPoints":[`+strings.Join(points, ",")+`]}}`))
	if len(samples) != 0 || len(rejected) != 1 || rejected[0].Element != metric.WholeBody || rejected[0].Reason != metric.ReasonTooManyElements {
		t.Errorf("%d samples, %.200v", len(samples), rejected)
	}
}
