package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

var (
	keyMissing, keyBlocked = key("missing"), key("blocked")
	keyQuiet, keyChanged   = key("quiet_seconds"), key("changed_seconds")
	keyEvicted, keyRate    = key("evicted"), key("rate_permille")
	keyDated               = key("dated")
	keyFloor               = key("floor")
	keyWhole               = key("whole_seconds")
	keyServed, keySeen     = key("served_seconds"), key("seen_seconds")
)

// spotTerm is what is known of the interruptible machines, null for a set without.
func spotTerm(s *scale.SpotView) *ast.Term {
	if s == nil {
		return nothing
	}
	ago := func(seconds int) *ast.Term {
		if seconds >= scale.Never {
			return nothing
		}
		return whole(int64(seconds))
	}
	floor := nothing
	if s.Floor != nil {
		floor = whole(int64(*s.Floor))
	}
	return ast.ObjectTerm(
		ast.Item(keyMissing, whole(int64(s.Missing))),
		ast.Item(keyBlocked, ast.InternedTerm(s.Blocked)),
		ast.Item(keyQuiet, ago(s.QuietSeconds)),
		ast.Item(keyChanged, ago(s.ChangedSeconds)),
		ast.Item(keyWhole, ago(s.WholeSeconds)),
		ast.Item(keyServed, whole(s.ServedSeconds)),
		ast.Item(keySeen, whole(s.SeenSeconds)),
		ast.Item(keyEvicted, whole(int64(s.Evicted))),
		ast.Item(keyRate, whole(int64(s.RatePermille))),
		ast.Item(keyFloor, floor),
	)
}
