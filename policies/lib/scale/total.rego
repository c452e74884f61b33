package lib.scale

import data.lib.spell

# METADATA
# title: Target tracking on a total
# description: |
#   So many instances that each has its share of the total: ceil(value / target). For signals that measure the whole
#   fleet; for averages per instance use track. Options as for track: target (of the total, for one instance), tolerance
#   (0.1 unless given), tolerance_grow, tolerance_shrink. Within the tolerance the reason asks for the instances that
#   there are.
# scope: document
# custom:
#   options: [target, tolerance, tolerance_grow, tolerance_shrink]
track_total(signal, options) := {
	"code": "track_total",
	"name": signal,
	"state": "known",
	"instances": _settled(total, capacity.instances, target, grow, shrink),
	"numbers": {
		"current": capacity.instances,
		"target_milli": target,
		"tolerance_grow_milli": grow,
		"tolerance_shrink_milli": shrink,
		"total_milli": total,
	},
} if {
	total := _value(signal)
	capacity := input.capacity
	capacity.known
	given := object.union({"tolerance": 0.1}, options)
	object.remove(given, {"target", "tolerance", "tolerance_grow", "tolerance_shrink"}) == {}
	is_number(given.target)
	target := round(given.target * 1000)
	target > 0
	grow := _share(object.get(given, "tolerance_grow", given.tolerance))
	shrink := _share(object.get(given, "tolerance_shrink", given.tolerance))
} else := _fault("track_total", signal, detail) if {
	detail := _wrong_options(
		"scale.track_total",
		options,
		{"target", "tolerance", "tolerance_grow", "tolerance_shrink"},
	)
} else := _fault("track_total", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _unknown("track_total", signal, _lack(signal, "value"))

# METADATA
# title: Backlog
# description: |
#   So many instances that none has more waiting than it should: ceil(backlog / per_instance). The signal is what waits
#   for the whole fleet. Options: per_instance (what may wait for each), or delay_seconds and seconds_each (how long
#   something may wait, and how long an instance works on one: the backlog for each is their quotient).
#   With drain_seconds, seconds_each and arrivals (the name of a signal: what arrives in a second) the reason also asks
#   for as many as work off both the backlog within drain_seconds and what arrives meanwhile; the larger count holds.
# scope: document
# custom:
#   options: [arrivals, delay_seconds, drain_seconds, per_instance, seconds_each]
backlog(signal, options) := {
	"code": "backlog",
	"name": signal,
	"state": "known",
	"instances": max([waiting, draining]),
	"numbers": {
		"arrivals_milli": arrivals,
		"backlog_milli": load,
		"instances_draining": draining,
		"instances_waiting": waiting,
	},
} if {
	not _wrong_backlog(options)
	load := max([_value(signal), 0])
	arrivals := max([_arrivals(options), 0])
	waiting := _waiting(load, options)
	draining := _draining(load, arrivals, options)
} else := _fault("backlog", signal, detail) if {
	detail := _wrong_backlog(options)
} else := _fault("backlog", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _fault("backlog", signal, _no_signal(options.arrivals)) if {
	not input.signals[object.get(options, "arrivals", signal)]
} else := _unknown("backlog", signal, _lack_value(signal)) if {
	not _value(signal)
} else := _unknown("backlog", signal, sprintf("%s: %s", [options.arrivals, _lack_value(options.arrivals)]))

# A total needs no capacity.
_lack_value(signal) := sprintf("signal %s", [state]) if {
	state := input.signals[signal].state
	state in {"missing", "stale"}
} else := "value unknown"

_arrivals(options) := 0 if {
	not options.arrivals
} else := _value(options.arrivals)

_waiting(load, options) := _up(load, round(options.per_instance * 1000)) if {
	options.per_instance
} else := _up(load * _micro(options.seconds_each), 1000 * _micro(options.delay_seconds)) if {
	options.delay_seconds
} else := 0

# What arrives in a second keeps arrivals * seconds_each instances busy, the backlog spread over the time
# backlog * seconds_each / drain_seconds more: both over the one denominator, so that only the sum is rounded.
_draining(load, arrivals, options) := _up(busy, 1000000000 * within) if {
	options.drain_seconds
	each := _micro(options.seconds_each)
	within := _share(options.drain_seconds)
	busy := each * ((arrivals * within) + (load * 1000))
} else := 0

_positive(name, x) if {
	name != "seconds_each"
	_target(x)
}

_positive("seconds_each", x) if _some(x)

_wrong_backlog(options) := "the second argument is an object of options, such as {\"per_instance\": 100}" if {
	not is_object(options)
} else := spell.stranger("scale.backlog", options, known) if {
	known := {"arrivals", "delay_seconds", "drain_seconds", "per_instance", "seconds_each"}
	object.remove(options, known) != {}
} else := sprintf("%s must be a number above 0", [concat(", ", wrong)]) if {
	wrong := {name | some name in object.keys(object.remove(options, {"arrivals"})); not _positive(name, options[name])}
	count(wrong) > 0
} else := "give per_instance, or delay_seconds with seconds_each, or drain_seconds with seconds_each and arrivals" if {
	object.keys(options) & {"per_instance", "delay_seconds", "drain_seconds"} == set()
} else := "per_instance and delay_seconds say the same: give one of them" if {
	object.keys(options) & {"per_instance", "delay_seconds"} == {"per_instance", "delay_seconds"}
} else := "delay_seconds and drain_seconds need seconds_each, the seconds that an instance works on one" if {
	object.keys(options) & {"delay_seconds", "drain_seconds"} != set()
	not options.seconds_each
} else := "drain_seconds needs arrivals, the name of the signal that says what arrives in a second" if {
	options.drain_seconds
	not options.arrivals
} else := "arrivals and seconds_each mean something only with drain_seconds or delay_seconds" if {
	_idle_options(options)
}

_idle_options(options) if {
	options.arrivals
	not options.drain_seconds
}

_idle_options(options) if {
	options.seconds_each
	object.keys(options) & {"delay_seconds", "drain_seconds"} == set()
}
