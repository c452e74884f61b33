package lib.schedule_test

import data.lib.schedule

test_at_most[note] if {
	some note, tc in {
		"is known while the schedule is active": {
			"active": true,
			"name": "office",
			"n": 6,
			"want": {"state": "known", "at_most": 6},
		},
		"is idle while it is not": {"active": false, "name": "office", "n": 6, "want": {"state": "idle", "at_most": 0}},
		"is at fault for a name that is not there": {
			"active": true,
			"name": "ofice",
			"n": 6,
			"want": {
				"state": "fault",
				"at_most": 0,
				"detail": "no schedule ofice: the pool's definition has [office]",
			},
		},
		"is at fault for a fraction, active or not": {
			"active": false,
			"name": "office",
			"n": 6.5,
			"want": {
				"state": "fault",
				"at_most": 0,
				"detail": "6.5 is not a whole number of instances from 0 up",
			},
		},
	}
	ceiling := schedule.at_most(tc.name, tc.n) with input as _view(tc.active)
	ceiling == object.union({"code": "schedule", "name": tc.name, "numbers": {}}, tc.want)
}

_pauses := [schedule.pause("office"), schedule.pause_grow("office"), schedule.pause_shrink("office")]

test_pauses_hold_while_the_schedule_is_active[note] if {
	some note, tc in {
		"active": {"active": true, "state": "known"},
		"not active": {"active": false, "state": "idle"},
	}
	pauses := _pauses with input as _view(tc.active)
	{p.state | some p in pauses} == {tc.state}
	[p.stops | some p in pauses] == ["all", "grow", "shrink"]
	{p.code | some p in pauses} == {"pause"}
}

test_pause_is_at_fault_for_a_name_that_is_not_there if {
	pause := schedule.pause_grow("ofice") with input as _view(true)
	pause == {
		"code": "pause",
		"name": "ofice",
		"state": "fault",
		"stops": "grow",
		"numbers": {},
		"detail": "no schedule ofice: the pool's definition has [office]",
	}
}
