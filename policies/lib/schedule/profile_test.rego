package lib.schedule_test

import data.lib.schedule

_profiles := [
	{"when": "office", "floor": 6, "ceiling": 30},
	{"when": "sale", "floor": 20, "ceiling": 60},
	{"when": "audit", "floor": 8, "ceiling": 8},
	{"floor": 2, "ceiling": 10},
]

_active(names) := {"schedules": {name: schedule |
	some name, dated in {"office": false, "sale": true, "audit": true}
	schedule := object.union({"active": name in names}, {"dated": true | dated})
}}

test_profile[note] if {
	some note, tc in {
		"the default, while no schedule is active": {"active": set(), "want": ["default", 2, 10]},
		"one that recurs comes before the default": {"active": {"office"}, "want": ["office", 6, 30]},
		"one between two dates comes before one that recurs": {"active": {"office", "sale"}, "want": ["sale", 20, 60]},
		"among equals the first in the list": {"active": {"office", "sale", "audit"}, "want": ["sale", 20, 60]},
	}
	low := schedule.profile_floor(_profiles) with input as _active(tc.active)
	low == {
		"code": "profile",
		"name": tc.want[0],
		"state": "known",
		"instances": tc.want[1],
		"numbers": {"floor": tc.want[1], "ceiling": tc.want[2]},
	}
	high := schedule.profile_ceiling(_profiles) with input as _active(tc.active)
	[high.name, high.state, high.at_most] == [tc.want[0], "known", tc.want[2]]
}

test_profile_is_at_fault[note] if {
	some note, tc in {
		"for no list": {
			"profiles": {"floor": 2},
			"detail": `profiles are a list of objects, such as [{"floor": 2, "ceiling": 10}]`,
		},
		"without a default": {
			"profiles": [{"when": "office", "floor": 6, "ceiling": 30}],
			"detail": "one profile, and only one, is the default: it has no when",
		},
		"for a schedule that is not there": {
			"profiles": [{"when": "night", "floor": 6, "ceiling": 30}, {"floor": 2, "ceiling": 10}],
			"detail": "profile 1: no schedule night: the pool's definition has [audit, office, sale]",
		},
		"for one that is none": {
			"profiles": [7],
			"detail": `profile 1: a profile is an object, such as {"floor": 2, "ceiling": 10}`,
		},
		"for several at once": {
			"profiles": [{"floor": 2}, {"when": "night", "floor": 3, "ceiling": 4}],
			"detail": concat("", [
				"profile 1: floor and ceiling must be whole numbers from 0 up; ",
				"profile 2: no schedule night: the pool's definition has [audit, office, sale]",
			]),
		},
		"for a field that does not exist": {
			"profiles": [{"floor": 2, "ceiling": 10, "count": 5}],
			"detail": "profile 1: schedule.profile_floor has no option \"count\"; there are ceiling, floor, when",
		},
		"without a ceiling": {
			"profiles": [{"floor": 2}],
			"detail": "profile 1: floor and ceiling must be whole numbers from 0 up",
		},
		"for a floor above the ceiling": {
			"profiles": [{"floor": 12, "ceiling": 10}],
			"detail": "profile 1: floor must not lie above ceiling",
		},
	}
	high := schedule.profile_ceiling(tc.profiles) with input as _active(set())
	[high.state, high.at_most, high.detail] == ["fault", 0, tc.detail]
	low := schedule.profile_floor(tc.profiles) with input as _active(set())
	[low.state, low.instances, low.detail] == ["fault", 0, tc.detail]
}
