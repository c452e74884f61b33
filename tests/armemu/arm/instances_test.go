package arm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/tests/armemu/arm"
)

func instanceIDs(ids ...string) armcompute.VirtualMachineScaleSetVMInstanceRequiredIDs {
	return armcompute.VirtualMachineScaleSetVMInstanceRequiredIDs{InstanceIDs: to.SliceOfPtrs(ids...)}
}

// names lists a flexible set's machines as the SDK sees them, by the filter on the set.
func names(t *testing.T, f *armcompute.ClientFactory, set string) (all []*armcompute.VirtualMachine) {
	t.Helper()
	pager := f.NewVirtualMachinesClient().NewListPager("rg", &armcompute.VirtualMachinesClientListOptions{
		Filter: to.Ptr("'virtualMachineScaleSet/id' eq '" + set + "'"), Expand: to.Ptr(armcompute.ExpandTypeForListVMsInstanceView),
	})
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Value...)
	}
	return all
}

func TestSDKDeletesChosenInstancesAndCapacityFollows(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	sets := f.NewVirtualMachineScaleSetsClient()
	first := *names(t, f, plain)[0].Name
	p, err := sets.BeginDeleteInstances(t.Context(), "rg", "plain", instanceIDs(first), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.PollUntilDone(t.Context(), often); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, plain); s.Capacity != 4 || s.Regular.There != 4 || s.ETag != `"2"` {
		t.Errorf("flexible: got %+v, want four machines of four and the next ETag", s)
	}
	for _, vm := range names(t, f, plain) {
		if *vm.Name == first {
			t.Errorf("%s is still there", first)
		}
	}
	p, err = sets.BeginDeleteInstances(t.Context(), "rg", "jobs", instanceIDs("0", "2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.PollUntilDone(t.Context(), often); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Capacity != 1 || s.Regular.There != 1 {
		t.Errorf("uniform: got %+v, want one machine of one", s)
	}
	_, err = sets.BeginDeleteInstances(t.Context(), "rg", "jobs", instanceIDs("1", "7"), nil)
	wantResponse(t, err, 400, "InvalidParameter")
	if s := state(t, emu, jobs); s.Capacity != 1 {
		t.Errorf("a deletion with an unknown instance took %d away", 1-s.Capacity)
	}
}

func TestASecondDeletionWhileOneRunsIsAConflict(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.DeleteSeconds = 60 })
	sets := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	if _, err := sets.BeginDeleteInstances(t.Context(), "rg", "jobs", instanceIDs("0"), nil); err != nil {
		t.Fatal(err)
	}
	_, err := sets.BeginDeleteInstances(t.Context(), "rg", "jobs", instanceIDs("1"), nil)
	wantResponse(t, err, 409, "Conflict")
	c.forward(time.Minute)
	if _, err := sets.BeginDeleteInstances(t.Context(), "rg", "jobs", instanceIDs("1"), nil); err != nil {
		t.Errorf("once the first has ended: %v", err)
	}
}

func TestANewerPatchPreemptsADeletion(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.DeleteSeconds = 60 })
	f := sdk(t, emu, policy.RetryOptions{})
	sets := f.NewVirtualMachineScaleSetsClient()
	p, err := sets.BeginDeleteInstances(t.Context(), "rg", "web", instanceIDs(*names(t, f, web)[0].Name), nil)
	if err != nil {
		t.Fatal(err)
	}
	begin(t, sets, 6)
	_, err = p.PollUntilDone(t.Context(), often)
	wantResponse(t, err, 200, "OperationPreempted")
}

func TestSDKDeallocatesAndStarts(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.BootSeconds = 30 })
	f := sdk(t, emu, policy.RetryOptions{})
	sets := f.NewVirtualMachineScaleSetsClient()
	some := []string{*names(t, f, plain)[0].Name, *names(t, f, plain)[1].Name}
	p, err := sets.BeginDeallocate(t.Context(), "rg", "plain", &armcompute.VirtualMachineScaleSetsClientBeginDeallocateOptions{
		VMInstanceIDs: &armcompute.VirtualMachineScaleSetVMInstanceIDs{InstanceIDs: to.SliceOfPtrs(some...)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.PollUntilDone(t.Context(), often); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, plain); s.Capacity != 5 || s.Regular.There != 5 || s.Regular.Deallocated != 2 {
		t.Errorf("got %+v, want capacity to keep five, two of them deallocated", s)
	}
	stopped := 0
	for _, vm := range names(t, f, plain) {
		if *vm.Properties.InstanceView.Statuses[1].Code == "PowerState/deallocated" {
			stopped++
		}
	}
	if stopped != 2 {
		t.Errorf("the list shows %d deallocated machines, want 2", stopped)
	}
	if _, err := sets.BeginStart(t.Context(), "rg", "plain", nil); err != nil {
		t.Fatal(err)
	}
	c.forward(30 * time.Second)
	if s := state(t, emu, plain); s.Regular.Running != 5 {
		t.Errorf("half a minute after the start: got %+v, want five running", s)
	}
}

func TestDeletingAMachineByItsOwnResourceMakesAFlexibleSetDrift(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	p, err := f.NewVirtualMachinesClient().BeginDelete(t.Context(), "rg", *names(t, f, plain)[0].Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.PollUntilDone(t.Context(), often); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, plain); s.Capacity != 5 || s.Regular.There != 4 || s.ETag != `"1"` {
		t.Errorf("flexible: got %+v, want four machines of five", s)
	}
	q, err := f.NewVirtualMachineScaleSetVMsClient().BeginDelete(t.Context(), "rg", "jobs", "1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.PollUntilDone(t.Context(), often); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Capacity != 2 || s.Regular.There != 2 {
		t.Errorf("uniform: got %+v, want two machines of two", s)
	}
}

func TestSimulatedEvictionTakesSpotOnly(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	for _, vm := range names(t, f, web) {
		_, err := f.NewVirtualMachinesClient().SimulateEviction(t.Context(), "rg", *vm.Name, nil)
		if *vm.Properties.Priority == armcompute.VirtualMachinePriorityTypesRegular {
			wantResponse(t, err, 409, "OperationNotAllowed")
		} else if err != nil {
			t.Error(err)
		}
	}
	if s := state(t, emu, web); s.Spot.There != 0 || s.Regular.There != 3 || s.Capacity != 4 {
		t.Errorf("got %+v, want the one Spot machine gone", s)
	}
}

func TestZonesAreFilledAndEmptiedEvenly(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) {
		c.Sets = []arm.SetConfig{{ID: plain, Capacity: 4, Zones: []string{"1", "2", "3"}}}
	})
	f := sdk(t, emu, policy.RetryOptions{})
	want := func(what string, one, two, three int) {
		t.Helper()
		got := map[string]int{}
		for _, vm := range names(t, f, plain) {
			got[*vm.Zones[0]]++
		}
		if got["1"] != one || got["2"] != two || got["3"] != three {
			t.Errorf("%s: got %v, want %d, %d and %d", what, got, one, two, three)
		}
	}
	want("at the start", 2, 1, 1)
	resize(t, emu, plain, `{"sku":{"capacity":8}}`)
	want("grown to 8", 3, 3, 2)
	resize(t, emu, plain, `{"sku":{"capacity":3}}`)
	want("shrunk to 3", 1, 1, 1)
}

func TestScaleInHeedsItsRuleAndProtection(t *testing.T) {
	for rule, gone := range map[string]string{"OldestVM": "old", "NewestVM": "new", "Default": "new"} {
		emu, c := platform(t, func(c *arm.Config) {
			c.Sets = []arm.SetConfig{{ID: plain, Capacity: 1, ScaleIn: rule}}
		})
		f := sdk(t, emu, policy.RetryOptions{})
		old := *names(t, f, plain)[0].Name
		c.forward(time.Hour)
		resize(t, emu, plain, `{"sku":{"capacity":2}}`)
		resize(t, emu, plain, `{"sku":{"capacity":1}}`)
		if left := *names(t, f, plain)[0].Name; (left == old) != (gone == "new") {
			t.Errorf("%s: %s is left, want the %s one gone", rule, left, gone)
		}
	}
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	yes := true
	last := *names(t, f, plain)[4].Name
	turn(t, emu, arm.Machine{Set: plain, Name: last, Protected: &yes})
	resize(t, emu, plain, `{"sku":{"capacity":1}}`)
	if left := names(t, f, plain); len(left) != 1 || *left[0].Name != last {
		t.Errorf("got %d machines, want the protected one to be left", len(left))
	}
}

func TestScarcityLeavesFailedMachinesAndAFailedOperation(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.Scarce{Set: web, Priority: arm.Spot, Left: 1, Code: "SkuNotAvailable"})
	op := resize(t, emu, web, `{"sku":{"capacity":10}}`)
	if status, code := opStatus(t, emu, op); status != "Failed" || code != "SkuNotAvailable" {
		t.Errorf("got %s %s, want Failed SkuNotAvailable", status, code)
	}
	// Four of six regular, one Spot that was there, one that came, two that did not.
	if s := state(t, emu, web); s.Capacity != 10 || s.Regular.Running != 6 || s.Spot.Running != 2 || s.Spot.Failed != 2 || s.ProvisioningState != "Failed" {
		t.Errorf("got %+v, want capacity kept, six regular, two Spot up and two failed", s)
	}
	turn(t, emu, arm.Scarce{Set: web, Priority: arm.Spot, Lift: true})
	if status, code := opStatus(t, emu, resize(t, emu, web, `{"sku":{"capacity":12}}`)); status != "Succeeded" {
		t.Errorf("once lifted: got %s %s", status, code)
	}
}

func TestAZoneWithoutRoomFailsByItsOwnCode(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) {
		c.Sets = []arm.SetConfig{{ID: plain, Capacity: 0, Zones: []string{"1", "2"}}}
	})
	turn(t, emu, arm.Scarce{Zone: "2"})
	if status, code := opStatus(t, emu, resize(t, emu, plain, `{"sku":{"capacity":4}}`)); status != "Failed" || code != "ZonalAllocationFailed" {
		t.Errorf("got %s %s", status, code)
	}
	if s := state(t, emu, plain); s.Regular.Running != 2 || s.Regular.Failed != 2 {
		t.Errorf("got %+v, want zone 1 served and zone 2 not", s)
	}
}

func TestAnInstanceMixTakesTheSizeThatThereIs(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) {
		c.Sets = []arm.SetConfig{{ID: plain, Capacity: 1, Sizes: []string{"Standard_D4s_v5", "Standard_D4as_v5"}}}
	})
	f := sdk(t, emu, policy.RetryOptions{})
	got, err := f.NewVirtualMachineScaleSetsClient().Get(t.Context(), "rg", "plain", nil)
	if err != nil || *got.SKU.Name != "Mix" || got.SKU.Tier != nil || len(got.Properties.SKUProfile.VMSizes) != 2 {
		t.Fatalf("got %+v, %v; want sku Mix without a tier and two sizes", got.SKU, err)
	}
	turn(t, emu, arm.Scarce{Size: "Standard_D4s_v5"})
	if status, code := opStatus(t, emu, resize(t, emu, plain, `{"sku":{"capacity":3}}`)); status != "Succeeded" {
		t.Errorf("got %s %s, want the second size to do", status, code)
	}
	sizes := map[string]int{}
	for _, vm := range names(t, f, plain) {
		sizes[string(*vm.Properties.HardwareProfile.VMSize)]++
	}
	if sizes["Standard_D4s_v5"] != 1 || sizes["Standard_D4as_v5"] != 2 {
		t.Errorf("got %v", sizes)
	}
	for body, code := range map[string]string{
		`{"sku":{"name":"Standard_D4s_v5","capacity":4}}`:       "SkuNameMustBeMixIfSkuProfileIsSpecified",
		`{"sku":{"name":"Mix","tier":"Standard","capacity":4}}`: "SkuTierMustNotBeSetIfSkuProfileIsSpecified",
	} {
		if r := send(t, emu, "PATCH", plain+version, body); r.status != 400 || r.code != code {
			t.Errorf("%s: got %d %s, want 400 %s", body, r.status, r.code, code)
		}
	}
}

func TestAGuestThatTimesOutLeavesALiveMachineThatFailed(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.PlanNext{Set: plain, Plan: arm.Plan{Status: "Failed", Code: "OSProvisioningTimedOut"}})
	resize(t, emu, plain, `{"sku":{"capacity":6}}`)
	vms := names(t, sdk(t, emu, policy.RetryOptions{}), plain)
	last := vms[len(vms)-1].Properties
	if *last.ProvisioningState != "Failed" || *last.InstanceView.Statuses[1].Code != "PowerState/running" {
		t.Errorf("got %s %s, want Failed and running", *last.ProvisioningState, *last.InstanceView.Statuses[1].Code)
	}
}

func TestAnAttachedMachineIsListedAndNotCounted(t *testing.T) {
	emu, _ := platform(t)
	turn(t, emu, arm.Attach{Set: plain, Name: "pet", Size: "Standard_E8s_v5"})
	vms := names(t, sdk(t, emu, policy.RetryOptions{}), plain)
	if len(vms) != 6 || *vms[5].Name != "pet" || string(*vms[5].Properties.HardwareProfile.VMSize) != "Standard_E8s_v5" {
		t.Errorf("got %d machines, want the pet among six", len(vms))
	}
	if s := state(t, emu, plain); s.Capacity != 5 {
		t.Errorf("capacity is %d, want 5", s.Capacity)
	}
	if err := emu.Turn(arm.Attach{Set: jobs, Name: "pet"}); err == nil || !strings.Contains(err.Error(), "not Flexible") {
		t.Errorf("to a uniform set: got %v", err)
	}
}
