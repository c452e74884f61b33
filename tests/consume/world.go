// Package consume runs the built program without a Functions host: processes of `trimtab consume` that share the
// partitions of a broker, with Azurite for windows, journal and checkpoints, and the emulator of Resource Manager. It
// needs no testing.T, so that a measurement can use it too.
//
// The judge over what is left is that of tests/force.
package consume

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/azurite"
	"trimtab/tests/broker"
)

// Hub and Table are the names that a world uses; Set is the scale set of its pool.
const (
	Hub   = "metrics"
	Table = "consume"
	Pool  = "web"
	Set   = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/web"
)

// Options say how a world is to be.
type Options struct {
	// Root is the checkout's root, Binary the built program.
	Root, Binary string
	Partitions   int
	// Settings are added to the program's, or replace them.
	Settings map[string]string
	// Change is applied to the pool's definition, text for text.
	Change map[string]string
	// Clones are how many more pools there are, each a copy of the one with a scale set of its own.
	Clones int
	// Memory keeps the ledger in the process: no table service is started.
	Memory bool
}

// World is everything around the program.
type World struct {
	Options
	Broker *broker.Broker
	ARM    *arm.Server
	Ledger *ledger.Table
	Bundle *policy.Bundle

	folder        string
	tables, blobs *azurite.Server
}

// Open brings a world up. What it opened before an error is closed.
func Open(ctx context.Context, o Options) (w *World, err error) {
	w = &World{Options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.folder, err = os.MkdirTemp("", "trimtab-consume-"); err != nil {
		return w, err
	}
	if err = w.policies(ctx); err != nil {
		return w, err
	}
	if w.Broker, err = broker.Start(broker.Options{Hubs: []broker.Hub{
		{Name: Hub, Partitions: o.Partitions, Groups: []string{"desk"}}, {Name: "decisions", Partitions: 2},
	}}); err != nil {
		return w, err
	}
	for _, id := range w.Broker.Partitions(Hub) {
		// Numbers begin at 1 then: the judge counts so.
		w.Broker.Append(Hub, id, broker.Event{Body: []byte("{}")})
		w.Broker.Expire(Hub, id, 1)
	}
	if w.blobs, err = azurite.RunBlobs(ctx); err != nil {
		return w, err
	}
	boot := 1
	config := arm.Config{PollAfterMilliseconds: 300, DeleteSeconds: 1}
	for i := -1; i < o.Clones; i++ {
		config.Sets = append(config.Sets, arm.SetConfig{
			ID: CloneSet(i), Location: "westeurope", Size: "Standard_D4s_v5", Orchestration: arm.Flexible, Priority: arm.Spot,
			EvictionPolicy: arm.Delete, Capacity: 10, Mix: &arm.Mix{Base: 2, RegularPercent: 25}, BootSeconds: &boot,
		})
	}
	if w.ARM, err = arm.Start(config, arm.Options{}); err != nil {
		return w, err
	}
	if err = os.WriteFile(w.path("ca.pem"), w.ARM.CA(), 0o600); err != nil || o.Memory {
		return w, err
	}
	if w.tables, err = azurite.Run(ctx); err != nil {
		return w, err
	}
	w.Ledger, err = ledger.OpenTable(ctx, ledger.TableOptions{ConnectionString: w.tables.ConnectionString, Table: Table, TryTimeout: time.Minute})
	return w, err
}

func (w *World) path(name string) string { return filepath.Join(w.folder, name) }

// policies copies the tree with the one pool, which enforces.
func (w *World) policies(ctx context.Context) (err error) {
	to := w.path("policies")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(w.Root, "policies"))); err != nil {
		return err
	}
	pools, err := filepath.Glob(filepath.Join(to, "pools", "*", "data.json"))
	if err != nil {
		return err
	}
	for _, file := range pools {
		if filepath.Base(filepath.Dir(file)) == Pool {
			continue
		}
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			return err
		}
	}
	file := filepath.Join(to, "pools", Pool, "data.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(text), `"mode": "observe"`, `"mode": "enforce"`, 1)
	for from, to := range w.Change {
		if !strings.Contains(changed, from) {
			return fmt.Errorf("%s has no %s", file, from)
		}
		changed = strings.Replace(changed, from, to, 1)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return err
	}
	if err := w.clones(to, changed); err != nil {
		return err
	}
	w.Bundle, err = policy.Load(ctx, os.DirFS(to))
	return err
}

// CloneSet is the scale set of a clone, of the pool itself for -1. Clones lie in many subscriptions, because the platform
// bounds what it answers by subscription.
func CloneSet(i int) string {
	if i < 0 {
		return Set
	}
	return fmt.Sprintf("%s-c%04d", strings.Replace(Set, "111122223333", fmt.Sprintf("%012d", i%60), 1), i)
}

// clones writes the pools that are copies of the one.
func (w *World) clones(policies, definition string) error {
	for i := range w.Clones {
		dir := filepath.Join(policies, "pools", fmt.Sprintf("c%04d", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		text := strings.Replace(definition, `"scale_set": "`+Set+`"`, fmt.Sprintf(`"policy": %q, "scale_set": %q`, Pool, CloneSet(i)), 1)
		if err := os.WriteFile(filepath.Join(dir, "data.json"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything that Open began.
func (w *World) Close() error {
	var errs []error
	if w.Broker != nil {
		w.Broker.Close()
	}
	if w.ARM != nil {
		errs = append(errs, w.ARM.Close())
	}
	for _, s := range []*azurite.Server{w.tables, w.blobs} {
		if s != nil {
			s.Stop()
		}
	}
	if w.folder != "" {
		errs = append(errs, os.RemoveAll(w.folder))
	}
	return errors.Join(errs...)
}

// Env is the environment of the program.
func (w *World) Env() []string {
	settings := map[string]string{
		"MetricsHub": w.Broker.ConnectionString(), "METRICS_HUB": Hub,
		"TRIMTAB_CHECKPOINT_CONNECTION": w.blobs.ConnectionString, "TRIMTAB_CONSUME_START": "earliest",
		"TRIMTAB_POLICIES": w.path("policies"), "TRIMTAB_ARM_ENDPOINT": w.ARM.Endpoints().ARM,
		"TRIMTAB_ARM_AUDIENCE": "https://management.azure.com", "TRIMTAB_HEALTH_ADDRESS": "127.0.0.1:0",
		"IDENTITY_ENDPOINT": w.ARM.Endpoints().Identity, "IDENTITY_HEADER": w.ARM.Endpoints().IdentityHeader,
		"SSL_CERT_FILE": w.path("ca.pem"), "HOME": w.folder, "PATH": os.Getenv("PATH"), "TRIMTAB_LEDGER": "memory",
	}
	if !w.Memory {
		settings["TRIMTAB_LEDGER"] = "table"
		settings["TRIMTAB_TABLE_CONNECTION"], settings["TRIMTAB_TABLE_NAME"] = w.tables.ConnectionString, Table
	}
	for name, value := range w.Settings {
		settings[name] = value
	}
	var env []string
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return env
}

// Process is one running program.
type Process struct {
	command *exec.Cmd
	done    chan struct{}
	err     error

	mu      sync.Mutex
	lines   []string
	address string
	stderr  bytes.Buffer
	ready   chan struct{}
}

// Start starts the program with arguments, such as consume.
func (w *World) Start(arguments ...string) (*Process, error) {
	p := &Process{command: exec.Command(w.Binary, arguments...), done: make(chan struct{}), ready: make(chan struct{})}
	p.command.Dir, p.command.Env, p.command.Stderr = w.folder, w.Env(), &p.stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

func (p *Process) read(stdout io.Reader) {
	defer close(p.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		if _, rest, ok := strings.Cut(lines.Text(), `"msg":"following","address":"`); ok && p.address == "" {
			p.address, _, _ = strings.Cut(rest, `"`)
			close(p.ready)
		}
		p.mu.Unlock()
	}
	p.err = p.command.Wait()
}

// PID is its number.
func (p *Process) PID() int { return p.command.Process.Pid }

// Lines are what it has logged so far.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// Stderr is what it wrote there; empty unless it could not start or panicked. It is complete once the process has ended.
func (p *Process) Stderr() string { return p.stderr.String() }

// Probe asks it for its health; status 0 says that it does not answer yet.
func (p *Process) Probe(ctx context.Context, path string) (status int, body string) {
	select {
	case <-p.ready:
	default:
		return 0, ""
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

// Kill ends it at once, and waits until it has ended.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	<-p.done
}

// Terminate asks it to end, and returns its exit code; it is killed where it takes longer than patience.
func (p *Process) Terminate(patience time.Duration) (int, error) {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.command.ProcessState.ExitCode(), nil
	case <-timer.C:
		p.Kill()
		return 0, fmt.Errorf("it did not end within %v", patience)
	}
}
