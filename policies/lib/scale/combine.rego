package lib.scale

import data.lib.spell

# METADATA
# title: Any of several
# description: |
#   One reason of several, under a name: the largest count of those that are known. Idle ones take no part. While one
#   is unknown the whole is unknown, unless the others alone call for growth. Reasons of want are combined in this way
#   already; this is for use within all_of and if_missing.
# scope: document
any_of(name, reasons) := _joined("any_of", name, reasons, most) if {
	not _wrong_parts(name, reasons)
	most := max([r.instances | some r in reasons; r.state == "known"])
	_agreed(reasons, most)
} else := _disjoined("any_of", name, reasons)

# METADATA
# title: All of several
# description: |
#   One reason of several, under a name, that moves only when all agree on the direction, and then by the smallest of
#   their moves: growth when each wants to grow, a shrink when each wants to shrink, else what there is. Idle ones take
#   no part. While one is unknown, so is the whole.
# scope: document
all_of(name, reasons) := _joined("all_of", name, reasons, n) if {
	not _wrong_parts(name, reasons)
	wanted := [r.instances | some r in reasons; r.state == "known"]
	count(wanted) > 0
	not "unknown" in {r.state | some r in reasons}
	input.capacity.known
	n := _common(min(wanted), max(wanted), input.capacity.instances)
} else := _disjoined("all_of", name, reasons)

# METADATA
# title: Weighted sum
# description: |
#   Target tracking on a sum of signals: each counts with its weight, and so many instances are wanted that each carries
#   the target. Options: target, tolerance, tolerance_grow and tolerance_shrink as for track, and terms, a list of
#   objects with signal, weight (1 unless given) and otherwise (the average for each instance to reckon with while the
#   signal is not known; without it the whole is unknown then).
# scope: document
# custom:
#   options: [target, terms, tolerance, tolerance_grow, tolerance_shrink]
#   elements: [otherwise, signal, weight]
weighted(name, options) := {
	"code": "weighted",
	"name": name,
	"state": "known",
	"instances": _settled(load, capacity.instances, target * 1000, grow, shrink),
	"numbers": {
		"current": capacity.instances,
		"demand_milli": (load - (load % 1000)) / 1000,
		"target_milli": target,
		"otherwise": count([t | some t in options.terms; not _demand(t.signal)]),
		"tolerance_grow_milli": grow,
		"tolerance_shrink_milli": shrink,
	},
} if {
	not _wrong_weighted(name, options)
	capacity := input.capacity
	capacity.known
	parts := [part | some t in options.terms; part := _part(t)]
	count(parts) == count(options.terms)
	load := sum(parts)
	target := round(options.target * 1000)
	grow := _tolerance(options, "tolerance_grow")
	shrink := _tolerance(options, "tolerance_shrink")
} else := _fault("weighted", name, detail) if {
	detail := _wrong_weighted(name, options)
} else := _unknown("weighted", name, "capacity unknown") if {
	not input.capacity.known
} else := _unknown("weighted", name, concat("; ", lacking)) if {
	lacking := {sprintf("%s: %s", [t.signal, _lack(t.signal, "demand")]) |
		some t in options.terms
		not _part(t)
	}
}

_joined(code, name, reasons, n) := {
	"code": code,
	"name": name,
	"state": "known",
	"instances": n,
	"numbers": {sprintf("%d_%s_%s", [i + 1, r.code, r.name]): r.instances | some i, r in reasons; r.state == "known"},
}

# What a combination is that is not known.
_disjoined(code, name, reasons) := _fault(code, name, detail) if {
	detail := _wrong_parts(name, reasons)
} else := {"code": code, "name": name, "state": "idle", "instances": 0, "numbers": {}} if {
	{r.state | some r in reasons} == {"idle"}
} else := _unknown(code, name, "capacity unknown") if {
	not input.capacity.known
} else := _unknown(code, name, concat("; ", lacking)) if {
	lacking := {sprintf("%s %s: %s", [r.code, r.name, r.detail]) | some r in reasons; r.state == "unknown"}
}

# Whether what is known may speak for all: nothing is unknown, or growth does not wait for it.
_agreed(reasons, _) if {
	not "unknown" in {r.state | some r in reasons}
}

_agreed(_, most) if {
	input.capacity.known
	most > input.capacity.instances
}

_common(least, most, current) := least if {
	least > current
} else := most if {
	most < current
} else := current

# A term's share of the sum, in thousandths of thousandths; undefined while it is not known what to reckon with.
_part(term) := _weight(term) * _demand(term.signal) if {
	_demand(term.signal)
} else := (_weight(term) * _milli(term.otherwise)) * input.capacity.instances

_weight(term) := _milli(object.get(term, "weight", 1))

_wrong_parts(name, reasons) := "the first argument is the combination's name, a string" if {
	not is_string(name)
} else := "the second argument is a list of reasons" if {
	not _list(reasons)
} else := concat("; ", wrong) if {
	wrong := {text | some r in reasons; text := _wrong_part(r)}
	count(wrong) > 0
}

_wrong_part(r) := "each part is a reason, as the functions of this package give it" if {
	not _reason(r)
} else := sprintf("%s %s: %s", [r.code, r.name, object.get(r, "detail", "")]) if {
	r.state == "fault"
}

_wrong_weighted(name, options) := "the first argument is the sum's name, a string" if {
	not is_string(name)
} else := detail if {
	known := {"target", "terms", "tolerance", "tolerance_grow", "tolerance_shrink"}
	detail := _wrong_options("scale.weighted", options, known)
} else := `terms must be a list of objects, such as [{"signal": "cpu", "weight": 0.7}]` if {
	not _list(object.get(options, "terms", null))
} else := concat("; ", wrong) if {
	wrong := {text | some i, t in options.terms; text := sprintf("term %d: %s", [i + 1, _wrong_term(t)])}
	count(wrong) > 0
} else := concat("; ", wrong) if {
	wrong := {_no_signal(t.signal) | some t in options.terms; not input.signals[t.signal]}
	count(wrong) > 0
}

_wrong_term(term) := `a term is an object, such as {"signal": "cpu", "weight": 0.7}` if {
	not is_object(term)
} else := spell.stranger("scale.weighted", term, known) if {
	known := {"otherwise", "signal", "weight"}
	object.remove(term, known) != {}
} else := "signal must be given" if {
	not is_string(object.get(term, "signal", null))
} else := "weight must be a number above 0" if {
	not _target(object.get(term, "weight", 1))
} else := "otherwise must be a number from 0 up" if {
	not _share(object.get(term, "otherwise", 0))
}
