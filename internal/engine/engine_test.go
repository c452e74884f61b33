package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

func ingest(t *testing.T, e *engine.Engine, b engine.Batch) engine.Report {
	t.Helper()
	r, err := e.Ingest(t.Context(), b)
	if err != nil {
		t.Fatalf("ingest: %v", err)
	}
	return r
}

func sweep(t *testing.T, e *engine.Engine) engine.Report {
	t.Helper()
	r, err := e.Sweep(t.Context(), "sweep")
	if err != nil {
		t.Fatalf("sweep: %v", err)
	}
	return r
}

func TestEventsBecomeOneConditionalPatchThatIsFollowedToItsEnd(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	r := ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	if len(r.Pools) != 1 || !r.Pools[0].Sent || r.Pools[0].To != 15 || r.Folded != 3 || r.Events != 3 {
		t.Fatalf("got %+v, want three samples folded and one change to 15", r)
	}
	s := w.sets[setID+"web"]
	if want := []patch{{w.now, 15, `"1"`}}; !cmp.Equal(want, s.patches, cmp.AllowUnexported(patch{})) {
		t.Fatalf("got patches %+v, want %+v", s.patches, want)
	}
	if in := w.control("web").Intent; in == nil || in.Stage != scale.StageAccepted || in.Token == "" {
		t.Fatalf("got intent %+v, want one accepted, with its token", in)
	}
	w.advance(15 * time.Second)
	r = sweep(t, e)
	if o := r.Pools[0].Outcome; o == nil || o.Result != scale.Applied || o.Capacity != 15 {
		t.Fatalf("got outcome %+v, want applied", o)
	}
	all := w.entries("web")
	if len(all) != 2 || all[1].Outcome == nil || all[1].Outcome.Result != scale.Applied || all[0].Decision.Action != scale.Hold {
		t.Fatalf("got %d entries, want the change with its outcome and then a hold", len(all))
	}
	if c := w.control("web"); c.Intent != nil || c.Memory.Intended == nil || c.Memory.Intended.Instances != 15 {
		t.Errorf("got control %+v, want no intent and 15 intended", c)
	}
	// The signals still show the load of ten instances: that is not a reason to grow again.
	w.advance(4 * time.Minute)
	r = ingest(t, e, w.minutes("web", 0, 4, 1, 90))
	_ = r
	for range 5 {
		w.advance(time.Minute)
		sweep(t, e)
	}
	if len(s.patches) > 2 {
		t.Errorf("got %d patches", len(s.patches))
	}
}

func TestLateSignalsDoNotGrowThePoolTwice(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	before := w.clock()
	w.advance(20 * time.Second)
	sweep(t, e)
	w.advance(5 * time.Minute)
	// What arrives now was measured before the change: 90 percent of ten instances.
	b := engine.Batch{Invocation: "late", Events: []engine.Event{w.event("web", 1, 1, before.Add(-time.Minute), 90)}}
	ingest(t, e, b)
	if s := w.sets[setID+"web"]; len(s.patches) != 1 || s.capacity != 15 {
		t.Errorf("got %d patches and capacity %d, want one and 15", len(s.patches), s.capacity)
	}
}

func TestARepeatedBatchChangesNothing(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	b := w.minutes("web", 0, 1, 3, 50)
	ingest(t, e, b)
	stored, _ := w.ledger.Load(t.Context(), "web")
	w.advance(10 * time.Second)
	r := ingest(t, e, b)
	if r.Repeated != 3 || r.Folded != 0 {
		t.Errorf("got %+v, want three repeated", r.Counts)
	}
	again, _ := w.ledger.Load(t.Context(), "web")
	if diff := cmp.Diff(stored, again); diff != "" {
		t.Errorf("a repeated batch changed what is stored:\n%s", diff)
	}
	if n := len(w.entries("web")); n != 1 {
		t.Errorf("got %d entries, want 1", n)
	}
}

func TestTheSameBatchAtTwoProcessesAtOnceIsOneChange(t *testing.T) {
	for round := range 50 {
		w := newWorld(t, webPool("web"))
		a, b := w.engine(), w.engine()
		batch := w.minutes("web", 0, 1, 3, 90)
		var group sync.WaitGroup
		for _, e := range []*engine.Engine{a, b} {
			group.Go(func() {
				if _, err := e.Ingest(context.WithoutCancel(t.Context()), batch); err != nil {
					t.Errorf("ingest: %v", err)
				}
			})
		}
		group.Wait()
		if s := w.sets[setID+"web"]; len(s.patches) != 1 || s.capacity != 15 {
			t.Fatalf("round %d: got %d patches and capacity %d, want one and 15", round, len(s.patches), s.capacity)
		}
		if got := w.control("web").Memory.Capacities; len(got) != 1 {
			t.Errorf("round %d: got capacities %v", round, got)
		}
	}
}

func TestManyPartitionsAtOnceLoseNothing(t *testing.T) {
	w := newWorld(t, webPool("web"))
	engines := []*engine.Engine{w.engine(), w.engine(), w.engine()}
	var group sync.WaitGroup
	for partition := range 9 {
		batch := w.minutes("web", partition, 1, 2, 50)
		group.Go(func() {
			r, err := engines[partition%3].Ingest(context.WithoutCancel(t.Context()), batch)
			if err != nil || r.Folded != 2 {
				t.Errorf("partition %d: folded %d, %v", partition, r.Folded, err)
			}
		})
	}
	group.Wait()
	stored, _ := w.ledger.Load(t.Context(), "web")
	if len(stored.Windows) != 9 {
		t.Errorf("got %d windows, want 9", len(stored.Windows))
	}
	if s := w.sets[setID+"web"]; len(s.patches) > 1 {
		t.Errorf("got %d patches", len(s.patches))
	}
}

// TestACrashAnywhereConverges kills the process before and after every side effect of a growth, and lets a new one go
// on from what is stored: the batch comes again, as the host would send it, or is lost, as when its retries run out.
func TestACrashAnywhereConverges(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for strike := 1; ; strike++ {
			w := newWorld(t, webPool("web"))
			batch := w.minutes("web", 0, 1, 3, 90)
			crossed, dead, point := 0, false, ""
			w.strike = func(p string) error {
				if dead {
					return errCrash
				}
				if crossed++; crossed == strike {
					dead, point = true, p
					return errCrash
				}
				return nil
			}
			_, err := w.engine().Ingest(t.Context(), batch)
			if !dead {
				if strike < 8 {
					t.Fatalf("only %d points to strike", strike-1)
				}
				break
			}
			w.strike = nil
			name := fmt.Sprintf("lost=%t strike %d at %s (ingest: %v)", lost, strike, point, err)
			e := w.engine()
			if !lost {
				ingest(t, e, batch)
			}
			for range 12 {
				w.advance(time.Minute)
				sweep(t, e)
			}
			s := w.sets[setID+"web"]
			folded := len(w.windowsOf("web")) > 0
			want := 15
			if !folded {
				want = 10
			}
			if s.capacity != want || len(s.patches) > 1 || w.control("web").Intent != nil {
				t.Errorf("%s: capacity %d (want %d) by %d patches, intent %+v", name, s.capacity, want, len(s.patches),
					w.control("web").Intent)
			}
			if !lost && !folded {
				t.Errorf("%s: nothing was folded", name)
			}
			for _, entry := range w.entries("web") {
				if entry.Decision.Act && entry.Outcome == nil {
					t.Errorf("%s: entry %s has no outcome", name, entry.Key)
				}
			}
		}
	}
}

func (w *world) windowsOf(pool string) []scale.StoredWindow {
	s, err := w.ledger.Load(w.t.Context(), pool)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Windows
}

func TestACooldownSurvivesARestart(t *testing.T) {
	w := newWorld(t, webPool("web"))
	ingest(t, w.engine(), w.minutes("web", 0, 1, 3, 90))
	w.advance(20 * time.Second)
	sweep(t, w.engine())
	w.advance(2 * time.Minute)
	r := ingest(t, w.engine(), w.minutes("web", 0, 4, 2, 100))
	if r.Pools[0].Reason != "cooldown_grow" || r.Pools[0].Sent {
		t.Errorf("got %+v, want a hold because of cooldown_grow", r.Pools[0])
	}
	w.advance(time.Minute)
	r = ingest(t, w.engine(), w.minutes("web", 0, 6, 3, 100))
	if !r.Pools[0].Sent {
		t.Errorf("got %+v, want a growth after the cooldown", r.Pools[0])
	}
}

func TestWithoutTheLedgerTheBatchComesAgainAndIsFoldedOnce(t *testing.T) {
	for _, point := range []string{"-load", "-commit", "+commit"} {
		w := newWorld(t, webPool("web"))
		e := w.engine()
		batch := w.minutes("web", 0, 1, 3, 50)
		w.strike = func(p string) error {
			if p == point {
				return errors.New("503 ServerBusy")
			}
			return nil
		}
		if _, err := e.Ingest(t.Context(), batch); err == nil {
			t.Fatalf("%s: no error although the ledger is down", point)
		}
		w.strike = nil
		first, _ := w.ledger.Load(t.Context(), "web")
		r := ingest(t, e, batch)
		if stored := len(first.Windows) > 0; stored != (r.Repeated == 3) || stored == (r.Folded == 3) {
			t.Errorf("%s: stored before %t, then %+v", point, stored, r.Counts)
		}
	}
}

func TestWithoutTheScaleSetTheWishIsCarriedOutLater(t *testing.T) {
	for _, name := range []string{"read", "change"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, webPool("web"))
			e := w.engine()
			w.strike = func(p string) error {
				if p == "-"+name {
					return errors.New("connection refused")
				}
				return nil
			}
			r := ingest(t, e, w.minutes("web", 0, 1, 3, 90))
			if len(r.Pools) != 1 || r.Pools[0].Sent || r.Folded != 3 {
				t.Fatalf("got %+v, want the samples folded and nothing sent", r)
			}
			w.advance(time.Minute)
			sweep(t, e)
			w.strike = nil
			for range 4 {
				w.advance(time.Minute)
				sweep(t, e)
			}
			if s := w.sets[setID+"web"]; len(s.patches) != 1 || s.capacity != 15 {
				t.Errorf("got %d patches and capacity %d, want one and 15", len(s.patches), s.capacity)
			}
		})
	}
}

func TestAnAnswerThatIsLostIsFoundInTheFacts(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	once := true
	w.strike = func(p string) error {
		if p == "+change" && once {
			once = false
			return errors.New("connection reset")
		}
		return nil
	}
	r := ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	if r.Pools[0].Sent {
		t.Fatal("reported as sent")
	}
	w.advance(time.Minute)
	r = sweep(t, e)
	if o := r.Pools[0].Outcome; o == nil || o.Result != scale.Applied {
		t.Fatalf("got outcome %+v, want applied", o)
	}
	if s := w.sets[setID+"web"]; len(s.patches) != 1 || s.capacity != 15 {
		t.Errorf("got %d patches and capacity %d, want one and 15", len(s.patches), s.capacity)
	}
}

func TestAForeignWriterIsNotOverwritten(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	s := w.sets[setID+"web"]
	w.strike = func(p string) error {
		if p == "-change" && s.generation == 1 {
			s.capacity, s.generation = 20, 2
		}
		return nil
	}
	r := ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	if o := r.Pools[0].Outcome; o == nil || o.Result != scale.Superseded || s.capacity != 20 {
		t.Fatalf("got outcome %+v and capacity %d, want superseded and 20", o, s.capacity)
	}
	if c := w.control("web"); !c.Memory.GrownAt.IsZero() {
		t.Error("a change that was not written began a cooldown")
	}
}

func TestOutcomesOfOperations(t *testing.T) {
	failure := func(c scale.Class, code string) *scale.FleetError {
		return &scale.FleetError{Op: "follow", Class: c, Status: 200, Code: code, Message: "m"}
	}
	for name, c := range map[string]struct {
		prepare func(*world, *set)
		result  scale.Result
		class   scale.Class
		backOff bool
	}{
		"an operation that succeeds is applied": {func(*world, *set) {}, scale.Applied, "", false},
		"an allocation that fails is a failure with a back-off": {
			func(_ *world, s *set) { s.ops[1].failure = failure(scale.ClassNoCapacity, "AllocationFailed") },
			scale.Failed, scale.ClassNoCapacity, true,
		},
		"a newer write preempts, without a back-off": {
			func(_ *world, s *set) { s.ops[1].failure = failure(scale.ClassPreempted, "OperationPreempted") },
			scale.Preempted, scale.ClassPreempted, false,
		},
		"an expired record is settled by the facts": {
			func(_ *world, s *set) { delete(s.ops, 1); s.state = "Succeeded" }, scale.Applied, "", false,
		},
		"an expired record of a set that failed is a failure": {
			func(_ *world, s *set) { delete(s.ops, 1); s.state = "Failed" }, scale.Failed, scale.ClassUnknown, true,
		},
		"an expired record of a set that somebody changed is superseded": {
			func(_ *world, s *set) { delete(s.ops, 1); s.state, s.capacity = "Succeeded", 33 }, scale.Superseded, "", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, webPool("web"))
			e := w.engine()
			ingest(t, e, w.minutes("web", 0, 1, 3, 90))
			c.prepare(w, w.sets[setID+"web"])
			var got *scale.Outcome
			backedOff := false
			for range 3 {
				w.advance(time.Minute)
				for _, p := range sweep(t, e).Pools {
					if p.Outcome != nil {
						got = p.Outcome
						backedOff = len(w.control("web").Memory.BackOffs) > 0
					}
				}
			}
			if got == nil || got.Result != c.result || got.Class != c.class {
				t.Fatalf("got %+v, want %s %s", got, c.result, c.class)
			}
			if backedOff != c.backOff {
				t.Errorf("backed off %t, want %t", backedOff, c.backOff)
			}
		})
	}
}

func TestAnOperationInFlightHoldsEveryOtherChange(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 90))
	w.sets[setID+"web"].ops[1].ends = w.clock().Add(time.Hour)
	for i := range 30 {
		w.advance(time.Minute)
		r := ingest(t, e, w.minutes("web", 0, 4+i, 1, 100))
		if r.Pools[0].Sent {
			t.Fatal("a second change while one is in flight")
		}
	}
	if n := w.calls["follow"]; n > 31 {
		t.Errorf("asked %d times about one operation in half an hour", n)
	}
}

func TestMalformedEventsAreKeptAndTheRestIsFolded(t *testing.T) {
	w := newWorld(t, webPool("web"))
	b := w.minutes("web", 2, 1, 3, 50)
	b.Events[1].Body = []byte(`{"records":[{"metricName":`)
	b.Events[1].Properties.Application = []byte(`{"content-type":"application/json","long":"` + strings.Repeat("x", 1<<20) + `"}`)
	b.Events[1].Properties.System = []byte(`["no object"]`)
	r := ingest(t, w.engine(), b)
	if r.Folded != 2 || r.DeadLetters != 1 || r.Events != 3 {
		t.Errorf("got %+v", r)
	}
	letters, err := w.ledger.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("got %d dead letters, %v", len(letters), err)
	}
	l := letters[0]
	if l.Source.Hub != "ns/metrics" || l.Source.Partition != "2" || l.Source.Sequence != 2 ||
		len(l.Rejections) == 0 || l.Rejections[0].Reason == "" || string(l.Body) != `{"records":[{"metricName":` ||
		string(l.Application) != `{"content-type":"application/json"}` || l.System != nil {
		t.Errorf("got %+v", l)
	}
}

// TestCallsForAHundredPools holds the promise of at most one read and one write of the ledger for each pool touched,
// and of no ARM call when nothing changes and the facts are fresh.
func TestCallsForAHundredPools(t *testing.T) {
	var pools []scale.Pool
	for i := range 100 {
		pools = append(pools, webPool(fmt.Sprintf("p%03d", i)))
	}
	w := newWorld(t, pools...)
	e := w.engine()
	batch := func(sequence int) engine.Batch {
		b := engine.Batch{Invocation: "i"}
		for i := range 100 {
			b.Events = append(b.Events, w.event(fmt.Sprintf("p%03d", i), 0, sequence+i, w.clock().Add(-time.Minute), 60))
		}
		return b
	}
	ingest(t, e, batch(1))
	if w.calls["read"] != 100 {
		t.Errorf("the first batch made %d reads of facts, want one for each pool", w.calls["read"])
	}
	clear(w.calls)
	w.advance(time.Minute)
	r := ingest(t, e, batch(1000))
	if len(r.Pools) != 100 || r.Folded != 100 {
		t.Fatalf("got %d pools, %d folded", len(r.Pools), r.Folded)
	}
	want := map[string]int{"load": 100, "commit": 100}
	if diff := cmp.Diff(want, w.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestFactsAreReadNoMoreOftenThanTheirAge bounds the reads of a pool that nothing changes.
func TestFactsAreReadNoMoreOftenThanTheirAge(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	for i := range 60 {
		ingest(t, e, w.minutes("web", 0, 1+i, 1, 60))
		w.advance(time.Minute)
	}
	if n := w.calls["read"]; n > 13 {
		t.Errorf("got %d reads in an hour, want one in five minutes", n)
	}
}

func TestASilentSignalStopsShrinkingAndASweepNotices(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 10))
	for range 30 {
		w.advance(time.Minute)
		sweep(t, e)
	}
	s := w.sets[setID+"web"]
	last := w.entries("web")[0]
	if last.View.Signals["cpu"].State != scale.SignalStale || last.Decision.Action != scale.Hold {
		t.Errorf("got state %s, %s", last.View.Signals["cpu"].State, last.Decision.Action)
	}
	for _, p := range s.patches {
		if p.at.Sub(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)) >= 15*time.Minute {
			t.Errorf("shrunk at %v on a signal that was stale", p.at)
		}
	}
}

func TestACapacityOfZeroIsReadTwice(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 60))
	reads := 0
	s := w.sets[setID+"web"]
	w.strike = func(p string) error {
		if p == "-read" {
			if reads++; reads == 1 {
				s.capacity = 0
			} else {
				s.capacity = 10
			}
		}
		return nil
	}
	w.advance(6 * time.Minute)
	r := ingest(t, e, w.minutes("web", 0, 4, 3, 60))
	if reads != 2 || r.Pools[0].From != 10 || r.Pools[0].Sent {
		t.Errorf("got %d reads and %+v, want two and a hold at ten", reads, r.Pools[0])
	}
}

func TestAFreezeHoldsFromTheNextDecision(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 1, 60))
	orders, err := engine.Reorder(t.Context(), memory{w}, "web", "desk", func(o *scale.Orders) {
		o.Freeze = &scale.Order{At: w.clock(), Reason: "change freeze"}
	})
	if err != nil || orders.Freeze == nil {
		t.Fatal(err)
	}
	r := ingest(t, e, w.minutes("web", 0, 2, 3, 95))
	if r.Pools[0].Reason != "frozen" || r.Pools[0].Sent {
		t.Errorf("got %+v, want frozen", r.Pools[0])
	}
}

// TestEveryEntryReplaysToItsDecision walks a day of load with trouble in it and decides again on every entry, after
// the entry has been through JSON (invariant 9).
func TestEveryEntryReplaysToItsDecision(t *testing.T) {
	w := newWorld(t, webPool("web"))
	w.pools[0].Schedules = []scale.Schedule{{Name: "day", Days: [7]bool{true, true, true, true, true, true, true}, From: 600, To: 700, Zone: time.UTC}}
	e := w.engine()
	n := 0
	w.strike = func(p string) error {
		if n++; n%37 == 0 && !strings.Contains(p, "load") {
			return errors.New("trouble")
		}
		return nil
	}
	for minute := range 600 {
		cpu := 20 + 70*float64(minute%120)/120
		_, _ = e.Ingest(t.Context(), w.minutes("web", minute%3, 1+minute, 1, cpu))
		w.advance(time.Minute)
	}
	w.strike = nil
	all := w.entries("web")
	if len(all) < 400 {
		t.Fatalf("only %d entries", len(all))
	}
	acted := 0
	for _, entry := range all {
		text, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		var read scale.Entry
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		proposal, decision := engine.Redecide(t.Context(), tracker{}, &read.View)
		want, _ := json.Marshal([]any{entry.Proposal, entry.Decision})
		got, _ := json.Marshal([]any{proposal, decision})
		if string(want) != string(got) {
			t.Fatalf("entry %s:\nwant %s\ngot  %s", entry.Key, want, got)
		}
		if decision.Act {
			acted++
		}
	}
	if acted < 5 {
		t.Errorf("only %d of %d entries act", acted, len(all))
	}
}
