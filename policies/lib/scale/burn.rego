package lib.scale

import data.lib.spell

# METADATA
# title: Whether the error budget burns
# description: |
#   True while errors use up their budget so many times faster than they may, over a short and a long window at once;
#   false while they do not, and while it is not known. Options: short and long (the names of two signals that say how
#   many per cent of requests fail, over a short and a long window), slo_percent (how many must succeed, such as 99.9)
#   and at (how many times faster than the budget allows, 1 unless given).
# scope: document
# custom:
#   options: [at, long, short, slo_percent]
default burning(_) := false

burning(options) if {
	not _wrong_burn(options)
	limit := _burn_limit(options)
	_value(options.short) >= limit
	_value(options.long) >= limit
}

# METADATA
# title: No shrink while the error budget burns
# description: |
#   A pause that stops every shrink while burning holds with the same options, and while the signals are not known. It
#   belongs into pause.
# scope: document
# custom:
#   options: [at, long, short, slo_percent]
hold_on_burn(options) := _burn("fault", {}, detail) if {
	detail := _wrong_burn(options)
} else := _burn("known", figures, "") if {
	burning(options)
	figures := _burn_figures(options)
} else := _burn("idle", figures, "") if {
	figures := _burn_figures(options)
} else := _burn("known", {"missing": 1}, "it is not known how many requests fail")

# METADATA
# title: A boost
# description: |
#   The reason with so many per cent more instances, rounded up, under its own name: for use with a condition, such as
#   burning. A reason that is not known stays as it is.
# scope: document
boost(reason, percent) := object.union(reason, {
	"code": "boost",
	"instances": _up(reason.instances * (100 + percent), 100),
	"numbers": {"percent": percent, "wanted": reason.instances},
}) if {
	_whole(percent)
	reason.state == "known"
} else := reason if {
	_whole(percent)
	_reason(reason)
} else := _fault("boost", _name(reason), "give a reason and a whole number of per cent from 0 up")

_burn(state, figures, detail) := object.union(
	{"code": "error_budget", "name": "burn", "state": state, "stops": "shrink", "numbers": figures},
	{name: text | some name, text in {"detail": detail}; text != ""},
)

# The share of failures, in thousandths of a per cent, at which the budget burns so fast.
_burn_limit(options) := round((object.get(options, "at", 1) * (100 - options.slo_percent)) * 1000)

_burn_figures(options) := {
	"limit_milli": _burn_limit(options),
	"long_milli": _value(options.long),
	"short_milli": _value(options.short),
}

_wrong_burn(options) := "the argument is an object of options: short, long, slo_percent and at" if {
	not is_object(options)
} else := spell.stranger("scale.burning", options, {"at", "long", "short", "slo_percent"}) if {
	object.remove(options, {"at", "long", "short", "slo_percent"}) != {}
} else := "slo_percent must be a number above 0 and below 100" if {
	not _open(object.get(options, "slo_percent", null))
} else := "at must be a number above 0" if {
	not _target(object.get(options, "at", 1))
} else := concat("; ", wrong) if {
	wrong := {_no_signal(name) |
		some option in {"short", "long"}
		name := object.get(options, option, "")
		not input.signals[name]
	}
	count(wrong) > 0
}

_open(x) if {
	_target(x)
	x < 100
}
