package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// sweeping is a corridor that does nothing.
type sweeping struct{}

func (sweeping) Ingest(context.Context, engine.Batch) (engine.Report, error) {
	return engine.Report{}, nil
}

func (sweeping) Sweep(context.Context, string) (engine.Report, error) { return engine.Report{}, nil }

// counting remembers what it was asked to trim.
type counting struct {
	pools   map[string]int
	letters int
	before  time.Time
	err     error
}

func (c *counting) Trim(_ context.Context, pool string, before time.Time, _ int) (int, error) {
	c.pools[pool]++
	c.before = before
	return 1, c.err
}

func (c *counting) TrimLetters(_ context.Context, before time.Time, _ int) (int, error) {
	c.letters++
	c.before = before
	return 1, c.err
}

func TestEveryJournalIsTrimmedWithinAnHourOfSweeps(t *testing.T) {
	now := time.Date(2026, 5, 31, 9, 0, 0, 0, time.UTC)
	for _, n := range []int{0, 1, 2, 7, 59, 60, 61, 1000} {
		var pools []scale.Pool
		for i := range n {
			pools = append(pools, scale.Pool{Name: string(rune('a'+i%26)) + time.Duration(i).String()})
		}
		journal := &counting{pools: map[string]int{}, err: errors.New("storage is down")}
		k := &keeper{
			corridor: sweeping{}, journal: journal, pools: pools, days: 30, now: func() time.Time { return now },
			log: slog.New(slog.DiscardHandler), trims: &trims{},
		}
		calls := 0
		for range trimRound + 1 {
			if _, err := k.Sweep(t.Context(), "i"); err != nil {
				t.Fatalf("%d pools: a trim that fails failed the sweep: %v", n, err)
			}
		}
		for _, times := range journal.pools {
			calls += times
		}
		if journal.letters != 1 {
			t.Errorf("%d pools: dead letters were trimmed %d times", n, journal.letters)
		}
		if len(journal.pools) != n {
			t.Errorf("%d pools: %d were trimmed", n, len(journal.pools))
		}
		if calls > 2*n+20 {
			t.Errorf("%d pools: %d trims in an hour", n, calls)
		}
		if want := now.AddDate(0, 0, -30); !journal.before.Equal(want) {
			t.Errorf("trimmed before %v, want %v", journal.before, want)
		}
	}
}
