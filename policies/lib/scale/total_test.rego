package lib.scale_test

import data.lib.scale

_queue(signals) := {
	"capacity": {"known": true, "instances": 10, "age_seconds": 0, "mix": null, "in_flight": null},
	"signals": object.union(
		{
			"orders": {"state": "fresh", "has_value": true, "has_demand": false, "value_milli": 1500000},
			"incoming": {"state": "fresh", "has_value": true, "has_demand": false, "value_milli": 20000},
		},
		signals,
	),
}

# The worked example of AWS: a delay of ten seconds and a tenth of a second of work make 100 messages acceptable for
# each instance, so that 1500 of them want 15 where there are 10.
test_backlog_gives_the_number_of_the_worked_example[note] if {
	some note, options in {
		"by the backlog for each": {"per_instance": 100},
		"by delay and work": {"delay_seconds": 10, "seconds_each": 0.1},
	}
	reason := scale.backlog("orders", options) with input as _queue({})
	reason.state == "known"
	reason.instances == 15
}

test_backlog[note] if {
	some note, tc in {
		"a remainder rounds up": {"waiting": 1500001, "options": {"per_instance": 100}, "want": 16},
		"nothing waits": {"waiting": 0, "options": {"per_instance": 100}, "want": 0},
		"less than nothing waits": {"waiting": -5000, "options": {"per_instance": 100}, "want": 0},
		"a decimal for each": {"waiting": 10000, "options": {"per_instance": 2.5}, "want": 4},
		"a millisecond of work": {
			"waiting": 1000000000,
			"options": {"delay_seconds": 0.5, "seconds_each": 0.001},
			"want": 2000,
		},
		"a tenth of a millisecond of work": {
			"waiting": 1000000000,
			"options": {"delay_seconds": 1, "seconds_each": 0.0001},
			"want": 100,
		},
		# 20 a second for 0.1 s keep 2 busy; 1500 for 0.1 s are 150 s of work, in a minute 2.5 instances more.
		"a deadline for the backlog and what arrives": {
			"waiting": 1500000,
			"options": {"drain_seconds": 60, "seconds_each": 0.1, "arrivals": "incoming"},
			"want": 5,
		},
		"the deadline counts if it asks for more": {
			"waiting": 1500000,
			"options": {"per_instance": 1000, "drain_seconds": 60, "seconds_each": 0.1, "arrivals": "incoming"},
			"want": 5,
		},
		"the deadline does not count if it asks for less": {
			"waiting": 1500000,
			"options": {"per_instance": 100, "drain_seconds": 60, "seconds_each": 0.1, "arrivals": "incoming"},
			"want": 15,
		},
	}
	view := _queue({"orders": {"state": "fresh", "has_value": true, "value_milli": tc.waiting}})
	reason := scale.backlog("orders", tc.options) with input as view
	reason.state == "known"
	reason.instances == tc.want
}

test_backlog_shows_its_numbers if {
	options := {"per_instance": 1000, "drain_seconds": 60, "seconds_each": 0.1, "arrivals": "incoming"}
	reason := scale.backlog("orders", options) with input as _queue({})
	reason.numbers == {
		"arrivals_milli": 20000,
		"backlog_milli": 1500000,
		"instances_draining": 5,
		"instances_waiting": 2,
	}
}

test_backlog_needs_no_capacity if {
	view := object.union(_queue({}), {"capacity": {"known": false, "instances": 0}})
	reason := scale.backlog("orders", {"per_instance": 100}) with input as view
	reason.instances == 15
}

test_backlog_is_unknown[note] if {
	draining := {"drain_seconds": 60, "seconds_each": 0.1, "arrivals": "incoming"}
	some note, tc in {
		"when the signal is missing": {
			"signals": {"orders": {"state": "missing", "has_value": false}},
			"options": {"per_instance": 100},
			"detail": "signal missing",
		},
		"when the signal is stale": {
			"signals": {"orders": {"state": "stale"}},
			"options": {"per_instance": 100},
			"detail": "signal stale",
		},
		"when its statistic was not measured": {
			"signals": {"orders": {"has_value": false}},
			"options": {"per_instance": 100},
			"detail": "value unknown",
		},
		"when what arrives is missing": {
			"signals": {"incoming": {"state": "missing", "has_value": false}},
			"options": draining,
			"detail": "incoming: signal missing",
		},
	}
	reason := scale.backlog("orders", tc.options) with input as _queue(tc.signals)
	reason == {
		"code": "backlog",
		"name": "orders",
		"state": "unknown",
		"instances": 0,
		"numbers": {},
		"detail": tc.detail,
	}
}

test_backlog_is_at_fault[note] if {
	some note, tc in {
		"for a name that is no signal": {
			"signal": "order",
			"options": {"per_instance": 100},
			"detail": "no signal order: the pool's definition has [incoming, orders]",
		},
		"for arrivals that are no signal": {
			"signal": "orders",
			"options": {"drain_seconds": 60, "seconds_each": 0.1, "arrivals": "coming"},
			"detail": "no signal coming: the pool's definition has [incoming, orders]",
		},
		"for options that are no object": {
			"signal": "orders",
			"options": 100,
			"detail": "the second argument is an object of options, such as {\"per_instance\": 100}",
		},
		"for an option that does not exist": {
			"signal": "orders",
			"options": {"per_instnace": 100},
			"detail": `scale.backlog has no option "per_instnace"; did you mean per_instance?`,
		},
		"for numbers that are none": {
			"signal": "orders",
			"options": {"delay_seconds": "10", "seconds_each": 0},
			"detail": "delay_seconds, seconds_each must be a number above 0",
		},
		"for no options": {
			"signal": "orders",
			"options": {},
			"detail": "give per_instance, or delay_seconds with seconds_each, or drain_seconds with seconds_each and arrivals",
		},
		"for two that say the same": {
			"signal": "orders",
			"options": {"per_instance": 100, "delay_seconds": 10, "seconds_each": 0.1},
			"detail": "per_instance and delay_seconds say the same: give one of them",
		},
		"for a delay without work": {
			"signal": "orders",
			"options": {"delay_seconds": 10},
			"detail": "delay_seconds and drain_seconds need seconds_each, the seconds that an instance works on one",
		},
		"for a deadline without arrivals": {
			"signal": "orders",
			"options": {"drain_seconds": 60, "seconds_each": 0.1},
			"detail": "drain_seconds needs arrivals, the name of the signal that says what arrives in a second",
		},
		"for arrivals that nothing uses": {
			"signal": "orders",
			"options": {"per_instance": 100, "arrivals": "incoming"},
			"detail": "arrivals and seconds_each mean something only with drain_seconds or delay_seconds",
		},
		"for work that nothing uses": {
			"signal": "orders",
			"options": {"per_instance": 100, "seconds_each": 0.1},
			"detail": "arrivals and seconds_each mean something only with drain_seconds or delay_seconds",
		},
	}
	reason := scale.backlog(tc.signal, tc.options) with input as _queue({})
	reason == {
		"code": "backlog",
		"name": tc.signal,
		"state": "fault",
		"instances": 0,
		"numbers": {},
		"detail": tc.detail,
	}
}

test_track_total[note] if {
	some note, tc in {
		"divides by the target, not by the instances": {"total": 1500000, "options": {"target": 120}, "want": 13},
		"stays within the tolerance above": {"total": 1320000, "options": {"target": 120}, "want": 10},
		"grows beyond it": {"total": 1320001, "options": {"target": 120}, "want": 12},
		"stays within the tolerance below": {"total": 1080000, "options": {"target": 120}, "want": 10},
		"shrinks beyond it": {"total": 1079999, "options": {"target": 120}, "want": 9},
		"takes a tolerance per direction": {
			"total": 1320000,
			"options": {"target": 120, "tolerance_grow": 0, "tolerance_shrink": 0.5},
			"want": 11,
		},
	}
	view := _queue({"orders": {"state": "fresh", "has_value": true, "value_milli": tc.total}})
	reason := scale.track_total("orders", tc.options) with input as view
	reason.state == "known"
	reason.instances == tc.want
}

test_track_total_shows_its_numbers if {
	reason := scale.track_total("orders", {"target": 120}) with input as _queue({})
	reason == {
		"code": "track_total",
		"name": "orders",
		"state": "known",
		"instances": 13,
		"numbers": {
			"current": 10,
			"target_milli": 120000,
			"tolerance_grow_milli": 100,
			"tolerance_shrink_milli": 100,
			"total_milli": 1500000,
		},
	}
}

test_track_total_is_not_known[note] if {
	some note, tc in {
		"for a signal that is missing": {
			"view": _queue({"orders": {"state": "missing", "has_value": false}}),
			"signal": "orders",
			"options": {"target": 120},
			"state": "unknown",
			"detail": "signal missing",
		},
		"for a statistic that was not measured": {
			"view": _queue({"orders": {"has_value": false}}),
			"signal": "orders",
			"options": {"target": 120},
			"state": "unknown",
			"detail": "value unknown",
		},
		"without the capacity": {
			"view": object.union(_queue({}), {"capacity": {"known": false}}),
			"signal": "orders",
			"options": {"target": 120},
			"state": "unknown",
			"detail": "capacity unknown",
		},
		"for a name that is no signal": {
			"view": _queue({}),
			"signal": "order",
			"options": {"target": 120},
			"state": "fault",
			"detail": "no signal order: the pool's definition has [incoming, orders]",
		},
		"for an option that does not exist": {
			"view": _queue({}),
			"signal": "orders",
			"options": {"goal": 120},
			"state": "fault",
			"detail": "scale.track_total has no option \"goal\"; there are target, tolerance, tolerance_grow, tolerance_shrink",
		},
	}
	reason := scale.track_total(tc.signal, tc.options) with input as tc.view
	reason.state == tc.state
	reason.detail == tc.detail
	reason.instances == 0
}
