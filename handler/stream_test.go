package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/ledger"
	"trimtab/internal/scale"
	"trimtab/tests/broker"
)

func TestWhatIsStoredIsStreamedAsCloudEvents(t *testing.T) {
	b, err := broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "decisions", Partitions: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var lines bytes.Buffer
	d, err := openStream(t.Context(), []string{setStreamString + "=" + b.ConnectionString(), setStreamHub + "=decisions"}, nil,
		slog.New(slog.NewJSONHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	memory := ledger.NewMemory()
	l := d.over(memory)
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	key := fmt.Sprintf("%019d-a", math.MaxInt64-at.UnixNano())
	entry := &scale.Entry{Version: 1, Key: key, Pool: "web", At: at, Note: "<b>"}
	first := scale.Commit{Attempt: "a1", Entry: entry, Control: &scale.Control{Version: 1}}
	if err := l.Commit(t.Context(), "web", first); err != nil {
		t.Fatal(err)
	}
	// What is lost to another process is not stored, and not streamed.
	lost := scale.Commit{Attempt: "a2", Entry: &scale.Entry{Version: 1, Key: key, Pool: "web", At: at}, Control: &scale.Control{Version: 1}, ControlVersion: "old"}
	if err := l.Commit(t.Context(), "web", lost); !errors.Is(err, scale.ErrConflict) {
		t.Fatalf("a commit on an old version: %v", err)
	}
	stored, err := memory.Load(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	outcome := &scale.Outcome{Entry: key, At: at.Add(time.Minute), Result: scale.Applied}
	second := scale.Commit{Attempt: "a3", Outcome: outcome, Control: &scale.Control{Version: 1}, ControlVersion: stored.ControlVersion}
	if err := l.Commit(t.Context(), "web", second); err != nil {
		t.Fatal(err)
	}
	d.close()

	var got []map[string]any
	for _, e := range b.Events("decisions", "0") {
		var event map[string]any
		if err := json.Unmarshal(e.Body, &event); err != nil {
			t.Fatal(err)
		}
		if e.Key != "web" {
			t.Errorf("partition key %q", e.Key)
		}
		data, _ := event["data"].(map[string]any)
		event["data"] = data["key"]
		if event["type"] == "trimtab.outcome.v1" {
			event["data"] = data["result"]
		}
		got = append(got, event)
	}
	base := map[string]any{"specversion": "1.0", "source": "/trimtab/pools/web", "subject": "web", "datacontenttype": "application/json"}
	with := func(more map[string]any) map[string]any {
		for name, value := range base {
			more[name] = value
		}
		return more
	}
	want := []map[string]any{
		with(map[string]any{"id": key + "/entry", "type": "trimtab.entry.v1", "time": "2026-05-04T09:00:00Z", "data": key}),
		with(map[string]any{"id": key + "/outcome", "type": "trimtab.outcome.v1", "time": "2026-05-04T09:01:00Z", "data": "applied"}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +streamed)\n%s", diff)
	}
}

func TestNoStreamIsNoStream(t *testing.T) {
	d, err := openStream(context.Background(), nil, nil, slog.New(slog.DiscardHandler))
	if d != nil || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	d.close()
	l := ledger.NewMemory()
	if d.over(l) != l {
		t.Error("a ledger is streamed, and nobody asked for it")
	}
	_, err = openStream(context.Background(), []string{setStreamHub + "=decisions"}, nil, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Error("a hub without a namespace is taken")
	}
}
