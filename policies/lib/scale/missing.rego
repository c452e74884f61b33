package lib.scale

# METADATA
# title: What holds while a signal is missing
# description: |
#   The reason as it is, unless it is unknown: then what the mode says. Modes: "hold" (it stays unknown: it asks for
#   nothing and agrees to no shrink), "current" (what there is), {"static": n}, {"only_if_higher": n} (n, or what there
#   is if that is more) and {"only_if_lower": n} (n, or what there is if that is less). A mode for each direction is
#   given as {"grow": mode, "shrink": mode}, hold where one is left out: the first counts if it calls for growth, else
#   the second if it calls for a shrink. Growth on such a reason is as good as any; the rails still let no pool shrink
#   while one of its signals is not fresh, whatever the mode.
# scope: document
if_missing(reason, mode) := reason if {
	not _wrong_mode(reason, mode)
	reason.state != "unknown"
} else := _stand_in(reason, n) if {
	not _wrong_mode(reason, mode)
	input.capacity.known
	current := input.capacity.instances
	n := _instead(mode, current)
} else := _fault("if_missing", _name(reason), detail) if {
	detail := _wrong_mode(reason, mode)
} else := reason

_name(reason) := reason.name if {
	is_string(reason.name)
} else := ""

_stand_in(reason, n) := {
	"code": reason.code,
	"name": reason.name,
	"state": "known",
	"instances": n,
	"numbers": {"current": input.capacity.instances, "missing": 1},
	"detail": reason.detail,
}

# The count that stands in; undefined for hold.
_instead(mode, current) := _single(mode, current) if {
	_single(mode, current)
} else := up if {
	up := _single(mode.grow, current)
	up > current
} else := down if {
	down := _single(mode.shrink, current)
	down < current
} else := current if {
	_single(mode.grow, current)
	_single(mode.shrink, current)
}

_single(mode, current) := current if {
	mode == "current"
} else := mode.static if {
	mode.static
} else := max([current, mode.only_if_higher]) if {
	mode.only_if_higher
} else := min([current, mode.only_if_lower])

_wrong_mode(reason, mode) := _no_reason if {
	not _reason(reason)
} else := _known_modes if {
	not _mode(mode)
	not _modes(mode)
}

_no_reason := "the first argument is a reason, as the functions of this package give it"

_known_modes := concat("", [
	`a mode is "hold", "current", {"static": n}, {"only_if_higher": n} or {"only_if_lower": n}, `,
	`n a whole number from 0 up, or {"grow": mode, "shrink": mode}`,
])

_mode(mode) if mode in {"hold", "current"}

_mode(mode) if {
	is_object(mode)
	count(mode) == 1
	some name, n in mode
	name in {"static", "only_if_higher", "only_if_lower"}
	_whole(n)
}

_modes(mode) if {
	is_object(mode)
	count(mode) > 0
	object.remove(mode, {"grow", "shrink"}) == {}
	wrong := [m | some m in mode; not _mode(m)]
	wrong == []
}
