package lib.mix_test

import data.lib.mix

# A budget of 100 with 80 spent and 100 hours left: 0.2 an hour, at 0.04 for a regular instance and 0.01 for a Spot one.
_purse := {"spending": {
	"known": true,
	"spent_micro": 80000000,
	"guessed_micro": 0,
	"unwatched_seconds": 0,
	"remaining_seconds": 360000,
	"period_seconds": 2592000,
	"rate_micro": 200000,
	"regular_micro": 40000,
	"spot_micro": 10000,
}}

# What is wanted costs base * 0.04 and for the rest the mixture; the share of Spot rises until it fits (features: C18).
test_within_budget_raises_the_share_of_spot[note] if {
	some note, tc in {
		"five regular ones fit: 0.2": {"wanted": 5, "base": 2, "percent": 100, "want": 100},
		"eight, two of them the base: 0.08 leaves 0.12 for six, a third of them regular": {
			"wanted": 8,
			"base": 2,
			"percent": 100,
			"want": 33,
		},
		"a plan with more Spot stays": {"wanted": 8, "base": 2, "percent": 25, "want": 25},
		"fifteen: not even all Spot fits": {"wanted": 15, "base": 2, "percent": 50, "want": 0},
		"no more than the base": {"wanted": 2, "base": 2, "percent": 50, "want": 50},
	}
	plan := {"base": tc.base, "regular_percent": tc.percent, "rounding": "regular_down"}
	blend := mix.within_budget(_load(tc.wanted), plan, {"budget": 100}) with input as _purse
	blend == object.union(plan, {"regular_percent": tc.want})
}

test_within_budget_never_goes_below_the_least if {
	plan := {"base": 2, "regular_percent": 50, "rounding": "regular_down"}
	blend := mix.within_budget(_load(15), plan, {"budget": 100, "least_percent": 20}) with input as _purse
	blend.regular_percent == 20
}

test_within_budget_pays_for_the_odd_instance_that_is_rounded_up if {
	plan := {"base": 2, "regular_percent": 100, "rounding": "regular_up"}
	blend := mix.within_budget(_load(8), plan, {"budget": 100}) with input as _purse
	blend.regular_percent == 16
}

test_within_budget_leaves_the_blend_while_something_is_not_known[note] if {
	plan := {"base": 2, "regular_percent": 50, "rounding": "regular_down"}
	some note, tc in {
		"what is wanted": {"load": {"code": "track", "name": "cpu", "state": "unknown"}, "known": true},
		"what was spent": {"load": _load(15), "known": false},
	}
	view := object.union(_purse, {"spending": {"known": tc.known}})
	blend := mix.within_budget(tc.load, plan, {"budget": 100}) with input as view
	blend == plan
}

test_within_budget_leaves_the_blend_where_spot_costs_the_same if {
	plan := {"base": 2, "regular_percent": 50, "rounding": "regular_down"}
	view := object.union(_purse, {"spending": {"spot_micro": 40000}})
	blend := mix.within_budget(_load(15), plan, {"budget": 100}) with input as view
	blend == plan
}

test_within_budget_says_what_is_wrong[note] if {
	plan := {"base": 2, "regular_percent": 50}
	some note, tc in {
		"no blend": {
			"args": [_load(1), 7, {}],
			"want": "the blend is what the functions of lib.mix give, with base and regular_percent",
		},
		"no reason": {
			"args": [1, plan, {}],
			"want": "the first argument is a reason, as the functions of lib.scale give it",
		},
		"no options": {
			"args": [_load(1), plan, 100],
			"want": `the third argument is an object of options, such as {"budget": 1000}`,
		},
		"an option that does not exist": {
			"args": [_load(1), plan, {"budgets": 1}],
			"want": `mix.within_budget has no option "budgets"; did you mean budget?`,
		},
		"no budget": {"args": [_load(1), plan, {}], "want": "budget must be a sum from 0 up"},
		"a least share that is none": {
			"args": [_load(1), plan, {"budget": 1, "least_percent": 101}],
			"want": "least_percent must be a whole number from 0 to 100",
		},
	}
	blend := mix.within_budget(tc.args[0], tc.args[1], tc.args[2]) with input as _purse
	blend == {"fault": tc.want}
}

test_within_budget_needs_prices if {
	plan := {"base": 2, "regular_percent": 50}
	blend := mix.within_budget(_load(1), plan, {"budget": 1}) with input as {"spending": null}
	blend == {"fault": "there is no account: the pool's definition needs spending, with the prices"}
}

_slo := {"short": "errors_5m", "long": "errors_1h", "slo_percent": 99.9, "at": 14.4}

_rich := {"period": "errors_30d", "left_percent": 50, "rich_percent": 0}

# So many thousandths of a per cent fail over five minutes, an hour and the month.
_failing(short, long, month) := {"signals": {name: {"state": "fresh", "has_value": true, "value_milli": value} |
	some name, value in {"errors_5m": short, "errors_1h": long, "errors_30d": month}
}}

# Burns at 1.44 per cent (14.4 times 0.1); half of the budget is left at 0.05 per cent (features: C19).
test_by_errors[note] if {
	plan := {"base": 2, "regular_percent": 25, "rounding": "regular_down"}
	some note, tc in {
		"the plan, while neither": {"view": _failing(0, 0, 60), "want": 25},
		"both windows burn: least Spot": {"view": _failing(1440, 1440, 60), "want": 100},
		"one window burns": {"view": _failing(1440, 1439, 60), "want": 25},
		"more than half is left: more Spot": {"view": _failing(0, 0, 49), "want": 0},
		"half is left": {"view": _failing(0, 0, 50), "want": 25},
		"it burns, though much is left": {"view": _failing(2000, 2000, 10), "want": 100},
		"what is left is not known": {
			"view": object.union(_failing(0, 0, 0), {"signals": {"errors_30d": {"state": "stale"}}}),
			"want": 25,
		},
	}
	blend := mix.by_errors(plan, object.union(_slo, _rich)) with input as tc.view
	blend == object.union(plan, {"regular_percent": tc.want})
}

test_by_errors_takes_the_share_that_is_asked_for if {
	plan := {"base": 2, "regular_percent": 25, "rounding": "regular_down"}
	options := object.union(_slo, {"burning_percent": 60})
	burning := mix.by_errors(plan, options) with input as _failing(2000, 2000, 0)
	calm := mix.by_errors(plan, options) with input as _failing(0, 0, 0)
	[burning.regular_percent, calm.regular_percent] == [60, 25]
}

test_by_errors_says_what_is_wrong[note] if {
	plan := {"base": 2, "regular_percent": 25}
	some note, tc in {
		"no blend": {
			"blend": 7,
			"options": {},
			"want": "the blend is what the functions of lib.mix give, with base and regular_percent",
		},
		"no options": {
			"blend": plan,
			"options": 7,
			"want": "the second argument is an object of options: short, long, slo_percent and at, …",
		},
		"an option that does not exist": {
			"blend": plan,
			"options": object.union(_slo, {"rich": 7}),
			"want": `mix.by_errors has no option "rich"; did you mean rich_percent?`,
		},
		"no objective": {
			"blend": plan,
			"options": {"short": "errors_5m", "long": "errors_1h"},
			"want": "slo_percent must be a number above 0 and below 100",
		},
		"a share that is none": {
			"blend": plan,
			"options": object.union(_slo, {"burning_percent": 101}),
			"want": "burning_percent, left_percent and rich_percent must be whole numbers from 0 to 100",
		},
		"a rich share without a period": {
			"blend": plan,
			"options": object.union(_slo, {"rich_percent": 0}),
			"want": "period and rich_percent belong together, and left_percent to them",
		},
		"a signal that is not there": {
			"blend": plan,
			"options": object.union(_slo, {"period": "errors_9d", "rich_percent": 0}),
			"want": "no signal errors_9d: the pool's definition has [errors_1h, errors_30d, errors_5m]",
		},
	}
	blend := mix.by_errors(tc.blend, tc.options) with input as _failing(0, 0, 0)
	blend == {"fault": tc.want}
}
