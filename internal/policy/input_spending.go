package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

var (
	keySpending, keySpent         = key("spending"), key("spent_micro")
	keyGuessed, keyUnwatched      = key("guessed_micro"), key("unwatched_seconds")
	keyRemaining, keyPeriod       = key("remaining_seconds"), key("period_seconds")
	keyPaying                     = key("rate_micro")
	keyRegularPrice, keySpotPrice = key("regular_micro"), key("spot_micro")
)

// spendingTerm is what the pool has spent, null for one whose definition gives no prices.
func spendingTerm(s *scale.SpendingView) *ast.Term {
	if s == nil {
		return nothing
	}
	return ast.ObjectTerm(
		ast.Item(keyKnown, ast.InternedTerm(s.Known)),
		ast.Item(keySpent, whole(s.SpentMicro)),
		ast.Item(keyGuessed, whole(s.GuessedMicro)),
		ast.Item(keyUnwatched, whole(s.UnwatchedSeconds)),
		ast.Item(keyRemaining, whole(s.RemainingSeconds)),
		ast.Item(keyPeriod, whole(s.PeriodSeconds)),
		ast.Item(keyPaying, whole(s.RateMicro)),
		ast.Item(keyRegularPrice, whole(s.RegularMicro)),
		ast.Item(keySpotPrice, whole(s.SpotMicro)),
	)
}
