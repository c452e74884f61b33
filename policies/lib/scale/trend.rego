package lib.scale

import data.lib.spell

# METADATA
# title: Trend
# description: |
#   Target tracking on where the load is going: the straight line through the signal's window is carried on to
#   lead_seconds from now, and so many instances are wanted that each carries the target then. A line that falls is not
#   carried on: the reason never asks for less than track. Options: target, tolerance, tolerance_grow and
#   tolerance_shrink as for track; lead_seconds (how far ahead; at least the time that an instance takes until it
#   serves); limit_percent (by how much of the load the line may raise it at most, 100 unless given). The signal's
#   definition must have trend.
# scope: document
# custom:
#   options: [lead_seconds, limit_percent, target, tolerance, tolerance_grow, tolerance_shrink]
trend(signal, options) := {
	"code": "trend",
	"name": signal,
	"state": "known",
	"instances": _settled(load + rise, current, target, grow, shrink),
	"numbers": {
		"current": current,
		"demand_milli": load,
		"lead_seconds": options.lead_seconds,
		"rise_milli": rise,
		"target_milli": target,
		"trend_milli": line.demand_milli,
	},
} if {
	not _wrong_trend(options)
	load := _demand(signal)
	line := input.signals[signal].trend
	line.has_demand
	input.capacity.known
	current := input.capacity.instances
	most := _hundredth(max([load, 0]) * object.get(options, "limit_percent", 100))
	rise := min([most, _sixtieth(max([line.demand_milli, 0]) * (line.age_seconds + options.lead_seconds))])
	target := _milli(options.target)
	grow := _tolerance(options, "tolerance_grow")
	shrink := _tolerance(options, "tolerance_shrink")
} else := _fault("trend", signal, detail) if {
	detail := _wrong_trend(options)
} else := _fault("trend", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _fault("trend", signal, detail) if {
	not "trend" in object.keys(input.signals[signal])
	detail := sprintf("signal %s has no trend: its definition needs \"trend\": true", [signal])
} else := _unknown("trend", signal, "too few buckets for a trend") if {
	_demand(signal)
	input.capacity.known
} else := _unknown("trend", signal, _lack(signal, "demand"))

# METADATA
# title: Flap guard
# description: |
#   At least as many of the present instances as keep the average below a threshold when the rest is gone: the smallest
#   count is floor(demand / threshold) + 1. It asks for no growth: what is there is the most that it wants. Options:
#   below (the threshold of whatever grows the pool, in the signal's unit) and margin (the share of the threshold to
#   stay away from it, 0 unless given). For averages of an instance only: a total does not rise when instances go.
# scope: document
# custom:
#   options: [below, margin]
no_flap(signal, options) := {
	"code": "no_flap",
	"name": signal,
	"state": "known",
	"instances": min([capacity.instances, least]),
	"numbers": {"below_milli": threshold, "current": capacity.instances, "demand_milli": load, "least": least},
} if {
	not _wrong_flap(options)
	load := max([_demand(signal), 0])
	capacity := input.capacity
	capacity.known
	threshold := _thousandth(_milli(options.below) * (1000 - _share(object.get(options, "margin", 0))))
	threshold > 0
	least := ((load - (load % threshold)) / threshold) + 1
} else := _fault("no_flap", signal, detail) if {
	detail := _wrong_flap(options)
} else := _fault("no_flap", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _unknown("no_flap", signal, _lack(signal, "demand"))

_hundredth(x) := (x - (x % 100)) / 100

_sixtieth(x) := (x - (x % 60)) / 60

_thousandth(x) := (x - (x % 1000)) / 1000

_wrong_trend(options) := detail if {
	known := {"lead_seconds", "limit_percent", "target", "tolerance", "tolerance_grow", "tolerance_shrink"}
	detail := _wrong_options("scale.trend", options, known)
} else := "lead_seconds must be a whole number of seconds from 1 up" if {
	not _counts(object.get(options, "lead_seconds", null))
} else := "limit_percent must be a whole number from 0 up" if {
	not _whole(object.get(options, "limit_percent", 100))
}

_wrong_flap(options) := `the second argument is an object of options, such as {"below": 70}` if {
	not is_object(options)
} else := spell.stranger("scale.no_flap", options, {"below", "margin"}) if {
	object.remove(options, {"below", "margin"}) != {}
} else := "below must be a number of at least 0.001" if {
	not _target(object.get(options, "below", null))
} else := "margin must be a number from 0 up and below 1" if {
	not _part_of_one(object.get(options, "margin", 0))
}

_part_of_one(x) if _share(x) < 1000
