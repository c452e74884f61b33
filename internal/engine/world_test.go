package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/scale"
)

const setID = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/"

// errCrash is the end of a process: the test that sees it goes on with a new engine over the same world.
var errCrash = errors.New("process is gone")

// world is everything outside the engine: a clock, a ledger, scale sets, and a hand that may strike before or after any
// side effect.
type world struct {
	t      *testing.T
	mu     sync.Mutex
	now    time.Time
	ledger *ledger.Memory
	sets   map[string]*set
	pools  []scale.Pool
	// strike, when set, is asked before ("-") and after ("+") each call that crosses a port, by its name.
	strike func(point string) error
	calls  map[string]int
	writer int
	// policy is asked in the place of tracker, if there is one.
	policy engine.Policy
	// self is what the engine's own writes are known by.
	self []string
	// away are pools whose rows cannot be read.
	away map[string]bool
	// sequence is the last sequence number that hour has used.
	sequence int
}

// set is a scale set that behaves as facts: VMSS 1.1 to 1.4 say, as far as the engine can tell.
type set struct {
	// most is what the platform gives it, 1000 for 0.
	most                 int
	capacity, generation int
	mix                  *scale.Mix
	state                string
	op                   int
	ops                  map[int]*operation
	patches              []patch
}

type operation struct {
	ends    time.Time
	failure *scale.FleetError
	done    bool
}

type patch struct {
	at       time.Time
	capacity int
	etag     string
}

func newWorld(t *testing.T, pools ...scale.Pool) *world {
	w := &world{
		t: t, now: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC), ledger: ledger.NewMemory(), pools: pools,
		sets: make(map[string]*set), calls: make(map[string]int),
	}
	for _, p := range pools {
		w.sets[p.ScaleSet] = &set{capacity: 10, generation: 1, state: "Succeeded", ops: make(map[int]*operation)}
	}
	return w
}

// webPool is an enforcing pool that tracks a CPU of 60 percent.
func webPool(name string) scale.Pool {
	id := setID + name
	return scale.Pool{
		Name: name, ScaleSet: id, Orchestration: scale.Flexible, Policy: name, Mode: scale.Enforce,
		Rails: scale.Rails{
			Limits:               scale.Limits{Min: 2, Max: 40},
			Cooldown:             scale.Cooldown{GrowSeconds: 180, ShrinkSeconds: 600, MixSeconds: 300},
			StabilisationSeconds: 300,
		},
		Signals: []scale.Signal{{
			Name: "cpu", Resource: lower(id), Metric: "percentage cpu", Aggregation: scale.Average, Unit: "percent",
			Window: 3 * time.Minute, Bucket: time.Minute, StaleAfter: 15 * time.Minute, MinCoverage: 30,
		}},
		Settings: json.RawMessage(`{}`),
	}
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// engine starts a new process.
func (w *world) engine() *engine.Engine {
	w.t.Helper()
	w.writer++
	var policy engine.Policy = tracker{}
	if w.policy != nil {
		policy = w.policy
	}
	e, err := engine.New(engine.Options{
		Pools: w.pools, Policy: policy, Fleet: fleet{w}, Ledger: memory{w}, Now: w.clock,
		Writer: "w" + strconv.Itoa(w.writer), Log: slog.New(slog.DiscardHandler),
		Self: func() []string { return w.self },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// cross is called on both sides of every port.
func (w *world) cross(side, name string) error {
	w.mu.Lock()
	if side == "-" {
		w.calls[name]++
	}
	strike := w.strike
	w.mu.Unlock()
	if strike != nil {
		return strike(side + name)
	}
	return nil
}

// event is one platform metric event of a partition.
func (w *world) event(pool string, partition, sequence int, at time.Time, cpu float64) engine.Event {
	body := fmt.Sprintf(`{"records":[{"count":1,"total":%[1]g,"minimum":%[1]g,"maximum":%[1]g,"average":%[1]g,`+
		`"resourceId":%[2]q,"time":%[3]q,"metricName":"Percentage CPU","timeGrain":"PT1M"}]}`,
		cpu, setID+pool, at.UTC().Format("2006-01-02T15:04:05.0000000Z"))
	return engine.Event{Body: []byte(body), Source: scale.Source{
		Hub: "ns/metrics", Partition: strconv.Itoa(partition), Sequence: int64(sequence), Known: true, EnqueuedAt: w.clock(),
	}}
}

// minutes is a batch of the last n minutes of one pool at one load.
func (w *world) minutes(pool string, partition, sequence, n int, cpu float64) engine.Batch {
	b := engine.Batch{Invocation: fmt.Sprintf("inv-%d-%d", partition, sequence)}
	start := w.clock().Truncate(time.Minute)
	for i := range n {
		b.Events = append(b.Events, w.event(pool, partition, sequence+i, start.Add(time.Duration(i-n)*time.Minute), cpu))
	}
	return b
}

func (w *world) entries(pool string) []scale.Entry {
	w.t.Helper()
	all, err := w.ledger.Entries(w.t.Context(), pool, time.Time{}, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) control(pool string) scale.Control {
	w.t.Helper()
	s, err := w.ledger.Load(w.t.Context(), pool)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Control
}

// tracker is a policy in plain Go: demand over sixty, and doubt where the signal is not fresh.
type tracker struct{}

func (tracker) Revision() string { return "tracker" }

func (tracker) Propose(_ context.Context, v *scale.View) scale.Proposal {
	p := scale.Proposal{Revision: "tracker"}
	s, ok := v.Signals["cpu"]
	if !ok || !s.HasDemand || s.State == scale.SignalMissing || s.State == scale.SignalStale {
		p.Doubt = true
		p.Reasons = []scale.Reason{{Code: "track", Name: "cpu", State: scale.ReasonUnknown}}
		return p
	}
	p.Known, p.Instances = true, int((s.Demand+59_999)/60_000)
	p.Reasons = []scale.Reason{{Code: "track", Name: "cpu", State: scale.ReasonKnown, Instances: p.Instances}}
	return p
}

// memory is the ledger's twin behind the hand that strikes.
type memory struct{ w *world }

func (m memory) Load(ctx context.Context, pool string) (scale.Stored, error) {
	if err := m.w.cross("-", "load"); err != nil {
		return scale.Stored{}, err
	}
	if m.w.away[pool] {
		return scale.Stored{}, errors.New("away")
	}
	s, err := m.w.ledger.Load(ctx, pool)
	if hit := m.w.cross("+", "load"); hit != nil {
		return scale.Stored{}, hit
	}
	return s, err
}

func (m memory) Commit(ctx context.Context, pool string, c scale.Commit) error {
	if err := m.w.cross("-", "commit"); err != nil {
		return err
	}
	err := m.w.ledger.Commit(ctx, pool, c)
	if hit := m.w.cross("+", "commit"); hit != nil {
		return hit
	}
	return err
}

func (m memory) Keep(ctx context.Context, letters []scale.DeadLetter) error {
	if err := m.w.cross("-", "keep"); err != nil {
		return err
	}
	err := m.w.ledger.Keep(ctx, letters)
	if hit := m.w.cross("+", "keep"); hit != nil {
		return hit
	}
	return err
}

// fleet is the scale sets behind the hand that strikes.
type fleet struct{ w *world }

func (f fleet) Read(_ context.Context, id string) (scale.Facts, error) {
	if err := f.w.cross("-", "read"); err != nil {
		return scale.Facts{}, asFleetError("read", err)
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	s, ok := f.w.sets[id]
	if !ok {
		return scale.Facts{}, &scale.FleetError{Op: "read", Class: scale.ClassMissing, Status: 404}
	}
	s.settle(f.w.now)
	facts := scale.Facts{
		ReadAt: f.w.now, Capacity: s.capacity, ETag: s.etag(), ProvisioningState: s.state,
		Orchestration: scale.Flexible, PlatformMax: cmp.Or(s.most, 1000), Spot: s.mix != nil,
	}
	if s.mix != nil {
		m := *s.mix
		facts.Mix = &m
	}
	return facts, nil
}

// settle ends the operations whose time has come.
func (s *set) settle(now time.Time) {
	for _, o := range s.ops {
		if o.done || now.Before(o.ends) {
			continue
		}
		o.done, s.state = true, "Succeeded"
		if o.failure != nil {
			s.state = "Failed"
		}
	}
}

func (s *set) etag() string { return fmt.Sprintf("%q", strconv.Itoa(s.generation)) }

func (f fleet) Change(_ context.Context, id string, c scale.Change) (scale.Accepted, error) {
	if err := f.w.cross("-", "change"); err != nil {
		return scale.Accepted{}, asFleetError("change", err)
	}
	f.w.mu.Lock()
	s := f.w.sets[id]
	if c.ETag != s.etag() {
		f.w.mu.Unlock()
		return scale.Accepted{}, &scale.FleetError{Op: "change", Class: scale.ClassPrecondition, Status: 412, Code: "PreconditionFailed"}
	}
	for _, o := range s.ops {
		if !o.done {
			o.done, o.failure = true, &scale.FleetError{Op: "follow", Class: scale.ClassPreempted, Status: 200, Code: "OperationPreempted"}
		}
	}
	if c.Capacity != nil {
		s.capacity = *c.Capacity
	}
	if c.Mix != nil {
		m := *c.Mix
		s.mix = &m
	}
	s.patches = append(s.patches, patch{f.w.now, s.capacity, c.ETag})
	s.generation++
	s.op++
	s.state = "Updating"
	s.ops[s.op] = &operation{ends: f.w.now.Add(15 * time.Second)}
	token := id + "#" + strconv.Itoa(s.op)
	f.w.mu.Unlock()
	if err := f.w.cross("+", "change"); err != nil {
		return scale.Accepted{}, asFleetError("change", err)
	}
	return scale.Accepted{Token: token, PollAfter: 10 * time.Second}, nil
}

func (f fleet) Follow(_ context.Context, token string) (scale.Progress, error) {
	if err := f.w.cross("-", "follow"); err != nil {
		return scale.Progress{}, asFleetError("follow", err)
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	for id, s := range f.w.sets {
		for n, o := range s.ops {
			if token != id+"#"+strconv.Itoa(n) {
				continue
			}
			if s.settle(f.w.now); !o.done {
				return scale.Progress{PollAfter: 10 * time.Second}, nil
			}
			return scale.Progress{Done: true, Failure: o.failure}, nil
		}
	}
	return scale.Progress{}, &scale.FleetError{Op: "follow", Class: scale.ClassMissing, Status: 404, Code: "OperationExpired"}
}

// asFleetError keeps to the port's contract: every error of a fleet is a FleetError. A transport that broke says nothing
// about what was applied.
func asFleetError(op string, err error) error {
	var fe *scale.FleetError
	if errors.As(err, &fe) {
		return fe
	}
	return &scale.FleetError{Op: op, Class: scale.ClassUnsure, Message: err.Error(), Err: err}
}
