package lib.mix_test

import data.lib.mix

# A fleet with so many regular machines, the Spot ones by zone, and so many of these still coming up.
_zoned_fleet(regular, zones, pending, lately) := {
	"capacity": {
		"known": true,
		"instances": regular + sum([n | some n in zones]),
		"in_flight": null,
		"mix": {"base": regular, "regular_percent": 0},
	},
	"facts": {"live": {
		"instances": regular + sum([n | some n in zones]),
		"regular": regular,
		"spot": sum([n | some n in zones]),
		"pending_regular": 0,
		"pending_spot": pending,
		"by_zone": {zone: {"regular": 0, "spot": n, "pending": 0} | some zone, n in zones},
	}},
	"spot": object.union(_calm_spot, lately),
}

test_reserve_spares_what_the_loss_of_a_zone_would_take[note] if {
	some note, tc in {
		"one, while Spot is calm": {"zones": {"1": 2, "2": 1, "3": 1}, "want": 4},
		"two in three zones once one has gone": {
			"zones": {"1": 2, "2": 1, "3": 1},
			"lately": {"quiet_seconds": 600},
			"want": 5,
		},
		"as many again in two": {"zones": {"1": 2, "2": 2}, "lately": {"quiet_seconds": 600}, "want": 6},
		"no more than the spare in four": {
			"zones": {"1": 1, "2": 1, "3": 1, "4": 1},
			"lately": {"quiet_seconds": 600},
			"want": 4,
		},
		"none where all would go together": {"zones": {"1": 3}, "lately": {"quiet_seconds": 600}, "want": 3},
		"but what is asked for there": {"zones": {"1": 3}, "options": {"spare_always": 2}, "want": 5},
		"the spare where zones are not known": {"zones": {"": 4}, "lately": {"quiet_seconds": 600}, "want": 4},
		"the spare where only some are": {"zones": {"": 2, "1": 2}, "lately": {"quiet_seconds": 600}, "want": 4},
		"the spare where a zone's worth is too much": {
			"zones": {"1": 2, "2": 2},
			"lately": {"quiet_seconds": 600},
			"options": {"zone_percent": 99},
			"want": 3,
		},
		"wary for so long": {
			"zones": {"1": 2, "2": 2},
			"lately": {"quiet_seconds": 600},
			"options": {"wary_seconds": 600},
			"want": 3,
		},
		"wary for three hours": {"zones": {"1": 2, "2": 2}, "lately": {"quiet_seconds": 10799}, "want": 6},
		"and no longer": {"zones": {"1": 2, "2": 2}, "lately": {"quiet_seconds": 10800}, "want": 3},
		"more to spare, if that is said": {"zones": {"1": 2, "2": 1}, "options": {"spare": 3}, "want": 6},
		"none where each zone would take more": {"zones": {"1": 2, "2": 2}, "want": 3},
		"nothing for what is regular": {"zones": {"1": 1}, "options": {"base": 3}, "want": 3},
	}
	options := object.union({"base": 0}, object.get(tc, "options", {}))
	view := _zoned_fleet(0, tc.zones, 0, object.get(tc, "lately", {}))
	reason := mix.reserve(_load(3), options) with input as view
	[reason.state, reason.instances] == ["known", tc.want]
}

test_hedged_stands_in_for_spot_that_could_not_be_had[note] if {
	some note, tc in {
		"what was evicted is asked for as Spot first": {
			"regular": 0,
			"zones": {"1": 1},
			"lately": {"quiet_seconds": 0},
			"want": [0, 3],
		},
		"once it could not be had, regular ones take its place": {
			"regular": 0,
			"zones": {"1": 1},
			"lately": {"blocked": true, "quiet_seconds": 0, "changed_seconds": 30},
			"want": [2, 3],
		},
		"all of them, and no more": {
			"regular": 3,
			"zones": {},
			"lately": {"blocked": true, "quiet_seconds": 0, "changed_seconds": 30},
			"want": [3, 3],
		},
		"Spot is asked for again after a while": {
			"regular": 3,
			"zones": {},
			"lately": {"blocked": true, "quiet_seconds": 0, "changed_seconds": 300},
			"want": [3, 7],
		},
		"what comes up leaves those standing that are there": {
			"regular": 3,
			"zones": {"1": 2, "2": 1, "3": 1},
			"pending": 4,
			"lately": {"quiet_seconds": 5000, "changed_seconds": 300},
			"want": [3, 8],
		},
		"and what is ready sends them home": {
			"regular": 3,
			"zones": {"1": 1, "2": 1, "3": 1, "4": 1},
			"lately": {"quiet_seconds": 5000, "changed_seconds": 300},
			"want": [0, 4],
		},
		"for a quarter of an hour": {
			"regular": 3,
			"zones": {},
			"lately": {"changed_seconds": 899},
			"want": [3, 7],
		},
		"as does time: repair brings what never came": {
			"regular": 3,
			"zones": {},
			"lately": {"changed_seconds": 900},
			"want": [0, 4],
		},
	}
	view := _zoned_fleet(tc.regular, tc.zones, object.get(tc, "pending", 0), tc.lately)
	options := {"base": 0}
	blend := mix.hedged(_load(3), options) with input as view
	reason := mix.reserve(_load(3), options) with input as view
	[blend.base, reason.instances] == tc.want
}

test_hedged_keeps_its_plan_under_what_stands_in if {
	view := _zoned_fleet(4, {"1": 2, "2": 2}, 0, {"blocked": true, "quiet_seconds": 0, "changed_seconds": 30})
	blend := mix.hedged(_load(10), {"base": 2, "regular_percent": 25}) with input as view
	reason := mix.reserve(_load(10), {"base": 2, "regular_percent": 25}) with input as view

	# Two and a quarter of eight are regular, six are Spot, two of which are not there.
	[blend.base, blend.regular_percent, reason.instances] == [6, 0, 10]
	reason.numbers == {"asked_spot": 4, "spare": 6, "stand_in": 2, "wanted": 10, "zones": 2}
}

test_reserve_is_known_only_where_its_parts_are[note] if {
	uncounted := object.union(_zoned_fleet(0, {"1": 3}, 0, {}), {"facts": {"live": null}})
	some note, tc in {
		"the load": {
			"load": {"code": "track", "name": "cpu", "state": "unknown", "instances": 0, "detail": "signal stale"},
			"view": {},
			"want": {"state": "unknown", "instances": 0, "detail": "signal stale"},
		},
		"the machines": {
			"view": uncounted,
			"want": {"state": "unknown", "instances": 0, "detail": "the machines have not been counted"},
		},
		"a set without Spot reserves nothing": {"view": {"spot": null}, "want": {"state": "known", "instances": 10}},
		"options": {
			"options": {"base": -1},
			"view": {},
			"want": {"state": "fault", "detail": "base must be a whole number from 0 up"},
		},
		"a reason": {
			"load": 10,
			"view": {},
			"want": {"state": "fault", "detail": "give a reason, as the functions of lib.scale give it"},
		},
	}
	view := object.union(_zoned_fleet(0, {"1": 3}, 0, {}), tc.view)
	reason := mix.reserve(object.get(tc, "load", _load(10)), object.get(tc, "options", {"base": 0})) with input as view
	object.subset(reason, tc.want)
}
