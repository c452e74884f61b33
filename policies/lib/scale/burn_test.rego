package lib.scale_test

import data.lib.scale

_errors(short, long) := {"signals": {
	"errors_5m": {"state": "fresh", "has_value": true, "value_milli": short},
	"errors_1h": {"state": "fresh", "has_value": true, "value_milli": long},
}}

_objective := {"short": "errors_5m", "long": "errors_1h", "slo_percent": 99.9, "at": 14.4}

# Of 99.9 per cent a tenth may fail: 14.4 times that is 1.44 per cent.
test_the_budget_burns_when_both_windows_say_so[note] if {
	some note, tc in {
		"both at the limit": {"view": _errors(1440, 1440), "burns": true, "state": "known"},
		"the short one just below": {"view": _errors(1439, 5000), "burns": false, "state": "idle"},
		"the long one just below": {"view": _errors(5000, 1439), "burns": false, "state": "idle"},
		"one is not known: no boost, and no shrink": {
			"view": object.union(_errors(5000, 5000), {"signals": {"errors_1h": {"state": "stale"}}}),
			"burns": false,
			"state": "known",
		},
	}
	burns := scale.burning(_objective) with input as tc.view
	pause := scale.hold_on_burn(_objective) with input as tc.view
	[burns, pause.state, pause.stops, pause.code] == [tc.burns, tc.state, "shrink", "error_budget"]
}

test_hold_on_burn_shows_its_numbers if {
	pause := scale.hold_on_burn(_objective) with input as _errors(2000, 1500)
	pause.numbers == {"limit_milli": 1440, "long_milli": 1500, "short_milli": 2000}
}

test_hold_on_burn_is_at_fault[note] if {
	some note, tc in {
		"for no object": {"options": 1, "detail": "the argument is an object of options: short, long, slo_percent and at"},
		"for an option that does not exist": {
			"options": object.union(_objective, {"slo": 1}),
			"detail": "scale.burning has no option \"slo\"; did you mean slo_percent?",
		},
		"for an objective of all": {
			"options": object.union(_objective, {"slo_percent": 100}),
			"detail": "slo_percent must be a number above 0 and below 100",
		},
		"for no speed": {
			"options": object.union(_objective, {"at": 0}),
			"detail": "at must be a number above 0",
		},
		"for a signal that is not there": {
			"options": object.union(_objective, {"long": "errors"}),
			"detail": "no signal errors: the pool's definition has [errors_1h, errors_5m]",
		},
	}
	pause := scale.hold_on_burn(tc.options) with input as _errors(1, 1)
	[pause.state, pause.detail] == ["fault", tc.detail]
	burns := scale.burning(tc.options) with input as _errors(9999, 9999)
	burns == false
}

test_boost[note] if {
	known := {"code": "track", "name": "cpu", "state": "known", "instances": 9, "numbers": {}}
	unknown := {"code": "track", "name": "cpu", "state": "unknown", "instances": 0, "numbers": {}, "detail": "stale"}
	some note, tc in {
		"rounds up": {"reason": known, "percent": 25, "want": {"code": "boost", "state": "known", "instances": 12}},
		"leaves alone what is not known": {"reason": unknown, "percent": 25, "want": unknown},
		"is at fault for a fraction": {
			"reason": known,
			"percent": 2.5,
			"want": {"state": "fault", "detail": "give a reason and a whole number of per cent from 0 up"},
		},
	}
	object.subset(scale.boost(tc.reason, tc.percent), tc.want)
}
