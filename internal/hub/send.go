package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// Outgoing is an event to be sent. At most one of Key and Partition is given; with neither, the hub deals it.
type Outgoing struct {
	Body        []byte
	ContentType string
	Key         string
	Partition   string
	Properties  map[string]any
	// System are the message's own properties, by the names and with the types that [Event.System] has.
	System map[string]any
}

// Sender sends to one hub over one connection. It is made for one goroutine.
type Sender struct{ client *azeventhubs.ProducerClient }

// NewSender makes a sender, without a call.
func NewSender(o Options) (*Sender, error) {
	client, err := o.producer()
	if err != nil {
		return nil, fmt.Errorf("connect to event hub: %w", err)
	}
	return &Sender{client}, nil
}

// Close lets go of the connection.
func (s *Sender) Close(ctx context.Context) error {
	ctx, cancel := closing(ctx)
	defer cancel()
	return wrap("close the connection to the event hub", s.client.Close(ctx))
}

// Partitions are the IDs of the hub's partitions.
func (s *Sender) Partitions(ctx context.Context) ([]string, error) {
	p, err := s.client.GetEventHubProperties(ctx, nil)
	return p.PartitionIDs, wrap("read the hub's properties", err)
}

// Send sends events, in order, in as few batches as the hub's size limit and their destinations allow, and returns how
// many were sent. Those that were are sent, whatever the error: a caller that tries again repeats them, which the
// receiver's own counting of sequence numbers does not undo.
func (s *Sender) Send(ctx context.Context, events []Outgoing) (sent int, err error) {
	for sent < len(events) {
		first := &events[sent]
		if first.Key != "" && first.Partition != "" {
			return sent, fmt.Errorf("event %d has a key and a partition; right would be one of them", sent+1)
		}
		options := &azeventhubs.EventDataBatchOptions{}
		if first.Key != "" {
			options.PartitionKey = &first.Key
		}
		if first.Partition != "" {
			options.PartitionID = &first.Partition
		}
		batch, err := s.client.NewEventDataBatch(ctx, options)
		if err != nil {
			return sent, fmt.Errorf("open a batch: %w", err)
		}
		n := 0
		for i := sent; i < len(events) && events[i].Key == first.Key && events[i].Partition == first.Partition; i++ {
			if err = batch.AddAMQPAnnotatedMessage(message(&events[i]), nil); err != nil {
				break
			}
			n++
		}
		if n == 0 && errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
			return sent, fmt.Errorf("event %d of %d bytes is larger than the hub takes: %w", sent+1, len(first.Body), err)
		}
		if err != nil && !errors.Is(err, azeventhubs.ErrEventDataTooLarge) {
			return sent, fmt.Errorf("add event %d: %w", sent+n+1, err)
		}
		if err := s.client.SendEventDataBatch(ctx, batch, nil); err != nil {
			return sent, fmt.Errorf("send %d events after %d: %w", n, sent, err)
		}
		sent += n
	}
	return sent, nil
}
