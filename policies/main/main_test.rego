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

test_ceilings_and_pauses_are_the_policys if {
	policy := {"want": {_reason}, "blend": _blend, "cap": {"a ceiling"}, "pause": {"a pause"}}
	proposal := main.proposal with input as {"pool": {"policy": "probe"}} with data.pools as {"probe": policy}
	proposal == object.union({"version": 1}, policy)
}

test_one_of_the_two_is_enough[note] if {
	some note, tc in {
		"ceilings without pauses": {"given": {"cap": {"a ceiling"}}, "cap": {"a ceiling"}, "pause": set()},
		"pauses without ceilings": {"given": {"pause": {"a pause"}}, "cap": set(), "pause": {"a pause"}},
	}
	policy := object.union({"want": {_reason}}, tc.given)
	proposal := main.proposal with input as {"pool": {"policy": "probe"}} with data.pools as {"probe": policy}
	proposal.cap == tc.cap
	proposal.pause == tc.pause
	proposal.blend == null
}

test_a_policy_without_want_is_a_fault if {
	proposal := main.proposal with input as {"pool": {"policy": "probe"}}
		with data.pools as {"other": {"want": {_reason}}}
	proposal == {"version": 1, "fault": "policy probe gives no want"}
}
