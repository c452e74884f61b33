package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"trimtab/internal/scale"
)

// A candidate that decides is sent back when, over the same views, it has had so many errors more than the pool's own
// policy, or so many more rails had to change its number. Half as many rails again are borne, because policies that want
// different things meet rails at different times.
const (
	errorsBorne = 3
	railsBorne  = 10
)

// decide asks the pool's policy, and its candidate beside it. The view's policy is the one that decided, so that the entry
// decides again to the same end.
func (e *Engine) decide(ctx context.Context, v *visit) (view *scale.View, p scale.Proposal, d scale.Decision, beside *scale.Beside) {
	view = e.view(v)
	c := v.pool.Candidate
	v.trial, v.sentBack = nil, ""
	if c == nil {
		p, d = Redecide(ctx, e.Policy, view)
		return view, p, d, nil
	}
	trial := begin(v.control.Memory.Trial, c)
	trying := c.Decides && trial.ReturnedAt.IsZero()
	tried := *view
	tried.Policy = c.Policy
	p, d = Redecide(ctx, e.Policy, view)
	tp, td := Redecide(ctx, e.Policy, &tried)
	differs := d.Action != td.Action || d.To.Instances != td.To.Instances || !sameMix(d.To.Mix, td.To.Mix)
	if trying {
		if trial.Since.IsZero() {
			trial.Since = v.now
		}
		trial.Evaluations++
		count(&trial.Own, &p, &d)
		count(&trial.Trying, &tp, &td)
		if trial.Why = worse(&trial); trial.Why != "" {
			trial.ReturnedAt = v.now
			v.sentBack = fmt.Sprintf("candidate %s is sent back: %s", c.Policy, trial.Why)
			trying = false
		}
	}
	v.trial = &trial
	beside = &scale.Beside{Policy: c.Policy, Candidate: c.Policy, Proposal: tp, Decision: td, Differs: differs, Instances: td.To.Instances - d.To.Instances}
	if trying && tp.Fault == "" {
		// A candidate that is wholly at fault is not held on: the pool's own policy is at hand.
		*beside = scale.Beside{Policy: v.pool.Policy, Candidate: c.Policy, Proposal: p, Decision: d, Differs: differs, Instances: -beside.Instances}
		view, p, d = &tried, tp, td
	}
	// Histories are those of the decision; beside it they say nothing.
	beside.Decision.Recommendations, beside.Decision.Capacities = nil, nil
	return view, p, d, beside
}

// begin is the trial as it stands, anew for another candidate or attempt.
func begin(t *scale.Trial, c *scale.Candidate) scale.Trial {
	if t == nil || t.Candidate != c.Policy || t.Attempt != c.Attempt {
		return scale.Trial{Candidate: c.Policy, Attempt: c.Attempt}
	}
	return *t
}

func count(t *scale.Tally, p *scale.Proposal, d *scale.Decision) {
	if p.Fault != "" || len(p.Faults) > 0 {
		t.Errors++
	}
	for _, a := range d.Adjustments {
		if a.Before != a.After {
			t.Rails++
		}
	}
}

// worse says what speaks against the candidate; empty if nothing does.
func worse(t *scale.Trial) string {
	switch {
	case t.Trying.Errors >= t.Own.Errors+errorsBorne:
		return fmt.Sprintf("%d errors in %d evaluations, the pool's own policy had %d", t.Trying.Errors, t.Evaluations, t.Own.Errors)
	case t.Trying.Rails >= t.Own.Rails+t.Own.Rails/2+railsBorne:
		return fmt.Sprintf("rails fired %d times in %d evaluations, for the pool's own policy %d times", t.Trying.Rails, t.Evaluations, t.Own.Rails)
	}
	return ""
}

func sameMix(a, b *scale.Mix) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// noted joins what an entry is to say.
func noted(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
