package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// shown is a policy that remembers the last view it was shown.
type shown struct {
	*policy.Bundle
	view *scale.View
}

func (s *shown) Propose(ctx context.Context, v *scale.View) scale.Proposal {
	s.view = v
	return s.Bundle.Propose(ctx, v)
}

// still is scale sets that never change, with a count of what was asked of them.
type still struct{ reads, changes, follows int }

func (f *still) Read(context.Context, string) (scale.Facts, error) {
	f.reads++
	return scale.Facts{
		ReadAt: origin, Capacity: 10, Mix: &scale.Mix{Base: 2, RegularPercent: 25}, ETag: `"1"`, ProvisioningState: "Succeeded",
		Orchestration: scale.Flexible, Spot: true, PlatformMax: 1000, PlatformMaxRule: "scale set",
	}, nil
}

func (f *still) Change(context.Context, string, scale.Change) (scale.Accepted, error) {
	f.changes++
	return scale.Accepted{Done: true}, nil
}

func (f *still) Follow(context.Context, string) (scale.Progress, error) {
	f.follows++
	return scale.Progress{Done: true}, nil
}

// counted is the memory ledger with a count of its calls.
type counted struct {
	*ledger.Memory
	loads, commits int
}

func (c *counted) Load(ctx context.Context, pool string) (scale.Stored, error) {
	c.loads++
	return c.Memory.Load(ctx, pool)
}

func (c *counted) Commit(ctx context.Context, pool string, commit scale.Commit) error {
	c.commits++
	return c.Memory.Commit(ctx, pool, commit)
}

var origin = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// minute is one event of a pool's minute, at a load that asks for what is there.
func minute(set string, sequence int64, at time.Time) engine.Event {
	record := func(name string, v float64) string {
		return fmt.Sprintf(`{"count":4,"total":%g,"minimum":%g,"maximum":%g,"average":%g,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":"PT1M"}`,
			4*v, v, v, v, set, at.Format("2006-01-02T15:04:05.0000000Z"), name)
	}
	body := `{"records":[` + record("Percentage CPU", 60) + "," + record("Requests Per Second", 100) + `]}`
	return engine.Event{Body: []byte(body), Source: scale.Source{
		Hub: "ns/metrics", Partition: "0", Sequence: sequence, Known: true, EnqueuedAt: at.Add(time.Minute),
	}}
}

// decide measures the processor time of one decision of the worked web pool, rails and all.
func (s *suite) decide(ctx context.Context) error {
	bundle, err := policy.Load(ctx, policies.FS)
	if err != nil {
		return err
	}
	seen := &shown{Bundle: bundle}
	e, err := newEngine(bundle.Pools, seen, &still{}, ledger.NewMemory(), func() time.Time { return origin })
	if err != nil {
		return err
	}
	var web *scale.Pool
	for i := range bundle.Pools {
		if bundle.Pools[i].Name == "web" {
			web = &bundle.Pools[i]
		}
	}
	if web == nil {
		return errors.New("there is no pool web")
	}
	b := engine.Batch{Invocation: "bench"}
	for i := range 6 {
		b.Events = append(b.Events, minute(web.ScaleSet, int64(1+i), origin.Add(time.Duration(i-6)*time.Minute)))
	}
	if _, err := e.Ingest(ctx, b); err != nil {
		return err
	}
	if seen.view == nil || seen.view.Signals["cpu"].State != scale.SignalFresh {
		return errors.New("the web pool was not evaluated on fresh signals")
	}
	var times []float64
	for range s.rounds {
		const n = 2000
		before := cpu()
		for range n {
			if p, _ := engine.Redecide(ctx, bundle, seen.view); p.Fault != "" {
				return errors.New(p.Fault)
			}
		}
		times = append(times, (cpu()-before)/n*1e6)
	}
	s.add("decision_cpu", median(times), "us")
	return nil
}

// cpu is the processor time of this process so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func newEngine(pools []scale.Pool, p engine.Policy, f engine.Fleet, l engine.Ledger, now func() time.Time) (*engine.Engine, error) {
	return engine.New(engine.Options{
		Pools: pools, Policy: p, Fleet: f, Ledger: l, Now: now, Writer: "bench", Log: slog.New(slog.DiscardHandler), Workers: 1,
	})
}

// embeddings compares the decision with the same policy in the obvious embedding, asked of OPA's own server over loopback,
// and with the same arithmetic in Go: the benchmarks of the policy room, run in turn. The pool is the worked web pool with
// four signals of thirty buckets each, its split included, and each decision is about inputs that have moved: pools whose
// inputs have not are not evaluated (engine).
func (s *suite) embeddings(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "trimtab-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	test := filepath.Join(dir, "policy.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", test, "./internal/policy")
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	opa := filepath.Join(dir, "opa")
	build = exec.CommandContext(ctx, "go", "build", "-modfile=go.opa.mod", "-o", opa, "github.com/open-policy-agent/opa")
	build.Dir = s.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build opa: %w\n%s", err, out)
	}
	others := []struct{ name, benchmark string }{
		{"decision_vs_embedding", "BenchmarkEmbedding"},
		{"decision_vs_opa_server", "BenchmarkServer"},
		{"decision_vs_plain_go", "BenchmarkPlainGo"},
	}
	ratios := map[string][]float64{}
	for range s.rounds {
		run := exec.CommandContext(ctx, test, "-test.run", "^$", "-test.benchtime", "200ms", "-test.bench", "^Benchmark(Decision|Embedding|Server|PlainGo)$")
		run.Dir = filepath.Join(s.root, "internal", "policy")
		run.Env = append(os.Environ(), "TRIMTAB_BENCH_OPA="+opa)
		out, err := run.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		times := benchmarks(out)
		decision := times["BenchmarkDecision"]
		for _, other := range others {
			if decision == 0 || times[other.benchmark] == 0 {
				return fmt.Errorf("no figure for %s in\n%s", other.name, out)
			}
			ratios[other.name] = append(ratios[other.name], decision/times[other.benchmark])
		}
	}
	for _, other := range others {
		s.add(other.name, median(ratios[other.name]), "ratio")
	}
	return nil
}

// benchmarks reads the nanoseconds of each benchmark from go test's output.
func benchmarks(out []byte) map[string]float64 {
	times := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "ns/op" {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "-")
		if ns, err := strconv.ParseFloat(fields[2], 64); err == nil {
			times[name] = ns
		}
	}
	return times
}

// calls counts what one batch of a hundred events for a hundred pools costs when nothing changes.
func (s *suite) calls(ctx context.Context) error {
	bundle, err := policy.Load(ctx, policies.FS)
	if err != nil {
		return err
	}
	var pools []scale.Pool
	for i := range 100 {
		p := bundle.Pools[len(bundle.Pools)-1]
		p.Name = fmt.Sprintf("p%03d", i)
		p.ScaleSet += p.Name
		p.Mode = scale.Enforce
		p.Signals = append([]scale.Signal(nil), p.Signals...)
		for j := range p.Signals {
			p.Signals[j].Resource = lower(p.ScaleSet)
		}
		pools = append(pools, p)
	}
	now := origin
	sets, rows := &still{}, &counted{Memory: ledger.NewMemory()}
	e, err := newEngine(pools, bundle, sets, rows, func() time.Time { return now })
	if err != nil {
		return err
	}
	for round := range 4 {
		b := engine.Batch{Invocation: fmt.Sprint("bench", round)}
		for i, p := range pools {
			b.Events = append(b.Events, minute(p.ScaleSet, int64(1+100*round+i), now.Add(-time.Minute)))
		}
		if round == 1 {
			// The first batch reads the facts; from here on nothing changes and they are fresh.
			*sets, rows.loads, rows.commits = still{}, 0, 0
		}
		if _, err := e.Ingest(ctx, b); err != nil {
			return err
		}
		now = now.Add(time.Minute)
	}
	s.add("table_calls_per_pool_batch", float64(rows.loads+rows.commits)/300, "calls")
	s.add("arm_calls_idle", float64(sets.reads+sets.changes+sets.follows), "calls")
	return nil
}
