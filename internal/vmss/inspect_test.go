package vmss_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

func TestInspectReadsWhatWorksAgainstDecisions(t *testing.T) {
	yes, two := true, 2
	emu := platform(t, func(c *arm.Config) {
		web := &c.Sets[0]
		web.FaultDomains, web.SpotRestore, web.ZoneBalance, web.Zones = &two, "PT1H", &yes, []string{"1", "2"}
		web.EvictionPolicy = ""
	})
	f := fleet(t, emu)
	turn(t, emu, arm.Skew{Seconds: 100})
	in, err := f.Inspect(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if in.Priority != "Spot" || in.EvictionPolicy != "Deallocate" || in.FaultDomains != 2 || !in.SpotRestore || !in.ZoneBalance ||
		in.Overprovision || in.SinglePlacementGroup || in.Facts.Capacity != 3 || in.VMPrefix != "web_" {
		t.Errorf("flexible: got %+v", in)
	}
	if off := in.ServerAt.Sub(in.AskedAt); off < 98*time.Second || off > 102*time.Second {
		t.Errorf("the service's clock is %v ahead, want 100 s", off)
	}
	// A Uniform set overprovisions unless it is told not to (facts: VMSS 2.4).
	if in, err = f.Inspect(t.Context(), jobs); err != nil || !in.Overprovision || in.Priority != "Regular" || in.EvictionPolicy != "" {
		t.Errorf("uniform: got %+v, %v", in, err)
	}
	_, err = f.Inspect(t.Context(), web+"x")
	wantClass(t, err, "look", scale.ClassMissing, 404, "ResourceNotFound")
}

func TestStrangersAreMachinesThatTheSetDidNotMake(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.PageSize = 2 })
	f := fleet(t, emu)
	in, err := f.Inspect(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Strangers(t.Context(), web, in); err != nil || len(got) > 0 {
		t.Errorf("a set's own machines: got %v, %v", got, err)
	}
	turn(t, emu, arm.Attach{Set: web, Name: "pet"}, arm.Attach{Set: web, Name: "cattle"})
	if got, err := f.Strangers(t.Context(), web, in); err != nil || !slices.Equal(got, []string{"cattle", "pet"}) {
		t.Errorf("got %v, %v; want the two that were attached", got, err)
	}
}

func TestAutoscalersAreLookedForAsFarAsTheRightsGo(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	turn(t, emu, arm.Autoscale{Name: "near", Target: strings.ToUpper(web)}, arm.Autoscale{Name: "far", Target: web, Group: "other", Disabled: true})
	all, whole, err := f.Autoscalers(t.Context(), web)
	if err != nil || !whole || len(all) != 2 || all[0].Target != strings.ToLower(web) || !all[0].Enabled || all[1].Enabled {
		t.Errorf("with a right on the subscription: got %+v, %v, %v", all, whole, err)
	}
	group, _, _ := strings.Cut(web, "/providers/")
	turn(t, emu, arm.Grants{Grants: []arm.Grant{{Scope: group, Actions: []string{"*"}}}})
	if all, whole, err = f.Autoscalers(t.Context(), web); err != nil || whole || len(all) != 1 {
		t.Errorf("with a right on the group: got %+v, %v, %v", all, whole, err)
	}
	turn(t, emu, arm.Grants{Grants: []arm.Grant{{Scope: group}}})
	_, _, err = f.Autoscalers(t.Context(), web)
	wantClass(t, err, "look", scale.ClassForbidden, 403, "AuthorizationFailed")
}

func TestPermissionsAndUsages(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	group, _, _ := strings.Cut(web, "/providers/")
	turn(t, emu, arm.Grants{Grants: []arm.Grant{
		{Scope: group, Actions: []string{"Microsoft.Authorization/permissions/read"}},
		{Scope: web, Actions: []string{"Microsoft.Compute/*"}, NotActions: []string{"*/delete"}},
		{Scope: jobs, Actions: []string{"*"}},
	}})
	got, err := f.Permissions(t.Context(), web)
	if err != nil || len(got) != 2 || got[1].Actions[0] != "Microsoft.Compute/*" || got[1].NotActions[0] != "*/delete" {
		t.Errorf("got %+v, %v", got, err)
	}
	wantClass(t, f.Usable(t.Context(), web, "westeurope"), "look", scale.ClassForbidden, 403, "AuthorizationFailed")
	turn(t, emu, arm.Grants{})
	if err := f.Usable(t.Context(), web, "westeurope"); err != nil {
		t.Errorf("with every right: %v", err)
	}
}

func TestATokenFollowsNoLinkToAnotherHost(t *testing.T) {
	emu := platform(t)
	turn(t, emu, arm.Fault{Method: "GET", Path: "permissions", Status: 200, Body: []byte(`{"value":[],"nextLink":"https://elsewhere.invalid/"}`)})
	_, err := fleet(t, emu).Permissions(t.Context(), web)
	wantClass(t, err, "look", scale.ClassUnknown, 0, "ForeignLink")
}
