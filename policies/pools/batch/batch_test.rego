package pools.batch_test

import data.pools.batch

_signal(demand) := {"state": "fresh", "unit": "", "has_value": true, "has_demand": true, "demand_milli": demand}

_view(jobs, cpu, night) := {
	"capacity": {"known": true, "instances": 4, "age_seconds": 30, "mix": null, "in_flight": null},
	"signals": {"jobs": _signal(jobs), "cpu": _signal(cpu)},
	"schedules": {"nightly": {"active": night, "seconds_left": 3600}},
	"settings": batch.pool.settings,
}

test_want_asks_for[note] if {
	some note, tc in {
		"the standing floor, with nothing to do": {"view": _view(0, 0, false), "want": 1},
		"the nightly floor, before the run begins": {"view": _view(0, 0, true), "want": 8},
		"a worker for each four jobs, rounded up": {"view": _view(41000, 300000, true), "want": 11},
		"more, when the processor is the narrower place": {"view": _view(16000, 900000, false), "want": 12},
	}
	reasons := batch.want with input as tc.view
	count(reasons) == 4
	max({r.instances | some r in reasons; r.state == "known"}) == tc.want
}

test_there_is_no_blend if {
	not batch.blend with input as _view(0, 0, true)
}
