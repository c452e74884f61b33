package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"trimtab/tests/broker"
)

func TestABusyServerIsTriedAgain(t *testing.T) {
	b := start(t, broker.Options{})
	b.Refuse(broker.Sends, "metrics", 2, broker.ServerBusy)
	b.Refuse(broker.Attaches, "metrics", 1, broker.InternalError)
	if err := send(t, producer(t, b), &azeventhubs.EventDataBatchOptions{PartitionID: to.Ptr("0")}, bodies("x", 3)...); err != nil {
		t.Fatal(err)
	}
	if n := len(b.Events("metrics", "0")); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestALostSettlementDoublesWhatWasSent(t *testing.T) {
	b := start(t, broker.Options{})
	client := producer(t, b)
	b.LoseSettlements(1)
	if err := send(t, client, &azeventhubs.EventDataBatchOptions{PartitionID: to.Ptr("0")}, bodies("x", 1)...); err != nil {
		t.Fatal(err)
	}
	if n := len(b.Events("metrics", "0")); n != 2 {
		t.Errorf("%d events, want the one that was sent and its double", n)
	}
}

func TestReadersGoOnAfterDetachesAndCuts(t *testing.T) {
	b := start(t, broker.Options{})
	const n = 2000
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		for i := range n {
			b.Append("metrics", "0", broker.Event{Body: fmt.Append(nil, i)})
		}
	})
	running.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 0; i < 8; i++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if i%2 == 0 {
				b.Detach("metrics", "", broker.DetachForced)
			} else {
				b.Cut()
			}
		}
	})
	reader, err := consumer(t, b, "$Default").NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: earliest})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close(context.WithoutCancel(t.Context())) }()
	next := int64(0)
	for deadline := time.Now().Add(patience); next < n && time.Now().Before(deadline); {
		events, err := reader.ReceiveEvents(patient(t), 50, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.SequenceNumber > next {
				t.Fatalf("event %d came, %d is missing", e.SequenceNumber, next)
			}
			next = max(next, e.SequenceNumber+1)
		}
	}
	if next != n {
		t.Errorf("%d events, want %d", next, n)
	}
}

func TestAHubMadeAnewBeginsAgain(t *testing.T) {
	b := start(t, broker.Options{})
	client := producer(t, b)
	to0 := &azeventhubs.EventDataBatchOptions{PartitionID: to.Ptr("0")}
	if err := send(t, client, to0, bodies("old", 5)...); err != nil {
		t.Fatal(err)
	}
	b.Recreate("metrics")
	if err := send(t, client, to0, bodies("new", 2)...); err != nil {
		t.Fatal(err)
	}
	got := receive(t, consumer(t, b, "$Default"), "0", earliest, 2)
	if want := []string{"new0", "new1"}; !slices.Equal(texts(got), want) || got[0].SequenceNumber != 0 {
		t.Errorf("events %q from %d, want %q from 0", texts(got), got[0].SequenceNumber, want)
	}
}

// store is a checkpoint store in memory.
type store struct {
	mu          sync.Mutex
	owners      map[string]azeventhubs.Ownership
	checkpoints map[string]azeventhubs.Checkpoint
	writes      int
}

func (s *store) ClaimOwnership(_ context.Context, all []azeventhubs.Ownership, _ *azeventhubs.ClaimOwnershipOptions) (claimed []azeventhubs.Ownership, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range all {
		old, there := s.owners[o.PartitionID]
		if there != (o.ETag != nil) || (there && *old.ETag != *o.ETag) {
			continue
		}
		s.writes++
		o.ETag, o.LastModifiedTime = to.Ptr(azcore.ETag(fmt.Sprint(s.writes))), time.Now().UTC()
		s.owners[o.PartitionID] = o
		claimed = append(claimed, o)
	}
	return claimed, nil
}

func (s *store) ListCheckpoints(context.Context, string, string, string, *azeventhubs.ListCheckpointsOptions) (all []azeventhubs.Checkpoint, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.checkpoints {
		all = append(all, c)
	}
	return all, nil
}

func (s *store) ListOwnership(context.Context, string, string, string, *azeventhubs.ListOwnershipOptions) (all []azeventhubs.Ownership, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.owners {
		all = append(all, o)
	}
	return all, nil
}

func (s *store) SetCheckpoint(_ context.Context, c azeventhubs.Checkpoint, _ *azeventhubs.SetCheckpointOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkpoints[c.PartitionID] = c
	return nil
}

// process reads with a Processor until ctx ends, and counts what it saw.
func process(ctx context.Context, t *testing.T, b *broker.Broker, s *store, name string, seen func(e *azeventhubs.ReceivedEventData, partition string)) {
	client, err := azeventhubs.NewConsumerClientFromConnectionString(b.ConnectionString(), "metrics", "$Default",
		&azeventhubs.ConsumerClientOptions{InstanceID: name, RetryOptions: quick})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }()
	p, err := azeventhubs.NewProcessor(client, s, &azeventhubs.ProcessorOptions{
		UpdateInterval: 50 * time.Millisecond, LoadBalancingStrategy: azeventhubs.ProcessorStrategyGreedy,
		StartPositions: azeventhubs.StartPositions{Default: earliest},
	})
	if err != nil {
		t.Error(err)
		return
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			pc := p.NextPartitionClient(ctx)
			if pc == nil {
				return
			}
			running.Go(func() {
				defer func() { _ = pc.Close(context.WithoutCancel(ctx)) }()
				for ctx.Err() == nil {
					wait, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
					events, err := pc.ReceiveEvents(wait, 20, nil)
					cancel()
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						return
					}
					for _, e := range events {
						seen(e, pc.PartitionID())
					}
					if len(events) > 0 {
						_ = pc.UpdateCheckpoint(context.WithoutCancel(ctx), events[len(events)-1], nil)
					}
				}
			})
		}
	})
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
	running.Wait()
}

func TestTwoProcessorsShareAllPartitionsAndMissNothing(t *testing.T) {
	b := start(t, broker.Options{})
	s := &store{owners: map[string]azeventhubs.Ownership{}, checkpoints: map[string]azeventhubs.Checkpoint{}}
	var mu sync.Mutex
	got := map[string]bool{}
	seen := func(e *azeventhubs.ReceivedEventData, partition string) {
		mu.Lock()
		defer mu.Unlock()
		got[fmt.Sprintf("%s/%d", partition, e.SequenceNumber)] = true
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(got) }
	put := func() {
		for _, id := range b.Partitions("metrics") {
			for range 50 {
				b.Append("metrics", id, broker.Event{Body: []byte("x")})
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	put()
	running.Go(func() { process(ctx, t, b, s, "one", seen) })
	eventually(t, "one reads all", func() bool { return count() == 200 })
	running.Go(func() { process(ctx, t, b, s, "two", seen) })
	eventually(t, "each reads two", func() bool {
		names := map[string]int{}
		for _, who := range b.Readers("metrics", "$Default") {
			for _, name := range who {
				names[name]++
			}
		}
		return names["one"] == 2 && names["two"] == 2
	})
	put()
	eventually(t, "both read the rest", func() bool { return count() == 400 })
	stop()
	running.Wait()
	if left := sorted(b.Readers("metrics", "$Default")); len(left) > 0 {
		t.Errorf("readers are left: %v", left)
	}
}
