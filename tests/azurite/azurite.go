// Package azurite runs the services of Azurite, the storage emulator, for tests and demonstrations. Every server is one
// service in a process of its own on a free loopback port, keeps its data in memory, and never outlives the process that
// started it.
package azurite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Account and Key are the public development account that every storage emulator knows. The key is no secret.
const (
	Account = "devstoreaccount1"
	Key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// startWithin bounds the wait for the emulator, which takes half a second on an idle machine (facts: rig B).
const startWithin = time.Minute

// Server is a running emulator.
type Server struct {
	// Endpoint is the service's URL, the account's path included.
	Endpoint string
	// ConnectionString is the long form, which the SDK for Go needs (facts: rig B).
	ConnectionString string
	// Port is the loopback port.
	Port int

	process *exec.Cmd
	stdin   io.Closer
	folder  string
	exited  chan struct{}
	stop    sync.Once
}

// Start runs a table service that ends with the test. It installs the emulator first where `npm ci` has not.
func Start(t testing.TB) *Server { return start(t, Run) }

// StartBlobs runs a blob service that ends with the test.
func StartBlobs(t testing.TB) *Server { return start(t, RunBlobs) }

func start(t testing.TB, run func(context.Context) (*Server, error)) *Server {
	t.Helper()
	s, err := run(t.Context())
	if err != nil {
		t.Fatalf("azurite: %v", err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Run starts a table service; ctx bounds the start only. The caller stops it.
func Run(ctx context.Context) (*Server, error) { return run(ctx, "table", "TableEndpoint") }

// RunBlobs starts a blob service; ctx bounds the start only. The caller stops it.
func RunBlobs(ctx context.Context) (*Server, error) { return run(ctx, "blob", "BlobEndpoint") }

func run(ctx context.Context, service, endpoint string) (*Server, error) {
	tests, err := folder()
	if err != nil {
		return nil, err
	}
	if err := install(ctx, tests); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "trimtab-azurite-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the emulator: %w", err)
	}
	s := &Server{folder: work, exited: make(chan struct{})}
	// The API version check would refuse an SDK newer than the emulator (facts: events 5.3).
	s.process = exec.Command("node", "-r", filepath.Join(tests, "azurite", "leash.js"),
		filepath.Join(tests, "node_modules", "azurite", "dist", "src", service, "main.js"),
		"--inMemoryPersistence", "--disableTelemetry", "--silent", "--skipApiVersionCheck",
		"--"+service+"Host", "127.0.0.1", "--"+service+"Port", "0")
	s.process.Dir = work
	if err := s.start(ctx); err != nil {
		_ = os.RemoveAll(work)
		return nil, err
	}
	s.Endpoint = fmt.Sprintf("http://127.0.0.1:%d/%s", s.Port, Account)
	s.ConnectionString = "DefaultEndpointsProtocol=http;AccountName=" + Account + ";AccountKey=" + Key +
		";" + endpoint + "=" + s.Endpoint + ";"
	return s, nil
}

// start starts the process and waits until it listens.
func (s *Server) start(ctx context.Context) error {
	var complaints strings.Builder
	s.process.Stderr = &complaints
	stdin, err := s.process.StdinPipe()
	if err != nil {
		return fmt.Errorf("hold the emulator's input: %w", err)
	}
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read the emulator's output: %w", err)
	}
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("start the emulator (is Node.js installed?): %w", err)
	}
	s.stdin = stdin
	port := make(chan int, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "leash: port %d", &n); err == nil {
				port <- n
			}
		}
		// Wait closes the pipe, so it comes after the last line.
		_ = s.process.Wait()
		close(s.exited)
	}()
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	select {
	case s.Port = <-port:
		return nil
	case <-s.exited:
		return fmt.Errorf("the emulator ended at its start: %s", strings.TrimSpace(complaints.String()))
	case <-timer.C:
		s.Stop()
		return fmt.Errorf("the emulator did not listen within %s", startWithin)
	case <-ctx.Done():
		s.Stop()
		return fmt.Errorf("start the emulator: %w", ctx.Err())
	}
}

// Stop ends the server: by SIGINT, the only signal that the table service handles (facts: rig B), and by force if that
// does not end it. It may be called more than once.
func (s *Server) Stop() {
	s.stop.Do(func() {
		_ = s.process.Process.Signal(os.Interrupt)
		// Open connections keep the service from closing by itself; the end of its input does not.
		_ = s.stdin.Close()
		timer := time.NewTimer(5 * time.Second)
		defer timer.Stop()
		select {
		case <-s.exited:
		case <-timer.C:
			_ = s.process.Process.Kill()
			<-s.exited
		}
		_ = os.RemoveAll(s.folder)
	})
}

// folder finds the module's tests folder from the working directory upwards: tests run in their package's folder.
func folder() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the tests folder: %w", err)
	}
	for {
		tests := filepath.Join(at, "tests")
		if _, err := os.Stat(filepath.Join(tests, "azurite", "leash.js")); err == nil {
			return tests, nil
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("find the tests folder: the working directory is not within the checkout")
		}
		at = up
	}
}
