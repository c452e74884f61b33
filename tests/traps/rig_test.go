package traps_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

const (
	group = "/subscriptions/5a1f0000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/"
	web   = group + "web"
)

// rig is a pool, its scale set on an emulator, and processes of the engine, all on one virtual clock.
type rig struct {
	t      *testing.T
	mu     sync.Mutex
	now    time.Time
	emu    *arm.Server
	ledger *ledger.Memory
	pools  []scale.Pool
	policy *wish
	engine *engine.Engine
	fleet  *vmss.Fleet
	starts int
	log    *slog.Logger
	// before, when set, sees each request before it is sent.
	before func(*http.Request)
}

// wish is a policy that wants a number, knows nothing, is in doubt of a reason, or has a blend.
type wish struct {
	instances int
	unknown   bool
	doubt     bool
	blend     *scale.Blend
}

func (w *wish) Revision() string { return "wish" }

func (w *wish) Propose(context.Context, *scale.View) scale.Proposal {
	p := scale.Proposal{Revision: "wish", Blend: w.blend}
	if w.unknown {
		p.Doubt, p.Reasons = true, []scale.Reason{{Code: "wish", State: scale.ReasonUnknown}}
		return p
	}
	p.Known, p.Doubt, p.Instances = true, w.doubt, w.instances
	p.Reasons = []scale.Reason{{Code: "wish", State: scale.ReasonKnown, Instances: w.instances}}
	return p
}

type credential struct{ token string }

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: c.token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// webPool is an enforcing pool without rest, so that each test shows one thing.
func webPool(o scale.Orchestration) scale.Pool {
	return scale.Pool{
		Name: "web", ScaleSet: web, Orchestration: o, Policy: "web", Mode: scale.Enforce,
		Rails:    scale.Rails{Limits: scale.Limits{Min: 1, Max: 250}},
		Settings: json.RawMessage(`{}`),
	}
}

// flexible is a Spot set with a priority mix.
func flexible(capacity int) arm.SetConfig {
	return arm.SetConfig{
		ID: web, Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: capacity, Mix: &arm.Mix{Base: 2, RegularPercent: 50},
	}
}

func newRig(t *testing.T, pool scale.Pool, wanted int, cfg arm.Config) *rig {
	t.Helper()
	r := &rig{
		t: t, now: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC), ledger: ledger.NewMemory(), pools: []scale.Pool{pool},
		policy: &wish{instances: wanted}, log: slog.New(slog.DiscardHandler),
	}
	emu, err := arm.Start(cfg, arm.Options{Now: r.clock})
	if err != nil {
		t.Fatalf("start the emulator: %v", err)
	}
	t.Cleanup(func() {
		if err := emu.Close(); err != nil {
			t.Errorf("close the emulator: %v", err)
		}
	})
	r.emu = emu
	r.restart()
	return r
}

// restart replaces the process: what it knew is gone, what the ledger holds is not.
func (r *rig) restart() {
	r.t.Helper()
	transport := r.emu.Transport()
	r.t.Cleanup(transport.CloseIdleConnections)
	fleet, err := vmss.New(credential{r.emu.Token()}, vmss.Options{
		Endpoint: r.emu.Endpoints().ARM, Now: r.clock, Transport: hand{r, transport}, RetryDelay: time.Millisecond, ReadRetries: -1,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.starts++
	r.fleet = fleet
	r.engine, err = engine.New(engine.Options{
		Pools: r.pools, Policy: r.policy, Fleet: fleet, Ledger: r.ledger, Now: r.clock, Writer: "w" + strconv.Itoa(r.starts),
		Log: r.log,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// hand is a transport into which a test may reach.
type hand struct {
	r     *rig
	inner http.RoundTripper
}

func (h hand) RoundTrip(q *http.Request) (*http.Response, error) {
	if f := h.r.before; f != nil {
		f(q)
	}
	return h.inner.RoundTrip(q)
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) after(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// sweep is one turn of the timer.
func (r *rig) sweep() engine.PoolReport {
	r.t.Helper()
	report, err := r.engine.Sweep(r.t.Context(), "sweep")
	if err != nil {
		r.t.Fatalf("sweep: %v", err)
	}
	return report.Pools[0]
}

// minutes sweeps each minute for n minutes.
func (r *rig) minutes(n int) (last engine.PoolReport) {
	r.t.Helper()
	for range n {
		r.after(time.Minute)
		last = r.sweep()
	}
	return last
}

func (r *rig) turn(knobs ...arm.Knob) {
	r.t.Helper()
	for _, k := range knobs {
		if err := r.emu.Turn(k); err != nil {
			r.t.Fatalf("turn %T: %v", k, err)
		}
	}
}

func (r *rig) set(id string) arm.SetState {
	r.t.Helper()
	for _, s := range r.emu.Sets() {
		if strings.EqualFold(s.ID, id) {
			return s
		}
	}
	r.t.Fatalf("no set %s", id)
	return arm.SetState{}
}

// running is how many machines of the set run.
func (r *rig) running(id string) int {
	s := r.set(id)
	return s.Regular.Running + s.Spot.Running
}

// patches are the changes that reached the emulator, whatever became of them.
func (r *rig) patches() (all []arm.Request) {
	for _, q := range r.emu.Requests() {
		if q.Method == http.MethodPatch {
			all = append(all, q)
		}
	}
	return all
}

func (r *rig) control() scale.Control {
	r.t.Helper()
	s, err := r.ledger.Load(r.t.Context(), "web")
	if err != nil {
		r.t.Fatal(err)
	}
	return s.Control
}

// order gives an operator's order to the pool.
func (r *rig) order(change func(*scale.Orders)) {
	r.t.Helper()
	if _, err := engine.Reorder(r.t.Context(), r.ledger, "web", "desk-"+r.clock().String(), change); err != nil {
		r.t.Fatal(err)
	}
}

// outcome is the last outcome in the journal.
func (r *rig) outcome() *scale.Outcome {
	r.t.Helper()
	entries, err := r.ledger.Entries(r.t.Context(), "web", time.Time{}, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Outcome != nil {
			return e.Outcome
		}
	}
	return nil
}

// settled fails unless so many machines run and no change is under way.
func (r *rig) settled(want int) {
	r.t.Helper()
	if got := r.running(web); got != want {
		r.t.Errorf("%d machines run, want %d: %+v, memory %+v", got, want, r.set(web), r.control().Memory)
	}
	if in := r.control().Intent; in != nil {
		r.t.Errorf("a change is still under way: %+v", in)
	}
}

// names are the machines of the set, as Azure takes their names.
func (r *rig) names() (all []string) {
	r.t.Helper()
	facts, err := r.fleet.Read(r.t.Context(), web)
	if err != nil {
		r.t.Fatal(err)
	}
	live, err := r.fleet.Count(r.t.Context(), web, facts)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range live.Each {
		all = append(all, m.Name)
	}
	return all
}
