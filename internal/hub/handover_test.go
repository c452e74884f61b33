package hub_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"trimtab/internal/hub"
	"trimtab/tests/azurite"
	"trimtab/tests/broker"
)

// TestWhoeverLostAPartitionMovesNoCheckpointBack has a consumer that is busy with a batch while another takes over one of
// its partitions, reads on and writes its checkpoint: what the first ends then is behind that.
func TestWhoeverLostAPartitionMovesNoCheckpointBack(t *testing.T) {
	t.Parallel()
	b, kept := start(t, 2), blobs(t, azurite.StartBlobs(t))
	slow, quick, gate := &taker{}, &taker{}, make(chan struct{})
	slow.show(t)
	o := hub.ConsumerOptions{
		Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Instance: "one", CheckpointEvery: time.Hour, Tell: slow.tell,
		Take: func(ctx context.Context, batch hub.Batch) error {
			if batch.Events[0].Sequence >= 10 {
				<-gate
			}
			return slow.take(ctx, batch)
		},
	}
	put(b, 10, "a")
	one, _ := consume(t, o)
	eventually(t, "the first has 20 events", func() bool { n, _ := slow.seen(); return n == 20 })
	put(b, 10, "b")

	o.Instance, o.CheckpointEvery, o.Take, o.Tell = "two", 0, quick.take, quick.tell
	consume(t, o)
	eventually(t, "the second has a partition", func() bool { n, _ := quick.seen(); return n == 20 })
	put(b, 10, "c")
	eventually(t, "the second has all of it", func() bool { n, _ := quick.seen(); return n == 30 })
	partition := strings.Split(quick.order[0], "-")[1]
	name := b.Namespace() + "/metrics/$Default/checkpoint/" + partition
	eventually(t, "its checkpoint", func() bool { return checkpoint(t, kept, name) == "29" })
	since := time.Now()
	eventually(t, "the first knows", func() bool { return one.State().ClaimedAt.After(since) })
	close(gate)
	eventually(t, "the first lets go", func() bool { return slow.told("handed over") || slow.told("let go") })
	if got := checkpoint(t, kept, name); got != "29" {
		t.Errorf("the checkpoint went back to %s", got)
	}
}

// checkpoint is the sequence number that a checkpoint's blob names, empty where there is none.
func checkpoint(t *testing.T, c hub.Checkpoints, name string) string {
	t.Helper()
	return metadata(t, c, name, "sequencenumber")
}

// metadata is a value in the metadata of a blob, empty where there is none.
func metadata(t *testing.T, c hub.Checkpoints, name, key string) string {
	t.Helper()
	client, err := container.NewClientFromConnectionString(c.Connection, c.Container, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := client.NewBlobClient(name).GetProperties(t.Context(), nil)
	if err != nil {
		return ""
	}
	for k, value := range p.Metadata {
		if strings.EqualFold(k, key) && value != nil {
			return *value
		}
	}
	return ""
}

// TestWhatIsInHandAtTheEndIsFinished orders a consumer to end while it takes a batch of one partition and waits at another.
func TestWhatIsInHandAtTheEndIsFinished(t *testing.T) {
	t.Parallel()
	b, kept := start(t, 2), blobs(t, azurite.StartBlobs(t))
	k, next, gate, begun := &taker{}, &taker{}, make(chan struct{}), make(chan struct{})
	k.show(t)
	o := hub.ConsumerOptions{
		Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Instance: "one", CheckpointEvery: time.Hour, Tell: k.tell,
		Take: func(ctx context.Context, batch hub.Batch) error {
			close(begun)
			select {
			case <-gate:
				return k.take(ctx, batch)
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	_, end := consume(t, o)
	eventually(t, "both are read", func() bool { return len(b.Readers("metrics", "$Default")) == 2 })
	b.Append("metrics", "0", broker.Event{Body: []byte("in hand")})
	<-begun
	ended := make(chan struct{})
	go func() { end(); close(ended) }()
	eventually(t, "the other partition is let go", func() bool { return k.told("partition let go") })
	close(gate)
	<-ended
	if n, _ := k.seen(); n != 1 {
		t.Fatal("what was in hand was given up")
	}
	b.Append("metrics", "0", broker.Event{Body: []byte("later")})
	o.Instance, o.Take, o.Tell = "two", next.take, next.tell
	consume(t, o)
	eventually(t, "what came later", func() bool { n, _ := next.seen(); return n > 0 })
	if next.order[0] != "later" {
		t.Errorf("%q came again", next.order[0])
	}
}

// TestAPartitionThatIsOursAndUnreadBeginsANewSession keeps checkpoints from being listed for longer than ownership lasts.
func TestAPartitionThatIsOursAndUnreadBeginsANewSession(t *testing.T) {
	t.Parallel()
	store := azurite.StartBlobs(t)
	b, k, kept := start(t, 2), &taker{}, blobs(t, store)
	k.show(t)
	var away atomic.Bool
	away.Store(true)
	kept.Connection = faulty(t, store, func(r *http.Request) bool { return away.Load() && strings.Contains(r.URL.RawQuery, "checkpoint") })
	put(b, 10, "x")
	consume(t, hub.ConsumerOptions{
		Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Take: k.take, Tell: k.tell, Instance: "one", Expiry: 2 * time.Second,
	})
	eventually(t, "the watch sees it", func() bool { return k.told("is ours and was not read") })
	away.Store(false)
	eventually(t, "20 events", func() bool { n, _ := k.seen(); return n == 20 })
}

// TestWhoeverCannotTakeABatchLetsGoOfALostPartition has a consumer whose batches are refused, until another has the partition.
func TestWhoeverCannotTakeABatchLetsGoOfALostPartition(t *testing.T) {
	t.Parallel()
	b, kept := start(t, 2), blobs(t, azurite.StartBlobs(t))
	stuck, well := &taker{}, &taker{}
	stuck.show(t)
	stuck.refuse = func(hub.Batch) error { return errors.New("never") }
	put(b, 10, "a")
	o := hub.ConsumerOptions{Hub: optionsOf(b), Checkpoints: kept, Start: hub.Start{Earliest: true}, Instance: "one", Take: stuck.take, Tell: stuck.tell}
	consume(t, o)
	eventually(t, "both are read", func() bool { return len(b.Readers("metrics", "$Default")) == 2 })
	o.Instance, o.Take, o.Tell = "two", well.take, well.tell
	consume(t, o)
	eventually(t, "the second has one", func() bool { n, _ := well.seen(); return n == 10 })
	eventually(t, "the first lets go of it", func() bool { return stuck.told("let go") || stuck.told("handed over") })
}

// TestBodiesOfEveryKindArrive sends what is no single section of data, which the SDK hands on without a body (facts: events 3.3).
func TestBodiesOfEveryKindArrive(t *testing.T) {
	t.Parallel()
	b, k := start(t, 1), &taker{}
	producer, err := azeventhubs.NewProducerClientFromConnectionString(b.ConnectionString(), "metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := producer.NewEventDataBatch(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []azeventhubs.AMQPAnnotatedMessageBody{
		{Data: [][]byte{[]byte("one ")}},
		{Data: [][]byte{[]byte("two "), []byte("sections ")}},
		{Value: "text "},
		{Value: []byte("bytes ")},
		{Value: int64(7)},
		{Sequence: [][]any{{"a", "sequence"}}},
	} {
		if err := batch.AddAMQPAnnotatedMessage(&azeventhubs.AMQPAnnotatedMessage{Body: body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.SendEventDataBatch(t.Context(), batch, nil); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := hub.Read(t.Context(), hub.Stretch{Hub: optionsOf(b), Group: "desk", Now: time.Now, Each: func(e hub.Event) error {
		return k.take(t.Context(), hub.Batch{Partition: e.Partition, Events: []hub.Event{e}})
	}})
	// What is neither text nor bytes has no body, and is kept as a dead letter for that.
	if got := strings.Join(k.order, ""); err != nil || n != 6 || got != "one two sections text bytes " {
		t.Errorf("%d events, %q, %v", n, got, err)
	}
}
