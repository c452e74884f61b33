package arm_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/tests/armemu/arm"
)

// finish polls to the end and gives the error that an operation ended with.
func finish[T any](t *testing.T, p *runtime.Poller[T], err error) error {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.PollUntilDone(t.Context(), often)
	return err
}

// power is the power state and the provisioning state that a flexible set's machine shows.
func power(t *testing.T, f *armcompute.ClientFactory, set, name string) (state, provisioning string) {
	t.Helper()
	for _, vm := range names(t, f, set) {
		if *vm.Name == name {
			return *vm.Properties.InstanceView.Statuses[1].Code, *vm.Properties.ProvisioningState
		}
	}
	t.Fatalf("no machine %s", name)
	return "", ""
}

func TestSDKDeallocatesAndStartsOneMachineOfAFlexibleSet(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) { c.BootSeconds, c.DeleteSeconds = 30, 20 })
	f := sdk(t, emu, policy.RetryOptions{})
	vms := f.NewVirtualMachinesClient()
	name := *names(t, f, plain)[1].Name
	off, err := vms.BeginDeallocate(t.Context(), "rg", name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := power(t, f, plain, name); got != "PowerState/deallocating" {
		t.Errorf("on its way: got %s, want PowerState/deallocating", got)
	}
	c.forward(20 * time.Second)
	if err := finish(t, off, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := power(t, f, plain, name); got != "PowerState/deallocated" {
		t.Errorf("got %s, want PowerState/deallocated", got)
	}
	if s := state(t, emu, plain); s.Capacity != 5 || s.Regular.There != 5 || s.Regular.Deallocated != 1 || s.ETag != `"1"` {
		t.Errorf("got %+v, want capacity and ETag as they were, one machine deallocated", s)
	}
	on, err := vms.BeginStart(t.Context(), "rg", name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := power(t, f, plain, name); got != "PowerState/starting" {
		t.Errorf("on its way: got %s, want PowerState/starting", got)
	}
	c.forward(30 * time.Second)
	if err := finish(t, on, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := power(t, f, plain, name); got != "PowerState/running" {
		t.Errorf("got %s, want PowerState/running", got)
	}
	stop, err := vms.BeginPowerOff(t.Context(), "rg", name, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.forward(20 * time.Second)
	if err := finish(t, stop, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := power(t, f, plain, name); got != "PowerState/stopped" {
		t.Errorf("got %s, want PowerState/stopped", got)
	}
}

func TestSDKDeallocatesAndStartsInstancesOfAUniformSet(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	sets, vms := f.NewVirtualMachineScaleSetsClient(), f.NewVirtualMachineScaleSetVMsClient()
	ids := &armcompute.VirtualMachineScaleSetVMInstanceIDs{InstanceIDs: to.SliceOfPtrs("0", "2")}
	off, err := sets.BeginDeallocate(t.Context(), "rg", "jobs", &armcompute.VirtualMachineScaleSetsClientBeginDeallocateOptions{VMInstanceIDs: ids})
	if err := finish(t, off, err); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Capacity != 3 || s.Regular.Deallocated != 2 {
		t.Errorf("batch: got %+v, want two of three deallocated", s)
	}
	on, err := sets.BeginStart(t.Context(), "rg", "jobs", &armcompute.VirtualMachineScaleSetsClientBeginStartOptions{VMInstanceIDs: ids})
	if err := finish(t, on, err); err != nil {
		t.Fatal(err)
	}
	one, err := vms.BeginDeallocate(t.Context(), "rg", "jobs", "1", nil)
	if err := finish(t, one, err); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Capacity != 3 || s.Regular.Deallocated != 1 || s.Regular.Running != 2 {
		t.Errorf("one: got %+v, want one of three deallocated", s)
	}
	up, err := vms.BeginStart(t.Context(), "rg", "jobs", "1", nil)
	if err := finish(t, up, err); err != nil {
		t.Fatal(err)
	}
	stop, err := vms.BeginPowerOff(t.Context(), "rg", "jobs", "1", nil)
	if err := finish(t, stop, err); err != nil {
		t.Fatal(err)
	}
	if s := state(t, emu, jobs); s.Regular.Stopped != 1 || s.Regular.Running != 2 {
		t.Errorf("got %+v, want one stopped", s)
	}
	_, err = vms.BeginStart(t.Context(), "rg", "jobs", "9", nil)
	wantResponse(t, err, http.StatusNotFound, "ResourceNotFound")
}

func TestAStartCanFailForWantOfCapacityAndOfQuota(t *testing.T) {
	emu, _ := platform(t)
	f := sdk(t, emu, policy.RetryOptions{})
	vms := f.NewVirtualMachinesClient()
	var spot string
	for _, vm := range names(t, f, web) {
		if *vm.Properties.Priority == armcompute.VirtualMachinePriorityTypesSpot {
			spot = *vm.Name
		}
	}
	regular := *names(t, f, plain)[0].Name
	for _, name := range []string{spot, regular} {
		p, err := vms.BeginDeallocate(t.Context(), "rg", name, nil)
		if err := finish(t, p, err); err != nil {
			t.Fatal(err)
		}
	}
	turn(t, emu, arm.Scarce{Priority: arm.Spot}, arm.Quota{Name: "cores", Limit: 20})
	p, err := vms.BeginStart(t.Context(), "rg", spot, nil)
	wantResponse(t, finish(t, p, err), 200, "AllocationFailed")
	if on, provisioning := power(t, f, web, spot); on != "PowerState/deallocated" || provisioning != "Failed" {
		t.Errorf("got %s and %s, want it off and its last operation failed", on, provisioning)
	}
	p, err = vms.BeginStart(t.Context(), "rg", regular, nil)
	wantResponse(t, finish(t, p, err), 200, "OperationNotAllowed")
	turn(t, emu, arm.Restore{})
	p, err = vms.BeginStart(t.Context(), "rg", spot, nil)
	if err := finish(t, p, err); err != nil {
		t.Errorf("with room again: %v", err)
	}
	turn(t, emu, arm.PlanNext{Set: plain, Plan: arm.Plan{Status: "Failed", Code: "InternalExecutionError"}})
	p, err = vms.BeginStart(t.Context(), "rg", regular, nil)
	wantResponse(t, finish(t, p, err), 200, "InternalExecutionError")
	if on, _ := power(t, f, plain, regular); on != "PowerState/deallocated" {
		t.Errorf("a start that was planned to fail had its effect: %s", on)
	}
}
