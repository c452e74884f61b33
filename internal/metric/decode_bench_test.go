package metric_test

import (
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// BenchmarkFormats decodes bodies of a hundred samples.
func BenchmarkFormats(b *testing.B) {
	const n = 100
	list := func(element string) string { return strings.TrimSuffix(strings.Repeat(element+",", n), ",") }
	var metrics []string
	for i := range n {
		metrics = append(metrics, fmt.Sprintf(`{"name":"m%d","unit":"1","gauge":{"dataPoints":[{%s"asDouble":%d.5,"attributes":[%s]}]}}`, i, otlpEnd, i, attribute("state", "user")))
	}
	request := otlp(attribute("cloud.resource_id", webVMSS)+`,`+attribute("host.name", "web3"), metrics...)
	bytes, _ := protobuf(b, request)
	platforms := `{"records":[` + list(platform()) + `]}`
	for _, c := range []struct{ name, body string }{
		{"platform", platforms},
		{"platform_gzip", string(gzipped(b, []byte(platforms)))},
		{"platform_zstd", string(zstandard(b, []byte(platforms)))},
		{"own", `[` + list(own()) + `]`},
		{"cloudevents", `[` + list(event(simple)) + `]`},
		{"telegraf", `[` + list(telegraf("fields", `{"value":1}`)) + `]`},
		{"otlp_json", request},
		{"otlp_protobuf", string(bytes)},
	} {
		b.Run("format="+c.name, func(b *testing.B) {
			d := metric.NewDecoder()
			body := []byte(c.body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if samples, _ := d.Decode(body, scale.Source{}); len(samples) != n {
					b.Fatalf("%d samples", len(samples))
				}
			}
		})
	}
}
