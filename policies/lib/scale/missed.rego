package lib.scale

import data.lib.spell

# METADATA
# title: What holds after so many misses
# description: |
#   The reason as it is, unless it is unknown because its signal is missing or stale: then it is held (it asks for
#   nothing and agrees to no shrink) for so many samples that should have come. After them it asks for the pool's
#   default, or for what there is if that is more. A signal that never had a sample has missed all. Options: misses (3
#   unless given); higher (the count to ask for, the default of the pool's limits unless given; without either the
#   reason stays unknown); signal (unless given the one that the reason is named after). It is for reasons of one
#   signal; an unknown capacity is no miss. The rails still let no pool shrink while one of its signals is not fresh.
# scope: document
# custom:
#   options: [higher, misses, signal]
after_misses(reason, options) := _fault("after_misses", _name(reason), detail) if {
	detail := _wrong_misses(reason, options)
} else := reason if {
	reason.state != "unknown"
} else := object.union(reason, {"detail": sprintf("missed %d, held for %d", [missed, most])}) if {
	most := object.get(options, "misses", 3)
	missed := _missed(object.get(options, "signal", reason.name))
	missed < most
} else := object.union(_stand_in(reason, max([higher, input.capacity.instances])), {"numbers": figures}) if {
	input.signals[object.get(options, "signal", reason.name)].state in {"missing", "stale"}
	input.capacity.known
	higher := object.get(options, "higher", input.limits["default"])
	higher > 0
	figures := {"current": input.capacity.instances, "higher": higher, "missing": 1}
} else := reason

# How many samples a signal has missed; undefined for one that never had any, and for one that is not missing.
_missed(signal) := object.get(measured, "missed", 0) if {
	measured := input.signals[signal]
	measured.state == "stale"
}

_wrong_misses(reason, options) := _no_reason if {
	not _reason(reason)
} else := `the second argument is an object of options, such as {"misses": 3}` if {
	not is_object(options)
} else := spell.stranger("scale.after_misses", options, {"higher", "misses", "signal"}) if {
	object.remove(options, {"higher", "misses", "signal"}) != {}
} else := "misses must be a whole number from 1 up" if {
	not _counts(object.get(options, "misses", 3))
} else := "higher must be a whole number of instances from 1 up" if {
	not _counts(object.get(options, "higher", 1))
} else := _no_signal(signal) if {
	signal := object.get(options, "signal", reason.name)
	not input.signals[signal]
}
