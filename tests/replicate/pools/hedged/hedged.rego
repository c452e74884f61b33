# METADATA
# title: A hedged service
# description: |
#   So many replicas and one to spare, all on Spot while there is any; regular ones stand in for what is not ready.
# schemas:
#   - input: schema.input.schema
package pools.hedged

import data.lib.mix
import data.lib.scale

# METADATA
# title: Reasons
# description: The replicas and the spare, and the regular ones that stand in for Spot on top, until it is ready.
# scope: document
want contains mix.spare(_replicas, input.settings.spare + blend.base)

# METADATA
# title: Split
# description: No regular instance while Spot is ready.
blend := mix.hedged(_replicas, {"base": 0, "spare": input.settings.spare, "cover": "unready", "hold_seconds": 0})

_replicas := scale.at_least(input.settings.replicas, "replicas")
