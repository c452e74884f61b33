# METADATA
# title: Regular and Spot
# description: How a pool's instances split. Only a Flexible scale set with a priority mix can follow it.
# schemas:
#   - input: schema.input.schema
package lib.mix

import data.lib.spell

# METADATA
# title: A base and a share
# description: |
#   The first base instances are regular, and of those above it regular_percent per cent; the rest is Spot. Options:
#   base and regular_percent (whole numbers, both required); rounding: regular_down, as Azure reckons (a fraction of a
#   regular instance becomes Spot) unless given, or regular_up (it becomes regular); stand_in (whether regular instances
#   stand in for Spot that could not be had) and return_after_seconds (for how long after it can be had again).
# scope: document
# custom:
#   options: [base, regular_percent, return_after_seconds, rounding, stand_in]
split(options) := given if {
	given := object.union({"rounding": "regular_down"}, options)
	object.remove(given, {"base", "regular_percent", "return_after_seconds", "rounding", "stand_in"}) == {}
	is_number(given.base)
	given.base >= 0
	round(given.base) == given.base
	is_number(given.regular_percent)
	given.regular_percent >= 0
	given.regular_percent <= 100
	round(given.regular_percent) == given.regular_percent
	given.rounding in {"regular_down", "regular_up"}
	is_boolean(object.get(given, "stand_in", false))
	_whole(object.get(given, "return_after_seconds", 0))
} else := {"fault": _wrong(options)}

_wrong(options) := "the argument is an object of options, such as {\"base\": 2, \"regular_percent\": 20}" if {
	not is_object(options)
} else := detail if {
	known := {"base", "regular_percent", "return_after_seconds", "rounding", "stand_in"}
	detail := _wrong_plan("mix.split", options, known)
} else := "rounding must be regular_down or regular_up" if {
	not object.get(options, "rounding", "regular_up") in {"regular_down", "regular_up"}
} else := "stand_in must be true or false, and return_after_seconds a whole number from 0 up"

_wrong_plan(function, options, known) := detail if {
	detail := spell.stranger(function, options, known)
} else := "base must be a whole number from 0 up" if {
	not _whole(object.get(options, "base", null))
} else := "regular_percent must be a whole number from 0 to 100" if {
	not _percent(object.get(options, "regular_percent", null))
}

_percent(n) if {
	_whole(n)
	n <= 100
}

_whole(n) if {
	is_number(n)
	n >= 0
	round(n) == n
}
