package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/engine"
)

// engineGrace is how much longer than its deadline an engine is waited for: what it calls heeds the deadline, so this is
// for its last steps.
const engineGrace = 5 * time.Second

func serveCommand(h *hall) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the Azure Functions host as its custom handler",
		Long: "Serve the Azure Functions host as its custom handler, until SIGTERM or SIGINT.\n\n" +
			"Settings come from the environment:\n\n" + settingsHelp(),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), h) },
	}
}

// serve builds the real world line by line and opens the port last: the host takes any answer for readiness (facts:
// functions-host 1.3), so nothing may answer before policies are compiled.
func serve(ctx context.Context, h *hall) error {
	begun := time.Now()
	config, err := readConfig(h.environ, true)
	if err != nil {
		// What is wrong with the policies is told as well, so that one look is enough.
		_, policyErr := loadPolicies(ctx, config)
		return cannotStart(errors.Join(err, policyErr))
	}
	house, err := furnish(ctx, h, config)
	if err != nil {
		return cannotStart(err)
	}
	log, bundle := house.log, house.supplied.shelf.Policies()
	doors := newDoors(house, config)
	listener, err := openPort(ctx, config.Port)
	if err != nil {
		return cannotStart(errors.Join(err, house.close()))
	}
	log.InfoContext(ctx, "ready", slog.String("address", listener.Addr().String()), slog.String("version", programVersion()),
		slog.Int("pools", len(bundle.Pools)), slog.String("revision", bundle.Revision()),
		slog.Int64("took_ms", time.Since(begun).Milliseconds()), slog.Any("settings", config))
	return errors.Join(serveDoors(ctx, listener, doors, log), house.close())
}

// leaseOf is how long an intent may wait for its PATCH, by the clock that decisions are made at. The PATCH itself takes
// the wall's time, so where time runs fast two seconds of the wall's must fit.
func leaseOf(c Clock) time.Duration {
	const usual = 90 * time.Second
	if !c.Virtual() {
		return usual
	}
	return max(usual, time.Duration(2*c.Scale*float64(time.Second)))
}

// cannotStart says so on the last line, because the host attaches the last lines of stderr to its own error.
func cannotStart(err error) error {
	return fmt.Errorf("%w\ncannot start, for the reasons above", err)
}

// newLog writes JSON lines to stdout, where the host takes them for information whatever their level.
func newLog(h *hall, config *Config) *slog.Logger {
	return slog.New(slog.NewJSONHandler(h.stdout, &slog.HandlerOptions{Level: config.LogLevel}))
}

// writerName names this process among all that share the ledger.
func writerName() string {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", name, os.Getpid(), rand.Text()[:8])
}

// gate opens the ledger before the first invocation, and again after one that failed. It is not opened at start: storage
// that is down for a minute must not end the process, because after three such ends the host gives up (facts:
// functions-host 1.4), while an invocation that fails comes again.
type gate struct {
	corridor corridor
	open     func(context.Context) error
	opened   atomic.Bool
}

func (g *gate) Ingest(ctx context.Context, batch engine.Batch) (engine.Report, error) {
	return g.pass(ctx, func() (engine.Report, error) { return g.corridor.Ingest(ctx, batch) })
}

func (g *gate) Sweep(ctx context.Context, invocation string) (engine.Report, error) {
	return g.pass(ctx, func() (engine.Report, error) { return g.corridor.Sweep(ctx, invocation) })
}

func (g *gate) pass(ctx context.Context, call func() (engine.Report, error)) (engine.Report, error) {
	if !g.opened.Load() {
		if err := g.open(ctx); err != nil {
			return engine.Report{}, err
		}
		g.opened.Store(true)
	}
	report, err := call()
	if err != nil {
		g.opened.Store(false)
	}
	return report, err
}
