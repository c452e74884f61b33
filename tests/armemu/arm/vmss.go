package arm

import (
	"encoding/json"
	"fmt"
	"strings"
)

type setDoc struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	ETag       string            `json:"etag"`
	Zones      []string          `json:"zones,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	SKU        skuDoc            `json:"sku"`
	Properties setProperties     `json:"properties"`
}

type skuDoc struct {
	Name     string `json:"name"`
	Tier     string `json:"tier,omitempty"`
	Capacity int    `json:"capacity"`
}

type setProperties struct {
	OrchestrationMode    string     `json:"orchestrationMode"`
	ProvisioningState    string     `json:"provisioningState"`
	SinglePlacementGroup *bool      `json:"singlePlacementGroup,omitempty"`
	PriorityMixPolicy    *mixDoc    `json:"priorityMixPolicy,omitempty"`
	Profile              profileDoc `json:"virtualMachineProfile"`
	FaultDomains         *int       `json:"platformFaultDomainCount,omitempty"`
	Overprovision        *bool      `json:"overprovision,omitempty"`
	ZoneBalance          *bool      `json:"zoneBalance,omitempty"`
	SpotRestore          any        `json:"spotRestorePolicy,omitempty"`
	ScaleIn              any        `json:"scaleInPolicy,omitempty"`
	SKUProfile           any        `json:"skuProfile,omitempty"`
	Repairs              any        `json:"automaticRepairsPolicy,omitempty"`
	Resiliency           any        `json:"resiliencyPolicy,omitempty"`
}

type profileDoc struct {
	Priority       string         `json:"priority,omitempty"`
	EvictionPolicy string         `json:"evictionPolicy,omitempty"`
	StorageProfile map[string]any `json:"storageProfile"`
}

type mixDoc struct {
	Base    *int `json:"baseRegularPriorityCount"`
	Percent *int `json:"regularPriorityPercentageAboveBase"`
}

// doc renders the set; capacity is what the reader is to believe.
func (s *set) doc(capacity int) setDoc {
	d := setDoc{
		ID: s.resourceID(), Name: s.name, Type: "Microsoft.Compute/virtualMachineScaleSets", Location: s.Location,
		ETag: s.etag(), Zones: s.Zones, Tags: s.Tags, SKU: skuDoc{Name: s.Size, Tier: "Standard", Capacity: capacity},
		Properties: setProperties{
			OrchestrationMode: s.Orchestration, ProvisioningState: s.state, SinglePlacementGroup: s.SinglePlacementGroup,
			Profile: profileDoc{StorageProfile: map[string]any{"imageReference": s.image()}},
		},
	}
	p := &d.Properties
	p.FaultDomains, p.Overprovision, p.ZoneBalance = s.FaultDomains, s.Overprovision, s.ZoneBalance
	if s.ScaleIn != "Default" {
		p.ScaleIn = map[string]any{"rules": []string{s.ScaleIn}}
	}
	if s.restores != nil {
		// Under properties, where the SDK has it, and not where the page's sample nests it (facts: VMSS 2.2).
		p.SpotRestore = s.restores
	}
	if s.Repairs {
		p.Repairs = map[string]any{"enabled": true, "gracePeriod": "PT10M", "repairAction": "Replace"}
	}
	if s.AutoZoneBalance {
		p.Resiliency = map[string]any{"automaticZoneRebalancingPolicy": map[string]any{"enabled": true}}
	}
	if s.Size == mixSize {
		d.SKU.Tier = ""
		sizes := []map[string]any{}
		for _, size := range s.Sizes {
			sizes = append(sizes, map[string]any{"name": size})
		}
		p.SKUProfile = map[string]any{"vmSizes": sizes, "allocationStrategy": s.AllocationStrategy}
	}
	if s.interruptible() {
		d.Properties.Profile.Priority, d.Properties.Profile.EvictionPolicy = s.Priority, s.EvictionPolicy
	}
	if s.mix != nil {
		base, percent := s.mix.Base, s.mix.RegularPercent
		d.Properties.PriorityMixPolicy = &mixDoc{Base: &base, Percent: &percent}
	}
	return d
}

func (s *set) image() map[string]any {
	if s.ImageID != "" {
		return map[string]any{"id": s.ImageID}
	}
	return map[string]any{"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
}

func (w *world) readSet(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	capacity := s.nominal
	if len(s.lies) > 0 {
		capacity, s.lies = s.lies[0], s.lies[1:]
	}
	a := success(s.doc(capacity))
	a.header.Set("ETag", s.etag())
	return a
}

func (w *world) listSets(c call) answer {
	docs := []setDoc{}
	for _, s := range w.ordered() {
		if strings.EqualFold(s.subscription, c.args["sub"]) && strings.EqualFold(s.group, c.args["group"]) {
			docs = append(docs, s.doc(s.nominal))
		}
	}
	return success(map[string]any{"value": docs})
}

func readMix(raw json.RawMessage) (*Mix, error) {
	if null(raw) {
		return nil, nil
	}
	var d mixDoc
	if err := decodeStrict(raw, &d); err != nil {
		return nil, err
	}
	if d.Base == nil || d.Percent == nil {
		return nil, fmt.Errorf("both fields are needed")
	}
	if *d.Base < 0 || *d.Percent < 0 || *d.Percent > 100 {
		return nil, fmt.Errorf("base %d or percentage %d is out of range", *d.Base, *d.Percent)
	}
	return &Mix{Base: *d.Base, RegularPercent: *d.Percent}, nil
}
