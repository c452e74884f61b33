package vmss

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// Read reads the facts of a scale set, afresh. Every error is a *scale.FleetError. Server errors, lost answers and short
// throttles are tried again a few times within the timeout; a Retry-After that outlasts it comes back at once.
func (f *Fleet) Read(ctx context.Context, scaleSet string) (scale.Facts, error) {
	t, err := f.target(opRead, scaleSet)
	if err != nil {
		return scale.Facts{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.ReadTimeout)
	defer cancel()
	delay := f.options.RetryDelay
	for retries := f.options.ReadRetries; ; retries-- {
		facts, fe := f.readOnce(ctx, t)
		if fe == nil {
			return facts, nil
		}
		wait := max(delay, fe.RetryAfter)
		again := fe.Class == scale.ClassUnsure || (fe.Class == scale.ClassThrottled && fe.Status != 0)
		if !again || retries <= 0 || !pause(ctx, wait) {
			return scale.Facts{}, fe
		}
		delay *= 2
	}
}

func (f *Fleet) readOnce(ctx context.Context, t target) (scale.Facts, *scale.FleetError) {
	if fe := f.spend(opRead, t, classRead); fe != nil {
		return scale.Facts{}, fe
	}
	// The facts are as old as the question, not as the answer.
	asked := f.options.Now()
	r, err := t.sets.Get(told(ctx, t, classRead), t.group, t.name, nil)
	if err != nil {
		return scale.Facts{}, f.fail(opRead, t, classRead, err)
	}
	facts, err := factsOf(&r.VirtualMachineScaleSet)
	if err != nil {
		return scale.Facts{}, &scale.FleetError{Op: opRead, Class: scale.ClassUnknown, Status: 200, Code: "IncompleteAnswer", Message: err.Error(), Err: err}
	}
	facts.ReadAt = asked
	return facts, nil
}

// factsOf makes facts of a scale set's document. What a decision rests on must be there: a capacity or a mix that the
// answer lacks is not zero, it is not known.
func factsOf(v *armcompute.VirtualMachineScaleSet) (scale.Facts, error) {
	missing := func(field string) (scale.Facts, error) {
		return scale.Facts{}, fmt.Errorf("the scale set's document has no %s", field)
	}
	p := v.Properties
	switch {
	case v.SKU == nil || v.SKU.Capacity == nil:
		return missing("sku.capacity")
	case v.Etag == nil || *v.Etag == "":
		return missing("etag")
	case p == nil || p.ProvisioningState == nil:
		return missing("properties.provisioningState")
	case *v.SKU.Capacity < 0 || *v.SKU.Capacity > math.MaxInt32:
		return scale.Facts{}, errors.New("sku.capacity is out of range")
	}
	facts := scale.Facts{
		Capacity: int(*v.SKU.Capacity), ETag: *v.Etag, ProvisioningState: *p.ProvisioningState,
		// A set from before there were modes has none, and is what is now called uniform.
		Orchestration: scale.Uniform,
	}
	if p.OrchestrationMode != nil {
		switch *p.OrchestrationMode {
		case armcompute.OrchestrationModeFlexible:
			facts.Orchestration = scale.Flexible
		case armcompute.OrchestrationModeUniform:
		default:
			return scale.Facts{}, fmt.Errorf("orchestration mode %q is not known", *p.OrchestrationMode)
		}
	}
	if m := p.PriorityMixPolicy; m != nil {
		if m.BaseRegularPriorityCount == nil || m.RegularPriorityPercentageAboveBase == nil {
			return missing("complete properties.priorityMixPolicy")
		}
		facts.Mix = &scale.Mix{Base: int(*m.BaseRegularPriorityCount), RegularPercent: int(*m.RegularPriorityPercentageAboveBase)}
	}
	if p.VirtualMachineProfile != nil && p.VirtualMachineProfile.Priority != nil {
		// Spot, SpotPlus, Low, and whatever comes next: what is not known to stay may go (facts: VMSS 2.2).
		facts.Spot = *p.VirtualMachineProfile.Priority != armcompute.VirtualMachinePriorityTypesRegular
	}
	if v.SKU.Name != nil {
		facts.Size = *v.SKU.Name
	}
	if p.SKUProfile != nil {
		for _, one := range p.SKUProfile.VMSizes {
			if one != nil && one.Name != nil {
				facts.Sizes = append(facts.Sizes, *one.Name)
			}
		}
	}
	if v.Location != nil {
		facts.Location = *v.Location
	}
	for _, zone := range v.Zones {
		if zone != nil {
			facts.Zones = append(facts.Zones, *zone)
		}
	}
	facts.PlatformMax, facts.PlatformMaxRule = platformMax(p)
	facts.Model = modelOf(p, facts.Spot, facts.Orchestration == scale.Uniform)
	return facts, nil
}

// Rules by which the platform bounds a scale set, as Facts.PlatformMaxRule names them (facts: VMSS 3.1).
const (
	ruleScaleSet             = "scale_set"
	ruleManagedImage         = "managed_image"
	ruleSinglePlacementGroup = "single_placement_group"
)

// platformMax is the lowest of the platform's limits that hold for the set. The limit of 200 for flexible sets with
// several fault domains depends on a property of sizes that the model does not show, so it is not among them.
func platformMax(p *armcompute.VirtualMachineScaleSetProperties) (n int, rule string) {
	if p.SinglePlacementGroup != nil && *p.SinglePlacementGroup {
		return 100, ruleSinglePlacementGroup
	}
	if profile := p.VirtualMachineProfile; profile != nil && profile.StorageProfile != nil {
		if ref := profile.StorageProfile.ImageReference; ref != nil && ref.ID != nil &&
			strings.Contains(strings.ToLower(*ref.ID), "/providers/microsoft.compute/images/") {
			return 600, ruleManagedImage
		}
	}
	return 1000, ruleScaleSet
}
