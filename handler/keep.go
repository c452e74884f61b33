package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

const (
	// trimRound is within how many sweeps every pool's journal is trimmed once, and the dead letters: with a sweep each
	// minute, an hour.
	trimRound = 60
	// trimMost bounds how many entries or letters one trim deletes. A pool that is evaluated for each of 32 partitions each minute
	// adds 1,920 in an hour.
	trimMost = 4000
)

// trimmer deletes old entries of a journal, and old dead letters.
type trimmer interface {
	Trim(ctx context.Context, pool string, before time.Time, max int) (int, error)
	TrimLetters(ctx context.Context, before time.Time, max int) (int, error)
}

// keeper is a corridor whose sweeps also trim the journal, a share of the pools at a time, and the dead letters. A trim that fails is tried
// again an hour later; it never fails a sweep.
type keeper struct {
	corridor
	journal trimmer
	pools   []scale.Pool
	days    int
	now     func() time.Time
	log     *slog.Logger
	*trims
}

// trims counts sweeps, across corridors that follow each other.
type trims struct {
	mu   sync.Mutex
	next int
}

func (k *keeper) Sweep(ctx context.Context, invocation string) (engine.Report, error) {
	report, err := k.corridor.Sweep(ctx, invocation)
	if err != nil {
		return report, err
	}
	before := k.now().AddDate(0, 0, -k.days)
	pools, letters := k.share()
	for _, pool := range pools {
		if ctx.Err() != nil {
			break
		}
		n, err := k.journal.Trim(ctx, pool, before, trimMost)
		if err != nil {
			k.log.WarnContext(ctx, "journal not trimmed", slog.String("pool", pool), slog.Any("error", err))
		} else if n > 0 {
			k.log.InfoContext(ctx, "journal trimmed", slog.String("pool", pool), slog.Int("entries", n))
		}
	}
	if letters && ctx.Err() == nil {
		n, err := k.journal.TrimLetters(ctx, before, trimMost)
		if err != nil {
			k.log.WarnContext(ctx, "dead letters not trimmed", slog.Any("error", err))
		} else if n > 0 {
			k.log.InfoContext(ctx, "dead letters trimmed", slog.Int("letters", n))
		}
	}
	return report, nil
}

// share is the pools whose turn it is, and whether it is that of the dead letters: halfway through a round, because the
// only pool of a few has its turn at the end.
func (k *keeper) share() (names []string, letters bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next++
	letters = k.next%trimRound == trimRound/2
	if len(k.pools) == 0 {
		return nil, letters
	}
	turns := (len(k.pools) + trimRound - 1) / trimRound
	// With fewer pools than sweeps in a round, some sweeps trim nothing.
	idle := max(1, trimRound/len(k.pools))
	if len(k.pools) < trimRound && k.next%idle != 0 {
		return nil, letters
	}
	first := k.next / idle * turns
	for i := range turns {
		names = append(names, k.pools[(first+i)%len(k.pools)].Name)
	}
	return names, letters
}
