package lib.scale_test

import data.lib.scale

_quiet(state, missed) := {
	"limits": {"min": 2, "max": 100, "default": 8},
	"capacity": {"known": true, "instances": 5, "age_seconds": 0, "mix": null, "in_flight": null},
	"signals": {
		"cpu": object.union({"state": state, "has_value": false, "has_demand": false}, missed),
		"other": {"state": "fresh", "has_value": true, "has_demand": true},
	},
}

_lost := {"code": "track", "name": "cpu", "state": "unknown", "instances": 0, "numbers": {}, "detail": "signal stale"}

# Hold for N misses, then the default, and only if that is higher (features: C20).
test_after_misses[note] if {
	some note, tc in {
		"two misses of three: held": {
			"view": _quiet("stale", {"missed": 2}),
			"options": {},
			"want": {"state": "unknown", "instances": 0, "detail": "missed 2, held for 3"},
		},
		"three: the default": {
			"view": _quiet("stale", {"missed": 3}),
			"options": {},
			"want": {"state": "known", "instances": 8},
		},
		"as many as it is told to wait for": {
			"view": _quiet("stale", {"missed": 4}),
			"options": {"misses": 5},
			"want": {"state": "unknown"},
		},
		"a signal that never had a sample": {
			"view": _quiet("missing", {}),
			"options": {},
			"want": {"state": "known", "instances": 8},
		},
		"a count of one's own": {
			"view": _quiet("missing", {}),
			"options": {"higher": 7},
			"want": {"state": "known", "instances": 7, "numbers": {"current": 5, "higher": 7, "missing": 1}},
		},
		"what there is, if that is more": {
			"view": _quiet("missing", {}),
			"options": {"higher": 3},
			"want": {"state": "known", "instances": 5},
		},
		"no default": {
			"view": object.union(_quiet("missing", {}), {"limits": {"default": 0}}),
			"options": {},
			"want": {"state": "unknown", "detail": "signal stale"},
		},
		"an unknown capacity is no miss": {
			"view": object.union(_quiet("stale", {"missed": 9}), {"capacity": {"known": false}}),
			"options": {},
			"want": {"state": "unknown"},
		},
		"nor is what lacks for another reason": {
			"view": _quiet("stale", {"missed": 9}),
			"options": {"signal": "other"},
			"want": {"state": "unknown", "detail": "signal stale"},
		},
	}
	reason := scale.after_misses(_lost, tc.options) with input as tc.view
	object.subset(reason, tc.want)
}

test_after_misses_leaves_a_reason_that_is_known if {
	reason := {"code": "track", "name": "cpu", "state": "known", "instances": 3, "numbers": {}}
	got := scale.after_misses(reason, {}) with input as _quiet("fresh", {})
	got == reason
}

test_after_misses_is_at_fault[note] if {
	some note, tc in {
		"without a reason": {
			"reason": 7,
			"options": {},
			"detail": "the first argument is a reason, as the functions of this package give it",
		},
		"for options that are none": {
			"reason": _lost,
			"options": 3,
			"detail": `the second argument is an object of options, such as {"misses": 3}`,
		},
		"for an option that does not exist": {
			"reason": _lost,
			"options": {"miss": 3},
			"detail": `scale.after_misses has no option "miss"; did you mean misses?`,
		},
		"for no miss at all": {
			"reason": _lost,
			"options": {"misses": 0},
			"detail": "misses must be a whole number from 1 up",
		},
		"for no instance": {
			"reason": _lost,
			"options": {"higher": 0},
			"detail": "higher must be a whole number of instances from 1 up",
		},
		"for a signal that is not there": {
			"reason": _lost,
			"options": {"signal": "cpuu"},
			"detail": "no signal cpuu: the pool's definition has [cpu, other]",
		},
	}
	reason := scale.after_misses(tc.reason, tc.options) with input as _quiet("stale", {"missed": 2})
	[reason.state, reason.detail] == ["fault", tc.detail]
}
