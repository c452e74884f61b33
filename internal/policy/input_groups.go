package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

var (
	keyGroups, keyEach, keyPresent = key("groups"), key("each"), key("present")
	keyAbove, keyBelow             = key("above"), key("below")
	keyOthers, keySilent           = key("others"), key("silent")
	keyUncounted                   = key("uncounted")
	keyVCPUs, keyPerHour           = key("vcpus"), key("per_hour_micro")
)

// noGroups is shared: terms never change.
var noGroups = ast.ObjectTerm()

// groupsTerm is what the other pools of each group take.
func groupsTerm(groups map[string]scale.GroupView) *ast.Term {
	if len(groups) == 0 {
		return noGroups
	}
	items := make([][2]*ast.Term, 0, len(groups))
	for name, g := range groups {
		items = append(items, ast.Item(ast.StringTerm(name), ast.ObjectTerm(
			ast.Item(keyEach, sumTerm(g.Each)),
			ast.Item(keyPresent, sumTerm(g.Present)),
			ast.Item(keyAbove, sumTerm(g.Above)),
			ast.Item(keyBelow, sumTerm(g.Below)),
			ast.Item(keyOthers, whole(int64(g.Others))),
			ast.Item(keySilent, whole(int64(g.Silent))),
			ast.Item(keySpent, whole(g.SpentMicro)),
			ast.Item(keyRemaining, whole(g.RemainingSeconds)),
			ast.Item(keyUncounted, whole(int64(g.Uncounted))),
		)))
	}
	return ast.ObjectTerm(items...)
}

func sumTerm(s scale.Sum) *ast.Term {
	return ast.ObjectTerm(ast.Item(keyVCPUs, whole(int64(s.VCPUs))), ast.Item(keyPerHour, whole(s.PerHourMicro)))
}
