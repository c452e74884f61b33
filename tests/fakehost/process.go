package fakehost

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Line is one line that the handler wrote.
type Line struct {
	At time.Time
	// Stream is "stdout" or "stderr".
	Stream string
	Text   string
}

// Level is how the host reports the line: stdout is always information, stderr an error unless the line says "warn"
// (facts: functions-host 1.6).
func (l Line) Level() string {
	switch {
	case l.Stream == "stdout":
		return "Information"
	case strings.Contains(strings.ToLower(l.Text), "warn"):
		return "Warning"
	}
	return "Error"
}

// process is one run of the handler.
type process struct {
	command *exec.Cmd
	begun   time.Time
	// ready is closed with the first answer, exited with the end of the process; code is valid then.
	ready  chan struct{}
	exited chan struct{}
	code   int
	// readyIn is how long the first answer took; valid once ready.
	readyIn time.Duration
	// intended says that the host ended it itself, so that its end is no error of the handler's.
	mu       sync.Mutex
	intended bool
}

// launch starts the handler and reads its output to the end.
func (h *Host) launch() (*process, error) {
	command := exec.Command(h.app.Executable, h.app.Arguments...)
	command.Dir = h.app.Directory
	command.Env = h.environment()
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	p := &process{command: command, begun: time.Now(), ready: make(chan struct{}), exited: make(chan struct{})}
	if err := command.Start(); err != nil {
		return nil, err
	}
	var readers sync.WaitGroup
	readers.Go(func() { h.console("stdout", stdout) })
	readers.Go(func() { h.console("stderr", stderr) })
	go func() {
		readers.Wait()
		// The error only repeats the exit code.
		_ = command.Wait()
		p.code = command.ProcessState.ExitCode()
		if p.code < 0 {
			p.code = 137
		}
		close(p.exited)
	}()
	return p, nil
}

// console takes the lines of one stream.
func (h *Host) console(stream string, from io.Reader) {
	reader := bufio.NewReader(from)
	for {
		text, err := reader.ReadString('\n')
		if text = strings.TrimRight(text, "\r\n"); text != "" {
			h.hear(Line{At: time.Now(), Stream: stream, Text: text})
		}
		if err != nil {
			return
		}
	}
}

// pollEvery is how often the host asks a starting handler whether it is there (facts: functions-host 1.3).
const pollEvery = 25 * time.Millisecond

var errNotReady = errors.New("the handler did not answer GET / in time")

// awaitReady polls until the handler gives any answer, exits or runs out of time.
func (h *Host) awaitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, h.app.InitializationTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url("/"), nil)
		if err != nil {
			return err
		}
		if response, err := h.client.Do(request); err == nil {
			_ = response.Body.Close()
			p.readyIn = time.Since(p.begun)
			close(p.ready)
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return errors.New("the handler exited before it was ready")
		case <-ctx.Done():
			return errNotReady
		}
	}
}

// end kills the process as the host does, without a word of warning (facts: functions-host 1.5).
func (p *process) end() {
	p.mu.Lock()
	p.intended = true
	p.mu.Unlock()
	_ = p.command.Process.Kill()
	<-p.exited
}

func (p *process) wasIntended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.intended
}

func (p *process) intend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intended = true
}

func (p *process) dead() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}
