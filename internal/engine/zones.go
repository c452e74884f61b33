package engine

import (
	"slices"
	"time"

	"trimtab/internal/scale"
)

// zoneRetry is how long growth rests that failed for want of a zone which nobody names, in a set that spans several: Azure
// may take another the next time.
const zoneRetry = 5 * time.Minute

// zoned brings in which zone a back-off is about (facts: VMSS 3.3: size and zone). A zone that fails again while it rests is
// one that Azure insists on, as a set that balances its zones does: then everything rests.
func zoned(c *scale.Control, b *scale.BackOff, f *scale.FleetError, now time.Time) {
	if b.Class != scale.ClassNoCapacityZone {
		return
	}
	zones := c.Facts.Zones
	switch {
	case f.Zone == "" && len(zones) > 1:
		b.Until = now.Add(max(zoneRetry, f.RetryAfter))
	case f.Zone == "" && len(zones) == 1:
		b.Zone = zones[0]
	case slices.ContainsFunc(c.Memory.BackOffs, func(o scale.BackOff) bool {
		return o.Zone == f.Zone && o.Size == b.Size && o.Direction == b.Direction && now.Before(o.Until)
	}):
		b.Zone = ""
	default:
		b.Zone = f.Zone
	}
}

// resized forgets that Spot of another size could not be had (facts: VMSS 3.3). Back-offs name their size themselves.
func resized(c *scale.Control, size string) {
	if s := c.Memory.SpotShort; s != nil && s.Size != "" && s.Size != size {
		c.Memory.SpotShort = nil
	}
}
