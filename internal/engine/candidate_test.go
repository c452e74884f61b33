package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// trying is tracker, and for the policy next what change makes of its proposal.
type trying struct {
	tracker
	change func(*scale.Proposal)
}

func (t trying) Propose(ctx context.Context, v *scale.View) scale.Proposal {
	p := t.tracker.Propose(ctx, v)
	if v.Policy == "next" {
		t.change(&p)
	}
	return p
}

// tryNext is a world whose one pool names next as its candidate.
func tryNext(t *testing.T, decides bool, change func(*scale.Proposal)) *world {
	t.Helper()
	pool := webPool("web")
	pool.Candidate = &scale.Candidate{Policy: "next", Decides: decides}
	w := newWorld(t, pool)
	w.policy = trying{change: change}
	return w
}

// minutesOf walks through minutes at a load that asks for the ten instances that there are.
func (w *world) minutesOf(e *engine.Engine, first, n int) {
	w.t.Helper()
	for i := first; i < first+n; i++ {
		ingest(w.t, e, w.minutes("web", 0, i, 1, 60))
		w.advance(time.Minute)
	}
}

func double(p *scale.Proposal) { p.Instances *= 2 }

func TestACandidateBesideIsRecordedAndTouchesNothing(t *testing.T) {
	w := tryNext(t, false, double)
	w.minutesOf(w.engine(), 1, 6)
	for _, entry := range w.entries("web") {
		b := entry.Beside
		if b == nil || b.Policy != "next" || b.Candidate != "next" || entry.View.Policy != "web" {
			t.Fatalf("decided by %s, beside it %+v", entry.View.Policy, b)
		}
		if entry.Proposal.Known && (!b.Differs || b.Proposal.Instances != 20 || b.Instances != 10 || entry.Proposal.Instances != 10) {
			t.Errorf("wanted %d, the candidate %d: differs %v by %d", entry.Proposal.Instances, b.Proposal.Instances, b.Differs, b.Instances)
		}
	}
	if n := len(w.sets[w.pools[0].ScaleSet].patches); n > 0 {
		t.Errorf("%d changes", n)
	}
}

func TestACandidateThatDecidesIsActedOn(t *testing.T) {
	w := tryNext(t, true, double)
	w.minutesOf(w.engine(), 1, 3)
	patches := w.sets[w.pools[0].ScaleSet].patches
	if len(patches) == 0 || patches[0].capacity != 20 {
		t.Fatalf("changes %+v, want one to 20", patches)
	}
	for _, entry := range w.entries("web") {
		if entry.View.Policy != "next" || entry.Beside == nil || entry.Beside.Policy != "web" || entry.Beside.Candidate != "next" {
			t.Fatalf("decided by %s, beside it %+v", entry.View.Policy, entry.Beside)
		}
		p, d := engine.Redecide(t.Context(), w.policy, &entry.View)
		if diff := cmp.Diff(entry.Proposal, p) + cmp.Diff(entry.Decision, d); diff != "" {
			t.Error(diff)
		}
	}
}

func TestACandidateThatErrsIsNotHeldOnAndSentBack(t *testing.T) {
	w := tryNext(t, true, func(p *scale.Proposal) { *p = scale.Proposal{Fault: "it broke", Revision: p.Revision} })
	w.minutesOf(w.engine(), 1, 6)
	all := w.entries("web")
	sentBack := 0
	for _, entry := range all {
		if entry.View.Policy != "web" || entry.Proposal.Fault != "" {
			t.Errorf("decided by %s, fault %q", entry.View.Policy, entry.Proposal.Fault)
		}
		if strings.Contains(entry.Note, "candidate next is sent back: 3 errors in 3 evaluations") {
			sentBack++
		}
	}
	trial := w.control("web").Memory.Trial
	if sentBack != 1 || trial == nil || trial.ReturnedAt.IsZero() || trial.Evaluations != 3 {
		t.Fatalf("sent back %d times, %+v", sentBack, trial)
	}

	// Another process remembers it, a new attempt does not.
	w.minutesOf(w.engine(), 7, 2)
	if again := w.control("web").Memory.Trial; !cmp.Equal(again, trial) {
		t.Error(cmp.Diff(trial, again))
	}
	w.pools[0].Candidate = &scale.Candidate{Policy: "next", Decides: true, Attempt: 2}
	w.policy = trying{change: double}
	w.minutesOf(w.engine(), 9, 1)
	if entry := w.entries("web")[0]; entry.View.Policy != "next" {
		t.Errorf("a new attempt is decided by %s", entry.View.Policy)
	}
}

func TestACandidateForWhichRailsFireMoreIsSentBack(t *testing.T) {
	w := tryNext(t, true, func(p *scale.Proposal) { p.Instances = 1000 })
	w.minutesOf(w.engine(), 1, 30)
	trial := w.control("web").Memory.Trial
	if trial == nil || trial.ReturnedAt.IsZero() || !strings.Contains(trial.Why, "rails fired") {
		t.Fatalf("%+v", trial)
	}
	if entry := w.entries("web")[0]; entry.View.Policy != "web" || entry.Beside.Policy != "next" {
		t.Errorf("decided by %s, beside it %s", entry.View.Policy, entry.Beside.Policy)
	}
}

func TestACandidateThatIsAsGoodAsThePoolsOwnGoesOn(t *testing.T) {
	w := tryNext(t, true, func(*scale.Proposal) {})
	w.minutesOf(w.engine(), 1, 40)
	if trial := w.control("web").Memory.Trial; trial == nil || !trial.ReturnedAt.IsZero() || trial.Evaluations < 40 || trial.Trying != trial.Own {
		t.Errorf("%+v", trial)
	}
}
