package vmss_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

// counted reads a set and counts its machines.
func counted(t *testing.T, f *vmss.Fleet, set string) *scale.Live {
	t.Helper()
	facts, err := f.Read(t.Context(), set)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	live, err := f.Count(t.Context(), set, facts)
	if err != nil {
		t.Fatalf("count: %v", err)
	}
	return live
}

func TestMachinesAreCountedOneByOne(t *testing.T) {
	cases := []struct {
		name, set string
		knobs     []arm.Knob
		want      scale.Live
	}{
		{
			"a flexible set with a mix, over several pages", web, nil,
			scale.Live{Instances: 7, Regular: 4, Spot: 3},
		},
		{
			"evicted and deleted: the nominal count stays, the machines go", web,
			[]arm.Knob{arm.Evict{Set: web, Count: 2}},
			scale.Live{Instances: 5, Regular: 4, Spot: 1},
		},
		{
			"evicted and deallocated machines are absent", web,
			[]arm.Knob{arm.Evict{Set: web, Count: 2, Policy: arm.Deallocate}},
			scale.Live{Instances: 5, Regular: 4, Spot: 1, Deallocated: 2},
		},
		{
			"a machine deleted by somebody", web,
			[]arm.Knob{arm.Remove{Set: web, Count: 1}},
			scale.Live{Instances: 6, Regular: 4, Spot: 2},
		},
		{
			"a uniform set, over several pages", jobs, nil,
			scale.Live{Instances: 4, Regular: 4},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t, func(cfg *arm.Config) {
				cfg.PageSize = 3
				cfg.Sets[0].Capacity = 7
			})
			turn(t, emu, c.knobs...)
			got := counted(t, fleet(t, emu), c.set)
			if diff := cmp.Diff(got, &c.want, cmpopts.IgnoreFields(scale.Live{}, "ReadAt", "ByZone", "Machines", "Each")); diff != "" {
				t.Errorf("count (-got +want):\n%s", diff)
			}
		})
	}
}

func TestMachinesThatComeUpArePending(t *testing.T) {
	emu := platform(t, func(cfg *arm.Config) { cfg.BootSeconds = 600 })
	f := fleet(t, emu)
	accepted(t, f, web, 9)
	got := counted(t, f, web)
	if got.Instances != 9 || got.Pending() != 6 || got.PendingSpot == 0 || got.PendingRegular == 0 {
		t.Errorf("got %+v, want 9 machines of which 6 of both kinds come up", got)
	}
}

// vm is one machine as the list of a resource group has it.
func vm(name, priority, state, power, zone string) map[string]any {
	p := map[string]any{
		"provisioningState": state,
		"instanceView":      map[string]any{"statuses": []any{map[string]any{"code": "ProvisioningState/" + state}}},
	}
	if priority != "" {
		p["priority"] = priority
	}
	if power != "" {
		p["instanceView"] = map[string]any{"statuses": []any{map[string]any{"code": "PowerState/" + power}}}
	}
	m := map[string]any{"name": name, "properties": p}
	if zone != "" {
		m["zones"] = []string{zone}
	}
	return m
}

func TestStatesPrioritiesAndZonesMeanWhatAzureMeans(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	facts, err := f.Read(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	list := []any{
		vm("a", "", "Succeeded", "running", "1"),                                                // no priority: regular
		vm("b", "Regular", "Failed", "running", "1"),                                            // the last operation failed, the machine lives
		vm("c", "Spot", "Succeeded", "running", "2"),                                            //
		vm("d", "SpotPlus", "Updating", "running", "2"),                                         // any other word may go
		vm("e", "Low", "Creating", "", "3"),                                                     // coming up
		vm("f", "Tomorrow", "Creating", "starting", ""),                                         // unknown, and without a zone
		vm("g", "Spot", "Succeeded", "deallocated", "1"),                                        // evicted
		vm("h", "Regular", "Failed", "", "1"),                                                   // never came up
		vm("i", "Spot", "Deleting", "running", "1"),                                             // on its way out
		vm("j", "Spot", "Succeeded", "stopped", "1"),                                            // off
		map[string]any{"id": "", "properties": map[string]any{"provisioningState": "Deleting"}}, // no name while it goes
	}
	raw, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		t.Fatal(err)
	}
	turn(t, emu, arm.Fault{Method: "GET", Path: "/virtualmachines", Status: 200, Body: raw})
	got, err := f.Count(t.Context(), web, facts)
	if err != nil {
		t.Fatal(err)
	}
	want := &scale.Live{
		Instances: 6, Regular: 2, Spot: 4, PendingSpot: 2, Deallocated: 2, Failed: 1,
		ByZone:   map[string]scale.ZoneCount{"1": {Regular: 2}, "2": {Spot: 2}, "3": {Spot: 1, Pending: 1}, "": {Spot: 1, Pending: 1}},
		Machines: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"},
	}
	if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(scale.Live{}, "ReadAt", "Each")); diff != "" {
		t.Errorf("count (-got +want):\n%s", diff)
	}
}

func TestHalfAListIsNoCount(t *testing.T) {
	emu := platform(t, func(cfg *arm.Config) { cfg.PageSize, cfg.Sets[0].Capacity = 2, 5 })
	f := fleet(t, emu)
	facts, err := f.Read(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	turn(t, emu, arm.Fault{Method: "GET", Path: "skiptoken", Status: 403, Body: []byte(`{"error":{"code":"AuthorizationFailed","message":"no"}}`)})
	turn(t, emu, arm.Fault{Method: "GET", Path: "/virtualmachines", Status: 403, Body: []byte(`{"error":{"code":"AuthorizationFailed","message":"no"}}`)})
	live, err := f.Count(t.Context(), web, facts)
	wantClass(t, err, "count", scale.ClassForbidden, 403, "AuthorizationFailed")
	if live != nil {
		t.Errorf("got a count %+v with an error", live)
	}
}

func TestListsOfMachinesKeepTheirBudget(t *testing.T) {
	emu := platform(t, func(cfg *arm.Config) { cfg.PageSize, cfg.Sets[0].Capacity = 1, 5 })
	f, c := budgeted(t, emu, vmss.Budgets{SetLists: 8})
	facts, err := f.Read(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Count(t.Context(), web, facts); err != nil {
		t.Fatalf("five pages of eight: %v", err)
	}
	_, err = f.Count(t.Context(), web, facts)
	if fe := wantClass(t, err, "count", scale.ClassThrottled, 0, "SetBudget"); fe.RetryAfter <= 0 {
		t.Errorf("got Retry-After %v, want how long to wait", fe.RetryAfter)
	}
	c.now = c.now.Add(time.Minute)
	if _, err := f.Count(t.Context(), web, facts); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestTheBudgetBelievesWhatThePlatformSaysIsLeft(t *testing.T) {
	doc := document(t, func(_, _, _, _ map[string]any) {})
	for _, header := range []string{
		"Microsoft.Compute/GetVMScaleSetResource;1", "Microsoft.Compute/GetVMScaleSetResource;0",
		"Microsoft.Compute/GetVMScaleSetSubscriptionMaximum;0, Microsoft.Compute/GetVMScaleSetResource;30",
	} {
		t.Run(header, func(t *testing.T) {
			emu := platform(t)
			f, _ := budgeted(t, emu, vmss.Budgets{})
			turn(t, emu, arm.Fault{Status: 200, Body: doc, Headers: map[string]string{"x-ms-ratelimit-remaining-resource": header}})
			if err := read(t.Context(), f, web); err != nil {
				t.Fatal(err)
			}
			code := "SetBudget"
			if strings.Contains(header, "Subscription") {
				code = "SubscriptionBudget"
			}
			unsent(t, emu, "read", code, func() error { return read(t.Context(), f, web) })
		})
	}
	for _, header := range []string{"", "nonsense", "Microsoft.Compute/X;", "Microsoft.Compute/X;-3", "Microsoft.Compute/X;35"} {
		t.Run(fmt.Sprintf("%q says nothing new", header), func(t *testing.T) {
			emu := platform(t)
			f, _ := budgeted(t, emu, vmss.Budgets{})
			turn(t, emu, arm.Fault{Status: 200, Body: doc, Headers: map[string]string{"x-ms-ratelimit-remaining-resource": header}})
			for range 3 {
				if err := read(t.Context(), f, web); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
