package lib.mix

import data.lib.spell

# METADATA
# title: A price that Spot must be worth
# description: |
#   The blend while Spot is cheap enough, else all regular. Options: regular and spot (prices of an instance for an
#   hour, in one currency), at_most (the share of the regular price up to which Spot is worth being evicted, 0.9 unless
#   given).
# scope: document
# custom:
#   options: [at_most, regular, spot]
worth(blend, options) := {"fault": detail} if {
	detail := _no_blend(blend)
} else := {"fault": detail} if {
	detail := _wrong_worth(options)
} else := blend if {
	_micro(options.spot) * 1000 <= _micro(options.regular) * round(object.get(options, "at_most", 0.9) * 1000)
} else := _all_regular

# METADATA
# title: Work with a deadline
# description: |
#   The blend of a batch that must be done when a schedule ends: Spot as long as the work is at least as far as the
#   clock, all regular while it is behind, and in any case once the time left is no more than the rest takes. Options:
#   schedule (the name of the span in which the work is done) and seconds (its length); done (the name of the signal
#   that says how much is done) and work (how much there is); seconds_each (how long an instance works on one);
#   restart_seconds (what a restart costs, 0 unless given); margin (how far ahead of the clock the work must be before
#   it returns to Spot, as a share of all, 0.05 unless given); base and regular_percent of the plan (0 unless given).
#   While it is not known how much is done, all is regular.
# scope: document
# custom:
#   options: [base, done, margin, regular_percent, restart_seconds, schedule, seconds, seconds_each, work]
by_deadline(options) := {"fault": detail} if {
	detail := _wrong_deadline(options)
} else := _calm(options) if {
	not input.schedules[options.schedule].active
} else := _calm(options) if {
	done := max([_done(options.done), 0])
	left := input.schedules[options.schedule].seconds_left
	total := round(options.work * 1000)
	is_number(left)
	elapsed := max([0, options.seconds - left])
	ahead := _margin(options) * (options.work * options.seconds)
	done * options.seconds >= (total * elapsed) + ahead
	_in_time(max([0, total - done]), left, options)
} else := _all_regular

_all_regular := {"base": 0, "regular_percent": 100, "rounding": "regular_down"}

_calm(options) := {
	"base": object.get(options, "base", 0),
	"regular_percent": object.get(options, "regular_percent", 0),
	"rounding": "regular_down",
}

_done(signal) := measured.value_milli if {
	measured := input.signals[signal]
	measured.has_value
	measured.state in {"fresh", "partial"}
}

# In thousandths: what a return to Spot must be ahead by, where all is regular now.
_margin(options) := round(object.get(options, "margin", 0.05) * 1000) if {
	input.capacity.mix.regular_percent == 100
} else := 0

# Whether the rest, in thousandths, can be done in the time left and a restart to spare.
_in_time(0, _, _)

_in_time(rest, left, options) if {
	input.capacity.known
	spare := left - object.get(options, "restart_seconds", 0)
	rest * _micro(options.seconds_each) < (spare * input.capacity.instances) * 1000000000
}

# Prices and times in millionths.
_micro(x) := round(x * 1000000) if {
	is_number(x)
	x >= 0
}

_some(x) if _micro(x) > 0

_wrong_worth(options) := `the second argument is an object of options, such as {"regular": 0.2, "spot": 0.04}` if {
	not is_object(options)
} else := detail if {
	detail := spell.stranger("mix.worth", options, {"at_most", "regular", "spot"})
} else := "regular and spot must be prices above 0" if {
	some name in {"regular", "spot"}
	not _some(object.get(options, name, null))
} else := "at_most must be a share above 0" if {
	not _some(object.get(options, "at_most", 0.9))
}

_wrong_deadline(options) := "the argument is an object of options, such as {\"schedule\": \"nightly\", …}" if {
	not is_object(options)
} else := detail if {
	known := {
		"base",
		"done",
		"margin",
		"regular_percent",
		"restart_seconds",
		"schedule",
		"seconds",
		"seconds_each",
		"work",
	}
	detail := _wrong_plan("mix.by_deadline", object.union({"base": 0, "regular_percent": 0}, options), known)
} else := sprintf("no schedule %v: the pool's definition has [%s]", [name, names]) if {
	name := object.get(options, "schedule", "")
	not input.schedules[name]
	names := concat(", ", object.keys(input.schedules))
} else := sprintf("no signal %v: the pool's definition has [%s]", [name, names]) if {
	name := object.get(options, "done", "")
	not input.signals[name]
	names := concat(", ", object.keys(input.signals))
} else := "seconds and work must be whole numbers from 1 up, restart_seconds one from 0 up" if {
	some name, least in {"restart_seconds": 0, "seconds": 1, "work": 1}
	not _at_least(options, name, least)
} else := "seconds_each must be a number above 0" if {
	not _some(object.get(options, "seconds_each", null))
} else := "margin must be a share from 0 up" if {
	not _micro(object.get(options, "margin", 0))
}

_at_least(options, name, least) if {
	n := object.get(options, name, 0)
	_whole(n)
	n >= least
}
