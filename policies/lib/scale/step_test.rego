package lib.scale_test

import data.lib.scale

# A fleet with one signal whose average each instance shows, measured while fleet of them were in service.
_loaded(instances, fleet, average) := {
	"capacity": {"known": true, "instances": instances, "age_seconds": 0, "mix": null, "in_flight": null},
	"signals": {"cpu": {
		"state": "fresh",
		"unit": "percent",
		"has_value": true,
		"has_demand": true,
		"value_milli": round(average * 1000),
		"average_milli": round(average * 1000),
		"demand_milli": round(average * 1000) * fleet,
	}},
}

# Thresholds as AWS's guide to step scaling has them: 60 to 70 adds a tenth, from 70 up three tenths; 30 to 40 takes a
# tenth away, below that three tenths.
_ladders := {
	"above": 60,
	"grow": [{"from": 0, "to": 10, "percent": 10}, {"from": 10, "percent": 30}],
	"below": 40,
	"shrink": [{"to": 10, "percent": 10}, {"from": 10, "percent": 30}],
}

test_step_gives_the_numbers_of_the_worked_example[note] if {
	some note, tc in {
		"on the threshold": {"n": 10, "m": 60, "want": 11},
		"within the first band": {"n": 10, "m": 69.999, "want": 11},
		"on the second band's lower end": {"n": 10, "m": 70, "want": 13},
		"a fraction is dropped": {"n": 11, "m": 70, "want": 14},
		"far out": {"n": 10, "m": 100, "want": 13},
		"between the thresholds": {"n": 10, "m": 50, "want": 10},
		"a little below the upper threshold": {"n": 10, "m": 59.999, "want": 10},
		"on the lower threshold": {"n": 10, "m": 40, "want": 9},
		"within the first band below": {"n": 14, "m": 30.001, "want": 13},
		"on the second band's end below": {"n": 14, "m": 30, "want": 10},
	}
	reason := scale.step("cpu", _ladders) with input as _loaded(tc.n, tc.n, tc.m)
	reason.state == "known"
	reason.instances == tc.want
}

test_step_sizes[note] if {
	some note, tc in {
		"a percentage between 0 and 1 becomes 1": {"n": 3, "m": 60, "grow": {"percent": 10}, "want": 4},
		"and between -1 and 0 becomes -1": {"n": 3, "m": 40, "shrink": {"percent": 10}, "want": 2},
		"a drop of the fraction going in": {"n": 19, "m": 40, "shrink": {"percent": 10}, "want": 18},
		"at least the minimum": {"n": 10, "m": 60, "grow": {"percent": 10}, "minimum": 2, "want": 12},
		"no less than the minimum, going in": {"n": 10, "m": 40, "shrink": {"percent": 10}, "minimum": 2, "want": 8},
		"more than the minimum": {"n": 100, "m": 60, "grow": {"percent": 10}, "minimum": 2, "want": 110},
		"the minimum is for percentages": {"n": 10, "m": 60, "grow": {"by": 1}, "minimum": 5, "want": 11},
		"a percentage may be a decimal": {"n": 200, "m": 60, "grow": {"percent": 12.5}, "want": 225},
		"so many more": {"n": 10, "m": 60, "grow": {"by": 3}, "want": 13},
		"so many fewer": {"n": 10, "m": 40, "shrink": {"by": 3}, "want": 7},
		"never below none": {"n": 2, "m": 40, "shrink": {"by": 3}, "want": 0},
		"a count": {"n": 10, "m": 60, "grow": {"exact": 20}, "want": 20},
		"a count that growth has passed": {"n": 30, "m": 60, "grow": {"exact": 20}, "want": 30},
		"a count to go down to": {"n": 30, "m": 40, "shrink": {"exact": 0}, "want": 0},
		"a count that is not yet reached": {"n": 3, "m": 40, "shrink": {"exact": 5}, "want": 3},
	}
	options := {
		"above": 60,
		"grow": [object.get(tc, "grow", {"by": 1})],
		"below": 40,
		"shrink": [object.get(tc, "shrink", {"by": 1})],
		"minimum": object.get(tc, "minimum", 1),
	}
	reason := scale.step("cpu", options) with input as _loaded(tc.n, tc.n, tc.m)
	reason.instances == tc.want
}

test_step_is_reckoned_from_the_fleet_that_bore_the_load[note] if {
	some note, tc in {
		"growth is not ordered twice": {"n": 6, "fleet": 5, "m": 65, "want": 6},
		"nor a shrink": {"n": 4, "fleet": 5, "m": 35, "want": 4},
		"half an instance counts as one": {"n": 6, "fleet": 5.5, "m": 65, "want": 7},
		"growth never takes away": {"n": 9, "fleet": 5, "m": 65, "want": 9},
		"a shrink never adds": {"n": 3, "fleet": 9, "m": 35, "want": 3},
		"a fleet that has shrunk since": {"n": 5, "fleet": 10, "m": 65, "want": 11},
	}
	options := {"above": 60, "grow": [{"by": 1}], "below": 40, "shrink": [{"by": 1}]}
	reason := scale.step("cpu", options) with input as _loaded(tc.n, tc.fleet, tc.m)
	reason.instances == tc.want
}

test_step_takes_the_instances_there_are_where_the_fleet_is_not_known[note] if {
	some note, change in {
		"without a demand": {"has_demand": false},
		"without a load": {"average_milli": 0, "demand_milli": 0},
	}
	view := object.union(_loaded(10, 10, 65), {"signals": {"cpu": change}})
	reason := scale.step("cpu", {"above": 60, "grow": [{"by": 1}]}) with input as view
	reason.instances == 11
	reason.numbers.fleet == 10
}

test_step_with_one_ladder[note] if {
	some note, tc in {
		"upwards is idle below its threshold": {
			"options": {"above": 60, "grow": [{"by": 1}]},
			"want": {
				"state": "idle",
				"instances": 0,
				"numbers": {"above_milli": 60000, "value_milli": 50000},
			},
		},
		"downwards asks for what there is above its threshold": {
			"options": {"below": 40, "shrink": [{"by": 1}]},
			"want": {
				"state": "known",
				"instances": 10,
				"numbers": {"below_milli": 40000, "current": 10, "fleet": 10, "value_milli": 50000},
			},
		},
	}
	reason := scale.step("cpu", tc.options) with input as _loaded(10, 10, 50)
	reason == object.union({"code": "step", "name": "cpu"}, tc.want)
}

test_step_sorts_its_steps if {
	options := {"above": 0, "grow": [{"from": 20, "by": 3}, {"by": 1}, {"from": 10, "to": 20, "by": 2}]}
	wanted := [reason.instances |
		some m in [0, 10, 19.999, 20]
		reason := scale.step("cpu", options) with input as _loaded(10, 10, m)
	]
	wanted == [11, 12, 12, 13]
}

test_step_takes_a_threshold_below_nothing if {
	reason := scale.step("cpu", {"above": -5, "grow": [{"by": 1}]}) with input as _loaded(10, 10, -4)
	reason.instances == 11
}

test_step_is_unknown[note] if {
	some note, tc in {
		"when the signal is missing": {
			"change": {"signals": {"cpu": {"state": "missing", "has_value": false}}},
			"detail": "signal missing",
		},
		"when the statistic was not measured": {
			"change": {"signals": {"cpu": {"has_value": false}}},
			"detail": "value unknown",
		},
		"when the capacity is not known": {"change": {"capacity": {"known": false}}, "detail": "capacity unknown"},
	}
	reason := scale.step("cpu", _ladders) with input as object.union(_loaded(10, 10, 50), tc.change)
	reason == {
		"code": "step",
		"name": "cpu",
		"state": "unknown",
		"instances": 0,
		"numbers": {},
		"detail": tc.detail,
	}
}

test_step_is_unknown_with_one_ladder_when_the_capacity_is if {
	view := object.union(_loaded(10, 10, 50), {"capacity": {"known": false}})
	reason := scale.step("cpu", {"above": 60, "grow": [{"by": 1}]}) with input as view
	reason.detail == "capacity unknown"
}

test_step_is_at_fault_for_a_ladder[note] if {
	some note, tc in {
		"that is none": {"grow": {"by": 1}, "detail": "grow must be a list of steps, such as [{\"by\": 1}]"},
		"without steps": {"grow": [], "detail": "grow must be a list of steps, such as [{\"by\": 1}]"},
		"with a hole at its beginning": {"grow": [{"from": 5, "by": 1}], "detail": "grow has a hole from 0 to 5"},
		"with a hole between steps": {
			"grow": [{"to": 10, "by": 1}, {"from": 12.5, "by": 2}],
			"detail": "grow has a hole from 10 to 12.5",
		},
		"with a hole at its end": {"grow": [{"to": 10, "by": 1}], "detail": "grow has a hole from 10 up"},
		"with an overlap": {
			"grow": [{"to": 15, "by": 1}, {"from": 10, "by": 2}],
			"detail": "grow has an overlap from 10 to 15",
		},
		"with two steps in one place": {
			"grow": [{"by": 1}, {"from": 10, "by": 2}, {"from": 10, "by": 3}],
			"detail": "grow has an overlap: two steps from 10",
		},
		"with a hole and an overlap": {
			"grow": [{"to": 5, "by": 1}, {"from": 10, "to": 25, "by": 2}, {"from": 20, "by": 3}],
			"detail": "grow has a hole from 5 to 10 and an overlap from 20 to 25",
		},
		"with a step that is none": {
			"grow": [1],
			"detail": `grow: step 1: a step is an object, such as {"from": 10, "by": 2}`,
		},
		"with a field that does not exist": {
			"grow": [{"by": 1}, {"form": 10, "by": 2}],
			"detail": "grow: step 2: scale.step has no option \"form\"; did you mean from?",
		},
		"with a step of two sizes": {
			"grow": [{"by": 1, "percent": 10}],
			"detail": "grow: step 1: give one of by, percent and exact",
		},
		"with a step of no size": {"grow": [{"from": 0}], "detail": "grow: step 1: give one of by, percent and exact"},
		"with a beginning below nothing": {
			"grow": [{"from": -1, "by": 1}],
			"detail": "grow: step 1: from must be a number from 0 up",
		},
		"with an end before its beginning": {
			"grow": [{"by": 1}, {"from": 10, "to": 10, "by": 1}],
			"detail": "grow: step 2: to must be a number above from",
		},
		"with an end that is none": {
			"grow": [{"to": null, "by": 1}],
			"detail": "grow: step 1: to must be a number above from",
		},
		"with a fraction of an instance": {
			"grow": [{"by": 1.5}],
			"detail": "grow: step 1: by must be a whole number of instances from 1 up",
		},
		"with no change": {
			"grow": [{"by": 0}],
			"detail": "grow: step 1: by must be a whole number of instances from 1 up",
		},
		"with a percentage of nothing": {
			"grow": [{"percent": 0}],
			"detail": "grow: step 1: percent must be a number above 0",
		},
		"with a count that is none": {
			"grow": [{"exact": "10"}],
			"detail": "grow: step 1: exact must be a whole number of instances from 0 up",
		},
	}
	reason := scale.step("cpu", {"above": 60, "grow": tc.grow}) with input as _loaded(10, 10, 65)
	reason.state == "fault"
	reason.detail == tc.detail
}

test_step_is_at_fault[note] if {
	grow := [{"by": 1}]
	some note, tc in {
		"for a name that is no signal": {
			"signal": "cpuu",
			"options": {"above": 60, "grow": grow},
			"detail": "no signal cpuu: the pool's definition has [cpu]",
		},
		"for options that are no object": {
			"signal": "cpu",
			"options": [],
			"detail": `the second argument is an object of options, such as {"above": 70, "grow": [{"by": 1}]}`,
		},
		"for an option that does not exist": {
			"signal": "cpu",
			"options": {"over": 60, "grow": grow},
			"detail": "scale.step has no option \"over\"; there are above, below, grow, minimum, of_recent, shrink",
		},
		"for a ladder without a threshold": {
			"signal": "cpu",
			"options": {"above": 60, "grow": grow, "shrink": grow},
			"detail": "give above with grow, or below with shrink, or all four",
		},
		"for none at all": {
			"signal": "cpu",
			"options": {},
			"detail": "give above with grow, or below with shrink, or all four",
		},
		"for thresholds that are none": {
			"signal": "cpu",
			"options": {"above": "60", "grow": grow, "below": null, "shrink": grow},
			"detail": "above and below must be a number",
		},
		"for thresholds the wrong way round": {
			"signal": "cpu",
			"options": {"above": 40, "grow": grow, "below": 40, "shrink": grow},
			"detail": "below must lie under above",
		},
		"for a minimum that is none": {
			"signal": "cpu",
			"options": {"above": 60, "grow": grow, "minimum": 0},
			"detail": "minimum must be a whole number of instances from 1 up",
		},
		"for both ladders": {
			"signal": "cpu",
			"options": {"above": 60, "grow": [], "below": 40, "shrink": [{"from": 1, "by": 1}]},
			"detail": "grow must be a list of steps, such as [{\"by\": 1}]; shrink has a hole from 0 to 1",
		},
	}
	reason := scale.step(tc.signal, tc.options) with input as _loaded(10, 10, 65)
	reason.state == "fault"
	reason.detail == tc.detail
}
