# METADATA
# title: Entry point
# description: What is asked for each decision; it names no policy, so that a new one is only a new folder.
# schemas:
#   - input: schema.input.schema
package main

# METADATA
# title: Proposal
# description: |
#   The reasons and the blend of the pool's policy. A policy without want is a fault of the whole, which means hold; one
#   without blend leaves the split alone.
# entrypoint: true
# scope: document
proposal := {"version": 1, "want": want, "blend": blend} if {
	want := data.pools[input.pool.policy].want
	blend := data.pools[input.pool.policy].blend
} else := {"version": 1, "want": want, "blend": null} if {
	want := data.pools[input.pool.policy].want
} else := {"version": 1, "fault": sprintf("policy %s gives no want", [input.pool.policy])}
