package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// clockKeys are the keys of the input whose values move with the clock alone. All else in it moves at an edge that the
// engine can reckon: a signal turns stale, a schedule opens, a back-off ends.
var clockKeys = []string{"now", "unix_seconds", "age_seconds", "seconds_left", "quiet_seconds", "changed_seconds", "whole_seconds", "missed"}

// HearsClock reports whether what a policy proposes may change with every second, because one of its rules may read how
// late it is or how old something is. In doubt it does: the shipped library is known to take from the input only what it
// names; what authors write must name each field that it reads, and hand no part of the input that has one of
// [clockKeys] on as a whole.
func (b *Bundle) HearsClock(policy string) bool {
	hears, known := b.clocked[policy]
	return hears || !known
}

// clocked says for each policy whether it hears the clock.
func clocked(c *ast.Compiler, sources []source, policies map[string]shape) map[string]bool {
	l := listening{steadiness: steadiness{rules: map[string][]*ast.Rule{}}, shipped: map[string]bool{}}
	for _, s := range sources {
		l.shipped[s.path] = isShipped(s)
	}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			path := rulePath(r.Ref().GroundPrefix())
			l.rules[path] = append(l.rules[path], r)
		}
	}
	all := make(map[string]bool, len(policies))
	for name := range policies {
		// All rules of the package, those among them that nothing asks for included.
		l.seen = map[string]bool{}
		below := "data\x00pools\x00" + name
		all[name] = !isOurMain(sources) || l.hearsBelow(below)
	}
	return all
}

// listening looks for the clock in rules and in all that they call.
type listening struct {
	steadiness
	shipped map[string]bool
	seen    map[string]bool
}

// hearsBelow reports whether a rule at a path, below it, or above it hears the clock.
func (l *listening) hearsBelow(path string) bool {
	for at := range l.rules {
		related := at == path || strings.HasPrefix(at, path+"\x00") || strings.HasPrefix(path, at+"\x00")
		if !related || l.seen[at] {
			continue
		}
		l.seen[at] = true
		if slices.ContainsFunc(l.rules[at], l.ruleHears) {
			return true
		}
	}
	return false
}

func (l *listening) ruleHears(r *ast.Rule) bool {
	if r.Location == nil {
		return true
	}
	ours := l.shipped[r.Location.File]
	for ; r != nil; r = r.Else {
		if l.hears(r.Head, ours) || l.hears(r.Body, ours) {
			return true
		}
	}
	return false
}

// hears reports whether part of a rule may read what moves with the clock.
func (l *listening) hears(part any, ours bool) (heard bool) {
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.With:
			heard = true
		case ast.String:
			heard = heard || slices.Contains(clockKeys, string(x))
		case ast.Ref:
			heard = heard || l.refHears(x, ours)
			for _, t := range x[1:] {
				visitor.Walk(t)
			}
			return true
		case ast.Var:
			heard = heard || x == ast.InputRootDocument.Value || x == ast.DefaultRootDocument.Value
		}
		return heard
	})
	visitor.Walk(part)
	return heard
}

func (l *listening) refHears(ref ast.Ref, ours bool) bool {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		return len(ref) < 2 || !ours && partHears(ref)
	case !ref[0].Equal(ast.DefaultRootDocument):
		return false
	}
	n := 1
	for n < len(ref) && rulePath(ref[:n+1]) != "" {
		n++
	}
	return n < 2 || l.hearsBelow(rulePath(ref[:n]))
}

// fieldAt is how long a reference into a part of the input is at least that names one field which holds no part of those
// that move with the clock. What is not here has none, or is nothing but ages.
var fieldAt = map[string]int{"capacity": 3, "spot": 3, "signals": 4, "schedules": 4, "facts": 4}

// partHears reports whether a reference into the input may take more than one field of what moves with the clock.
func partHears(ref ast.Ref) bool {
	part, ok := ref[1].Value.(ast.String)
	if !ok {
		return true
	}
	switch part {
	case "version", "pool", "limits", "settings", "groups", "spending":
		return false
	}
	least := fieldAt[string(part)]
	if least == 0 || len(ref) < least {
		return true
	}
	field, ok := ref[least-1].Value.(ast.String)
	if ok && part == "signals" && field == "trend" {
		if len(ref) == least {
			return true
		}
		_, ok = ref[least].Value.(ast.String)
	}
	return !ok
}
