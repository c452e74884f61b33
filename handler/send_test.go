package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"trimtab/internal/hub"
	"trimtab/internal/record"
)

// everything is an event with every property that a sender may set, of every type that AMQP gives it.
func everything(n int, system map[string]any) hub.Outgoing {
	return hub.Outgoing{
		Body: fmt.Appendf(nil, `{"n":%d}`, n), System: system,
		Properties: map[string]any{
			"text": "ä", "small": int32(-3), "whole": int64(1) << 60, "large": uint64(1)<<63 + 1, "half": 0.5, "five": 5.0, "yes": true,
			"bytes": []byte("raw"), "when": time.Date(2026, 5, 4, 9, 0, 0, 250_000_000, time.UTC), "nothing": nil,
		},
	}
}

var systems = []map[string]any{
	{
		"content-type": "application/json", "content-encoding": "identity", "message-id": "m1", "correlation-id": "c1", "subject": "s", "to": "t",
		"reply-to": "r", "group-id": "g", "group-sequence": int64(7), "reply-to-group-id": "rg", "user-id": []byte("u"),
		"absolute-expiry-time": time.Date(2026, 5, 5, 9, 0, 0, 0, time.UTC), "creation-time": time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC),
	},
	{"message-id": uint64(1) << 63, "correlation-id": uint64(42)},
	{"message-id": []byte("bytes"), "correlation-id": "0b1f6471-1bf0-4dda-aec3-111122223333"},
	nil,
}

// held is what a hub holds, as a recording, but for what the hub gives an event.
func held(t *testing.T, environ []string, keepPlace bool) []record.Event {
	t.Helper()
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if code, _, errs := call(t, environ, "record", "--out", file); code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	events := eventsIn(t, file)
	slices.SortFunc(events, func(a, b record.Event) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Sequence, b.Sequence))
	})
	for i := range events {
		events[i].Hub, events[i].Offset, events[i].EnqueuedAt = "", "", time.Time{}
		if !keepPlace {
			events[i].Partition, events[i].Sequence = "", 0
		}
	}
	return events
}

func TestARecordingSentAndRecordedAgainIsTheSame(t *testing.T) {
	for _, c := range []struct {
		name  string
		place func(n int, o *hub.Outgoing)
		args  []string
	}{
		{"events of partitions, each to its own", func(n int, o *hub.Outgoing) { o.Partition = fmt.Sprint(n % 2) }, []string{"--keep-partitions"}},
		{"events of keys, in the order of each", func(n int, o *hub.Outgoing) { o.Key = fmt.Sprint("key", n%3) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, environ := rig(t)
			options, err := hubOptions(&hall{environ: environ})
			if err != nil {
				t.Fatal(err)
			}
			sender, err := hub.NewSender(options)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sender.Close(t.Context()) }()
			const n = 40
			for i := range n {
				o := everything(i, systems[i%len(systems)])
				c.place(i, &o)
				if _, err := sender.Send(t.Context(), []hub.Outgoing{o}); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(t.TempDir(), "events.jsonl.gz")
			if code, _, errs := call(t, environ, "record", "--out", file); code != exitDone {
				t.Fatal(errs)
			}
			other := []string{environ[0], setHubName + "=other"}
			if code, out, errs := call(t, other, append([]string{"send", "--recorded", file}, c.args...)...); code != exitDone || out != fmt.Sprintf("%d events sent\n", n) {
				t.Fatalf("exit %d: %s%s", code, out, errs)
			}
			first, second := held(t, environ, len(c.args) > 0), held(t, other, len(c.args) > 0)
			if len(c.args) == 0 {
				byKey := func(a, b record.Event) int { return cmp.Compare(a.Key, b.Key) }
				slices.SortStableFunc(first, byKey)
				slices.SortStableFunc(second, byKey)
			}
			if d := diff.Diff(first, second); d != "" || len(first) != n {
				t.Errorf("%d events (-recorded +sent and recorded again)\n%s", len(first), d)
			}
			if got := first[0]; len(got.Properties) != 10 {
				t.Errorf("recorded %+v", got)
			}
			most := slices.MaxFunc(first, func(a, b record.Event) int { return cmp.Compare(len(a.System), len(b.System)) })
			if len(most.System) != len(systems[0]) {
				t.Errorf("recorded %+v, want %d properties of the message", most.System, len(systems[0]))
			}
		})
	}
}

func TestAPacedRecordingIsSentInTheOrderOfArrival(t *testing.T) {
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	// As record writes it: one partition's events, then the other's.
	var file []record.Event
	for p := range 2 {
		for i := range 3 {
			file = append(file, record.Event{Partition: fmt.Sprint(p), Sequence: int64(i), EnqueuedAt: start.Add(time.Duration(2*i+p) * time.Minute)})
		}
	}
	next, err := arrived(func() (o hub.Outgoing, at time.Time, err error) {
		if len(file) == 0 {
			return o, at, io.EOF
		}
		e := file[0]
		file = file[1:]
		return hub.Outgoing{Partition: e.Partition}, e.EnqueuedAt, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		o, at, err := next()
		if err != nil || !at.Equal(start.Add(time.Duration(i)*time.Minute)) || o.Partition != fmt.Sprint(i%2) {
			t.Errorf("event %d: of partition %s at %v, %v", i, o.Partition, at, err)
		}
	}
	if _, _, err := next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}
