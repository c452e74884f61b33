package lib.scale_test

import data.lib.scale

# So much of 1,000 spent with so many hours left, at 0.2 for a regular instance and 0.04 for a Spot one; what is there
# costs so much an hour.
_spent(so_far, hours, rate) := {
	"limits": {"min": 2, "max": 100, "default": 0},
	"spending": {
		"known": true,
		"spent_micro": so_far * 1000000,
		"guessed_micro": 5000000,
		"unwatched_seconds": 3600,
		"remaining_seconds": hours * 3600,
		"period_seconds": 2592000,
		"rate_micro": rate * 1000000,
		"regular_micro": 200000,
		"spot_micro": 40000,
	},
}

_wish(n) := {"code": "track", "name": "cpu", "state": "known", "instances": n, "numbers": {}}

# (B - C) / h pays for so many (features: C18).
test_at_most_budget[note] if {
	spot := {"base": 2, "regular_percent": 50}
	some note, tc in {
		"500 of 1000 in 250 hours: 2 an hour, ten regular ones": {
			"view": _spent(500, 250, 2),
			"more": {},
			"want": [10, 2000, 5],
		},
		"the same with Spot: 0.4 for the base, 1.6 for 13 at 0.12": {
			"view": _spent(500, 250, 2),
			"more": {"blend": spot},
			"want": [15, 2000, 0],
		},
		"nothing is left: the minimum stays": {"view": _spent(1000, 250, 2), "more": {}, "want": [2, 0, 13]},
		"too much was spent: the minimum stays": {"view": _spent(1200, 250, 2), "more": {}, "want": [2, 0, 13]},
		"the last hour has what is left to itself": {"view": _spent(990, 1, 2), "more": {}, "want": [50, 10000, 0]},
		"the period is over": {"view": _spent(990, 0, 2), "more": {}, "want": [100, 36000000, 0]},
	}
	ceiling := scale.at_most_budget(_wish(15), object.union({"budget": 1000}, tc.more)) with input as tc.view
	[ceiling.state, ceiling.name] == ["known", "budget"]
	[ceiling.at_most, ceiling.numbers.per_hour_milli, ceiling.numbers.cut] == tc.want
}

# C + rate * h > B (features: C18).
test_at_most_budget_raises_an_alarm[note] if {
	some note, tc in {
		"500 and 250 hours at 2 are the budget": {"rate": 2, "forecast": 1000000, "alarm": ""},
		"at 2.5 it is overrun by 125": {
			"rate": 2.5,
			"forecast": 1125000,
			"alarm": "alarm: what is there now will have spent 125 more than the budget by the end of its period",
		},
	}
	ceiling := scale.at_most_budget(_wish(15), {"budget": 1000, "name": "team"}) with input as _spent(500, 250, tc.rate)
	ceiling.name == "team"
	ceiling.numbers.forecast_milli == tc.forecast
	object.get(ceiling, "detail", "") == tc.alarm
}

test_at_most_budget_records_what_it_rests_on if {
	ceiling := scale.at_most_budget(_wish(15), {"budget": 1000}) with input as _spent(500, 250, 2)
	ceiling.numbers == {
		"budget_milli": 1000000,
		"cut": 5,
		"forecast_milli": 1000000,
		"guessed_milli": 5000,
		"per_hour_milli": 2000,
		"remaining_seconds": 900000,
		"spent_milli": 500000,
		"wanted": 15,
	}
}

test_at_most_budget_cuts_also_what_is_not_known if {
	wish := {"code": "track", "name": "cpu", "state": "unknown", "instances": 0, "numbers": {}}
	ceiling := scale.at_most_budget(wish, {"budget": 1000}) with input as _spent(500, 250, 2)
	ceiling.at_most == 10
	not ceiling.numbers.wanted
}

test_at_most_budget_is_unknown_before_the_first_account if {
	view := {"limits": {"min": 2}, "spending": {"known": false}}
	ceiling := scale.at_most_budget(_wish(15), {"budget": 1000}) with input as view
	[ceiling.state, ceiling.detail] == ["unknown", "nothing was counted yet"]
}

test_at_most_budget_is_at_fault[note] if {
	some note, tc in {
		"without a reason": {
			"load": 7,
			"options": {"budget": 1},
			"detail": "the first argument is a reason, as the functions of this package give it",
		},
		"for options that are none": {
			"load": _wish(1),
			"options": 7,
			"detail": `the second argument is an object of options, such as {"budget": 1000}`,
		},
		"for an option that does not exist": {
			"load": _wish(1),
			"options": {"budgte": 7},
			"detail": `scale.at_most_budget has no option "budgte"; did you mean budget?`,
		},
		"without a budget": {"load": _wish(1), "options": {}, "detail": "budget must be a sum from 0 up"},
		"for a name that is none": {"load": _wish(1), "options": {"budget": 1, "name": 7}, "detail": "name must be a string"},
		"for a blend that is none": {
			"load": _wish(1),
			"options": {"budget": 1, "blend": {"base": 1}},
			"detail": "blend must be what mix gives, with base and regular_percent",
		},
	}
	ceiling := scale.at_most_budget(tc.load, tc.options) with input as _spent(500, 250, 2)
	[ceiling.state, ceiling.detail] == ["fault", tc.detail]
}

test_at_most_budget_needs_prices if {
	ceiling := scale.at_most_budget(_wish(1), {"budget": 1}) with input as {"spending": null}
	ceiling.detail == "there is no account: the pool's definition needs spending, with the prices"
}
