package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// The keys of what a signal has on request.
var (
	keyTrend, keyRecent, keyForecast = key("trend"), key("recent_milli"), key("forecast")
	keyTrendDemand, keyWhy           = key("demand_milli"), key("why")
	keyLoad, keyMargin               = key("load_milli"), key("margin_milli")
	keyError, keyTried               = key("error_permille"), key("tried")
	keyHistory, keyLead              = key("history_hours"), key("lead_seconds")
)

// outlook adds what the signal's definition asks for: null where it is asked for and not known, absent where it is not
// asked for.
func (t terms) outlook(items [][2]*ast.Term, s *scale.SignalView) [][2]*ast.Term {
	if s.Wants&scale.WantsTrend != 0 {
		items = append(items, ast.Item(keyTrend, trendTerm(s.Trend)))
	}
	if s.Wants&scale.WantsRecent != 0 {
		recent := make([]*ast.Term, len(s.Recent))
		for i, milli := range s.Recent {
			recent[i] = whole(int64(milli))
		}
		items = append(items, ast.Item(keyRecent, ast.ArrayTerm(recent...)))
	}
	if s.Wants&scale.WantsForecast != 0 {
		items = append(items, ast.Item(keyForecast, forecastTerm(s.Forecast)))
	}
	return items
}

func trendTerm(trend *scale.Trend) *ast.Term {
	if trend == nil {
		return nothing
	}
	items := [][2]*ast.Term{
		ast.Item(keyValue, whole(int64(trend.Value))), ast.Item(keyAge, whole(int64(trend.AgeSeconds))),
		ast.Item(keyHasDemand, ast.InternedTerm(trend.HasDemand)),
	}
	if trend.HasDemand {
		items = append(items, ast.Item(keyTrendDemand, whole(int64(trend.Demand))))
	}
	return ast.ObjectTerm(items...)
}

func forecastTerm(f *scale.Forecast) *ast.Term {
	if f == nil {
		return nothing
	}
	items := [][2]*ast.Term{
		ast.Item(keyKnown, ast.InternedTerm(f.Known)), ast.Item(keyWhy, ast.StringTerm(f.Why)),
		ast.Item(keyHistory, whole(int64(f.HistoryHours))), ast.Item(keyLead, whole(int64(f.LeadSeconds))),
	}
	if f.Known {
		items = append(items,
			ast.Item(keyLoad, whole(int64(f.Load))), ast.Item(keyMargin, whole(int64(f.Margin))),
			ast.Item(keyError, whole(int64(f.ErrorPermille))), ast.Item(keyTried, whole(int64(f.Tried))))
	}
	return ast.ObjectTerm(items...)
}
