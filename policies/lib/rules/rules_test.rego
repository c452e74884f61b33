package lib.rules_test

import data.lib.rules

# A fleet of so many instances whose signals have these values.
_fleet(instances, values) := {
	"capacity": {"known": true, "instances": instances, "age_seconds": 0, "mix": null, "in_flight": null},
	"signals": {name: signal |
		some name, value in values
		signal := {"state": "fresh", "unit": "", "has_value": true, "has_demand": false, "value_milli": round(value * 1000)}
	},
}

_wanted(profile) := max([r.instances | some r in rules.reasons(profile); r.state == "known"])

_doubted(profile) := {r.detail | some r in rules.reasons(profile); r.state in {"unknown", "fault"}}

_cpu := {
	"min": 1,
	"max": 40,
	"grow": [{"signal": "cpu", "over": 70, "by": 1, "spread": true}],
	"shrink": [{"signal": "cpu", "under": 30, "by": 1}],
}

test_profile_wants[note] if {
	some note, tc in {
		"one more above the threshold": {"n": 5, "cpu": 70.001, "want": 6},
		"nothing on the threshold": {"n": 5, "cpu": 70, "want": 5},
		"nothing between the thresholds": {"n": 5, "cpu": 50, "want": 5},
		"nothing on the lower threshold": {"n": 5, "cpu": 30, "want": 5},
		"one less below it": {"n": 5, "cpu": 29.999, "want": 4},
		"no less than its min": {"n": 1, "cpu": 0, "want": 1},
		"its min below it": {"n": 0, "cpu": 50, "want": 1},
		"its min alone below it, whatever the load": {"n": 0, "cpu": 90, "want": 1},
		"what there is above its max, whatever the load": {"n": 50, "cpu": 10, "want": 50},
	}
	_wanted(_cpu) == tc.want with input as _fleet(tc.n, {"cpu": tc.cpu})
}

test_comparisons[note] if {
	some note, tc in {
		"over": {"below": 5, "on": 5, "above": 6},
		"at_least": {"below": 5, "on": 6, "above": 6},
		"under": {"below": 6, "on": 5, "above": 5},
		"at_most": {"below": 6, "on": 6, "above": 5},
		"equals": {"below": 5, "on": 6, "above": 5},
		"differs": {"below": 6, "on": 5, "above": 6},
	}
	profile := {"min": 0, "max": 9, "grow": [{"signal": "x", note: 10, "by": 1}]}
	wanted := {where: n |
		some where, value in {"below": 9.999, "on": 10, "above": 10.001}
		n := _wanted(profile) with input as _fleet(5, {"x": value})
	}
	wanted == {"below": tc.below, "on": tc.on, "above": tc.above}
}

test_sizes[note] if {
	some note, tc in {
		"by": {"n": 10, "size": {"by": 3}, "grown": 13, "shrunk": 7},
		"a percentage drops its fraction": {"n": 19, "size": {"percent": 10}, "grown": 20, "shrunk": 18},
		"and moves one at least": {"n": 3, "size": {"percent": 10}, "grown": 4, "shrunk": 2},
		"a percentage may be a decimal": {"n": 200, "size": {"percent": 12.5}, "grown": 225, "shrunk": 175},
		"a count above": {"n": 10, "size": {"exact": 14}, "grown": 14, "shrunk": 10},
		"a count below": {"n": 10, "size": {"exact": 4}, "grown": 10, "shrunk": 4},
	}
	high := {"min": 0, "max": 900, "grow": [object.union({"signal": "x", "over": 1}, tc.size)]}
	_wanted(high) == tc.grown with input as _fleet(tc.n, {"x": 2})
	low := {"min": 0, "max": 900, "shrink": [object.union({"signal": "x", "over": 1}, tc.size)]}
	_wanted(low) == tc.shrunk with input as _fleet(tc.n, {"x": 2})
}

# Azure's pages: the highest of several rules out, the highest of all rules in (facts: features C7).
test_several_rules[note] if {
	some note, tc in {
		"by five rather than by three": {"a": 90, "b": 90, "want": 15},
		"one of them is enough": {"a": 90, "b": 20, "want": 13},
		"in only if all agree": {"a": 20, "b": 50, "want": 10},
		"and then by as little as possible": {"a": 20, "b": 20, "want": 7},
	}
	profile := {
		"min": 1,
		"max": 40,
		"grow": [{"signal": "a", "over": 80, "by": 3}, {"signal": "b", "over": 80, "by": 5}],
		"shrink": [{"signal": "a", "under": 30, "percent": 50}, {"signal": "b", "under": 30, "by": 3}],
	}
	_wanted(profile) == tc.want with input as _fleet(10, {"a": tc.a, "b": tc.b})
}

# The page on flapping, where its arithmetic holds (facts: features C5).
test_a_shrink_stops_before_growth_would_be_called_for[note] if {
	some note, tc in {
		"28 per cent on two would be 56 on one": {
			"n": 2,
			"values": {"cpu": 28},
			"grow": [{"signal": "cpu", "over": 50, "by": 1, "spread": true}],
			"shrink": [{"signal": "cpu", "under": 30, "by": 1}],
			"want": 2,
		},
		"below half the threshold it shrinks": {
			"n": 2,
			"values": {"cpu": 25},
			"grow": [{"signal": "cpu", "over": 50, "by": 1, "spread": true}],
			"shrink": [{"signal": "cpu", "under": 30, "by": 1}],
			"want": 1,
		},
		"1250 threads on three stay on three": {
			"n": 3,
			"values": {"threads": 416.667},
			"grow": [{"signal": "threads", "at_least": 600, "by": 1, "spread": true}],
			"shrink": [{"signal": "threads", "under": 600, "by": 1}],
			"want": 3,
		},
		"1180 threads on three fit on two": {
			"n": 3,
			"values": {"threads": 393.333},
			"grow": [{"signal": "threads", "at_least": 600, "by": 1, "spread": true}],
			"shrink": [{"signal": "threads", "under": 400, "by": 1}],
			"want": 2,
		},
		"exactly the threshold on fewer is too much where that calls for growth": {
			"n": 3,
			"values": {"threads": 400},
			"grow": [{"signal": "threads", "at_least": 600, "by": 1, "spread": true}],
			"shrink": [{"signal": "threads", "at_most": 400, "by": 1}],
			"want": 3,
		},
		"thirty at 65 per cent go to 28 of the 20 asked for": {
			"n": 30,
			"values": {"cpu": 65, "requests": 1500},
			"grow": [
				{"signal": "requests", "at_least": 200, "by": 20, "divide": true},
				{"signal": "cpu", "over": 70, "by": 20, "spread": true},
			],
			"shrink": [{"signal": "requests", "at_most": 50, "by": 10, "divide": true}],
			"want": 28,
		},
		"what does not spread does not stop it": {
			"n": 30,
			"values": {"cpu": 65},
			"grow": [{"signal": "cpu", "over": 70, "by": 20}],
			"shrink": [{"signal": "cpu", "under": 66, "by": 10}],
			"want": 20,
		},
		"a threshold of nothing lets nothing go": {
			"n": 4,
			"values": {"queue": 1, "cpu": 10},
			"grow": [{"signal": "queue", "over": 0, "by": 1, "divide": true}],
			"shrink": [{"signal": "cpu", "under": 20, "by": 1}],
			"want": 5,
		},
	}
	profile := {"min": 1, "max": 60, "grow": tc.grow, "shrink": tc.shrink}
	_wanted(profile) == tc.want with input as _fleet(tc.n, tc.values)
}

test_divided_values[note] if {
	some note, tc in {
		"on the threshold": {"queue": 500, "want": 5},
		"above it": {"queue": 500.001, "want": 6},
		"without instances any backlog is above it": {"n": 0, "queue": 1, "want": 1},
	}
	profile := {"min": 0, "max": 9, "grow": [{"signal": "queue", "over": 100, "by": 1, "divide": true}]}
	_wanted(profile) == tc.want with input as _fleet(object.get(tc, "n", 5), {"queue": tc.queue})
}

test_parts_make_a_mean_of_a_sum if {
	profile := {"min": 0, "max": 9, "grow": [{"signal": "sum", "over": 10, "by": 1, "parts": 5}]}
	_wanted(profile) == 3 with input as _fleet(3, {"sum": 50})
	_wanted(profile) == 4 with input as _fleet(3, {"sum": 51})
	some reason in rules.reasons(profile) with input as _fleet(3, {"sum": 51})
	reason.numbers == {"current": 3, "threshold_milli": 10000, "value_milli": 10200}
}

test_without_a_rule_to_shrink_it_stays if {
	profile := {"min": 1, "max": 9, "default": 2}
	_wanted(profile) == 7 with input as _fleet(7, {})
}

test_a_missing_signal[note] if {
	some note, tc in {
		"calls for the default": {"n": 2, "default": 4, "want": 4, "doubted": set()},
		"never for less": {"n": 6, "default": 4, "want": 1, "doubted": {"signal stale"}},
		"for nothing without one": {"n": 2, "want": 1, "doubted": {"signal stale"}},
	}
	profile := object.union(_cpu, {k: v | some k, v in tc; k == "default"})
	stale := object.union(_fleet(tc.n, {"cpu": 90}), {"signals": {"cpu": {"state": "stale"}}})
	_wanted(profile) == tc.want with input as stale
	_doubted(profile) == tc.doubted with input as stale
}

test_what_is_lacking[note] if {
	some note, tc in {
		"a signal missing": {
			"change": {"signals": {"cpu": {"state": "missing", "has_value": false}}},
			"want": "signal missing",
		},
		"a statistic": {"change": {"signals": {"cpu": {"has_value": false}}}, "want": "value unknown"},
		"the capacity": {"change": {"capacity": {"known": false}}, "want": "capacity unknown"},
	}
	_doubted(_cpu) == {tc.want} with input as object.union(_fleet(5, {"cpu": 50}), tc.change)
}

test_a_signal_that_is_not_there_is_a_fault if {
	_doubted(_cpu) == {"no signal cpu: the pool's definition has [queue]"} with input as _fleet(5, {"queue": 1})
}

test_ceiling if {
	rules.ceiling(_cpu) == {"code": "rules", "name": "max", "state": "known", "at_most": 40, "numbers": {}}
	fault := rules.ceiling({})
	fault.state == "fault"
}

test_a_profile_is_at_fault[note] if {
	rule := {"signal": "cpu", "over": 1, "by": 1}
	some note, tc in {
		"for no object": {
			"profile": 1,
			"detail": `a profile is an object, such as {"min": 1, "max": 4, "grow": [], "shrink": []}`,
		},
		"for an unknown field": {
			"profile": {"mim": 1},
			"detail": `rules.reasons has no option "mim"; did you mean min?`,
		},
		"for limits the wrong way round": {
			"profile": {"min": 2, "max": 1},
			"detail": "min and max must be given: whole numbers from 0 up, min no more than max",
		},
		"for a default that is none": {
			"profile": {"min": 1, "max": 2, "default": -1},
			"detail": "default must be a whole number from 0 up",
		},
		"for rules that are no list": {
			"profile": {"min": 1, "max": 2, "grow": rule},
			"detail": "grow and shrink must be lists of rules",
		},
		"for a rule that is none": {
			"profile": {"min": 1, "max": 2, "grow": [rule, 1]},
			"detail": `grow 2: a rule is an object, such as {"signal": "cpu", "over": 70, "by": 1}`,
		},
		"for a field of a rule": {
			"profile": {"min": 1, "max": 2, "grow": [object.union(rule, {"bye": 1})]},
			"detail": `grow 1: rules.reasons has no option "bye"; did you mean by?`,
		},
		"for a rule without signal": {
			"profile": {"min": 1, "max": 2, "grow": [{"over": 1, "by": 1}]},
			"detail": "grow 1: signal must be the name of one",
		},
		"for two comparisons": {
			"profile": {"min": 1, "max": 2, "shrink": [object.union(rule, {"under": 1})]},
			"detail": "shrink 1: give one of over, at_least, under, at_most, equals and differs",
		},
		"for a threshold that is none": {
			"profile": {"min": 1, "max": 2, "grow": [object.union(rule, {"over": "1"})]},
			"detail": "grow 1: the threshold must be a number",
		},
		"for two sizes": {
			"profile": {"min": 1, "max": 2, "grow": [object.union(rule, {"exact": 1})]},
			"detail": "grow 1: give one of by, percent and exact",
		},
		"for a size of nothing": {
			"profile": {"min": 1, "max": 2, "grow": [object.union(rule, {"by": 0})]},
			"detail": "grow 1: by and percent must be above 0, by and exact whole",
		},
		"for parts of nothing": {
			"profile": {"min": 1, "max": 2, "grow": [object.union(rule, {"parts": 0})]},
			"detail": "grow 1: divide and spread are true or false, parts is a whole number from 1 up",
		},
	}
	_doubted(tc.profile) == {tc.detail} with input as _fleet(5, {"cpu": 50})
}
