package metric_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func gzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, body []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(body, nil)
}

func TestCompressedBodies(t *testing.T) {
	d := metric.NewDecoder()
	body := []byte("\xef\xbb\xbf" + `{"records":[` + platform() + `,5,` + exported() + `]}`)
	want, refused := d.Decode(body, scale.Source{})
	if len(want) != 2 || len(refused) != 1 {
		t.Fatal(want, refused)
	}
	wanted, wantedRefused := append([]scale.Sample(nil), want...), append([]scale.Rejection(nil), refused...)
	for name, packed := range map[string][]byte{
		"gzip": gzipped(t, body), "Zstandard": zstandard(t, body), "two members of gzip": append(gzipped(t, body[:90]), gzipped(t, body[90:])...),
	} {
		for _, properties := range []metric.Properties{{}, {Application: []byte(`{"content-encoding":"GZIP"}`)}} {
			samples, rejected := d.DecodeWith(packed, properties, scale.Source{})
			if diff := cmp.Diff(wanted, samples) + cmp.Diff(wantedRefused, rejected); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	// The marker without the encoding: something on the way has undone it.
	if samples, _ := d.DecodeWith(body, metric.Properties{Application: []byte(`{"content-encoding":"gzip"}`)}, scale.Source{}); len(samples) != 2 {
		t.Errorf("%d samples", len(samples))
	}
}

func TestCompressedBodiesAreBounded(t *testing.T) {
	blanks := func(n int) []byte { return append(bytes.Repeat([]byte(" "), n), own()...) }
	// Distinct numbers compress to about a tenth.
	var wide strings.Builder
	for i := 0; wide.Len() < metric.MaxInflated-1000; i++ {
		wide.WriteString(string(rune('a'+i%26)) + strings.Repeat(string(rune('a'+i*7%26)), i%37))
	}
	cases := []struct {
		name   string
		body   []byte
		reason string
	}{
		{"a small body that repeats itself a thousandfold is read", gzipped(t, blanks(60<<10)), ""},
		{"a ratio above the limit, gzip", gzipped(t, blanks(10<<20)), metric.ReasonTooLarge},
		{"a ratio above the limit, Zstandard", zstandard(t, blanks(10<<20)), metric.ReasonTooLarge},
		{"a size below the limit", gzipped(t, []byte(own()+"\n"+own("resource", `"`+wide.String()[:metric.MaxInflated-1000]+`"`))), ""},
		{"a size above the limit", gzipped(t, []byte(own("resource", `"`+wide.String()+wide.String()+`"`))), metric.ReasonTooLarge},
		{"compressed twice", gzipped(t, zstandard(t, []byte(own()))), metric.ReasonCompressed},
		{"a sum that does not fit", func() []byte { b := gzipped(t, []byte(own())); b[len(b)-5] ^= 1; return b }(), metric.ReasonCompressed},
		{"text behind the end", append(gzipped(t, []byte(own())), "tail"...), metric.ReasonCompressed},
		{"Zstandard that asks for a window of gigabytes", []byte("\x28\xb5\x2f\xfd\x00\xf8\x00\x00\x00"), metric.ReasonTooLarge},
		{"nothing within", gzipped(t, nil), metric.ReasonEmptyBody},
	}
	d := metric.NewDecoder()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if len(c.body) > d.MaxBody {
				t.Fatalf("the case has %d bytes", len(c.body))
			}
			samples, rejected := d.Decode(c.body, scale.Source{})
			if c.reason == "" {
				if len(samples) == 0 {
					t.Errorf("%.200v", rejected)
				}
				return
			}
			if len(samples) != 0 || len(rejected) != 1 || rejected[0].Reason != c.reason || rejected[0].Element != metric.WholeBody {
				t.Errorf("%d samples, %+v", len(samples), rejected)
			}
		})
	}
}
