package lib.schedule

# METADATA
# title: A ceiling while a schedule is active
# description: |
#   At most n instances while the named schedule is active; idle, and only recorded, while it is not. It belongs into
#   cap, not into want.
# scope: document
at_most(name, n) := {"code": "schedule", "name": name, "state": "known", "at_most": n, "numbers": {}} if {
	not _wrong(name, n)
	input.schedules[name].active
} else := _fault(name, {"at_most": 0}, detail) if {
	detail := _wrong(name, n)
} else := {"code": "schedule", "name": name, "state": "idle", "at_most": 0, "numbers": {}}

# METADATA
# title: A change freeze
# description: |
#   Neither growth nor shrink nor a change of the split while the named schedule is active. It belongs into pause. The
#   rails stand above it: a pool below its minimum grows to it all the same.
# scope: document
pause(name) := _pause(name, "all")

# METADATA
# title: No growth while a schedule is active
# description: A shrink and a change of the split stay allowed. It belongs into pause.
# scope: document
pause_grow(name) := _pause(name, "grow")

# METADATA
# title: No shrink while a schedule is active
# description: Growth and a change of the split stay allowed. It belongs into pause.
# scope: document
pause_shrink(name) := _pause(name, "shrink")

_pause(name, stops) := {"code": "pause", "name": name, "state": "known", "stops": stops, "numbers": {}} if {
	input.schedules[name].active
} else := {"code": "pause", "name": name, "state": "idle", "stops": stops, "numbers": {}} if {
	input.schedules[name]
} else := object.union(_fault(name, {"stops": stops}, _wrong(name, 0)), {"code": "pause"})
