package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/policy"
	"trimtab/internal/supply"
	"trimtab/policies"
)

// fetchPatience is how long a start without any policies to go on with waits for its bundle services, restorePatience how
// long for the last good ones.
const (
	fetchPatience   = 30 * time.Second
	restorePatience = 10 * time.Second
)

// supplied is where policies come from. Look is asked before each invocation; stop ends what polls.
type supplied struct {
	shelf *supply.Shelf
	look  paced
	stop  func(context.Context)
	heard shelved
}

// state is how the policies stand: what is in use, and why a bundle is not.
func (s *supplied) state() policyState {
	revision := ""
	if b := s.shelf.Policies(); b != nil {
		revision = b.Revision()
	}
	return s.heard.state(revision)
}

// openSupply puts the policies in use that the configuration names: those of a folder, the embedded ones, or bundles of a
// service. What goes wrong later is told by the log; what goes wrong here is the error, every problem on a line.
func openSupply(ctx context.Context, c *Config, kept any, log *slog.Logger) (*supplied, error) {
	idle := func(context.Context) {}
	// What a folder says at the start is in the error or in the line that says ready.
	var started atomic.Bool
	s := &supplied{look: paced{look: idle, now: time.Now}, stop: idle}
	s.shelf = supply.NewShelf(func(n supply.News) {
		s.heard.hear(n)
		if started.Load() {
			tellNews(ctx, log, n)
		}
	})
	defer started.Store(true)
	switch {
	case c.Bundles != nil:
		started.Store(true)
		return s, s.openServices(ctx, c, kept, log)
	case c.Policies == "":
		if err := supply.NewFolder(s.shelf, "embedded", policies.FS).Look(ctx); err != nil {
			return nil, fmt.Errorf("embedded policies:\n%w", err)
		}
	default:
		folder := supply.NewFolder(s.shelf, c.Policies, os.DirFS(c.Policies))
		if err := folder.Look(ctx); err != nil {
			return nil, fmt.Errorf("policies in %s:\n%w", c.Policies, err)
		}
		// What a later look finds wrong is in the log already, and the last good policies go on.
		s.look.look = func(ctx context.Context) { _ = folder.Look(ctx) }
	}
	return s, nil
}

// openServices begins with the last good bundles, and waits for the services only where there are none.
func (s *supplied) openServices(ctx context.Context, c *Config, kept any, log *slog.Logger) error {
	stores := []supply.Store{supply.Disk{Dir: c.BundleDir}}
	if table, ok := kept.(supply.Store); ok {
		stores = append(stores, table)
	}
	lost := func(name string, err error) {
		log.WarnContext(ctx, "bundle not kept", slog.String("bundle", name), slog.Any("error", err))
	}
	services, err := supply.NewServices(s.shelf, *c.Bundles, c.BundleDir, stores, lost)
	if err != nil {
		return fmt.Errorf("%s: %w", setBundles, err)
	}
	// Each has its time: a table that does not answer must not use up the services'.
	restoring, stop := context.WithTimeout(ctx, restorePatience)
	restored := services.Restore(restoring)
	stop()
	if !restored {
		within, stop := context.WithTimeout(ctx, fetchPatience)
		defer stop()
		if err := services.Fetch(within); err != nil {
			return fmt.Errorf("there is no last good bundle to begin with, and the service gave none:\n%w", err)
		}
	}
	services.Start(ctx)
	s.stop = services.Stop
	return nil
}

// tellNews writes what became of a bundle; a refused one with every problem, file and line.
func tellNews(ctx context.Context, log *slog.Logger, n supply.News) {
	about := []any{
		slog.String("bundle", n.Bundle), slog.String("from", n.From), slog.String("manifest", n.Manifest),
		slog.String("etag", n.ETag), slog.String("revision", n.Revision),
	}
	if n.Problem != nil {
		log.ErrorContext(ctx, "policies refused, the last good go on", append(about, slog.String("problem", n.Problem.Error()))...)
		return
	}
	log.InfoContext(ctx, "policies in use", about...)
}

// renewing is a corridor whose policies may change between two invocations. Each invocation walks through the corridor of
// the policies that were in use when it began; two corridors at once are as two processes to each other.
type renewing struct {
	supplied *supplied
	build    func(*policy.Bundle) (corridor, error)
	log      *slog.Logger

	mu  sync.Mutex
	now atomic.Pointer[running]
}

// running is a corridor with its policies.
type running struct {
	policies *policy.Bundle
	corridor corridor
}

func newRenewing(s *supplied, build func(*policy.Bundle) (corridor, error), log *slog.Logger) (*renewing, error) {
	r := &renewing{supplied: s, build: build, log: log}
	return r, r.renew()
}

// renew builds the corridor of the policies in use, if it is not there yet.
func (r *renewing) renew() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	latest := r.supplied.shelf.Policies()
	if latest == nil {
		return errors.New("there are no policies")
	}
	if old := r.now.Load(); old != nil && old.policies == latest {
		return nil
	}
	c, err := r.build(latest)
	if err != nil {
		return fmt.Errorf("policies %s: %w", latest.Revision(), err)
	}
	r.now.Store(&running{latest, c})
	return nil
}

// current is the corridor for an invocation that begins now.
func (r *renewing) current(ctx context.Context) corridor {
	r.supplied.look.ask(ctx)
	if r.now.Load().policies != r.supplied.shelf.Policies() {
		if err := r.renew(); err != nil {
			r.log.ErrorContext(ctx, "policies not in use", slog.Any("error", err))
		}
	}
	return r.now.Load().corridor
}

func (r *renewing) Ingest(ctx context.Context, batch engine.Batch) (engine.Report, error) {
	return r.current(ctx).Ingest(ctx, batch)
}

func (r *renewing) Sweep(ctx context.Context, invocation string) (engine.Report, error) {
	return r.current(ctx).Sweep(ctx, invocation)
}
