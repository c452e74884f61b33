package broker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"trimtab/tests/broker"
)

// patience is how long anything may take before a test fails.
const patience = time.Minute

// quick are retries that fit a test: the SDK's own wait four seconds and more (facts: rig A3). They are more than any test
// has faults, so that faults that meet every try of a busy machine are borne.
var quick = azeventhubs.RetryOptions{RetryDelay: 20 * time.Millisecond, MaxRetryDelay: 100 * time.Millisecond, MaxRetries: 10}

func start(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	if o.Hubs == nil {
		o.Hubs = []broker.Hub{{Name: "metrics", Partitions: 4, Groups: []string{"other"}}}
	}
	o.Log = t.Logf
	b, err := broker.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func producer(t *testing.T, b *broker.Broker) *azeventhubs.ProducerClient {
	t.Helper()
	client, err := azeventhubs.NewProducerClientFromConnectionString(b.ConnectionString(), "metrics", &azeventhubs.ProducerClientOptions{RetryOptions: quick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.WithoutCancel(t.Context())) })
	return client
}

func consumer(t *testing.T, b *broker.Broker, group string) *azeventhubs.ConsumerClient {
	t.Helper()
	client, err := azeventhubs.NewConsumerClientFromConnectionString(b.ConnectionString(), "metrics", group, &azeventhubs.ConsumerClientOptions{RetryOptions: quick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.WithoutCancel(t.Context())) })
	return client
}

// send sends events as one batch.
func send(t *testing.T, client *azeventhubs.ProducerClient, o *azeventhubs.EventDataBatchOptions, events ...*azeventhubs.EventData) error {
	t.Helper()
	ctx := patient(t)
	batch, err := client.NewEventDataBatch(ctx, o)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := batch.AddEventData(e, nil); err != nil {
			return err
		}
	}
	return client.SendEventDataBatch(ctx, batch, nil)
}

func bodies(prefix string, n int) (events []*azeventhubs.EventData) {
	for i := range n {
		events = append(events, &azeventhubs.EventData{Body: fmt.Appendf(nil, "%s%d", prefix, i)})
	}
	return events
}

// receive reads n events from a position of a partition.
func receive(t *testing.T, client *azeventhubs.ConsumerClient, partition string, from azeventhubs.StartPosition, n int) []*azeventhubs.ReceivedEventData {
	t.Helper()
	reader, err := client.NewPartitionClient(partition, &azeventhubs.PartitionClientOptions{StartPosition: from})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close(patient(t)) }()
	var all []*azeventhubs.ReceivedEventData
	for len(all) < n {
		events, err := reader.ReceiveEvents(patient(t), n-len(all), nil)
		if err != nil {
			t.Fatalf("after %d of %d events: %v", len(all), n, err)
		}
		all = append(all, events...)
	}
	return all
}

func texts(events []*azeventhubs.ReceivedEventData) (all []string) {
	for _, e := range events {
		all = append(all, string(e.Body))
	}
	return all
}

var earliest = azeventhubs.StartPosition{Earliest: to.Ptr(true)}

// eventually waits for a state that others bring about.
func eventually(t *testing.T, what string, state func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := patient(t); !state(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func sorted(m map[string][]string) []string {
	var all []string
	for id, names := range m {
		for _, name := range names {
			all = append(all, id+"="+name)
		}
	}
	slices.Sort(all)
	return all
}
