package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trimtab/internal/engine"
)

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestRunServesUntilItIsToldToStop(t *testing.T) {
	port := freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve"}, write, &stderr, []string{
			fmt.Sprintf("FUNCTIONS_CUSTOMHANDLER_PORT=%d", port), "TRIMTAB_LEDGER=file:" + t.TempDir(), "TRIMTAB_POLICIES=embedded",
		})
		_ = write.Close()
	}()
	lines := bufio.NewScanner(read)
	if !lines.Scan() {
		t.Fatalf("no line on stdout; exit code %d, stderr %s", <-code, stderr.String())
	}
	var ready struct {
		Msg, Address, Revision string
		Pools                  int
		Settings               map[string]string
	}
	if err := json.Unmarshal(lines.Bytes(), &ready); err != nil {
		t.Fatalf("%s: %v", lines.Bytes(), err)
	}
	if ready.Msg != "ready" || !strings.HasSuffix(ready.Address, fmt.Sprint(":", port)) || ready.Pools == 0 || ready.Revision == "" || ready.Settings["TRIMTAB_DEADLINE"] != "2m0s" {
		t.Errorf("ready line %s", lines.Bytes())
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	response, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 1 {
		t.Errorf("GET /: %s %s", response.Proto, response.Status)
	}
	var rest sync.WaitGroup
	rest.Go(func() { _, _ = io.Copy(io.Discard, read) })
	response, err = http.Post(url+"/function", "application/json", strings.NewReader(eventsBody))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || !strings.Contains(string(body), "2 of 2 events kept as dead letters") {
		t.Errorf("POST /function: %s %s", response.Status, body)
	}
	stop()
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d, want 0 on a real shutdown; stderr %s", got, stderr.String())
	}
	rest.Wait()
	if stderr.Len() != 0 {
		t.Errorf("stderr %q: the host would report an error", stderr.String())
	}
}

func TestRunRefuses(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := t.TempDir()
	if err := os.MkdirAll(filepath.Join(broken, "pools", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "pools", "x", "x.rego"), []byte("package pools.x\n\nwant contains\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		args    []string
		environ []string
		code    int
		want    []string
	}{
		{"no command", nil, nil, exitUsage, []string{"a command is needed"}},
		{"an unknown command", []string{"srve"}, nil, exitUsage, []string{`unknown command "srve"`}},
		{"an unknown flag", []string{"serve", "--port"}, nil, exitUsage, []string{"unknown flag: --port"}},
		{"an argument too many", []string{"serve", "x"}, nil, exitUsage, []string{"x"}},
		{"settings and policies that are wrong, all at once", []string{"serve"}, []string{"TRIMTAB_DEADLINE=x", "TRIMTAB_NONE=1", "TRIMTAB_POLICIES=" + broken}, exitFailed, []string{
			"TRIMTAB_DEADLINE", "TRIMTAB_NONE", "FUNCTIONS_CUSTOMHANDLER_PORT", "TRIMTAB_TABLE_ENDPOINT", "pools/x/x.rego:4:", "cannot start",
		}},
		{"a port that is taken", []string{"serve"}, []string{
			fmt.Sprintf("FUNCTIONS_CUSTOMHANDLER_PORT=%d", taken.Addr().(*net.TCPAddr).Port), "TRIMTAB_LEDGER=memory", "TRIMTAB_POLICIES=embedded",
		}, exitFailed, []string{"address already in use", "FUNCTIONS_CUSTOMHANDLER_PORT"}},
		{"a ledger that is in the way", []string{"serve"}, least("TRIMTAB_LEDGER=file:/dev/null/x", "TRIMTAB_POLICIES=embedded"), exitFailed, []string{"/dev/null/x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), tt.args, &stdout, &stderr, tt.environ); got != tt.code {
				t.Errorf("exit code %d, want %d", got, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr %q lacks %q", stderr.String(), want)
				}
			}
		})
	}
}

func TestRunTellsItsVersion(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if got := run(t.Context(), []string{"version"}, &stdout, &stderr, nil); got != exitDone || !strings.HasPrefix(stdout.String(), "trimtab ") {
		t.Errorf("exit code %d, stdout %q, stderr %q", got, stdout.String(), stderr.String())
	}
}

func TestRunningInvocationsFinishBeforeTheEnd(t *testing.T) {
	listener, err := openPort(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	begun, finish := make(chan struct{}), make(chan struct{})
	d := doorsTo(script{ingest: func(ctx context.Context, _ engine.Batch) (engine.Report, error) {
		close(begun)
		<-finish
		return engine.Report{}, ctx.Err()
	}}, io.Discard)
	log := slog.New(slog.DiscardHandler)
	ended := make(chan error, 1)
	go func() { ended <- serveDoors(ctx, listener, d, log) }()
	status := make(chan int, 1)
	go func() {
		response, err := http.Post("http://"+listener.Addr().String()+"/function", "application/json", strings.NewReader(eventsBody))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = response.Body.Close()
		status <- response.StatusCode
	}()
	<-begun
	stop()
	select {
	case err := <-ended:
		t.Errorf("ended (%v) with an invocation running", err)
	default:
	}
	close(finish)
	if got := <-status; got != http.StatusOK {
		t.Errorf("status %d, want 200", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("serveDoors: %v", err)
	}
}

func TestAServerThatEndsByItselfIsAnError(t *testing.T) {
	listener, err := openPort(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := serveDoors(t.Context(), listener, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("nil: the process would leave with 0 and never be replaced")
	}
}

func TestThePortIsOpenToThisMachineOnly(t *testing.T) {
	listener, err := openPort(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if host, _, _ := net.SplitHostPort(listener.Addr().String()); host != "127.0.0.1" {
		t.Errorf("listens on %s", host)
	}
}
