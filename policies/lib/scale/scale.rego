# METADATA
# title: Reasons to have so many instances
# description: |
#   Each function gives exactly one reason object, whatever it is handed: known (so many instances), unknown (what it
#   needs is missing) or fault (it was called wrongly). A signal that is missing or stale, and a capacity that is not
#   known, make a reason unknown, never small: an unknown reason agrees to no shrink.
# schemas:
#   - input: schema.input.schema
package lib.scale

import data.lib.spell

# METADATA
# title: Target tracking
# description: |
#   So many instances that each carries the target: ceil(demand / target), where demand is the mean of the signal's
#   average times the instances then in service. On a steady fleet that is ceil(n * average / target).
#   Options: target (in the signal's unit, above 0); tolerance (the share of the target by which the load per instance
#   may differ before the count changes, 0.1 unless given); tolerance_grow and tolerance_shrink (the same for one
#   direction); gaps (pessimistic: the buckets without samples count as no load when the rest
#   calls for growth, and as on the target when it calls for a shrink). Within the tolerance the reason asks for the
#   instances that there are. A partial signal counts as known: the rails see to it that nothing shrinks on one.
# scope: document
# custom:
#   options: [gaps, target, tolerance, tolerance_grow, tolerance_shrink]
track(signal, options) := {
	"code": "track",
	"name": signal,
	"state": "known",
	"instances": _banded(demand, current, target, high, low),
	"numbers": {
		"current": current,
		"demand_milli": demand,
		"target_milli": target,
		"tolerance_grow_milli": grow,
		"tolerance_shrink_milli": shrink,
	},
} if {
	[target, grow, shrink, high, low] := _plan(options)
	measured := input.signals[signal]
	measured.has_demand
	measured.state in {"fresh", "partial"}
	input.capacity.known
	demand := measured.demand_milli
	current := input.capacity.instances
} else := reason if {
	reason := _tempered(signal, options)
} else := _fault("track", signal, detail) if {
	detail := _wrong_track(options)
} else := _fault("track", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _unknown("track", signal, _lack(signal, "demand"))

# The options of plain tracking in thousandths, and the band that they make; undefined if anything is wrong with them,
# or more than these are given. It reads nothing but its argument, so the engine keeps its answers from one decision to
# the next.
_plan(options) := [target, grow, shrink, target * (1000 + grow), target * (1000 - shrink)] if {
	given := object.union({"tolerance": 0.1}, options)
	object.remove(given, {"target", "tolerance", "tolerance_grow", "tolerance_shrink"}) == {}
	is_number(given.target)
	target := round(given.target * 1000)
	target > 0
	grow := _share(object.get(given, "tolerance_grow", given.tolerance))
	shrink := _share(object.get(given, "tolerance_shrink", given.tolerance))
}

# METADATA
# title: A floor
# description: At least n instances, under a name that tells this floor from others.
# scope: document
at_least(n, name) := {"code": "at_least", "name": name, "state": "known", "instances": n, "numbers": {}} if {
	is_string(name)
	is_number(n)
	n >= 0
	round(n) == n
} else := _fault("at_least", name, sprintf("%v is not a whole number of instances from 0 up", [n])) if {
	is_string(name)
} else := _fault("at_least", name, "the second argument is the floor's name, a string")

# The load of a signal in units of one instance; undefined while that is not known.
_demand(signal) := measured.demand_milli if {
	measured := input.signals[signal]
	measured.has_demand
	measured.state in {"fresh", "partial"}
}

# The statistic of a signal that its definition names; undefined while that is not known.
_value(signal) := measured.value_milli if {
	measured := input.signals[signal]
	measured.has_value
	measured.state in {"fresh", "partial"}
}

_no_signal(signal) := sprintf("no signal %v: the pool's definition has [%s]", [signal, names]) if {
	names := concat(", ", object.keys(input.signals))
}

# What keeps a reason unknown: the signal's state, the capacity, or else the number that the rule needs.
_lack(signal, number) := sprintf("signal %s", [state]) if {
	state := input.signals[signal].state
	state in {"missing", "stale"}
} else := "capacity unknown" if {
	not input.capacity.known
} else := sprintf("%s unknown", [number])

_settled(load, current, target, grow, shrink) := _banded(load, current, target, high, low) if {
	high := target * (1000 + grow)
	low := target * (1000 - shrink)
}

# What there is while the load stays within the band, else what the load needs. The band for one instance reaches from
# low to high and is closed at both ends; it is in thousandths of thousandths, so that nothing is rounded.
_banded(load, current, target, high, low) := current if {
	scaled := load * 1000
	scaled <= current * high
	scaled >= current * low
} else := (up - (up % target)) / target if {
	up := (load + target) - 1
	up >= 0
} else := 0

# Target tracking that takes the buckets without samples into account.
_tempered(signal, options) := {
	"code": "track",
	"name": signal,
	"state": "known",
	"instances": _pessimistic(measured, capacity.instances, target, [grow, shrink]),
	"numbers": {
		"buckets": measured.buckets,
		"current": capacity.instances,
		"demand_milli": measured.demand_milli,
		"expected": measured.expected,
		"target_milli": target,
		"tolerance_grow_milli": grow,
		"tolerance_shrink_milli": shrink,
	},
} if {
	not _wrong_track(options)
	measured := input.signals[signal]
	_demand(signal)
	options.gaps == "pessimistic"
	capacity := input.capacity
	capacity.known
	target := _milli(options.target)
	grow := _tolerance(options, "tolerance_grow")
	shrink := _tolerance(options, "tolerance_shrink")
}

# What the measured buckets call for, tempered by those that are empty, and nothing if that turns the direction round.
_pessimistic(measured, current, target, tolerances) := max([current, least]) if {
	_settled(measured.demand_milli, current, target, tolerances[0], tolerances[1]) > current
	scaled := measured.demand_milli * measured.buckets
	least := _settled(scaled, current, target * measured.expected, tolerances[0], tolerances[1])
} else := min([current, most]) if {
	gaps := (measured.expected - measured.buckets) * (current * target)
	scaled := (measured.demand_milli * measured.buckets) + gaps
	most := _settled(scaled, current, target * measured.expected, tolerances[0], tolerances[1])
}

# The quotient of whole numbers rounded up, never below 0.
_up(load, each) := (up - (up % each)) / each if {
	up := (max([load, 0]) + each) - 1
}

_whole(n) if {
	is_number(n)
	n >= 0
	round(n) == n
}

# A share from 0 up, in thousandths. Decimals are dear and mostly the same: a function keeps its answers.
_share(x) := round(x * 1000) if {
	is_number(x)
	x >= 0
}

_target(x) if _share(x) > 0

_milli(x) := round(x * 1000) if is_number(x)

_tolerance(options, direction) := _share(object.get(options, direction, object.get(options, "tolerance", 0.1)))

_counts(n) if {
	_whole(n)
	n >= 1
}

# Work and prices in millionths: a message may take less than a thousandth of a second.
_micro(x) := round(x * 1000000) if {
	is_number(x)
	x >= 0
}

_some(x) if _micro(x) > 0

_wrong_track(options) := detail if {
	known := {"gaps", "target", "tolerance", "tolerance_grow", "tolerance_shrink"}
	detail := _wrong_options("scale.track", options, known)
} else := "gaps must be pessimistic, or left out" if {
	object.get(options, "gaps", "pessimistic") != "pessimistic"
}

_wrong_options(function, options, known) := "the second argument is an object of options, such as {\"target\": 60}" if {
	not is_object(options)
} else := spell.stranger(function, options, known) if {
	object.remove(options, known) != {}
} else := "target must be a number of at least 0.001" if {
	not _target(object.get(options, "target", null))
} else := sprintf("%s must be a number from 0 up", [concat(", ", wrong)]) if {
	wrong := {name | some name in object.keys(options); startswith(name, "tolerance"); not _share(options[name])}
	count(wrong) > 0
}

_fault(code, name, detail) := {
	"code": code,
	"name": sprintf("%v", [name]),
	"state": "fault",
	"instances": 0,
	"numbers": {},
	"detail": detail,
}

_unknown(code, name, detail) := {
	"code": code,
	"name": name,
	"state": "unknown",
	"instances": 0,
	"numbers": {},
	"detail": detail,
}

_list(x) if {
	is_array(x)
	count(x) > 0
}

# Whether something is a reason for want.
_reason(x) if {
	is_string(x.code)
	is_string(x.name)
	x.state in {"unknown", "idle", "fault"}
}

_reason(x) if {
	is_string(x.code)
	is_string(x.name)
	x.state == "known"
	_whole(x.instances)
}
