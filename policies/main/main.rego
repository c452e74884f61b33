# METADATA
# title: Entry point
# description: What is asked for each decision; it names no policy, so that a new one is only a new folder.
# schemas:
#   - input: schema.input.schema
package main

# METADATA
# title: Proposal
# description: |
#   The reasons, the blend, the ceilings and the pauses of the pool's policy. A policy without want is a fault of the
#   whole, which means hold; one without blend leaves the split alone, one without cap and pause is bound by the rails
#   only.
# entrypoint: true
# scope: document
proposal := {"version": 1, "want": want, "blend": blend} if {
	not _bounded
	want := data.pools[input.pool.policy].want
	blend := data.pools[input.pool.policy].blend
} else := {"version": 1, "want": want, "blend": null} if {
	not _bounded
	want := data.pools[input.pool.policy].want
} else := {"version": 1, "want": want, "blend": _blend, "cap": _cap, "pause": _pause} if {
	want := data.pools[input.pool.policy].want
} else := {"version": 1, "fault": sprintf("policy %s gives no want", [input.pool.policy])}

_bounded if data.pools[input.pool.policy].cap

_bounded if data.pools[input.pool.policy].pause

default _blend := null

_blend := data.pools[input.pool.policy].blend

_cap := {element | some element in data.pools[input.pool.policy].cap}

_pause := {element | some element in data.pools[input.pool.policy].pause}
