package metric_test

import (
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"

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
		{"a counter, by its name", sample("name", `"requests_total"`), nil, first(metric.ReasonCumulative, "rate()")},
		{"a bucket, by its name", sample("name", `"latency_bucket"`), nil, first(metric.ReasonCumulative)},
		{"a stale marker", sample("value", `"NaN"`), nil, first(metric.ReasonBadNumber, `"NaN"`)},
		{"no resource", sample("labels", `{"job":"orders"}`), nil, first(metric.ReasonNoResource)},
		{"labels that are none", sample("labels", `5`), nil, first(metric.ReasonBadDimension)},
		{"a time that is none", sample("timestamp", `"soon"`), nil, first(metric.ReasonBadTime)},
	})
}

func TestRemoteWriteIsNamed(t *testing.T) {
	// One series with a label and a sample, and one whose length needs more than a byte.
	request := "\x0a\x20\x0a\x0e\x0a\x08__name__\x12\x02up\x12\x0e\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\xd0\x0f"
	for _, plain := range []string{request, request + request + request + request + request + request} {
		_, rejected := metric.NewDecoder().Decode(snappy.Encode(nil, []byte(plain)), scale.Source{})
		if len(rejected) != 1 || rejected[0].Reason != metric.ReasonNotJSON || !strings.Contains(rejected[0].Detail, "Prometheus remote write") {
			t.Errorf("got %+v", rejected)
		}
	}
}
