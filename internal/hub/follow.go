package hub

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

const (
	// linger is how long a batch waits for more events after its first: what has arrived already is there by then.
	linger = 2 * time.Millisecond
	// takeMost is the longest pause between two tries of one batch.
	takeMost = 15 * time.Second
)

// follower reads one partition while it is ours.
type follower struct {
	*Consumer
	client    *azeventhubs.ProcessorPartitionClient
	partition string
	// last is the newest event that was taken, nil if a checkpoint covers it; markedAt is when the last checkpoint was
	// written.
	last     *azeventhubs.ReceivedEventData
	markedAt time.Time
}

// follow reads a partition until it is lost or ctx ends.
func (c *Consumer) follow(ctx context.Context, client *azeventhubs.ProcessorPartitionClient) {
	f := &follower{Consumer: c, client: client, partition: client.PartitionID(), markedAt: c.Now()}
	c.mu.Lock()
	c.reading[f.partition] = true
	c.partitions[f.partition] = Progress{Sequence: -1}
	c.mu.Unlock()
	c.Tell(Note{Partition: f.partition, What: "partition taken on"})
	err := f.run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	// The checkpoint comes before the end of the link: whoever opens the next one reads from there.
	last, cancel := closing(ctx)
	defer cancel()
	f.mark(last)
	_ = client.Close(last)
	c.mu.Lock()
	delete(c.reading, f.partition)
	c.mu.Unlock()
	var lost *azeventhubs.Error
	if errors.As(err, &lost) && lost.Code == azeventhubs.ErrorCodeOwnershipLost {
		c.Tell(Note{Partition: f.partition, What: "partition handed over"})
		return
	}
	c.Tell(Note{Partition: f.partition, What: "partition let go", Err: err})
}

// run takes batch after batch. It returns nil when ctx has ended or the partition is no longer ours.
func (f *follower) run(ctx context.Context) error {
	// What is in hand when ctx ends may be finished, for a while.
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_ = pause(working, f.Drain)
		cancel()
	})()
	for {
		received, err := f.receive(ctx)
		if err != nil {
			return err
		}
		if len(received) > 0 {
			if !f.take(ctx, working, received) {
				return nil
			}
			f.last = received[len(received)-1]
		}
		if f.last != nil && f.Now().Sub(f.markedAt) >= f.CheckpointEvery {
			f.mark(working)
		}
	}
}

// receive waits for events, and takes along what is there once one has come. Nothing at all is no error: a checkpoint is
// due then. Without one it waits as long as it takes, because the SDK shows what is wrong with a link only to a caller who
// waits until its tries are used up.
func (f *follower) receive(ctx context.Context) ([]*azeventhubs.ReceivedEventData, error) {
	due := time.Duration(0)
	if f.last != nil {
		due = max(f.CheckpointEvery-f.Now().Sub(f.markedAt), linger)
	}
	events, err := f.wait(ctx, due, 1)
	if err != nil || len(events) == 0 || f.Size == 1 {
		return events, err
	}
	// An error here comes again with the next wait; what has come is to be taken first.
	more, _ := f.wait(ctx, linger, f.Size-1)
	return append(events, more...), nil
}

// wait waits for n events, for at most d where that is not 0.
func (f *follower) wait(ctx context.Context, d time.Duration, n int) ([]*azeventhubs.ReceivedEventData, error) {
	if d == 0 {
		return f.client.ReceiveEvents(ctx, n, nil)
	}
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	events, err := f.client.ReceiveEvents(limited, n, nil)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return events, err
}

// take has a batch taken, as often as that needs. It returns false where ctx ended first, or the partition is no longer
// ours: then it comes again, to whoever has it.
func (f *follower) take(ctx, working context.Context, received []*azeventhubs.ReceivedEventData) bool {
	batch := Batch{Partition: f.partition, Events: make([]Event, len(received))}
	for i, r := range received {
		batch.Events[i] = eventOf(f.partition, r)
	}
	newest := batch.Events[len(batch.Events)-1]
	for wait := 250 * time.Millisecond; ; wait = longer(wait, takeMost) {
		err := f.Take(working, batch)
		f.progress(newest, err)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		f.Tell(Note{Partition: f.partition, What: "batch not taken, trying again", Err: err})
		if pause(ctx, wait) != nil || !f.stillOurs() {
			return false
		}
	}
}

func (f *follower) stillOurs() bool {
	f.mu.Lock()
	s := f.store
	f.mu.Unlock()
	return s.ours(f.partition)
}

func (f *follower) progress(newest Event, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.partitions[f.partition]
	p.Trouble = ""
	if err != nil {
		p.Trouble = err.Error()
	} else {
		p.Sequence, p.EnqueuedAt, p.TakenAt = newest.Sequence, newest.EnqueuedAt, f.Now()
	}
	f.partitions[f.partition] = p
}

// mark writes the checkpoint of what was taken. One that cannot be written is written later: what it would cover comes
// again, and taking it again changes nothing.
func (f *follower) mark(ctx context.Context) {
	if f.last == nil {
		return
	}
	f.markedAt = f.Now()
	if err := f.client.UpdateCheckpoint(ctx, f.last, nil); err != nil {
		f.Tell(Note{Partition: f.partition, What: "checkpoint not written", Err: err})
		return
	}
	f.last = nil
}
