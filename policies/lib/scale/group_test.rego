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
		"spent_micro": 400000000,
		"remaining_seconds": 216000,
		"uncounted": 0,
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
		"a budget of 1000 of which 400 are spent with 60 hours to go: 10 an hour": {
			"view": _member(0, 100, 60, 40),
			"options": {"budget": 1000},
			"want": 25,
		},
		"a budget that is used up": {"view": _member(7, 100, 60, 40), "options": {"budget": 400}, "want": 0},
		"of both the narrower": {
			"view": _member(0, 0, 0, 0),
			"options": {"vcpus": 400, "per_hour": 1.5},
			"want": 7,
		},
	}
	ceiling := scale.at_most_group("west", tc.options) with input as tc.view
	[ceiling.state, ceiling.at_most] == ["known", tc.want]
}

test_at_most_group_is_unknown_where_a_pool_keeps_no_account if {
	view := object.union(_member(0, 100, 60, 40), {"groups": {"west": {"uncounted": 2}}})
	ceiling := scale.at_most_group("west", {"budget": 1000}) with input as view
	[ceiling.state, ceiling.detail] == ["unknown", "2 pools of the group keep no account"]
	other := scale.at_most_group("west", {"per_hour": 10}) with input as view
	other.state == "known"
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
			"detail": "scale.at_most_group has no option \"cores\"; there are budget, per_hour, vcpus",
		},
		"without any": {"options": {}, "detail": "give vcpus, per_hour or budget"},
		"for a fraction": {"options": {"vcpus": 0.5}, "detail": "vcpus must be a whole number from 0 up"},
		"for a price that is a string": {
			"options": {"per_hour": "10"},
			"detail": "per_hour and budget must be numbers from 0 up",
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
