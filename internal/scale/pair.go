package scale

import "time"

// Role is which set of a pair a scale set is.
type Role string

// The roles in a pair.
const (
	RoleRegular Role = "regular"
	RoleSpot    Role = "spot"
)

// SpotSuffix ends the name under which the ledger keeps the Spot set of a pair. No pool's own name has a point.
const SpotSuffix = ".spot"

// Pair is what a set of a pair must know of the other one. Each has its own row, its own intent and its own operation, so
// that neither waits for the other; both follow one policy and one number.
type Pair struct {
	// Role is that of the set whose facts these stand in.
	Role Role `json:"role"`
	// What follows is the other set's. ReadAt is zero while nothing is known about it.
	ScaleSet string    `json:"scale_set"`
	ReadAt   time.Time `json:"read_at"`
	// Instances is how many it has, as far as decisions go; Intended what it was last asked for, that number if nothing.
	Instances int `json:"instances"`
	Intended  int `json:"intended"`
	// Pending are those of its instances that are still coming up, or are only asked for.
	Pending int `json:"pending"`
	// Live is the count of its machines, nil when they were not read.
	Live *Live `json:"live,omitempty"`
	// SpotShort is its last failure to get Spot, nil if there was none.
	SpotShort *Shortage `json:"spot_short,omitempty"`
	// SpotRestore is true where the platform brings its evicted machines back.
	SpotRestore bool `json:"spot_restore,omitempty"`
}

// Sum adds two counts of machines up; a nil one leaves the other, whose age is the greater of both.
func (l *Live) Sum(o *Live) *Live {
	if l == nil || o == nil {
		return nil
	}
	sum := *l
	if o.ReadAt.Before(sum.ReadAt) {
		sum.ReadAt = o.ReadAt
	}
	sum.Instances += o.Instances
	sum.Regular += o.Regular
	sum.Spot += o.Spot
	sum.PendingRegular += o.PendingRegular
	sum.PendingSpot += o.PendingSpot
	sum.Deallocated += o.Deallocated
	sum.Parked += o.Parked
	sum.Failed += o.Failed
	sum.ByZone = make(map[string]ZoneCount, len(l.ByZone)+len(o.ByZone))
	for _, zones := range []map[string]ZoneCount{l.ByZone, o.ByZone} {
		for name, z := range zones {
			total := sum.ByZone[name]
			total.Regular += z.Regular
			total.Spot += z.Spot
			total.Pending += z.Pending
			sum.ByZone[name] = total
		}
	}
	return &sum
}
