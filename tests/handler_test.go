package tests_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/tests/fakehost"
)

// binary is the program as it is shipped, built once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "trimtab-test-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "trimtab")
	out, err := exec.Command("go", "build", "-trimpath", "-o", file, "trimtab/handler").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// host is a host over this checkout's real host.json and doors, with the built program, a ledger in a folder and an ARM
// that nobody answers for.
func host(t *testing.T, change func(*fakehost.Options)) *fakehost.Host {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	identity := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(identity.Close)
	options := fakehost.Options{
		Root: root,
		Settings: map[string]string{
			"FUNCTIONS_WORKER_RUNTIME": "custom", "AzureWebJobsStorage": "UseDevelopmentStorage=true",
			"MetricsHub__fullyQualifiedNamespace": "ns1.servicebus.windows.net", "METRICS_HUB": "metrics", "METRICS_CONSUMER_GROUP": "$Default",
			"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath": file,
			"TRIMTAB_LEDGER": "file:" + t.TempDir(), "TRIMTAB_ARM_ENDPOINT": "https://127.0.0.1:1",
		},
		IdentityEndpoint: identity.URL, IdentityHeader: "header",
		Wait: func(context.Context, time.Duration) error { return nil },
	}
	if change != nil {
		change(&options)
	}
	h, err := fakehost.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Stop()
		h.Check(t)
		if t.Failed() {
			for _, line := range h.Lines() {
				t.Log(line.Text)
			}
		}
	})
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// letters are events that nobody can understand.
func letters(first int64, n int) []fakehost.Event {
	var events []fakehost.Event
	for i := range int64(n) {
		events = append(events, fakehost.Event{Body: []byte(`{"weather":"fine"}`), Sequence: first + i, EnqueuedAt: time.Now()})
	}
	return events
}

func TestTheHostUnderstandsTheHandlerInEveryEncoding(t *testing.T) {
	for _, encoding := range []fakehost.Encoding{fakehost.ManyBinary, fakehost.ManyString, fakehost.ManyParsed, fakehost.OneBinary, fakehost.OneString} {
		for _, length := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, with content length %v", encoding, length), func(t *testing.T) {
				h := host(t, func(o *fakehost.Options) { o.Encoding, o.Length = encoding, length })
				result, err := h.Deliver(t.Context(), "function", "3", letters(41, 2))
				if err != nil || !result.Succeeded || len(result.Attempts) != 1 {
					t.Fatalf("Deliver: %+v, %v", result, err)
				}
				if len(result.Logs) == 0 || !strings.Contains(strings.Join(result.Logs, "\n"), "dead letters") {
					t.Errorf("logs %q do not tell of the dead letters", result.Logs)
				}
			})
		}
	}
}

func TestPartitionsAreServedAtTheSameTime(t *testing.T) {
	h := host(t, nil)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			results, err := h.Feed(t.Context(), "function", fmt.Sprint(part), letters(0, 250))
			if err != nil || len(results) != 3 {
				t.Errorf("partition %d: %d batches, %v", part, len(results), err)
			}
			for _, result := range results {
				if !result.Succeeded {
					t.Errorf("partition %d: %+v", part, result)
				}
			}
			if at, _ := h.Checkpoint(fmt.Sprint(part)); at != 249 {
				t.Errorf("partition %d: checkpoint %d, want 249", part, at)
			}
		})
	}
	wg.Wait()
}

func TestASweepWithoutARMIsNoFailure(t *testing.T) {
	h := host(t, nil)
	result, err := h.Tick(t.Context(), "sweep", false)
	if err != nil || !result.Succeeded || len(result.Logs) == 0 {
		t.Errorf("Tick: %+v, %v; want a success that tells of each pool", result, err)
	}
}

func TestAKilledHandlerComesBackToItsLedger(t *testing.T) {
	h := host(t, nil)
	for range 2 {
		if result, err := h.Deliver(t.Context(), "function", "0", letters(0, 1)); err != nil || !result.Succeeded {
			t.Fatalf("Deliver: %+v, %v", result, err)
		}
		h.Kill()
	}
	if result, err := h.Deliver(t.Context(), "function", "0", letters(1, 1)); err != nil || !result.Succeeded || h.Starts() != 3 {
		t.Errorf("Deliver: %+v, %v after %d starts", result, err, h.Starts())
	}
}

func TestSIGTERMEndsTheHandlerInPeace(t *testing.T) {
	h := host(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if code, err := h.Terminate(ctx); code != 0 || err != nil {
		t.Errorf("exit code %d, %v; want 0", code, err)
	}
}

func TestAHandlerThatCannotStartLeavesWithAReason(t *testing.T) {
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, "serve")
	cmd.Env = []string{"TRIMTAB_DEADLINE=1h", "PATH=" + os.Getenv("PATH")}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if stdout.Len() != 0 || !strings.Contains(stderr.String(), "TRIMTAB_DEADLINE") || !strings.Contains(stderr.String(), "FUNCTIONS_CUSTOMHANDLER_PORT") {
		t.Errorf("stdout %q, stderr %q: want both problems on stderr", stdout.String(), stderr.String())
	}
}
