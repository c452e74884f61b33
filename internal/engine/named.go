package engine

import "trimtab/internal/scale"

// Named returns what the engine does to a sample before it routes it: a sample whose sender knows its scale set by the
// mere name is given the set's ID, unless two sets of the pools have that name. It serves those who explain or replay.
func Named(pools []scale.Pool) func(*scale.Sample) {
	all := make([]*pool, len(pools))
	for i := range pools {
		all[i] = &pool{Pool: &pools[i]}
	}
	f := fleetOf(all)
	return f.name
}
