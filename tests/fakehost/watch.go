package fakehost

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Starts is how often a handler was started.
func (h *Host) Starts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.starts
}

// ReadyIn is how long the present handler took from its start to its first answer, 0 while it has given none.
func (h *Host) ReadyIn() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil {
		return 0
	}
	select {
	case <-h.current.ready:
		return h.current.readyIn
	default:
		return 0
	}
}

// PID is the present handler's process, 0 where there is none.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil {
		return 0
	}
	return h.current.command.Process.Pid
}

// Lines are all the lines that handlers wrote and that have come through so far; after Stop they are complete.
func (h *Host) Lines() []Line {
	h.heard.Lock()
	defer h.heard.Unlock()
	return slices.Clone(h.lines)
}

// Faults are breaches of the protocol: whatever makes the host hang, give up or lose events in silence. A sound handler
// has none.
func (h *Host) Faults() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.faults)
}

// TB is the part of testing.TB that Check needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check fails a test for each fault, and for each line that the handler wrote to stderr.
func (h *Host) Check(t TB) {
	t.Helper()
	for _, fault := range h.Faults() {
		t.Errorf("host: %s", fault)
	}
	for _, line := range h.Lines() {
		if line.Stream == "stderr" {
			t.Errorf("handler wrote to stderr: %s", line.Text)
		}
	}
}

func (h *Host) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

func (h *Host) hear(line Line) {
	h.heard.Lock()
	defer h.heard.Unlock()
	h.lines = append(h.lines, line)
	if h.options.Console != nil {
		h.options.Console(line)
	}
}

// lastErrors are the last three lines of stderr, which the host attaches to its own error.
func (h *Host) lastErrors() string {
	var last []string
	for _, line := range h.Lines() {
		if line.Stream == "stderr" {
			last = append(last, line.Text)
		}
	}
	return strings.Join(last[max(0, len(last)-3):], "\n")
}
