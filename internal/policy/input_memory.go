package policy

import (
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

var (
	keyMemory, keyEvictions, keyHealth = key("memory"), key("evictions"), key("health")
	keyRivals, keyZone, keyMachine     = key("rivals"), key("zone"), key("machine")
	keyBy, keyAction                   = key("by"), key("action")
	keyFrom, keyTo                     = key("from"), key("to")

	none          = ast.ArrayTerm()
	nothingNoted  = ast.ObjectTerm(ast.Item(keyEvictions, none), ast.Item(keyHealth, none), ast.Item(keyRivals, none))
	optionalWhole = func(n *int) *ast.Term {
		if n == nil {
			return nothing
		}
		return whole(int64(*n))
	}
)

// memoryTerm gives what the pool remembers of evictions, health and rivals.
func memoryTerm(v *scale.View) *ast.Term {
	m := &v.Memory
	if len(m.Evictions)+len(m.Health)+len(m.Rivals) == 0 {
		return nothingNoted
	}
	age := func(at time.Time) [2]*ast.Term {
		return ast.Item(keyAge, whole(max(0, int64(v.Now.Sub(at)/time.Second))))
	}
	evictions, health, rivals := ast.NewArray(), ast.NewArray(), ast.NewArray()
	for _, e := range m.Evictions {
		evictions = evictions.Append(ast.ObjectTerm(age(e.At), ast.Item(keyInstances, whole(int64(e.Instances))),
			ast.Item(keyZone, ast.StringTerm(e.Zone))))
	}
	for _, a := range m.Health {
		health = health.Append(ast.ObjectTerm(age(a.At), ast.Item(keyMachine, ast.StringTerm(a.Machine)),
			ast.Item(keyState, ast.StringTerm(a.State))))
	}
	for _, r := range m.Rivals {
		rivals = rivals.Append(ast.ObjectTerm(age(r.At), ast.Item(keyBy, ast.StringTerm(r.By)),
			ast.Item(keyAction, ast.StringTerm(r.Action)), ast.Item(keyFrom, optionalWhole(r.From)),
			ast.Item(keyTo, optionalWhole(r.To))))
	}
	return ast.ObjectTerm(ast.Item(keyEvictions, ast.NewTerm(evictions)), ast.Item(keyHealth, ast.NewTerm(health)),
		ast.Item(keyRivals, ast.NewTerm(rivals)))
}
