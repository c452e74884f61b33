package scale

import "time"

// Inspection is what a scale set's model says beyond what decisions need: where somebody else would work against them,
// or the platform would refuse them. It is read for a person, not for a decision.
type Inspection struct {
	Facts Facts
	// Priority is the profile's, as ARM writes it; Regular where it names none.
	Priority string
	// EvictionPolicy is Delete or Deallocate, Deallocate where the profile of a Spot set names none (facts: VMSS 2.2).
	EvictionPolicy       string
	SinglePlacementGroup bool
	// FaultDomains is 0 where the model does not say.
	FaultDomains  int
	Overprovision bool
	ZoneBalance   bool
	// SpotRestore is true where the platform itself tries to bring evicted machines back.
	SpotRestore bool
	// Repairs is true where the platform replaces unhealthy machines by itself.
	Repairs bool
	// VMPrefix begins the names of the machines that the set itself makes.
	VMPrefix string
	// ServerAt is the service's clock when it answered, in whole seconds, zero where it did not say; AskedAt and AnsweredAt
	// are ours around it.
	ServerAt, AskedAt, AnsweredAt time.Time
}

// Autoscaler is an Azure Autoscale setting.
type Autoscaler struct {
	ID string
	// Target is the resource ID of what it scales, lower-cased.
	Target  string
	Enabled bool
}

// Permission is what one role assignment allows its holder: the actions but for those taken out. They may hold asterisks.
type Permission struct {
	Actions, NotActions []string
}
