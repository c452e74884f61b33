package policy

import (
	"math"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// ruleSet is one of the sets that a policy gives.
type ruleSet struct {
	id int
	// rule is the set's name, noun what an element of it is called, field what only its elements have.
	rule, noun, field string
	most              int
	optional          bool
}

const (
	wants = iota
	caps
	pauses
)

var ruleSets = [...]ruleSet{
	{id: wants, rule: "want", noun: "reason", field: "instances", most: maxReasons},
	{id: caps, rule: "cap", noun: "ceiling", field: "at_most", most: maxBounds, optional: true},
	{id: pauses, rule: "pause", noun: "pause", field: "stops", most: maxBounds, optional: true},
}

func ruleSetNamed(rule ast.Var) (id int, ok bool) {
	for _, k := range ruleSets {
		if rule == ast.Var(k.rule) {
			return k.id, true
		}
	}
	return 0, false
}

// What a pause stops.
const (
	stopsAll    = "all"
	stopsGrow   = "grow"
	stopsShrink = "shrink"
)

// bound is an element of one of the sets. Instances is the most that a ceiling allows.
type bound struct {
	scale.Reason
	kind  int
	stops string
}

// restrain lays ceilings and pauses over what the reasons want. A ceiling only lowers the number and a pause only keeps
// it at the present count, so neither can move what the reasons and the rails would not; one that is unknown or at fault
// holds the count, because what it would have allowed is not known. Each leaves a reason: known, with the number it
// asks for, where it binds, and idle where it does not.
func restrain(p *scale.Proposal, bounds []bound, facts scale.Facts) {
	known, wanted, least := p.Known, p.Instances, math.MaxInt
	for i := range bounds {
		b := &bounds[i]
		switch {
		case b.State == scale.ReasonIdle:
		case b.State != scale.ReasonKnown:
			p.Doubt = true
			stay(p, facts, stopsGrow)
		case b.kind == caps && known && b.Instances < wanted:
			least = min(least, b.Instances)
			b.note("wanted", wanted)
		case b.kind == caps:
			b.State = scale.ReasonIdle
			b.note("at_most", b.Instances)
			b.Instances = 0
		}
	}
	p.Instances = min(p.Instances, least)
	for i := range bounds {
		b := &bounds[i]
		if b.kind == pauses && b.State != scale.ReasonIdle {
			stay(p, facts, b.stops)
			if b.State == scale.ReasonKnown {
				b.Instances = facts.Capacity
				b.note("wanted", wanted)
			}
		}
		p.Reasons = append(p.Reasons, b.Reason)
	}
}

// stay keeps the number at the present count, or from passing it in one direction. Where no reason is known it makes the
// present count the wish, so that the pool's default count is not grown to. Without facts the rails hold by themselves.
func stay(p *scale.Proposal, facts scale.Facts, stops string) {
	if stops == stopsAll {
		p.Blend = nil
	}
	if !facts.Known() {
		return
	}
	current := facts.Capacity
	switch {
	case !p.Known && stops != stopsShrink:
		p.Known, p.Instances = true, current
	case !p.Known:
	case stops == stopsGrow:
		p.Instances = min(p.Instances, current)
	case stops == stopsShrink:
		p.Instances = max(p.Instances, current)
	default:
		p.Instances = current
	}
}

func (b *bound) note(name string, n int) {
	if b.Numbers == nil {
		b.Numbers = map[string]int64{}
	}
	b.Numbers[name] = int64(n)
}
