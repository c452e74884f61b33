package fakehost

import (
	"context"
	"errors"
	"fmt"
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
	shared := &registry{CheckpointStore: store}
	processor, err := azeventhubs.NewProcessor(client, shared, &azeventhubs.ProcessorOptions{
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
			partitions.Go(func() { h.own(ctx, function, p, owned{shared, client.InstanceID(), p.PartitionID()}) })
		}
	})
	err = processor.Run(ctx)
	partitions.Wait()
	return err
}

// registry is a store that knows what it was last asked for, and so can ask whose a partition is.
type registry struct {
	azeventhubs.CheckpointStore
	mu                    sync.Mutex
	namespace, hub, group string
}

// ListOwnership is the store's.
func (r *registry) ListOwnership(ctx context.Context, namespace, hub, group string, o *azeventhubs.ListOwnershipOptions) ([]azeventhubs.Ownership, error) {
	r.mu.Lock()
	r.namespace, r.hub, r.group = namespace, hub, group
	r.mu.Unlock()
	return r.CheckpointStore.ListOwnership(ctx, namespace, hub, group, o)
}

// owned is a partition that a host was given.
type owned struct {
	*registry
	self, id string
}

// lost reports whether another host has taken the partition. Where the store does not answer, nobody is known to have.
func (o owned) lost(ctx context.Context) bool {
	o.mu.Lock()
	namespace, hub, group := o.namespace, o.hub, o.group
	o.mu.Unlock()
	all, err := o.CheckpointStore.ListOwnership(ctx, namespace, hub, group, nil)
	if err != nil {
		return false
	}
	for _, one := range all {
		if one.PartitionID == o.id {
			return one.OwnerID != o.self
		}
	}
	return false
}

// watch ends with the partition, or with ctx.
func (o owned) watch(ctx context.Context, lose func()) {
	tick := time.NewTicker(sharing)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if o.lost(ctx) {
				lose()
				return
			}
		}
	}
}

// own delivers one partition until it is lost, the host is gone or ctx ends. What is under way when the partition is lost is
// not checkpointed, and its retries end.
func (h *Host) own(ctx context.Context, function string, p *azeventhubs.ProcessorPartitionClient, o owned) {
	ctx, lose := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { o.watch(ctx, lose) })
	defer watching.Wait()
	defer lose()
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
			if r.RawAMQPMessage != nil {
				events[i].System = systemProperties(r.RawAMQPMessage.Properties)
			}
		}
		result, err := h.Deliver(ctx, function, p.PartitionID(), events)
		if err != nil || ctx.Err() != nil {
			return
		}
		if !result.Checkpointed {
			continue
		}
		if o.lost(ctx) {
			return
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

// systemProperties are those of a message that its sender may set, as the extension names them (facts: functions-host 2.4).
func systemProperties(m *azeventhubs.AMQPAnnotatedMessageProperties) map[string]any {
	system := map[string]any{}
	if m == nil {
		return system
	}
	for name, value := range map[string]*string{
		"content-type": m.ContentType, "content-encoding": m.ContentEncoding, "to": m.To, "subject": m.Subject,
		"reply-to": m.ReplyTo, "group-id": m.GroupID, "reply-to-group-id": m.ReplyToGroupID,
	} {
		if value != nil {
			system[name] = *value
		}
	}
	for name, value := range map[string]any{"message-id": m.MessageID, "correlation-id": m.CorrelationID} {
		if value != nil {
			system[name] = fmt.Sprint(value)
		}
	}
	return system
}
