package arm_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/tests/armemu/arm"
)

// instances are the instance IDs of the uniform set that are not on their way out.
func instances(t *testing.T, f *armcompute.ClientFactory) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	pager := f.NewVirtualMachineScaleSetVMsClient().NewListPager("rg", "jobs", nil)
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, vm := range page.Value {
			if *vm.Properties.ProvisioningState != "Deleting" {
				ids[*vm.InstanceID] = true
			}
		}
	}
	return ids
}

func protect(t *testing.T, f *armcompute.ClientFactory, id string, in, actions *bool) error {
	t.Helper()
	p, err := f.NewVirtualMachineScaleSetVMsClient().BeginUpdate(t.Context(), "rg", "jobs", id, armcompute.VirtualMachineScaleSetVM{
		Location:   to.Ptr("westeurope"),
		Properties: &armcompute.VirtualMachineScaleSetVMProperties{ProtectionPolicy: &armcompute.VirtualMachineScaleSetVMProtectionPolicy{ProtectFromScaleIn: in, ProtectFromScaleSetActions: actions}},
	}, nil)
	if err != nil {
		return err
	}
	return finish(t, p, nil)
}

// Each claim is a sentence of Microsoft's page on instance protection (virtual-machine-scale-sets-instance-protection.md at
// 1d8378b2); that scale-in by anybody passes protected machines by is that of the page on scale-in policies.
func TestInstanceProtectionHoldsWhatItsPageSays(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	sets, vms := f.NewVirtualMachineScaleSetsClient(), f.NewVirtualMachineScaleSetVMsClient()
	got, err := vms.Get(t.Context(), "rg", "jobs", "2", nil)
	if err != nil || got.Properties.ProtectionPolicy != nil {
		t.Errorf("by default no policy is applied: %+v, %v", got.Properties, err)
	}
	if err := protect(t, f, "2", to.Ptr(true), nil); err != nil {
		t.Fatal(err)
	}
	if err := protect(t, f, "1", to.Ptr(true), to.Ptr(true)); err != nil {
		t.Fatal(err)
	}
	wantResponse(t, protect(t, f, "0", to.Ptr(false), to.Ptr(true)), 400, "InvalidParameter")
	if got, err = vms.Get(t.Context(), "rg", "jobs", "1", nil); err != nil || !*got.Properties.ProtectionPolicy.ProtectFromScaleSetActions || !*got.Properties.ProtectionPolicy.ProtectFromScaleIn {
		t.Errorf("got %+v, %v", got.Properties.ProtectionPolicy, err)
	}
	// Operations on the set are blocked by protection from actions, and not by protection from scale-in.
	off, err := sets.BeginDeallocate(t.Context(), "rg", "jobs", nil)
	if err := finish(t, off, err); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Regular.Deallocated != 2 || s.Regular.Running != 1 {
		t.Errorf("after the set was deallocated: got %+v, want one machine spared", s)
	}
	on, err := sets.BeginStart(t.Context(), "rg", "jobs", nil)
	if err := finish(t, on, err); err != nil {
		t.Fatal(err)
	}
	resize(t, emu, jobs, `{"sku":{"capacity":2}}`)
	if ids := instances(t, f); ids["0"] || !ids["1"] || !ids["2"] {
		t.Errorf("after scale-in: got %v, want the two protected ones", ids)
	}
	// Deletion of chosen instances is not blocked.
	del, err := sets.BeginDeleteInstances(t.Context(), "rg", "jobs", instanceIDs("1", "2"), nil)
	if err := finish(t, del, err); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Regular.There != 0 {
		t.Errorf("after their deletion: got %+v", s)
	}
}

func TestSDKChangesAMachinesTags(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	vms := f.NewVirtualMachinesClient()
	name := *names(t, f, plain)[0].Name
	p, err := vms.BeginUpdate(t.Context(), "rg", name, armcompute.VirtualMachineUpdate{Tags: map[string]*string{"role": to.Ptr("leader")}}, nil)
	if err := finish(t, p, err); err != nil {
		t.Fatal(err)
	}
	turn(t, emu, arm.Machine{Set: plain, Name: *names(t, f, plain)[1].Name, Tags: map[string]string{"role": "follower"}})
	roles := ""
	for _, vm := range names(t, f, plain) {
		if vm.Tags["role"] != nil {
			roles += *vm.Tags["role"] + " "
		}
	}
	if roles != "leader follower " {
		t.Errorf("got %q", roles)
	}
}

func TestSDKListsSizesAndTheirRestrictions(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.Sets[1].Zones = []string{"1", "2"} })
	f := sdk(t, emu, policy.RetryOptions{})
	list := func() map[string]*armcompute.ResourceSKU {
		all := map[string]*armcompute.ResourceSKU{}
		pager := f.NewResourceSKUsClient().NewListPager(&armcompute.ResourceSKUsClientListOptions{Filter: to.Ptr("location eq 'westeurope'")})
		for pager.More() {
			page, err := pager.NextPage(context.WithoutCancel(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range page.Value {
				all[*one.Name] = one
			}
		}
		return all
	}
	value := func(sku *armcompute.ResourceSKU, name string) string {
		for _, c := range sku.Capabilities {
			if *c.Name == name {
				return *c.Value
			}
		}
		return ""
	}
	all := list()
	d2, m64 := all["Standard_D2s_v5"], all["Standard_M64s"]
	if d2 == nil || m64 == nil || value(d2, "vCPUs") != "2" || value(d2, "MemoryPreservingMaintenanceSupported") != "True" ||
		value(m64, "MemoryPreservingMaintenanceSupported") != "False" || len(d2.LocationInfo[0].Zones) != 2 || len(d2.Restrictions) != 0 {
		t.Errorf("got %+v and %+v", d2, m64)
	}
	turn(t, emu, arm.Restrict{Size: "Standard_D2s_v5", Location: "westeurope"})
	if d2 = list()["Standard_D2s_v5"]; len(d2.Restrictions) != 1 || *d2.Restrictions[0].ReasonCode != armcompute.ResourceSKURestrictionsReasonCodeNotAvailableForSubscription {
		t.Errorf("restricted: got %+v", d2.Restrictions)
	}
	_, err := f.NewVirtualMachineScaleSetsClient().BeginUpdate(t.Context(), "rg", "web", patch(9), nil)
	wantResponse(t, err, 409, "SkuNotAvailable")
	turn(t, emu, arm.Restrict{Size: "Standard_D2s_v5", Location: "westeurope", Lift: true}, arm.Restrict{Size: "Standard_D2s_v5", Zone: "2"})
	op := resize(t, emu, jobs, `{"sku":{"capacity":7}}`)
	if got, code := opStatus(t, emu, op); got != "Failed" || code != "SkuNotAvailable" {
		t.Errorf("a restricted zone: got %s %s", got, code)
	}
}

// The header's values are those that the page on throttling errors shows for a scale set's request: one line for each
// policy and level, and a charge above one for a batch of machines (troubleshooting-throttling-errors.md at 0a1f3ea5).
func TestAScaleOperationIsChargedForItsMachines(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.Limits, c.BatchMachines = arm.Documented, 20 })
	r := send(t, emu, "PATCH", plain+version, `{"sku":{"capacity":55}}`)
	if got := r.header.Get("x-ms-request-charge"); got != "3" {
		t.Errorf("fifty machines in batches of twenty: charged %s, want 3", got)
	}
	want := []string{
		"Microsoft.Compute/UpdateVMScaleSet;9", "Microsoft.Compute/UpdateVMScaleSet;1497",
		"Microsoft.Compute/VMScaleSetBatchedVMRequests;4950", "Microsoft.Compute/VmssQueuedVMOperations;4950",
	}
	if got := r.header.Values("x-ms-ratelimit-remaining-resource"); len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Errorf("got %q, want %q", got, want)
	}
	if r = send(t, emu, "PATCH", plain+version, `{"tags":{}}`); r.header.Get("x-ms-request-charge") != "1" {
		t.Errorf("a change of no machine: charged %s", r.header.Get("x-ms-request-charge"))
	}
	send(t, emu, "PATCH", plain+version, `{"sku":{"capacity":555}}`)
	r = send(t, emu, "PATCH", plain+version, `{"sku":{"capacity":556}}`)
	if r.status != 429 || r.header.Get("Retry-After") == "" || r.header.Values("x-ms-ratelimit-remaining-resource")[0] != "Microsoft.Compute/UpdateVMScaleSet;0" {
		t.Errorf("a bucket that owes: got %d %v", r.status, r.header)
	}
	c.forward(6 * time.Minute)
	if r = send(t, emu, "PATCH", plain+version, `{"sku":{"capacity":556}}`); r.status != 200 {
		t.Errorf("once it has paid: got %d %v", r.status, r.header)
	}
	turn(t, emu, arm.Batch{})
	if r = send(t, emu, "GET", plain+version, ""); len(r.header.Values("x-ms-ratelimit-remaining-resource")) != 2 {
		t.Errorf("a read: got %q", r.header.Values("x-ms-ratelimit-remaining-resource"))
	}
}
