package lib.mix

# METADATA
# title: What a hedge needs beside the instances that are wanted
# description: |
#   A reason for the instances wanted and for what the hedge of the same options takes on top: spare Spot machines, and
#   the regular ones that stand in until Spot is ready again. It belongs into want, beside hedged as blend. Options:
#   those of hedged; spare (Spot machines on top, 1 unless given), spare_always (the same where they let no zone go,
#   because each of the zones that Spot stands in would take more; 0 unless given); while Spot has disappointed within
#   wary_seconds (10800 unless given), as many more as let any one zone go, at most zone_percent of the Spot machines
#   wanted (100 unless given, 0 for none); retry_seconds (how long Spot is not asked for again after it could not be
#   had, 300 unless given).
# scope: document
# custom:
#   options:
#     - base
#     - cover
#     - hold_seconds
#     - regular_percent
#     - retry_seconds
#     - slo
#     - spare
#     - spare_always
#     - wary_seconds
#     - zone_percent
reserve(load, options) := _reserve(load, "fault", 0, {}, detail) if {
	detail := _wrong_hedge("mix.reserve", options)
} else := _reserve(load, "fault", 0, {}, "give a reason, as the functions of lib.scale give it") if {
	not load.state
} else := _reserve(load, load.state, 0, {}, object.get(load, "detail", "")) if {
	load.state != "known"
} else := _reserve(load, "known", load.instances, {"wanted": load.instances}, "") if {
	not is_object(input.spot)
} else := _reserve(load, "unknown", 0, {}, "the machines have not been counted") if {
	not is_object(input.facts.live)
} else := _reserve(load, "known", (regular + stand_in) + asked, figures, "") if {
	regular := _regular(load.instances, options)
	stand_in := _stand_in(load.instances, options)
	spot := load.instances - regular
	extra := _extra(spot, options)
	asked := _asked(spot + extra, options)
	figures := {
		"asked_spot": asked,
		"spare": extra,
		"stand_in": stand_in,
		"wanted": load.instances,
		"zones": count(_zones),
	}
}

_reserve(load, state, instances, figures, detail) := object.union(
	{
		"code": "reserve",
		"name": _named(load),
		"state": state,
		"instances": instances,
		"numbers": figures,
	},
	{"detail": detail | detail != ""},
)

_named(load) := load.name if {
	is_string(load.name)
} else := ""

# The zones in which Spot machines stand; a machine without a zone stands in none that is known.
_zones contains zone if {
	some zone, there in input.facts.live.by_zone
	zone != ""
	there.spot > 0
}

_zoned if {
	count(_zones) > 0
	object.get(input.facts.live.by_zone, "", {"spot": 0}).spot == 0
}

# How many Spot machines come on top of those wanted: while Spot is not trusted what lets any zone go, else the spare
# where it lets some zone go, or where zones are not known.
_extra(0, _) := 0

_extra(spot, options) := max([_spare(options), more]) if {
	spot > 0
	_wary(options)
	more := _for_a_zone(spot)
	more * 100 <= spot * object.get(options, "zone_percent", 100)
} else := object.get(options, "spare_always", 0) if {
	spot > 0
	_zoned
	_together(spot, options)
} else := _spare(options) if {
	spot > 0
}

_spare(options) := object.get(options, "spare", 1)

# Whether each zone would take more than are to spare, spread evenly.
_together(spot, options) if {
	zones := count(_zones)
	total := spot + _spare(options)
	total - (total % zones) > _spare(options) * zones
}

# Of t machines spread evenly over z zones the loss of one zone leaves floor(t * (z - 1) / z): as many more as make that
# the number wanted.
_for_a_zone(spot) := ((up - (up % rest)) / rest) - spot if {
	_zoned
	zones := count(_zones)
	zones > 1
	rest := zones - 1
	up := (spot * zones) + (rest - 1)
}

_wary(_) if input.spot.blocked

_wary(options) if {
	is_number(input.spot.quiet_seconds)
	input.spot.quiet_seconds < object.get(options, "wary_seconds", 10800)
}

# How many Spot machines are asked for: after Spot could not be had, no more than there are for a while.
_asked(wanted, options) := input.facts.live.spot if {
	input.spot.blocked
	input.facts.live.spot < wanted
	is_number(input.spot.changed_seconds)
	input.spot.changed_seconds < object.get(options, "retry_seconds", 300)
} else := wanted

# How many regular instances stand in for Spot: for what is neither there nor coming up after Spot could not be had; and
# those that are there already stay until all Spot is ready. What was only evicted is asked for as Spot first. What
# makes up for a low availability comes in any case.
_stand_in(wanted, options) := max([_absent(spot), min([spot, max([staying, due])])]) if {
	regular := _regular(wanted, options)
	spot := wanted - regular
	surplus := max([0, input.facts.live.regular - regular])
	staying := _staying(spot, surplus, options)
	due := _guaranteed(options) - regular
}

_absent(spot) := max([0, spot - input.facts.live.spot]) if {
	input.spot.blocked
} else := 0

_staying(spot, surplus, options) := surplus if {
	live := input.facts.live
	live.spot - live.pending_spot < spot
	_lately_moved(options)
} else := 0

_lately_moved(options) if _lately(input.spot, options)

_lately_moved(options) if _within(input.spot.changed_seconds, options)
