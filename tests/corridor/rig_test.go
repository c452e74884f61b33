package corridor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/azurite"
	"trimtab/tests/fakehost"
)

// root is the app root as the tests of this package see it.
const root = "../.."

const shop = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"

// program builds the handler once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "trimtab-test-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "trimtab")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, "./handler")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, text)
	}
	return out, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// storage is one Azurite for all tests of this package; each test has a table of its own.
var storage struct {
	once   sync.Once
	server *azurite.Server
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if storage.server != nil {
		storage.server.Stop()
	}
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// gate is a TCP proxy that can be shut: storage that is down for a while.
type gate struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	shut     bool
	open     map[net.Conn]bool
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, target: target, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); g.set(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return g
}

func (g *gate) pass(c net.Conn) {
	defer func() { _ = c.Close() }()
	far, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	g.mu.Lock()
	if g.shut {
		g.mu.Unlock()
		return
	}
	g.open[c] = true
	g.mu.Unlock()
	go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
	_, _ = io.Copy(c, far)
	g.mu.Lock()
	delete(g.open, c)
	g.mu.Unlock()
}

// set shuts the gate, which breaks what is under way, or opens it.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if shut {
		for c := range g.open {
			_ = c.Close()
		}
	}
}

// rig is the world of one test: storage, scale sets, and hosts with handlers.
type rig struct {
	t        *testing.T
	arm      *arm.Server
	table    string
	gate     *gate
	ledger   *ledger.Table
	policies string
	ca       string
	origin   time.Time
	wall     time.Time
	sequence map[int]int64
}

// speed is how much faster than the wall's the time of these tests runs: ten seconds between polls are a twentieth of
// one.
const speed = 200

func newRig(t *testing.T) *rig {
	t.Helper()
	storage.once.Do(func() { storage.server, storage.err = azurite.Run(context.WithoutCancel(t.Context())) })
	if storage.err != nil {
		t.Fatal(storage.err)
	}
	r := &rig{
		t: t, wall: time.Now().Truncate(time.Millisecond), origin: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
		sequence: map[int]int64{},
		table:    "t" + strings.ToLower(strings.NewReplacer("-", "", ":", "", ".", "").Replace(time.Now().UTC().Format("150405.000000"))),
	}
	var err error
	boot := 30
	r.arm, err = arm.Start(arm.Config{PollAfterMilliseconds: 10_000, Sets: []arm.SetConfig{
		{
			ID: shop + "web", Location: "westeurope", Size: "Standard_D4s_v5", Orchestration: arm.Flexible, Priority: arm.Spot,
			EvictionPolicy: arm.Delete, Capacity: 10, Mix: &arm.Mix{Base: 2, RegularPercent: 25}, BootSeconds: &boot,
		},
		{ID: shop + "batch", Location: "westeurope", Size: "Standard_F8s_v2", Orchestration: arm.Uniform, Capacity: 4, BootSeconds: &boot},
	}}, arm.Options{Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.arm.Close() })
	r.ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(r.ca, r.arm.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.policies = t.TempDir()
	copyTree(t, filepath.Join(root, "policies"), r.policies)
	for _, pool := range []string{"web", "batch"} {
		edit(t, filepath.Join(r.policies, "pools", pool, "data.json"), `"mode": "observe"`, `"mode": "enforce"`)
	}
	r.gate = newGate(t, storageAddress())
	if r.ledger, err = ledger.OpenTable(t.Context(), ledger.TableOptions{ConnectionString: r.connection(storageAddress()), Table: r.table}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) now() time.Time {
	return r.origin.Add(time.Since(r.wall) * speed)
}

func storageAddress() string {
	address := strings.TrimPrefix(storage.server.Endpoint, "http://")
	address, _, _ = strings.Cut(address, "/")
	return address
}

func (r *rig) connection(address string) string {
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;TableEndpoint=http://%s/%s;",
		azurite.Account, azurite.Key, address, azurite.Account)
}

// settings are the app's.
func (r *rig) settings() map[string]string {
	return map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath": binary(r.t),
		"AzureWebJobsStorage":      "UseDevelopmentStorage=true",
		"MetricsHub":               "Endpoint=sb://test.servicebus.windows.net;SharedAccessKeyName=none;SharedAccessKey=canary-hub-key",
		"METRICS_HUB":              "metrics",
		"METRICS_CONSUMER_GROUP":   "$Default",
		"TRIMTAB_TABLE_CONNECTION": r.connection(r.gate.listener.Addr().String()),
		"TRIMTAB_TABLE_NAME":       r.table,
		"TRIMTAB_POLICIES":         r.policies,
		"TRIMTAB_ARM_ENDPOINT":     r.arm.Endpoints().ARM,
		"TRIMTAB_ARM_AUDIENCE":     "https://management.azure.com",
		"TRIMTAB_DEADLINE":         "20s",
		"TRIMTAB_CLOCK":            fmt.Sprintf("%d,%s,%d", speed, r.origin.Format(time.RFC3339), r.wall.UnixMilli()),
	}
}

// host starts a host with its handler, as one instance of the app.
func (r *rig) host(change ...func(*fakehost.Options)) *fakehost.Host {
	r.t.Helper()
	o := fakehost.Options{
		Root: root, Settings: r.settings(), IdentityEndpoint: r.arm.Endpoints().Identity,
		IdentityHeader: r.arm.Endpoints().IdentityHeader, Env: []string{"SSL_CERT_FILE=" + r.ca}, Now: r.now,
		CrashLimit: 100,
		// The waits between retries are the host's; a test has no need of them.
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, c := range change {
		c(&o)
	}
	h, err := fakehost.Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		h.Stop()
		if r.t.Failed() {
			for _, l := range h.Lines() {
				r.t.Log(l.Text)
			}
		}
	})
	if err := h.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return h
}

// minutes are the last n minutes of a pool at one load, as events of a partition.
func (r *rig) minutes(pool string, part, n int, cpu float64) []fakehost.Event {
	start := r.now().Truncate(time.Minute)
	var events []fakehost.Event
	for i := range n {
		r.sequence[part]++
		at := start.Add(time.Duration(i-n) * time.Minute).Format("2006-01-02T15:04:05.0000000Z")
		record := func(name string, v float64) string {
			return fmt.Sprintf(`{"count":2,"total":%g,"minimum":%g,"maximum":%g,"average":%g,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":"PT1M"}`,
				2*v, v, v, v, strings.ToUpper(shop+pool), at, name)
		}
		// No two events carry the same value: one that comes again for a minute is a correction, not a repetition.
		v := cpu + float64(r.sequence[part])/1000 + float64(part)/10000
		body := `{"records":[` + record("Percentage CPU", v) + `,` + record("Requests Per Second", v) + `]}`
		events = append(events, fakehost.Event{Body: []byte(body), Sequence: r.sequence[part], EnqueuedAt: r.now()})
	}
	return events
}

// deliver posts a batch and fails the test unless the handler takes it.
func (r *rig) deliver(h *fakehost.Host, part int, events []fakehost.Event) fakehost.Result {
	r.t.Helper()
	res, err := h.Deliver(r.t.Context(), "function", fmt.Sprint(part), events)
	if err != nil {
		r.t.Fatal(err)
	}
	if !res.Succeeded {
		r.t.Fatalf("batch failed: %s", res.Attempts[len(res.Attempts)-1].Failure)
	}
	return res
}

// sweepUntil ticks the sweep until a condition holds, for at most ten minutes of the test's own time.
func (r *rig) sweepUntil(h *fakehost.Host, what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not within the time allowed", what)
		}
		if _, err := h.Tick(r.t.Context(), "sweep", false); err != nil {
			r.t.Fatal(err)
		}
	}
}

// writes is how many writes a scale set has taken: each moves its ETag, which is 1 at first.
func (r *rig) writes(pool string) int {
	r.t.Helper()
	s, err := r.arm.Set(shop + pool)
	if err != nil {
		r.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Trim(s.ETag, `"`))
	if err != nil {
		r.t.Fatal(err)
	}
	return n - 1
}

// patches are the writes that reached a scale set and were taken.
func (r *rig) patches(pool string) (taken []arm.Request) {
	for _, q := range r.arm.Requests() {
		if q.Method == "PATCH" && q.Status == 200 && strings.HasSuffix(strings.ToLower(q.Path), "/"+pool) {
			taken = append(taken, q)
		}
	}
	return taken
}

func (r *rig) capacity(pool string) int {
	r.t.Helper()
	s, err := r.arm.Set(shop + pool)
	if err != nil {
		r.t.Fatal(err)
	}
	return s.Capacity
}

func (r *rig) stored(pool string) scale.Stored {
	r.t.Helper()
	s, err := r.ledger.Load(r.t.Context(), pool)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// windows are a pool's windows, without the list of its set's machines that lies beside them.
func (r *rig) windows(pool string) []scale.StoredWindow {
	return slices.DeleteFunc(r.stored(pool).Windows, func(w scale.StoredWindow) bool { return w.Source == scale.RosterSource })
}

func (r *rig) entries(pool string) []scale.Entry {
	r.t.Helper()
	all, err := r.ledger.Entries(r.t.Context(), pool, time.Time{}, 10_000)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// settled reports whether no change of a pool is under way.
func (r *rig) settled(pool string) func() bool {
	return func() bool { return r.stored(pool).Control.Intent == nil }
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s holds no %s", path, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}
