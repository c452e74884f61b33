package arm

import (
	"errors"
	"fmt"
)

// SetConfig is one scale set as it is at the start.
type SetConfig struct {
	// ID is the full ARM resource ID.
	ID            string `json:"id"`
	Location      string `json:"location"`
	Size          string `json:"size"`
	Orchestration string `json:"orchestration"`
	// Priority is the profile's, EvictionPolicy the profile's too; Regular and Deallocate unless given (facts: VMSS 2.2).
	Priority       string `json:"priority"`
	EvictionPolicy string `json:"eviction_policy"`
	Capacity       int    `json:"capacity"`
	Mix            *Mix   `json:"mix"`
	// SinglePlacementGroup is left out of the model when nil.
	SinglePlacementGroup *bool `json:"single_placement_group"`
	// ImageID names a managed or gallery image; a marketplace image when empty.
	ImageID string            `json:"image_id"`
	Tags    map[string]string `json:"tags"`
	// Zones spread the machines evenly; none for a regional set.
	Zones []string `json:"zones"`
	// Sizes make the set one with an instance mix: its sku's name is Mix, and machines take the sizes in this order, as far
	// as there is room (facts: VMSS 2.3).
	Sizes []string `json:"sizes"`
	// AllocationStrategy is the instance mix's; LowestPrice unless given.
	AllocationStrategy string `json:"allocation_strategy"`
	// FaultDomains, Overprovision and ZoneBalance are left out of the model when nil.
	FaultDomains  *int  `json:"fault_domains"`
	Overprovision *bool `json:"overprovision"`
	ZoneBalance   *bool `json:"zone_balance"`
	// SpotRestore is the time-out of spotRestorePolicy in ISO 8601; empty for a set without one.
	SpotRestore string `json:"spot_restore"`
	// AutoZoneBalance moves machines between zones by itself (facts: VMSS 2.4).
	AutoZoneBalance bool `json:"auto_zone_balance"`
	// Repairs turns automatic instance repairs on; the model says so, and nothing comes of it.
	Repairs bool `json:"repairs"`
	// ScaleIn is the rule by which machines go: Default, NewestVM or OldestVM.
	ScaleIn string `json:"scale_in"`
	// BootSeconds replaces the platform's for this set.
	BootSeconds *int `json:"boot_seconds"`
	// ETagMovesAtEnd makes the ETag move when an operation ends as well as when it begins; whether Azure does that is
	// not documented (facts: VMSS 10b).
	ETagMovesAtEnd bool `json:"etag_moves_at_end"`
}

// mixSize is the name that the sku of a set with an instance mix has (facts: VMSS 2.3).
const mixSize = "Mix"

// Mix is a priority mix policy.
type Mix struct {
	Base           int `json:"base"`
	RegularPercent int `json:"regular_percent"`
}

// regular is how many of n machines are regular: the floor of the share above the base, Spot takes the remainder
// (facts: VMSS 2.1).
func (m Mix) regular(n int) int {
	if n <= m.Base {
		return n
	}
	return m.Base + m.RegularPercent*(n-m.Base)/100
}

func (c SetConfig) withDefaults() SetConfig {
	fill := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	fill(&c.Location, "westeurope")
	fill(&c.Size, "Standard_D2s_v5")
	fill(&c.Orchestration, Flexible)
	fill(&c.Priority, Regular)
	fill(&c.EvictionPolicy, Deallocate)
	fill(&c.ScaleIn, "Default")
	if c.Size == mixSize && len(c.Sizes) == 0 {
		c.Sizes = []string{"Standard_D2s_v5", "Standard_D2as_v5"}
	}
	if len(c.Sizes) > 0 {
		c.Size = mixSize
		fill(&c.AllocationStrategy, "LowestPrice")
	}
	return c
}

func (c SetConfig) check() error {
	switch {
	case c.Orchestration != Flexible && c.Orchestration != Uniform:
		return fmt.Errorf("orchestration %q: want Flexible or Uniform", c.Orchestration)
	case c.EvictionPolicy != Delete && c.EvictionPolicy != Deallocate:
		return fmt.Errorf("eviction_policy %q: want Delete or Deallocate", c.EvictionPolicy)
	case c.Capacity < 0:
		return fmt.Errorf("capacity %d is negative", c.Capacity)
	case c.Mix != nil && (c.Orchestration != Flexible || c.Priority == Regular):
		return errors.New("a mix needs a Flexible set whose priority is Spot")
	case c.Mix != nil && c.SinglePlacementGroup != nil && *c.SinglePlacementGroup:
		return errors.New("a mix does not go with a single placement group")
	case len(c.Sizes) > 5:
		return errors.New("an instance mix has five sizes at most")
	case len(c.Sizes) > 0 && c.Orchestration != Flexible:
		return errors.New("an instance mix needs a Flexible set")
	case c.ScaleIn != "Default" && c.ScaleIn != "NewestVM" && c.ScaleIn != "OldestVM":
		return fmt.Errorf("scale_in %q: want Default, NewestVM or OldestVM", c.ScaleIn)
	case c.SpotRestore != "" && c.Priority == Regular:
		return errors.New("spot_restore needs a Spot set")
	case c.AutoZoneBalance && (len(c.Zones) < 2 || c.ZoneBalance != nil && *c.ZoneBalance):
		return errors.New("auto_zone_balance needs two zones or more, and zone_balance not true")
	}
	if c.SpotRestore != "" {
		if _, err := isoDuration(c.SpotRestore); err != nil {
			return fmt.Errorf("spot_restore: %w", err)
		}
	}
	return nil
}
