# METADATA
# title: Reasons to have so many instances
# description: |
#   Each function gives exactly one reason object, whatever it is handed: known (so many instances), unknown (what it
#   needs is missing) or fault (it was called wrongly). A signal that is missing or stale, and a capacity that is not
#   known, make a reason unknown, never small: an unknown reason agrees to no shrink.
# schemas:
#   - input: schema.input.schema
package lib.scale

# METADATA
# title: Target tracking
# description: |
#   So many instances that each carries the target: ceil(demand / target), where demand is the mean of the signal's
#   average times the instances then in service. On a steady fleet that is ceil(n * average / target).
#   Options: target (in the signal's unit, above 0); tolerance (the share of the target by which the load per instance
#   may differ before the count changes, 0.1 unless given); tolerance_grow and tolerance_shrink (the same for one
#   direction). Within the tolerance the reason asks for the instances that there are. A partial signal counts as
#   known: the rails see to it that nothing shrinks on one.
# scope: document
track(signal, options) := {
	"code": "track",
	"name": signal,
	"state": "known",
	"instances": _settled(measured.demand_milli, capacity.instances, target, grow, shrink),
	"numbers": {
		"current": capacity.instances,
		"demand_milli": measured.demand_milli,
		"target_milli": target,
		"tolerance_grow_milli": grow,
		"tolerance_shrink_milli": shrink,
	},
} if {
	measured := input.signals[signal]
	measured.has_demand
	measured.state in {"fresh", "partial"}
	capacity := input.capacity
	capacity.known

	# Every use of an object that is not a constant copies it: given is one, options is not.
	given := object.union({"tolerance": 0.1}, options)
	object.remove(given, {"target", "tolerance", "tolerance_grow", "tolerance_shrink"}) == {}
	is_number(given.target)
	target := round(given.target * 1000)
	target > 0
	grow := _share(object.get(given, "tolerance_grow", given.tolerance))
	shrink := _share(object.get(given, "tolerance_shrink", given.tolerance))
} else := _fault("track", signal, detail) if {
	detail := _wrong_options(options)
} else := _fault("track", signal, detail) if {
	not input.signals[signal]
	names := concat(", ", object.keys(input.signals))
	detail := sprintf("no signal %v: the pool's definition has [%s]", [signal, names])
} else := _unknown("track", signal, _lack(input.signals[signal].state, input.capacity.known))

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

_lack(state, known) := sprintf("signal %s", [state]) if {
	state in {"missing", "stale"}
} else := "capacity unknown" if {
	not known
} else := "demand unknown"

# The band is closed at both ends. Both sides are in thousandths of thousandths, so that nothing is rounded.
_settled(load, current, target, grow, shrink) := current if {
	full := current * target
	load * 1000 <= full * (1000 + grow)
	load * 1000 >= full * (1000 - shrink)
} else := (up - (up % target)) / target if {
	up := (max([load, 0]) + target) - 1
}

# A share from 0 up, in thousandths. Decimals are dear and mostly the same: a function keeps its answers.
_share(x) := round(x * 1000) if {
	is_number(x)
	x >= 0
}

_target(x) if _share(x) > 0

_wrong_options(options) := "the second argument is an object of options, such as {\"target\": 60}" if {
	not is_object(options)
} else := sprintf("unknown option %s: the options are %s", [concat(", ", unknown), concat(", ", known)]) if {
	known := {"target", "tolerance", "tolerance_grow", "tolerance_shrink"}
	unknown := {sprintf("%v", [name]) | some name in object.keys(options)} - known
	count(unknown) > 0
} else := "target must be a number of at least 0.001" if {
	not _target(object.get(options, "target", null))
} else := sprintf("%s must be a number from 0 up", [concat(", ", wrong)]) if {
	wrong := {name | some name in object.keys(options); not _share(options[name])}
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
