package vmss

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

// Inspect reads what Read does and what a person wants to know besides. Every error is a *scale.FleetError.
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
	inspection(&in, &r.VirtualMachineScaleSet)
	return in, nil
}

// inspection reads the rest of the model.
func inspection(in *scale.Inspection, v *armcompute.VirtualMachineScaleSet) {
	p := v.Properties
	in.SinglePlacementGroup = on(p.SinglePlacementGroup)
	in.ZoneBalance = on(p.ZoneBalance)
	// Overprovisioning is on unless it is turned off, and is known to Uniform sets only (facts: VMSS 2.4).
	in.Overprovision = in.Facts.Orchestration == scale.Uniform && (p.Overprovision == nil || *p.Overprovision)
	if p.PlatformFaultDomainCount != nil {
		in.FaultDomains = int(*p.PlatformFaultDomainCount)
	}
	in.SpotRestore = p.SpotRestorePolicy != nil && on(p.SpotRestorePolicy.Enabled)
	in.Repairs = p.AutomaticRepairsPolicy != nil && on(p.AutomaticRepairsPolicy.Enabled)
	in.Priority = string(armcompute.VirtualMachinePriorityTypesRegular)
	if v.Name != nil {
		in.VMPrefix = *v.Name + "_"
	}
	profile := p.VirtualMachineProfile
	if profile == nil {
		return
	}
	if profile.Priority != nil {
		in.Priority = string(*profile.Priority)
	}
	if in.Facts.Spot {
		in.EvictionPolicy = string(armcompute.VirtualMachineEvictionPolicyTypesDeallocate)
		if profile.EvictionPolicy != nil {
			in.EvictionPolicy = string(*profile.EvictionPolicy)
		}
	}
}

// Strangers are the machines of a Flexible set that it did not make itself: attached by hand, of any size and priority,
// which no shrink may count on (facts: VMSS 2.4). They are told by their names. Others have none.
func (f *Fleet) Strangers(ctx context.Context, scaleSet string, in scale.Inspection) ([]string, error) {
	if in.Facts.Orchestration != scale.Flexible || in.VMPrefix == "" {
		return nil, nil
	}
	t, err := f.target(opLook, scaleSet)
	if err != nil {
		return nil, err
	}
	machines, fe := f.machinesOf(ctx, t, scaleSet, in.Facts)
	if fe != nil {
		return nil, fe
	}
	var strangers []string
	for _, m := range machines {
		if m.name != "" && !strings.HasPrefix(strings.ToLower(m.name), strings.ToLower(in.VMPrefix)) {
			strangers = append(strangers, m.name)
		}
	}
	slices.Sort(strangers)
	return strangers, nil
}

// Autoscalers lists the Azure Autoscale settings of the scale set's subscription or, where those may not be listed, of
// its resource group; whole says which.
func (f *Fleet) Autoscalers(ctx context.Context, scaleSet string) (settings []scale.Autoscaler, whole bool, err error) {
	t, err := f.target(opLook, scaleSet)
	if err != nil {
		return nil, false, err
	}
	const settingsPath = "/providers/Microsoft.Insights/autoscaleSettings"
	settings, fe := f.autoscalers(ctx, t, "/subscriptions/"+url.PathEscape(t.subscription)+settingsPath)
	if fe == nil {
		return settings, true, nil
	}
	if fe.Status != http.StatusForbidden {
		return nil, false, fe
	}
	settings, fe = f.autoscalers(ctx, t, "/subscriptions/"+url.PathEscape(t.subscription)+"/resourceGroups/"+url.PathEscape(t.group)+settingsPath)
	if fe != nil {
		return nil, false, fe
	}
	return settings, false, nil
}

func (f *Fleet) autoscalers(ctx context.Context, t target, path string) ([]scale.Autoscaler, *scale.FleetError) {
	type setting struct {
		ID         string `json:"id"`
		Properties struct {
			Enabled bool   `json:"enabled"`
			Target  string `json:"targetResourceUri"`
		} `json:"properties"`
	}
	found, fe := list[setting](ctx, f, t, path, autoscaleVersion)
	if fe != nil {
		return nil, fe
	}
	settings := make([]scale.Autoscaler, len(found))
	for i, s := range found {
		settings[i] = scale.Autoscaler{ID: s.ID, Enabled: s.Properties.Enabled, Target: strings.ToLower(strings.TrimRight(s.Properties.Target, "/"))}
	}
	return settings, nil
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
	found, fe := list[permission](ctx, f, t, strings.TrimRight(scaleSet, "/")+"/providers/Microsoft.Authorization/permissions", permissionsVersion)
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
	if _, fe := list[struct{}](ctx, f, t, path, "2025-04-01"); fe != nil {
		return fe
	}
	return nil
}

// list reads a whole list that no client here knows.
func list[T any](ctx context.Context, f *Fleet, t target, path, version string) ([]T, *scale.FleetError) {
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
