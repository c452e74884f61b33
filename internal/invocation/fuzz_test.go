package invocation_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"trimtab/internal/invocation"
)

// FuzzEvents never panics, and counts the events of a batch as encoding/json does.
func FuzzEvents(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
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
	f.Add([]byte(`{"Data":{"events":"[\"e30=\",\"\"]"},"Metadata":{"SequenceNumberArray":"[1,2]"}}`))
	f.Add([]byte(`{"Data":{"events":"[null,{},\"\\ufeff\",[1]]"}}`))
	f.Add([]byte(`{"Data":{"events":["e30=","x"]}}`))
	f.Add([]byte(`{"Data":{"events":{"a":1}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p invocation.Parser
		if timer, err := p.Timer(body, ""); (timer == nil) == (err == nil) {
			t.Fatalf("timer %v, error %v", timer, err)
		}
		inv, err := p.Events(body, "")
		if err != nil {
			return
		}
		for _, e := range inv.Events {
			if e.Source.Known && (inv.Hub == "" || inv.Partition == "") {
				t.Fatal("an event is known, its partition is not")
			}
		}
		if want, ok := count(body); ok && len(inv.Events) != want {
			t.Fatalf("%d events, want %d", len(inv.Events), want)
		}
	})
}

// count is how many events an invocation holds, by encoding/json; ok is false where its leniency makes that worthless.
func count(body []byte) (n int, ok bool) {
	var req struct{ Data map[string]json.RawMessage }
	if !utf8.Valid(body) || json.Unmarshal(body, &req) != nil || len(req.Data) != 1 {
		return 0, false
	}
	for _, value := range req.Data {
		var text string
		if json.Unmarshal(value, &text) == nil && len(value) > 0 && value[0] == '"' {
			value = json.RawMessage(text)
		}
		var many []json.RawMessage
		if json.Unmarshal(value, &many) == nil && many != nil {
			return len(many), true
		}
	}
	return 1, true
}

// FuzzBodies gets back what was wrapped, however it was wrapped.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"records":[]}`), []byte("\x1f\x8b"), true)
	f.Add([]byte(`{"a":"é\n\\"}`), []byte(`"x"`), false)
	f.Fuzz(func(t *testing.T, a, b []byte, binary bool) {
		if !binary {
			// The host replaces what is not UTF-8; and the first body says that these are texts.
			a = append([]byte("{"), a...)
			if !utf8.Valid(a) || !utf8.Valid(b) {
				return
			}
		}
		bodies := [][]byte{a, b}
		var p invocation.Parser
		inv, err := p.Events(request(bodies, binary), "events")
		if err != nil || len(inv.Events) != 2 {
			t.Fatal(inv, err)
		}
		for i, e := range inv.Events {
			if string(e.Body) != string(bodies[i]) || !e.Source.Known || e.Source.Sequence != int64(41+i) {
				t.Fatalf("event %d: %q from %+v, want %q", i, e.Body, e.Source, bodies[i])
			}
		}
	})
}
