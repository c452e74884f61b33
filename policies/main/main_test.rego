package main_test

import data.main

_reason := {"code": "x", "state": "known", "instances": 3}

_blend := {"base": 1, "regular_percent": 50, "rounding": "regular_down"}

test_proposal_is_the_policys if {
	proposal := main.proposal with input as {"pool": {"policy": "probe"}}
		with data.pools as {"probe": {"want": {_reason}, "blend": _blend}}
	proposal == {"version": 1, "want": {_reason}, "blend": _blend}
}

test_a_policy_without_blend_leaves_the_split_alone if {
	proposal := main.proposal with input as {"pool": {"policy": "probe"}}
		with data.pools as {"probe": {"want": {_reason}}}
	proposal == {"version": 1, "want": {_reason}, "blend": null}
}

test_a_policy_without_want_is_a_fault if {
	proposal := main.proposal with input as {"pool": {"policy": "probe"}}
		with data.pools as {"other": {"want": {_reason}}}
	proposal == {"version": 1, "fault": "policy probe gives no want"}
}
