package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/engine"
	"trimtab/internal/hub"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// takeDrain is how long a batch in hand may take after an order to shut down; an orchestrator gives 30 seconds in all.
const takeDrain = 15 * time.Second

func consumeCommand(h *hall) *cobra.Command {
	return &cobra.Command{
		Use:   "consume",
		Short: "Follow the event hub without a Functions host, as one of any number of processes",
		Long: "Follow the event hub without a Functions host, as one of any number of processes that share its partitions,\n" +
			"until SIGTERM or SIGINT. It sweeps by itself, and answers /livez, /readyz and /status.\n\n" +
			"The hub is named by the settings of the host's trigger: " + setHubString + " (a connection string) or\n" +
			setHubNamespace + " (by identity), " + setHubName + " and " + setGroup + ".\n\n" +
			"Settings come from the environment:\n\n" + settingsHelp(),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return consume(cmd.Context(), h) },
	}
}

// consume builds the real world, opens the port of health, and follows the hub until ctx ends.
func consume(ctx context.Context, h *hall) error {
	begun := time.Now()
	config, err := readConfig(h.environ, false)
	if err != nil {
		return cannotStart(err)
	}
	credential, err := newCredential(config)
	if err != nil {
		return cannotStart(err)
	}
	f, err := readFollowing(h.environ, credential)
	if err != nil {
		return cannotStart(err)
	}
	house, err := furnish(ctx, h, config)
	if err != nil {
		return cannotStart(err)
	}
	bundle := house.supplied.shelf.Policies()
	in := newIntake(house, config, f)
	consumer, err := hub.NewConsumer(in.options(ctx, f))
	if err != nil {
		return cannotStart(errors.Join(err, house.close()))
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.health)
	if err != nil {
		return cannotStart(errors.Join(fmt.Errorf("%s: %w", setHealth, err), house.close()))
	}
	house.log.InfoContext(ctx, "following", slog.String("address", listener.Addr().String()), slog.String("version", programVersion()),
		slog.String("instance", in.instance), slog.Int("pools", len(bundle.Pools)), slog.String("revision", bundle.Revision()),
		slog.Int64("took_ms", time.Since(begun).Milliseconds()), slog.Any("settings", config), slog.Any("following", slog.GroupValue(f.shown...)))

	probes := &probes{state: consumer.State, policies: house.supplied.state, expiry: f.expiry, since: begun, now: time.Now}
	var running sync.WaitGroup
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var served error
	running.Go(func() { served = serveDoors(serving, listener, probes, house.log) })
	running.Go(func() { in.sweep(ctx, f.sweepEvery) })
	consumer.Run(ctx)
	house.log.InfoContext(ctx, "partitions are handed over")
	stop()
	running.Wait()
	return errors.Join(served, house.close())
}

// intake takes batches of the consumer to the engine.
type intake struct {
	*house
	// doors lends its way of calling the engine: with a deadline, and with a panic turned into an error.
	doors    *doors
	source   string
	instance string
	deadline time.Duration
	rescue   *rescue
}

func newIntake(h *house, config *Config, f *following) *intake {
	in := &intake{
		house: h, doors: newDoors(h, config), source: strings.ToLower(f.hub.Name()), instance: writerName(), deadline: config.Deadline,
	}
	in.rescue = newRescue(in.ingest, h, config.Clock.Now)
	return in
}

func (in *intake) options(ctx context.Context, f *following) hub.ConsumerOptions {
	return hub.ConsumerOptions{
		Hub: f.hub, Group: f.group, Checkpoints: f.marks, Instance: in.instance, Start: f.start, Size: f.batch, Expiry: f.expiry,
		CheckpointEvery: f.marksEvery, Drain: takeDrain, Take: in.take, Now: time.Now,
		Tell: func(n hub.Note) { tellNote(ctx, in.log, "hub", n) },
	}
}

// take has a batch decided. Whatever the error, the batch comes again: only trouble with the ledger, or a fault of ours,
// makes one.
func (in *intake) take(ctx context.Context, b hub.Batch) error {
	begun := time.Now()
	batch := in.batch(b.Partition, b.Events)
	report, err := in.rescue.take(ctx, batch)
	log := in.log.With(slog.String("invocation", batch.Invocation), slog.String("source", in.source+"/"+b.Partition),
		slog.Int64("first_sequence", b.Events[0].Sequence), slog.Int64("last_sequence", b.Events[len(b.Events)-1].Sequence),
		slog.Int64("took_ms", time.Since(begun).Milliseconds()))
	if err != nil {
		// The consumer tells of it too, and tries again.
		return err
	}
	log.LogAttrs(ctx, slog.LevelInfo, "batch decided", reportAttrs(report)...)
	return nil
}

func (in *intake) ingest(ctx context.Context, batch engine.Batch) (engine.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, in.deadline)
	defer cancel()
	return in.doors.await(ctx, func(ctx context.Context) (engine.Report, error) { return in.corridor.Ingest(ctx, batch) })
}

// batch makes the engine's batch. Its name is made of what it holds, so that a batch that comes again to another process
// has the same.
func (in *intake) batch(partition string, events []hub.Event) engine.Batch {
	out := engine.Batch{Invocation: fmt.Sprintf("consume-%s-%d", partition, events[0].Sequence), Events: make([]engine.Event, len(events))}
	for i, e := range events {
		out.Events[i] = engine.Event{
			Source: scale.Source{Hub: in.source, Partition: partition, Sequence: e.Sequence, Known: true, EnqueuedAt: e.EnqueuedAt},
			Body:   e.Body, Properties: metric.PropertiesOf(e.Properties, e.System),
		}
	}
	return out
}

// sweep sweeps over and over until ctx ends. Several processes may do so at once; each leaves alone what another has just
// looked at.
func (in *intake) sweep(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		begun := time.Now()
		working, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.deadline)
		report, err := in.doors.await(working, func(ctx context.Context) (engine.Report, error) {
			return in.corridor.Sweep(ctx, fmt.Sprintf("sweep-%d", n))
		})
		cancel()
		log := in.log.With(slog.Int64("took_ms", time.Since(begun).Milliseconds()))
		if err != nil {
			log.ErrorContext(ctx, "sweep failed, the next comes", slog.Any("error", err))
			continue
		}
		log.LogAttrs(ctx, slog.LevelInfo, "sweep decided", reportAttrs(report)...)
	}
}
