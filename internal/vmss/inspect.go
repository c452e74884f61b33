package vmss

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	armruntime "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// The versions of the interfaces that have no client here.
const (
	autoscaleVersion   = "2022-10-01"
	permissionsVersion = "2022-04-01"
)

// pagesAtMost bounds how many pages of a list are followed.
const pagesAtMost = 50

// Inspect reads what Read does, and what time it is there. Every error is a *scale.FleetError.
func (f *Fleet) Inspect(ctx context.Context, scaleSet string) (scale.Inspection, error) {
	t, err := f.target(opLook, scaleSet)
	if err != nil {
		return scale.Inspection{}, err
	}
	if fe := f.spend(opLook, t, classRead); fe != nil {
		return scale.Inspection{}, fe
	}
	ctx, cancel := context.WithTimeout(told(ctx, t, classRead), f.options.ReadTimeout)
	defer cancel()
	in := scale.Inspection{AskedAt: f.options.Now()}
	var answered *http.Response
	r, err := t.sets.Get(policy.WithCaptureResponse(ctx, &answered), t.group, t.name, nil)
	in.AnsweredAt = f.options.Now()
	if answered != nil {
		if at, err := http.ParseTime(answered.Header.Get("Date")); err == nil {
			in.ServerAt = at
		}
	}
	if err != nil {
		return in, f.fail(opLook, t, classRead, err)
	}
	if in.Facts, err = factsOf(&r.VirtualMachineScaleSet); err != nil {
		return in, &scale.FleetError{Op: opLook, Class: scale.ClassUnknown, Status: 200, Code: "IncompleteAnswer", Message: err.Error(), Err: err}
	}
	in.Facts.ReadAt = in.AskedAt
	return in, nil
}

// modelOf reads the rest of the document: what may work against decisions.
func modelOf(p *armcompute.VirtualMachineScaleSetProperties, spot, uniform bool) *scale.Model {
	m := &scale.Model{
		SinglePlacementGroup: on(p.SinglePlacementGroup), ZoneBalance: on(p.ZoneBalance),
		// Overprovisioning is on unless it is turned off, and is known to Uniform sets only (facts: VMSS 2.4).
		Overprovision: uniform && (p.Overprovision == nil || *p.Overprovision),
		SpotRestore:   p.SpotRestorePolicy != nil && on(p.SpotRestorePolicy.Enabled),
		Repairs:       p.AutomaticRepairsPolicy != nil && on(p.AutomaticRepairsPolicy.Enabled),
		Priority:      string(armcompute.VirtualMachinePriorityTypesRegular),
	}
	if p.PlatformFaultDomainCount != nil {
		m.FaultDomains = int(*p.PlatformFaultDomainCount)
	}
	if r := p.ResiliencyPolicy; r != nil && r.AutomaticZoneRebalancingPolicy != nil {
		m.ZoneRebalance = on(r.AutomaticZoneRebalancingPolicy.Enabled)
	}
	if spot {
		m.EvictionPolicy = string(armcompute.VirtualMachineEvictionPolicyTypesDeallocate)
	}
	profile := p.VirtualMachineProfile
	if profile == nil {
		return m
	}
	if profile.Priority != nil {
		m.Priority = string(*profile.Priority)
	}
	if spot && profile.EvictionPolicy != nil {
		m.EvictionPolicy = string(*profile.EvictionPolicy)
	}
	return m
}

// Permissions lists what the caller may do at the scale set.
func (f *Fleet) Permissions(ctx context.Context, scaleSet string) ([]scale.Permission, error) {
	t, err := f.target(opLook, scaleSet)
	if err != nil {
		return nil, err
	}
	type permission struct {
		Actions    []string `json:"actions"`
		NotActions []string `json:"notActions"`
	}
	found, fe := listed[permission](ctx, f, t, strings.TrimRight(scaleSet, "/")+"/providers/Microsoft.Authorization/permissions", permissionsVersion)
	if fe != nil {
		return nil, fe
	}
	permissions := make([]scale.Permission, len(found))
	for i, p := range found {
		permissions[i] = scale.Permission(p)
	}
	return permissions, nil
}

// Usable asks whether the usages of a location may be read, which a role on a resource group does not cover (facts: VMSS
// 6).
func (f *Fleet) Usable(ctx context.Context, scaleSet, location string) error {
	t, err := f.target(opLook, scaleSet)
	if err != nil {
		return err
	}
	path := "/subscriptions/" + url.PathEscape(t.subscription) + "/providers/Microsoft.Compute/locations/" + url.PathEscape(location) + "/usages"
	if _, fe := listed[struct{}](ctx, f, t, path, "2025-04-01"); fe != nil {
		return fe
	}
	return nil
}

// listed reads a whole list that no client here knows.
func listed[T any](ctx context.Context, f *Fleet, t target, path, version string) ([]T, *scale.FleetError) {
	pipeline, err := armruntime.NewPipeline("trimtab", "", f.cred, runtime.PipelineOptions{}, f.clientOptions())
	if err != nil {
		return nil, &scale.FleetError{Op: opLook, Class: scale.ClassInvalid, Code: "InvalidClient", Message: err.Error(), Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.ReadTimeout)
	defer cancel()
	var all []T
	next := f.host.Scheme + "://" + f.host.Host + path + "?api-version=" + version
	for range pagesAtMost {
		if fe := f.spend(opLook, t, classRead); fe != nil {
			return nil, fe
		}
		var page struct {
			Value    []T    `json:"value"`
			NextLink string `json:"nextLink"`
		}
		if err := get(ctx, pipeline, next, &page); err != nil {
			return nil, f.fail(opLook, t, classRead, err)
		}
		all = append(all, page.Value...)
		if page.NextLink == "" {
			return all, nil
		}
		// A token goes nowhere but to the host that was configured (facts: VMSS 1.2).
		link, err := url.Parse(page.NextLink)
		if err != nil || link.Scheme != f.host.Scheme || !strings.EqualFold(link.Host, f.host.Host) {
			return nil, &scale.FleetError{Op: opLook, Class: scale.ClassUnknown, Code: "ForeignLink", Message: "the next page lies at another host"}
		}
		next = page.NextLink
	}
	return nil, &scale.FleetError{Op: opLook, Class: scale.ClassUnknown, Code: "EndlessList", Message: fmt.Sprintf("the list has more than %d pages", pagesAtMost)}
}

func get(ctx context.Context, pipeline runtime.Pipeline, address string, into any) error {
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return err
	}
	resp, err := pipeline.Do(req)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return runtime.NewResponseError(resp)
	}
	return runtime.UnmarshalAsJSON(resp, into)
}
