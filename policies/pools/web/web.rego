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
want contains scale.track("cpu", {"target": input.settings.cpu_percent, "tolerance": 0.1})

want contains scale.track("requests", {"target": input.settings.requests_per_instance})

want contains schedule.at_least("office_hours", input.settings.office_instances)

# METADATA
# title: Split
# description: Two regular instances that carry the tier alone for a while, and a quarter of those above them.
blend := mix.split({"base": 2, "regular_percent": 25})
