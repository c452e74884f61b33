package lib.schedule_test

import data.lib.schedule

_view(active) := {"schedules": {"office": {"active": active, "seconds_left": 60}}}

test_active_is_what_the_input_says if {
	schedule.active("office") with input as _view(true)
	not schedule.active("office") with input as _view(false)
}

test_active_is_undefined_for_a_name_that_is_not_there if {
	answers := [answer | answer := schedule.active("ofice")] with input as _view(true)
	answers == []
}

test_at_least[note] if {
	some note, tc in {
		"is known while the schedule is active": {
			"active": true,
			"name": "office",
			"n": 6,
			"want": {"state": "known", "instances": 6},
		},
		"is idle while it is not": {
			"active": false,
			"name": "office",
			"n": 6,
			"want": {"state": "idle", "instances": 0},
		},
		"is at fault for a name that is not there": {
			"active": true,
			"name": "ofice",
			"n": 6,
			"want": {
				"state": "fault",
				"instances": 0,
				"detail": "no schedule ofice: the pool's definition has [office]",
			},
		},
		"is at fault for a fraction": {
			"active": true,
			"name": "office",
			"n": 6.5,
			"want": {
				"state": "fault",
				"instances": 0,
				"detail": "6.5 is not a whole number of instances from 0 up",
			},
		},
		"is at fault for a fraction while it is not active, too": {
			"active": false,
			"name": "office",
			"n": 6.5,
			"want": {
				"state": "fault",
				"instances": 0,
				"detail": "6.5 is not a whole number of instances from 0 up",
			},
		},
	}
	reason := schedule.at_least(tc.name, tc.n) with input as _view(tc.active)
	reason == object.union({"code": "schedule", "name": tc.name, "numbers": {}}, tc.want)
}
