package lib.schedule

import data.lib.spell

# METADATA
# title: The floor of the profile in force
# description: |
#   At least as many instances as the profile in force says. Profiles are a list of objects with floor, ceiling and when
#   (the name of a schedule); one without when is the default. A schedule that lives between two dates comes before one
#   that recurs, and that before the default; among equals the first in the list. Other reasons may want more, up to the
#   ceiling. It belongs into want.
# scope: document
# custom:
#   elements: [ceiling, floor, when]
profile_floor(profiles) := object.union(_profile(chosen), {"state": "known", "instances": chosen.floor}) if {
	not _wrong_profiles(profiles)
	chosen := _chosen(profiles)
} else := object.union(_profile({}), {"state": "fault", "instances": 0, "detail": _wrong_profiles(profiles)})

# METADATA
# title: The ceiling of the profile in force
# description: |
#   At most as many instances as the profile in force says, chosen as profile_floor chooses it. It belongs into cap.
# scope: document
# custom:
#   elements: [ceiling, floor, when]
profile_ceiling(profiles) := object.union(_profile(chosen), {"state": "known", "at_most": chosen.ceiling}) if {
	not _wrong_profiles(profiles)
	chosen := _chosen(profiles)
} else := object.union(_profile({}), {"state": "fault", "at_most": 0, "detail": _wrong_profiles(profiles)})

_profile(chosen) := {"code": "profile", "name": object.get(chosen, "when", "default"), "numbers": figures} if {
	figures := {name: chosen[name] | some name in {"floor", "ceiling"}}
}

_chosen(profiles) := dated[0] if {
	dated := [p | some p in profiles; input.schedules[p.when].active; input.schedules[p.when].dated]
	count(dated) > 0
} else := recurring[0] if {
	recurring := [p | some p in profiles; input.schedules[p.when].active]
	count(recurring) > 0
} else := standing[0] if {
	standing := [p | some p in profiles; not p.when]
}

_wrong_profiles(profiles) := `profiles are a list of objects, such as [{"floor": 2, "ceiling": 10}]` if {
	not is_array(profiles)
} else := "one profile, and only one, is the default: it has no when" if {
	count([p | some p in profiles; not p.when]) != 1
} else := concat("; ", wrong) if {
	wrong := {text | some i, p in profiles; text := sprintf("profile %d: %s", [i + 1, _wrong_profile(p)])}
	count(wrong) > 0
}

_wrong_profile(p) := "a profile is an object, such as {\"floor\": 2, \"ceiling\": 10}" if {
	not is_object(p)
} else := spell.stranger("schedule.profile_floor", p, {"ceiling", "floor", "when"}) if {
	object.remove(p, {"ceiling", "floor", "when"}) != {}
} else := sprintf("no schedule %v: the pool's definition has [%s]", [p.when, names]) if {
	name := p.when
	not input.schedules[name]
	names := concat(", ", object.keys(input.schedules))
} else := "floor and ceiling must be whole numbers from 0 up" if {
	some name in {"floor", "ceiling"}
	not _whole(object.get(p, name, null))
} else := "floor must not lie above ceiling" if {
	p.floor > p.ceiling
}
