package record_test

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/record"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 123456700, time.UTC)

func TestWhatIsWrittenIsReadBackWithTheSameBytes(t *testing.T) {
	events := []record.Event{
		{Hub: "ns/h", Partition: "0", Sequence: 0, Offset: "0", EnqueuedAt: noon, Body: []byte(`{"records":[ 1.50 ]}`)},
		{Partition: "1", Sequence: math.MaxInt64, EnqueuedAt: noon, Key: "k", Body: []byte("\x1f\x8b\x00\xff binary")},
		{Partition: "2", Sequence: 7, EnqueuedAt: noon, Body: []byte("<a> & \u2028 \" \\ \n"), System: map[string]any{"content_type": "application/json"}},
		{Partition: "2", Sequence: 8, EnqueuedAt: noon, Body: []byte{}, Properties: map[string]any{
			"s": "x", "b": true, "i": int64(1) << 60, "f": 1.5, "n": nil,
		}},
	}
	for _, compressed := range []bool{false, true} {
		var file bytes.Buffer
		w := record.NewWriter(&file, compressed)
		for i := range events {
			if err := w.Write(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := record.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.All()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, got); diff != "" {
			t.Errorf("compressed %t: (-written +read)\n%s", compressed, diff)
		}
	}
}

func TestPropertiesThatJSONDoesNotKnowBecomeTextOrAreLeftOut(t *testing.T) {
	var file bytes.Buffer
	w := record.NewWriter(&file, false)
	kind := "t"
	err := w.Write(&record.Event{Partition: "0", EnqueuedAt: noon, Body: []byte("x"), Properties: map[string]any{
		"bytes": []byte("ab"), "time": noon, "text": &kind, "none": (*string)(nil), "nan": math.NaN(), "odd": []int{1},
	}})
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	r, _ := record.NewReader(&file)
	got, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"bytes": "ab", "time": "2026-05-04T12:00:00.1234567Z", "text": "t"}
	if diff := cmp.Diff(want, got.Properties); diff != "" {
		t.Error(diff)
	}
}

func TestLinesAreReadAsPeopleWriteThem(t *testing.T) {
	const head = `{"partition":"0","sequence":3,"enqueued_at":"2026-05-04T12:00:00Z",`
	for _, c := range []struct {
		name, line, body, problem string
	}{
		{"a body as text", head + `"body":"{\"a\":1}"}`, `{"a":1}`, ""},
		{"a body as JSON keeps its own spelling", head + `"body":{"a": 1.0}}`, `{"a": 1.0}`, ""},
		{"a body in base64", head + `"body_base64":"AAE="}`, "\x00\x01", ""},
		{"an empty line and a byte order mark", "\xef\xbb\xbf" + head + `"body":""}` + "\n\n", "", ""},
		{"a body that is null", head + `"body":null}`, "null", ""},
		{"no body at all", head + `"offset":"1"}`, "", "line 1: one of"},
		{"two bodies", head + `"body":"a","body_base64":"YQ=="}`, "", "not both"},
		{"base64 that is none", head + `"body_base64":"%"}`, "", "body_base64"},
		{"a misspelt field", head + `"bodi":"a"}`, "", `unknown field "bodi"`},
		{"no partition", `{"sequence":3,"enqueued_at":"2026-05-04T12:00:00Z","body":"a"}`, "", `"partition" is missing`},
		{"no sequence number", `{"partition":"0","enqueued_at":"2026-05-04T12:00:00Z","body":"a"}`, "", `"sequence" is missing`},
		{"a sequence number below zero", `{"partition":"0","sequence":-1,"enqueued_at":"2026-05-04T12:00:00Z","body":"a"}`, "", "from 0"},
		{"no instant", `{"partition":"0","sequence":3,"body":"a"}`, "", `"enqueued_at" is missing`},
		{"two objects on a line", head + `"body":"a"} {}`, "", "more on the line"},
		{"no JSON", "partition 0", "", "line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := record.NewReader(strings.NewReader(c.line))
			if err != nil {
				t.Fatal(err)
			}
			e, err := r.Next()
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Errorf("error %v, want one with %q", err, c.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(e.Body) != c.body || e.Sequence != 3 || e.Partition != "0" {
				t.Errorf("read %+v, body %q, want body %q", e, e.Body, c.body)
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("after the last event: %v, want io.EOF", err)
			}
		})
	}
}

func TestABadLineIsNamedAndTheNextIsRead(t *testing.T) {
	good := `{"partition":"0","sequence":1,"enqueued_at":"2026-05-04T12:00:00Z","body":"a"}`
	r, err := record.NewReader(strings.NewReader(good + "\n{\n" + good + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	n := 0
	for {
		_, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			problems = append(problems, err.Error())
		} else {
			n++
		}
	}
	if n != 2 || len(problems) != 1 || !strings.Contains(problems[0], "line 2") {
		t.Errorf("%d events, problems %q", n, problems)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"partition":"0","sequence":1,"enqueued_at":"2026-05-04T12:00:00Z","body":"a","properties":{"a":1e400}}`))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte(`{"partition":"0","sequence":1,"enqueued_at":"2026-05-04T12:00:00Z","body_base64":"AA=="}` + "\n{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := record.NewReader(bytes.NewReader(text))
		if err != nil {
			return
		}
		events, err := r.All()
		if err != nil {
			return
		}
		var file bytes.Buffer
		w := record.NewWriter(&file, false)
		for i := range events {
			if err := w.Write(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := record.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		second, err := again.All()
		if err != nil || len(second) != len(events) {
			t.Fatalf("%d events written, %d read: %v", len(events), len(second), err)
		}
		for i := range events {
			if !bytes.Equal(events[i].Body, second[i].Body) {
				t.Errorf("event %d: body %q came back as %q", i, events[i].Body, second[i].Body)
			}
		}
	})
}
