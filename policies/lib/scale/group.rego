package lib.scale

import data.lib.spell

# METADATA
# title: A ceiling over several pools
# description: |
#   As many instances as the group's vCPUs or money leave to this pool. What pools with a higher priority have or want
#   goes first, what those with a lower one must keep is left to them, and growth takes only what is free now: nobody
#   grows into what another pool still has. Options, one or more: vcpus (that all pools together may have), per_hour
#   (what they may cost an hour, in the currency of their definitions) and budget (what they may cost in the period of
#   their spending: what is left of it, over the hours that are left, is what they may cost an hour). The group stands
#   in the pool's definition, with its priority and what an instance takes. It belongs into cap, in the policy of each
#   pool of the group.
# scope: document
# custom:
#   options: [budget, per_hour, vcpus]
at_most_group(group, options) := _no_ceiling("at_most_group", group, detail) if {
	detail := _wrong_group(options)
} else := _ceiling("at_most_group", group, max([0, min(counts)]), figures) if {
	others := input.groups[group]
	counts := [n | some name, unit in _units; n := _left(others, unit, _total(name, options[name], others))]
	count(counts) == count(options)
	figures := {
		"others": others.others,
		"present_vcpus": others.present.vcpus,
		"silent": others.silent,
		"spent_milli": _down(others.spent_micro, 1000),
	}
} else := _unknown_group(group, sprintf("%d pools of the group keep no account", [uncounted])) if {
	options.budget
	uncounted := input.groups[group].uncounted
	uncounted > 0
} else := _no_ceiling("at_most_group", group, "an instance takes nothing of it: say vcpus or per_hour in groups") if {
	input.groups[group]
} else := _unknown_group(group, "what the other pools take is not known")

_unknown_group(group, detail) := {
	"code": "at_most_group",
	"name": group,
	"state": "unknown",
	"at_most": 0,
	"numbers": {},
	"detail": detail,
}

# What each option is a total of.
_units := {"vcpus": "vcpus", "per_hour": "per_hour_micro", "budget": "per_hour_micro"}

# The instances that a total leaves: the share of this pool, and no growth beyond what is free.
_left(others, unit, total) := min([share, max([here, free])]) if {
	each := others.each[unit]
	each > 0
	share := _down(total - (others.above[unit] + others.below[unit]), each)
	free := _down(total - others.present[unit], each)
	here := input.capacity.instances
}

_total("vcpus", given, _) := given

_total("per_hour", given, _) := _micro(given)

_total("budget", given, others) := _down(left * 3600, max([1, others.remaining_seconds])) if {
	others.uncounted == 0
	left := max([0, _micro(given) - others.spent_micro])
}

# The quotient rounded down, 0 for what is below.
_down(total, each) := (total - (total % each)) / each if {
	total >= 0
} else := 0

_wrong_group(options) := `the second argument is an object of options, such as {"vcpus": 400}` if {
	not is_object(options)
} else := spell.stranger("scale.at_most_group", options, {"budget", "per_hour", "vcpus"}) if {
	object.remove(options, {"budget", "per_hour", "vcpus"}) != {}
} else := "give vcpus, per_hour or budget" if {
	options == {}
} else := "vcpus must be a whole number from 0 up" if {
	not _whole(object.get(options, "vcpus", 0))
} else := "per_hour and budget must be numbers from 0 up" if {
	some name in {"budget", "per_hour"}
	not _micro(object.get(options, name, 0))
}
