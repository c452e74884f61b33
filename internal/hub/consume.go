package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2/checkpoints"
)

// Batch are events of one partition, in order; at least one.
type Batch struct {
	Partition string
	Events    []Event
}

// Note is something that whoever runs a consumer should know; Err is nil where nothing is wrong.
type Note struct {
	Partition string
	What      string
	Err       error
}

// Start says where to begin a partition that has no checkpoint.
type Start struct {
	// Earliest begins with the oldest event that is kept, else At with the first that arrived then or later, else with
	// what comes next.
	Earliest bool
	At       time.Time
}

// ConsumerOptions say what a consumer follows and how.
type ConsumerOptions struct {
	Hub         Options
	Group       string
	Checkpoints Checkpoints
	// Instance names this process among all that share the group; unique.
	Instance string
	Start    Start
	// Size is how many events a batch holds at most; twice as many of each partition wait in memory.
	Size int
	// Expiry is how long the partitions of a process that died are unread at most, apart from the time that opening a
	// link takes. A sixth of it lies between two rounds of claims.
	Expiry time.Duration
	// CheckpointEvery is how far checkpoints may lie behind what was taken: what lies between is delivered again after a
	// crash.
	CheckpointEvery time.Duration
	// Drain is how long what is being taken may take to end once ctx has ended.
	Drain time.Duration
	// Take takes a batch; nil says that it is stored for good. An error makes it come again, so taking a batch twice must
	// be as good as once. Batches of one partition come one after the other, those of several at the same time.
	Take func(ctx context.Context, b Batch) error
	// Tell is told what is worth a line in a log.
	Tell func(Note)
	Now  func() time.Time
}

// Consumer follows a hub as one of any number of processes that share its partitions (facts: events 3.3).
type Consumer struct {
	ConsumerOptions

	mu         sync.Mutex
	store      *store
	partitions map[string]Progress
	reading    map[string]bool
}

// Progress is how far one partition has come in this process.
type Progress struct {
	// Sequence is the number of the newest event that was taken, -1 before the first; EnqueuedAt when it arrived.
	Sequence   int64     `json:"sequence"`
	EnqueuedAt time.Time `json:"enqueued_at"`
	TakenAt    time.Time `json:"taken_at"`
	// Trouble is why the present batch could not be taken, empty if nothing is wrong.
	Trouble string `json:"trouble,omitempty"`
}

// State is how a consumer stands.
type State struct {
	// ClaimedAt is when partitions were last shared out among the processes; zero before the first time.
	ClaimedAt  time.Time           `json:"claimed_at"`
	Partitions map[string]Progress `json:"partitions"`
}

// NewConsumer makes a consumer, without a call.
func NewConsumer(o ConsumerOptions) (*Consumer, error) {
	if err := o.Hub.check(); err != nil {
		return nil, err
	}
	if o.Take == nil || o.Tell == nil || o.Now == nil || o.Instance == "" || o.Group == "" {
		return nil, errors.New("consumer: group, instance, clock and somebody to take and to be told are all required")
	}
	if o.Size < 1 || o.Expiry < time.Second || o.CheckpointEvery < 0 {
		return nil, fmt.Errorf("consumer: batches of %d, an expiry of %v and checkpoints every %v; right would be at least 1, 1s and 0s",
			o.Size, o.Expiry, o.CheckpointEvery)
	}
	if _, err := o.Checkpoints.open(); err != nil {
		return nil, err
	}
	return &Consumer{ConsumerOptions: o, partitions: map[string]Progress{}, reading: map[string]bool{}}, nil
}

// State tells how the consumer stands.
func (c *Consumer) State() State {
	c.mu.Lock()
	s := State{Partitions: maps.Clone(c.partitions)}
	maps.DeleteFunc(s.Partitions, func(id string, _ Progress) bool { return !c.reading[id] })
	store := c.store
	c.mu.Unlock()
	if store != nil {
		store.mu.Lock()
		s.ClaimedAt = store.roundAt
		store.mu.Unlock()
	}
	return s
}

// Run follows the hub until ctx ends; then it finishes what it has in hand, writes checkpoints and lets go of its
// partitions, so that others have them at once. It answers trouble by beginning anew, for as long as it takes.
func (c *Consumer) Run(ctx context.Context) {
	for wait := time.Second; ; wait = longer(wait, 30*time.Second) {
		begun := c.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.Now().Sub(begun) > time.Minute {
			wait = time.Second
		}
		c.Tell(Note{What: "reading of the hub begins anew", Err: err})
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// session is one life of the SDK's Processor.
func (c *Consumer) session(ctx context.Context) error {
	client, err := c.Hub.consumer(c.Group, c.Instance)
	if err != nil {
		return fmt.Errorf("connect to event hub: %w", err)
	}
	defer func() {
		ctx, cancel := closing(ctx)
		defer cancel()
		_ = client.Close(ctx)
	}()
	processor, err := c.processor(ctx, client)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	// The processor outlives ctx: partitions are let go only after the last checkpoint.
	owning, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	ended := make(chan error, 1)
	go func() {
		err := processor.Run(owning)
		stop()
		ended <- err
	}()
	stuck := make(chan error, 1)
	go func() { stuck <- c.watch(reading, stop) }()
	c.dispatch(reading, processor)
	stop()
	watched := <-stuck
	release()
	return errors.Join(wrap("share out partitions", <-ended), watched)
}

// processor makes the SDK's Processor over our store.
func (c *Consumer) processor(ctx context.Context, client *azeventhubs.ConsumerClient) (*azeventhubs.Processor, error) {
	blobs, err := c.Checkpoints.open()
	if err != nil {
		return nil, err
	}
	if err := ensure(ctx, blobs); err != nil {
		return nil, err
	}
	inner, err := checkpoints.NewBlobStore(blobs, nil)
	if err != nil {
		return nil, err
	}
	s := &store{
		inner: inner, blobs: blobs, self: client.InstanceID(), tell: c.Tell, now: c.Now, owned: map[string]time.Time{},
		latest: !c.Start.Earliest && c.Start.At.IsZero(),
		end: func(ctx context.Context, partition string) (int64, string, error) {
			p, err := client.GetPartitionProperties(ctx, partition, nil)
			return p.LastEnqueuedSequenceNumber, p.LastEnqueuedOffset, err
		},
	}
	c.mu.Lock()
	c.store = s
	c.mu.Unlock()
	round := c.Expiry / 6
	start := azeventhubs.StartPosition{Latest: to.Ptr(true)}
	if c.Start.Earliest {
		start = azeventhubs.StartPosition{Earliest: to.Ptr(true)}
	} else if !c.Start.At.IsZero() {
		start = azeventhubs.StartPosition{EnqueuedTime: &c.Start.At, Inclusive: true}
	}
	return azeventhubs.NewProcessor(client, s, &azeventhubs.ProcessorOptions{
		// Greedy takes all partitions of a process that died in one round, where balanced takes one.
		LoadBalancingStrategy: azeventhubs.ProcessorStrategyGreedy,
		UpdateInterval:        round,
		// A round comes after up to 1.3 intervals: found two intervals early, a dead process's partitions are read in time.
		PartitionExpirationDuration: c.Expiry - 2*round,
		StartPositions:              azeventhubs.StartPositions{Default: start},
		Prefetch:                    int32(min(c.Size, 5000)),
	})
}

// dispatch reads each partition that is ours, until ctx ends and everything in hand is done.
func (c *Consumer) dispatch(ctx context.Context, processor *azeventhubs.Processor) {
	var partitions sync.WaitGroup
	defer partitions.Wait()
	for {
		client := processor.NextPartitionClient(ctx)
		if client == nil {
			return
		}
		partitions.Go(func() { c.follow(ctx, client) })
	}
}

// watch ends a session in which a partition that is ours has nobody who reads it for as long as its ownership may last,
// whatever the reason: the SDK would renew the ownership for ever (facts: events 3.3).
func (c *Consumer) watch(ctx context.Context, stop context.CancelFunc) error {
	ticker := time.NewTicker(c.Expiry / 12)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		if id := c.unread(); id != "" {
			stop()
			return fmt.Errorf("partition %s is ours and was not read for %v", id, c.Expiry/2)
		}
	}
}

// unread is a partition that has been ours for half the expiry without being read, empty for none.
func (c *Consumer) unread() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	for id, since := range c.store.owned {
		if c.reading[id] {
			// Counted from when it was last seen read.
			c.store.owned[id] = c.Now()
		} else if c.Now().Sub(since) > c.Expiry/2 {
			return id
		}
	}
	return ""
}
