package pools.web_test

import data.pools.web

_signal(demand) := {"state": "fresh", "unit": "", "has_value": true, "has_demand": true, "demand_milli": demand}

_view(cpu, requests, office) := {
	"capacity": {"known": true, "instances": 5, "age_seconds": 30, "mix": null, "in_flight": null},
	"signals": {"cpu": _signal(cpu), "requests": _signal(requests)},
	"schedules": {"office_hours": {"active": office, "seconds_left": 3600}},
	"settings": web.pool.settings,
}

test_want_asks_for[note] if {
	some note, tc in {
		"what there is, on the target, at night": {"view": _view(300000, 600000, false), "want": 5},
		"the office floor, on the target, by day": {"view": _view(300000, 600000, true), "want": 6},
		"what the processor needs, if that is most": {"view": _view(600000, 600000, true), "want": 10},
		"what the requests need, if that is most": {"view": _view(300000, 1440000, true), "want": 12},
		"little at night": {"view": _view(60000, 120000, false), "want": 1},
	}
	reasons := web.want with input as tc.view
	count(reasons) == 3
	max({r.instances | some r in reasons; r.state == "known"}) == tc.want
}

test_want_is_unknown_for_a_signal_that_is_missing if {
	lacking := {"signals": {"cpu": {"state": "missing", "has_demand": false}}}
	reasons := web.want with input as object.union(_view(300000, 600000, true), lacking)
	{r.name | some r in reasons; r.state == "unknown"} == {"cpu"}
}

test_blend_keeps_a_regular_base if {
	blend := web.blend with input as _view(300000, 600000, true)
	blend == {"base": 2, "regular_percent": 25, "rounding": "regular_down"}
}
