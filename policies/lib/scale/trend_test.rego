package lib.scale_test

import data.lib.scale

# Ten instances whose load changes by so much in a minute; the middle of the window was two minutes ago.
_moving(demand, slope) := {
	"capacity": {"known": true, "instances": 10},
	"signals": {"cpu": {
		"state": "fresh",
		"has_value": true,
		"has_demand": true,
		"demand_milli": demand * 1000,
		"trend": {"value_milli": slope * 100, "has_demand": true, "demand_milli": slope * 1000, "age_seconds": 120},
	}},
}

test_trend_carries_a_rising_line_on[note] if {
	some note, tc in {
		"ten minutes after the middle of the window 600 have become 1000": {"demand": 600, "slope": 40, "want": 17},
		"a line that does not rise is what track asks for": {"demand": 600, "slope": 0, "want": 10},
		"a line that falls is not carried on": {"demand": 600, "slope": -40, "want": 10},
		"the tolerance holds for the load that is expected": {"demand": 600, "slope": 5, "want": 10},
		"little load and a falling line leave what track asks for": {"demand": 300, "slope": -5, "want": 5},
		"the line at most doubles the load": {"demand": 600, "slope": 1000, "want": 20},
	}
	reason := scale.trend("cpu", {"target": 60, "lead_seconds": 480}) with input as _moving(tc.demand, tc.slope)
	reason.state == "known"
	reason.instances == tc.want
}

test_trend_gives_all_its_numbers if {
	options := {"target": 60, "lead_seconds": 480, "limit_percent": 50, "tolerance": 0}
	reason := scale.trend("cpu", options) with input as _moving(600, 40)
	reason == {
		"code": "trend",
		"name": "cpu",
		"state": "known",
		"instances": 15,
		"numbers": {
			"current": 10,
			"demand_milli": 600000,
			"lead_seconds": 480,
			"rise_milli": 300000,
			"target_milli": 60000,
			"trend_milli": 40000,
		},
	}
}

test_trend_is_unknown[note] if {
	some note, tc in {
		"while there are too few buckets": {
			"over": {"signals": {"cpu": {"trend": null}}},
			"detail": "too few buckets for a trend",
		},
		"while the demand of a bucket is not known": {
			"over": {"signals": {"cpu": {"trend": {"has_demand": false}}}},
			"detail": "too few buckets for a trend",
		},
		"while the signal is stale": {
			"over": {"signals": {"cpu": {"state": "stale"}}},
			"detail": "signal stale",
		},
		"while the capacity is": {
			"over": {"capacity": {"known": false}},
			"detail": "capacity unknown",
		},
	}
	view := object.union(_moving(600, 40), tc.over)
	reason := scale.trend("cpu", {"target": 60, "lead_seconds": 480}) with input as view
	reason.state == "unknown"
	reason.detail == tc.detail
}

test_trend_is_at_fault[note] if {
	some note, tc in {
		"without a lead": {
			"options": {"target": 60},
			"detail": "lead_seconds must be a whole number of seconds from 1 up",
		},
		"without a target": {
			"options": {"lead_seconds": 60},
			"detail": "target must be a number of at least 0.001",
		},
		"for a limit that is a fraction": {
			"options": {"target": 60, "lead_seconds": 60, "limit_percent": 0.5},
			"detail": "limit_percent must be a whole number from 0 up",
		},
	}
	reason := scale.trend("cpu", tc.options) with input as _moving(600, 40)
	reason.state == "fault"
	reason.detail == tc.detail
}

test_trend_is_at_fault_for_a_signal_without_one if {
	view := _loaded(10, 10, 60)
	reason := scale.trend("cpu", {"target": 60, "lead_seconds": 480}) with input as view
	reason.detail == `signal cpu has no trend: its definition needs "trend": true`
	gone := scale.trend("memory", {"target": 60, "lead_seconds": 480}) with input as view
	gone.detail == "no signal memory: the pool's definition has [cpu]"
}

# Azure's own example of flapping, with the arithmetic that its page gets wrong: 30 instances at 65 per cent and a
# threshold of 70. 27 of them would be at 72.2, 28 at 69.6 (features: C5).
test_no_flap_asks_for_the_smallest_safe_count[note] if {
	some note, tc in {
		"28 of 30, as Azure's example should say": {"instances": 30, "m": 65, "options": {"below": 70}, "want": 28},
		"one of 30 without load": {"instances": 30, "m": 0, "options": {"below": 70}, "want": 1},
		"all of them at the threshold, and no more": {"instances": 30, "m": 70, "options": {"below": 70}, "want": 30},
		"all of them above it, and no more": {"instances": 30, "m": 90, "options": {"below": 70}, "want": 30},
		"strictly below: what would be at it is one too few": {
			"instances": 30,
			"m": 35,
			"options": {"below": 70},
			"want": 16,
		},
		"with a margin of a tenth 63 is the threshold": {
			"instances": 20,
			"m": 30,
			"options": {"below": 70, "margin": 0.1},
			"want": 10,
		},
	}
	reason := scale.no_flap("cpu", tc.options) with input as _loaded(tc.instances, tc.instances, tc.m)
	reason.state == "known"
	reason.instances == tc.want
}

test_no_flap_is_unknown_without_the_load if {
	view := {"capacity": {"known": true, "instances": 3}, "signals": {"cpu": {"state": "missing"}}}
	reason := scale.no_flap("cpu", {"below": 70}) with input as view
	[reason.state, reason.detail] == ["unknown", "signal missing"]
}

test_no_flap_is_at_fault[note] if {
	some note, tc in {
		"for no object": {
			"signal": "cpu",
			"options": 70,
			"detail": `the second argument is an object of options, such as {"below": 70}`,
		},
		"for an option that does not exist": {
			"signal": "cpu",
			"options": {"above": 70},
			"detail": "scale.no_flap has no option \"above\"; there are below, margin",
		},
		"without a threshold": {
			"signal": "cpu",
			"options": {},
			"detail": "below must be a number of at least 0.001",
		},
		"for a margin of all": {
			"signal": "cpu",
			"options": {"below": 70, "margin": 1},
			"detail": "margin must be a number from 0 up and below 1",
		},
		"for a signal that is not there": {
			"signal": "cpus",
			"options": {"below": 70},
			"detail": "no signal cpus: the pool's definition has [cpu]",
		},
	}
	reason := scale.no_flap(tc.signal, tc.options) with input as _loaded(10, 10, 50)
	reason.state == "fault"
	reason.detail == tc.detail
}

_recent(values) := object.union(_loaded(10, 10, 65), {"signals": {"cpu": {"recent_milli": recent}}}) if {
	recent := [milli | some v in values; milli := v * 1000]
}

test_step_waits_for_k_of_the_last_q[note] if {
	ladders := {
		"above": 60,
		"grow": [{"to": 10, "by": 1}, {"from": 10, "by": 3}],
		"below": 40,
		"shrink": [{"by": 1}],
		"of_recent": 3,
	}
	some note, tc in {
		"two of five above are too few": {"recent": [90, 90, 50, 50, 50], "want": 10},
		"three of five above the threshold are enough": {"recent": [90, 90, 60, 50, 50], "want": 11},
		"three of five in the upper step are enough for it": {"recent": [90, 90, 70, 50, 50], "want": 13},
		"two of five below are too few": {"recent": [50, 50, 50, 30, 30], "want": 10},
		"three of five below are enough": {"recent": [50, 50, 40, 30, 30], "want": 9},
		"with fewer buckets measured the number stays the same": {"recent": [65, 65, 65], "want": 11},
	}
	reason := scale.step("cpu", ladders) with input as _recent(tc.recent)
	reason.state == "known"
	reason.instances == tc.want
}

test_step_is_unknown_with_fewer_buckets_than_it_needs if {
	options := {"above": 60, "grow": [{"by": 1}], "of_recent": 3}
	reason := scale.step("cpu", options) with input as _recent([90, 90])
	[reason.state, reason.detail] == ["unknown", "3 of the recent buckets are needed and 2 measured"]
}

test_step_is_at_fault_for_recent_buckets_that_nobody_asked_for if {
	options := {"above": 60, "grow": [{"by": 1}], "of_recent": 3}
	reason := scale.step("cpu", options) with input as _loaded(10, 10, 65)
	reason.detail == "signal cpu has no recent buckets: its definition needs recent_buckets of at least 3"
	wrong := scale.step("cpu", object.union(options, {"of_recent": 0})) with input as _recent([90])
	wrong.detail == "of_recent must be a whole number of buckets from 1 up"
}
