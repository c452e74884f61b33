package hub

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// streamMost bounds how many offers are sent in one go.
const streamMost = 200

// Stream sends what is offered to it, and never holds up whoever offers: what finds the queue full is dropped and
// counted.
type Stream struct {
	options Options
	tell    func(Note)
	queue   chan func() (Outgoing, error)
	sent    atomic.Int64
	dropped atomic.Int64
}

// NewStream makes a stream whose queue holds so many offers, without a call.
func NewStream(o Options, queue int, tell func(Note)) (*Stream, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Stream{options: o, tell: tell, queue: make(chan func() (Outgoing, error), queue)}, nil
}

// Offer offers an event, which is made only when it is about to be sent. It returns at once; false says that the event
// was dropped.
func (s *Stream) Offer(event func() (Outgoing, error)) bool {
	select {
	case s.queue <- event:
		return true
	default:
		s.dropped.Add(1)
		return false
	}
}

// Counts tells how many events were sent and how many were dropped, for whatever reason.
func (s *Stream) Counts() (sent, dropped int64) { return s.sent.Load(), s.dropped.Load() }

// Run sends what is offered until ctx ends, and then what is in the queue, for at most as long as grace. What cannot be
// sent is tried again a few times by the SDK, then dropped: newer decisions are worth more than old ones.
func (s *Stream) Run(ctx context.Context, grace time.Duration) {
	var sender *Sender
	defer func() {
		if sender != nil {
			_ = sender.Close(ctx)
		}
	}()
	report := time.NewTicker(time.Minute)
	defer report.Stop()
	told := int64(0)
	drops := func() {
		if n := s.dropped.Load(); n > told {
			s.tell(Note{What: fmt.Sprintf("%d decisions were not streamed, %d in all", n-told, n)})
			told = n
		}
	}
	defer drops()
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_ = pause(working, grace)
		cancel()
	})()
	for {
		var first func() (Outgoing, error)
		select {
		case first = <-s.queue:
		case <-report.C:
			drops()
			continue
		case <-ctx.Done():
			select {
			case first = <-s.queue:
			default:
				return
			}
		}
		events := s.gather(first)
		if len(events) == 0 {
			continue
		}
		if sender == nil {
			sender, _ = NewSender(s.options) // the options were checked
		}
		n, err := sender.Send(working, events)
		s.sent.Add(int64(n))
		if err != nil {
			s.dropped.Add(int64(len(events) - n))
			s.tell(Note{What: "decisions could not be streamed", Err: err})
			_ = sender.Close(working)
			sender = nil
		}
	}
}

// gather makes events of what is in the queue, those of one key together so that they travel in one batch.
func (s *Stream) gather(first func() (Outgoing, error)) []Outgoing {
	keys, groups := []string{}, map[string][]Outgoing{}
	take := func(offer func() (Outgoing, error)) {
		event, err := offer()
		if err != nil {
			s.dropped.Add(1)
			s.tell(Note{What: "a decision could not be written as an event", Err: err})
			return
		}
		if groups[event.Key] == nil {
			keys = append(keys, event.Key)
		}
		groups[event.Key] = append(groups[event.Key], event)
	}
	take(first)
	for n := 1; n < streamMost; n++ {
		select {
		case next := <-s.queue:
			take(next)
			continue
		default:
		}
		break
	}
	var all []Outgoing
	for _, key := range keys {
		all = append(all, groups[key]...)
	}
	return all
}
