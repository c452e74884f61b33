package lib.scale

import data.lib.spell

# METADATA
# title: A ceiling in money for a period
# description: |
#   As many instances as the rest of a budget pays for until its period ends: what is left of it, over the hours that
#   are left, is what may be spent in an hour. The first argument is the reason that says how many are wanted, so that
#   the record says how many the ceiling has cost. Options: budget (for the period of the definition's spending); blend
#   (what mix gives, for a pool that has Spot: use mix.within_budget on it, so that the share of Spot rises before the
#   count falls); name ("budget" unless given). Never below the pool's min. What was spent so far, Trimtab counts by the
#   prices of the definition's spending. The detail is an alarm when what is there will have spent more than the budget
#   by the period's end. It belongs into cap.
# scope: document
# custom:
#   options: [blend, budget, name]
at_most_budget(load, options) := _no_ceiling("at_most_budget", "budget", detail) if {
	detail := _wrong_budget(load, options)
} else := object.union(_ceiling("at_most_budget", name, n, object.union(figures, _cut(load, n))), alarm) if {
	spending := input.spending
	spending.known
	name := object.get(options, "name", "budget")
	blend := object.get(options, "blend", {"base": 0, "regular_percent": 100})
	paid := _afford(allowance(options.budget), blend, spending.regular_micro, spending.spot_micro)
	n := min([input.limits.max, max([input.limits.min, paid])])
	forecast := spending.spent_micro + _hours(spending.rate_micro, spending.remaining_seconds)
	alarm := _alarm(forecast, options.budget)
	figures := {
		"budget_milli": _share(options.budget),
		"forecast_milli": _down(forecast, 1000),
		"guessed_milli": _down(spending.guessed_micro, 1000),
		"per_hour_milli": _down(allowance(options.budget), 1000),
		"remaining_seconds": spending.remaining_seconds,
		"spent_milli": _down(spending.spent_micro, 1000),
	}
} else := {
	"code": "at_most_budget",
	"name": object.get(options, "name", "budget"),
	"state": "unknown",
	"at_most": 0,
	"numbers": {},
	"detail": "nothing was counted yet",
}

# METADATA
# title: What may be spent in an hour
# description: |
#   What is left of a budget over the hours that are left of its period, in millionths of the currency an hour; 0 when
#   it is used up. Undefined while nothing was counted.
# scope: document
allowance(budget) := _down(left * 3600, max([1, spending.remaining_seconds])) if {
	spending := input.spending
	spending.known
	left := max([0, _micro(budget) - spending.spent_micro])
}

# What a rate of so much an hour comes to.
_hours(rate, seconds) := _down(rate * max([0, seconds]), 3600)

# How many instances the ceiling costs, where it is known how many are wanted.
_cut(load, n) := {"cut": max([0, load.instances - n]), "wanted": load.instances} if {
	load.state == "known"
} else := {}

_alarm(forecast, budget) := {"detail": detail} if {
	forecast > _micro(budget)
	over := _down(forecast - _micro(budget), 10000) / 100
	detail := sprintf("alarm: what is there now will have spent %v more than the budget by the end of its period", [over])
} else := {}

_wrong_budget(load, options) := _no_reason if {
	not _reason(load)
} else := `the second argument is an object of options, such as {"budget": 1000}` if {
	not is_object(options)
} else := spell.stranger("scale.at_most_budget", options, {"blend", "budget", "name"}) if {
	object.remove(options, {"blend", "budget", "name"}) != {}
} else := "budget must be a sum from 0 up" if {
	not _micro(object.get(options, "budget", null))
} else := "name must be a string" if {
	not is_string(object.get(options, "name", ""))
} else := "blend must be what mix gives, with base and regular_percent" if {
	"blend" in object.keys(options)
	not _mixed(options.blend)
} else := "there is no account: the pool's definition needs spending, with the prices" if {
	is_null(input.spending)
}
