package lib.scale_test

import data.lib.scale

_fresh := {"state": "fresh", "unit": "percent", "has_value": true, "has_demand": true, "demand_milli": 300000}

# The document with one signal, put together from what a case changes.
_view(instances, signal) := {
	"capacity": {"known": true, "instances": instances, "age_seconds": 0, "mix": null, "in_flight": null},
	"signals": {"cpu": object.union(_fresh, signal)},
}

# Instances, average for each, target, wanted: what the HorizontalPodAutoscaler's ceil(n * m / t) gives with its
# tolerance of 0.1.
test_track_follows_the_horizontal_pod_autoscaler[note] if {
	some note, tc in {
		"twice the load doubles the fleet": {"n": 5, "m": 120, "target": 60, "want": 10},
		"half the load halves it": {"n": 10, "m": 30, "target": 60, "want": 5},
		"a remainder rounds up": {"n": 3, "m": 100, "target": 60, "want": 5},
		"a tenth above is within the tolerance": {"n": 5, "m": 66, "target": 60, "want": 5},
		"a little more than a tenth above is not": {"n": 5, "m": 66.001, "target": 60, "want": 6},
		"a tenth below is within the tolerance": {"n": 10, "m": 54, "target": 60, "want": 10},
		"a little more than a tenth below is not": {"n": 10, "m": 53.999, "target": 60, "want": 9},
		"on the target nothing changes": {"n": 7, "m": 60, "target": 60, "want": 7},
		"no load asks for none": {"n": 4, "m": 0, "target": 60, "want": 0},
		"a load below zero asks for none": {"n": 4, "m": -1, "target": 60, "want": 0},
		"nothing is rounded the wrong way": {"n": 30, "m": 0.1, "target": 0.3, "want": 10},
		"a target may be a decimal": {"n": 10, "m": 3, "target": 2.5, "want": 12},
		"bytes beyond 32 bits": {"n": 12, "m": 9000000000, "target": 4500000000, "want": 24},
		"a thousand instances": {"n": 1000, "m": 90, "target": 60, "want": 1500},
		"from no instances, the demand decides": {"n": 0, "m": 0, "target": 60, "want": 0},
	}
	view := _view(tc.n, {"demand_milli": round((tc.m * tc.n) * 1000)})
	reason := scale.track("cpu", {"target": tc.target}) with input as view
	reason.state == "known"
	reason.instances == tc.want
}

test_track_takes_a_tolerance_per_direction[note] if {
	some note, tc in {
		"a growth within its own": {"load": 315000, "options": {"tolerance_grow": 0.05}, "want": 5},
		"a growth beyond its own": {"load": 315001, "options": {"tolerance_grow": 0.05}, "want": 6},
		"a growth's own leaves the shrink's alone": {"load": 270000, "options": {"tolerance_grow": 0.05}, "want": 5},
		"a shrink within its own": {"load": 210000, "options": {"tolerance_shrink": 0.3}, "want": 5},
		"a shrink beyond its own": {"load": 209999, "options": {"tolerance_shrink": 0.3}, "want": 4},
		"a shrink's own leaves the growth's alone": {"load": 331000, "options": {"tolerance_shrink": 0.3}, "want": 6},
		"one tolerance for both": {"load": 360000, "options": {"tolerance": 0.2}, "want": 5},
		"a direction's own goes before the one for both": {
			"load": 360000,
			"options": {"tolerance": 0.2, "tolerance_grow": 0},
			"want": 6,
		},
		"none at all": {"load": 300001, "options": {"tolerance": 0}, "want": 6},
	}
	view := _view(5, {"demand_milli": tc.load})
	reason := scale.track("cpu", object.union({"target": 60}, tc.options)) with input as view
	reason.instances == tc.want
}

test_track_shows_its_numbers if {
	reason := scale.track("cpu", {"target": 60, "tolerance_grow": 0.05}) with input as _view(5, {"demand_milli": 400000})
	reason == {
		"code": "track",
		"name": "cpu",
		"state": "known",
		"instances": 7,
		"numbers": {
			"current": 5,
			"demand_milli": 400000,
			"target_milli": 60000,
			"tolerance_grow_milli": 50,
			"tolerance_shrink_milli": 100,
		},
	}
}

test_track_counts_a_partial_signal_as_known if {
	reason := scale.track("cpu", {"target": 60}) with input as _view(5, {"state": "partial"})
	reason.state == "known"
	reason.instances == 5
}

test_track_is_unknown[note] if {
	some note, tc in {
		"when the signal is missing": {
			"signal": {"state": "missing", "has_demand": false},
			"known": true,
			"detail": "signal missing",
		},
		"when the signal is stale": {"signal": {"state": "stale"}, "known": true, "detail": "signal stale"},
		"when the capacity is not known": {"signal": {}, "known": false, "detail": "capacity unknown"},
		"when the instances then in service are not known": {
			"signal": {"has_demand": false},
			"known": true,
			"detail": "demand unknown",
		},
	}
	view := object.union(_view(5, tc.signal), {"capacity": {"known": tc.known}})
	reason := scale.track("cpu", {"target": 60}) with input as view
	reason == {
		"code": "track",
		"name": "cpu",
		"state": "unknown",
		"instances": 0,
		"numbers": {},
		"detail": tc.detail,
	}
}

test_track_is_at_fault[note] if {
	some note, tc in {
		"for a name that is no signal": {
			"signal": "cpuu",
			"options": {"target": 60},
			"detail": "no signal cpuu: the pool's definition has [cpu]",
		},
		"for options that are no object": {
			"signal": "cpu",
			"options": 60,
			"detail": "the second argument is an object of options, such as {\"target\": 60}",
		},
		"for an option that does not exist": {
			"signal": "cpu",
			"options": {"target": 60, "tolerence": 0.1},
			"detail": `scale.track has no option "tolerence"; did you mean tolerance?`,
		},
		"for no target": {"signal": "cpu", "options": {}, "detail": "target must be a number of at least 0.001"},
		"for a target of nothing": {
			"signal": "cpu",
			"options": {"target": 0},
			"detail": "target must be a number of at least 0.001",
		},
		"for a target that is a string": {
			"signal": "cpu",
			"options": {"target": "60"},
			"detail": "target must be a number of at least 0.001",
		},
		"for a tolerance that is a string": {
			"signal": "cpu",
			"options": {"target": 60, "tolerance": "0.1"},
			"detail": "tolerance must be a number from 0 up",
		},
		"for a tolerance below nothing": {
			"signal": "cpu",
			"options": {"target": 60, "tolerance_shrink": -0.1},
			"detail": "tolerance_shrink must be a number from 0 up",
		},
	}
	reason := scale.track(tc.signal, tc.options) with input as _view(5, {})
	reason == {
		"code": "track",
		"name": tc.signal,
		"state": "fault",
		"instances": 0,
		"numbers": {},
		"detail": tc.detail,
	}
}

test_track_is_at_fault_even_while_the_signal_is_missing if {
	view := _view(5, {"state": "missing", "has_demand": false})
	reason := scale.track("cpu", {"goal": 60}) with input as view
	reason.state == "fault"
}

test_at_least_asks_for_what_it_is_told if {
	scale.at_least(3, "standing") == {
		"code": "at_least",
		"name": "standing",
		"state": "known",
		"instances": 3,
		"numbers": {},
	}
}

test_at_least_is_at_fault[note] if {
	some note, tc in {
		"for a fraction": {"n": 2.5, "name": "x", "detail": "2.5 is not a whole number of instances from 0 up"},
		"for less than none": {"n": -1, "name": "x", "detail": "-1 is not a whole number of instances from 0 up"},
		"for a string": {"n": "3", "name": "x", "detail": "3 is not a whole number of instances from 0 up"},
		"for a name that is none": {"n": 3, "name": 3, "detail": "the second argument is the floor's name, a string"},
	}
	reason := scale.at_least(tc.n, tc.name)
	reason.state == "fault"
	reason.detail == tc.detail
}

# Ten instances, target 60, so many of ten buckets measured: the rest counts as no load going out and as on the target
# going in.
test_track_with_pessimistic_gaps[note] if {
	some note, tc in {
		"growth is tempered": {"m": 120, "buckets": 8, "want": 16},
		"growth without gaps is whole": {"m": 120, "buckets": 10, "want": 20},
		"growth that would turn into a shrink stays": {"m": 120, "buckets": 4, "want": 10},
		"growth that falls within the tolerance stays": {"m": 75, "buckets": 8, "want": 10},
		"a shrink is tempered": {"m": 30, "buckets": 8, "want": 6},
		"a shrink without gaps is whole": {"m": 30, "buckets": 10, "want": 5},
		"a shrink that falls within the tolerance stays": {"m": 50, "buckets": 4, "want": 10},
		"on the target nothing changes": {"m": 60, "buckets": 5, "want": 10},
	}
	view := _view(10, {
		"state": "partial",
		"demand_milli": tc.m * 10000,
		"buckets": tc.buckets,
		"expected": 10,
	})
	reason := scale.track("cpu", {"target": 60, "gaps": "pessimistic"}) with input as view
	reason.state == "known"
	reason.instances == tc.want
}

test_track_with_pessimistic_gaps_is_not_known[note] if {
	some note, tc in {
		"while the signal is missing": {
			"signal": {"state": "missing", "has_demand": false},
			"gaps": "pessimistic",
			"want": ["unknown", "signal missing"],
		},
		"for a way that does not exist": {
			"signal": {},
			"gaps": "optimistic",
			"want": ["fault", "gaps must be pessimistic, or left out"],
		},
	}
	reason := scale.track("cpu", {"target": 60, "gaps": tc.gaps}) with input as _view(10, tc.signal)
	[reason.state, reason.detail] == tc.want
}
