package vmss_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// aged is a running machine with what choosing looks at.
func aged(name, priority, zone, made string, change func(m, properties map[string]any)) map[string]any {
	m := vm(name, priority, "Succeeded", "running", zone)
	p := m["properties"].(map[string]any)
	p["timeCreated"] = made
	if change != nil {
		change(m, p)
	}
	return m
}

func TestVictimsAreChosenByTheOrder(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	ill := func(_, p map[string]any) {
		p["instanceView"].(map[string]any)["vmHealth"] = map[string]any{"status": map[string]any{"code": "HealthState/unhealthy"}}
	}
	kept := func(m, _ map[string]any) { m["tags"] = map[string]any{"trimtab-protected": "yes"} }
	list := []any{
		aged("r1", "Regular", "1", "2026-01-01T00:00:00Z", nil),
		aged("r2", "Regular", "1", "2026-01-02T00:00:00Z", nil),
		aged("r3", "Regular", "2", "2026-01-03T00:00:00Z", ill),
		aged("r4", "Regular", "1", "2026-01-04T00:00:00Z", nil),
		aged("s1", "Spot", "2", "2026-01-05T00:00:00Z", kept),
		aged("s2", "Spot", "3", "2026-01-06T00:00:00Z", nil),
		aged("s3", "Spot", "3", "2026-01-07T00:00:00Z", nil),
		vm("off", "Spot", "Succeeded", "deallocated", "1"),
		vm("going", "Spot", "Deleting", "running", "1"),
	}
	raw, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		t.Fatal(err)
	}
	mixed := &scale.Mix{Base: 1, RegularPercent: 50}
	for _, c := range []struct {
		name  string
		mix   *scale.Mix
		n     int
		order []scale.Preference
		want  []string
	}{
		{"oldest", nil, 3, []scale.Preference{scale.PreferOldest}, []string{"r1", "r2", "r3"}},
		{"newest", nil, 3, []scale.Preference{scale.PreferNewest}, []string{"s3", "s2", "r4"}},
		{"unhealthy, then oldest", nil, 2, []scale.Preference{scale.PreferUnhealthy, scale.PreferOldest}, []string{"r3", "r1"}},
		{"Spot before regular ones, protected never", nil, 3, []scale.Preference{scale.PreferSpot, scale.PreferOldest}, []string{"s2", "s3", "r1"}},
		{"from the fullest zone, then newest", nil, 4, []scale.Preference{scale.PreferZoneBalance, scale.PreferNewest}, []string{"r4", "s3", "r3", "r2"}},
		{"all but the protected one", nil, 99, []scale.Preference{scale.PreferOldest}, []string{"r1", "r2", "r3", "r4", "s2", "s3"}},
		// Of seven, four are regular; for five the mix wants three.
		{"the mix decides how many of each kind", mixed, 2, []scale.Preference{scale.PreferOldest}, []string{"r1", "s2"}},
		{"unless Spot is preferred", mixed, 2, []scale.Preference{scale.PreferSpot, scale.PreferNewest}, []string{"s3", "s2"}},
		{"none", nil, 0, []scale.Preference{scale.PreferOldest}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			turn(t, emu, arm.Fault{Method: "GET", Path: "/virtualmachines", Status: 200, Body: raw})
			got, err := f.Choose(t.Context(), web, scale.Facts{Orchestration: scale.Flexible, Mix: c.mix}, c.n, c.order)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Errorf("chosen (-got +want):\n%s", diff)
			}
		})
	}
}

func TestADeletionByNameIsFollowedToItsEnd(t *testing.T) {
	for _, set := range []string{web, jobs} {
		emu := platform(t)
		f := fleet(t, emu)
		facts, err := f.Read(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		names, err := f.Choose(t.Context(), set, facts, 2, []scale.Preference{scale.PreferOldest})
		if err != nil || len(names) != 2 {
			t.Fatalf("chosen %v, %v", names, err)
		}
		a, err := f.Change(t.Context(), set, scale.Change{Delete: names})
		if err != nil || a.Token == "" {
			t.Fatalf("delete: %+v, %v", a, err)
		}
		// Another process goes on with the token.
		other := fleet(t, emu)
		for range 5 {
			p, err := other.Follow(t.Context(), a.Token)
			if err != nil || p.Failure != nil {
				t.Fatalf("follow: %+v, %v", p, err)
			}
			if p.Done {
				break
			}
		}
		if live := counted(t, f, set); live.Instances != facts.Capacity-2 {
			t.Errorf("%d machines are left of %d", live.Instances, facts.Capacity)
		}
		n := 3
		_, err = f.Change(t.Context(), set, scale.Change{Delete: names, Capacity: &n, ETag: `"1"`})
		wantClass(t, err, "change", scale.ClassInvalid, 0, "RefusedUnsent")
	}
}
