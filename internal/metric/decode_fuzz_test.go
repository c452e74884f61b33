package metric_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// surrogate finds what the decoder refuses and encoding/json repairs.
var surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

// FuzzDecode never panics, accounts for every element, and agrees with the reference decoder.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, body := range []string{
		`{"records":[` + platform() + `,null,` + exported() + `,` + own() + `]}`,
		`[{"records":[` + platform("count", "0") + `]},` + exported("Average", `"NaN"`) + `]`,
		own("dimensions", `{"b":"1","A":"x,=\\"}`, "unit", `"Count"`, "grain", `"P1DT1.5H"`) + "\n" + own("time", "1777885390.25"),
		own("time", `"Mon, 04 May 2026 09:07:30 GMT"`), own("time", `"2021-02-04T07: 45: 44.58"`), own("count", "3", "total", "1e3", "value", "null"),
		platform("resourceId", `"/A/"`, "RESOURCEID", `"/b"`), "\xef\xbb\xbf[]", "\x1f\x8b\x08", "cpu value=1",
	} {
		f.Add([]byte(body))
	}
	d := metric.NewDecoder()
	f.Fuzz(func(t *testing.T, body []byte) { compare(t, d, body) })
}

// FuzzElements builds elements out of what makes a difference, for bytes alone rarely do.
func FuzzElements(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		choices := make([]byte, 40)
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		f.Add(choices)
	}
	d := metric.NewDecoder()
	f.Fuzz(func(t *testing.T, choices []byte) {
		next := func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0])
			choices = choices[1:]
			return c % n
		}
		starts := []string{platform(), exported(), own(), `{"records":[` + platform() + `]}`, `{}`}
		body := ""
		for len(choices) > 0 && len(body) < 10_000 {
			element := starts[next(len(starts))]
			for range next(4) {
				name, value := elementNames[next(len(elementNames))], elementValues[next(len(elementValues))]
				member := `"` + name + `":` + value
				if at := regexp.MustCompile(`"` + name + `":("[^"]*"|[^,}"]*)`).FindStringIndex(element); at != nil && next(4) > 0 {
					element = element[:at[0]] + member + element[at[1]:]
				} else if element == "{}" {
					element = "{" + member + "}"
				} else {
					element = element[:len(element)-1] + "," + member + "}"
				}
			}
			if body != "" {
				body += []string{"\n", ",", " "}[next(3)]
			}
			body += element
		}
		switch next(3) {
		case 0:
			body = "[" + body + "]"
		case 1:
			body = `{"records":[` + body + `]}`
		}
		compare(t, d, []byte(body))
	})
}

var (
	elementNames = []string{
		"count", "total", "minimum", "maximum", "average", "Average", "resourceId", "RESOURCEID", "time", "metricName", "timeGrain", "unit",
		"dimension", "dimensions", "trimtab", "resource", "metric", "value", "grain", "records", "specversion", "category", "PartitionId", "x",
	}
	elementValues = []string{
		"0", "1", "-1", "2.5", "1e400", `"7"`, `"NaN"`, `""`, "null", "true", "{}", "[]", `{"B":"2","a":"1,="}`, `{"a":1}`, `"/A/b/"`, `"\u0041"`,
		`"PT1M"`, `"P1DT0.5H"`, `"P1M"`, `"2026-05-04T09:03:10.5+02:00"`, `"2026-05-04 09:03:10"`, `"01/02/2026 10:00:00"`, "1777885390", `"1777885390250"`,
		`"Mon, 04 May 2026 09:07:30 GMT"`, `"2021-02-04T07: 45: 44"`, "[null,5,{}]", `"a\nb"`, "9007199254740993",
	}
)

// account checks that every element is told of once, in words, and returns what the samples say, the indices of the
// elements that are none, and whether the whole body was refused.
func account(t *testing.T, samples []scale.Sample, rejected []scale.Rejection, notices []scale.Notice) (got []decoded, refused []int, whole bool) {
	t.Helper()
	seen := map[int]bool{}
	for _, s := range samples {
		if seen[s.Source.Element] {
			t.Fatalf("element %d twice", s.Source.Element)
		}
		seen[s.Source.Element] = true
		got = append(got, readable(s))
	}
	for _, n := range notices {
		if seen[n.Source.Element] {
			t.Fatalf("element %d twice", n.Source.Element)
		}
		seen[n.Source.Element] = true
		if n.Kind == "" || n.Resource == "" || n.At.IsZero() || !utf8.ValidString(n.State+n.By+n.ID) {
			t.Fatalf("a notice that says nothing: %+v", n)
		}
	}
	for _, r := range rejected {
		if seen[r.Element] {
			t.Fatalf("element %d twice", r.Element)
		}
		seen[r.Element] = true
		whole = whole || r.Element == metric.WholeBody
		refused = append(refused, r.Element)
		if r.Reason == "" || r.Detail == "" || !utf8.ValidString(r.Detail) {
			t.Fatalf("a rejection without words: %+v", r)
		}
	}
	if whole && len(seen) > 1 {
		t.Fatalf("the whole body and %d elements", len(seen)-1)
	}
	for i := range seen {
		if !whole && (i < 0 || i >= len(seen)) {
			t.Fatalf("element %d of %d", i, len(seen))
		}
	}
	return got, refused, whole
}

// FuzzFormats never panics on any format or properties, accounts for every element, holds every sample to what windows
// rely on, and finds the same in a compressed body.
func FuzzFormats(f *testing.F) {
	for _, pattern := range []string{"testdata/events/*.json", "testdata/formats/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(files, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body, []byte(nil))
			f.Add(body, []byte(`{"cloudEvents:specversion":"1.0","cloudEvents:source":"/x","cloudEvents:time":"2026-05-04T09:03:10Z"}`))
			if bytes, ok := protobuf(f, string(body)); ok && len(bytes) > 0 {
				f.Add(bytes, []byte(`{"content-type":"application/x-protobuf"}`))
			}
		}
	}
	// Bytes alone never find their way through Snappy.
	const ms = 1777885390250
	web := message(1, "vmss", 2, "web-vmss")
	histogram := message(1, 5, 3, 12.5, 11, message(1, 2, 2, 2), 14, 3, 15, ms, 17, ms-1000)
	for _, request := range [][]byte{
		message(1, message(1, message(1, "__name__", 2, "depth_total"), 1, web, 2, message(1, 5.0, 2, ms), 4, histogram), 3, message(1, 2, 2, "depth")),
		message(4, "", 4, "__name__", 4, "depth", 4, "vmss", 4, "web", 5, message(1, []byte{1, 2, 3, 4}, 2, message(1, 9.0, 2, ms, 3, ms-1000), 3, histogram, 5, message(1, 1), 6, ms-1000)),
	} {
		f.Add(snappy.Encode(nil, request), []byte(nil))
	}
	f.Add([]byte(simple), []byte(`{"ce_specversion":"MS4w","ce_subject":"eA==","content-encoding":"Z3ppcA=="}`))
	d := metric.NewDecoder()
	f.Fuzz(func(t *testing.T, body, properties []byte) {
		p := metric.Properties{Application: properties, System: properties}
		samples, rejected := d.DecodeWith(body, p, scale.Source{})
		want, wantRefused, whole := account(t, samples, rejected, d.Notices())
		for _, s := range samples {
			if s.Resource == "" || s.Metric == "" || s.At.Year() < 1970 || s.At.Location() != time.UTC || s.Grain < 0 {
				t.Fatalf("a sample that no window can hold: %+v", s)
			}
			if s.Has&^scale.HasCount == 0 && s.Running == nil && s.Stats != (scale.Stats{Has: scale.HasCount}) {
				t.Fatalf("a sample that says nothing: %+v", s)
			}
			for _, v := range readable(s).Stats {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("a sample of no number: %+v", s)
				}
			}
		}
		if len(body) == 0 || len(body) > 60_000 || bytes.HasPrefix(body, []byte("\x1f\x8b")) || bytes.HasPrefix(body, []byte("\x28\xb5\x2f\xfd")) {
			return
		}
		samples, rejected = d.DecodeWith(gzipped(t, body), p, scale.Source{})
		got, refused, wholeAgain := account(t, samples, rejected, d.Notices())
		if diff := cmp.Diff(want, got) + cmp.Diff(wantRefused, refused); diff != "" || whole != wholeAgain {
			t.Errorf("in gzip (-without +with):\n%s", diff)
		}
	})
}

// compare decodes a body and holds the result to its rules and to the reference decoder.
func compare(t *testing.T, d *metric.Decoder, body []byte) {
	samples, rejected := d.Decode(body, scale.Source{})
	got, refused, whole := account(t, samples, rejected, d.Notices())
	// The reference knows no notices: they are what it refuses.
	for _, n := range d.Notices() {
		refused = append(refused, n.Source.Element)
	}
	slices.Sort(refused)
	if !utf8.Valid(body) || surrogate.Match(body) {
		return
	}
	wantSamples, wantRefused, wantWhole, foreign := referenceDecode(body)
	if foreign {
		return
	}
	if whole != wantWhole {
		t.Fatalf("whole body refused: %t, reference %t; %+v", whole, wantWhole, rejected)
	}
	if whole {
		return
	}
	if diff := cmp.Diff(wantSamples, got); diff != "" {
		t.Errorf("samples (-reference +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantRefused, refused); diff != "" {
		t.Errorf("refused (-reference +got):\n%s%+v", diff, rejected)
	}
}
