package metric_test

import (
	"math"
	"testing"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestPrometheusByAdapter(t *testing.T) {
	sample := func(changes ...string) string {
		return replaced([]string{
			"timestamp", `"2026-05-04T09:03:10Z"`, "value", `"5"`, "name", `"queue_depth"`,
			"labels", `{"__name__":"queue_depth","job":"orders","vmss":"web-vmss"}`,
		}, changes...)
	}
	check(t, []decodeCase{
		{"a sample", sample(), []decoded{{Resource: "web-vmss", Metric: "queue_depth", Dimensions: "job=orders", At: at("2026-05-04T09:03:10Z"), Grain: "0s", Stats: lone(5)}}, nil},
		{"a counter, by its name", sample("name", `"requests_total"`), []decoded{{Resource: "web-vmss", Metric: "requests_total", Dimensions: "job=orders", At: at("2026-05-04T09:03:10Z"), Grain: "0s", Stats: map[string]float64{"total": 5}, Running: "?"}}, nil},
		{"a stale marker", sample("value", `"NaN"`), nil, first(metric.ReasonBadNumber, `"NaN"`)},
		{"a scraped instance is what was measured", sample("labels", `{"instance":"10.0.0.4:9100"}`), []decoded{{Resource: "instance/10.0.0.4:9100", Metric: "queue_depth", Dimensions: "instance=10.0.0.4:9100", At: at("2026-05-04T09:03:10Z"), Grain: "0s", Stats: lone(5)}}, nil},
		{"no resource", sample("labels", `{"job":"orders"}`), nil, first(metric.ReasonNoResource)},
		{"labels that are none", sample("labels", `5`), nil, first(metric.ReasonBadDimension)},
		{"a time that is none", sample("timestamp", `"soon"`), nil, first(metric.ReasonBadTime)},
	})
}

// message is a message of protobuf: numbers of fields and what they hold.
func message(fields ...any) []byte {
	var out []byte
	for i := 0; i < len(fields); i += 2 {
		number := protowire.Number(fields[i].(int))
		switch v := fields[i+1].(type) {
		case string:
			out = protowire.AppendString(protowire.AppendTag(out, number, protowire.BytesType), v)
		case []byte:
			out = protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), v)
		case float64:
			out = protowire.AppendFixed64(protowire.AppendTag(out, number, protowire.Fixed64Type), math.Float64bits(v))
		case uint64:
			out = protowire.AppendFixed64(protowire.AppendTag(out, number, protowire.Fixed64Type), v)
		case int:
			out = protowire.AppendVarint(protowire.AppendTag(out, number, protowire.VarintType), uint64(v))
		}
	}
	return out
}

func TestPrometheusRemoteWrite(t *testing.T) {
	const ms = 1777885390250
	label := func(name, value string) []byte { return message(1, name, 2, value) }
	series := func(name string, more ...any) []byte {
		return message(append([]any{1, label("__name__", name), 1, label("vmss", "web-vmss"), 1, label("job", "a")}, more...)...)
	}
	sample := func(v float64) []byte { return message(1, v, 2, ms) }
	is := func(element int, name, running string, stats map[string]float64) decoded {
		return decoded{
			Element: element, Resource: "web-vmss", Metric: name, Dimensions: "job=a", At: at("2026-05-04T09:03:10.25Z"), Grain: "0s",
			Stats: stats, Running: running,
		}
	}
	total := func(v float64) map[string]float64 { return map[string]float64{"total": v} }
	check(t, []decodeCase{
		{
			"a gauge and a counter", string(snappy.Encode(nil, message(1, series("depth", 2, sample(5)), 1, series("requests_total", 2, sample(7), 2, sample(8))))),
			[]decoded{is(0, "depth", "", lone(5)), is(1, "requests_total", "?", total(7)), is(2, "requests_total", "?", total(8))},
			nil,
		},
		{
			"a stale marker says that nothing was measured", string(snappy.Encode(nil, message(1, series("depth", 2, message(1, uint64(0x7ff0000000000002), 2, ms))))),
			[]decoded{is(0, "depth", "", map[string]float64{"count": 0})},
			nil,
		},
		{
			"a value that is no number, and a native histogram that is none", string(snappy.Encode(nil, message(1, series("depth", 2, sample(math.Inf(1)), 4, "x")))),
			nil,
			[]refused{{0, metric.ReasonBadField, []string{"native histogram"}}, {1, metric.ReasonBadNumber, nil}},
		},
		{
			"a series without a resource", string(snappy.Encode(nil, message(1, message(1, label("__name__", "depth"), 2, sample(5))))),
			nil, first(metric.ReasonNoResource, "remote write", `"depth"`),
		},
		{
			"a series that is not well formed", string(snappy.Encode(nil, message(1, append(series("depth", 2, sample(5)), 0x12, 0x7f)))),
			nil, first(metric.ReasonBadField, "not well formed"),
		},
		{
			"version 2, whose metadata say the type", string(snappy.Encode(nil, message(4, "", 4, "__name__", 4, "orders", 4, "vmss", 4, "web-vmss", 4, "job", 4, "a",
				5, message(1, []byte{1, 2, 3, 4, 5, 6}, 2, sample(9), 5, message(1, 1)), 5, message(1, []byte{1, 2, 3, 4, 5, 6}, 2, sample(9), 5, message(1, 2))))),
			[]decoded{is(0, "orders", "?", total(9)), is(1, "orders", "", lone(9))},
			nil,
		},
		{
			"version 2 with a label beyond the table", string(snappy.Encode(nil, message(4, "", 5, message(1, []byte{1, 9}, 2, sample(9))))),
			nil, first(metric.ReasonBadField),
		},
		{
			"a request of metadata alone, which measures nothing", string(snappy.Encode(nil, message(3, message(1, 2, 2, "depth", 4, "How deep.", 5, "1"), 3, message(1, 1, 2, "requests_total")))),
			nil, nil,
		},
		{"what only looks like metadata", string(snappy.Encode(nil, message(3, message(1, 2, 9, "depth")))), nil, whole(metric.ReasonNotJSON, "Prometheus remote write")},
		{
			"metadata beside a series", string(snappy.Encode(nil, message(3, message(1, 2, 2, "depth"), 1, series("depth", 2, sample(5))))),
			[]decoded{is(0, "depth", "", lone(5))},
			nil,
		},
		{
			"within a CloudEvent", event("", "data_base64", base(string(snappy.Encode(nil, message(1, series("depth", 2, sample(5))))))),
			[]decoded{is(0, "depth", "", lone(5))},
			nil,
		},
		{"Snappy that is broken", string(snappy.Encode(nil, message(1, series("depth", 2, sample(5))))[:60]), nil, whole(metric.ReasonNotJSON, "Prometheus remote write")},
		{"another message in Snappy", string(snappy.Encode(nil, message(1, "x", 2, "y", 9, 5))), nil, whole(metric.ReasonNotJSON, "Prometheus remote write")},
	})
}

func TestNativeHistogramsOfRemoteWrite(t *testing.T) {
	const ms, begun = 1777885390250, 1777885330000
	histogram := func(more ...any) []byte {
		// Schema, zero threshold, a span and two deltas: what a reader of count and sum passes over.
		return message(append(more, 4, 6, 5, 1e-9, 11, message(1, 2, 2, 2), 12, []byte{6, 4}, 15, ms)...)
	}
	first1 := func(h []byte, more ...any) string {
		series := append([]any{1, message(1, "__name__", 2, "latency"), 1, message(1, "vmss", 2, "web-vmss"), 4, h}, more...)
		return string(snappy.Encode(nil, message(1, message(series...))))
	}
	second := func(h []byte, more ...any) string {
		series := append([]any{1, []byte{1, 2, 3, 4}, 3, h, 5, message(1, 3)}, more...)
		return string(snappy.Encode(nil, message(4, "", 4, "__name__", 4, "latency", 4, "vmss", 4, "web-vmss", 5, message(series...))))
	}
	is := func(running string, stats map[string]float64) []decoded {
		return []decoded{{Resource: "web-vmss", Metric: "latency", At: at("2026-05-04T09:03:10.25Z"), Grain: "0s", Stats: stats, Running: running}}
	}
	sums := map[string]float64{"count": 5, "total": 12.5}
	check(t, []decodeCase{
		{"version 1, sums since a beginning", first1(histogram(1, 5, 3, 12.5)), is("?", sums), nil},
		{"version 2", second(histogram(1, 5, 3, 12.5)), is("?", sums), nil},
		{"version 2, with its beginning beside the series", second(histogram(1, 5, 3, 12.5), 6, begun), is("2026-05-04T09:02:10Z", sums), nil},
		{"version 2, with its beginning in the histogram", second(histogram(1, 5, 3, 12.5, 17, begun)), is("2026-05-04T09:02:10Z", sums), nil},
		{"a beginning beyond all time", second(histogram(1, 5, 3, 12.5), 6, uint64(math.MaxInt64)), is("?", sums), nil},
		{"a count that is a fraction", first1(histogram(2, 2.5, 3, 12.5)), is("?", map[string]float64{"count": 2.5, "total": 12.5}), nil},
		{"a gauge's, with an average of its own", first1(histogram(1, 5, 3, 12.5, 14, 3)), is("", map[string]float64{"count": 5, "total": 12.5, "average": 2.5}), nil},
		{"a gauge's of nothing", first1(histogram(1, 0, 3, 0.0, 14, 3)), is("", map[string]float64{"count": 0}), nil},
		{"a stale marker", first1(histogram(1, 0, 3, uint64(0x7ff0000000000002))), is("", map[string]float64{"count": 0}), nil},
		{"a sum that is no number", first1(histogram(1, 5, 3, math.NaN())), nil, first(metric.ReasonBadNumber)},
		{"no time", first1(message(1, 5, 3, 12.5)), nil, first(metric.ReasonBadTime)},
	})
}

func TestRemoteWriteHasBounds(t *testing.T) {
	many := make([]byte, 0, 1<<20)
	one := message(1, 1.5, 2, 1777885390250)
	series := message(1, message(1, "__name__", 2, "m"), 1, message(1, "vmss", 2, "w"))
	for range metric.MaxElements + 1 {
		series = append(series, message(2, one)...)
	}
	many = append(many, message(1, series)...)
	samples, rejected := metric.NewDecoder().Decode(snappy.Encode(nil, many), scale.Source{})
	if len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != metric.ReasonTooManyElements {
		t.Errorf("%d samples, %+v", len(samples), rejected)
	}
}
