# METADATA
# title: Schedules
# description: |
#   Spans of the week that a pool's definition names, each in its own time zone. Whether one is active is reckoned
#   before the policy is asked and handed in, so that a recorded decision can be repeated.
# schemas:
#   - input: schema.input.schema
package lib.schedule

# METADATA
# title: Whether a schedule is active
# description: True or false; undefined for a name that the pool's definition does not have.
# scope: document
active(name) := input.schedules[name].active

# METADATA
# title: A floor while a schedule is active
# description: |
#   At least n instances while the named schedule is active; idle, and only recorded, while it is not. A name that the
#   pool's definition does not have is a fault.
# scope: document
at_least(name, n) := {
	"code": "schedule",
	"name": name,
	"state": "known",
	"instances": n,
	"numbers": {},
} if {
	input.schedules[name].active
	_whole(n)
} else := _fault(name, {"instances": 0}, detail) if {
	detail := _wrong(name, n)
} else := {
	"code": "schedule",
	"name": name,
	"state": "idle",
	"instances": 0,
	"numbers": {},
}

_wrong(name, n) := sprintf("no schedule %v: the pool's definition has [%s]", [name, names]) if {
	not input.schedules[name]
	names := concat(", ", object.keys(input.schedules))
} else := sprintf("%v is not a whole number of instances from 0 up", [n]) if {
	not _whole(n)
}

_whole(n) if {
	is_number(n)
	n >= 0
	round(n) == n
}

_fault(name, part, detail) := object.union(part, {
	"code": "schedule",
	"name": sprintf("%v", [name]),
	"state": "fault",
	"numbers": {},
	"detail": detail,
})
