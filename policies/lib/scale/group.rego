package lib.scale

import data.lib.spell

# METADATA
# title: A ceiling over several pools
# description: |
#   As many instances as the group's vCPUs or money leave to this pool. What pools with a higher priority have or want
#   goes first, what those with a lower one must keep is left to them, and growth takes only what is free now: nobody
#   grows into what another pool still has. Options: vcpus (that all pools together may have) or per_hour (what they may
#   cost an hour, in the currency of their definitions), or both. The group, with the pool's priority and what an
#   instance takes, stands in the pool's definition. It belongs into cap, in the policy of each pool of the group.
# scope: document
# custom:
#   options: [per_hour, vcpus]
at_most_group(group, options) := _no_ceiling("at_most_group", group, detail) if {
	detail := _wrong_group(options)
} else := _ceiling("at_most_group", group, max([0, min(counts)]), figures) if {
	others := input.groups[group]
	counts := [n | some unit, name in _units; n := _left(others, unit, options[name])]
	count(counts) == count(options)
	figures := {"others": others.others, "present_vcpus": others.present.vcpus, "silent": others.silent}
} else := _no_ceiling("at_most_group", group, "an instance takes nothing of it: say vcpus or per_hour in groups") if {
	input.groups[group]
} else := {
	"code": "at_most_group",
	"name": group,
	"state": "unknown",
	"at_most": 0,
	"numbers": {},
	"detail": "what the other pools take is not known",
}

_units := {"vcpus": "vcpus", "per_hour_micro": "per_hour"}

# The instances that a total leaves: the share of this pool, and no growth beyond what is free.
_left(others, unit, given) := min([share, max([here, free])]) if {
	total := _total(unit, given)
	each := others.each[unit]
	each > 0
	share := _down(total - (others.above[unit] + others.below[unit]), each)
	free := _down(total - others.present[unit], each)
	here := input.capacity.instances
}

_total("vcpus", given) := given

_total("per_hour_micro", given) := _micro(given)

# The quotient rounded down, 0 for what is below.
_down(total, each) := (total - (total % each)) / each if {
	total >= 0
} else := 0

_wrong_group(options) := `the second argument is an object of options, such as {"vcpus": 400}` if {
	not is_object(options)
} else := spell.stranger("scale.at_most_group", options, {"per_hour", "vcpus"}) if {
	object.remove(options, {"per_hour", "vcpus"}) != {}
} else := "give vcpus, per_hour or both" if {
	options == {}
} else := "vcpus must be a whole number from 0 up" if {
	not _whole(object.get(options, "vcpus", 0))
} else := "per_hour must be a number from 0 up" if {
	not _micro(object.get(options, "per_hour", 0))
}
