package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// Stretch says which part of a hub is to be read.
type Stretch struct {
	Hub   Options
	Group string
	// Partitions are all of them where it is empty.
	Partitions []string
	// From is the instant of arrival to begin at, the oldest event that is kept where zero; To is the first instant that
	// is no longer wanted, none where zero.
	From, To time.Time
	// Most bounds how many events are read in all, not at all where 0.
	Most int
	// Follow waits for what comes, until To or the end of ctx; else reading ends with what was there at its beginning.
	Follow bool
	// Now is the clock by which To is reached where nothing comes.
	Now func() time.Time
	// Each is called with each event, one at a time; those of one partition come in order.
	Each func(Event) error
}

// errEnough ends reading at the number that was asked for.
var errEnough = errors.New("enough")

// Read reads a stretch of a hub beside whoever follows it, and returns how many events it has read. It claims nothing and
// moves no checkpoint; a group whose partitions have owners lets it in nowhere, so it needs one of its own.
func Read(ctx context.Context, s Stretch) (int, error) {
	client, err := s.Hub.consumer(s.Group, application+"-reader")
	if err != nil {
		return 0, fmt.Errorf("connect to event hub: %w", err)
	}
	defer func() {
		ctx, cancel := closing(ctx)
		defer cancel()
		_ = client.Close(ctx)
	}()
	hub, err := client.GetEventHubProperties(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("read the hub's properties: %w", err)
	}
	wanted := s.Partitions
	if len(wanted) == 0 {
		wanted = hub.PartitionIDs
	}
	for _, id := range wanted {
		if !slices.Contains(hub.PartitionIDs, id) {
			return 0, fmt.Errorf("the hub has no partition %q; it has %v", id, hub.PartitionIDs)
		}
	}
	reading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &stretchReader{Stretch: s, client: client}
	var partitions sync.WaitGroup
	for _, id := range wanted {
		partitions.Go(func() {
			if err := r.partition(reading, id); err != nil {
				cancel(fmt.Errorf("partition %s: %w", id, err))
			}
		})
	}
	partitions.Wait()
	if err := context.Cause(reading); err != nil && ctx.Err() == nil && !errors.Is(err, errEnough) {
		return r.n, err
	}
	return r.n, nil
}

type stretchReader struct {
	Stretch
	client *azeventhubs.ConsumerClient

	mu sync.Mutex
	n  int
}

func (r *stretchReader) partition(ctx context.Context, id string) error {
	properties, err := r.client.GetPartitionProperties(ctx, id, nil)
	if err != nil {
		return quiet(ctx, err)
	}
	if !r.Follow && properties.IsEmpty {
		return nil
	}
	start := azeventhubs.StartPosition{Earliest: to.Ptr(true)}
	if !r.From.IsZero() {
		start = azeventhubs.StartPosition{EnqueuedTime: &r.From, Inclusive: true}
		if !r.Follow && properties.LastEnqueuedOn.Before(r.From.Truncate(time.Millisecond)) {
			return nil
		}
	}
	reader, err := r.client.NewPartitionClient(id, &azeventhubs.PartitionClientOptions{StartPosition: start})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := closing(ctx)
		defer cancel()
		_ = reader.Close(ctx)
	}()
	for {
		waiting, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		events, err := reader.ReceiveEvents(waiting, 100, nil)
		over := waiting.Err() != nil
		cancel()
		if err != nil && !(over && ctx.Err() == nil) {
			return quiet(ctx, err)
		}
		for _, e := range events {
			event := eventOf(id, e)
			if !r.To.IsZero() && !event.EnqueuedAt.Before(r.To) {
				return nil
			}
			if err := r.hand(event); err != nil {
				return err
			}
			if !r.Follow && event.Sequence >= properties.LastEnqueuedSequenceNumber {
				return nil
			}
		}
		if r.Follow && len(events) == 0 && !r.To.IsZero() && !r.Now().Before(r.To) {
			return nil
		}
	}
}

// hand gives an event away, as long as more are wanted.
func (r *stretchReader) hand(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Most > 0 && r.n >= r.Most {
		return errEnough
	}
	if err := r.Each(e); err != nil {
		return err
	}
	if r.n++; r.Most > 0 && r.n >= r.Most {
		return errEnough
	}
	return nil
}

// quiet drops an error that only says that ctx has ended.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
