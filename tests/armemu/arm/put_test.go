package arm_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/tests/armemu/arm"
)

// CreateOrUpdate answers 201 for a set that is new and 200 for one that is there (facts: VMSS 1.2, from the SDK's client).
func TestSDKCreatesASetAndChangesItByPUT(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.BootSeconds = 60 })
	sets := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	fresh := armcompute.VirtualMachineScaleSet{
		Location: to.Ptr("westeurope"), SKU: &armcompute.SKU{Name: to.Ptr("Standard_D4s_v5"), Capacity: to.Ptr(int64(4))}, Zones: to.SliceOfPtrs("1", "2"),
		Tags: map[string]*string{"owner": to.Ptr("web")},
		Properties: &armcompute.VirtualMachineScaleSetProperties{
			OrchestrationMode: to.Ptr(armcompute.OrchestrationModeFlexible), PlatformFaultDomainCount: to.Ptr(int32(1)),
			PriorityMixPolicy: &armcompute.PriorityMixPolicy{BaseRegularPriorityCount: to.Ptr(int32(1)), RegularPriorityPercentageAboveBase: to.Ptr(int32(0))},
			VirtualMachineProfile: &armcompute.VirtualMachineScaleSetVMProfile{
				Priority: to.Ptr(armcompute.VirtualMachinePriorityTypesSpot), EvictionPolicy: to.Ptr(armcompute.VirtualMachineEvictionPolicyTypesDelete),
			},
		},
	}
	p, err := sets.BeginCreateOrUpdate(t.Context(), "rg", "fresh", fresh, &armcompute.VirtualMachineScaleSetsClientBeginCreateOrUpdateOptions{IfNoneMatch: to.Ptr("*")})
	if err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, "fresh"); s.ProvisioningState != "Creating" || s.Regular.Creating != 1 || s.Spot.Creating != 3 {
		t.Errorf("at once: got %+v, want one regular and three Spot machines on their way", s)
	}
	c.forward(time.Minute)
	if err := finish(t, p, nil); err != nil {
		t.Fatal(err)
	}
	got, err := sets.Get(t.Context(), "rg", "fresh", nil)
	if err != nil {
		t.Fatal(err)
	}
	if *got.SKU.Name != "Standard_D4s_v5" || *got.Tags["owner"] != "web" || len(got.Zones) != 2 || *got.Properties.VirtualMachineProfile.EvictionPolicy != "Delete" ||
		*got.Properties.PriorityMixPolicy.BaseRegularPriorityCount != 1 || *got.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("got %+v", got)
	}
	log := emu.Requests()
	if log[0].Method != "PUT" || log[0].Status != 201 {
		t.Errorf("got %s %d, want PUT 201", log[0].Method, log[0].Status)
	}
	_, err = sets.BeginCreateOrUpdate(t.Context(), "rg", "fresh", fresh, &armcompute.VirtualMachineScaleSetsClientBeginCreateOrUpdateOptions{IfNoneMatch: to.Ptr("*")})
	wantResponse(t, err, 412, "PreconditionFailed")

	// The sparse PUT that cluster-autoscaler sends has nothing under properties (facts: VMSS 1.1).
	r := send(t, emu, "PUT", *got.ID+version, `{"name":"fresh","location":"westeurope","sku":{"name":"Standard_D4s_v5","tier":"Standard","capacity":6}}`, "If-Match", *got.Etag)
	if r.status != 200 {
		t.Fatalf("sparse PUT: %d %s", r.status, r.body)
	}
	if s := state(t, emu, "fresh"); s.Capacity != 6 || s.Mix == nil || s.Regular.There != 1 || s.Spot.There != 5 {
		t.Errorf("got %+v, want six machines under the mix that there was", s)
	}
	// The whole answer of a GET may be sent back (facts: VMSS 1.1), and what somebody changed meanwhile goes with it.
	q, err := sets.BeginCreateOrUpdate(t.Context(), "rg", "fresh", got.VirtualMachineScaleSet, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := finish(t, q, nil); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, "fresh"); s.Capacity != 4 {
		t.Errorf("got capacity %d, want the 4 of the old answer", s.Capacity)
	}
	_, err = sets.BeginCreateOrUpdate(t.Context(), "rg", "fresh", got.VirtualMachineScaleSet, &armcompute.VirtualMachineScaleSetsClientBeginCreateOrUpdateOptions{IfMatch: got.Etag})
	wantResponse(t, err, 412, "PreconditionFailed")
}

func TestAPUTIsRefusedAsAPatchIs(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) {
		c.Sets = append(c.Sets, arm.SetConfig{ID: group + "virtualMachineScaleSets/mixed", Sizes: []string{"Standard_D2s_v5"}, Capacity: 1})
	})
	mixed := group + "virtualMachineScaleSets/mixed"
	cases := []struct {
		name, path, body string
		headers          []string
		status           int
		code             string
	}{
		{"another region", web, `{"location":"northeurope","sku":{"capacity":5}}`, nil, 409, "InvalidResourceLocation"},
		{"a real size on an instance mix", mixed, `{"location":"westeurope","sku":{"name":"Standard_D2s_v5","capacity":2}}`, nil, 400, "SkuNameMustBeMixIfSkuProfileIsSpecified"},
		{"a tier on an instance mix", mixed, `{"location":"westeurope","sku":{"name":"Mix","tier":"Standard","capacity":2}}`, nil, 400, "SkuTierMustNotBeSetIfSkuProfileIsSpecified"},
		{"another orchestration mode", web, `{"location":"westeurope","properties":{"orchestrationMode":"Uniform"}}`, nil, 409, "PropertyChangeNotAllowed"},
		{"a condition on a set that is not there", group + "virtualMachineScaleSets/none", `{"location":"westeurope"}`, []string{"If-Match", `"1"`}, 412, "PreconditionFailed"},
		{"a mix on a new uniform set", group + "virtualMachineScaleSets/none", `{"location":"westeurope","properties":{"orchestrationMode":"Uniform","virtualMachineProfile":{"priority":"Spot"},"priorityMixPolicy":{"baseRegularPriorityCount":1,"regularPriorityPercentageAboveBase":1}}}`, nil, 400, "InvalidParameter"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if r := send(t, emu, "PUT", c.path+version, c.body, c.headers...); r.status != c.status || r.code != c.code {
				t.Errorf("got %d %s, want %d %s: %s", r.status, r.code, c.status, c.code, r.body)
			}
		})
	}
	if sets := emu.Sets(); len(sets) != 4 {
		t.Errorf("a refused PUT made a set: %d", len(sets))
	}
}

// What armcompute's update model has can be changed by PATCH, and what it lacks cannot (facts: VMSS 1.1).
func TestSDKPatchesTheModelAndNotWhatIsFixed(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) {
		many := true
		c.Sets = append(c.Sets, arm.SetConfig{ID: group + "virtualMachineScaleSets/packed", Orchestration: arm.Uniform, SinglePlacementGroup: &many, Capacity: 1})
	})
	sets := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	p, err := sets.BeginUpdate(t.Context(), "rg", "web", armcompute.VirtualMachineScaleSetUpdate{
		Tags: map[string]*string{"owner": to.Ptr("trimtab")},
		Properties: &armcompute.VirtualMachineScaleSetUpdateProperties{
			SpotRestorePolicy: &armcompute.SpotRestorePolicy{Enabled: to.Ptr(true), RestoreTimeout: to.Ptr("PT1H")},
			ScaleInPolicy:     &armcompute.ScaleInPolicy{Rules: []*armcompute.VirtualMachineScaleSetScaleInRules{to.Ptr(armcompute.VirtualMachineScaleSetScaleInRulesOldestVM)}},
		},
	}, nil)
	if err := finish(t, p, err); err != nil {
		t.Fatal(err)
	}
	got, err := sets.Get(t.Context(), "rg", "web", nil)
	if err != nil {
		t.Fatal(err)
	}
	if *got.Tags["owner"] != "trimtab" || !*got.Properties.SpotRestorePolicy.Enabled || *got.Properties.SpotRestorePolicy.RestoreTimeout != "PT1H" ||
		*got.Properties.ScaleInPolicy.Rules[0] != armcompute.VirtualMachineScaleSetScaleInRulesOldestVM {
		t.Errorf("got %+v", got.Properties)
	}
	wide, err := sets.BeginUpdate(t.Context(), "rg", "packed", armcompute.VirtualMachineScaleSetUpdate{
		Properties: &armcompute.VirtualMachineScaleSetUpdateProperties{SinglePlacementGroup: to.Ptr(false)},
	}, nil)
	if err := finish(t, wide, err); err != nil {
		t.Fatal(err)
	}
	_, err = sets.BeginUpdate(t.Context(), "rg", "packed", armcompute.VirtualMachineScaleSetUpdate{
		Properties: &armcompute.VirtualMachineScaleSetUpdateProperties{SinglePlacementGroup: to.Ptr(true)},
	}, nil)
	wantResponse(t, err, 409, "PropertyChangeNotAllowed")
	off, err := sets.BeginUpdate(t.Context(), "rg", "web", armcompute.VirtualMachineScaleSetUpdate{
		Properties: &armcompute.VirtualMachineScaleSetUpdateProperties{SpotRestorePolicy: azcore.NullValue[*armcompute.SpotRestorePolicy]()},
	}, nil)
	if err := finish(t, off, err); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"the priority":                {plain, `{"properties":{"virtualMachineProfile":{"priority":"Spot"}}}`, 409, "PropertyChangeNotAllowed"},
		"the eviction policy":         {web, `{"properties":{"virtualMachineProfile":{"evictionPolicy":"Deallocate"}}}`, 409, "PropertyChangeNotAllowed"},
		"an eviction policy, regular": {plain, `{"properties":{"virtualMachineProfile":{"evictionPolicy":"Delete"}}}`, 400, "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines"},
		"the fault domains":           {web, `{"properties":{"platformFaultDomainCount":3}}`, 409, "PropertyChangeNotAllowed"},
		"zone balance":                {web, `{"properties":{"zoneBalance":true}}`, 409, "PropertyChangeNotAllowed"},
		"restoring regular machines":  {plain, `{"properties":{"spotRestorePolicy":{"enabled":true}}}`, 400, "SpotRestorationIsSupportedOnlyForAzureSpotScaleSets"},
		"overprovisioning, flexible":  {web, `{"properties":{"overprovision":true}}`, 400, "InvalidParameter"},
		"a name":                      {web, `{"name":"web","sku":{"capacity":4}}`, 400, "InvalidRequestContent"},
	} {
		if r := send(t, emu, "PATCH", c.path+version, c.body); r.status != c.status || r.code != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, r.status, r.code, c.status, c.code)
		}
	}
}

func TestSDKDeletesASetWhoseChangesAreRefusedMeanwhile(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.DeleteSeconds = 60 })
	sets := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	p, err := sets.BeginDelete(t.Context(), "rg", "web", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sets.BeginUpdate(t.Context(), "rg", "web", patch(9), nil)
	if re := wantResponse(t, err, http.StatusConflict, "OperationNotAllowed"); !strings.Contains(re.Error(), "marked for deletion") {
		t.Errorf("got %v, want it to say that the set is marked for deletion", re)
	}
	c.forward(time.Minute)
	if err := finish(t, p, nil); err != nil {
		t.Fatal(err)
	}
	_, err = sets.Get(t.Context(), "rg", "web", nil)
	wantResponse(t, err, http.StatusNotFound, "ResourceNotFound")
	again, err := sets.BeginDelete(t.Context(), "rg", "web", nil)
	if err != nil || !again.Done() {
		t.Errorf("a set that is not there: %v, want 204", err)
	}
}
