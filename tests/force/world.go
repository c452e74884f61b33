package force

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/azurite"
	"trimtab/tests/fakehost"
)

const (
	// speed is how much faster than the wall's the time of a run goes. The handler gives an intent two seconds of the
	// wall to be sent whatever the speed; more speed would not make that longer.
	speed = 60
	// partitions and processes are the hub's and the app's.
	partitions = 4
	processes  = 3

	namespace = "test.servicebus.windows.net"
	hubName   = "metrics"
	table     = "force"
	scaleSets = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"
)

// retryWait bounds the host's wait between two attempts, which is minutes in all on the platform.
const retryWait = 400 * time.Millisecond

// pools are those of the tree of policies.
var pools = []string{"web", "batch"}

// world is everything that a run needs, outermost first.
type world struct {
	o       Options
	folder  string
	origin  time.Time
	wall    time.Time
	storage *azurite.Server
	arm     *arm.Server
	proxies []*Proxy
	hosts   []*fakehost.Host
	ledger  *ledger.Table
	bundle  *policy.Bundle
	hub     *hub
}

// Build builds the program of the checkout whose root is given into a file.
func Build(ctx context.Context, root, file string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", file, "./handler")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, text)
	}
	return nil
}

// now is the time of the run.
func (w *world) now() time.Time { return w.origin.Add(time.Since(w.wall) * speed) }

// open brings everything up. What it opened before an error is closed by close.
func (w *world) open(ctx context.Context) error {
	w.wall, w.origin = time.Now().Truncate(time.Millisecond), time.Date(2026, 5, 4, 6, 0, 0, 0, time.UTC)
	w.hub = newHub(partitions)
	var err error
	if w.folder, err = os.MkdirTemp("", "trimtab-force-"); err != nil {
		return err
	}
	if err := w.policies(ctx); err != nil {
		return err
	}
	if w.storage, err = azurite.Run(ctx); err != nil {
		return err
	}
	if err := w.platform(); err != nil {
		return err
	}
	if w.ledger, err = ledger.OpenTable(ctx, ledger.TableOptions{
		ConnectionString: w.storage.ConnectionString, Table: table, TryTimeout: time.Minute,
	}); err != nil {
		return err
	}
	for i := range processes {
		if err := w.process(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// hasten are changes to the pools' definitions: they enforce, and rest for less long, so that a storm of minutes sees
// many changes.
var hasten = []struct{ from, to string }{
	{`"mode": "observe"`, `"mode": "enforce"`},
	{`"grow_seconds": 120, "shrink_seconds": 600`, `"grow_seconds": 60, "shrink_seconds": 180`},
	{`"grow_seconds": 60, "shrink_seconds": 300`, `"grow_seconds": 45, "shrink_seconds": 120`},
	{`"stabilisation_seconds": 900`, `"stabilisation_seconds": 180`},
	{`"stabilisation_seconds": 600`, `"stabilisation_seconds": 120`},
	{`"warm_up_seconds": 180`, `"warm_up_seconds": 60`},
}

// policies copies the tree and hastens its pools.
func (w *world) policies(ctx context.Context) error {
	to := filepath.Join(w.folder, "policies")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(w.o.Root, "policies"))); err != nil {
		return err
	}
	for _, pool := range pools {
		file := filepath.Join(to, "pools", pool, "data.json")
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		hastened := string(text)
		for _, h := range hasten {
			hastened = strings.Replace(hastened, h.from, h.to, 1)
		}
		if !strings.Contains(hastened, `"mode": "enforce"`) {
			return fmt.Errorf("%s: does not enforce", file)
		}
		if err := os.WriteFile(file, []byte(hastened), 0o600); err != nil {
			return err
		}
	}
	var err error
	w.bundle, err = policy.Load(ctx, os.DirFS(to))
	return err
}

// platform starts the emulator of Resource Manager.
func (w *world) platform() (err error) {
	boot := 30
	w.arm, err = arm.Start(arm.Config{PollAfterMilliseconds: 10_000, DeleteSeconds: 20, Sets: []arm.SetConfig{
		{
			ID: scaleSets + "web", Location: "westeurope", Size: "Standard_D4s_v5", Orchestration: arm.Flexible, Priority: arm.Spot,
			EvictionPolicy: arm.Delete, Capacity: 10, Mix: &arm.Mix{Base: 2, RegularPercent: 25}, BootSeconds: &boot,
		},
		{ID: scaleSets + "batch", Location: "westeurope", Size: "Standard_F8s_v2", Orchestration: arm.Uniform, Capacity: 4, BootSeconds: &boot},
	}}, arm.Options{Now: w.now})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.folder, "ca.pem"), w.arm.CA(), 0o600)
}

// process starts one host with its handler, behind a proxy of its own.
func (w *world) process(ctx context.Context, i int) error {
	proxy, err := NewProxy(w.storage.Endpoint, w.o.Seed+uint64(i))
	if err != nil {
		return err
	}
	w.proxies = append(w.proxies, proxy)
	h, err := fakehost.Open(fakehost.Options{
		Root: w.o.Root, Settings: w.settings(proxy), Env: []string{"SSL_CERT_FILE=" + filepath.Join(w.folder, "ca.pem")},
		IdentityEndpoint: w.arm.Endpoints().Identity, IdentityHeader: w.arm.Endpoints().IdentityHeader,
		Now: w.now, CrashLimit: 1 << 20,
		Wait: func(ctx context.Context, d time.Duration) error { return pause(ctx, min(d, retryWait)) },
	})
	if err != nil {
		return err
	}
	w.hosts = append(w.hosts, h)
	return h.Start(ctx)
}

func (w *world) settings(p *Proxy) map[string]string {
	return map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureFunctionsJobHost__customHandler__description__defaultExecutablePath": w.o.Binary,
		"AzureWebJobsStorage":                 "UseDevelopmentStorage=true",
		"MetricsHub__fullyQualifiedNamespace": namespace,
		"METRICS_HUB":                         hubName,
		"METRICS_CONSUMER_GROUP":              "$Default",
		"TRIMTAB_TABLE_CONNECTION": fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;TableEndpoint=http://%s/%s;",
			azurite.Account, azurite.Key, p.Address(), azurite.Account),
		"TRIMTAB_TABLE_NAME":   table,
		"TRIMTAB_POLICIES":     filepath.Join(w.folder, "policies"),
		"TRIMTAB_ARM_ENDPOINT": w.arm.Endpoints().ARM,
		"TRIMTAB_ARM_AUDIENCE": "https://management.azure.com",
		"TRIMTAB_DEADLINE":     "20s",
		"TRIMTAB_CLOCK":        fmt.Sprintf("%d,%s,%d", speed, w.origin.Format(time.RFC3339), w.wall.UnixMilli()),
	}
}

// close ends everything that open began, innermost first.
func (w *world) close() error {
	for _, h := range w.hosts {
		h.Stop()
	}
	for _, p := range w.proxies {
		p.Close()
	}
	var errs []error
	if w.arm != nil {
		errs = append(errs, w.arm.Close())
	}
	if w.storage != nil {
		w.storage.Stop()
	}
	if w.folder != "" {
		errs = append(errs, os.RemoveAll(w.folder))
	}
	return errors.Join(errs...)
}

// dice are the random numbers of one actor: each has its own, so that what one does leaves the others' alone.
func (w *world) dice(actor uint64) *rand.Rand { return rand.New(rand.NewPCG(w.o.Seed, actor)) }

// pause waits for d unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
