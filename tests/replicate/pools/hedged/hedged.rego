# METADATA
# title: A hedged service
# description: |
#   So many replicas, all on Spot while there is any, with the hedge's shipped defaults: neither its options nor the
#   pool's rails are tuned.
# schemas:
#   - input: schema.input.schema
package pools.hedged

import data.lib.mix
import data.lib.scale

# METADATA
# title: Reasons
# description: The replicas, and what the hedge takes on top of them.
# scope: document
want contains mix.reserve(_replicas, _hedge)

# METADATA
# title: Split
# description: No regular instance while Spot can be had.
blend := mix.hedged(_replicas, _hedge)

_replicas := scale.at_least(input.settings.replicas, "replicas")

_hedge := {"base": 0}
