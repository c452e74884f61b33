package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// Sight is what a hub says about itself.
type Sight struct {
	Name       string
	Partitions []Partition
}

// Partition is one partition of a hub. EnqueuedAt is when its newest event arrived, zero if it holds none.
type Partition struct {
	ID           string
	LastSequence int64
	EnqueuedAt   time.Time
	Empty        bool
}

// Look asks a hub what it is and how far each of its partitions has come. It reads no event.
func Look(ctx context.Context, o Options) (Sight, error) {
	client, err := o.producer()
	if err != nil {
		return Sight{}, fmt.Errorf("connect to event hub: %w", err)
	}
	defer func() {
		ctx, cancel := closing(ctx)
		defer cancel()
		// What was asked was answered.
		_ = client.Close(ctx)
	}()
	hub, err := client.GetEventHubProperties(ctx, nil)
	if err != nil {
		return Sight{}, fmt.Errorf("ask the event hub about itself: %w", err)
	}
	sight := Sight{Name: hub.Name}
	for _, id := range hub.PartitionIDs {
		p, err := client.GetPartitionProperties(ctx, id, nil)
		if err != nil {
			return sight, fmt.Errorf("ask the event hub about partition %s: %w", id, err)
		}
		seen := Partition{ID: id, LastSequence: p.LastEnqueuedSequenceNumber, Empty: p.IsEmpty}
		if !p.IsEmpty {
			seen.EnqueuedAt = p.LastEnqueuedOn
		}
		sight.Partitions = append(sight.Partitions, seen)
	}
	return sight, nil
}

// Refused reports whether an error says that the caller may not, rather than that the hub was not reached. The SDK's own
// error for a refused claim has no type outside of it, so its text decides there.
func Refused(err error) bool {
	var e *azeventhubs.Error
	if errors.As(err, &e) && e.Code == azeventhubs.ErrorCodeUnauthorizedAccess {
		return true
	}
	return err != nil && (strings.Contains(err.Error(), "status code 401") || strings.Contains(err.Error(), "amqp:unauthorized-access"))
}
