package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/hub"
	"trimtab/internal/ledger"
)

// touchy is a corridor that panics at some bodies and fails while it is told to.
type touchy struct {
	fail  error
	taken []string
}

func (c *touchy) Ingest(_ context.Context, b engine.Batch) (engine.Report, error) {
	if c.fail != nil {
		return engine.Report{}, c.fail
	}
	for _, e := range b.Events {
		if string(e.Body) == "bomb" {
			panic("boom")
		}
	}
	for _, e := range b.Events {
		c.taken = append(c.taken, string(e.Body))
	}
	return engine.Report{}, nil
}

func (c *touchy) Sweep(context.Context, string) (engine.Report, error) { return engine.Report{}, nil }

func TestABatchThatMakesTheEnginePanicIsTakenEventByEvent(t *testing.T) {
	memory := ledger.NewMemory()
	c := &touchy{fail: errors.New("the table is away")}
	in := newIntake(&house{log: slog.New(slog.DiscardHandler), memory: localMemory{memory}, corridor: c}, &Config{Deadline: time.Minute},
		&following{hub: hub.Options{Namespace: "NS", Hub: "Metrics"}})
	batch := hub.Batch{Partition: "3", Events: []hub.Event{
		{Sequence: 1, Body: []byte("a")},
		{Sequence: 2, Body: []byte("bomb"), Properties: map[string]any{"fleet": "web"}, System: map[string]any{"content-encoding": "gzip"}},
		{Sequence: 3, Body: []byte("b")},
	}}
	for range 5 {
		if err := in.take(t.Context(), batch); err == nil {
			t.Fatal("a batch that was not stored counts as taken")
		}
	}
	c.fail = nil
	tries := 1
	for ; in.take(t.Context(), batch) != nil; tries++ {
		if tries > 10 {
			t.Fatal("the batch is never done")
		}
	}
	if tries != panicsBorne || strings.Join(c.taken, " ") != "a b" {
		t.Errorf("done at try %d with %q, want %d with a and b", tries, c.taken, panicsBorne)
	}
	letters, err := memory.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters: %v", len(letters), err)
	}
	if l := letters[0]; string(l.Body) != "bomb" || l.Source.Hub != "ns/metrics" || l.Source.Partition != "3" || l.Source.Sequence != 2 ||
		l.Rejections[0].Reason != "panic" || string(l.Application) != `{"fleet":"web"}` || string(l.System) != `{"content-encoding":"gzip"}` {
		t.Errorf("dead letter %+v", l)
	}
}

func TestProbesTellHowAConsumerStands(t *testing.T) {
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name          string
		age, claimed  time.Duration // since the start; claimed below 0 is never
		livez, readyz int
	}{
		{"just started", time.Second, -1, 200, 503},
		{"started long ago, and never in", 4 * time.Minute, -1, 503, 503},
		{"shared out a moment ago", time.Hour, time.Hour - 10*time.Second, 200, 200},
		{"shared out too long ago to be ready", time.Hour, time.Hour - 2*time.Minute, 200, 503},
		{"shared out far too long ago", time.Hour, time.Hour - 4*time.Minute, 503, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := hub.State{Partitions: map[string]hub.Progress{"0": {Sequence: 7}}}
			if c.claimed >= 0 {
				state.ClaimedAt = start.Add(c.claimed)
			}
			p := &probes{
				state: func() hub.State { return state }, policies: func() policyState { return policyState{} }, expiry: time.Minute, since: start,
				now: func() time.Time { return start.Add(c.age) },
			}
			for path, want := range map[string]int{"/livez": c.livez, "/readyz": c.readyz, "/status": 200, "/else": 404} {
				w := httptest.NewRecorder()
				p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				if w.Code != want || !strings.HasPrefix(w.Body.String(), "{") {
					t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
				}
			}
			w := httptest.NewRecorder()
			p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/status", nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("POST: %d", w.Code)
			}
		})
	}
}

func TestConsumeRefusesWhatItCannotFollow(t *testing.T) {
	good := []string{
		"TRIMTAB_LEDGER=memory", "TRIMTAB_POLICIES=embedded", setHubNamespace + "=ns.servicebus.windows.net", setHubName + "=metrics",
		setMarksURL + "=https://a.blob.core.windows.net", setHealth + "=127.0.0.1:0",
	}
	for name, c := range map[string]struct {
		more []string
		want string
	}{
		"a start that is none":           {[]string{setStart + "=yesterday"}, setStart},
		"a batch of nothing":             {[]string{setBatch + "=0"}, setBatch},
		"an expiry of a moment":          {[]string{setExpiry + "=1s"}, setExpiry},
		"two ways to the checkpoints":    {[]string{setMarksString + "=UseDevelopmentStorage=true"}, "both are set"},
		"an address without a port":      {[]string{setHealth + "=localhost"}, setHealth},
		"a container of a bad name":      {[]string{setMarksName + "=x"}, setMarksName},
		"no hub":                         {[]string{setHubNamespace + "=", setHubString + "="}, setHubNamespace},
		"a hub without a name":           {[]string{setHubName + "="}, "name of a hub"},
		"a misspelt setting":             {[]string{"TRIMTAB_CONSUME_BATCHES=5"}, setBatch},
		"a stream without a namespace":   {[]string{setStreamHub + "=decisions"}, setStreamHub},
		"a connection that is none":      {[]string{setHubString + "=canary-secret"}, "malformed"},
		"checkpoints by a broken string": {[]string{setMarksURL + "=", setMarksString + "=canary-secret"}, setMarksString},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := call(t, append(append([]string{}, good...), c.more...), "consume")
			if code == exitDone || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d, want a failure that says %q: %s", code, c.want, errs)
			}
			if strings.Contains(out+errs, "canary-secret") {
				t.Error("a secret was shown")
			}
		})
	}
}
