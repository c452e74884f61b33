# METADATA
# title: A job with a deadline
# description: One machine, on Spot as long as the work is as far as the clock.
# schemas:
#   - input: schema.input.schema
package pools.deadline

import data.lib.mix
import data.lib.scale

# METADATA
# title: Reasons
# description: The machine.
# scope: document
want contains scale.at_least(1, "job")

# METADATA
# title: Split
# description: Regular while the work is behind, and for good when the time left is no more than the rest takes.
blend := mix.by_deadline({
	"schedule": "run",
	"seconds": input.settings.seconds,
	"done": "done",
	"work": input.settings.work,
	"seconds_each": 3600,
	"restart_seconds": input.settings.restart_seconds,
	"margin": input.settings.margin,
})
