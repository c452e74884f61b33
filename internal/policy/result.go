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
	maxBounds     = 16
	maxNumbers    = 32
	maxString     = 256
	maxWanted     = 100_000
	maxFaults     = 16
)

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// decode turns the answer to the question into a proposal, and says how much the answer held. An element that is
// malformed becomes one at fault and silences nothing but itself; any that is unknown or at fault puts the proposal in
// doubt.
func decode(given *given, failed []topdown.Error, view *scale.View) (scale.Proposal, tally) {
	if given.fault != nil {
		return scale.Proposal{Fault: shorten(stringOf(given.fault))}, tally{}
	}
	if v := given.version; v == nil || !v.Equal(ast.InternedTerm(outputVersion)) {
		return scale.Proposal{Fault: fmt.Sprintf("the proposal's version is not %d", outputVersion)}, tally{}
	}
	var p scale.Proposal
	bounds, held, fault := parts(given, &p)
	if fault != "" {
		return scale.Proposal{Fault: fault}, tally{}
	}
	for _, t := range given.silent {
		bounds = append(bounds, silence(&p, stringOf(t))...)
	}
	p.Doubt = len(failed) > 0
	for i := range failed {
		p.Faults = append(p.Faults, shorten(failed[i].Error()))
	}
	if len(failed) > 0 && (given.sets[caps] != nil || given.sets[pauses] != nil) {
		// The function that failed may have stood in the condition of a ceiling or a pause.
		bounds = append(bounds, bound{kind: caps, Reason: scale.Reason{
			Code: "undefined", Name: "cap or pause", State: scale.ReasonFault, Detail: "a built-in function failed",
		}})
	}
	blend(&p, given.blend)
	held.blends = p.Blend != nil
	merge(&p)
	restrain(&p, bounds, view.Facts)
	arrange(&p)
	return p, held
}

// parts decodes the elements of want into the proposal's reasons and gives those of cap and pause; fault is why the whole
// answer is of no use.
func parts(g *given, p *scale.Proposal) (bounds []bound, held tally, fault string) {
	for _, k := range ruleSets {
		given := g.sets[k.id]
		if given == nil && k.optional {
			continue
		}
		all, ok := elements(given)
		switch {
		case !ok:
			return nil, held, fmt.Sprintf("%s is no set of %ss", k.rule, k.noun)
		case len(all) > k.most:
			return nil, held, fmt.Sprintf("%s has %d %ss: at most %d", k.rule, len(all), k.noun, k.most)
		case k.id == wants:
			p.Reasons = make([]scale.Reason, 0, len(all))
		}
		held.parts[k.id] = len(all)
		for _, t := range all {
			e, wrong := k.element(t)
			if wrong != "" {
				e.Reason = scale.Reason{
					Code: cmp.Or(e.Code, "malformed"), Name: e.Name, State: scale.ReasonFault, Detail: wrong,
				}
				p.Faults = append(p.Faults, strings.TrimSpace(e.Code+" "+e.Name)+": "+wrong)
			}
			if k.id == wants {
				p.Reasons = append(p.Reasons, e.Reason)
			} else {
				bounds = append(bounds, e)
			}
		}
	}
	return bounds, held, ""
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

// merge takes the largest of the reasons that are known.
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
}

// arrange orders everything so that equal views give equal bytes.
func arrange(p *scale.Proposal) {
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
