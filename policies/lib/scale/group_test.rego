package lib.scale_test

import data.lib.scale

# A pool of so many instances of four vCPUs and 0.2 an hour, and what the others take, in vCPUs.
_member(here, present, above, below) := {
	"capacity": {"known": true, "instances": here},
	"groups": {"west": {
		"each": {"vcpus": 4, "per_hour_micro": 200000},
		"present": {"vcpus": present, "per_hour_micro": present * 50000},
		"above": {"vcpus": above, "per_hour_micro": above * 50000},
		"below": {"vcpus": below, "per_hour_micro": below * 50000},
		"others": 3,
		"silent": 1,
	}},
}

test_at_most_group[note] if {
	some note, tc in {
		"what is left after the others": {
			"view": _member(5, 100, 60, 20),
			"options": {"vcpus": 200},
			"want": 25,
		},
		"the share is smaller than what is free": {
			"view": _member(5, 100, 140, 20),
			"options": {"vcpus": 200},
			"want": 10,
		},
		"a pool with a low priority is cut to what the others leave": {
			"view": _member(20, 100, 180, 0),
			"options": {"vcpus": 200},
			"want": 5,
		},
		"growth takes only what is free, though the share is larger": {
			"view": _member(5, 160, 60, 20),
			"options": {"vcpus": 200},
			"want": 10,
		},
		"what is there stays while the others are cut": {
			"view": _member(12, 190, 60, 20),
			"options": {"vcpus": 200},
			"want": 12,
		},
		"an odd vCPU is no instance": {"view": _member(0, 0, 0, 0), "options": {"vcpus": 39}, "want": 9},
		"nothing is left": {"view": _member(3, 250, 250, 0), "options": {"vcpus": 200}, "want": 0},
		"money: 10 an hour, of which the others take 5": {
			"view": _member(0, 100, 60, 40),
			"options": {"per_hour": 10},
			"want": 25,
		},
		"of both the narrower": {
			"view": _member(0, 0, 0, 0),
			"options": {"vcpus": 400, "per_hour": 1.5},
			"want": 7,
		},
	}
	ceiling := scale.at_most_group("west", tc.options) with input as tc.view
	[ceiling.state, ceiling.at_most] == ["known", tc.want]
}

test_at_most_group_is_unknown_while_the_others_are if {
	ceiling := scale.at_most_group("west", {"vcpus": 200}) with input as {"capacity": {"instances": 5}, "groups": {}}
	[ceiling.state, ceiling.detail] == ["unknown", "what the other pools take is not known"]
}

test_at_most_group_is_at_fault[note] if {
	some note, tc in {
		"for no object": {
			"options": 200,
			"detail": `the second argument is an object of options, such as {"vcpus": 400}`,
		},
		"for an option that does not exist": {
			"options": {"cores": 200},
			"detail": "scale.at_most_group has no option \"cores\"; there are per_hour, vcpus",
		},
		"without any": {"options": {}, "detail": "give vcpus, per_hour or both"},
		"for a fraction": {"options": {"vcpus": 0.5}, "detail": "vcpus must be a whole number from 0 up"},
		"for a price that is a string": {
			"options": {"per_hour": "10"},
			"detail": "per_hour must be a number from 0 up",
		},
	}
	ceiling := scale.at_most_group("west", tc.options) with input as _member(5, 100, 60, 20)
	[ceiling.state, ceiling.detail] == ["fault", tc.detail]
}

test_at_most_group_is_at_fault_where_an_instance_takes_nothing if {
	view := object.union(_member(5, 100, 60, 20), {"groups": {"west": {"each": {"vcpus": 0}}}})
	ceiling := scale.at_most_group("west", {"vcpus": 200}) with input as view
	[ceiling.state, ceiling.detail] == ["fault", "an instance takes nothing of it: say vcpus or per_hour in groups"]
}
