package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"trimtab/internal/policy"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// replays measures a closed loop of thirty days of minutes over one pool with four signals on one core, the loop of a
// policy's author over seven days, several pools at once, and decisions in an open loop.
func (s *suite) replays(ctx context.Context) error {
	bundle, err := policy.Load(ctx, policies.FS)
	if err != nil {
		return err
	}
	subject := replay.Policy{Name: "web", Kind: replay.Candidate, Policy: bundle}
	for i := range bundle.Pools {
		if bundle.Pools[i].Name == "web" {
			subject.Pool = bundle.Pools[i]
		}
	}
	if subject.Pool.Name == "" {
		return fmt.Errorf("there is no pool web")
	}
	subject.Pool.Signals = append([]scale.Signal(nil), subject.Pool.Signals...)
	for i := len(subject.Pool.Signals); i < 4; i++ {
		more := subject.Pool.Signals[0]
		more.Name, more.Metric = fmt.Sprintf("cpu%d", i), fmt.Sprintf("percentage cpu %d", i)
		subject.Pool.Signals = append(subject.Pool.Signals, more)
	}
	run := func(days, pools, workers int) (float64, *replay.Result, error) {
		shape, err := trace.ParseShape(fmt.Sprintf("weekly,days=%d", days))
		if err != nil {
			return 0, nil, err
		}
		begun := time.Now()
		r, err := replay.ClosedLoop(ctx, replay.Options{
			Policies: alike(subject, pools), Baselines: []string{}, Traces: []*trace.Series{shape.Generate()}, World: replay.DefaultWorld(),
			First: 1, Workers: workers,
		})
		return time.Since(begun).Seconds(), r, err
	}
	procs := runtime.GOMAXPROCS(1)
	before := cpu()
	month, _, err := run(30, 1, 1)
	runtime.GOMAXPROCS(procs)
	if err != nil {
		return err
	}
	s.add("replay_30d", month, "s")
	s.add("replay_30d_cpu", cpu()-before, "s")
	week, r, err := run(7, 1, procs)
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := json.Marshal(r); err != nil {
		return err
	}
	s.add("replay_7d_author", week+time.Since(begun).Seconds(), "s")
	// On one core the time is to grow as the pools do; on all cores they share it.
	for _, pools := range []int{1, 2, 8, 32} {
		for _, workers := range []int{1, procs} {
			took, _, err := run(1, pools, workers)
			if err != nil {
				return err
			}
			name := fmt.Sprintf("replay_pool_days_%d_pools", pools)
			if workers > 1 {
				name += "_parallel"
			}
			s.add(name, float64(pools)/took, "1/s")
			if workers == procs {
				break
			}
		}
	}
	return s.redecisions(ctx, subject, procs)
}

// alike are so many pools of one kind, each with a name and a scale set of its own.
func alike(subject replay.Policy, n int) (all []replay.Policy) {
	for i := range n {
		p := subject
		p.Name = fmt.Sprintf("%s %d", subject.Name, i+1)
		p.Pool.Name, p.Pool.ScaleSet = fmt.Sprintf("%s%d", subject.Pool.Name, i+1), fmt.Sprintf("%s%d", subject.Pool.ScaleSet, i+1)
		p.Pool.Signals = append([]scale.Signal(nil), subject.Pool.Signals...)
		for k := range p.Pool.Signals {
			p.Pool.Signals[k].Resource += fmt.Sprint(i + 1)
		}
		all = append(all, p)
	}
	return all
}

// redecisions measures how many recorded decisions are made again in a second.
func (s *suite) redecisions(ctx context.Context, subject replay.Policy, procs int) error {
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	known := scale.SignalView{State: scale.SignalFresh, Average: 60_000, Demand: 600_000, HasDemand: true, HasValue: true, Value: 60_000}
	var entries []scale.Entry
	for i := range 2000 {
		view := scale.View{
			Version: scale.ViewVersion, Now: at.Add(time.Duration(i) * time.Minute), Pool: "web", Policy: "web", Mode: scale.Observe,
			Orchestration: scale.Flexible, Rails: subject.Pool.Rails, Settings: subject.Pool.Settings, FactsMaxAgeSeconds: 300,
			Signals: map[string]scale.SignalView{},
		}
		view.Facts = scale.Facts{ReadAt: view.Now, Capacity: 10, ETag: `"1"`, ProvisioningState: "Succeeded", Orchestration: scale.Flexible}
		known.Demand = scale.Milli(500_000 + 100*i)
		for _, signal := range subject.Pool.Signals {
			view.Signals[signal.Name] = known
		}
		entries = append(entries, scale.Entry{Version: scale.EntryVersion, Key: fmt.Sprint(i), Pool: "web", At: view.Now, View: view})
	}
	for _, by := range []struct {
		name    string
		workers int
	}{{"replay_decisions", 1}, {"replay_decisions_parallel", procs}} {
		begun := time.Now()
		if _, err := replay.OpenLoop(ctx, []replay.Policy{subject}, entries, true, by.workers); err != nil {
			return err
		}
		s.add(by.name, float64(len(entries))/time.Since(begun).Seconds(), "1/s")
	}
	return nil
}
