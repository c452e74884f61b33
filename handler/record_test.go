package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/record"
	"trimtab/tests/broker"
)

// rig is a broker with the environment that names it.
func rig(t *testing.T) (*broker.Broker, []string) {
	t.Helper()
	b, err := broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "metrics", Partitions: 2}, {Name: "other", Partitions: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, []string{setHubString + "=" + b.ConnectionString(), setHubName + "=metrics"}
}

func eventsIn(t *testing.T, file string) []record.Event {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := record.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	events, err := r.All()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestWhatIsRecordedCanBeSentToAnotherHub(t *testing.T) {
	b, environ := rig(t)
	b.Append("metrics", "1",
		broker.Event{Body: []byte(`{"a": 1.0}`), ContentType: "application/json", Properties: map[string]any{"n": int64(3), "s": "x"}},
		broker.Event{Body: []byte("\x00\xff")}, broker.Event{Body: []byte("third")})
	b.Append("metrics", "0", broker.Event{Body: []byte("fourth")})
	file := filepath.Join(t.TempDir(), "events.jsonl.gz")
	if code, _, errs := call(t, environ, "record", "--out", file); code != exitDone || !strings.Contains(errs, "4 events written") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	events := eventsIn(t, file)
	if len(events) != 4 || events[0].Hub != strings.ToLower(b.Namespace()+"/metrics") {
		t.Fatalf("%d events: %+v", len(events), events)
	}
	other := []string{environ[0], setHubName + "=other"}
	if code, out, errs := call(t, other, "send", "--recorded", "--keep-partitions", "--rate", "1000", file); code != exitDone || out != "4 events sent\n" {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	again := filepath.Join(t.TempDir(), "again.jsonl")
	if code, _, errs := call(t, other, "record", "--out", again); code != exitDone {
		t.Fatal(errs)
	}
	byPlace := func(all []record.Event) map[string]record.Event {
		m := map[string]record.Event{}
		for _, e := range all {
			// The client library names each message that has no name.
			if delete(e.System, "message-id"); len(e.System) == 0 {
				e.System = nil
			}
			place := e.Partition + "/" + string(rune('0'+e.Sequence))
			e.Hub, e.Offset, e.EnqueuedAt = "", "", time.Time{}
			m[place] = e
		}
		return m
	}
	if diff := cmp.Diff(byPlace(events), byPlace(eventsIn(t, again))); diff != "" {
		t.Errorf("(-recorded +sent and recorded again)\n%s", diff)
	}
}

func TestAPartOfAHubIsRecorded(t *testing.T) {
	b, environ := rig(t)
	for range 10 {
		b.Append("metrics", "0", broker.Event{Body: []byte("zero")})
		b.Append("metrics", "1", broker.Event{Body: []byte("one")})
	}
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		name string
		args []string
		want int
		fail string
	}{
		{"one partition", []string{"--partition", "1"}, 10, ""},
		{"so many", []string{"--count", "7"}, 7, ""},
		{"from an hour ago", []string{"--from", "1h"}, 20, ""},
		{"until an hour ago", []string{"--to", "1h"}, 0, ""},
		{"from what is yet to come", []string{"--from", later}, 0, ""},
		{"what comes, for a moment", []string{"--for", "500ms"}, 20, ""},
		{"a partition that is not there", []string{"--partition", "7"}, 0, "no partition"},
		{"a group that is not there", []string{"--group", "nobody"}, 0, "nobody"},
		{"an instant that is none", []string{"--from", "yesterday"}, 0, "neither an instant"},
		{"an end before the beginning", []string{"--from", "1h", "--to", "2h"}, 0, "not before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f")
			code, _, errs := call(t, environ, append([]string{"record", "--out", file}, c.args...)...)
			if c.fail != "" {
				if code == exitDone || !strings.Contains(errs, c.fail) {
					t.Errorf("exit %d, want a failure that says %q: %s", code, c.fail, errs)
				}
				return
			}
			if code != exitDone {
				t.Fatal(errs)
			}
			if n := len(eventsIn(t, file)); n != c.want {
				t.Errorf("%d events, want %d", n, c.want)
			}
		})
	}
}

func TestARecordingOutlivesAReadThatFails(t *testing.T) {
	b, environ := rig(t)
	file := write(t, "f.jsonl", "what an earlier recording holds\n")
	held := func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := held()
	for _, c := range []struct {
		environ []string
		args    []string
	}{
		{[]string{setHubString + "=nonsense", setHubName + "=metrics"}, nil},
		{environ, []string{"--partition", "7"}},
	} {
		if code, _, _ := call(t, c.environ, append([]string{"record", "--out", file}, c.args...)...); code == exitDone || held() != before {
			t.Errorf("%v: exit %d, the file holds %q", c.args, code, held())
		}
	}
	if code, _, errs := call(t, environ, "record", "--out", file); code != exitDone || held() != "" {
		t.Errorf("an empty hub: exit %d, %s, the file holds %q", code, errs, held())
	}
	b.Append("metrics", "0", broker.Event{Body: []byte("{}")})
	if code, _, errs := call(t, environ, "record", "--out", file); code != exitDone || len(eventsIn(t, file)) != 1 {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestSendKeepsAPace(t *testing.T) {
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		s    sending
		want []time.Duration
	}{
		"as fast as can be":      {sending{}, []time.Duration{0, 0, 0}},
		"so many a second":       {sending{rate: 4}, []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond}},
		"its own pace":           {sending{pace: 1}, []time.Duration{0, time.Minute, 3 * time.Minute}},
		"sixty times its pace":   {sending{pace: 60}, []time.Duration{0, time.Second, 3 * time.Second}},
		"a tenth of its own one": {sending{pace: 0.1}, []time.Duration{0, 10 * time.Minute, 30 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, at := range []time.Time{start, start.Add(time.Minute), start.Add(3 * time.Minute)} {
				if got := c.s.due(i, at.Sub(start)); got != c.want[i] {
					t.Errorf("event %d is due after %v, want %v", i, got, c.want[i])
				}
			}
		})
	}
	t.Run("by the clock", func(t *testing.T) {
		b, environ := rig(t)
		body := `{"trimtab":1,"resource":"` + webSet + `","metric":"m","time":"2026-05-04T09:00:00Z","value":1}`
		begun := time.Now()
		code, out, errs := call(t, environ, "send", "--lines", "--rate", "20", write(t, "bodies", strings.Repeat(body+"\n", 11)))
		if code != exitDone || out != "11 events sent\n" {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
		if took := time.Since(begun); took < 450*time.Millisecond {
			t.Errorf("11 events at 20 a second took %v", took)
		}
		if n := len(b.Events("metrics", "0")) + len(b.Events("metrics", "1")); n != 11 {
			t.Errorf("%d events arrived", n)
		}
	})
	for _, args := range [][]string{{"--pace", "1"}, {"--rate", "-1"}, {"--recorded", "--rate", "1", "--pace", "1"}, {"--recorded", "--lines"}} {
		if code, _, errs := call(t, nil, append([]string{"send"}, args...)...); code == exitDone {
			t.Errorf("%v: accepted: %s", args, errs)
		}
	}
}
