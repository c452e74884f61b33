# METADATA
# title: Regular and Spot
# description: How a pool's instances split. Only a Flexible scale set with a priority mix can follow it.
package lib.mix

# METADATA
# title: A base and a share
# description: |
#   The first base instances are regular, and of those above it regular_percent per cent; the rest is Spot. Options:
#   base and regular_percent (whole numbers, both required) and rounding: regular_down, as Azure reckons (a fraction
#   of a regular instance becomes Spot) unless given, or regular_up (it becomes regular).
# scope: document
split(options) := given if {
	given := object.union({"rounding": "regular_down"}, options)
	object.remove(given, {"base", "regular_percent", "rounding"}) == {}
	is_number(given.base)
	given.base >= 0
	round(given.base) == given.base
	is_number(given.regular_percent)
	given.regular_percent >= 0
	given.regular_percent <= 100
	round(given.regular_percent) == given.regular_percent
	given.rounding in {"regular_down", "regular_up"}
} else := {"fault": _wrong(options)}

_wrong(options) := "the argument is an object of options, such as {\"base\": 2, \"regular_percent\": 20}" if {
	not is_object(options)
} else := sprintf("unknown option %s: the options are %s", [concat(", ", unknown), concat(", ", known)]) if {
	known := {"base", "regular_percent", "rounding"}
	unknown := {sprintf("%v", [name]) | some name in object.keys(options)} - known
	count(unknown) > 0
} else := "base must be a whole number from 0 up" if {
	not _whole(object.get(options, "base", null))
} else := "regular_percent must be a whole number from 0 to 100" if {
	not _percent(object.get(options, "regular_percent", null))
} else := "rounding must be regular_down or regular_up"

_percent(n) if {
	_whole(n)
	n <= 100
}

_whole(n) if {
	is_number(n)
	n >= 0
	round(n) == n
}
