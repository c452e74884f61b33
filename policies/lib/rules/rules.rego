# METADATA
# title: Threshold rules in profiles
# description: |
#   Rules in the manner of Azure's autoscale: several thresholds with a change each, put together as a profile with its
#   own limits. Any rule that calls for growth is enough, and the largest count holds; a shrink needs all rules that may
#   call for one, and goes only as far as no growth rule would be called for by the same load on fewer instances.
# schemas:
#   - input: schema.input.schema
package lib.rules

import data.lib.spell

# METADATA
# title: The reasons of a profile
# description: |
#   A list of reasons, one for each rule, one for the profile's min, and one to stay where no rule may shrink. A profile
#   has grow and shrink (lists of rules), min and max (instances), and default (the count to grow to while a signal is
#   not known; none unless given). A rule has signal; one of over, at_least, under, at_most, equals and differs (a
#   number in the signal's unit); one of by (instances), percent (of the fleet; it drops its fraction but moves at least
#   one) and exact (a count). With divide the value is divided by the instances there are, with parts by that number.
#   spread says that fewer instances would each show more of it, as an average of the fleet does: a shrink then asks
#   what they would show. A fleet outside min and max is first brought back, and no rule is asked until it is.
# scope: document
# custom:
#   options: [default, grow, max, min, shrink]
#   elements: [at_least, at_most, by, differs, divide, equals, exact, over, parts, percent, signal, spread, under]
reasons(profile) := [_fault("profile", detail)] if {
	detail := _wrong(profile)
} else := array.concat(array.concat(growing, shrinking), standing) if {
	growing := [reason | some i, rule in object.get(profile, "grow", []); reason := _growth(profile, i + 1, rule)]
	shrinking := [reason | some i, rule in object.get(profile, "shrink", []); reason := _shrink(profile, i + 1, rule)]
	standing := [reason |
		some name in ["min", "stay"]
		reason := _standing(name, profile)
	]
}

# METADATA
# title: A profile's ceiling
# description: At most the profile's max instances. It belongs into cap.
# scope: document
# custom:
#   options: [default, grow, max, min, shrink]
#   elements: [at_least, at_most, by, differs, divide, equals, exact, over, parts, percent, signal, spread, under]
ceiling(profile) := {
	"code": "rules",
	"name": "max",
	"state": "known",
	"at_most": profile.max,
	"numbers": {},
} if {
	not _wrong(profile)
} else := {
	"code": "rules",
	"name": "max",
	"state": "fault",
	"at_most": 0,
	"numbers": {},
	"detail": _wrong(profile),
}

_growth(profile, i, rule) := {
	"code": "rules",
	"name": name,
	"state": "known",
	"instances": max([_current, _moved(rule, _current, 1)]),
	"numbers": _numbers(rule, value),
} if {
	_current >= profile.min
	name := _name("grow", i, rule)
	value := _value(rule.signal)
	_holds(rule, value, _current)
} else := {
	"code": "rules",
	"name": _name("grow", i, rule),
	"state": "idle",
	"instances": 0,
	"numbers": _numbers(rule, value),
} if {
	value := _value(rule.signal)
} else := _missing(profile, _name("grow", i, rule), rule)

_shrink(profile, i, rule) := {
	"code": "rules",
	"name": _name("shrink", i, rule),
	"state": "known",
	"instances": instances,
	"numbers": object.union(_numbers(rule, value), {"least": least, "target": target}),
} if {
	_current <= profile.max
	value := _value(rule.signal)
	_holds(rule, value, _current)
	target := max([profile.min, _moved(rule, _current, -1)])
	least := max([n | some guard in array.concat([null], object.get(profile, "grow", [])); n := _least(guard, _current)])
	instances := min([_current, max([target, least])])
} else := {
	"code": "rules",
	"name": _name("shrink", i, rule),
	"state": "known",
	"instances": _current,
	"numbers": _numbers(rule, value),
} if {
	value := _value(rule.signal)
} else := _missing(profile, _name("shrink", i, rule), rule)

_standing("min", profile) := {
	"code": "rules",
	"name": "min",
	"state": "known",
	"instances": profile.min,
	"numbers": {},
}

# Where nothing may shrink, the instances there are stay. Unknown rules speak for themselves.
_standing("stay", profile) := {
	"code": "rules",
	"name": "stay",
	"state": "known",
	"instances": _current,
	"numbers": {},
} if {
	object.get(profile, "shrink", []) == []
}

# What a rule is while its signal or the capacity is not known: the profile's default, if that is more.
_missing(profile, name, rule) := {
	"code": "rules",
	"name": name,
	"state": "known",
	"instances": profile["default"],
	"numbers": {"current": _current, "missing": 1},
	"detail": _lack(rule.signal),
} if {
	input.signals[rule.signal]
	profile["default"] > _current
} else := {
	"code": "rules",
	"name": name,
	"state": "unknown",
	"instances": 0,
	"numbers": {},
	"detail": _lack(rule.signal),
} if {
	input.signals[rule.signal]
} else := _fault(name, sprintf("no signal %v: the pool's definition has [%s]", [rule.signal, names])) if {
	names := concat(", ", object.keys(input.signals))
}

_lack(signal) := sprintf("signal %s", [state]) if {
	state := input.signals[signal].state
	state in {"missing", "stale"}
} else := "capacity unknown" if {
	not input.capacity.known
} else := "value unknown"

_name(direction, i, rule) := sprintf("%s %d %s", [direction, i, rule.signal])

_current := input.capacity.instances if input.capacity.known

_value(signal) := measured.value_milli if {
	measured := input.signals[signal]
	measured.has_value
	measured.state in {"fresh", "partial"}
}

_numbers(rule, value) := {
	"current": _current,
	"threshold_milli": _milli(_limit(rule)),
	"value_milli": (value - (value % divisor)) / divisor,
} if {
	divisor := max([1, _divisor(rule, _current)])
}

_divisor(rule, instances) := _parts(rule) * instances if {
	rule.divide
} else := _parts(rule)

_parts(rule) := object.get(rule, "parts", 1)

# Whether a rule's condition holds. Both sides are multiplied by what the value is divided by, so nothing is rounded.
_holds(rule, value, instances) if {
	bound := _milli(_limit(rule)) * _divisor(rule, instances)
	_compared(rule, value, bound)
}

_compared(rule, value, bound) if {
	"over" in object.keys(rule)
	value > bound
}

_compared(rule, value, bound) if {
	"at_least" in object.keys(rule)
	value >= bound
}

_compared(rule, value, bound) if {
	"under" in object.keys(rule)
	value < bound
}

_compared(rule, value, bound) if {
	"at_most" in object.keys(rule)
	value <= bound
}

_compared(rule, value, bound) if {
	"equals" in object.keys(rule)
	value == bound
}

_compared(rule, value, bound) if {
	"differs" in object.keys(rule)
	value != bound
}

_comparisons := {"over", "at_least", "under", "at_most", "equals", "differs"}

_limit(rule) := rule[name] if some name in (object.keys(rule) & _comparisons)

_sizes := {"by", "exact", "percent"}

_moved(rule, instances, sign) := instances + (sign * rule.by) if {
	rule.by
} else := instances + (sign * max([1, (part - (part % 100000)) / 100000])) if {
	part := instances * _milli(rule.percent)
} else := rule.exact

# The fewest instances on which the load of now would not call for a growth rule; 0 where it does not depend on them.
_least(null, _) := 0

_least(rule, instances) := n if {
	value := _load(rule, instances)
	bound := _milli(_limit(rule)) * _parts(rule)
	n := _fewest(rule, value, bound, instances)
}

# The whole fleet's load; undefined for what does not depend on the number of instances.
_load(rule, _) := _value(rule.signal) if rule.divide

_load(rule, instances) := _value(rule.signal) * instances if {
	rule.spread
	not rule.divide
}

_fewest(rule, load, bound, _) := _up(load, bound) if {
	"over" in object.keys(rule)
	bound > 0
}

_fewest(rule, load, bound, _) := ((load - (load % bound)) / bound) + 1 if {
	"at_least" in object.keys(rule)
	bound > 0
	load >= 0
}

# Above nothing any load is too much for fewer instances.
_fewest(rule, load, bound, instances) := instances if {
	object.keys(rule) & {"over", "at_least"} != set()
	bound <= 0
	load > bound
}

_up(load, each) := (up - (up % each)) / each if {
	up := (max([load, 0]) + each) - 1
}

_milli(x) := round(x * 1000) if is_number(x)

_whole(n) if {
	is_number(n)
	n >= 0
	round(n) == n
}

_wrong(profile) := `a profile is an object, such as {"min": 1, "max": 4, "grow": [], "shrink": []}` if {
	not is_object(profile)
} else := spell.stranger("rules.reasons", profile, {"default", "grow", "max", "min", "shrink"}) if {
	object.remove(profile, {"default", "grow", "max", "min", "shrink"}) != {}
} else := "min and max must be given: whole numbers from 0 up, min no more than max" if {
	not _bounds(profile)
} else := "default must be a whole number from 0 up" if {
	not _whole(object.get(profile, "default", 0))
} else := "grow and shrink must be lists of rules" if {
	not _lists(profile)
} else := concat("; ", wrong) if {
	wrong := [sprintf("%s %d: %s", [direction, i + 1, text]) |
		some direction in ["grow", "shrink"]
		some i, rule in object.get(profile, direction, [])
		text := _wrong_rule(rule)
	]
	count(wrong) > 0
}

_bounds(profile) if {
	_whole(profile.min)
	_whole(profile.max)
	profile.min <= profile.max
}

_lists(profile) if {
	is_array(object.get(profile, "grow", []))
	is_array(object.get(profile, "shrink", []))
}

_wrong_rule(rule) := `a rule is an object, such as {"signal": "cpu", "over": 70, "by": 1}` if {
	not is_object(rule)
} else := spell.stranger("rules.reasons", rule, known) if {
	known := (_comparisons | _sizes) | {"divide", "parts", "signal", "spread"}
	object.remove(rule, known) != {}
} else := "signal must be the name of one" if {
	not is_string(object.get(rule, "signal", null))
} else := "give one of over, at_least, under, at_most, equals and differs" if {
	count(object.keys(rule) & _comparisons) != 1
} else := "the threshold must be a number" if {
	not is_number(_limit(rule))
} else := "give one of by, percent and exact" if {
	count(object.keys(rule) & _sizes) != 1
} else := "by and percent must be above 0, by and exact whole" if {
	not _sized(rule)
} else := "divide and spread are true or false, parts is a whole number from 1 up" if {
	not _shared(rule)
}

_sized(rule) if {
	_whole(rule.by)
	rule.by > 0
}

_sized(rule) if _milli(rule.percent) > 0

_sized(rule) if _whole(rule.exact)

_shared(rule) if {
	is_boolean(object.get(rule, "divide", false))
	is_boolean(object.get(rule, "spread", false))
	_whole(_parts(rule))
	_parts(rule) >= 1
}

_fault(name, detail) := {
	"code": "rules",
	"name": name,
	"state": "fault",
	"instances": 0,
	"numbers": {},
	"detail": detail,
}
