package vmss_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

func TestInspectReadsWhatWorksAgainstDecisions(t *testing.T) {
	yes, two := true, 2
	emu := platform(t, func(c *arm.Config) {
		web := &c.Sets[0]
		web.FaultDomains, web.SpotRestore, web.ZoneBalance, web.Zones = &two, "PT1H", &yes, []string{"1", "2"}
		web.EvictionPolicy, web.Repairs = "", true
		jobs := &c.Sets[1]
		jobs.Zones, jobs.AutoZoneBalance = []string{"1", "2"}, true
	})
	f := fleet(t, emu)
	turn(t, emu, arm.Skew{Seconds: 100})
	in, err := f.Inspect(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	want := scale.Model{
		Priority: "Spot", EvictionPolicy: "Deallocate", FaultDomains: 2, SpotRestore: true, ZoneBalance: true, Repairs: true,
	}
	if m := in.Facts.Model; m == nil || *m != want || in.Facts.Capacity != 3 {
		t.Errorf("flexible: got %+v, want %+v", m, want)
	}
	if off := in.ServerAt.Sub(in.AskedAt); off < 98*time.Second || off > 102*time.Second {
		t.Errorf("the service's clock is %v ahead, want 100 s", off)
	}
	// A Uniform set overprovisions unless it is told not to (facts: VMSS 2.4).
	if in, err = f.Inspect(t.Context(), jobs); err != nil || *in.Facts.Model != (scale.Model{Priority: "Regular", Overprovision: true, ZoneRebalance: true}) {
		t.Errorf("uniform: got %+v, %v", in, err)
	}
	_, err = f.Inspect(t.Context(), web+"x")
	wantClass(t, err, "look", scale.ClassMissing, 404, "ResourceNotFound")
}

func TestMachinesThatTheSetDidNotMakeAreCountedAndNeverChosen(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.PageSize = 2 })
	f := fleet(t, emu)
	facts, err := f.Read(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if live, err := f.Count(t.Context(), web, facts); err != nil || live.Attached != 0 {
		t.Errorf("a set's own machines: got %+v, %v", live, err)
	}
	turn(t, emu, arm.Attach{Set: web, Name: "pet"}, arm.Attach{Set: web, Name: "cattle"})
	live, err := f.Count(t.Context(), web, facts)
	if err != nil || live.Attached != 2 || len(live.AttachedNames) != 2 {
		t.Errorf("got %+v, %v; want the two that were attached", live, err)
	}
	names, err := f.Choose(t.Context(), web, facts, 100, []scale.Preference{scale.PreferSpot})
	if err != nil || len(names) != live.Instances-2 || slices.Contains(names, "pet") || slices.Contains(names, "cattle") {
		t.Errorf("chose %v, %v; want all of the %d but the two", names, err, live.Instances)
	}
}

func TestAutoscaleSettingsAreLookedForAsFarAsTheRightsGo(t *testing.T) {
	emu, now := platform(t), time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	group, _, _ := strings.Cut(web, "/providers/")
	for _, c := range []struct {
		name           string
		grants         []arm.Grant
		whole, problem bool
		want           int
	}{
		{"on the subscription", nil, true, false, 2},
		{"on the group", []arm.Grant{{Scope: group, Actions: []string{"*"}}}, false, false, 1},
		{"nowhere", []arm.Grant{{Scope: group}}, false, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fleet(t, emu, func(o *vmss.Options) { o.Now = func() time.Time { return now } })
			turn(t, emu, arm.Autoscale{Name: "near", Target: strings.ToUpper(web)}, arm.Autoscale{Name: "far", Target: web, Group: "other", Disabled: true})
			turn(t, emu, arm.Grants{Grants: c.grants})
			a, err := f.Autoscale(t.Context(), web)
			if err != nil || a.Whole != c.whole || (a.Problem != "") != c.problem || len(a.Settings) != c.want {
				t.Fatalf("got %+v, %v", a, err)
			}
			if c.want > 0 && !a.Settings[0].Enabled {
				t.Errorf("got %+v, want the first to be on", a.Settings)
			}
			if a, err = f.Autoscale(t.Context(), jobs); err != nil || len(a.Settings) > 0 {
				t.Errorf("another set: got %+v, %v", a, err)
			}
			lists := func() (n int) {
				for _, q := range emu.Requests() {
					if strings.Contains(strings.ToLower(q.Path), "autoscalesettings") {
						n++
					}
				}
				return n
			}
			before := lists()
			turn(t, emu, arm.Grants{}, arm.Autoscale{Name: "near", Target: web, Remove: true})
			now = now.Add(14 * time.Minute)
			if _, err := f.Autoscale(t.Context(), web); err != nil || lists() != before {
				t.Errorf("asked %d times within a quarter of an hour, %v", lists()-before, err)
			}
			now = now.Add(2 * time.Minute)
			if a, err = f.Autoscale(t.Context(), web); err != nil || !a.Whole || len(a.Settings) != 1 || lists() != before+1 {
				t.Errorf("after a quarter of an hour: got %+v, %v by %d calls, want what is left by one", a, err, lists()-before)
			}
		})
	}
}

func TestAutoscaleSettingsThatCannotBeReadAreNotAskedForAtEachTurn(t *testing.T) {
	emu, now := platform(t), time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	f := fleet(t, emu, func(o *vmss.Options) { o.Now = func() time.Time { return now } })
	turn(t, emu, arm.Fault{Method: "GET", Path: "autoscalesettings", Status: 503, Times: 3})
	before := len(emu.Requests())
	for range 4 {
		_, err := f.Autoscale(t.Context(), web)
		wantClass(t, err, "look", scale.ClassUnsure, 503, "")
		now = now.Add(time.Minute)
	}
	if n := len(emu.Requests()) - before; n != 1 {
		t.Errorf("%d calls in four minutes, want one", n)
	}
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
