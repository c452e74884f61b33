package policy

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"trimtab/internal/scale"
)

// maxFault bounds the text of a fault, which goes into the journal.
const maxFault = 512

const noProposal = "the policy gave no proposal"

// attempts is how often an evaluation may be cut off for its time or memory. A process that its machine stalls is cut
// off once, a policy that doubles its memory each time: what is decided must not hang on the former.
const attempts = 3

// Propose asks the pool's policy. It never fails: whatever goes wrong is a fault within the proposal, which means hold.
// It depends on the view and the bundle alone; only ctx, and a machine that stalls again and again, can cut it short.
func (b *Bundle) Propose(ctx context.Context, view *scale.View) scale.Proposal {
	p, over := b.attempt(ctx, view)
	for n := 1; over && n < attempts; n++ {
		p, over = b.attempt(ctx, view)
	}
	if p.Reasons == nil {
		p.Reasons = []scale.Reason{}
	}
	p.Revision = b.revision
	return p
}

// attempt asks once; over is true when time or memory ended it.
func (b *Bundle) attempt(ctx context.Context, view *scale.View) (p scale.Proposal, over bool) {
	spent, stop := newBudget(ctx)
	defer stop()
	ctx = spent.ctx
	defer func() {
		if fell := recover(); fell != nil {
			p, over = scale.Proposal{Fault: shorten(fmt.Sprintf("the policy broke its interpreter: %v", fell))}, false
		}
		p.Steps = spent.steps
	}()
	policy, ok := b.policies[view.Policy]
	if !ok {
		return scale.Proposal{Fault: shorten(fmt.Sprintf("there is no policy %q in revision %s", view.Policy, b.revision))}, false
	}
	input, steady, err := b.terms.input(view)
	if err != nil {
		return scale.Proposal{Fault: shorten(err.Error())}, false
	}
	question, answers := b.asked.short[view.Policy], topdown.VirtualCache(nil)
	if steady = b.gathered(ctx, steady); steady != nil {
		answers = steady.answers
		if steady.own != nil {
			question = *steady.own
		}
	}
	e := evaluation{b: b, view: view, input: input, spent: spent, answers: newMemo(answers)}
	if policy.countable {
		var heard tally
		p, heard = e.ask(ctx, question)
		if p.Fault != "" || policy.heard(heard) {
			return p, spent.over()
		}
	}
	p, _ = e.ask(ctx, b.asked.long)
	return p, spent.over()
}

// evaluation is one view on its way through the policy.
type evaluation struct {
	b       *Bundle
	view    *scale.View
	input   ast.Value
	spent   *budget
	answers topdown.VirtualCache
}

// ask evaluates a question; the tally says how much the answer held.
func (e *evaluation) ask(ctx context.Context, q question) (scale.Proposal, tally) {
	given, failed, err := e.b.asked.answer(ctx, q, e)
	switch {
	case topdown.IsCancel(err):
		e.spent.cut = true
		return scale.Proposal{Fault: e.spent.why()}, tally{}
	case err != nil:
		return scale.Proposal{Fault: shorten(strings.Join(strings.Fields(err.Error()), " "))}, tally{}
	case given == nil && q.direct:
		// Something that it asks for is undefined: the long question tells where.
		return scale.Proposal{}, tally{}
	case given == nil:
		return scale.Proposal{Fault: noProposal}, tally{}
	}
	return decode(given, failed, e.view)
}

// shorten keeps the journal's rows small.
func shorten(s string) string { return cut(s, maxFault) }

// cut is the string's first bytes, no rune split.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
