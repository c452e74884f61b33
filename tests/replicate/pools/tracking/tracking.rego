# METADATA
# title: Target tracking
# description: |
#   Follows the processor, and the requests of each instance at the same load, which go on rising where a processor is
#   full.
# schemas:
#   - input: schema.input.schema
package pools.tracking

import data.lib.scale

# METADATA
# title: Reasons
# description: The larger of the two counts.
# scope: document
want contains scale.track("cpu", {"target": input.settings.cpu_percent, "tolerance_grow": 0.1, "tolerance_shrink": 0.04})

want contains scale.track("requests", {"target": input.settings.requests_per_instance, "tolerance_grow": 0.1, "tolerance_shrink": 0.04})
