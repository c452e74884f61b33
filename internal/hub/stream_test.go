package hub_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"trimtab/internal/hub"
	"trimtab/tests/broker"
)

func offer(text, key string) func() (hub.Outgoing, error) {
	return func() (hub.Outgoing, error) { return hub.Outgoing{Body: []byte(text), Key: key}, nil }
}

// stream runs a stream until the function that it returns is called.
func stream(t *testing.T, b *broker.Broker, queue int, tell func(hub.Note)) (s *hub.Stream, end func()) {
	t.Helper()
	s, err := hub.NewStream(optionsOf(b), queue, tell)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx, 5*time.Second); close(done) }()
	return s, func() { cancel(); <-done }
}

func TestAStreamSendsWhatIsOfferedInOrder(t *testing.T) {
	b := start(t, 4)
	s, end := stream(t, b, 1000, func(n hub.Note) { t.Errorf("told: %s %v", n.What, n.Err) })
	for i := range 300 {
		if !s.Offer(offer(fmt.Sprint(i), fmt.Sprint("pool", i%3))) {
			t.Fatalf("offer %d was dropped", i)
		}
	}
	end()
	last, n := map[string]int{}, 0
	for _, id := range b.Partitions("metrics") {
		for _, e := range b.Events("metrics", id) {
			var i int
			if _, err := fmt.Sscan(string(e.Body), &i); err != nil {
				t.Fatal(err)
			}
			if before, ok := last[e.Key]; ok && i < before {
				t.Errorf("%s: %d came after %d", e.Key, i, before)
			}
			last[e.Key] = i
			n++
		}
	}
	if sent, dropped := s.Counts(); n != 300 || sent != 300 || dropped != 0 {
		t.Errorf("%d arrived, %d sent, %d dropped; want 300, 300, 0", n, sent, dropped)
	}
}

func TestAStreamNeverWaits(t *testing.T) {
	b := start(t, 1)
	var told atomic.Int32
	var text atomic.Value
	s, end := stream(t, b, 5, func(n hub.Note) { told.Add(1); text.Store(n.What) })
	// Nothing can be sent as long as links are refused.
	b.Refuse(broker.Attaches, "metrics", 1_000_000, broker.ServerBusy)
	// A try to send takes the SDK's pauses between its own tries, twelve seconds in all: an offer that waited for one, or
	// a hundred that waited a little each, would be far beyond the bound, and a busy machine is not.
	begun := time.Now()
	taken := 0
	for range 100 {
		if s.Offer(offer("x", "")) {
			taken++
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("100 offers took %v", took)
	}
	end()
	sent, dropped := s.Counts()
	if sent != 0 || dropped != 100 || taken > 50 {
		t.Errorf("%d taken, %d sent, %d dropped; want 100 dropped in all", taken, sent, dropped)
	}
	if told.Load() == 0 || text.Load() != fmt.Sprintf("%d decisions were not streamed, %d in all", 100, 100) {
		t.Errorf("told %d times, last %v", told.Load(), text.Load())
	}
}

func TestAnEventThatCannotBeMadeIsCounted(t *testing.T) {
	b := start(t, 1)
	s, end := stream(t, b, 5, func(hub.Note) {})
	s.Offer(func() (hub.Outgoing, error) { return hub.Outgoing{}, errors.New("no form") })
	s.Offer(offer("y", ""))
	end()
	if sent, dropped := s.Counts(); sent != 1 || dropped != 1 {
		t.Errorf("%d sent, %d dropped, want 1 and 1", sent, dropped)
	}
}
