package storm_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/policies"
	"trimtab/tests/armemu/arm"
)

var (
	number = flag.Int("sets", 150, "how many scale sets want a change in the same minute")
	report = flag.String("report", "", "file for the closing line")
)

const group = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"

// latency is how long each call to Resource Manager takes on its way.
const latency = 40 * time.Millisecond

// The front door's published buckets (facts: VMSS 1.5), by which the bound is reckoned: how many calls a full bucket
// holds, and how many come in a second.
const (
	readBucket, readRefill   = 250, 25
	writeBucket, writeRefill = 200, 10
)

// usagesKept is how long one read of a region's usages serves all who want to grow, whose capacity shares a quota.
const usagesKept = 30 * time.Second

// bound is the least time in which so many changes can be made: each takes one read of the set, one list of its machines
// and one write; beside them the region's sizes are read once, and its usages as often as they grow too old for a growth.
// The last of these calls gets its token in the bound's last second, at the earliest. The compute provider's buckets hold
// more (2,400 reads, 900 lists and 1,500 writes for a subscription; 36 and 12 for a set), so the front door's decide.
func bound(sets int) time.Duration {
	seconds := func(calls, bucket, refill int) int { return (max(calls-bucket, 0) + refill - 1) / refill }
	least := seconds(sets, writeBucket, writeRefill)
	for {
		usages := 1 + int(time.Duration(least)*time.Second/usagesKept)
		with := max(least, seconds(2*sets+1+usages, readBucket, readRefill))
		if with == least {
			return time.Duration(least) * time.Second
		}
		least = with
	}
}

// wire carries requests into the emulator without a socket, which virtual time could not wait for.
type wire struct{ emulator http.Handler }

// RoundTrip takes a request there and its answer back.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(latency / 2):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	w.emulator.ServeHTTP(answer, in)
	resp := answer.Result()
	resp.Request = r
	select {
	case <-time.After(latency / 2):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return resp, nil
}

type credential string

func (c credential) GetToken(context.Context, azpolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(c), ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

// world is one storm's world: processes that know nothing of each other but by the ledger and by what the platform says.
type world struct {
	emulator *arm.Server
	engines  []*engine.Engine
	names    []string
	sequence int64
}

func newWorld(t *testing.T, bundle *policy.Bundle, sets, processes int) *world {
	t.Helper()
	w := &world{}
	cfg := arm.Config{Limits: arm.Documented, BootSeconds: 60}
	var pools []scale.Pool
	for _, p := range bundle.Pools {
		if p.Name != "web" {
			continue
		}
		for i := range sets {
			name := fmt.Sprintf("set%03d", i)
			p.Name, p.ScaleSet, p.Mode = name, group+name, scale.Enforce
			p.Signals = append([]scale.Signal(nil), p.Signals...)
			for n := range p.Signals {
				p.Signals[n].Resource = strings.ToLower(p.ScaleSet)
			}
			pools, w.names = append(pools, p), append(w.names, name)
			cfg.Sets = append(cfg.Sets, arm.SetConfig{
				ID: p.ScaleSet, Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 6, Mix: &arm.Mix{Base: 2, RegularPercent: 25},
			})
		}
	}
	var err error
	if w.emulator, err = arm.Open(cfg, arm.Options{}); err != nil {
		t.Fatal(err)
	}
	memory := ledger.NewMemory()
	for i := range processes {
		fleet, err := vmss.New(credential(w.emulator.Token()), vmss.Options{
			Endpoint: "https://arm.invalid", Now: time.Now, Transport: wire{w.emulator.Handler()},
		})
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(engine.Options{
			Pools: pools, Policy: bundle, Fleet: fleet, Ledger: memory, Now: time.Now, Writer: fmt.Sprint("storm", i),
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.engines = append(w.engines, e)
	}
	return w
}

// load gives every set ten minutes at one load, each process its part of the sets, all at the same time.
func (w *world) load(t *testing.T, cpu int) {
	t.Helper()
	var group sync.WaitGroup
	for i, e := range w.engines {
		b := w.batch(cpu, i)
		group.Go(func() {
			invoke(t, func(ctx context.Context) (engine.Report, error) { return e.Ingest(ctx, b) })
		})
	}
	group.Wait()
}

// batch has the last ten minutes of a process's part of the sets at one load, out of a partition of its own.
func (w *world) batch(cpu, process int) engine.Batch {
	now := time.Now().UTC().Truncate(time.Minute)
	b := engine.Batch{Invocation: fmt.Sprint("load ", w.sequence)}
	for i, name := range w.names {
		if i%len(w.engines) != process {
			continue
		}
		var body strings.Builder
		body.WriteString(`{"records":[`)
		for minute := range 10 {
			if minute > 0 {
				body.WriteByte(',')
			}
			for n, metric := range []string{"Percentage CPU", "Requests Per Second"} {
				if n > 0 {
					body.WriteByte(',')
				}
				fmt.Fprintf(&body, `{"count":2,"total":%d,"minimum":%d,"maximum":%d,"average":%d,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":"PT1M"}`,
					2*cpu, cpu, cpu, cpu, strings.ToUpper(group+name), now.Add(time.Duration(minute-10)*time.Minute).Format(time.RFC3339), metric)
			}
		}
		body.WriteString(`]}`)
		w.sequence++
		b.Events = append(b.Events, engine.Event{
			Body: []byte(body.String()), Source: scale.Source{Hub: "metrics", Partition: fmt.Sprint(process), Sequence: w.sequence, EnqueuedAt: time.Now().UTC()},
		})
	}
	return b
}

// invoke gives a call the deadline that an invocation has.
func invoke(t *testing.T, call func(ctx context.Context) (engine.Report, error)) engine.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := call(ctx)
	if err != nil {
		t.Error(err)
	}
	return r
}

// minutes lets a minute pass at a time, with a sweep in each.
func (w *world) minutes(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		time.Sleep(time.Minute)
		var group sync.WaitGroup
		for _, e := range w.engines {
			group.Go(func() {
				invoke(t, func(ctx context.Context) (engine.Report, error) { return e.Sweep(ctx, fmt.Sprint("sweep ", i)) })
			})
		}
		group.Wait()
	}
}

// TestStorm lets every set want more machines in the same minute.
func TestStorm(t *testing.T) {
	bundle, err := policy.Load(t.Context(), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	// When within a second the tokens come is not the product's choice, so seconds are rounded: to as many as the bound has.
	synctest.Test(t, func(t *testing.T) { storm(t, bundle, *number, 1, bound(*number)+time.Second/2) })
}

// TestStormOfSeveralProcesses does the same with processes that share the subscription and nothing else: they are refused
// nothing either. What each leaves alone for the others costs time.
func TestStormOfSeveralProcesses(t *testing.T) {
	bundle, err := policy.Load(t.Context(), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	sets := *number
	if sets < 500 {
		// Enough to run the buckets dry; the race detector makes each set dear.
		sets = min(sets, 130)
	}
	synctest.Test(t, func(t *testing.T) { storm(t, bundle, sets, 2, 2*bound(sets)+20*time.Second) })
}

func storm(t *testing.T, bundle *policy.Bundle, sets, processes int, most time.Duration) {
	w := newWorld(t, bundle, sets, processes)
	// A quiet time first: the sets are known, and all buckets are full again.
	w.load(t, 40)
	w.minutes(t, 2)
	time.Sleep(50 * time.Second)
	if n := throttled(w.emulator); n > 0 {
		t.Errorf("before the storm %d calls were refused", n)
	}
	quiet := len(w.emulator.Requests())
	before := map[string]int{}
	for _, s := range w.emulator.Sets() {
		before[s.Name] = s.Capacity
	}

	begun := time.Now()
	w.load(t, 95)
	// What the invocation left undone the sweeps would do; and the changes are followed to their ends.
	w.minutes(t, 2)

	took, changed := time.Duration(0), map[string]bool{}
	for _, q := range w.emulator.Requests()[quiet:] {
		name := q.Path[strings.LastIndexByte(q.Path, '/')+1:]
		if q.Method == http.MethodPatch && q.Applied && !changed[name] {
			changed[name], took = true, max(took, q.At.Sub(begun))
		}
	}
	for _, s := range w.emulator.Sets() {
		if !changed[s.Name] || s.Capacity <= before[s.Name] {
			t.Fatalf("%s was not changed: %+v", s.Name, s)
		}
	}
	refused, least := throttled(w.emulator), bound(sets)
	if refused > 0 {
		t.Errorf("%d calls were refused for want of tokens", refused)
	}
	if took >= most {
		t.Errorf("the changes took %v, want less than %v: the limits allow %v", took, most, least)
	}
	line := fmt.Sprintf("sets=%d throttled=%d seconds=%.0f bound=%.0f", sets, refused, took.Seconds(), least.Seconds())
	if processes > 1 {
		t.Logf("storm: processes=%d %s", processes, line)
		return
	}
	line = "storm: " + line
	t.Log(line, took)
	if *report != "" {
		if err := os.WriteFile(*report, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func throttled(emulator *arm.Server) (n int) {
	for _, q := range emulator.Requests() {
		if q.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}
