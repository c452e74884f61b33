package engine_test

import (
	"errors"
	"testing"
	"time"

	"trimtab/internal/scale"
)

// loseAnswer lets the answer of the first PATCH be lost after it was applied.
func (w *world) loseAnswer() {
	once := true
	w.strike = func(p string) error {
		if p == "+change" && once {
			once = false
			return errors.New("connection reset")
		}
		return nil
	}
}

func TestAnOperationOfUnknownOutcomeIsWaitedForThoughAnEvictionHidesIt(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	w.loseAnswer()
	ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	s := w.sets[setID+"web"]
	s.ops[1].ends = w.clock().Add(20 * time.Minute)
	// Three machines are evicted while the operation that asked for fifteen goes on.
	s.capacity, s.generation = 12, s.generation+1
	for range 10 {
		w.advance(time.Minute)
		sweep(t, e)
	}
	if w.control("web").Intent == nil || len(s.patches) != 1 {
		t.Fatalf("got %d changes and intent %v while the first was under way", len(s.patches), w.control("web").Intent)
	}
	w.advance(15 * time.Minute)
	s.settle(w.clock())
	for range 2 {
		w.advance(time.Minute)
		sweep(t, e)
	}
	if in := w.control("web").Intent; in != nil && in.StartedAt.Before(w.clock().Add(-10*time.Minute)) {
		t.Errorf("the intent is still there after the operation has ended: %+v", in)
	}
}

func TestAZeroInPassingEndsNoIntent(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	w.loseAnswer()
	ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	s := w.sets[setID+"web"]
	s.settle(w.clock().Add(time.Minute))
	s.capacity = 0
	w.advance(time.Minute)
	sweep(t, e)
	if w.control("web").Intent == nil || len(s.patches) != 1 {
		t.Fatalf("a zero ended the intent: %d changes", len(s.patches))
	}
	s.capacity = 15
	w.advance(time.Minute)
	r := sweep(t, e)
	if o := r.Pools[0].Outcome; o == nil || o.Result != scale.Applied {
		t.Errorf("got outcome %+v, want applied", o)
	}
}

func TestTwoZerosWithNothingReadBetweenAreNotOneThatLasted(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 60))
	s := w.sets[setID+"web"]
	read := func(capacity int, err error) {
		w.strike = func(p string) error {
			if p == "-read" {
				s.capacity = capacity
				return err
			}
			return nil
		}
	}
	read(0, nil)
	w.advance(6 * time.Minute)
	sweep(t, e)
	read(10, errors.New("connection refused"))
	for range 20 {
		w.advance(time.Minute)
		sweep(t, e)
	}
	read(0, nil)
	w.advance(time.Minute)
	r := ingest(t, e, w.minutes("web", 0, 10, 3, 60))
	if r.Pools[0].Sent || r.Pools[0].Reason != "facts_implausible" {
		t.Errorf("got %+v, want a hold because of facts_implausible", r.Pools[0])
	}
}

func TestAPatchThatCouldOutliveItsLeaseIsNotSent(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	loads := 0
	w.strike = func(p string) error {
		if p == "-load" {
			if loads++; loads == 2 {
				w.advance(50 * time.Second) // a slow ledger between the intent and its PATCH
			}
		}
		return nil
	}
	r := ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	s := w.sets[setID+"web"]
	if r.Pools[0].Sent || len(s.patches) != 0 {
		t.Fatalf("sent 50 seconds into a lease of 90")
	}
	// Nobody takes it for abandoned while a PATCH that was sent in time could still arrive.
	w.advance(45 * time.Second)
	sweep(t, e)
	if in := w.control("web").Intent; in == nil {
		t.Error("ended at the instant at which the lease did")
	}
	w.advance(time.Minute)
	sweep(t, e)
	if len(s.patches) != 1 || s.capacity != 15 {
		t.Errorf("got %d changes and capacity %d, want one and 15", len(s.patches), s.capacity)
	}
}

func TestAZeroAfterAGrowthFromZeroIsDoubtedToo(t *testing.T) {
	w := newWorld(t, webPool("web"))
	w.pools[0].Rails.Limits.Default = 4
	e := w.engine()
	s := w.sets[setID+"web"]
	s.capacity = 0
	for range 12 {
		sweep(t, e)
		w.advance(time.Minute)
	}
	if len(s.patches) == 0 {
		w.loseAnswer()
		for range 6 {
			sweep(t, e)
			if len(s.patches) == 0 {
				w.advance(time.Minute)
			}
		}
	}
	if len(s.patches) != 1 {
		t.Fatalf("got %d changes, want the growth from zero", len(s.patches))
	}
	s.settle(w.clock().Add(time.Minute))
	s.capacity = 0
	w.advance(time.Minute)
	sweep(t, e)
	w.advance(time.Minute)
	sweep(t, e)
	if len(s.patches) != 1 {
		t.Errorf("the growth was sent again on a zero in passing: %d changes", len(s.patches))
	}
}

// A caller that gives up early, because its own deadline has come, has not taken its PATCH back.
func TestAPatchWhoseCallerGaveUpIsWaitedForAsLongAsItMayBeOnItsWay(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	w.failing("-change", scale.FleetError{Op: "change", Class: scale.ClassUnsure, Message: "deadline"})
	ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	w.strike = nil
	for waited := 20 * time.Second; waited <= 80*time.Second; waited += 20 * time.Second {
		w.advance(20 * time.Second)
		ingest(t, e, w.minutes("web", 1, int(waited/time.Second), 1, 90))
		if in := w.control("web").Intent; in == nil {
			t.Fatalf("given up after %v", waited)
		}
	}
	for range 3 {
		w.advance(time.Minute)
		sweep(t, e)
	}
	if s := w.sets[setID+"web"]; len(s.patches) != 1 || s.capacity != 15 {
		t.Errorf("%d changes, capacity %d; want the change sent again once", len(s.patches), s.capacity)
	}
}

func TestAZeroReadAfterAStrangersWriteIsDoubtedAnew(t *testing.T) {
	w := newWorld(t, webPool("web"))
	w.pools[0].Rails.Limits.Default = 4
	e := w.engine()
	s := w.sets[setID+"web"]
	s.capacity = 0
	for range 9 {
		sweep(t, e)
		w.advance(time.Minute)
	}
	// A stranger makes thirty machines; what is read afterwards still says none.
	s.generation++
	for range 3 {
		w.advance(time.Minute)
		r := sweep(t, e)
		if len(s.patches) != 0 || r.Pools[0].Reason != "facts_implausible" {
			t.Fatalf("got %d changes and %s, want a hold because of facts_implausible", len(s.patches), r.Pools[0].Reason)
		}
	}
}
