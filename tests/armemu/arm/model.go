package arm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Fields of a scale set's model beside sku and the priority mix. A PATCH takes those that armcompute's update model has; what
// that model lacks is fixed once the set is there (facts: VMSS 1.1). What is neither is refused as not emulated: to take
// and drop it would let a test pass that Azure fails.

// readOnly are the properties that a document may repeat from a GET.
var readOnly = []string{"provisioningState", "uniqueId", "timeCreated"}

// refusal is an answer that says no.
func refusal(status int, code, format string, args ...any) *answer {
	a := failure(status, code, fmt.Sprintf(format, args...))
	return &a
}

func invalid(format string, args ...any) *answer {
	return refusal(http.StatusBadRequest, "InvalidParameter", format, args...)
}

// notAllowed is the answer to an attempt to change what is fixed.
func notAllowed(property string) *answer {
	return refusal(http.StatusConflict, "PropertyChangeNotAllowed", "Changing property '%s' is not allowed.", property)
}

// same reports whether a document's value is the one that there is.
func same(raw json.RawMessage, is any) bool {
	want, err := json.Marshal(is)
	var a, b any
	return err == nil && json.Unmarshal(raw, &a) == nil && json.Unmarshal(want, &b) == nil && fmt.Sprint(a) == fmt.Sprint(b)
}

func null(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// readProperty adds what one property asks for to a change.
func (s *set) readProperty(ch *change, name string, raw json.RawMessage) *answer {
	decode := func(into any) *answer {
		if err := decodeStrict(raw, into); err != nil {
			return refusal(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: properties.%s: %v.", name, err)
		}
		return nil
	}
	switch name {
	case "priorityMixPolicy":
		return s.readMixChange(ch, raw)
	case "spotRestorePolicy":
		return s.readRestore(ch, raw, decode)
	case "scaleInPolicy":
		var p struct {
			Rules      []string `json:"rules"`
			Force      *bool    `json:"forceDeletion"`
			Unhealthy  *bool    `json:"prioritizeUnhealthyVMs"`
			Unemulated any      `json:"-"`
		}
		if !null(raw) {
			if bad := decode(&p); bad != nil {
				return bad
			}
		}
		rule := "Default"
		if len(p.Rules) > 0 {
			rule = p.Rules[0]
		}
		if len(p.Rules) > 1 || !slices.Contains([]string{"Default", "NewestVM", "OldestVM"}, rule) {
			return invalid("scaleInPolicy: rules %v.", p.Rules)
		}
		ch.model = append(ch.model, func(s *set) { s.ScaleIn = rule })
	case "overprovision":
		var on bool
		if bad := decode(&on); bad != nil {
			return bad
		}
		if on && s.Orchestration == Flexible {
			return invalid("overprovision is not supported with Flexible orchestration.")
		}
		ch.model = append(ch.model, func(s *set) { s.Overprovision = &on })
	case "singlePlacementGroup":
		return s.readPlacement(ch, raw, decode)
	case "virtualMachineProfile":
		return s.readProfile(ch, raw, decode)
	case "skuProfile":
		return s.readSizes(ch, raw, decode)
	case "orchestrationMode", "platformFaultDomainCount", "zoneBalance":
		is := map[string]any{"orchestrationMode": s.Orchestration, "platformFaultDomainCount": s.FaultDomains, "zoneBalance": s.ZoneBalance}[name]
		if !same(raw, is) {
			return notAllowed(name)
		}
	default:
		if !slices.Contains(readOnly, name) {
			return refusal(http.StatusNotImplemented, "NotEmulated", "The emulator does not know properties.%s.", name)
		}
	}
	return nil
}

func (s *set) readMixChange(ch *change, raw json.RawMessage) *answer {
	mix, err := readMix(raw)
	switch {
	case err != nil:
		return invalid("priorityMixPolicy: %v.", err)
	case mix != nil && (s.Orchestration != Flexible || !s.interruptible()):
		return invalid("A priorityMixPolicy needs Flexible orchestration and a Spot profile.")
	case mix != nil && s.SinglePlacementGroup != nil && *s.SinglePlacementGroup:
		return invalid("A priorityMixPolicy does not go with singlePlacementGroup.")
	case mix != nil && s.FaultDomains != nil && *s.FaultDomains > 1 && !preserves(s.Size):
		return invalid("A priorityMixPolicy does not go with platformFaultDomainCount %d for the size %s.", *s.FaultDomains, s.Size)
	}
	ch.mixGiven, ch.mix = true, mix
	return nil
}

// preserves reports whether a size's machines survive maintenance in memory: those of G, H, L, M and N do not
// (virtual-machine-scale-sets-orchestration-modes.md).
func preserves(size string) bool {
	m := sizeShape.FindStringSubmatch(size)
	return m == nil || !strings.ContainsAny(m[1][:1], "GHLMN")
}

func (s *set) readRestore(ch *change, raw json.RawMessage, decode func(any) *answer) *answer {
	var p restorePolicy
	if null(raw) {
		ch.model = append(ch.model, func(s *set) { s.restores, s.evicted = nil, nil })
		return nil
	}
	if bad := decode(&p); bad != nil {
		return bad
	}
	if p.Enabled && !s.interruptible() {
		return refusal(http.StatusBadRequest, "SpotRestorationIsSupportedOnlyForAzureSpotScaleSets",
			"Spot restoration feature is supported only for Azure Spot virtual machine scale sets.")
	}
	if p.Timeout != "" {
		if _, err := isoDuration(p.Timeout); err != nil {
			return invalid("spotRestorePolicy.restoreTimeout: %v.", err)
		}
	}
	ch.model = append(ch.model, func(s *set) { s.restores = &p })
	return nil
}

// readPlacement takes a placement group from one to several, which is the only way there is (facts: VMSS 1.1, 3.1).
func (s *set) readPlacement(ch *change, raw json.RawMessage, decode func(any) *answer) *answer {
	var single bool
	if bad := decode(&single); bad != nil {
		return bad
	}
	if single && (s.SinglePlacementGroup == nil || !*s.SinglePlacementGroup) {
		return notAllowed("singlePlacementGroup")
	}
	ch.model = append(ch.model, func(s *set) { s.SinglePlacementGroup = &single })
	return nil
}

// readProfile takes the part of the profile that can be changed, which of what is emulated is the highest price.
func (s *set) readProfile(_ *change, raw json.RawMessage, decode func(any) *answer) *answer {
	var p struct {
		Priority       *string         `json:"priority"`
		EvictionPolicy *string         `json:"evictionPolicy"`
		Storage        json.RawMessage `json:"storageProfile"`
	}
	if bad := decode(&p); bad != nil {
		return bad
	}
	if p.Priority != nil && *p.Priority != s.Priority {
		return notAllowed("virtualMachineProfile.priority")
	}
	if p.EvictionPolicy != nil {
		if !s.interruptible() {
			return refusal(http.StatusBadRequest, "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines", "Eviction policy can be set only on Azure Spot Virtual Machines.")
		}
		if *p.EvictionPolicy != s.EvictionPolicy {
			return notAllowed("virtualMachineProfile.evictionPolicy")
		}
	}
	if len(p.Storage) > 0 && !same(p.Storage, map[string]any{"imageReference": s.image()}) {
		return refusal(http.StatusNotImplemented, "NotEmulated", "The emulator does not change images.")
	}
	return nil
}

// readSizes replaces the sizes of an instance mix, for later scale operations (facts: VMSS 2.3).
func (s *set) readSizes(ch *change, raw json.RawMessage, decode func(any) *answer) *answer {
	var p struct {
		Sizes []struct {
			Name string `json:"name"`
			Rank *int   `json:"rank"`
		} `json:"vmSizes"`
		Strategy string `json:"allocationStrategy"`
	}
	if bad := decode(&p); bad != nil {
		return bad
	}
	switch {
	case s.Size != mixSize:
		return invalid("A skuProfile needs a set whose sku name is Mix.")
	case len(p.Sizes) == 0 || len(p.Sizes) > 5:
		return invalid("A skuProfile has one to five sizes, not %d.", len(p.Sizes))
	}
	sizes := make([]string, 0, len(p.Sizes))
	for _, one := range p.Sizes {
		sizes = append(sizes, one.Name)
	}
	ch.model = append(ch.model, func(s *set) {
		s.Sizes = sizes
		if p.Strategy != "" {
			s.AllocationStrategy = p.Strategy
		}
	})
	return nil
}

// readSKU adds what the sku asks for to a change.
func (s *set) readSKU(ch *change, name, tier *string, capacity *int) *answer {
	switch {
	case s.Size == mixSize && name != nil && *name != mixSize:
		return refusal(http.StatusBadRequest, "SkuNameMustBeMixIfSkuProfileIsSpecified", "The sku name must be Mix if a sku profile is specified.")
	case s.Size == mixSize && tier != nil:
		return refusal(http.StatusBadRequest, "SkuTierMustNotBeSetIfSkuProfileIsSpecified", "The sku tier must not be set if a sku profile is specified.")
	case capacity != nil && (*capacity < 0 || *capacity > s.platformMax()):
		return invalid("The value %d of parameter sku.capacity is out of range: 0 to %d.", *capacity, s.platformMax())
	}
	ch.capacity = capacity
	if name != nil {
		ch.size = *name
	}
	return nil
}
