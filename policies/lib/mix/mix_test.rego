package lib.mix_test

import data.lib.mix

test_split_rounds_as_azure_does_unless_told if {
	mix.split({"base": 2, "regular_percent": 20}) == {"base": 2, "regular_percent": 20, "rounding": "regular_down"}
}

test_split_takes_a_rounding if {
	blend := mix.split({"base": 0, "regular_percent": 100, "rounding": "regular_up"})
	blend == {"base": 0, "regular_percent": 100, "rounding": "regular_up"}
}

test_split_hands_on_what_the_rails_do if {
	options := {"base": 2, "regular_percent": 20, "stand_in": true, "return_after_seconds": 1800}
	mix.split(options) == object.union(options, {"rounding": "regular_down"})
}

test_split_says_what_is_wrong[note] if {
	some note, tc in {
		"no object": {
			"options": 20,
			"fault": "the argument is an object of options, such as {\"base\": 2, \"regular_percent\": 20}",
		},
		"an option that does not exist": {
			"options": {"base": 2, "regular_percent": 20, "spot": 1},
			"fault": concat("", [
				`mix.split has no option "spot"; `,
				"there are base, regular_percent, return_after_seconds, rounding, stand_in",
			]),
		},
		"no base": {"options": {"regular_percent": 20}, "fault": "base must be a whole number from 0 up"},
		"a base that is a fraction": {
			"options": {"base": 1.5, "regular_percent": 20},
			"fault": "base must be a whole number from 0 up",
		},
		"more than all": {
			"options": {"base": 2, "regular_percent": 101},
			"fault": "regular_percent must be a whole number from 0 to 100",
		},
		"a percentage that is a string": {
			"options": {"base": 2, "regular_percent": "20"},
			"fault": "regular_percent must be a whole number from 0 to 100",
		},
		"a stand-in that is a number": {
			"options": {"base": 2, "regular_percent": 20, "stand_in": 1},
			"fault": "stand_in must be true or false, and return_after_seconds a whole number from 0 up",
		},
		"a rounding that does not exist": {
			"options": {"base": 2, "regular_percent": 20, "rounding": "up"},
			"fault": "rounding must be regular_down or regular_up",
		},
	}
	mix.split(tc.options) == {"fault": tc.fault}
}
