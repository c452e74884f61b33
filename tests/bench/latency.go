package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"trimtab/tests/broker"
	"trimtab/tests/consume"
)

const (
	// eventsPerSecond is the load, one sample an event, over so many partitions; busy are the pools that most of it is for.
	eventsPerSecond = 1000
	latencyParts    = 8
	busy            = 20
	// triggersPerRound are the events of a round that each make one pool grow, so many a second.
	triggersPerRound  = 80
	triggersPerSecond = 20
)

// latency measures the time from an event's arrival at the broker until Resource Manager has the PATCH that it leads to:
// broker, `trimtab consume`, memory ledger and emulator on loopback, warm, under load. It is reported for each round, and
// the median over rounds is the figure.
func (s *suite) latency(ctx context.Context) (err error) {
	binary, err := filepath.Abs(filepath.Join(s.root, "bin", "trimtab"))
	if err != nil {
		return err
	}
	w, err := consume.Open(ctx, consume.Options{
		Root: s.root, Binary: binary, Partitions: latencyParts, Memory: true, Clones: busy + s.rounds*triggersPerRound,
		// One bucket, so that one event can tip a pool.
		Change: map[string]string{`"window_seconds": 300`: `"window_seconds": 60`},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	p, err := w.Start("consume")
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := s.warm(ctx, w); err != nil {
		return fmt.Errorf("%w\n%s", err, p.Stderr())
	}
	var p50, p99 []float64
	for round := range s.rounds {
		first := busy + round*triggersPerRound
		sent, err := drive(ctx, w, first)
		if err != nil {
			return err
		}
		times, err := patched(ctx, w, first, sent)
		if err != nil {
			return err
		}
		slices.Sort(times)
		p50 = append(p50, quantile(times, 0.50))
		p99 = append(p99, quantile(times, 0.99))
	}
	s.add("event_to_patch_p50", median(p50), "ms")
	s.add("event_to_patch_p99", median(p99), "ms")
	return nil
}

// warm sends each pool a calm sample and waits until its facts have been read.
func (s *suite) warm(ctx context.Context, w *consume.World) error {
	deadline := time.Now().Add(time.Minute)
	for again := 0; ; again++ {
		read := map[string]bool{}
		for _, q := range w.ARM.Requests() {
			if q.Method == "GET" && strings.Contains(strings.ToLower(q.Path), "/virtualmachinescalesets/web-c") {
				read[strings.ToLower(strings.Split(q.Path, "?")[0])] = true
			}
		}
		if len(read) >= w.Clones {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("facts of %d of %d sets were read within a minute", len(read), w.Clones)
		}
		for i := range w.Clones {
			if again%10 == 0 && !read[strings.ToLower(consume.CloneSet(i))] {
				put(w, i, i, 60)
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// put appends an event for a pool to the partition whose turn it is, and returns when it arrived.
func put(w *consume.World, turn, pool int, percent float64) time.Time {
	now := time.Now()
	part := w.Broker.Partitions(consume.Hub)[turn%latencyParts]
	w.Broker.Append(consume.Hub, part, broker.Event{Body: consume.Sample(consume.CloneSet(pool), now.UTC().Add(-time.Second), percent)})
	return now
}

// drive sends a round's load and triggers at their pace, and returns when each trigger was sent.
func drive(ctx context.Context, w *consume.World, first int) ([]time.Time, error) {
	const every = eventsPerSecond / triggersPerSecond
	sent := make([]time.Time, 0, triggersPerRound)
	begun := time.Now()
	for n := 0; len(sent) < triggersPerRound; n++ {
		if wait := time.Until(begun.Add(time.Duration(n) * time.Second / eventsPerSecond)); wait > 0 {
			time.Sleep(wait)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if n%every == every-1 {
			// The newest of two samples is what the mean is made of: high enough, it tips the pool.
			sent = append(sent, put(w, n, first+len(sent), 400))
		} else {
			put(w, n, n%busy, 60)
		}
	}
	return sent, nil
}

// patched waits for the PATCH of each trigger and returns how many milliseconds each took.
func patched(ctx context.Context, w *consume.World, first int, sent []time.Time) ([]float64, error) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		at := map[string]time.Time{}
		for _, q := range w.ARM.Requests() {
			if q.Method == "PATCH" && q.Applied {
				at[strings.ToLower(strings.Split(q.Path, "?")[0])] = q.At
			}
		}
		var times []float64
		for i, from := range sent {
			if to, ok := at[strings.ToLower(consume.CloneSet(first+i))]; ok {
				times = append(times, float64(to.Sub(from).Microseconds())/1e3)
			}
		}
		if len(times) == len(sent) {
			return times, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, fmt.Errorf("%d of %d pools were changed within 20 s", len(times), len(sent))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// quantile is the value below which that share of sorted values lies.
func quantile(sorted []float64, share float64) float64 {
	return sorted[int(math.Ceil(share*float64(len(sorted))))-1]
}
