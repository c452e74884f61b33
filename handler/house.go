package main

import (
	"context"
	"errors"
	"log/slog"

	"trimtab/internal/engine"
	"trimtab/internal/policy"
	"trimtab/internal/vmss"
)

// house is the rooms put together, for a command that takes events.
type house struct {
	log    *slog.Logger
	memory memory
	// corridor is what a door leads to: the engine, behind what opens the ledger and trims its journal.
	corridor corridor
	stream   *decisions
}

// furnish builds the real world line by line, without a call to any service.
func furnish(ctx context.Context, h *hall, config *Config, bundle *policy.Bundle) (*house, error) {
	log := newLog(h, config)
	slog.SetDefault(log)
	credential, err := newCredential(config)
	if err != nil {
		return nil, err
	}
	memory, err := openLedger(config, credential)
	if err != nil {
		return nil, err
	}
	stream, err := openStream(ctx, h.environ, credential, log)
	fail := func(err error) (*house, error) {
		stream.close()
		return nil, errors.Join(err, memory.Close())
	}
	if err != nil {
		return fail(err)
	}
	fleet, err := vmss.New(credential, vmss.Options{
		Endpoint: config.ARM.Endpoint, Audience: config.ARM.Audience, Now: config.Clock.Now,
	})
	if err != nil {
		return fail(err)
	}
	eng, err := engine.New(engine.Options{
		Pools: bundle.Pools, Policy: bundle, Fleet: fleet, Ledger: stream.over(memory), Now: config.Clock.Now, Writer: writerName(),
		Frozen: config.Freeze, FactsMaxAge: config.FactsMaxAge, Lease: leaseOf(config.Clock), Log: log,
		Self: selfOf(config),
	})
	if err != nil {
		return fail(err)
	}
	kept := &keeper{
		corridor: eng, journal: memory, pools: bundle.Pools, days: config.JournalDays, now: config.Clock.Now, log: log,
	}
	return &house{log: log, memory: memory, corridor: &gate{corridor: kept, open: memory.Ensure}, stream: stream}, nil
}

func (h *house) close() error {
	h.stream.close()
	return h.memory.Close()
}
