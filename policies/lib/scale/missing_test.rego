package lib.scale_test

import data.lib.scale

_absent(instances) := _view(instances, {"state": "missing", "has_demand": false})

# Five instances and nothing measured: the count that each mode gives, null for a reason that stays unknown.
test_if_missing[note] if {
	some note, tc in {
		"holds": {"mode": "hold", "want": null},
		"asks for what there is": {"mode": "current", "want": 5},
		"asks for a count above": {"mode": {"static": 8}, "want": 8},
		"asks for a count below": {"mode": {"static": 2}, "want": 2},
		"asks for none": {"mode": {"static": 0}, "want": 0},
		"asks for more only": {"mode": {"only_if_higher": 8}, "want": 8},
		"asks for what there is, if that is more": {"mode": {"only_if_higher": 2}, "want": 5},
		"asks for less only": {"mode": {"only_if_lower": 2}, "want": 2},
		"asks for what there is, if that is less": {"mode": {"only_if_lower": 8}, "want": 5},
		"grows as told for growth": {"mode": {"grow": {"static": 8}, "shrink": "hold"}, "want": 8},
		"does not shrink as told for growth": {"mode": {"grow": {"static": 2}, "shrink": "hold"}, "want": null},
		"shrinks as told for a shrink": {"mode": {"grow": "hold", "shrink": {"static": 2}}, "want": 2},
		"does not grow as told for a shrink": {"mode": {"grow": "hold", "shrink": {"static": 8}}, "want": null},
		"growth goes before a shrink": {"mode": {"grow": {"static": 8}, "shrink": {"static": 2}}, "want": 8},
		"stays if neither calls for its direction": {"mode": {"grow": {"static": 2}, "shrink": {"static": 8}}, "want": 5},
		"holds in the direction that is left out": {"mode": {"grow": {"static": 2}}, "want": null},
	}
	reason := scale.if_missing(scale.track("cpu", {"target": 60}), tc.mode) with input as _absent(5)
	_count_of(reason) == tc.want
}

_count_of(reason) := reason.instances if reason.state == "known"

_count_of(reason) := null if reason.state == "unknown"

test_if_missing_says_what_it_stands_in_for if {
	reason := scale.if_missing(scale.track("cpu", {"target": 60}), {"static": 8}) with input as _absent(5)
	reason == {
		"code": "track",
		"name": "cpu",
		"state": "known",
		"instances": 8,
		"numbers": {"current": 5, "missing": 1},
		"detail": "signal missing",
	}
}

test_if_missing_leaves_alone[note] if {
	view := _view(5, {"demand_milli": 600000})
	some note, tc in {
		"what is known": {"options": {"target": 60}, "view": view},
		"what is at fault": {"options": {"goal": 60}, "view": view},
		"what is unknown because the capacity is": {
			"options": {"target": 60},
			"view": object.union(view, {"capacity": {"known": false}}),
		},
	}
	reason := scale.track("cpu", tc.options) with input as tc.view
	same := scale.if_missing(reason, {"static": 8}) with input as tc.view
	same == reason
}

test_if_missing_is_at_fault[note] if {
	modes := concat("", [
		`a mode is "hold", "current", {"static": n}, {"only_if_higher": n} or {"only_if_lower": n}, `,
		`n a whole number from 0 up, or {"grow": mode, "shrink": mode}`,
	])
	good := {"code": "track", "name": "cpu", "state": "known", "instances": 1}
	some note, tc in {
		"for what is no reason": {
			"reason": 5,
			"mode": "hold",
			"detail": "the first argument is a reason, as the functions of this package give it",
		},
		"for a mode that does not exist": {"reason": good, "mode": "keep", "detail": modes},
		"for a mode without a count": {"reason": good, "mode": "static", "detail": modes},
		"for a fraction": {"reason": good, "mode": {"static": 2.5}, "detail": modes},
		"for two modes": {"reason": good, "mode": {"static": 2, "only_if_lower": 3}, "detail": modes},
		"for no mode": {"reason": good, "mode": {}, "detail": modes},
		"for a direction that does not exist": {"reason": good, "mode": {"up": "hold"}, "detail": modes},
		"for a direction's mode that does not exist": {"reason": good, "mode": {"grow": "keep"}, "detail": modes},
	}
	reason := scale.if_missing(tc.reason, tc.mode) with input as _absent(5)
	reason.state == "fault"
	reason.code == "if_missing"
	reason.detail == tc.detail
}
