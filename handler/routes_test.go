package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/scale"
)

// script is a corridor that does what a test says.
type script struct {
	ingest func(context.Context, engine.Batch) (engine.Report, error)
	sweep  func(context.Context, string) (engine.Report, error)
}

func (s script) Ingest(ctx context.Context, b engine.Batch) (engine.Report, error) {
	return s.ingest(ctx, b)
}

func (s script) Sweep(ctx context.Context, invocation string) (engine.Report, error) {
	return s.sweep(ctx, invocation)
}

// always answers every call alike.
func always(report engine.Report, err error) script {
	return script{
		ingest: func(context.Context, engine.Batch) (engine.Report, error) { return report, err },
		sweep:  func(context.Context, string) (engine.Report, error) { return report, err },
	}
}

func doorsTo(c corridor, log io.Writer) *doors {
	return doorsOver(c, log, ledger.NewMemory())
}

func doorsOver(c corridor, log io.Writer, memory *ledger.Memory) *doors {
	return newDoors(&house{corridor: c, log: slog.New(slog.NewJSONHandler(log, nil)), memory: localMemory{memory}}, &Config{Deadline: time.Minute})
}

const (
	eventsBody = `{"Data":{"events":"[\"eyJuIjo0MX0=\",\"eyJuIjo0Mn0=\"]"},"Metadata":{` +
		`"PartitionContext":{"FullyQualifiedNamespace":"ns1.servicebus.windows.net","EventHubName":"metrics","ConsumerGroup":"$Default","PartitionId":"3"},` +
		`"SequenceNumberArray":"[41,42]","EnqueuedTimeUtcArray":"[\"2026-01-05T10:00:00.123\",\"2026-01-05T10:00:01\"]",` +
		`"RetryContext":{"RetryCount":2,"MaxRetryCount":10,"Exception":null,"Instance":null,"State":{}}}}`
	timerBody = `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"sweep"}}}`
)

// post is a request as the host sends it; change makes something else of it.
func post(path, body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:50000", "127.0.0.1:41999"
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set(headerInvocation, "6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11")
	if change != nil {
		change(r)
	}
	return r
}

// answerOf checks what holds for every answer and returns its status and lines.
func answerOf(t *testing.T, handler http.Handler, r *http.Request) (int, []string) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type")); err != nil || kind != "application/json" {
		t.Errorf("content type %q", w.Header().Get("Content-Type"))
	}
	var object struct{ Logs []string }
	if err := json.Unmarshal(w.Body.Bytes(), &object); err != nil || w.Body.Len() < 2 || w.Body.Bytes()[0] != '{' {
		t.Errorf("body %q is no JSON object: %v", w.Body.Bytes(), err)
	}
	return w.Code, object.Logs
}

func TestStatusIsTheRetryContract(t *testing.T) {
	fine := always(engine.Report{}, nil)
	panics := script{
		ingest: func(context.Context, engine.Batch) (engine.Report, error) { panic("a fault of ours") },
		sweep:  func(context.Context, string) (engine.Report, error) { panic("a fault of ours") },
	}
	down := always(engine.Report{}, errors.New("commit web: table storage is down"))
	for _, tt := range []struct {
		name     string
		corridor corridor
		path     string
		body     string
		change   func(*http.Request)
		want     int
		said     string
	}{
		{"a batch that was decided", fine, "/function", eventsBody, nil, 200, ""},
		{"a batch whose events are all dead letters", always(engine.Report{Events: 2, DeadLetters: 2}, nil), "/function", eventsBody, nil, 200, ""},
		{"a sweep", fine, "/sweep", timerBody, nil, 200, ""},
		{"a batch without metadata", fine, "/function", `{"Data":{"events":"[]"}}`, nil, 200, ""},
		{"a batch of unknown length", fine, "/function", eventsBody, func(r *http.Request) { r.ContentLength = -1 }, 200, ""},
		{"a batch without an invocation id", fine, "/function", eventsBody, func(r *http.Request) { r.Header.Del(headerInvocation) }, 200, ""},
		{"JSON without a charset", fine, "/function", eventsBody, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 200, ""},
		{"the port by name", fine, "/function", eventsBody, func(r *http.Request) { r.Host = "localhost:41999" }, 200, ""},
		{"IPv6", fine, "/function", eventsBody, func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:1", "[::1]:2" }, 200, ""},
		{"text that is no invocation", fine, "/function", `{`, nil, 400, "read batch of 1 bytes"},
		{"an invocation without data", fine, "/function", `{"Metadata":{}}`, nil, 400, "Data"},
		{"an empty body", fine, "/function", ``, nil, 400, "read batch"},
		{"a batch at the door of the sweep", fine, "/sweep", eventsBody, nil, 400, "read sweep"},
		{"a body that breaks off", fine, "/function", "", func(r *http.Request) {
			r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
		}, 400, "unexpected EOF"},
		{"another machine", fine, "/function", eventsBody, func(r *http.Request) { r.RemoteAddr = "10.0.0.4:1" }, 403, "not on this machine"},
		{"a name that was bound to this address", fine, "/function", eventsBody, func(r *http.Request) { r.Host = "evil.example:41999" }, 403, "evil.example"},
		{"a page in a browser", fine, "/function", eventsBody, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, "Origin"},
		{"a browser that hides where it is", fine, "/function", eventsBody, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403, "Sec-Fetch-Site"},
		{"no such function", fine, "/functions", eventsBody, nil, 404, "/functions"},
		{"the right name in capitals", fine, "/Function", eventsBody, nil, 404, "/Function"},
		{"a path below a function", fine, "/function/x", eventsBody, nil, 404, ""},
		{"the root, posted to", fine, "/", eventsBody, nil, 404, ""},
		{"a GET of a function", fine, "/function", "", func(r *http.Request) { r.Method = http.MethodGet }, 405, "GET"},
		{"a body that a form could send", fine, "/function", eventsBody, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, "text/plain"},
		{"no content type", fine, "/function", eventsBody, func(r *http.Request) { r.Header.Del("Content-Type") }, 415, ""},
		{"table storage in trouble", down, "/function", eventsBody, nil, 503, "table storage is down"},
		{"table storage in trouble while sweeping", down, "/sweep", timerBody, nil, 503, "table storage is down"},
		{"a panic", panics, "/function", eventsBody, nil, 500, "a fault of ours"},
		{"a panic while sweeping", panics, "/sweep", timerBody, nil, 500, "a fault of ours"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			got, _ := answerOf(t, doorsTo(tt.corridor, &log), post(tt.path, tt.body, tt.change))
			if got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
			// The host throws away what a failure says: it must be in the log.
			if !strings.Contains(log.String(), tt.said) || log.Len() == 0 {
				t.Errorf("log %q lacks %q", log.String(), tt.said)
			}
		})
	}
}

func TestAnEventThatMakesTheEnginePanicIsKeptBeforeTheHostMovesOn(t *testing.T) {
	var function struct {
		Retry struct{ MaxRetryCount int }
	}
	text, err := os.ReadFile("../function/function.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &function); err != nil || function.Retry.MaxRetryCount < panicsBorne {
		t.Fatalf("the host tries again %d times, %d panics are borne: %v", function.Retry.MaxRetryCount, panicsBorne, err)
	}
	var taken []int64
	c := script{ingest: func(_ context.Context, b engine.Batch) (engine.Report, error) {
		for _, e := range b.Events {
			if e.Source.Sequence == 41 {
				panic("a fault of ours")
			}
			taken = append(taken, e.Source.Sequence)
		}
		return engine.Report{Events: len(b.Events)}, nil
	}}
	var log bytes.Buffer
	memory := ledger.NewMemory()
	doors := doorsOver(c, &log, memory)
	for try := 1; try < panicsBorne; try++ {
		if got, _ := answerOf(t, doors, post("/function", eventsBody, nil)); got != http.StatusInternalServerError {
			t.Errorf("try %d: status %d, want 500", try, got)
		}
	}
	got, lines := answerOf(t, doors, post("/function", eventsBody, nil))
	if got != http.StatusOK || len(lines) != 1 || lines[0] != "1 of 2 events kept as dead letters" {
		t.Errorf("status %d, %q", got, lines)
	}
	if diff := cmp.Diff([]int64{42}, taken); diff != "" {
		t.Error(diff)
	}
	letters, err := memory.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d dead letters: %v", len(letters), err)
	}
	if l := letters[0]; string(l.Body) != `{"n":41}` || l.Source.Sequence != 41 || l.Rejections[0].Reason != "panic" {
		t.Errorf("dead letter %+v", l)
	}
	// The next panic of the partition is borne anew.
	if got, _ := answerOf(t, doors, post("/function", eventsBody, nil)); got != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", got)
	}
}

func TestABodyAboveTheBoundIs413(t *testing.T) {
	d := doorsTo(always(engine.Report{}, nil), io.Discard)
	if d.largest != maxBody {
		t.Errorf("doors read up to %d bytes, want %d", d.largest, maxBody)
	}
	d.largest = 1000
	for _, length := range []int64{-1, 1001} {
		r := post("/function", "", func(r *http.Request) {
			r.Body = io.NopCloser(io.LimitReader(blanks{}, 1001))
			r.ContentLength = length
		})
		if got, _ := answerOf(t, d, r); got != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d with length %d, want 413", got, length)
		}
	}
	// Buffers are used again: what was too large leaves nothing behind.
	if got, _ := answerOf(t, d, post("/function", eventsBody, nil)); got != http.StatusOK {
		t.Errorf("status %d after a refusal, want 200", got)
	}
}

// blanks is an endless text of blanks.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadinessIsAnsweredAndNotLogged(t *testing.T) {
	var log bytes.Buffer
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		w := httptest.NewRecorder()
		doorsTo(script{}, &log).ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s /: %d, content type %q", method, w.Code, w.Header().Get("Content-Type"))
		}
	}
	if log.Len() != 0 {
		t.Errorf("log %q, want none", log.String())
	}
}

func TestTheBatchThatTheEngineGets(t *testing.T) {
	var got engine.Batch
	var log bytes.Buffer
	d := doorsTo(script{ingest: func(_ context.Context, b engine.Batch) (engine.Report, error) {
		got = engine.Batch{Invocation: b.Invocation}
		for _, e := range b.Events {
			got.Events = append(got.Events, engine.Event{Source: e.Source, Body: bytes.Clone(e.Body)})
		}
		return engine.Report{}, nil
	}}, &log)
	if status, _ := answerOf(t, d, post("/function", eventsBody, func(r *http.Request) { r.Header.Set("Traceparent", "00-a-b-01") })); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	source := scale.Source{Hub: "ns1.servicebus.windows.net/metrics", Partition: "3", Sequence: 41, Known: true, EnqueuedAt: time.Date(2026, 1, 5, 10, 0, 0, 123_000_000, time.UTC)}
	next := source
	next.Sequence, next.EnqueuedAt = 42, time.Date(2026, 1, 5, 10, 0, 1, 0, time.UTC)
	want := engine.Batch{Invocation: "6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11", Events: []engine.Event{
		{Source: source, Body: []byte(`{"n":41}`)}, {Source: next, Body: []byte(`{"n":42}`)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"invocation": "6d1c2c2e-7f0b-4c0a-9f0e-3f0a1d0e7b11", "source": "ns1.servicebus.windows.net/metrics/3", "traceparent": "00-a-b-01",
		"first_sequence": 41.0, "last_sequence": 42.0, "attempt": 3.0, "attempts": 11.0,
	} {
		if line[name] != want {
			t.Errorf("log has %s = %v, want %v", name, line[name], want)
		}
	}
}

func TestAnInvocationIDThatIsNotFitForAKeyIsLeftOut(t *testing.T) {
	for _, id := range []string{"a/b", "a b", strings.Repeat("a", 65), "\x00"} {
		var got string
		d := doorsTo(script{sweep: func(_ context.Context, id string) (engine.Report, error) {
			got = id
			return engine.Report{}, nil
		}}, io.Discard)
		answerOf(t, d, post("/sweep", timerBody, func(r *http.Request) { r.Header.Set(headerInvocation, id) }))
		if got != "" {
			t.Errorf("invocation %q reached the engine", got)
		}
	}
}

func TestAnEngineThatHeedsItsDeadlineIsA503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		d := doorsTo(script{ingest: func(ctx context.Context, _ engine.Batch) (engine.Report, error) {
			<-ctx.Done()
			return engine.Report{}, ctx.Err()
		}}, io.Discard)
		if got, _ := answerOf(t, d, post("/function", eventsBody, nil)); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
		if took := time.Since(begun); took != d.deadline {
			t.Errorf("took %v, want %v", took, d.deadline)
		}
	})
}

func TestAnEngineThatDecidesWithinTheGraceIsA200(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := doorsTo(script{ingest: func(ctx context.Context, _ engine.Batch) (engine.Report, error) {
			<-ctx.Done()
			return engine.Report{Events: 2}, nil
		}}, io.Discard)
		if got, _ := answerOf(t, d, post("/function", eventsBody, nil)); got != http.StatusOK {
			t.Errorf("status %d, want 200: what was decided must not come again", got)
		}
	})
}

func TestAnEngineThatHangsIsLeftAndItsBuffersAreNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		seen := make(chan []byte, 1)
		var calls atomic.Int32
		d := doorsTo(script{ingest: func(_ context.Context, b engine.Batch) (engine.Report, error) {
			if calls.Add(1) == 1 {
				seen <- b.Events[0].Body
				<-release
			}
			return engine.Report{}, nil
		}}, io.Discard)
		begun := time.Now()
		if got, _ := answerOf(t, d, post("/function", eventsBody, nil)); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
		if took := time.Since(begun); took != d.deadline+d.grace {
			t.Errorf("took %v, want %v", took, d.deadline+d.grace)
		}
		answerOf(t, d, post("/function", strings.ReplaceAll(eventsBody, "eyJuIjo0MX0=", "WFhYWFhYWFg="), nil))
		if kept := <-seen; string(kept) != `{"n":41}` {
			t.Errorf("the hanging engine now reads %q", kept)
		}
		close(release)
	})
}

func TestABrokenConnectionDoesNotStopAnInvocationHalfway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := doorsTo(script{ingest: func(ctx context.Context, _ engine.Batch) (engine.Report, error) {
		cancel()
		return engine.Report{}, ctx.Err()
	}}, io.Discard)
	if got, _ := answerOf(t, d, post("/function", eventsBody, nil).WithContext(ctx)); got != http.StatusOK {
		t.Errorf("status %d, want 200", got)
	}
}

func TestPoolLines(t *testing.T) {
	for _, tt := range []struct {
		want string
		pool engine.PoolReport
	}{
		{"web: scale 3 -> 5 (track), sent", engine.PoolReport{
			Pool: "web", Entry: "e", Action: scale.Scale, Direction: scale.Grow, From: 3, To: 5, Wanted: 5, Reason: "track", Mode: scale.Enforce, Sent: true,
		}},
		{"web: scale 3 -> 5 (track), observed only", engine.PoolReport{
			Pool: "web", Entry: "e", Action: scale.Scale, Direction: scale.Grow, From: 3, To: 5, Wanted: 5, Reason: "track", Mode: scale.Observe,
		}},
		{"web: scale 5 -> 3 (track), not sent; another process decided first", engine.PoolReport{
			Pool: "web", Entry: "e", Action: scale.Scale, Direction: scale.Shrink, From: 5, To: 3, Wanted: 3, Reason: "track", Mode: scale.Enforce, Note: "another process decided first",
		}},
		{"web: mix changes at 5 (blend), sent", engine.PoolReport{
			Pool: "web", Entry: "e", Action: scale.Scale, Direction: scale.Remix, From: 5, To: 5, Wanted: 5, Reason: "blend", Mode: scale.Enforce, Sent: true,
		}},
		{"web: hold 5 (cooldown_grow until 09:03:00; wanted 8)", engine.PoolReport{
			Known: true, Until: time.Date(2026, 5, 4, 9, 3, 0, 0, time.UTC), Pool: "web", Entry: "e", Action: scale.Hold, Direction: scale.Still, From: 5, To: 5, Wanted: 8, Reason: "cooldown_grow", Mode: scale.Enforce,
		}},
		{"web: hold ? (facts_unknown; wanted 6)", engine.PoolReport{
			Pool: "web", Entry: "e", Action: scale.Hold, Wanted: 6, Reason: "facts_unknown",
		}},
		{"web: hold 5 (track); earlier change failed (quota)", engine.PoolReport{
			Known: true, Pool: "web", Entry: "e", Action: scale.Hold, From: 5, To: 5, Wanted: 5, Reason: "track", Outcome: &scale.Outcome{Result: scale.Failed, Class: scale.ClassQuota},
		}},
		{"web: not evaluated; earlier change applied; due in 40 s", engine.PoolReport{
			Pool: "web", Outcome: &scale.Outcome{Result: scale.Applied}, Note: "due in 40 s",
		}},
	} {
		if got := poolLine(tt.pool); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestOneLineForEachPoolTouched(t *testing.T) {
	report := engine.Report{Events: 3, DeadLetters: 1, Pools: []engine.PoolReport{{Pool: "a"}, {Pool: "b"}}}
	_, got := answerOf(t, doorsTo(always(report, nil), io.Discard), post("/function", eventsBody, nil))
	want := []string{"a: not evaluated", "b: not evaluated", "1 of 3 events kept as dead letters"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	report.Pools = make([]engine.PoolReport, maxLogs+5)
	_, got = answerOf(t, doorsTo(always(report, nil), io.Discard), post("/function", eventsBody, nil))
	if len(got) != maxLogs+2 || !strings.Contains(got[maxLogs], "and 5 more pools") {
		t.Errorf("%d lines for %d pools, the last but one %q", len(got), len(report.Pools), got[len(got)-2])
	}
}

// What the constants of this package repeat of host.json and the folders.
func TestTheDoorsAgreeWithTheHostsFiles(t *testing.T) {
	text, err := os.ReadFile("../host.json")
	if err != nil {
		t.Fatal(err)
	}
	var host struct {
		FunctionTimeout string
		Extensions      struct {
			EventHubs struct{ MaxEventBatchSize int }
		}
	}
	if err := json.Unmarshal(text, &host); err != nil {
		t.Fatal(err)
	}
	clock, err := time.Parse(time.TimeOnly, host.FunctionTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if got := clock.Sub(clock.Truncate(24 * time.Hour)); got != functionTimeout {
		t.Errorf("host.json has functionTimeout %v, config.go %v", got, functionTimeout)
	}
	if deadlineMargin <= engineGrace {
		t.Errorf("a margin of %v leaves no room for a grace of %v", deadlineMargin, engineGrace)
	}
	// Base64, and up to 8 KiB of an event's metadata in its several encodings.
	worst := host.Extensions.EventHubs.MaxEventBatchSize * ((1<<20)*4/3 + 8<<10)
	if host.Extensions.EventHubs.MaxEventBatchSize == 0 || worst > maxBody {
		t.Errorf("a batch can have %d bytes, more than the %d that are read", worst, maxBody)
	}
	for _, door := range []string{functionDoor, sweepDoor} {
		if _, err := os.Stat(".." + door + "/function.json"); err != nil {
			t.Error(err)
		}
	}
}

func TestTheGateOpensTheLedgerOnceAndAgainAfterTrouble(t *testing.T) {
	var opened, called int
	trouble := errors.New("storage is down")
	var openErr, callErr error
	g := &gate{
		corridor: script{
			ingest: func(context.Context, engine.Batch) (engine.Report, error) { called++; return engine.Report{}, callErr },
			sweep:  func(context.Context, string) (engine.Report, error) { called++; return engine.Report{}, callErr },
		},
		open: func(context.Context) error { opened++; return openErr },
	}
	step := func(name string, wantErr error, wantOpened, wantCalled int) {
		t.Helper()
		_, err := g.Ingest(t.Context(), engine.Batch{})
		if !errors.Is(err, wantErr) || opened != wantOpened || called != wantCalled {
			t.Errorf("%s: %v, opened %d, called %d; want %v, %d, %d", name, err, opened, called, wantErr, wantOpened, wantCalled)
		}
	}
	openErr = trouble
	step("storage is down", trouble, 1, 0)
	openErr = nil
	step("it is up", nil, 2, 1)
	step("it stays up", nil, 2, 2)
	callErr = trouble
	step("it fails in between", trouble, 2, 3)
	callErr = nil
	step("it is looked at again", nil, 3, 4)
	if _, err := g.Sweep(t.Context(), ""); err != nil || opened != 3 {
		t.Errorf("sweep: %v, opened %d", err, opened)
	}
}
