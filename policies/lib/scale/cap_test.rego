package lib.scale_test

import data.lib.mix
import data.lib.scale

test_at_most_allows_what_it_is_told if {
	scale.at_most(12, "quota") == {
		"code": "at_most",
		"name": "quota",
		"state": "known",
		"at_most": 12,
		"numbers": {},
	}
}

test_at_most_is_at_fault[note] if {
	some note, tc in {
		"for a fraction": {"n": 2.5, "name": "x", "detail": "2.5 is not a whole number of instances from 0 up"},
		"for less than none": {"n": -1, "name": "x", "detail": "-1 is not a whole number of instances from 0 up"},
		"for a name that is none": {"n": 3, "name": 3, "detail": "the second argument is the ceiling's name, a string"},
	}
	scale.at_most(tc.n, tc.name) == {
		"code": "at_most",
		"name": sprintf("%v", [tc.name]),
		"state": "fault",
		"at_most": 0,
		"numbers": {},
		"detail": tc.detail,
	}
}

test_at_most_vcpus[note] if {
	some note, tc in {
		"divides": {"options": {"vcpus": 64, "per_instance": 4}, "name": "vcpus", "want": 16},
		"leaves what is too little for one": {"options": {"vcpus": 63, "per_instance": 4}, "name": "vcpus", "want": 15},
		"may be none": {"options": {"vcpus": 3, "per_instance": 4}, "name": "vcpus", "want": 0},
		"takes a name": {"options": {"vcpus": 8, "per_instance": 4, "name": "team"}, "name": "team", "want": 2},
	}
	scale.at_most_vcpus(tc.options) == {
		"code": "at_most_vcpus",
		"name": tc.name,
		"state": "known",
		"at_most": tc.want,
		"numbers": {"per_instance": 4, "vcpus": tc.options.vcpus},
	}
}

test_at_most_vcpus_is_at_fault[note] if {
	some note, tc in {
		"for options that are no object": {
			"options": 64,
			"detail": `the argument is an object of options, such as {"vcpus": 64, "per_instance": 4}`,
		},
		"for an option that does not exist": {
			"options": {"vcpu": 64},
			"detail": "scale.at_most_vcpus has no option \"vcpu\"; did you mean vcpus?",
		},
		"for no vCPUs": {"options": {"per_instance": 4}, "detail": "vcpus must be a whole number from 0 up"},
		"for none in an instance": {
			"options": {"vcpus": 64, "per_instance": 0},
			"detail": "per_instance must be a whole number from 1 up",
		},
		"for a name that is none": {
			"options": {"vcpus": 64, "per_instance": 4, "name": 1},
			"detail": "name must be a string",
		},
	}
	ceiling := scale.at_most_vcpus(tc.options)
	ceiling.state == "fault"
	ceiling.detail == tc.detail
}

test_at_most_cost[note] if {
	half := mix.split({"base": 2, "regular_percent": 50})
	some note, tc in {
		"divides": {"options": {"per_hour": 10, "regular": 0.2}, "want": 50},
		"leaves what is too little for one": {"options": {"per_hour": 10, "regular": 0.192}, "want": 52},
		"counts small prices": {"options": {"per_hour": 1, "regular": 0.000125}, "want": 8000},
		"pays for none with nothing": {"options": {"per_hour": 0, "regular": 0.2}, "want": 0},
		# Two regular for 0.4, then 0.12 for each at half and half.
		"pays for the base, then for the mixture": {
			"options": {"per_hour": 1.6, "regular": 0.2, "spot": 0.04, "blend": half},
			"want": 12,
		},
		"pays for a part of the base only": {
			"options": {"per_hour": 0.39, "regular": 0.2, "spot": 0.04, "blend": half},
			"want": 1,
		},
		"pays for the base and no more": {
			"options": {"per_hour": 0.45, "regular": 0.2, "spot": 0.04, "blend": half},
			"want": 2,
		},
		"sets the odd instance aside where it is a regular one": {
			"options": {
				"per_hour": 1.6,
				"regular": 0.2,
				"spot": 0.04,
				"blend": mix.split({"base": 2, "regular_percent": 50, "rounding": "regular_up"}),
			},
			"want": 10,
		},
		"keeps the base where the odd instance cannot be paid for": {
			"options": {
				"per_hour": 0.45,
				"regular": 0.2,
				"spot": 0.04,
				"blend": mix.split({"base": 2, "regular_percent": 50, "rounding": "regular_up"}),
			},
			"want": 2,
		},
		"has no odd instance where all above the base are Spot": {
			"options": {
				"per_hour": 0.48,
				"regular": 0.2,
				"spot": 0.04,
				"blend": mix.split({"base": 2, "regular_percent": 0, "rounding": "regular_up"}),
			},
			"want": 4,
		},
	}
	ceiling := scale.at_most_cost(tc.options)
	ceiling.state == "known"
	ceiling.at_most == tc.want
}

# Whatever the money, the instances that the ceiling allows, split as the platform does, never cost more.
test_at_most_cost_is_never_passed if {
	every percent in [0, 1, 25, 50, 99, 100] {
		every purse in [0, 199, 400, 777, 1601, 12345] {
			blend := mix.split({"base": 2, "regular_percent": percent})
			ceiling := scale.at_most_cost({"per_hour": purse / 1000, "regular": 0.2, "spot": 0.04, "blend": blend})
			n := ceiling.at_most
			above := max([0, n - 2])
			regular := min([n, 2]) + floor((above * percent) / 100)
			(regular * 200) + ((n - regular) * 40) <= purse
		}
	}
}

test_at_most_cost_shows_its_numbers if {
	scale.at_most_cost({"per_hour": 12.5, "regular": 0.25, "name": "team"}) == {
		"code": "at_most_cost",
		"name": "team",
		"state": "known",
		"at_most": 50,
		"numbers": {"per_hour_milli": 12500, "regular_milli": 250, "spot_milli": 250},
	}
}

test_at_most_cost_is_at_fault[note] if {
	blend := {"base": 2, "regular_percent": 50}
	some note, tc in {
		"for options that are no object": {
			"options": 12,
			"detail": `the argument is an object of options, such as {"per_hour": 12.5, "regular": 0.192}`,
		},
		"for an option that does not exist": {
			"options": {"hourly": 12},
			"detail": "scale.at_most_cost has no option \"hourly\"; there are blend, name, per_hour, regular, spot",
		},
		"for no money": {"options": {"regular": 0.2}, "detail": "per_hour must be a number from 0 up"},
		"for no price": {"options": {"per_hour": 12}, "detail": "regular must be a price above 0"},
		"for a price of nothing": {
			"options": {"per_hour": 12, "regular": 0},
			"detail": "regular must be a price above 0",
		},
		"for Spot that is dearer": {
			"options": {"per_hour": 12, "regular": 0.2, "spot": 0.3, "blend": blend},
			"detail": "spot must be a price above 0 and no more than regular",
		},
		"for Spot without a blend": {
			"options": {"per_hour": 12, "regular": 0.2, "spot": 0.1},
			"detail": "spot and blend belong together",
		},
		"for a blend that is at fault": {
			"options": {"per_hour": 12, "regular": 0.2, "spot": 0.1, "blend": mix.split({})},
			"detail": "blend must be what mix gives, with base and regular_percent",
		},
		"for a name that is none": {
			"options": {"per_hour": 12, "regular": 0.2, "name": 1},
			"detail": "name must be a string",
		},
	}
	ceiling := scale.at_most_cost(tc.options)
	ceiling.state == "fault"
	ceiling.detail == tc.detail
}
