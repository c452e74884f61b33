package invocation_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/invocation"
	"trimtab/internal/scale"
)

// The two bodies that the worked payloads carry, as text and as the host writes them when it has parsed them.
const (
	body1 = `{"id":"m-1","metric":"Percentage CPU","value":91.5}`
	body2 = `{"id":"m-2","metric":"Percentage CPU","value":88}`
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// with is the worked payload of a batch with some of its members replaced; a nil member is taken out.
func with(t *testing.T, data any, metadata map[string]any) []byte {
	t.Helper()
	var req struct {
		Data     map[string]any
		Metadata map[string]any
	}
	if err := json.Unmarshal(read(t, "many_string.json"), &req); err != nil {
		t.Fatal(err)
	}
	if data != nil {
		req.Data["events"] = data
	}
	for key, value := range metadata {
		if req.Metadata[key] = value; value == nil {
			delete(req.Metadata, key)
		}
	}
	return marshal(req)
}

func quoted(text string) string { return string(marshal(text)) }

func base(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// identified are the two bodies with the identity that the worked payload gives them.
func identified(bodies ...string) []invocation.Event {
	events := make([]invocation.Event, len(bodies))
	for i, body := range bodies {
		events[i] = invocation.Event{
			Body:   []byte(body),
			Offset: []byte([]string{"8589934592", "8589934700"}[i]),
			Source: scale.Source{
				Hub: "ns1.servicebus.windows.net/metrics", Partition: "3", Sequence: int64(41 + i), Known: true,
				EnqueuedAt: time.Date(2026, 1, 5, 10, 0, i, 123_000_000*(1-i), time.UTC),
			},
		}
	}
	events[0].Properties = []byte(`{"source":"vmss-a","n":3}`)
	return events
}

// bare are bodies without any identity.
func bare(bodies ...string) []invocation.Event {
	events := make([]invocation.Event, len(bodies))
	for i, body := range bodies {
		events[i].Body = []byte(body)
	}
	return events
}

var sameEvents = cmp.Transformer("text", func(b []byte) string { return string(b) })

func TestEveryEncodingOfABatch(t *testing.T) {
	cases := []struct {
		name string
		data any
		want []invocation.Event
	}{
		{"dataType string: a string that holds an array of strings", nil, identified(body1, body2)},
		{
			"dataType absent: a string that holds an array of parsed bodies",
			"[" + body1 + "," + body2 + "]", identified(body1, body2),
		},
		{
			"dataType binary: a string that holds an array of base64 strings",
			`["` + base(body1) + `","` + base(body2) + `"]`, identified(body1, body2),
		},
		{
			"dataType binary with white space between the elements",
			"[\n  \"" + base(body1) + "\",\n  \"" + base(body2) + "\"\n]", identified(body1, body2),
		},
		{
			"dataType binary carries any bytes",
			`["` + base("\x1f\x8b\x08\x00\xff") + `","` + base("\x0a\x7b") + `"]`, identified("\x1f\x8b\x08\x00\xff", "\x0a\x7b"),
		},
		{"dataType binary with an empty body", `["","` + base(body2) + `"]`, identified("", body2)},
		{"an array, not a string", []any{body1, body2}, identified(body1, body2)},
		{"an array of base64 strings, not a string", []any{base(body1), base(body2)}, identified(body1, body2)},
		{"an array of parsed bodies, not a string", json.RawMessage("[" + body1 + "," + body2 + "]"), identified(body1, body2)},
		{"parsed bodies that are no objects", `[[1, {"a":2}],true]`, identified(`[1, {"a":2}]`, "true")},
		{"an empty body that the host has parsed to null", `[null,` + body2 + `]`, identified("", body2)},
		{"a text that happens to be base64 beside one that is not", `["test",` + quoted(body2) + `]`, identified("test", body2)},
		{"base64 without its padding is text", `["eyJhIjoxfQ","e30="]`, identified("eyJhIjoxfQ", "e30=")},
		{"base64 with a line break is text", `["e30\n","e30="]`, identified("e30\n", "e30=")},
		{"base64 with line breaks that fill it up is text", `["e30=\n\n\n\n","e30="]`, identified("e30=\n\n\n\n", "e30=")},
		{"base64 of the URL alphabet is text", `["__-_","e30="]`, identified("__-_", "e30=")},
		{"base64 with stray bits is text", `["e31=","e30="]`, identified("e31=", "e30=")},
		{"escaped slashes in base64", `["` + strings.ReplaceAll(base("???>>>"), "/", `\/`) + `","e30="]`, identified("???>>>", "{}")},
		{"a body with a byte order mark keeps it", `["\ufeff{}",` + quoted(body2) + `]`, identified("\ufeff{}", body2)},
		{
			"a body deeper than any decoder reads", `[` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `,` + body2 + `]`,
			identified(strings.Repeat("[", 500)+strings.Repeat("]", 500), body2),
		},
	}
	var p invocation.Parser
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inv, err := p.Events(with(t, c.data, nil), "events")
			if err != nil {
				t.Fatal(err)
			}
			want := &invocation.Invocation{
				Function: "function", Events: c.want, Hub: "ns1.servicebus.windows.net/metrics", Partition: "3",
				ConsumerGroup: "$Default", Retry: invocation.Retry{MaxRetryCount: 5}, Notes: []string{},
			}
			if inv.Notes == nil {
				want.Notes = nil
			}
			if diff := cmp.Diff(want, inv, sameEvents); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheWorkedPayloadWithAByteOrderMark(t *testing.T) {
	var p invocation.Parser
	inv, err := p.Events(append([]byte("\xef\xbb\xbf"), read(t, "many_string.json")...), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(identified(body1, body2), inv.Events, sameEvents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOneEvent(t *testing.T) {
	const single = `{"id":"m-1","value":91.5}`
	believed := bare(single)
	believed[0].Properties = []byte(`{"source": "vmss-a"}`)
	believed[0].Offset = []byte("8589934592")
	believed[0].Source = scale.Source{
		Hub: "ns1.servicebus.windows.net/metrics", Partition: "3", Sequence: 41, Known: true,
		EnqueuedAt: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC),
	}
	emptied := append([]invocation.Event(nil), believed...)
	emptied[0].Body = nil
	cases := []struct {
		name, data string
		want       []invocation.Event
	}{
		{"dataType string or absent: a string within a string, its metadata not believed", quoted(quoted(single)), bare(single)},
		{"the body is an array: one event all the same", quoted(quoted(`[{"a":1},{"b":2}]`)), bare(`[{"a":1},{"b":2}]`)},
		{"the body is a string that holds JSON", quoted(quoted(quoted(single))), bare(quoted(single))},
		{"the body is empty text", quoted(quoted("")), bare("")},
		{"dataType binary: a string of base64", quoted(base(single)), believed},
		{"dataType binary and an empty body", `""`, emptied},
		{"an object, its metadata not believed", single, bare(single)},
		{"a string that holds an object, its metadata not believed", quoted(single), bare(single)},
		{"a string that holds no JSON and is no base64", quoted("cpu,host=a usage=1"), bare("cpu,host=a usage=1")},
		{"a string that begins like an array and is none", quoted("[218 B blob data]"), bare("[218 B blob data]")},
		{"a string that begins like a string and is none", quoted(`"a" b`), bare(`"a" b`)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			body := bytes.Replace(read(t, "one_string.json"), []byte(quoted(quoted(single))), []byte(c.data), 1)
			var p invocation.Parser
			inv, err := p.Events(body, "event")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, inv.Events, sameEvents); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if known := c.want[0].Source.Known; known != (inv.Hub != "") || known != (len(inv.Notes) == 0) {
				t.Errorf("hub %q, notes %q", inv.Hub, inv.Notes)
			}
		})
	}
}

func TestMetadataThatIsMissingOrDoesNotFit(t *testing.T) {
	unnumbered := func() []invocation.Event {
		events := identified(body1, body2)
		for i := range events {
			events[i].Source.Sequence, events[i].Source.Known = 0, false
		}
		return events
	}
	without := func(change func(*invocation.Event)) []invocation.Event {
		events := identified(body1, body2)
		for i := range events {
			change(&events[i])
		}
		return events
	}
	timeless := without(func(e *invocation.Event) { e.Source.EnqueuedAt = time.Time{} })
	half := identified(body1, body2)
	half[0].Source.Sequence, half[0].Source.Known = 0, false
	nowhere := without(func(e *invocation.Event) {
		e.Source = scale.Source{EnqueuedAt: e.Source.EnqueuedAt}
	})
	cases := []struct {
		name     string
		metadata map[string]any
		want     []invocation.Event
		notes    []string
	}{
		{"arrays that are no strings", map[string]any{
			"SequenceNumberArray": []int{41, 42}, "OffsetStringArray": []string{"8589934592", "8589934700"},
			"EnqueuedTimeUtcArray": []string{"2026-01-05T10:00:00.123Z", "2026-01-05T11:00:01+01:00"},
		}, identified(body1, body2), nil},
		{"sequence numbers as strings", map[string]any{"SequenceNumberArray": `["41","42"]`}, identified(body1, body2), nil},
		{"contexts as strings", map[string]any{
			"TriggerPartitionContext": nil,
			"PartitionContext":        `{"FullyQualifiedNamespace":"NS1.servicebus.windows.net","EventHubName":"metrics","PartitionId":3}`,
		}, identified(body1, body2), nil},
		{"only the context of old extensions", map[string]any{"TriggerPartitionContext": nil}, identified(body1, body2), nil},
		{"only the old offsets", map[string]any{"OffsetStringArray": nil}, identified(body1, body2), nil},
		{
			"old offsets that say nothing",
			map[string]any{"OffsetStringArray": nil, "OffsetArray": `["-1","-1"]`},
			without(func(e *invocation.Event) { e.Offset = nil }), nil,
		},
		{
			"no sequence numbers but those of the system properties",
			map[string]any{"SequenceNumberArray": nil},
			identified(body1, body2), nil,
		},
		{
			"no sequence numbers",
			map[string]any{"SequenceNumberArray": nil, "SystemPropertiesArray": nil},
			unnumbered(),
			[]string{"no usable SequenceNumberArray: the events have no identity"},
		},
		{
			"fewer sequence numbers than events",
			map[string]any{"SequenceNumberArray": "[41]", "SystemPropertiesArray": nil},
			unnumbered(),
			[]string{"SequenceNumberArray does not fit the 2 events", "no usable SequenceNumberArray: the events have no identity"},
		},
		{
			"more sequence numbers than events",
			map[string]any{"SequenceNumberArray": "[41,42,43]", "SystemPropertiesArray": "[]"},
			unnumbered(),
			[]string{
				"SequenceNumberArray does not fit the 2 events", "SystemPropertiesArray does not fit the 2 events",
				"no usable SequenceNumberArray: the events have no identity",
			},
		},
		{
			"sequence numbers that are no JSON",
			map[string]any{"SequenceNumberArray": "[41,", "SystemPropertiesArray": nil},
			unnumbered(),
			[]string{"SequenceNumberArray does not fit the 2 events", "no usable SequenceNumberArray: the events have no identity"},
		},
		{
			"sequence numbers that are no array",
			map[string]any{"SequenceNumberArray": 41, "SystemPropertiesArray": nil},
			unnumbered(),
			[]string{"SequenceNumberArray is no array", "no usable SequenceNumberArray: the events have no identity"},
		},
		{"one sequence number that is none", map[string]any{"SequenceNumberArray": `[null,42]`}, half, nil},
		{
			"times of another number than events",
			map[string]any{"EnqueuedTimeUtcArray": `["2026-01-05T10:00:00"]`},
			timeless,
			[]string{"EnqueuedTimeUtcArray does not fit the 2 events"},
		},
		{"no times", map[string]any{"EnqueuedTimeUtcArray": nil}, timeless, nil},
		{"no properties", map[string]any{"PropertiesArray": nil}, without(func(e *invocation.Event) { e.Properties = nil }), nil},
		{"properties of no event", map[string]any{"PropertiesArray": `[{},null]`}, without(func(e *invocation.Event) { e.Properties = nil }), nil},
		{
			"properties of another number than events",
			map[string]any{"PropertiesArray": `[{"a":"b"}]`},
			without(func(e *invocation.Event) { e.Properties = nil }),
			[]string{"PropertiesArray does not fit the 2 events"},
		},
		{"properties of both events, one of them no object", map[string]any{
			"PropertiesArray": `["x:y",{"cloudEvents:specversion":"1.0"}]`,
		}, func() []invocation.Event {
			events := identified(body1, body2)
			events[0].Properties, events[1].Properties = nil, []byte(`{"cloudEvents:specversion":"1.0"}`)
			return events
		}(), nil},
		{"properties of messages that tell of their content", map[string]any{
			"SystemPropertiesArray": `[{"content-type":"application/json"},{"SequenceNumber":42}]`,
		}, func() []invocation.Event {
			events := identified(body1, body2)
			events[0].System, events[1].System = []byte(`{"content-type":"application/json"}`), []byte(`{"SequenceNumber":42}`)
			return events
		}(), nil},
		{
			"no context",
			map[string]any{"TriggerPartitionContext": nil, "PartitionContext": nil},
			nowhere,
			[]string{"no PartitionContext: the events have no identity"},
		},
		{"a context without a partition", map[string]any{
			"TriggerPartitionContext": map[string]any{"FullyQualifiedNamespace": "ns1.servicebus.windows.net", "EventHubName": "metrics"},
		}, without(func(e *invocation.Event) {
			e.Source = scale.Source{Hub: "ns1.servicebus.windows.net/metrics", EnqueuedAt: e.Source.EnqueuedAt}
		}), []string{"no PartitionContext: the events have no identity"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var p invocation.Parser
			inv, err := p.Events(with(t, nil, c.metadata), "events")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, inv.Events, sameEvents); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, inv.Notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABatchWithoutMetadata(t *testing.T) {
	for _, text := range []string{
		`{"Data":{"events":"[{},{}]"}}`, `{"Data":{"events":"[{},{}]"},"Metadata":null}`, `{"Metadata":{},"Data":{"events":"[{},{}]"}}`,
		`{"data":{"Events":"[{},{}]"},"metadata":"{}"}`,
	} {
		var p invocation.Parser
		inv, err := p.Events([]byte(text), "events")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(bare("{}", "{}"), inv.Events, sameEvents); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestARetryWithALargeException(t *testing.T) {
	body := with(t, nil, map[string]any{"RetryContext": map[string]any{
		"RetryCount": 2, "MaxRetryCount": 5, "Instance": nil, "State": map[string]any{},
		"Exception": map[string]any{"Message": strings.Repeat("at Microsoft.Azure \"quoted\"\r\n", 20_000), "RetryCount": 99},
	}})
	var p invocation.Parser
	inv, err := p.Events(body, "events")
	if err != nil {
		t.Fatal(err)
	}
	if want := (invocation.Retry{RetryCount: 2, MaxRetryCount: 5}); inv.Retry != want {
		t.Errorf("got %+v, want %+v", inv.Retry, want)
	}
	if len(inv.Events) != 2 {
		t.Errorf("%d events", len(inv.Events))
	}
}

func TestWhatIsNoInvocation(t *testing.T) {
	for text, want := range map[string]string{
		``:                                       "invocation: the request's body is nothing, not an object",
		`[]`:                                     "invocation: the request's body is an array, not an object",
		`{}`:                                     "invocation: the request's body has no Data",
		`{"Data":null}`:                          "invocation: Data is null, not an object",
		`{"Data":{}}`:                            `invocation: Data has no binding "events"`,
		`{"Data":{"other":"[]"}}`:                `invocation: Data has no binding "events"`,
		`{"Data":{"events":null}}`:               "invocation: the binding's value is null, neither events nor an event",
		`{"Data":{"events":5}}`:                  "invocation: the binding's value is a number, neither events nor an event",
		`{"Data":{"events":"[]"}`:                "invocation: read the request's body: the text ends too early at byte 23",
		`{"Data":{"events":"[]`:                  "invocation: read the request's body: the text ends too early at byte 21",
		`{"Data":`:                               "invocation: read the request's body: the text ends too early at byte 8",
		`{"Data":{"events":"[]"}}x`:              "invocation: read the request's body: more text after the end of the value at byte 24",
		`{"Data":{"events":"[]","events":"[]"}}`: `invocation: Data has the binding "events" twice`,
		`{"Data":{"events":"[]"},"Data":{"events":"[]"}}`: "invocation: Data stands there twice",
	} {
		var p invocation.Parser
		if _, err := p.Events([]byte(text), "events"); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	var p invocation.Parser
	if _, err := p.Events([]byte(`{"Data":{"a":"[]","b":"[]"}}`), ""); err == nil || err.Error() != "invocation: Data has 2 bindings, name one" {
		t.Errorf("two bindings and no name: %v", err)
	}
}

func TestNothingIsLeftOverFromTheLastInvocation(t *testing.T) {
	var p invocation.Parser
	first := with(t, `["`+base(strings.Repeat("x", 5000))+`","e30="]`, nil)
	if _, err := p.Events(first, "events"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Events([]byte(`{"Data":{"events":`), "events"); err == nil {
		t.Fatal("half an invocation was read")
	}
	inv, err := p.Events([]byte(`{"Data":{"events":"[\"e30=\"]"}}`), "events")
	if err != nil {
		t.Fatal(err)
	}
	want := &invocation.Invocation{Events: bare("{}"), Notes: []string{
		"no PartitionContext: the events have no identity", "no usable SequenceNumberArray: the events have no identity",
	}}
	if diff := cmp.Diff(want, inv, sameEvents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimer(t *testing.T) {
	sweep := invocation.Timer{
		Function: "sweep", LastAt: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC), NextAt: time.Date(2026, 1, 5, 10, 5, 0, 0, time.UTC),
	}
	cases := []struct {
		name, text string
		want       invocation.Timer
	}{
		{"the worked payload", string(read(t, "timer.json")), sweep},
		{
			"an unmonitored schedule that is late", `{"Data":{"timer":{"Schedule":{},"ScheduleStatus":null,"IsPastDue":true}},"Metadata":{}}`,
			invocation.Timer{PastDue: true},
		},
		{
			"a schedule that never ran", `{"Data":{"timer":{"ScheduleStatus":{"Last":"0001-01-01T00:00:00","Next":"2026-01-05T10:05:00+00:00"}}}}`,
			invocation.Timer{NextAt: sweep.NextAt},
		},
		{
			"a string that holds the object", `{"Data":{"timer":"{\"IsPastDue\":true}"},"Metadata":{"RetryContext":{"RetryCount":1,"MaxRetryCount":3}}}`,
			invocation.Timer{PastDue: true, Retry: invocation.Retry{RetryCount: 1, MaxRetryCount: 3}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var p invocation.Parser
			got, err := p.Timer([]byte(c.text), "timer")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var p invocation.Parser
	for _, text := range []string{`{"Data":{"timer":"[\"e30=\"]"}}`, `{"Data":{"timer":"x"}}`, `{"Data":{"timer":"{"}}`, `{}`} {
		if _, err := p.Timer([]byte(text), "timer"); err == nil {
			t.Errorf("%s was read as a timer", text)
		}
	}
}

func TestReply(t *testing.T) {
	for want, reply := range map[string]invocation.Reply{
		`{"Outputs":{},"Logs":[],"ReturnValue":null}`:                         {},
		`{"Outputs":{},"Logs":["web: hold","say \"no\""],"ReturnValue":null}`: {Logs: []string{"web: hold", `say "no"`}},
		`{"Outputs":{},"Logs":["\ufffd"],"ReturnValue":null}`:                 {Logs: []string{"\xff"}},
	} {
		if got := string(reply.JSON()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
