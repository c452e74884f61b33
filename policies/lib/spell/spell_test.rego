package lib.spell_test

import data.lib.spell

_known := {"target", "tolerance", "tolerance_grow", "tolerance_shrink"}

test_stranger_names_the_function_the_option_and_the_nearest_name[note] if {
	some note, tc in {
		"one letter differs": {
			"given": {"tolerence": 1},
			"want": `scale.track has no option "tolerence"; did you mean tolerance?`,
		},
		"one letter is missing": {
			"given": {"targt": 60},
			"want": `scale.track has no option "targt"; did you mean target?`,
		},
		"two letters are swapped": {
			"given": {"tagret": 60},
			"want": `scale.track has no option "tagret"; did you mean target?`,
		},
		"it is only begun": {
			"given": {"tol": 0.1},
			"want": `scale.track has no option "tol"; did you mean tolerance?`,
		},
		"another case": {
			"given": {"Target": 60},
			"want": `scale.track has no option "Target"; did you mean target?`,
		},
		"the nearer of two": {
			"given": {"tolerance_grows": 0.1},
			"want": `scale.track has no option "tolerance_grows"; did you mean tolerance_grow?`,
		},
		"nothing is like it: all of them": {
			"given": {"goal": 60, "target": 50},
			"want": concat("", [
				`scale.track has no option "goal"; `,
				"there are target, tolerance, tolerance_grow, tolerance_shrink",
			]),
		},
		"several": {
			"given": {"targets": 60, "tolerances": 0.1},
			"want": concat("; ", [
				`scale.track has no option "targets"; did you mean target?`,
				`scale.track has no option "tolerances"; did you mean tolerance?`,
			]),
		},
		"a name that is no string": {
			"given": {60: 1},
			"want": concat("", [
				`scale.track has no option "60"; `,
				"there are target, tolerance, tolerance_grow, tolerance_shrink",
			]),
		},
	}
	spell.stranger("scale.track", tc.given, _known) == tc.want
}

test_stranger_says_nothing_where_all_are_known if {
	not spell.stranger("scale.track", {"target": 60}, _known)
	not spell.stranger("scale.track", {}, _known)
}

test_meant_takes_the_first_of_two_that_are_alike if {
	spell.meant("cap", {"cas", "cab"}) == "did you mean cab?"
}
