package scale

import "time"

// Drift is how many machines fewer there are than the nominal count says: on a Flexible set machines go without the
// count (facts: VMSS 0.2, 2.2). Only what two reads have shown, some time apart, is sure: a list of machines lags behind
// the count after a write (facts: VMSS 5.5, row 11).
type Drift struct {
	// At is when Seen was read first.
	At   time.Time `json:"at"`
	Seen int       `json:"seen"`
	Sure int       `json:"sure"`
}

const (
	// driftApart is the least time between the two reads that make a drift sure.
	driftApart = 30 * time.Second
	// driftSettles is that time where machines are coming or going, or none at all are left and the list does not show them
	// deallocated: what is said about all of them is doubted longer, as a count of zero is.
	driftSettles = 10 * time.Minute
	// evictedLately is how long ago an eviction that was told of explains a drift at once.
	evictedLately = 10 * time.Minute
)

// Drifted is what is known about drift after a read: old is what was known before it. It is nil where there is none.
func Drifted(old *Drift, f Facts, evictions []Eviction) *Drift {
	if f.Live == nil {
		// Nobody has counted: what was sure then is not used until somebody does.
		return old
	}
	// What Trimtab parked itself is not missing.
	seen := f.Capacity - f.Live.Instances - f.Live.Parked
	if seen <= 0 {
		return nil
	}
	told := 0
	if old != nil {
		// What was sure stays so, and what was told of since comes on top.
		told = min(old.Sure, seen)
	}
	for _, e := range evictions {
		if f.ProvisioningState == "Updating" {
			// What an operation is making is missing too, and no eviction explains it.
			break
		}
		if old != nil && e.At.Before(old.At) {
			continue
		}
		if age := f.ReadAt.Sub(e.At); age <= evictedLately && age >= -time.Minute {
			told += e.Instances
		}
	}
	now := &Drift{At: f.ReadAt, Seen: seen, Sure: min(seen, told)}
	if old == nil {
		return now
	}
	apart := driftApart
	if f.ProvisioningState == "Updating" || f.Live.Pending() > 0 || f.Live.Instances == 0 && f.Live.Deallocated < seen {
		apart = driftSettles
	}
	if f.ReadAt.Sub(old.At) < apart {
		now.At, now.Seen = old.At, min(old.Seen, seen)
		now.Sure = max(now.Sure, min(old.Sure, seen))
		return now
	}
	now.Sure = max(now.Sure, min(old.Seen, seen))
	return now
}

// Unsure reports whether the machines are fewer than is sure, so that the next read may tell more.
func (d *Drift) Unsure() bool { return d != nil && d.Seen > d.Sure }

// Instances is how many instances the pool has, as far as decisions go: its own, and where it is one set of a pair, the
// other's.
func (m *Memory) Instances(f Facts) int {
	if f.Pair != nil {
		return m.Own(f) + f.Pair.Instances
	}
	return m.Own(f)
}

// Own is how many instances the set has, as far as decisions go: the nominal count less the machines that Trimtab has
// parked and those that are surely missing.
func (m *Memory) Own(f Facts) int {
	parked, _ := m.Off()
	if f.Live == nil || m.Drift == nil {
		return max(0, f.Capacity-parked)
	}
	return max(0, f.Capacity-parked-m.Drift.Sure)
}
