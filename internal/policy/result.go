package policy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"trimtab/internal/scale"
)

// The bounds of a proposal, policies/schemas/proposal/schema.json; what passes them is a fault.
const (
	outputVersion = 1
	maxReasons    = 64
	maxNumbers    = 32
	maxString     = 256
	maxWanted     = 100_000
	maxFaults     = 16
)

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// decode turns the answer to the question into a proposal. A reason that is malformed becomes one at fault and silences
// nothing but itself; any reason that is unknown or at fault puts the proposal in doubt.
func decode(answer *ast.Term, failed []topdown.Error) scale.Proposal {
	pair, ok := answer.Value.(*ast.Array)
	if !ok || pair.Len() != 2 {
		return scale.Proposal{Fault: noProposal}
	}
	out, ok := pair.Elem(0).Value.(ast.Object)
	if !ok {
		return scale.Proposal{Fault: "the proposal is no object"}
	}
	if fault := out.Get(key("fault")); fault != nil {
		return scale.Proposal{Fault: shorten(stringOf(fault))}
	}
	if v := out.Get(keyVersion); v == nil || !v.Equal(ast.IntNumberTerm(outputVersion)) {
		return scale.Proposal{Fault: fmt.Sprintf("the proposal's version is not %d", outputVersion)}
	}
	want, ok := elements(out.Get(key("want")))
	if !ok {
		return scale.Proposal{Fault: "want is no set of reasons"}
	}
	if len(want) > maxReasons {
		return scale.Proposal{Fault: fmt.Sprintf("want has %d reasons: at most %d", len(want), maxReasons)}
	}
	p := scale.Proposal{Reasons: make([]scale.Reason, 0, len(want))}
	for _, t := range want {
		r, wrong := reason(t)
		if wrong != "" {
			r = scale.Reason{Code: cmp.Or(r.Code, "malformed"), Name: r.Name, State: scale.ReasonFault, Detail: wrong}
			p.Faults = append(p.Faults, strings.TrimSpace(r.Code+" "+r.Name)+": "+wrong)
		}
		p.Reasons = append(p.Reasons, r)
	}
	silent, _ := elements(pair.Elem(1))
	for _, t := range silent {
		silence(&p, stringOf(t))
	}
	p.Doubt = len(failed) > 0
	for i := range failed {
		p.Faults = append(p.Faults, shorten(failed[i].Error()))
	}
	blend(&p, out.Get(key("blend")))
	merge(&p)
	return p
}

// elements are those of a set or an array.
func elements(t *ast.Term) ([]*ast.Term, bool) {
	if t == nil {
		return nil, false
	}
	switch v := t.Value.(type) {
	case ast.Set:
		return v.Slice(), true
	case *ast.Array:
		all := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { all = append(all, t) })
		return all, true
	}
	return nil, false
}

// merge takes the largest of the reasons that are known, and orders everything so that equal views give equal bytes.
func merge(p *scale.Proposal) {
	for i := range p.Reasons {
		switch r := &p.Reasons[i]; r.State {
		case scale.ReasonKnown:
			p.Known = true
			p.Instances = max(p.Instances, r.Instances)
		case scale.ReasonUnknown, scale.ReasonFault:
			p.Doubt = true
		}
	}
	slices.SortFunc(p.Reasons, func(a, b scale.Reason) int {
		d := cmp.Or(cmp.Compare(order[a.State], order[b.State]), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Name, b.Name),
			cmp.Compare(b.Instances, a.Instances), cmp.Compare(a.Detail, b.Detail))
		if d == 0 {
			d = cmp.Compare(fmt.Sprint(a.Numbers), fmt.Sprint(b.Numbers))
		}
		return d
	})
	slices.Sort(p.Faults)
	p.Faults = slices.Compact(p.Faults)
	if n := len(p.Faults); n > maxFaults {
		p.Faults = append(p.Faults[:maxFaults:maxFaults], fmt.Sprintf("and %d more", n-maxFaults))
	}
}

var order = map[scale.ReasonState]int{
	scale.ReasonKnown: 0, scale.ReasonUnknown: 1, scale.ReasonFault: 2, scale.ReasonIdle: 3,
}
