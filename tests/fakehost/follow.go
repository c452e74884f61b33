package fakehost

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// Feed from a hub: how the extension for Event Hubs reads.
const (
	// gathering is how long the extension's batch waits for more once it has one event.
	gathering = 5 * time.Millisecond
	// sharing is the time between two rounds in which hosts share out partitions; the platform's is 30 seconds.
	sharing = 200 * time.Millisecond
)

// Follow reads a real hub for a function until ctx ends, as the host's extension does: partitions are shared with whoever
// else uses the store, the batches of one come one at a time and those of several side by side, and a batch is
// checkpointed whatever became of it, unless the host stops or the partition is lost (facts: functions-host 4.1, 4.3).
// Client and store are those that other hosts of the app use too.
func (h *Host) Follow(ctx context.Context, function string, client *azeventhubs.ConsumerClient, store azeventhubs.CheckpointStore) error {
	if _, err := h.function(function, "eventHubTrigger"); err != nil {
		return err
	}
	start := azeventhubs.StartPosition{Earliest: to.Ptr(true)}
	switch strings.ToLower(h.app.InitialOffset) {
	case "fromend":
		start = azeventhubs.StartPosition{Latest: to.Ptr(true)}
	case "fromenqueuedtime":
		start = azeventhubs.StartPosition{EnqueuedTime: &h.app.InitialAt, Inclusive: true}
	}
	processor, err := azeventhubs.NewProcessor(client, store, &azeventhubs.ProcessorOptions{
		LoadBalancingStrategy: azeventhubs.ProcessorStrategyGreedy, UpdateInterval: sharing,
		PartitionExpirationDuration: 10 * sharing, StartPositions: azeventhubs.StartPositions{Default: start},
	})
	if err != nil {
		return err
	}
	var partitions sync.WaitGroup
	partitions.Go(func() {
		for {
			p := processor.NextPartitionClient(ctx)
			if p == nil {
				return
			}
			partitions.Go(func() { h.own(ctx, function, p) })
		}
	})
	err = processor.Run(ctx)
	partitions.Wait()
	return err
}

// own delivers one partition until it is lost, the host is gone or ctx ends.
func (h *Host) own(ctx context.Context, function string, p *azeventhubs.ProcessorPartitionClient) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = p.Close(ctx)
	}()
	for {
		received, err := h.receive(ctx, p)
		if err != nil {
			return
		}
		events := make([]Event, len(received))
		for i, r := range received {
			events[i] = Event{Body: r.Body, Sequence: r.SequenceNumber, Offset: r.Offset, Properties: r.Properties}
			if r.EnqueuedTime != nil {
				events[i].EnqueuedAt = *r.EnqueuedTime
			}
			if r.PartitionKey != nil {
				events[i].Key = *r.PartitionKey
			}
		}
		result, err := h.Deliver(ctx, function, p.PartitionID(), events)
		if err != nil || ctx.Err() != nil {
			return
		}
		if !result.Checkpointed {
			continue
		}
		if err := p.UpdateCheckpoint(ctx, received[len(received)-1], nil); err != nil && ctx.Err() == nil {
			h.fault("checkpoint of partition %s: %v", p.PartitionID(), err)
		}
	}
}

// receive waits for an event and takes along what is there.
func (h *Host) receive(ctx context.Context, p *azeventhubs.ProcessorPartitionClient) ([]*azeventhubs.ReceivedEventData, error) {
	events, err := p.ReceiveEvents(ctx, 1, nil)
	if err != nil || h.app.MaxEventBatchSize == 1 {
		return events, err
	}
	short, cancel := context.WithTimeout(ctx, gathering)
	defer cancel()
	more, err := p.ReceiveEvents(short, h.app.MaxEventBatchSize-1, nil)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return events, ctx.Err()
	}
	return append(events, more...), nil
}
