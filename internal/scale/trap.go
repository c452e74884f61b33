package scale

import "time"

// Model is what a scale set's document says beside its count: what may work against whoever scales it (facts: VMSS 2.1 to
// 2.4).
type Model struct {
	// Priority is the profile's, as ARM writes it; Regular where it names none.
	Priority string `json:"priority"`
	// EvictionPolicy is Delete or Deallocate, Deallocate where the profile of a Spot set names none; empty for a set
	// without Spot.
	EvictionPolicy       string `json:"eviction_policy,omitempty"`
	SinglePlacementGroup bool   `json:"single_placement_group,omitempty"`
	// FaultDomains is 0 where the document does not say.
	FaultDomains  int  `json:"fault_domains,omitempty"`
	Overprovision bool `json:"overprovision,omitempty"`
	// ZoneBalance makes a growth fail rather than spread unevenly; ZoneRebalance moves machines between zones by itself.
	ZoneBalance   bool `json:"zone_balance,omitempty"`
	ZoneRebalance bool `json:"zone_rebalance,omitempty"`
	// SpotRestore is true where the platform itself tries to bring evicted machines back.
	SpotRestore bool `json:"spot_restore,omitempty"`
	// Repairs is true where the platform replaces unhealthy machines by itself.
	Repairs bool `json:"repairs,omitempty"`
}

// Autoscale is what is known of Azure Autoscale settings that write the capacity of one scale set.
type Autoscale struct {
	ReadAt time.Time `json:"read_at"`
	// Whole is true where all settings of the subscription were seen, false where only those of the set's resource group
	// could be.
	Whole bool `json:"whole,omitempty"`
	// Problem is why none could be seen, empty where some could.
	Problem  string       `json:"problem,omitempty"`
	Settings []Autoscaler `json:"settings,omitempty"`
}

// Autoscaler is an Azure Autoscale setting.
type Autoscaler struct {
	ID      string `json:"id"`
	Enabled bool   `json:"enabled"`
}

// Effect is what a trap makes the rails do.
type Effect string

// The effects of a trap.
const (
	// TrapRefuses: the rails do not do what the trap would turn against the pool.
	TrapRefuses Effect = "refuses"
	// TrapWarns: the pool goes on, and the entry says what may go wrong.
	TrapWarns Effect = "warns"
	// TrapAccepted: the pool's definition says that it knows, and nothing is refused.
	TrapAccepted Effect = "accepted"
	// TrapUnseen: whether the trap is there could not be looked at.
	TrapUnseen Effect = "unseen"
)

// Trap is something about a scale set, or around it, that has made autoscalers fail.
type Trap struct {
	// Code is stable, in snake case; a pool's definition accepts the trap by it.
	Code   string `json:"code"`
	Effect Effect `json:"effect"`
	// Says is what was seen, and what follows.
	Says string `json:"says"`
}

// The codes of traps (facts: VMSS 2, 3.1).
const (
	TrapAutoscale       = "autoscale"
	TrapPlatformLimit   = "platform_limit"
	TrapMix             = "mix"
	TrapMixOnRegular    = "mix_on_regular"
	TrapMixInOneGroup   = "mix_in_one_group"
	TrapMixFaultDomains = "mix_fault_domains"
	TrapSpotRestore     = "spot_restore"
	TrapAttached        = "attached"
	TrapEvictionPolicy  = "eviction_policy"
	TrapOverprovision   = "overprovision"
	TrapZoneBalance     = "zone_balance"
	TrapZoneRebalance   = "zone_rebalance"
	TrapRepairs         = "repairs"
)

// AcceptableTraps are the codes that a pool's definition may accept. The others are what Azure itself refuses.
func AcceptableTraps() []string {
	return []string{
		TrapAutoscale, TrapMixFaultDomains, TrapSpotRestore, TrapAttached, TrapEvictionPolicy, TrapOverprovision, TrapZoneBalance,
		TrapZoneRebalance, TrapRepairs,
	}
}
