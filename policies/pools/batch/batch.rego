# METADATA
# title: Batch workers
# description: |
#   Follows the jobs that each worker runs, never lets the processor saturate, and has workers ready before the nightly
#   run begins. A Uniform set has no priority mix: there is no blend.
# schemas:
#   - input: schema.input.schema
package pools.batch

import data.lib.scale
import data.lib.schedule

# METADATA
# title: Reasons
# description: What the jobs ask for, what the processor asks for, the nightly run, the standing floor.
# scope: document
want contains scale.track("jobs", {"target": input.settings.jobs_per_worker, "tolerance": 0})

want contains scale.track("cpu", {
	"target": input.settings.cpu_percent,
	"tolerance_grow": 0.05,
	"tolerance_shrink": 0.2,
})

want contains schedule.at_least("nightly", input.settings.nightly_workers)

want contains scale.at_least(input.settings.standing_workers, "standing")
