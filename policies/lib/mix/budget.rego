package lib.mix

import data.lib.scale
import data.lib.spell

# METADATA
# title: More Spot before fewer instances
# description: |
#   The blend with as few regular instances above its base as it takes for what is wanted to fit into the rest of a
#   budget; the blend itself where it fits. The base stays. The first argument is the reason that says how many are
#   wanted. Options: budget (for the period of the definition's spending) and least_percent (below which the regular
#   share never goes, 0 unless given). While it is not known what is wanted or what was spent, the blend stays. Give the
#   result to scale.at_most_budget, which cuts the count where this is not enough.
# scope: document
# custom:
#   options: [budget, least_percent]
within_budget(load, blend, options) := {"fault": detail} if {
	detail := _no_blend(blend)
} else := {"fault": detail} if {
	detail := _wrong_within(load, options)
} else := blend if {
	not _fitting(load, blend, options)
} else := object.union(blend, {"regular_percent": percent}) if {
	least := object.get(options, "least_percent", 0)
	percent := min([blend.regular_percent, max([least, _fitting(load, blend, options)])])
}

# The highest regular share, in per cent, at which what is wanted costs no more than may be spent in an hour; undefined
# where there is nothing to choose, or something is not known. It may lie below 0 or above 100.
_fitting(load, blend, options) := whole if {
	load.state == "known"
	above := load.instances - blend.base
	above > 0
	spending := input.spending
	dearer := spending.regular_micro - spending.spot_micro
	dearer > 0
	left := scale.allowance(options.budget) - (blend.base * spending.regular_micro)
	rest := (left - _rounded(blend, dearer)) - (above * spending.spot_micro)
	whole := floor((100 * rest) / (above * dearer))
}

# What rounding in favour of regular instances may cost more.
_rounded(blend, dearer) := dearer if {
	object.get(blend, "rounding", "regular_down") == "regular_up"
} else := 0

# METADATA
# title: A split that follows the error budget
# description: |
#   The blend while errors use their budget up as fast as they may; while they burn it, over a short and a long window
#   at once, with the least Spot; and while enough of it is left, with more Spot. Options: short, long, slo_percent
#   and at as for scale.burning; burning_percent (the regular share while it burns, 100 unless given); period (the name
#   of a signal that says how many per cent of requests failed in the whole period of the objective), left_percent (how
#   much of the budget must be left, 50 unless given) and rich_percent (the regular share while that is so): the last
#   three belong together. While it is not known how many requests fail, the blend stays.
# scope: document
# custom:
#   options: [at, burning_percent, left_percent, long, period, rich_percent, short, slo_percent]
by_errors(blend, options) := {"fault": detail} if {
	detail := _no_blend(blend)
} else := {"fault": detail} if {
	detail := _wrong_errors(options)
} else := object.union(blend, {"regular_percent": percent}) if {
	scale.burning(object.filter(options, {"at", "long", "short", "slo_percent"}))
	percent := max([blend.regular_percent, object.get(options, "burning_percent", 100)])
} else := object.union(blend, {"regular_percent": percent}) if {
	_left(options) > object.get(options, "left_percent", 50)
	percent := min([blend.regular_percent, options.rich_percent])
} else := blend

# How many per cent of the error budget are left; undefined while that is not known.
_left(options) := 100 - (_done(options.period) / (10 * (100 - options.slo_percent))) if {
	options.period
}

_wrong_within(load, options) := "the first argument is a reason, as the functions of lib.scale give it" if {
	not load.state
} else := `the third argument is an object of options, such as {"budget": 1000}` if {
	not is_object(options)
} else := spell.stranger("mix.within_budget", options, {"budget", "least_percent"}) if {
	object.remove(options, {"budget", "least_percent"}) != {}
} else := "budget must be a sum from 0 up" if {
	not _micro(object.get(options, "budget", null))
} else := "least_percent must be a whole number from 0 to 100" if {
	not _percent(object.get(options, "least_percent", 0))
} else := "there is no account: the pool's definition needs spending, with the prices" if {
	is_null(input.spending)
}

_wrong_errors(options) := `the second argument is an object of options: short, long, slo_percent and at, …` if {
	not is_object(options)
} else := spell.stranger("mix.by_errors", options, known) if {
	known := {
		"at",
		"burning_percent",
		"left_percent",
		"long",
		"period",
		"rich_percent",
		"short",
		"slo_percent",
	}
	object.remove(options, known) != {}
} else := refusal.detail if {
	refusal := scale.hold_on_burn(object.filter(options, {"at", "long", "short", "slo_percent"}))
	refusal.state == "fault"
} else := "burning_percent, left_percent and rich_percent must be whole numbers from 0 to 100" if {
	some name in {"burning_percent", "left_percent", "rich_percent"}
	not _percent(object.get(options, name, 0))
} else := "period and rich_percent belong together, and left_percent to them" if {
	not (object.keys(options) & {"left_percent", "period", "rich_percent"}) in {
		set(),
		{"period", "rich_percent"},
		{"left_percent", "period", "rich_percent"},
	}
} else := sprintf("no signal %v: the pool's definition has [%s]", [options.period, names]) if {
	name := options.period
	not input.signals[name]
	names := concat(", ", object.keys(input.signals))
}
