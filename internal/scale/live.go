package scale

import "time"

// Live is what a count of a pool's machines said, one by one, as against the nominal count of the scale set (facts: VMSS
// 0.2, 3.2). A machine is there when it runs or is coming up. One that was deallocated, as evicted Spot machines are, is
// absent, and so is one that failed and does not run.
type Live struct {
	ReadAt time.Time `json:"read_at"`
	// Instances is how many machines are there: Regular and Spot. What is not known to be regular counts as Spot (facts:
	// VMSS 2.2).
	Instances int `json:"instances"`
	Regular   int `json:"regular"`
	Spot      int `json:"spot"`
	// PendingRegular and PendingSpot are those among them that are still coming up.
	PendingRegular int `json:"pending_regular"`
	PendingSpot    int `json:"pending_spot"`
	// Deallocated and Failed are the absent ones that the scale set still holds; Parked are those that Trimtab deallocated
	// itself, to start them again, which Deallocated does not count.
	Deallocated int `json:"deallocated"`
	Failed      int `json:"failed"`
	Parked      int `json:"parked,omitempty"`
	// FailedNames and EvictedNames name some of those that failed, and of the Spot ones among those that others deallocated:
	// none that is protected, or on which an operation goes on.
	FailedNames  []string `json:"failed_names,omitempty"`
	EvictedNames []string `json:"evicted_names,omitempty"`
	// ByZone splits the machines that are there by availability zone; those without a zone are under "".
	ByZone map[string]ZoneCount `json:"by_zone"`
	// Machines are the names of all that a Flexible set holds, nil where nobody listed them. They are in no view or entry.
	Machines []string `json:"-"`
	// Each are all machines that the set holds, as the count found them. They are in no view or entry either: what decisions
	// need of them is counted above.
	Each []Machine `json:"-"`
	// Attached is how many of the set's machines it did not make itself, AttachedNames the first few of them.
	Attached      int      `json:"attached,omitempty"`
	AttachedNames []string `json:"attached_names,omitempty"`
}

// ZoneCount is how many machines there are in one zone; Pending are those among them that are still coming up.
type ZoneCount struct {
	Regular int `json:"regular"`
	Spot    int `json:"spot"`
	Pending int `json:"pending"`
}

// Shortage is Spot that could not be had: since when, until when it is not asked for, and why.
type Shortage struct {
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
	Class Class     `json:"class"`
	Code  string    `json:"code,omitempty"`
	// Size is the size that could not be had; empty where the failure has nothing to do with it.
	Size string `json:"size,omitempty"`
}

// Repaired is a repair of the live split: when it began, and how many machines were of the wrong kind then.
type Repaired struct {
	At     time.Time `json:"at"`
	Astray int       `json:"astray"`
}

// SpotShort reports whether a failure says that Spot could not be had while regular machines of the size may: a
// combination that cannot be met is tried with regular ones too (facts: VMSS 3.3).
func SpotShort(c Class) bool {
	return c == ClassNoSpot || c == ClassQuotaSpot || c == ClassSpotPrice || c == ClassConstrained
}

// OfSize reports whether a failure is about the size of the machines: another size may be had (facts: VMSS 3.3).
func OfSize(c Class) bool {
	switch c {
	case ClassQuota, ClassNoCapacity, ClassNoCapacityZone, ClassConstrained, ClassNoSpot, ClassSpotPrice:
		return true
	}
	return false
}

// Pending is how many machines are still coming up.
func (l *Live) Pending() int { return l.PendingRegular + l.PendingSpot }
