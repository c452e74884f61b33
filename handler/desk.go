package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/scale"
)

// reading is a ledger as the desk reads it.
type reading interface {
	Entries(ctx context.Context, pool string, before time.Time, n int) ([]scale.Entry, error)
	Pools(ctx context.Context) ([]string, error)
	DeadLetters(ctx context.Context, n int) ([]scale.DeadLetter, error)
	Close() error
}

// openReading opens the ledger that the environment names for reading, beside a handler that may be writing to it.
func openReading(c *Config) (reading, error) {
	switch c.Ledger.Kind {
	case InMemory:
		return nil, fmt.Errorf("%s=memory: a ledger in another process's memory cannot be read; right would be table or file:DIR", setLedger)
	case InFile:
		file, err := ledger.OpenFileReader(c.Ledger.Dir)
		if err != nil {
			return nil, err
		}
		return file, nil
	}
	m, err := openAtDesk(c)
	if err != nil {
		return nil, err
	}
	table, ok := m.(tableMemory)
	if !ok {
		return nil, errors.New("no ledger to read")
	}
	return table, nil
}

// openAtDesk opens the ledger for a command that writes.
func openAtDesk(c *Config) (memory, error) {
	credential, err := newCredential(c)
	if err != nil {
		return nil, err
	}
	return openLedger(c, credential)
}

// deskConfig reads the environment for a command that serves nobody.
func deskConfig(h *hall) (*Config, error) {
	config, err := readConfig(h.environ, false)
	if err != nil {
		return nil, cannotStart(err)
	}
	return config, nil
}

// openDesk opens the ledger that the environment names, for a command that only reads.
func openDesk(h *hall) (reading, error) {
	config, err := deskConfig(h)
	if err != nil {
		return nil, err
	}
	return openReading(config)
}

// unknownPool says which pools there are.
func unknownPool(ctx context.Context, l reading, name string) error {
	pools, err := l.Pools(ctx)
	if err != nil {
		return fmt.Errorf("pool %q has no entries; the pools that have could not be listed: %w", name, err)
	}
	if len(pools) == 0 {
		return fmt.Errorf("pool %q has no entries, and no other pool has: nothing was evaluated yet", name)
	}
	slices.Sort(pools)
	return fmt.Errorf("pool %q has no entries; these pools have: %s", name, strings.Join(pools, ", "))
}
