package lib.scale_test

import data.lib.scale

_expected(change) := {"signals": {"cpu": {
	"state": "fresh",
	"has_demand": true,
	"demand_milli": 100000,
	"forecast": object.union(
		{
			"known": true,
			"why": "",
			"load_milli": 900000,
			"margin_milli": 90000,
			"error_permille": 80,
			"tried": 300,
			"history_hours": 400,
			"lead_seconds": 900,
		},
		change,
	),
}}}

test_forecast[note] if {
	some note, tc in {
		"asks for the load with the margin": {"options": {"target": 60}, "change": {}, "state": "known", "want": 17},
		"asks for nothing in forecast-only mode, and publishes": {
			"options": {"target": 60, "only": "record"},
			"change": {},
			"state": "idle",
			"want": 17,
		},
		"is not believed from its error on": {
			"options": {"target": 60},
			"change": {"error_permille": 501},
			"state": "idle",
			"want": 17,
		},
		"is believed up to it": {
			"options": {"target": 60, "error_percent": 8},
			"change": {},
			"state": "known",
			"want": 17,
		},
		"is never below none": {
			"options": {"target": 60},
			"change": {"load_milli": -900000, "margin_milli": 0},
			"state": "known",
			"want": 0,
		},
	}
	reason := scale.forecast("cpu", tc.options) with input as _expected(tc.change)
	[reason.state, reason.instances, reason.numbers.instances_forecast] == [tc.state, tc.want, tc.want]
	reason.numbers.tried == 300
}

test_forecast_is_idle_while_it_learns if {
	lacking := {"known": false, "why": "needs 168 hours of history", "history_hours": 20}
	reason := scale.forecast("cpu", {"target": 60}) with input as _expected(lacking)
	reason == {
		"code": "forecast",
		"name": "cpu",
		"state": "idle",
		"instances": 0,
		"numbers": {"history_hours": 20},
		"detail": "needs 168 hours of history",
	}
	view := {"signals": {"cpu": {"state": "missing", "forecast": null}}}
	none := scale.forecast("cpu", {"target": 60}) with input as view
	[none.state, none.detail, none.numbers.history_hours] == ["idle", "no history yet", 0]
}

test_forecast_is_at_fault[note] if {
	some note, tc in {
		"for no object": {
			"signal": "cpu",
			"options": 60,
			"detail": `the second argument is an object of options, such as {"target": 60}`,
		},
		"for an option that does not exist": {
			"signal": "cpu",
			"options": {"targets": 60},
			"detail": "scale.forecast has no option \"targets\"; did you mean target?",
		},
		"without a target": {
			"signal": "cpu",
			"options": {},
			"detail": "target must be a number of at least 0.001",
		},
		"for an error that is a string": {
			"signal": "cpu",
			"options": {"target": 60, "error_percent": "8"},
			"detail": "error_percent must be a whole number from 0 up",
		},
		"for another mode": {
			"signal": "cpu",
			"options": {"target": 60, "only": "grow"},
			"detail": `only must be "record", or left out`,
		},
		"for a signal that is not there": {
			"signal": "memory",
			"options": {"target": 60},
			"detail": "no signal memory: the pool's definition has [cpu]",
		},
	}
	reason := scale.forecast(tc.signal, tc.options) with input as _expected({})
	reason.state == "fault"
	reason.detail == tc.detail
}

test_forecast_is_at_fault_for_a_signal_without_one if {
	reason := scale.forecast("cpu", {"target": 60}) with input as {"signals": {"cpu": {"state": "fresh"}}}
	reason.detail == "signal cpu has no forecast: its definition needs one"
}
