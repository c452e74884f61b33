package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"trimtab/internal/hub"
	"trimtab/tests/azurite"
	"trimtab/tests/broker"
)

// patience is how long anything may take before a test fails.
const patience = time.Minute

func start(t *testing.T, partitions int) *broker.Broker {
	t.Helper()
	b, err := broker.Start(broker.Options{Hubs: []broker.Hub{{Name: "metrics", Partitions: partitions, Groups: []string{"desk"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func optionsOf(b *broker.Broker) hub.Options {
	return hub.Options{Connection: b.ConnectionString(), Hub: "metrics"}
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

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

// taker takes batches and remembers what came how often.
type taker struct {
	mu    sync.Mutex
	times map[string]int
	order []string
	notes []hub.Note
	// refuse is asked before a batch is taken.
	refuse func(hub.Batch) error
}

func (k *taker) take(_ context.Context, b hub.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuse != nil {
		if err := k.refuse(b); err != nil {
			return err
		}
	}
	if k.times == nil {
		k.times = map[string]int{}
	}
	for _, e := range b.Events {
		k.times[fmt.Sprintf("%s/%d", e.Partition, e.Sequence)]++
		k.order = append(k.order, string(e.Body))
	}
	return nil
}

func (k *taker) tell(n hub.Note) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.notes = append(k.notes, n)
}

// seen is how many different events were taken, twice how many of them more than once.
func (k *taker) seen() (seen, twice int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.times {
		if seen++; n > 1 {
			twice++
		}
	}
	return seen, twice
}

func (k *taker) told(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.notes {
		if bytes.Contains(fmt.Appendf(nil, "%s %v", n.What, n.Err), []byte(text)) {
			return true
		}
	}
	return false
}

// blobs is a container of its own for each test.
func blobs(t *testing.T, s *azurite.Server) hub.Checkpoints {
	return hub.Checkpoints{Connection: s.ConnectionString, Container: fmt.Sprintf("c%d", time.Now().UnixNano())}
}

// consume runs a consumer until the function that it returns is called, or the test ends.
func consume(t *testing.T, o hub.ConsumerOptions) (c *hub.Consumer, end func()) {
	t.Helper()
	if o.Group == "" {
		o.Group = "$Default"
	}
	if o.Size == 0 {
		o.Size = 50
	}
	if o.Expiry == 0 {
		// A sixth of it lies between two rounds of claims: longer pauses of a busy machine make partitions change hands.
		o.Expiry = 6 * time.Second
	}
	o.Drain, o.Now = 5*time.Second, time.Now
	c, err := hub.NewConsumer(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(end)
	return c, end
}

func put(b *broker.Broker, n int, text string) {
	for _, id := range b.Partitions("metrics") {
		for i := range n {
			b.Append("metrics", id, broker.Event{Body: fmt.Appendf(nil, "%s-%s-%d", text, id, i)})
		}
	}
}

// show prints what was told, for a test that fails.
func (k *taker) show(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range k.notes {
				t.Logf("told: %s %s %v", n.Partition, n.What, n.Err)
			}
		}
	})
}
