package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// atRest measures the processor time of a sweep over the worked web pool while it is at rest, beside that of a batch that
// touches it: the former reads, and asks no policy and stores nothing.
func (s *suite) atRest(ctx context.Context) error {
	bundle, err := policy.Load(ctx, policies.FS)
	if err != nil {
		return err
	}
	var pools []scale.Pool
	for _, p := range bundle.Pools {
		if p.Name == "web" {
			pools = append(pools, p)
		}
	}
	if len(pools) != 1 {
		return errors.New("there is no pool web")
	}
	now := origin
	fleet, memory := &still{}, &counted{Memory: ledger.NewMemory()}
	e, err := newEngine(pools, bundle, fleet, memory, func() time.Time { return now })
	if err != nil {
		return err
	}
	sequence := int64(0)
	touch := func() error {
		sequence++
		now = now.Add(time.Minute)
		_, err := e.Ingest(ctx, engine.Batch{Invocation: "bench", Events: []engine.Event{minute(pools[0].ScaleSet, sequence, now.Add(-time.Minute))}})
		return err
	}
	var touched, rested []float64
	for range s.rounds {
		const n = 300
		before := cpu()
		for range n {
			if err := touch(); err != nil {
				return err
			}
		}
		touched = append(touched, (cpu()-before)/n*1e6)
		now = now.Add(50 * time.Second)
		stored := memory.commits
		before = cpu()
		for range n {
			if _, err := e.Sweep(ctx, "bench"); err != nil {
				return err
			}
		}
		rested = append(rested, (cpu()-before)/n*1e6)
		if wrote := memory.commits - stored; wrote != 0 {
			return fmt.Errorf("%d sweeps over a pool at rest stored %d times", n, wrote)
		}
	}
	s.add("batch_touched", median(touched), "us")
	s.add("sweep_at_rest", median(rested), "us")
	return nil
}
