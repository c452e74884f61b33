package fakehost

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say how a host is to be.
type Options struct {
	// Root is the app root.
	Root string
	// Settings are the app's settings; the handler gets them all. Those that begin with AzureFunctionsJobHost__ change
	// host.json, as on the platform: ..customHandler__description__defaultExecutablePath names another binary.
	Settings map[string]string
	// IdentityEndpoint and IdentityHeader are the platform's managed identity, empty for none.
	IdentityEndpoint, IdentityHeader string
	// Env are further variables of the handler, NAME=VALUE; of its own the host hands on PATH, HOME and TMPDIR.
	Env []string
	// Now is the time that invocations carry; the wall's where nil.
	Now func() time.Time
	// Wait waits between two attempts; it may be shorter than asked. Real time where nil.
	Wait func(ctx context.Context, d time.Duration) error
	// Console is called with each line the handler writes, one at a time.
	Console func(Line)
	// Encoding overrides that of function.json, for a handler that is to be robust against another one.
	Encoding Encoding
	// Length posts bodies with Content-Length, as the host does under the command line tools; else they are chunked.
	Length bool
	// CrashLimit is the number of crashes that end the host; 3 where 0, as on the platform.
	CrashLimit int
}

// Host is a running stand-in for the Functions host, with at most one handler process at a time.
type Host struct {
	app     *App
	options Options
	client  *http.Client
	port    int
	worker  string
	from    origin

	mu        sync.Mutex
	current   *process
	changed   chan struct{}
	stopping  bool
	gone      error
	dormant   bool
	crashes   int
	crashedAt time.Time
	starts    int
	faults    []string
	lines     []Line
	heard     sync.Mutex
	parts     map[string]*partition
}

// Open reads the app root and refuses what the host would refuse. The handler is not started yet.
func Open(options Options) (*Host, error) {
	app, err := ReadApp(options.Root, options.Settings)
	if err != nil {
		return nil, err
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Wait == nil {
		options.Wait = wait
	}
	options.CrashLimit = cmp.Or(options.CrashLimit, 3)
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	h := &Host{
		app: app, options: options, port: port, worker: newGUID(), changed: make(chan struct{}), parts: map[string]*partition{},
		client: &http.Client{
			Transport:     &http.Transport{Proxy: nil, DisableCompression: true, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, f := range app.Functions {
		if f.Trigger.EventHubName != "" {
			h.from = origin{namespace(options.Settings, f.Trigger.Connection), f.Trigger.EventHubName, f.Trigger.ConsumerGroup, ""}
		}
	}
	return h, nil
}

// App is what the host has read.
func (h *Host) App() *App { return h.app }

// Port is where the handler is told to listen: the same over all its restarts.
func (h *Host) Port() int { return h.port }

// Start starts the handler, keeps it running as the host's restart policy has it, and returns when it is ready.
func (h *Host) Start(ctx context.Context) error {
	h.mu.Lock()
	err := h.begin()
	p := h.current
	h.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("the handler exited with %d before it was ready: %s", p.code, h.lastErrors())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin starts a process and its keeper; h.mu is held.
func (h *Host) begin() error {
	p, err := h.launch()
	if err != nil {
		// The host logs this and waits in vain (facts: functions-host 1.4).
		h.faults = append(h.faults, fmt.Sprintf("failed to start worker: %v", err))
		return fmt.Errorf("start %s: %w", h.app.Executable, err)
	}
	h.current, h.dormant = p, false
	h.starts++
	h.announce()
	go h.keep(p)
	return nil
}

// announce wakes whoever waits for the state to change; h.mu is held.
func (h *Host) announce() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// keep watches one process to its end and does what the host does then.
func (h *Host) keep(p *process) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if err := h.awaitReady(ctx, p); errors.Is(err, errNotReady) {
			h.fault("%v", err)
			_ = p.command.Process.Kill()
		}
	}()
	<-p.exited
	cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.announce()
	if h.stopping {
		return
	}
	switch {
	case p.wasIntended() || p.code == 200:
	case p.code == 0:
		h.faults = append(h.faults, "the handler exited with 0: the host neither restarts it nor keeps its checkpoints back")
		h.dormant = true
		return
	default:
		// The bucket of crashes is emptied when one comes more than 30 minutes after the one before.
		if time.Since(h.crashedAt) > 30*time.Minute {
			h.crashes = 0
		}
		h.crashes, h.crashedAt = h.crashes+1, time.Now()
		if h.crashes >= h.options.CrashLimit {
			h.gone = fmt.Errorf("exceeded worker restart retry count after %d crashes, the last with exit code %d", h.crashes, p.code)
			h.faults = append(h.faults, h.gone.Error())
			return
		}
	}
	if err := h.begin(); err != nil {
		h.gone = err
	}
}

// available waits for a handler that is ready, or answers at once where there will be none: a handler that left with 0 is
// called all the same, in vain.
func (h *Host) available(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*h.app.InitializationTimeout)
	defer cancel()
	for {
		h.mu.Lock()
		p, changed, gone, dormant, stopping := h.current, h.changed, h.gone, h.dormant, h.stopping
		h.mu.Unlock()
		switch {
		case gone != nil:
			return gone
		case stopping:
			return errors.New("the host is stopping")
		case p == nil:
			return errors.New("the host was not started")
		case dormant:
			return nil
		}
		select {
		case <-p.exited:
		case <-p.ready:
			if !p.dead() {
				return nil
			}
		case <-changed:
			continue
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Kill ends the handler with SIGKILL, as a crash does, and returns when it is dead. The host restarts it, and counts.
func (h *Host) Kill() {
	h.mu.Lock()
	p := h.current
	h.mu.Unlock()
	if p != nil {
		_ = p.command.Process.Kill()
		<-p.exited
	}
}

// Stop ends host and handler as the platform does: with SIGKILL. What was being delivered is not checkpointed.
func (h *Host) Stop() {
	if p := h.stop(); p != nil {
		p.end()
	}
	h.client.CloseIdleConnections()
}

// Terminate asks the handler with SIGTERM to leave, as Ctrl+C or a container's end may, and returns its exit code.
func (h *Host) Terminate(ctx context.Context) (int, error) {
	p := h.stop()
	if p == nil {
		return 0, errors.New("no handler runs")
	}
	p.intend()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-p.exited:
		return p.code, nil
	case <-ctx.Done():
		p.end()
		return 0, fmt.Errorf("the handler did not heed SIGTERM: %w", ctx.Err())
	}
}

func (h *Host) stop() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = true
	h.announce()
	return h.current
}

// environment is the handler's: the host's own, the app's settings and what the host adds (facts: functions-host 1.2).
func (h *Host) environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.options.Settings)) {
		env = append(env, name+"="+h.options.Settings[name])
	}
	port := strconv.Itoa(h.port)
	env = append(env,
		"FUNCTIONS_CUSTOMHANDLER_PORT="+port, "FUNCTIONS_HTTPWORKER_PORT="+port,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+h.worker, "FUNCTIONS_HTTPWORKER_ID="+h.worker,
		"FUNCTIONS_APP_ROOT_PATH="+h.app.Root)
	if h.options.IdentityEndpoint != "" {
		env = append(env, "IDENTITY_ENDPOINT="+h.options.IdentityEndpoint, "IDENTITY_HEADER="+h.options.IdentityHeader)
	}
	return append(env, h.options.Env...)
}

func (h *Host) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", h.port, path) }

// freePort asks the system for a port and lets go of it, as the host does; somebody else may take it in between.
func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// namespace is the host name of the hub's namespace.
func namespace(settings map[string]string, connection string) string {
	if name := settings[connection+"__fullyQualifiedNamespace"]; name != "" {
		return name
	}
	for part := range strings.SplitSeq(settings[connection], ";") {
		if endpoint, ok := strings.CutPrefix(part, "Endpoint="); ok {
			if u, err := url.Parse(endpoint); err == nil {
				return u.Hostname()
			}
		}
	}
	return ""
}

func newGUID() string {
	var b [16]byte
	// rand.Read never fails.
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
