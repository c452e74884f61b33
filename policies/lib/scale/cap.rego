package lib.scale

import data.lib.spell

# METADATA
# title: A ceiling
# description: |
#   At most n instances, under a name that tells this ceiling from others. It belongs into cap, not into want.
# scope: document
at_most(n, name) := _ceiling("at_most", name, n, {}) if {
	is_string(name)
	_whole(n)
} else := _no_ceiling("at_most", name, sprintf("%v is not a whole number of instances from 0 up", [n])) if {
	is_string(name)
} else := _no_ceiling("at_most", name, "the second argument is the ceiling's name, a string")

# METADATA
# title: A ceiling in vCPUs
# description: |
#   As many instances as have vcpus vCPUs together. Options: vcpus (that may be had), per_instance (of the size), name
#   ("vcpus" unless given). It belongs into cap.
# scope: document
# custom:
#   options: [name, per_instance, vcpus]
at_most_vcpus(options) := _ceiling("at_most_vcpus", name, n, {"per_instance": each, "vcpus": options.vcpus}) if {
	not _wrong_vcpus(options)
	name := object.get(options, "name", "vcpus")
	each := options.per_instance
	n := (options.vcpus - (options.vcpus % each)) / each
} else := _no_ceiling("at_most_vcpus", "vcpus", _wrong_vcpus(options))

# METADATA
# title: A ceiling in money
# description: |
#   As many instances as cost per_hour an hour at most, all in one currency. Options: per_hour; regular (the price of a
#   regular instance for an hour); spot (of a Spot instance, no more than regular) and blend (what mix gives) for a pool
#   that has both: the share above the base is reckoned without rounding in favour of Spot, so that the bill is never
#   above; name ("cost" unless given). It belongs into cap.
# scope: document
# custom:
#   options: [blend, name, per_hour, regular, spot]
at_most_cost(options) := _ceiling("at_most_cost", name, n, figures) if {
	not _wrong_cost(options)
	name := object.get(options, "name", "cost")
	blend := object.get(options, "blend", {"base": 0, "regular_percent": 100})
	regular := _micro(options.regular)
	spot := _micro(object.get(options, "spot", options.regular))
	n := _afford(_micro(options.per_hour), blend, regular, spot)
	figures := {
		"per_hour_milli": _share(options.per_hour),
		"regular_milli": _share(options.regular),
		"spot_milli": _share(object.get(options, "spot", options.regular)),
	}
} else := _no_ceiling("at_most_cost", "cost", _wrong_cost(options))

# How many instances a sum pays for: the base first, then instances at the price of the mixture. All in millionths.
_afford(purse, blend, regular, spot) := (purse - (purse % regular)) / regular if {
	purse <= blend.base * regular
} else := blend.base + ((left - (left % each)) / each) if {
	percent := blend.regular_percent
	each := (percent * regular) + ((100 - percent) * spot)
	left := ((purse - (blend.base * regular)) - _odd(blend, regular - spot)) * 100
	left >= 0
} else := blend.base

# What the odd instance costs more where it is rounded to a regular one.
_odd(blend, dearer) := dearer if {
	object.get(blend, "rounding", "regular_down") == "regular_up"
	blend.regular_percent > 0
	blend.regular_percent < 100
} else := 0

_wrong_vcpus(options) := `the argument is an object of options, such as {"vcpus": 64, "per_instance": 4}` if {
	not is_object(options)
} else := spell.stranger("scale.at_most_vcpus", options, known) if {
	known := {"name", "per_instance", "vcpus"}
	object.remove(options, known) != {}
} else := "vcpus must be a whole number from 0 up" if {
	not _whole(object.get(options, "vcpus", null))
} else := "per_instance must be a whole number from 1 up" if {
	not _counts(object.get(options, "per_instance", null))
} else := "name must be a string" if {
	not is_string(object.get(options, "name", ""))
}

_wrong_cost(options) := `the argument is an object of options, such as {"per_hour": 12.5, "regular": 0.192}` if {
	not is_object(options)
} else := spell.stranger("scale.at_most_cost", options, known) if {
	known := {"blend", "name", "per_hour", "regular", "spot"}
	object.remove(options, known) != {}
} else := "per_hour must be a number from 0 up" if {
	not _share(object.get(options, "per_hour", null))
} else := "regular must be a price above 0" if {
	not _some(object.get(options, "regular", null))
} else := "spot must be a price above 0 and no more than regular" if {
	not _cheaper(object.get(options, "spot", options.regular), options.regular)
} else := "spot and blend belong together" if {
	count(object.keys(options) & {"spot", "blend"}) == 1
} else := "blend must be what mix gives, with base and regular_percent" if {
	"blend" in object.keys(options)
	not _mixed(options.blend)
} else := "name must be a string" if {
	not is_string(object.get(options, "name", ""))
}

_cheaper(spot, regular) if {
	_micro(spot) > 0
	_micro(spot) <= _micro(regular)
}

_mixed(blend) if {
	_whole(blend.base)
	_whole(blend.regular_percent)
	blend.regular_percent <= 100
}

# More than the contract lets a ceiling be is no ceiling.
_ceiling(code, name, n, figures) := {
	"code": code,
	"name": name,
	"state": "known",
	"at_most": min([n, 100000]),
	"numbers": figures,
}

_no_ceiling(code, name, detail) := {
	"code": code,
	"name": sprintf("%v", [name]),
	"state": "fault",
	"at_most": 0,
	"numbers": {},
	"detail": detail,
}
