package lib.scale_test

import data.lib.scale

_known(name, n) := {"code": "track", "name": name, "state": "known", "instances": n, "numbers": {}}

_without(name, state) := {
	"code": "track",
	"name": name,
	"state": state,
	"instances": 0,
	"numbers": {},
	"detail": "signal missing",
}

_fleet_of(n) := {"capacity": {"known": n != null, "instances": n}}

# On five instances.
test_combinations[note] if {
	some note, tc in {
		"both grow": {"parts": [_known("a", 8), _known("b", 6)], "any": 8, "all": 6},
		"both shrink": {"parts": [_known("a", 2), _known("b", 4)], "any": 4, "all": 4},
		"one grows, one shrinks": {"parts": [_known("a", 8), _known("b", 2)], "any": 8, "all": 5},
		"one grows, one stays": {"parts": [_known("a", 8), _known("b", 5)], "any": 8, "all": 5},
		"one shrinks, one stays": {"parts": [_known("a", 2), _known("b", 5)], "any": 5, "all": 5},
		"an idle one takes no part": {"parts": [_known("a", 8), _without("b", "idle")], "any": 8, "all": 8},
		"one that is unknown does not stop any from growing": {
			"parts": [_known("a", 8), _without("b", "unknown")],
			"any": 8,
			"all": null,
		},
		"one that is unknown stops a shrink": {
			"parts": [_known("a", 2), _without("b", "unknown")],
			"any": null,
			"all": null,
		},
		"all are unknown": {"parts": [_without("a", "unknown")], "any": null, "all": null},
		"an unknown one and an idle one": {
			"parts": [_without("a", "unknown"), _without("b", "idle")],
			"any": null,
			"all": null,
		},
	}
	widest := scale.any_of("busy", tc.parts) with input as _fleet_of(5)
	common := scale.all_of("busy", tc.parts) with input as _fleet_of(5)
	[_count_of(widest), _count_of(common)] == [tc.any, tc.all]
}

test_combinations_show_their_parts if {
	parts := [_known("a", 8), _without("b", "idle"), _known("a", 6)]
	reason := scale.all_of("busy", parts) with input as _fleet_of(5)
	reason == {
		"code": "all_of",
		"name": "busy",
		"state": "known",
		"instances": 6,
		"numbers": {"1_track_a": 8, "3_track_a": 6},
	}
}

test_combinations_nest if {
	either := scale.any_of("either", [_known("a", 8), _known("b", 3)]) with input as _fleet_of(5)
	reason := scale.all_of("busy", [either, _known("c", 7)]) with input as _fleet_of(5)
	reason.instances == 7
}

test_combinations_are_idle_when_all_their_parts_are if {
	parts := [_without("a", "idle"), _without("b", "idle")]
	want := {"name": "busy", "state": "idle", "instances": 0, "numbers": {}}
	widest := scale.any_of("busy", parts) with input as _fleet_of(5)
	widest == object.union(want, {"code": "any_of"})
	common := scale.all_of("busy", parts) with input as _fleet_of(5)
	common == object.union(want, {"code": "all_of"})
}

test_combinations_say_why_they_are_unknown[note] if {
	some note, tc in {
		"a part is": {"n": 5, "parts": [_known("a", 2), _without("b", "unknown")], "detail": "track b: signal missing"},
		"the capacity is": {
			"n": null,
			"parts": [_known("a", 9), _without("b", "unknown")],
			"detail": "capacity unknown",
		},
	}
	widest := scale.any_of("busy", tc.parts) with input as _fleet_of(tc.n)
	[widest.state, widest.detail] == ["unknown", tc.detail]
	common := scale.all_of("busy", tc.parts) with input as _fleet_of(tc.n)
	[common.state, common.detail] == ["unknown", tc.detail]
}

test_combinations_are_at_fault[note] if {
	some note, tc in {
		"for a name that is none": {
			"name": 5,
			"parts": [_known("a", 5)],
			"detail": "the first argument is the combination's name, a string",
		},
		"for parts that are no list": {
			"name": "busy",
			"parts": {_known("a", 5)},
			"detail": "the second argument is a list of reasons",
		},
		"for no parts": {"name": "busy", "parts": [], "detail": "the second argument is a list of reasons"},
		"for a part that is none": {
			"name": "busy",
			"parts": [_known("a", 5), 5],
			"detail": "each part is a reason, as the functions of this package give it",
		},
		"for a ceiling": {
			"name": "busy",
			"parts": [scale.at_most(5, "a")],
			"detail": "each part is a reason, as the functions of this package give it",
		},
		"for a part at fault": {
			"name": "busy",
			"parts": [_known("a", 5), _without("b", "fault")],
			"detail": "track b: signal missing",
		},
	}
	widest := scale.any_of(tc.name, tc.parts) with input as _fleet_of(5)
	[widest.state, widest.detail] == ["fault", tc.detail]
	common := scale.all_of(tc.name, tc.parts) with input as _fleet_of(5)
	[common.state, common.detail] == ["fault", tc.detail]
}

_pair(change) := {
	"capacity": {"known": true, "instances": 10, "age_seconds": 0, "mix": null, "in_flight": null},
	"signals": object.union(
		{
			"cpu": {"state": "fresh", "has_value": true, "has_demand": true, "demand_milli": 800000},
			"memory": {"state": "fresh", "has_value": true, "has_demand": true, "demand_milli": 600000},
		},
		change,
	),
}

# Ten instances at 80 % processor and 60 % memory.
test_weighted[note] if {
	terms := [{"signal": "cpu", "weight": 0.75}, {"signal": "memory", "weight": 0.25}]
	lost := {"memory": {"state": "missing", "has_demand": false}}
	some note, tc in {
		"sums with weights": {"terms": terms, "target": 50, "signals": {}, "want": 15},
		"weighs 1 unless told": {
			"terms": [{"signal": "cpu"}, {"signal": "memory"}],
			"target": 100,
			"signals": {},
			"want": 14,
		},
		"stays within the tolerance": {"terms": terms, "target": 70, "signals": {}, "want": 10},
		"reckons with what it is told for a signal that is missing": {
			"terms": [{"signal": "cpu", "weight": 0.75}, {"signal": "memory", "weight": 0.25, "otherwise": 100}],
			"target": 50,
			"signals": lost,
			"want": 17,
		},
		"reckons with nothing, if told": {
			"terms": [{"signal": "cpu", "weight": 0.75}, {"signal": "memory", "weight": 0.25, "otherwise": 0}],
			"target": 40,
			"signals": lost,
			"want": 15,
		},
		"is unknown without": {"terms": terms, "target": 50, "signals": lost, "want": null},
	}
	reason := scale.weighted("load", {"target": tc.target, "terms": tc.terms}) with input as _pair(tc.signals)
	_count_of(reason) == tc.want
}

test_weighted_shows_its_numbers if {
	terms := [{"signal": "cpu", "weight": 0.75}, {"signal": "memory", "weight": 0.25, "otherwise": 1}]
	options := {"target": 50, "terms": terms}
	reason := scale.weighted("load", options) with input as _pair({"memory": {"state": "stale"}})
	reason == {
		"code": "weighted",
		"name": "load",
		"state": "known",
		"instances": 13,
		"numbers": {
			"current": 10,
			"demand_milli": 602500,
			"otherwise": 1,
			"target_milli": 50000,
			"tolerance_grow_milli": 100,
			"tolerance_shrink_milli": 100,
		},
	}
}

test_weighted_is_not_known[note] if {
	cpu := [{"signal": "cpu"}]
	some note, tc in {
		"while a signal is missing": {
			"options": {"target": 50, "terms": cpu},
			"change": {"signals": {"cpu": {"state": "missing", "has_demand": false}}},
			"want": ["unknown", "cpu: signal missing"],
		},
		"while the capacity is not": {
			"options": {"target": 50, "terms": cpu},
			"change": {"capacity": {"known": false}},
			"want": ["unknown", "capacity unknown"],
		},
		"for a name that is no signal": {
			"options": {"target": 50, "terms": [{"signal": "cpuu", "otherwise": 5}]},
			"change": {},
			"want": ["fault", "no signal cpuu: the pool's definition has [cpu, memory]"],
		},
		"for an option that does not exist": {
			"options": {"target": 50, "parts": cpu},
			"change": {},
			"want": [
				"fault",
				"scale.weighted has no option \"parts\"; there are target, terms, tolerance, tolerance_grow, tolerance_shrink",
			],
		},
		"for no terms": {
			"options": {"target": 50},
			"change": {},
			"want": ["fault", `terms must be a list of objects, such as [{"signal": "cpu", "weight": 0.7}]`],
		},
		"for a term that is none": {
			"options": {"target": 50, "terms": ["cpu"]},
			"change": {},
			"want": ["fault", `term 1: a term is an object, such as {"signal": "cpu", "weight": 0.7}`],
		},
		"for a field that does not exist": {
			"options": {"target": 50, "terms": [{"signal": "cpu"}, {"signal": "cpu", "factor": 2}]},
			"change": {},
			"want": ["fault", "term 2: scale.weighted has no option \"factor\"; there are otherwise, signal, weight"],
		},
		"for a term without a signal": {
			"options": {"target": 50, "terms": [{"weight": 1}]},
			"change": {},
			"want": ["fault", "term 1: signal must be given"],
		},
		"for a weight of nothing": {
			"options": {"target": 50, "terms": [{"signal": "cpu", "weight": 0}]},
			"change": {},
			"want": ["fault", "term 1: weight must be a number above 0"],
		},
		"for a stand-in that is none": {
			"options": {"target": 50, "terms": [{"signal": "cpu", "otherwise": "50"}]},
			"change": {},
			"want": ["fault", "term 1: otherwise must be a number from 0 up"],
		},
	}
	reason := scale.weighted("load", tc.options) with input as object.union(_pair({}), tc.change)
	[reason.state, reason.detail] == tc.want
	reason.instances == 0
}

test_weighted_is_at_fault_without_a_name if {
	reason := scale.weighted(5, {"target": 50, "terms": [{"signal": "cpu"}]}) with input as _pair({})
	[reason.state, reason.name, reason.detail] == ["fault", "5", "the first argument is the sum's name, a string"]
}
