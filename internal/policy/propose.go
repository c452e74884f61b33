package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"trimtab/internal/scale"
)

// maxFault bounds the text of a fault, which goes into the journal.
const maxFault = 512

const noProposal = "the policy gave no proposal"

var errOver = errors.New("its time was over")

// Propose asks the pool's policy. It never fails: whatever goes wrong is a fault within the proposal, which means hold.
// It depends on the view and the bundle alone; only the deadline and ctx can cut it short from outside.
func (b *Bundle) Propose(ctx context.Context, view *scale.View) (p scale.Proposal) {
	ctx, stop := context.WithTimeoutCause(ctx, deadline, errOver)
	defer stop()
	spent := &budget{ctx: ctx}
	defer func() {
		if fell := recover(); fell != nil {
			p = scale.Proposal{Fault: shorten(fmt.Sprintf("the policy broke its interpreter: %v", fell))}
		}
		if p.Reasons == nil {
			p.Reasons = []scale.Reason{}
		}
		p.Revision, p.Steps = b.revision, spent.steps
	}()
	policy, ok := b.policies[view.Policy]
	if !ok {
		return scale.Proposal{Fault: shorten(fmt.Sprintf("there is no policy %q in revision %s", view.Policy, b.revision))}
	}
	input, err := b.terms.input(view)
	if err != nil {
		return scale.Proposal{Fault: shorten(err.Error())}
	}
	if policy.countable {
		p = b.ask(ctx, b.short, view, input, spent)
		if p.Fault != "" || policy.heard(len(p.Reasons), p.Blend != nil) {
			return p
		}
	}
	return b.ask(ctx, b.long, view, input, spent)
}

// ask evaluates a question.
func (b *Bundle) ask(
	ctx context.Context, question rego.PreparedEvalQuery, view *scale.View, input ast.Value, spent *budget,
) scale.Proposal {
	var failed []topdown.Error
	options := make([]rego.EvalOption, 0, len(b.fixed)+4)
	options = append(options, b.fixed...)
	options = append(options, rego.EvalParsedInput(input), rego.EvalTime(view.Now), rego.EvalExternalCancel(spent),
		rego.EvalBuiltinErrorList(&failed))
	results, err := question.Eval(ctx, options...)
	switch {
	case topdown.IsCancel(err):
		return scale.Proposal{Fault: spent.why()}
	case err != nil:
		return scale.Proposal{Fault: shorten(strings.Join(strings.Fields(err.Error()), " "))}
	case len(results) != 1 || len(results[0].Expressions) != 1:
		return scale.Proposal{Fault: noProposal}
	}
	answer, ok := results[0].Expressions[0].Value.(*ast.Term)
	if !ok {
		return scale.Proposal{Fault: noProposal}
	}
	return decode(answer, failed)
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
