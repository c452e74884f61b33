package lib.mix_test

import data.lib.mix

_quarter := {"base": 2, "regular_percent": 25, "rounding": "regular_down"}

_regular := {"base": 0, "regular_percent": 100, "rounding": "regular_down"}

test_worth[note] if {
	some note, tc in {
		"cheap Spot is taken": {"options": {"regular": 0.192, "spot": 0.04}, "want": _quarter},
		"at nine tenths it is still worth it": {"options": {"regular": 0.2, "spot": 0.18}, "want": _quarter},
		"beyond that it is not": {"options": {"regular": 0.2, "spot": 0.181}, "want": _regular},
		"the share may be given": {"options": {"regular": 0.2, "spot": 0.11, "at_most": 0.5}, "want": _regular},
	}
	mix.worth(_quarter, tc.options) == tc.want
}

test_worth_says_what_is_wrong[note] if {
	some note, tc in {
		"a blend at fault": {"blend": {"fault": "x"}, "options": {}, "fault": "x"},
		"no object": {
			"blend": _quarter,
			"options": 0.2,
			"fault": `the second argument is an object of options, such as {"regular": 0.2, "spot": 0.04}`,
		},
		"an option that does not exist": {
			"blend": _quarter,
			"options": {"price": 1},
			"fault": "mix.worth has no option \"price\"; there are at_most, regular, spot",
		},
		"no price": {
			"blend": _quarter,
			"options": {"regular": 0.2},
			"fault": "regular and spot must be prices above 0",
		},
		"no share": {
			"blend": _quarter,
			"options": {"regular": 0.2, "spot": 0.1, "at_most": "half"},
			"fault": "at_most must be a share above 0",
		},
	}
	mix.worth(tc.blend, tc.options) == {"fault": tc.fault}
}

_night := {
	"schedule": "nightly",
	"seconds": 18000,
	"done": "jobs_done",
	"work": 1000,
	"seconds_each": 100,
	"restart_seconds": 600,
	"margin": 0.05,
}

# Ten instances in a night of five hours, with so much of it left and so much of the work done.
_batch(left, done, percent) := {
	"capacity": {"known": true, "instances": 10, "mix": {"base": 0, "regular_percent": percent}},
	"schedules": {"nightly": {"active": true, "seconds_left": left}},
	"signals": {"jobs_done": {"state": "fresh", "has_value": true, "value_milli": done * 1000}},
}

_spot_only := {"base": 0, "regular_percent": 0, "rounding": "regular_down"}

test_by_deadline[note] if {
	some note, tc in {
		"as far as the clock is far enough": {"left": 12600, "done": 300, "percent": 0, "want": _spot_only},
		"behind the clock all is regular": {"left": 12600, "done": 299, "percent": 0, "want": _regular},
		"caught up is not ahead: it stays regular": {"left": 12600, "done": 349, "percent": 100, "want": _regular},
		"ahead by the margin it returns": {"left": 12600, "done": 350, "percent": 100, "want": _spot_only},
		"at the start nothing need be done": {"left": 18000, "done": 0, "percent": 0, "want": _spot_only},
		"done is done": {"left": 60, "done": 1000, "percent": 0, "want": _spot_only},
	}
	blend := mix.by_deadline(_night) with input as _batch(tc.left, tc.done, tc.percent)
	blend == tc.want
}

test_by_deadline_is_regular_once_the_rest_takes_the_time_that_is_left if {
	# Work for 400 times 100 seconds on ten instances, ahead of the clock, and 600 seconds for a restart.
	options := object.union(_night, {"seconds": 4601, "work": 400})
	enough := mix.by_deadline(options) with input as _batch(4600, 1, 0)
	late := mix.by_deadline(options) with input as _batch(4560, 4, 0)
	slow := mix.by_deadline(object.union(options, {"seconds_each": 101})) with input as _batch(4600, 1, 0)
	[enough.regular_percent, late.regular_percent, slow.regular_percent] == [0, 100, 100]
}

test_by_deadline_follows_its_plan_outside_the_span if {
	view := object.union(_batch(1, 0, 0), {"schedules": {"nightly": {"active": false}}})
	blend := mix.by_deadline(object.union(_night, {"base": 1, "regular_percent": 10})) with input as view
	blend == {"base": 1, "regular_percent": 10, "rounding": "regular_down"}
}

test_by_deadline_returns_with_a_margin_of_a_twentieth_unless_told_otherwise if {
	plain := object.remove(_night, {"margin"})
	behind := mix.by_deadline(plain) with input as _batch(12600, 349, 100)
	behind == mix.by_deadline(_night) with input as _batch(12600, 349, 100)
	ahead := mix.by_deadline(plain) with input as _batch(12600, 350, 100)
	ahead == mix.by_deadline(_night) with input as _batch(12600, 350, 100)
}

test_by_deadline_is_regular_while_it_is_not_known_how_much_is_done if {
	view := object.union(_batch(12600, 900, 0), {"signals": {"jobs_done": {"state": "stale"}}})
	blend := mix.by_deadline(_night) with input as view
	blend == _regular
}

test_by_deadline_says_what_is_wrong[note] if {
	some note, tc in {
		"a schedule that is not there": {
			"over": {"schedule": "night"},
			"fault": "no schedule night: the pool's definition has [nightly]",
		},
		"a signal that is not there": {
			"over": {"done": "jobs"},
			"fault": "no signal jobs: the pool's definition has [jobs_done]",
		},
		"no work": {
			"over": {"work": 0},
			"fault": "seconds and work must be whole numbers from 1 up, restart_seconds one from 0 up",
		},
		"no time for each": {"over": {"seconds_each": 0}, "fault": "seconds_each must be a number above 0"},
		"a margin that is a string": {"over": {"margin": "5%"}, "fault": "margin must be a share from 0 up"},
		"a percentage over all": {
			"over": {"regular_percent": 101},
			"fault": "regular_percent must be a whole number from 0 to 100",
		},
	}
	blend := mix.by_deadline(object.union(_night, tc.over)) with input as _batch(12600, 900, 0)
	blend == {"fault": tc.fault}
}

test_by_deadline_wants_options if {
	blend := mix.by_deadline(1) with input as _batch(12600, 900, 0)
	blend == {"fault": "the argument is an object of options, such as {\"schedule\": \"nightly\", …}"}
}
