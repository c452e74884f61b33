package main

import (
	"fmt"

	"trimtab/internal/scale"
)

// candidate shows the policy that was asked beside the one that decided, and what would have been different.
func (p *printer) candidate(e *scale.Entry) {
	b := e.Beside
	if b == nil {
		return
	}
	if b.Policy == b.Candidate {
		p.line("\nThe candidate %s was asked beside it and touched nothing", b.Candidate)
	} else {
		p.line("\nThe candidate %s decided; the pool's own policy %s was asked beside it", b.Candidate, b.Policy)
	}
	p.line("  %s", differenceText(e))
	if b.Proposal.Fault != "" {
		p.line("  it is at fault: %s", b.Proposal.Fault)
	}
	for _, r := range b.Proposal.Reasons {
		wants := fmt.Sprint(r.Instances)
		if r.State != scale.ReasonKnown {
			wants = string(r.State)
		}
		p.line("  %s\t%s\t%s\t%s", r.Code, r.Name, wants, numbersText(r.Numbers))
	}
	for _, f := range b.Proposal.Faults {
		p.line("  fault: %s", f)
	}
	t := e.View.Memory.Trial
	switch {
	case t == nil || t.Evaluations == 0:
	case t.ReturnedAt.IsZero():
		p.line("  trial\tdecides since %s, %d evaluations before this; errors %d, own %d; rails %d, own %d",
			t.Since.Format("2006-01-02 15:04"), t.Evaluations, t.Trying.Errors, t.Own.Errors, t.Trying.Rails, t.Own.Rails)
	default:
		p.line("  trial\tsent back at %s: %s", t.ReturnedAt.Format("2006-01-02 15:04:05"), t.Why)
	}
}

// differenceText says what the policy that was asked beside would have done.
func differenceText(e *scale.Entry) string {
	b := e.Beside
	d := &b.Decision
	did := fmt.Sprintf("it would hold at %d", d.From.Instances)
	if d.Action == scale.Scale {
		did = fmt.Sprintf("it would %s from %d to %d", d.Direction, d.From.Instances, d.To.Instances)
	}
	switch {
	case !b.Differs:
		return "no difference: " + did
	case b.Instances != 0:
		return fmt.Sprintf("difference: %s, %+d instances, because of %s", did, b.Instances, d.Reason)
	default:
		return fmt.Sprintf("difference: %s, because of %s", did, d.Reason)
	}
}
