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
	supplied *supplied
}

// furnish builds the real world line by line. Where policies come in bundles it asks for the last good ones, and waits for
// the services where there are none; nothing else here calls a service.
func furnish(ctx context.Context, h *hall, config *Config) (*house, error) {
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
	who := &principal{TokenCredential: credential, told: config.ClientID}
	fleet, err := vmss.New(who, vmss.Options{
		Endpoint: config.ARM.Endpoint, Audience: config.ARM.Audience, Now: config.Clock.Now,
	})
	if err != nil {
		return fail(err)
	}
	supplied, err := openSupply(ctx, config, memory, log)
	if err != nil {
		return fail(err)
	}
	over, trimmed := stream.over(memory), &trims{}
	walk, err := newRenewing(supplied, func(b *policy.Bundle) (corridor, error) {
		eng, err := engine.New(engine.Options{
			Pools: b.Pools, Policy: b, Fleet: fleet, Ledger: over, Now: config.Clock.Now, Writer: writerName(),
			Frozen: config.Freeze, FactsMaxAge: config.FactsMaxAge, Lease: leaseOf(config.Clock), Log: log,
			Self: who.self,
		})
		if err != nil {
			return nil, err
		}
		return &keeper{
			corridor: eng, journal: memory, pools: b.Pools, days: config.JournalDays, now: config.Clock.Now, log: log, trims: trimmed,
		}, nil
	}, log)
	if err != nil {
		supplied.stop(ctx)
		return fail(err)
	}
	return &house{
		log: log, memory: memory, corridor: &gate{corridor: walk, open: memory.Ensure}, stream: stream, supplied: supplied,
	}, nil
}

func (h *house) close() error {
	h.supplied.stop(context.Background())
	h.stream.close()
	return h.memory.Close()
}
