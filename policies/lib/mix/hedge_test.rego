package lib.mix_test

import data.lib.mix

_load(n) := {"code": "any_of", "name": "load", "state": "known", "instances": n, "numbers": {}}

_calm_spot := {
	"missing": 0,
	"blocked": false,
	"quiet_seconds": null,
	"changed_seconds": null,
	"whole_seconds": null,
	"served_seconds": 0,
	"seen_seconds": 0,
	"evicted": 0,
	"rate_permille": 0,
	"floor": null,
}

# Ten instances with a mix of two regular ones, so many Spot machines there and what Spot has done lately.
_fleet(base, spot, lately) := {
	"capacity": {"known": true, "instances": 10, "in_flight": null, "mix": {"base": base, "regular_percent": 0}},
	"facts": {"live": {"instances": base + spot, "regular": base, "spot": spot, "pending_regular": 0, "pending_spot": 0}},
	"spot": object.union(_calm_spot, lately),
}

# od = min(N, b + max(0, N + k - b - s)) (features: C11).
test_hedged_reproduces_the_formula_where_it_counts_what_is_ready[note] if {
	some note, tc in {
		"all Spot is there": {"n": 10, "base": 0, "spare": 1, "ready": 11, "want": 0},
		"seven of eleven are not": {"n": 10, "base": 0, "spare": 1, "ready": 4, "want": 7},
		"none is: all, and no more": {"n": 10, "base": 0, "spare": 1, "ready": 0, "want": 10},
		"a base comes first": {"n": 10, "base": 2, "spare": 1, "ready": 5, "want": 6},
		"without spare": {"n": 10, "base": 2, "spare": 0, "ready": 8, "want": 2},
	}
	options := {"base": tc.base, "spare": tc.spare, "cover": "unready"}
	blend := mix.hedged(_load(tc.n), options) with input as _fleet(tc.base, tc.ready, {})
	blend == {"base": tc.want, "regular_percent": 0, "rounding": "regular_down"}
}

test_hedged_does_not_count_what_is_coming_up_as_ready if {
	view := object.union(_fleet(0, 10, {}), {"facts": {"live": {"pending_spot": 4}}})
	blend := mix.hedged(_load(10), {"base": 0, "cover": "unready"}) with input as view
	blend.base == 4
}

test_hedged_stands_in_for_what_is_missing[note] if {
	options := {"base": 2, "regular_percent": 25, "hold_seconds": 600, "cover": "missing"}
	some note, tc in {
		"the plan, while nothing is missing": {"base": 2, "lately": {}, "want": [2, 25]},
		"three missing after an eviction: 2 + 2 of the plan and 3": {
			"base": 2,
			"lately": {"missing": 3, "quiet_seconds": 60},
			"want": [7, 0],
		},
		"all of them, and no more": {
			"base": 2,
			"lately": {"missing": 9, "blocked": true},
			"want": [10, 0],
		},
		"the hedge stays for a while after Spot is whole": {
			"base": 7,
			"lately": {"quiet_seconds": 599},
			"want": [7, 0],
		},
		"and goes back after it": {"base": 7, "lately": {"quiet_seconds": 600}, "want": [2, 25]},
		"what has been missing for long is no reason": {"base": 2, "lately": {"missing": 3}, "want": [2, 25]},
		"a hedge for more than is wanted is cut": {"base": 40, "lately": {"quiet_seconds": 5}, "want": [10, 0]},
	}
	blend := mix.hedged(_load(10), options) with input as _fleet(tc.base, 8, tc.lately)
	[blend.base, blend.regular_percent] == tc.want
}

test_hedged_is_held_after_a_change_where_it_counts_what_is_ready if {
	options := {"base": 2, "cover": "unready", "hold_seconds": 600}
	lately := mix.hedged(_load(10), options) with input as _fleet(6, 8, {"changed_seconds": 599})
	later := mix.hedged(_load(10), options) with input as _fleet(6, 8, {"changed_seconds": 600})
	[lately.base, later.base] == [6, 2]
}

# Whole again for 599 and for 600 seconds, with a hedge of four above a base of two.
test_hedged_holds_the_fallback_for_one_boot_after_spot_is_whole_again[note] if {
	some note, tc in {
		"not whole": {"whole": 0, "want": 6},
		"whole for less than a boot": {"whole": 599, "want": 6},
		"whole for a boot": {"whole": 600, "want": 2},
		"never short": {"whole": null, "want": 2},
	}
	some cover in ["missing", "unready"]
	options := {"base": 2, "cover": cover, "hold_seconds": 600}
	lately := {"whole_seconds": tc.whole, "changed_seconds": 10, "seen_seconds": 60}
	blend := mix.hedged(_load(10), options) with input as _fleet(6, 8, lately)
	blend.base == tc.want
}

# If availability so far is at most the objective, the minimum is kept on demand (features: C11).
test_hedged_keeps_the_minimum_regular_while_too_little_was_available[note] if {
	some note, tc in {
		"99 of 100 hours, which is no more than the objective": {"served": 356400, "seen": 360000, "want": 4},
		"a second more": {"served": 356401, "seen": 360000, "want": 0},
		"nothing was watched": {"served": 0, "seen": 0, "want": 0},
	}
	some cover in ["missing", "unready"]
	lately := {"served_seconds": tc.served, "seen_seconds": tc.seen}
	view := object.union(_fleet(0, 11, lately), {"limits": {"min": 4}})
	blend := mix.hedged(_load(10), {"base": 0, "spare": 1, "slo": 0.99, "cover": cover}) with input as view
	blend.base == tc.want
}

test_hedged_takes_the_larger_of_what_is_lacking_and_the_minimum if {
	lately := {"served_seconds": 0, "seen_seconds": 60}
	view := object.union(_fleet(0, 4, lately), {"limits": {"min": 4}})
	blend := mix.hedged(_load(10), {"base": 0, "spare": 1, "slo": 0.99, "cover": "unready"}) with input as view
	blend.base == 7
}

test_hedged_leaves_the_split_as_it_is_while_something_is_not_known[note] if {
	some note, tc in {
		"what is wanted": {"load": {"code": "track", "name": "cpu", "state": "unknown"}, "over": {}},
		"what Spot has done": {"load": _load(10), "over": {"spot": null}},
		"what is there": {"load": _load(10), "over": {"facts": {"live": null}}},
	}
	view := object.union(_fleet(6, 4, {}), tc.over)
	blend := mix.hedged(tc.load, {"base": 2, "cover": "unready"}) with input as view
	blend == {"base": 6, "regular_percent": 0, "rounding": "regular_down"}
}

test_hedged_gives_the_plan_where_there_is_no_mix_to_leave if {
	view := object.union(_fleet(6, 4, {}), {"spot": null, "capacity": {"mix": null}})
	blend := mix.hedged(_load(10), {"base": 2}) with input as view
	blend == {"base": 2, "regular_percent": 0, "rounding": "regular_down"}
}

test_hedged_says_what_is_wrong[note] if {
	some note, tc in {
		"no object": {
			"options": 2,
			"fault": "the second argument is an object of options, such as {\"base\": 2, \"spare\": 1}",
		},
		"no base": {"options": {}, "fault": "base must be a whole number from 0 up"},
		"an option that does not exist": {
			"options": {"base": 2, "spares": 1},
			"fault": "mix.hedged has no option \"spares\"; did you mean spare?",
		},
		"a spare that is a fraction": {
			"options": {"base": 2, "spare": 0.5},
			"fault": "spare must be a whole number from 0 up",
		},
		"an objective that is no share": {
			"options": {"base": 2, "slo": 99},
			"fault": "slo must be a share above 0 and below 1",
		},
		"a way of counting that does not exist": {
			"options": {"base": 2, "cover": "all"},
			"fault": "cover must be absent, missing or unready",
		},
	}
	blend := mix.hedged(_load(10), tc.options) with input as _fleet(2, 8, {})
	blend == {"fault": tc.fault}
}

test_hedged_wants_a_reason if {
	blend := mix.hedged(10, {"base": 2}) with input as _fleet(2, 8, {})
	blend == {"fault": "the first argument is a reason, as the functions of lib.scale give it"}
}

test_spare_asks_for_more[note] if {
	some note, tc in {
		"than is wanted": {"load": _load(10), "k": 2, "want": {"state": "known", "instances": 12}},
		"never of what is not known": {
			"load": {"code": "track", "name": "cpu", "state": "unknown", "instances": 0, "detail": "signal stale"},
			"k": 2,
			"want": {"state": "unknown", "instances": 0, "detail": "signal stale"},
		},
		"only in whole instances": {"load": _load(10), "k": 0.5, "want": {"state": "fault", "instances": 0}},
	}
	object.subset(mix.spare(tc.load, tc.k), tc.want)
}

test_with_floor[note] if {
	blend := {"base": 2, "regular_percent": 25, "rounding": "regular_down"}
	some note, tc in {
		"raises the base to the floor": {"floor": 6, "want": 6},
		"leaves a plan alone that has as many": {"floor": 4, "want": 2},
	}
	got := mix.with_floor(blend) with input as _fleet(2, 8, {"floor": tc.floor})
	got == object.union(blend, {"base": tc.want})
}

test_with_floor_leaves_the_blend_while_nothing_is_known if {
	blend := {"base": 2, "regular_percent": 25, "rounding": "regular_down"}
	got := mix.with_floor(blend) with input as object.union(_fleet(2, 8, {}), {"spot": null})
	got == blend
}

test_with_floor_says_what_is_wrong[note] if {
	some note, tc in {
		"no spot_risk": {
			"blend": {"base": 2, "regular_percent": 25},
			"fault": "there is no floor: the pool's definition needs spot_risk",
		},
		"no blend": {
			"blend": 2,
			"fault": "the blend is what the functions of lib.mix give, with base and regular_percent",
		},
		"a blend at fault": {"blend": {"fault": "base must be"}, "fault": "base must be"},
	}
	got := mix.with_floor(tc.blend) with input as _fleet(2, 8, {})
	got == {"fault": tc.fault}
}
