package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// listening is the tracker with a count of what it was asked, that says whether it hears the clock.
type listening struct {
	tracker
	mu       sync.Mutex
	hears    bool
	revision string
	asked    int
	// of are the same by pool, with the role behind a stroke for a set of a pair.
	of map[string]int
	// candidateHears is what is said of the policy next; beside changes what it proposes.
	candidateHears bool
	beside         func(*scale.Proposal)
	// wants is asked for in the place of what the tracker wants, if it is not 0.
	wants int
}

func (l *listening) HearsClock(policy string) bool {
	return l.hears && policy != "next" || l.candidateHears && policy == "next"
}

func (l *listening) Revision() string { return "listening" + l.revision }

func (l *listening) Propose(ctx context.Context, v *scale.View) scale.Proposal {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.of == nil {
		l.of = map[string]int{}
	}
	name := v.Pool
	if v.Facts.Pair != nil {
		name += "/" + string(v.Facts.Pair.Role)
	}
	l.of[name]++
	p := l.tracker.Propose(ctx, v)
	p.Revision = l.Revision()
	if l.wants > 0 {
		p.Known, p.Instances = true, l.wants
	}
	if v.Policy == "next" && l.beside != nil {
		l.beside(&p)
	}
	return p
}

// resting is a world with one pool that has what it wants, evaluated a moment ago on a batch.
func resting(t *testing.T, change func(*scale.Pool, *listening)) (*world, *engine.Engine, *listening) {
	t.Helper()
	p, l := webPool("web"), &listening{}
	if change != nil {
		change(&p, l)
	}
	w := newWorld(t, p)
	w.policy = l
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 60))
	return w, e, l
}

func TestSweepsReadAPoolAtRestAndDoNothingElse(t *testing.T) {
	w, e, l := resting(t, nil)
	asked, before := l.asked, w.calls["commit"]
	loads, reads := w.calls["load"], w.calls["read"]
	for range 4 {
		w.advance(time.Minute)
		sweep(t, e)
		sweep(t, e)
	}
	if l.asked != asked || w.calls["commit"] != before || w.calls["read"] != reads {
		t.Errorf("%d proposals, %d commits, %d reads of a pool at rest", l.asked-asked, w.calls["commit"]-before, w.calls["read"]-reads)
	}
	if n := w.calls["load"] - loads; n > 8+1 {
		t.Errorf("eight sweeps loaded %d times", n)
	}
	if n := len(w.entries("web")); n != 1 {
		t.Errorf("%d entries", n)
	}
	// Facts past their age wake it, whatever else stands still.
	w.advance(time.Minute)
	if sweep(t, e); l.asked == asked || w.calls["read"] == reads {
		t.Error("facts of five minutes ago were not read again")
	}
}

func TestEachEdgeWakesAPoolAtRest(t *testing.T) {
	order := func(until time.Time) func(*scale.Orders) {
		return func(o *scale.Orders) { o.PauseShrink = &scale.Order{At: until.Add(-time.Hour), Until: until} }
	}
	for name, tc := range map[string]struct {
		pool func(*scale.Pool, *listening)
		// meanwhile is what happens right after the evaluation.
		meanwhile func(*testing.T, *world, *engine.Engine, *listening)
		// after is when the pool must wake, zero for the next sweep.
		after time.Duration
	}{
		"a signal turns stale":      {pool: func(p *scale.Pool, _ *listening) { p.Signals[0].StaleAfter = 150 * time.Second }, after: 150 * time.Second},
		"a policy hears the clock":  {pool: func(_ *scale.Pool, l *listening) { l.hears = true }},
		"the policies have changed": {meanwhile: func(_ *testing.T, _ *world, _ *engine.Engine, l *listening) { l.revision = "2" }},
		"an order is given": {meanwhile: func(t *testing.T, w *world, _ *engine.Engine, _ *listening) {
			if _, err := engine.Reorder(t.Context(), w.ledger, "web", "o", order(w.clock().Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
		}},
		"an order ends": {meanwhile: func(t *testing.T, w *world, e *engine.Engine, _ *listening) {
			if _, err := engine.Reorder(t.Context(), w.ledger, "web", "o", order(w.clock().Add(150*time.Second))); err != nil {
				t.Fatal(err)
			}
			ingest(t, e, w.minutes("web", 1, 1, 3, 60))
		}, after: 150 * time.Second},
		"another process has stored a window alone": {meanwhile: func(t *testing.T, w *world, _ *engine.Engine, _ *listening) {
			s, err := w.ledger.Load(t.Context(), "web")
			if err != nil {
				t.Fatal(err)
			}
			err = w.ledger.Commit(t.Context(), "web", scale.Commit{Attempt: "x", Windows: []scale.StoredWindow{{
				Source: "ns/metrics/7", Data: s.Windows[0].Data,
			}}})
			if err != nil {
				t.Fatal(err)
			}
		}},
		"a back-off ends": {meanwhile: remembering(func(m *scale.Memory, now time.Time) {
			m.BackOffs = []scale.BackOff{{Class: scale.ClassQuota, Direction: scale.Grow, Until: now.Add(150 * time.Second)}}
		}), after: 150 * time.Second},
		"a cooldown ends": {meanwhile: remembering(func(m *scale.Memory, now time.Time) { m.GrownAt = now.Add(-30 * time.Second) }), after: 150 * time.Second},
		"the stabilisation window passes what was wanted": {pool: func(p *scale.Pool, _ *listening) { p.Rails.StabilisationSeconds = 150 }, after: 150 * time.Second},
		"the window of a step ends": {pool: func(p *scale.Pool, _ *listening) {
			p.Rails.StabilisationSeconds = 0
			p.Rails.ShrinkStep = scale.Step{Instances: 1, WindowSeconds: 150}
		}, after: 150 * time.Second},
		"a shortage of Spot ends": {meanwhile: remembering(func(m *scale.Memory, now time.Time) {
			m.SpotShort = &scale.Shortage{At: now, Until: now.Add(150 * time.Second)}
		}), after: 150 * time.Second},
		"an eviction is forgotten": {meanwhile: remembering(func(m *scale.Memory, now time.Time) {
			m.Evictions = []scale.Eviction{{At: now.Add(149*time.Second - scale.KeepNotices), Instances: 1}}
		}), after: 150 * time.Second},
		"machines have gone": {meanwhile: remembering(func(m *scale.Memory, _ time.Time) { m.Intended = &scale.Capacity{Instances: 12} })},
		"machines drift":     {meanwhile: remembering(func(m *scale.Memory, _ time.Time) { m.Drift = &scale.Drift{} })},
		"a change is under way": {meanwhile: func(t *testing.T, w *world, e *engine.Engine, l *listening) {
			l.wants = 14
			ingest(t, e, w.minutes("web", 1, 1, 3, 60))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, e, l := resting(t, tc.pool)
			if tc.meanwhile != nil {
				tc.meanwhile(t, w, e, l)
			}
			asked := l.asked
			step := step
			for d := step; d < tc.after; d += step {
				w.advance(step)
				if sweep(t, e); l.asked != asked {
					t.Fatalf("evaluated %v after the evaluation, the edge is at %v", d, tc.after)
				}
			}
			w.advance(step)
			if sweep(t, e); l.asked == asked {
				t.Error("a sweep past the edge did not evaluate")
			}
		})
	}
}

// remembering brings something into the pool's memory and evaluates once more.
func remembering(change func(*scale.Memory, time.Time)) func(*testing.T, *world, *engine.Engine, *listening) {
	return func(t *testing.T, w *world, e *engine.Engine, _ *listening) {
		s, err := w.ledger.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		c := s.Control
		change(&c.Memory, w.clock())
		if err := w.ledger.Commit(t.Context(), "web", scale.Commit{Attempt: "m", Control: &c, ControlVersion: s.ControlVersion}); err != nil {
			t.Fatal(err)
		}
		ingest(t, e, w.minutes("web", 1, 1, 3, 60))
	}
}
