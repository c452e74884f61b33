package lib.mix

# METADATA
# title: A hedge against Spot that is not there
# description: |
#   Base and share as split has them while Spot is there; while it is not, as many regular instances more as Spot ones
#   are missing, up to all. The first argument is the reason that says how many instances are wanted. Options: base;
#   regular_percent (0 unless given); spare (so many instances come on top of those wanted: see spare and reserve);
#   hold_seconds (how long after the last eviction, failure or change the hedge waits for Spot, 900 unless given: at
#   least what a machine takes to boot); cover: "absent" (unless given) counts Spot machines that could not be had, and
#   keeps what stands in for them until they are ready; "missing" counts machines that were asked for and are surely
#   gone, while Spot has disappointed within hold_seconds; "unready" counts every Spot machine that is wanted and not
#   ready yet, those of a growth too; slo (the share of time, such as 0.99, in which the pool's min must be up: while it
#   was no more so far, as many are regular; not looked at unless given). The options of reserve are taken as well.
#   While it is not known what is wanted or what is there, the split stays as it is.
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
hedged(load, options) := {"fault": detail} if {
	detail := _wrong_hedge("mix.hedged", options)
} else := {"fault": "the first argument is a reason, as the functions of lib.scale give it"} if {
	not load.state
} else := _standing(load.instances, options) if {
	load.state == "known"
	is_object(input.spot)
	object.get(options, "cover", "absent") == "absent"
	is_object(input.facts.live)
} else := _plan(options) if {
	load.state == "known"
	is_object(input.spot)
	_lacking(load.instances, options) == 0
	not _held(options)
	_guaranteed(options) <= _regular(load.instances, options)
} else := {"base": max([regular, held]), "regular_percent": 0, "rounding": "regular_down"} if {
	load.state == "known"
	is_object(input.spot)
	wanted := load.instances
	regular := min([wanted, max([_regular(wanted, options) + _lacking(wanted, options), _guaranteed(options)])])
	held := min([wanted, _held_base(options)])
} else := _as_it_is if {
	_as_it_is
} else := _plan(options)

# METADATA
# title: Spare instances
# description: |
#   The reason with k instances more, so that as many Spot machines may go before any is missed. It belongs into want.
# scope: document
spare(load, k) := {
	"code": "spare",
	"name": load.name,
	"state": "known",
	"instances": load.instances + k,
	"numbers": {"spare": k, "wanted": load.instances},
} if {
	_whole(k)
	load.state == "known"
} else := {
	"code": "spare",
	"name": load.name,
	"state": load.state,
	"instances": 0,
	"numbers": {},
	"detail": object.get(load, "detail", ""),
} if {
	_whole(k)
	load.state
} else := {
	"code": "spare",
	"name": "",
	"state": "fault",
	"instances": 0,
	"numbers": {},
	"detail": "give a reason, as the functions of lib.scale give it, and a whole number of instances from 0 up",
}

# METADATA
# title: A regular floor that follows evictions
# description: |
#   The blend with its base raised to as many regular instances as the pool's present size needs to bear evictions. How
#   many that are is reckoned from the definition's spot_risk and the evictions of the last day (input.spot.floor).
# scope: document
with_floor(blend) := {"fault": detail} if {
	detail := _no_blend(blend)
} else := {"fault": "there is no floor: the pool's definition needs spot_risk"} if {
	is_object(input.spot)
	not is_number(input.spot.floor)
} else := object.union(blend, {"base": input.spot.floor}) if {
	input.capacity.known
	input.spot.floor > _regular(input.capacity.instances, blend)
} else := blend

# The plan, or as many regular instances more as stand in.
_standing(wanted, options) := _plan(options) if {
	_stand_in(wanted, options) == 0
} else := {
	"base": _regular(wanted, options) + _stand_in(wanted, options),
	"regular_percent": 0,
	"rounding": "regular_down",
}

_plan(options) := {
	"base": options.base,
	"regular_percent": object.get(options, "regular_percent", 0),
	"rounding": "regular_down",
}

_as_it_is := {
	"base": input.capacity.mix.base,
	"regular_percent": input.capacity.mix.regular_percent,
	"rounding": "regular_down",
}

# The regular instances among n by a plan, as Azure reckons.
_regular(n, plan) := n if {
	n <= plan.base
} else := plan.base + ((part - (part % 100)) / 100) if {
	part := object.get(plan, "regular_percent", 0) * (n - plan.base)
}

# How many Spot instances there are too few; undefined while they have not been counted where that is asked for.
_lacking(wanted, options) := max([0, planned - (live.spot - live.pending_spot)]) if {
	options.cover == "unready"
	live := input.facts.live
	planned := (wanted + object.get(options, "spare", 0)) - _regular(wanted, options)
} else := input.spot.missing if {
	options.cover == "missing"
	_lately(input.spot, options)
} else := 0 if {
	options.cover == "missing"
}

_lately(spot, _) if spot.blocked

_lately(spot, options) if _within(spot.quiet_seconds, options)

# Null is less than any number.
_within(seconds, options) if {
	is_number(seconds)
	seconds < object.get(options, "hold_seconds", 900)
}

# Whether a hedge that stands is kept: for a while after Spot has disappointed, or after the last change.
_held(options) if _held_base(options) > 0

_held_base(options) := input.capacity.mix.base if {
	input.capacity.mix.base > options.base
	input.capacity.mix.regular_percent == 0
	_recently(options)
} else := 0

_recently(options) if _lately(input.spot, options)

# For one boot after Spot is whole again, as machines that were counted show.
_recently(options) if _within(input.spot.whole_seconds, options)

# Where nobody has counted, what was asked for is taken to come up.
_recently(options) if {
	options.cover == "unready"
	input.spot.seen_seconds == 0
	_within(input.spot.changed_seconds, options)
}

# The regular instances that make up for an availability that was too low so far: the pool's min.
_guaranteed(options) := input.limits.min if {
	input.spot.seen_seconds > 0
	input.spot.served_seconds * 1000 <= input.spot.seen_seconds * _thousandths(options.slo)
} else := 0

_thousandths(x) := round(x * 1000) if {
	is_number(x)
	x > 0
	x < 1
}

_wrong_hedge(function, options) := `the second argument is an object of options, such as {"base": 2, "spare": 1}` if {
	not is_object(options)
} else := detail if {
	detail := _wrong_plan(function, object.union({"regular_percent": 0}, options), _hedge_options)
} else := sprintf("%s must be a whole number from 0 up", [concat(", ", wrong)]) if {
	wrong := {name |
		some name in _hedge_counts
		not _whole(object.get(options, name, 0))
	}
	count(wrong) > 0
} else := "slo must be a share above 0 and below 1" if {
	not _thousandths(object.get(options, "slo", 0.99))
} else := "cover must be absent, missing or unready" if {
	not object.get(options, "cover", "absent") in {"absent", "missing", "unready"}
}

_hedge_counts := {"hold_seconds", "retry_seconds", "spare", "spare_always", "wary_seconds", "zone_percent"}

_hedge_options := {"base", "cover", "regular_percent", "slo"} | _hedge_counts

_no_blend(blend) := detail if {
	detail := blend.fault
} else := "the blend is what the functions of lib.mix give, with base and regular_percent" if {
	not _blended(blend)
}

_blended(blend) if {
	_whole(blend.base)
	_percent(blend.regular_percent)
}
