package fakehost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/tests/fakehost"
)

// The test binary is also the handler that the host starts: BEHAVE says how it behaves.
func TestMain(m *testing.M) {
	if behave := os.Getenv("BEHAVE"); behave != "" {
		handle(behave)
	}
	os.Exit(m.Run())
}

// handle is a handler whose invocations end as behave says: comma-separated, one after the other, the last for ever.
func handle(behave string) {
	steps := strings.Split(behave, ",")
	if steps[0] == "fail" {
		fmt.Fprintln(os.Stderr, "cannot start: no reason")
		os.Exit(1)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		os.Exit(0)
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	count := 0
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		mu.Lock()
		step := steps[min(count, len(steps)-1)]
		count++
		mu.Unlock()
		line, _ := json.Marshal(map[string]any{"path": r.URL.Path, "id": r.Header.Get("X-Azure-Functions-InvocationId"), "length": r.ContentLength, "body": json.RawMessage(body)})
		fmt.Println(string(line))
		w.Header().Set("Content-Type", "application/json")
		switch step {
		case "ok":
			fmt.Fprint(w, `{"Logs":["done"]}`)
		case "empty":
		case "null":
			fmt.Fprint(w, "null\n")
		case "text":
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "{}")
		case "bad":
			fmt.Fprint(w, "{")
		case "hang":
			select {}
		case "refuse":
			// What the batch says decides, so that partitions can be told apart.
			if bytes.Contains(body, []byte("refused")) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, "{}")
		default:
			n, _ := strconv.Atoi(strings.TrimPrefix(step, "exit"))
			if strings.HasPrefix(step, "exit") {
				os.Exit(n)
			}
			w.WriteHeader(n)
			fmt.Fprint(w, "{}")
		}
	}))
}

// start starts a host over this binary.
func start(t *testing.T, behave string, change func(*fakehost.Options)) *fakehost.Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := fakehost.Options{
		Root:     root(t, nil),
		Settings: settings("AzureFunctionsJobHost__customHandler__description__defaultExecutablePath", self, "BEHAVE", behave),
		Now:      func() time.Time { return time.Date(2026, 1, 5, 10, 0, 2, 0, time.UTC) },
		Wait:     func(context.Context, time.Duration) error { return nil },
	}
	if change != nil {
		change(&o)
	}
	h, err := fakehost.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	if err := h.Start(t.Context()); err != nil && !strings.HasPrefix(behave, "fail") {
		t.Fatal(err)
	}
	return h
}

func batch(first int64, n int) []fakehost.Event {
	var events []fakehost.Event
	for i := range int64(n) {
		events = append(events, fakehost.Event{Body: fmt.Appendf(nil, `{"n":%d}`, first+i), Sequence: first + i, EnqueuedAt: time.Date(2026, 1, 5, 10, 0, 0, 123_000_000, time.UTC)})
	}
	return events
}

func TestAnswersAreJudgedAsTheHostDoes(t *testing.T) {
	for _, tt := range []struct {
		name, behave string
		attempts     []int
		succeeded    bool
		fault        string
	}{
		{"a JSON object is a success", "ok", []int{200}, true, ""},
		{"a failure is tried again with the same id", "503,500,ok", []int{503, 500, 200}, true, ""},
		{"retries run out", "503", []int{503, 503, 503, 503}, false, ""},
		{"a redirect is none", "307,ok", []int{307, 200}, true, ""},
		{"an empty body never completes", "empty,ok", []int{200, 200}, true, "empty body"},
		{"null never completes", "null,ok", []int{200, 200}, true, "empty body"},
		{"JSON sent as text is a failure", "text,ok", []int{200, 200}, true, "content type"},
		{"half an object is a failure", "bad,ok", []int{200, 200}, true, "malformed JSON"},
		{"a crash is a failure, and the handler comes again", "exit2", []int{0, 0, 0}, false, "exceeded worker restart"},
		{"200 is a wanted restart and not counted", "exit200", []int{0, 0, 0, 0}, false, ""},
		{"after exit 0 all is lost in silence", "exit0", []int{0, 0, 0, 0}, false, "exited with 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := start(t, tt.behave, nil)
			result, err := h.Deliver(t.Context(), "function", "3", batch(41, 2))
			if (err != nil) != (tt.behave == "exit2") {
				t.Fatal(err)
			}
			var got []int
			for _, a := range result.Attempts {
				got = append(got, a.Status)
			}
			if diff := cmp.Diff(tt.attempts, got); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
			if result.Succeeded != tt.succeeded {
				t.Errorf("succeeded = %v, want %v", result.Succeeded, tt.succeeded)
			}
			if at, known := h.Checkpoint("3"); tt.behave != "exit2" && (!known || at != 42) {
				t.Errorf("checkpoint %d (%v), want 42 whatever became of the batch", at, known)
			}
			faults := strings.Join(h.Faults(), "; ")
			if (tt.fault == "") != (faults == "") || !strings.Contains(faults, tt.fault) {
				t.Errorf("faults %q, want %q", faults, tt.fault)
			}
		})
	}
}

func TestRetriesKeepTheIDAndCount(t *testing.T) {
	h := start(t, "503,503,ok", nil)
	result, err := h.Deliver(t.Context(), "function", "3", batch(41, 1))
	if err != nil {
		t.Fatal(err)
	}
	h.Stop()
	var got []string
	for _, line := range h.Lines() {
		var seen struct {
			ID   string
			Body struct {
				Metadata struct {
					RetryContext struct{ RetryCount, MaxRetryCount int }
				}
			}
		}
		if err := json.Unmarshal([]byte(line.Text), &seen); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%v %+v", seen.ID == result.Invocation, seen.Body.Metadata.RetryContext))
	}
	want := []string{"true {RetryCount:0 MaxRetryCount:3}", "true {RetryCount:1 MaxRetryCount:3}", "true {RetryCount:2 MaxRetryCount:3}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"done"}, result.Logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	h.Check(t)
}

func TestAHandlerThatCannotStartIsNamed(t *testing.T) {
	h := start(t, "fail", nil)
	_, err := h.Deliver(t.Context(), "function", "3", batch(1, 1))
	if err == nil || !strings.Contains(err.Error(), "restart retry count") {
		t.Errorf("Deliver: %v, want the host gone", err)
	}
	if !slices.ContainsFunc(h.Lines(), func(l fakehost.Line) bool { return l.Level() == "Error" && strings.Contains(l.Text, "no reason") }) {
		t.Errorf("lines %v lack the reason", h.Lines())
	}
}

func TestAKilledHandlerIsRestartedOnItsPort(t *testing.T) {
	h := start(t, "ok", nil)
	port, pid := h.Port(), h.PID()
	h.Kill()
	if result, err := h.Deliver(t.Context(), "function", "3", batch(1, 1)); err != nil || !result.Succeeded {
		t.Fatalf("Deliver: %+v, %v", result, err)
	}
	if h.Port() != port || h.PID() == pid || h.Starts() != 2 || h.ReadyIn() == 0 {
		t.Errorf("port %d, pid %d, %d starts, ready in %v", h.Port(), h.PID(), h.Starts(), h.ReadyIn())
	}
	h.Check(t)
}

func TestASlowInvocationKillsTheHandler(t *testing.T) {
	h := start(t, "hang", func(o *fakehost.Options) {
		o.Settings["AzureFunctionsJobHost__functionTimeout"] = "00:00:01"
		o.Root = root(t, map[string]string{"function/function.json": functionJSON[:strings.Index(functionJSON, ",\n\t\"retry\"")] + "}"})
	})
	result, err := h.Deliver(t.Context(), "function", "3", batch(1, 1))
	if err != nil || len(result.Attempts) != 1 || result.Succeeded || !result.Checkpointed {
		t.Errorf("result %+v, %v: want one failure, checkpointed", result, err)
	}
	if faults := h.Faults(); len(faults) != 1 || !strings.Contains(faults[0], "timed out") {
		t.Errorf("faults %v", faults)
	}
}

func TestTerminateGivesTheExitCode(t *testing.T) {
	h := start(t, "ok", nil)
	if code, err := h.Terminate(t.Context()); code != 0 || err != nil {
		t.Errorf("Terminate: %d, %v", code, err)
	}
	if _, err := h.Deliver(t.Context(), "function", "3", batch(1, 1)); err == nil {
		t.Error("a stopped host delivered")
	}
	h.Check(t)
}

func TestFeedKeepsToTheBatchSize(t *testing.T) {
	h := start(t, "ok", nil)
	results, err := h.Feed(t.Context(), "function", "0", batch(0, 10))
	if err != nil || len(results) != 3 {
		t.Errorf("%d batches of at most 4, %v; want 3", len(results), err)
	}
	if _, err := h.Deliver(t.Context(), "function", "0", batch(10, 5)); err == nil {
		t.Error("a batch above maxEventBatchSize was delivered")
	}
}

func TestTheWire(t *testing.T) {
	const partition = `{"ConsumerGroup":"$Default","EventHubName":"metrics","FullyQualifiedNamespace":"ns1.servicebus.windows.net","IsCheckpointingAfterInvocation":true,"PartitionId":"3"}`
	const sys = `{"MethodName":"function","RandGuid":"58a1b8d5-e891-4138-93d9-4cd287e173df","UtcNow":"2026-01-05T10:00:02Z"}`
	const retry = `{"RetryCount":0,"MaxRetryCount":3,"Exception":null,"Instance":null,"State":{}}`
	manyMeta := `{"EnqueuedTimeUtcArray":"[\"2026-01-05T10:00:00.123\",\"2026-01-05T10:00:00.123\"]","OffsetArray":"[\"41\",\"42\"]","OffsetStringArray":"[\"41\",\"42\"]",` +
		`"PartitionContext":` + partition + `,"PartitionKeyArray":"[null,\"vmss-a\"]","PropertiesArray":"[{},{}]","RetryContext":` + retry + `,"SequenceNumberArray":"[41,42]",` +
		`"SystemPropertiesArray":"[{\"EnqueuedTimeUtc\":\"2026-01-05T10:00:00.123\",\"Offset\":41,\"OffsetString\":\"41\",\"PartitionKey\":null,\"SequenceNumber\":41},` +
		`{\"EnqueuedTimeUtc\":\"2026-01-05T10:00:00.123\",\"Offset\":42,\"OffsetString\":\"42\",\"PartitionKey\":\"vmss-a\",\"SequenceNumber\":42}]",` +
		`"TriggerPartitionContext":` + partition + `,"sys":` + sys + `}`
	oneMeta := func(more string) string {
		return `{"EnqueuedTimeUtc":"2026-01-05T10:00:00","Offset":"\"42\"","OffsetString":"\"42\"","PartitionContext":` + partition + `,"PartitionKey":"\"vmss-a\"","Properties":{},"RetryContext":` + retry +
			`,"SequenceNumber":"42","SystemProperties":{"EnqueuedTimeUtc":"2026-01-05T10:00:00.123","Offset":42,"OffsetString":"42","PartitionKey":"vmss-a","SequenceNumber":42},` +
			`"TriggerPartitionContext":` + partition + more + `,"sys":` + sys + `}`
	}
	for _, tt := range []struct {
		encoding   fakehost.Encoding
		data, meta string
	}{
		{"", `"[\"eyJuIjo0MX0=\",\"eyJuIjo0Mn0=\"]"`, manyMeta},
		{fakehost.ManyBinary, `"[\"eyJuIjo0MX0=\",\"eyJuIjo0Mn0=\"]"`, manyMeta},
		{fakehost.ManyString, `"[\"{\\\"n\\\":41}\",\"{\\\"n\\\":42}\"]"`, manyMeta},
		{fakehost.ManyParsed, `"[{\"n\":41},{\"n\":42}]"`, manyMeta},
		{fakehost.OneBinary, `"eyJuIjo0Mn0="`, oneMeta("")},
		{fakehost.OneString, `"\"{\\\"n\\\":42}\""`, oneMeta(`,"n":"\"42\""`)},
	} {
		t.Run("encoding "+string(tt.encoding), func(t *testing.T) {
			h := start(t, "ok", func(o *fakehost.Options) {
				o.Encoding = tt.encoding
				o.Length = tt.encoding == fakehost.ManyString
			})
			events := batch(41, 2)
			events[1].Key = "vmss-a"
			if _, err := h.Deliver(t.Context(), "function", "3", events); err != nil {
				t.Fatal(err)
			}
			var seen struct {
				Path   string
				Length int64
				Body   json.RawMessage
			}
			h.Stop()
			lines := h.Lines()
			if err := json.Unmarshal([]byte(lines[len(lines)-1].Text), &seen); err != nil {
				t.Fatal(err)
			}
			want := `{"Data":{"events":` + tt.data + `},"Metadata":` + tt.meta + `}`
			if diff := cmp.Diff(want, string(seen.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if wantLength := int64(-1); tt.encoding != fakehost.ManyString && seen.Length != wantLength {
				t.Errorf("length %d, want a chunked body", seen.Length)
			} else if tt.encoding == fakehost.ManyString && seen.Length != int64(len(want)) {
				t.Errorf("length %d, want %d", seen.Length, len(want))
			}
			if seen.Path != "/function" {
				t.Errorf("path %q", seen.Path)
			}
		})
	}
}

func TestABodyThatIsNotJSONFailsAParsedBatchBeforeTheHandlerIsCalled(t *testing.T) {
	h := start(t, "ok", func(o *fakehost.Options) { o.Encoding = fakehost.ManyParsed })
	events := batch(1, 2)
	events[0].Body = []byte("no JSON")
	result, err := h.Deliver(t.Context(), "function", "3", events)
	h.Stop()
	if err != nil || result.Succeeded || !result.Checkpointed || len(h.Lines()) != 0 {
		t.Errorf("result %+v, %v, %d posts: want a failure that is checkpointed without a post", result, err, len(h.Lines()))
	}
}

func TestTimer(t *testing.T) {
	h := start(t, "ok", nil)
	result, err := h.Tick(t.Context(), "sweep", true)
	if err != nil || !result.Succeeded {
		t.Fatalf("Tick: %+v, %v", result, err)
	}
	h.Stop()
	want := `"body":{"Data":{"timer":{"IsPastDue":true,"Schedule":{"AdjustForDST":true},"ScheduleStatus":null}},"Metadata":{"sys":{"MethodName":"sweep",`
	if lines := h.Lines(); !strings.Contains(lines[0].Text, want) || !strings.Contains(lines[0].Text, `"path":"/sweep"`) {
		t.Errorf("post %s, want %s", lines[0].Text, want)
	}
}

func TestOneBatchOfAPartitionAtATime(t *testing.T) {
	h := start(t, "ok", nil)
	var wg sync.WaitGroup
	for part := range 3 {
		for first := range int64(4) {
			wg.Go(func() {
				if _, err := h.Deliver(t.Context(), "function", fmt.Sprint(part), batch(first, 1)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	h.Stop()
	if got := len(h.Lines()); got != 12 {
		t.Errorf("%d posts, want 12", got)
	}
}
