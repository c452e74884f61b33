package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// panicsBorne is how often one batch may make the engine panic before its events are taken one by one. It must be less
// than the host tries a batch: after the last try it moves on, and the batch is gone. A test compares it with
// function.json.
const panicsBorne = 3

// rescue keeps a fault of ours from stopping a partition, or from losing what it concerns: a batch that makes the engine
// panic over and over is taken event by event, and the event that does so becomes a dead letter.
type rescue struct {
	// ingest takes a batch to the engine, and turns a panic into an error that panicked knows.
	ingest func(context.Context, engine.Batch) (engine.Report, error)
	keep   func(context.Context, []scale.DeadLetter) error
	now    func() time.Time
	log    *slog.Logger

	mu     sync.Mutex
	panics map[string]int
}

func newRescue(ingest func(context.Context, engine.Batch) (engine.Report, error), h *house, now func() time.Time) *rescue {
	return &rescue{ingest: ingest, keep: h.memory.Keep, now: now, log: h.log, panics: map[string]int{}}
}

// take has a batch decided. Whatever the error, the batch is to come again. What a batch taken event by event reports is
// its events, its pools and its dead letters; the log has the rest of each event.
func (r *rescue) take(ctx context.Context, b engine.Batch) (engine.Report, error) {
	report, err := r.ingest(ctx, b)
	if len(b.Events) == 0 {
		return report, err
	}
	partition := b.Events[0].Source.Hub + "/" + b.Events[0].Source.Partition
	if panicked(err) && r.count(partition) >= panicsBorne {
		report, err = r.singly(ctx, b)
	}
	if err == nil {
		r.forget(partition)
	}
	return report, err
}

// singly takes events one by one, and keeps the one that makes the engine panic as a dead letter.
func (r *rescue) singly(ctx context.Context, b engine.Batch) (engine.Report, error) {
	var total engine.Report
	for i := range b.Events {
		e := &b.Events[i]
		one, err := r.ingest(ctx, engine.Batch{Invocation: fmt.Sprintf("%s-%d", b.Invocation, i), Events: b.Events[i : i+1]})
		log := r.log.With(slog.String("invocation", b.Invocation), slog.String("source", e.Source.Hub+"/"+e.Source.Partition),
			slog.Int64("sequence", e.Source.Sequence))
		if panicked(err) {
			log.ErrorContext(ctx, "event kept as a dead letter after a panic", slog.Any("error", err))
			beside := e.Properties.Kept()
			one = engine.Report{Events: 1, DeadLetters: 1}
			err = r.keep(ctx, []scale.DeadLetter{{
				Source: e.Source, ReceivedAt: r.now(), Body: e.Body, Application: beside.Application, System: beside.System,
				Rejections: []scale.Rejection{{Reason: "panic", Detail: err.Error()}},
			}})
		} else if err == nil {
			log.LogAttrs(ctx, slog.LevelInfo, "event decided alone", reportAttrs(one)...)
		}
		if err != nil {
			return total, err
		}
		total.Events += one.Events
		total.DeadLetters += one.DeadLetters
		total.Pools = append(total.Pools, one.Pools...)
	}
	return total, nil
}

// panicked reports whether an error stands for a panic of the engine's.
func panicked(err error) bool {
	var no *refusal
	return errors.As(err, &no)
}

func (r *rescue) count(partition string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.panics[partition]++
	return r.panics[partition]
}

func (r *rescue) forget(partition string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.panics, partition)
}
