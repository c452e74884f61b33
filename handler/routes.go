package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/invocation"
)

// The doors. The host posts to the name of the function's folder, so the folders' names are paths here (facts:
// functions-host 2.1).
const (
	functionDoor = "/function"
	sweepDoor    = "/sweep"
	readyDoor    = "/"
)

// maxBody bounds a request: as many events as host.json lets into a batch, each of the megabyte that Event Hubs lets
// through, a third more for base64 and room for their metadata. It must not be smaller: a batch refused for its size is
// refused again at each retry and then lost. A test compares it with host.json.
const maxBody = 160 << 20

// headerInvocation carries the host's name for a delivery, the same for all its retries (facts: functions-host 2.1).
const headerInvocation = "X-Azure-Functions-InvocationId"

// corridor is what the doors lead to: the engine.
type corridor interface {
	Ingest(ctx context.Context, batch engine.Batch) (engine.Report, error)
	Sweep(ctx context.Context, invocation string) (engine.Report, error)
}

// doors answers the host. The status of an answer is the retry contract, since the host heeds nothing else of a failure
// (facts: functions-host 3.2):
//
//	200  decided, "hold" and kept dead letters included, and ARM being down: that is not the batch's fault
//	400  not an invocation as the host writes it; 403, 404, 405, 413, 415 not from the host at all, or not for us
//	500  a fault of ours: the third time, the event at fault is kept as a dead letter
//	503  Table storage in trouble, or our deadline passed: the batch must come again
//
// Every other status than 200 makes the host try the batch again as often as function.json says; then it moves on.
//
// The port is open to every process of this machine, because the protocol has no secret. Such a process could post
// samples of its own making, and so move a pool between its limits, no faster than its cooldowns allow; it could not
// change limits, policies or mode, nor read anything but the reports of its own posts. What a browser could be made to
// send, or a name that was bound to this address, is refused.
type doors struct {
	corridor corridor
	// rescue is the way of batches to it.
	rescue *rescue
	// deadline bounds one invocation; grace is how much longer an engine that does not heed it is waited for.
	deadline time.Duration
	grace    time.Duration
	// wall is the time that durations are measured by, whatever the clock of decisions shows.
	wall func() time.Time
	log  *slog.Logger
	// largest bounds a request's body, in bytes.
	largest int64
	// readers are those not in use. One whose events an engine may still be reading never comes back.
	readers sync.Pool
}

// keptBody is the largest buffer in bytes that is kept for the next request.
const keptBody = 4 << 20

// bodyReader is what a request is read with: its events lie in these buffers until they are used again.
type bodyReader struct {
	buffer bytes.Buffer
	parser invocation.Parser
}

func newDoors(h *house, config *Config) *doors {
	d := &doors{corridor: h.corridor, deadline: config.Deadline, grace: engineGrace, wall: time.Now, log: h.log, largest: maxBody}
	d.rescue = newRescue(d.ingest, h, config.Clock.Now)
	d.readers.New = func() any { return new(bodyReader) }
	return d
}

// errLeft marks an engine that was left running.
var errLeft = errors.New("left running")

// refusal is an error with the status that says it to the host.
type refusal struct {
	status int
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, err: fmt.Errorf(format, args...)}
}

// ServeHTTP answers one request.
func (d *doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == readyDoor && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		// Any answer means ready; it comes often and is not worth a line (facts: functions-host 1.3).
		writeJSON(w, http.StatusOK, []byte(`{"status":"ready"}`))
		return
	}
	begun := d.wall()
	visit := &visit{invocation: invocationID(r), door: r.URL.Path, trace: r.Header.Get("Traceparent")}
	report, err := d.enter(w, r, visit)
	log := d.log.With(visit.attrs(d.wall().Sub(begun))...)
	if err != nil {
		status := http.StatusServiceUnavailable
		if no := (*refusal)(nil); errors.As(err, &no) {
			status = no.status
		}
		// The host throws the body of a failure away: what is to be known of it must be said here.
		log.LogAttrs(r.Context(), slog.LevelError, "invocation failed", slog.Int("status", status), slog.Any("error", err))
		if status == http.StatusRequestEntityTooLarge {
			w.Header().Set("Connection", "close")
		}
		writeJSON(w, status, invocation.Reply{Logs: []string{err.Error()}}.JSON())
		return
	}
	log.LogAttrs(r.Context(), slog.LevelInfo, "invocation decided", reportAttrs(report)...)
	writeJSON(w, http.StatusOK, newReply(report).JSON())
}

// enter lets a request through its door, or says why not.
func (d *doors) enter(w http.ResponseWriter, r *http.Request, v *visit) (engine.Report, error) {
	if err := fromHost(r); err != nil {
		return engine.Report{}, err
	}
	if r.URL.Path != functionDoor && r.URL.Path != sweepDoor {
		return engine.Report{}, refuse(http.StatusNotFound, "no function %q", r.URL.Path)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return engine.Report{}, refuse(http.StatusMethodNotAllowed, "method %s on %s", r.Method, r.URL.Path)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return engine.Report{}, refuse(http.StatusUnsupportedMediaType, "content type %q", r.Header.Get("Content-Type"))
	}
	reader := d.readers.Get().(*bodyReader)
	reader.buffer.Reset()
	report, err := d.answer(w, r, reader, v)
	if !errors.Is(err, errLeft) && reader.buffer.Cap() <= keptBody {
		d.readers.Put(reader)
	}
	return report, err
}

// answer reads a request and has it decided.
func (d *doors) answer(w http.ResponseWriter, r *http.Request, reader *bodyReader, v *visit) (engine.Report, error) {
	// One deadline for reading and deciding: each with its own could pass the host's functionTimeout together.
	begun := d.wall()
	if err := d.read(w, r, &reader.buffer); err != nil {
		return engine.Report{}, err
	}
	// The host cannot call an invocation back (facts: functions-host 1.5): a connection that breaks is no reason to stop
	// halfway. Only the deadline and the end of the process are.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), d.deadline-d.wall().Sub(begun))
	defer cancel()
	return d.decide(ctx, &reader.parser, r.URL.Path, reader.buffer.Bytes(), v)
}

// decide reads the invocation and hands it to the engine. Nothing of an invocation that cannot be read can be kept as
// dead letters, because where its events begin is not known; to answer 200 would lose it in silence. So the host tries
// again, each time with a line in the log, and then moves on.
func (d *doors) decide(ctx context.Context, parser *invocation.Parser, door string, body []byte, v *visit) (engine.Report, error) {
	if door == sweepDoor {
		timer, err := parser.Timer(body, "")
		if err != nil {
			return engine.Report{}, refuse(http.StatusBadRequest, "read sweep: %w", err)
		}
		v.retry = timer.Retry
		return d.await(ctx, func(ctx context.Context) (engine.Report, error) { return d.corridor.Sweep(ctx, v.invocation) })
	}
	inv, err := parser.Events(body, "")
	if err != nil {
		return engine.Report{}, refuse(http.StatusBadRequest, "read batch of %d bytes: %w", len(body), err)
	}
	v.see(inv)
	return d.rescue.take(ctx, batchOf(inv, v.invocation))
}

func (d *doors) ingest(ctx context.Context, batch engine.Batch) (engine.Report, error) {
	return d.await(ctx, func(ctx context.Context) (engine.Report, error) { return d.corridor.Ingest(ctx, batch) })
}

// read takes the body whole, within the deadline and the bound on its size.
func (d *doors) read(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) error {
	// Not every writer can set a deadline; the bound on the size holds all the same.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(d.wall().Add(d.deadline))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	if r.ContentLength > 0 && r.ContentLength <= d.largest {
		into.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, d.largest))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return refuse(http.StatusRequestEntityTooLarge, "body is larger than %d bytes", d.largest)
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "read body: %w", err)
	}
	return nil
}

// await runs one call of the engine and turns a panic and a passed deadline into answers. An engine that does not heed
// its deadline is left to itself: to wait on would end with the host killing the process, and with it the invocations of
// all other partitions (facts: functions-host 1.5).
func (d *doors) await(ctx context.Context, call func(context.Context) (engine.Report, error)) (engine.Report, error) {
	type result struct {
		report engine.Report
		err    error
	}
	done := make(chan result, 1)
	go func() {
		var res result
		defer func() {
			if p := recover(); p != nil {
				d.log.ErrorContext(ctx, "panic", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
				res = result{err: refuse(http.StatusInternalServerError, "panic: %v", p)}
			}
			done <- res
		}()
		res.report, res.err = call(ctx)
	}()
	select {
	case res := <-done:
		return res.report, res.err
	case <-ctx.Done():
	}
	late := time.NewTimer(d.grace)
	defer late.Stop()
	select {
	case res := <-done:
		if res.err != nil {
			return res.report, fmt.Errorf("%w: %w", context.Cause(ctx), res.err)
		}
		return res.report, nil
	case <-late.C:
		return engine.Report{}, fmt.Errorf("%w, %w", context.Cause(ctx), errLeft)
	}
}

// fromHost refuses what the host would never send: another machine's request, one that was addressed to a name, and
// whatever carries the marks of a browser.
func fromHost(r *http.Request) error {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !isLoopback(peer) {
		return refuse(http.StatusForbidden, "peer is not on this machine")
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !isLoopback(host) {
		return refuse(http.StatusForbidden, "addressed to %q", r.Host)
	}
	for _, mark := range []string{"Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode"} {
		if r.Header.Get(mark) != "" {
			return refuse(http.StatusForbidden, "header %s is a browser's", mark)
		}
	}
	return nil
}

var invocationForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// invocationID is the host's name for the delivery, empty where there is none or one that is not fit for a key.
func invocationID(r *http.Request) string {
	if id := r.Header.Get(headerInvocation); invocationForm.MatchString(id) {
		return id
	}
	return ""
}
