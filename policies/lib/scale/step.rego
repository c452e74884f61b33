package lib.scale

import data.lib.spell

# METADATA
# title: Step scaling
# description: |
#   Options: above and grow (a threshold in the signal's unit, and the steps from it upwards), below and shrink (the
#   same downwards); either pair may be left out. A threshold belongs to its ladder. Each step has from (the distance
#   from the threshold at which it begins, 0 unless given), to (where it ends; up to the next unless given) and one of
#   by (so many instances), percent (of the fleet) and exact (a count). A percentage drops its fraction but moves at
#   least minimum instances, 1 unless given. Ladders with a hole or an overlap are a fault.
#   With of_recent, so many of the signal's recent buckets must lie at or past a place on a ladder for it to count (k of
#   the last q: q is recent_buckets of the signal's definition); without, the value of the whole window counts.
#   The change is reckoned from the fleet that bore the load, so a signal that arrives late orders nothing twice.
#   Without a shrink ladder the reason is idle below its threshold and agrees to whatever others want.
# scope: document
# custom:
#   options: [above, below, grow, minimum, of_recent, shrink]
#   elements: [by, exact, from, percent, to]
step(signal, options) := {
	"code": "step",
	"name": signal,
	"state": "known",
	"instances": _climb(levels, fleet, capacity.instances, options),
	"numbers": object.union(
		{"current": capacity.instances, "fleet": fleet, "value_milli": value},
		{name: _milli(options[option]) | some option, name in {"above": "above_milli", "below": "below_milli"}},
	),
} if {
	not _wrong_steps(options)
	value := _value(signal)
	levels := _levels(input.signals[signal], value, options)
	capacity := input.capacity
	capacity.known
	fleet := _fleet(input.signals[signal], capacity.instances)
} else := _fault("step", signal, detail) if {
	detail := _wrong_steps(options)
} else := _fault("step", signal, _no_signal(signal)) if {
	not input.signals[signal]
} else := _fault("step", signal, detail) if {
	detail := _wrong_recent(signal, options)
} else := {
	"code": "step",
	"name": signal,
	"state": "idle",
	"instances": 0,
	"numbers": {"above_milli": _milli(options.above), "value_milli": value},
} if {
	value := _value(signal)
	_levels(input.signals[signal], value, options)
	input.capacity.known
} else := _unknown("step", signal, sprintf("%d of the recent buckets are needed and %d measured", [k, n])) if {
	_value(signal)
	input.capacity.known
	k := options.of_recent
	n := count(input.signals[signal].recent_milli)
} else := _unknown("step", signal, _lack(signal, "value"))

# How many instances bore the load: demand over average, to the nearest; current, if that is not known.
_fleet(measured, current) := (twice - (twice % (2 * average))) / (2 * average) if {
	measured.has_demand
	average := measured.average_milli
	average > 0
	twice := (2 * measured.demand_milli) + average
} else := current

# The highest and the lowest level that count: of k recent buckets at or above a level the least is the k-th highest.
_levels(measured, value, options) := {"high": value, "low": value} if {
	not options.of_recent
} else := {"high": recent[k - 1], "low": recent[count(recent) - k]} if {
	recent := measured.recent_milli
	k := options.of_recent
	count(recent) >= k
}

_wrong_recent(signal, options) := sprintf("signal %s has no recent buckets: %s", [signal, needed]) if {
	k := options.of_recent
	not input.signals[signal].recent_milli
	needed := sprintf("its definition needs recent_buckets of at least %d", [k])
}

# Undefined only below the threshold of a ladder for growth that stands alone.
_climb(levels, fleet, current, options) := max([current, _moved(rung, fleet, 1, least)]) if {
	distance := levels.high - _milli(options.above)
	distance >= 0
	rung := _rung(options.grow, distance)
	least := object.get(options, "minimum", 1)
} else := max([0, min([current, _moved(rung, fleet, -1, least)])]) if {
	distance := _milli(options.below) - levels.low
	distance >= 0
	rung := _rung(options.shrink, distance)
	least := object.get(options, "minimum", 1)
} else := current if options.below

_rung(steps, distance) := rung if {
	start := max([from | some s in steps; from := _from(s); from <= distance])
	some rung in steps
	_from(rung) == start
}

_from(rung) := _share(object.get(rung, "from", 0))

# The count after a step; sign is 1 upwards and -1 downwards.
_moved(rung, fleet, sign, least) := fleet + (sign * max([least, percent])) if {
	part := fleet * _share(rung.percent)
	percent := (part - (part % 100000)) / 100000
} else := fleet + (sign * rung.by) if {
	rung.by
} else := rung.exact

_wrong_steps(options) := `the second argument is an object of options, such as {"above": 70, "grow": [{"by": 1}]}` if {
	not is_object(options)
} else := spell.stranger("scale.step", options, known) if {
	known := {"above", "below", "grow", "minimum", "of_recent", "shrink"}
	object.remove(options, known) != {}
} else := "give above with grow, or below with shrink, or all four" if {
	pairs := {{"above", "grow"}, {"below", "shrink"}, {"above", "below", "grow", "shrink"}}
	not object.keys(object.remove(options, {"minimum", "of_recent"})) in pairs
} else := sprintf("%s must be a number", [concat(" and ", wrong)]) if {
	wrong := {name | some name in (object.keys(options) & {"above", "below"}); not _milli(options[name])}
	count(wrong) > 0
} else := "below must lie under above" if {
	_milli(options.below) >= _milli(options.above)
} else := "minimum must be a whole number of instances from 1 up" if {
	not _counts(object.get(options, "minimum", 1))
} else := "of_recent must be a whole number of buckets from 1 up" if {
	not _counts(object.get(options, "of_recent", 1))
} else := concat("; ", wrong) if {
	wrong := {text | some name in {"grow", "shrink"}; text := _wrong_ladder(name, options[name])}
	count(wrong) > 0
}

_beyond(to, from) if _share(to) > from

_wrong_ladder(name, steps) := sprintf("%s must be a list of steps, such as [{\"by\": 1}]", [name]) if {
	not _list(steps)
} else := sprintf("%s: %s", [name, concat("; ", wrong)]) if {
	wrong := {text | some i, s in steps; text := sprintf("step %d: %s", [i + 1, _wrong_step(s)])}
	count(wrong) > 0
} else := sprintf("%s has %s", [name, concat(" and ", wrong)]) if {
	froms := sort([_from(s) | some s in steps])
	wrong := _starts(froms) | _ends(steps, froms)
	count(wrong) > 0
}

# Where steps begin wrongly: too far out, or two at one place.
_starts(froms) := {text | froms[0] > 0; text := sprintf("a hole from 0 to %v", [froms[0] / 1000])} | {text |
	some i, from in froms
	froms[i + 1] == from
	text := sprintf("an overlap: two steps from %v", [from / 1000])
}

# Where a step's end is not the next one's beginning.
_ends(steps, froms) := {text |
	some s in steps
	text := _gap(_share(s.to), [from | some from in froms; from > _from(s)])
}

_gap(to, later) := sprintf("a hole from %v up", [to / 1000]) if {
	later == []
} else := sprintf("a hole from %v to %v", [to / 1000, later[0] / 1000]) if {
	to < later[0]
} else := sprintf("an overlap from %v to %v", [later[0] / 1000, to / 1000]) if {
	to > later[0]
}

_wrong_step(rung) := "a step is an object, such as {\"from\": 10, \"by\": 2}" if {
	not is_object(rung)
} else := spell.stranger("scale.step", rung, known) if {
	known := {"by", "exact", "from", "percent", "to"}
	object.remove(rung, known) != {}
} else := "give one of by, percent and exact" if {
	count(object.keys(rung) & {"by", "percent", "exact"}) != 1
} else := "from must be a number from 0 up" if {
	not _share(object.get(rung, "from", 0))
} else := "to must be a number above from" if {
	"to" in object.keys(rung)
	not _beyond(rung.to, _from(rung))
} else := "by must be a whole number of instances from 1 up" if {
	"by" in object.keys(rung)
	not _counts(rung.by)
} else := "percent must be a number above 0" if {
	"percent" in object.keys(rung)
	not _target(rung.percent)
} else := "exact must be a whole number of instances from 0 up" if {
	"exact" in object.keys(rung)
	not _whole(rung.exact)
}
