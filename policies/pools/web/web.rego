# METADATA
# title: A web tier
# description: |
#   Follows the processor and the requests of each instance, keeps a floor in office hours, and runs most of its
#   instances on Spot above a regular base.
# schemas:
#   - input: schema.input.schema
package pools.web

import data.lib.mix
import data.lib.scale
import data.lib.schedule

# METADATA
# title: Reasons
# description: The largest counts; the rails see to it that growth comes sooner than a shrink.
# scope: document
want contains scale.track("cpu", {"target": input.settings.cpu_percent, "tolerance": input.settings.tolerance})

want contains scale.track("requests", {
	"target": input.settings.requests_per_instance,
	"tolerance": input.settings.tolerance,
})

want contains schedule.at_least("office_hours", input.settings.office_instances)

# METADATA
# title: Split
# description: A regular base that can carry the tier alone for a while, and a share of regular instances above it.
blend := mix.split({"base": input.settings.regular_base, "regular_percent": input.settings.regular_percent})
