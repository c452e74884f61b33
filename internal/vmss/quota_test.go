package vmss_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

func asked(emu *arm.Server, part string) (n int) {
	for _, r := range emu.Requests() {
		if r.Method == http.MethodGet && strings.Contains(strings.ToLower(r.Path), part) {
			n++
		}
	}
	return n
}

func TestQuotaIsToldInMachines(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	turn(t, emu, arm.Quota{Name: "lowPriorityCores", Limit: 11}, arm.Quota{Name: "cores", Limit: 100}, arm.Quota{Name: "standardDSv5Family", Limit: 20})
	for _, c := range []struct {
		name    string
		facts   scale.Facts
		regular int
		spot    int
	}{
		// The emulator runs three machines of two cores in westeurope: two regular, one Spot.
		{"two cores each: the family binds before the region", scale.Facts{Size: "Standard_D2s_v5", Location: "westeurope"}, 8, 4},
		{"an instance mix: the totals bind, by the smallest", scale.Facts{Size: "Mix", Sizes: []string{"Standard_D8s_v5", "Standard_D4s_v5"}, Location: "westeurope"}, 24, 2},
		{"eight cores each of another family: the region binds", scale.Facts{Size: "Standard_F8s_v2", Location: "westeurope"}, 12, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := f.Quota(t.Context(), web, c.facts)
			if err != nil {
				t.Fatal(err)
			}
			if q.Regular == nil || q.Spot == nil || *q.Regular != c.regular || *q.Spot != c.spot {
				t.Errorf("got %v regular by %s and %v Spot by %s, want %d and %d", q.Regular, q.RegularName, q.Spot, q.SpotName, c.regular, c.spot)
			}
		})
	}
	for _, facts := range []scale.Facts{{Size: "Mix", Location: "westeurope"}, {Size: "Mix", Sizes: []string{"Standard_D2s_v5", "Huge"}, Location: "westeurope"}, {Size: "Standard_D2s_v5"}, {}} {
		if q, err := f.Quota(t.Context(), web, facts); err != nil || q.Regular != nil || q.Spot != nil {
			t.Errorf("%+v: got %+v, %v; want nothing that binds", facts, q, err)
		}
	}
}

func TestUsageIsReadOnceForAllPoolsOfARegion(t *testing.T) {
	emu := platform(t)
	f, c := budgeted(t, emu, vmss.Budgets{})
	facts := scale.Facts{Size: "Standard_D2s_v5", Location: "westeurope"}
	for range 20 {
		for _, set := range []string{web, jobs} {
			if _, err := f.Quota(t.Context(), set, facts); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := asked(emu, "/usages"); got != 1 {
		t.Errorf("usage was read %d times, want once", got)
	}
	c.now = c.now.Add(31 * time.Second)
	if _, err := f.Quota(t.Context(), web, facts); err != nil || asked(emu, "/usages") != 2 {
		t.Errorf("half a minute later: %v, read %d times", err, asked(emu, "/usages"))
	}
}

func TestARightThatIsMissingIsSaid(t *testing.T) {
	emu := platform(t)
	turn(t, emu, arm.Fault{Method: "GET", Path: "/usages", Status: 403, Body: []byte(`{"error":{"code":"AuthorizationFailed","message":"no"}}`)})
	_, err := fleet(t, emu).Quota(t.Context(), web, scale.Facts{Size: "Standard_D2s_v5", Location: "westeurope"})
	wantClass(t, err, "quota", scale.ClassForbidden, 403, "AuthorizationFailed")
}

func TestCoresAndFamilyComeFromTheListOfSizes(t *testing.T) {
	const list = `{"value":[
		{"resourceType":"disks","name":"Standard_D2s_v5","family":"disks","capabilities":[{"name":"vCPUs","value":"64"}]},
		{"resourceType":"virtualMachines","name":"Standard_D2s_v5","family":"standardOddFamily","capabilities":[{"name":"MemoryGB","value":"8"},{"name":"vCPUs","value":"5"}]},
		{"resourceType":"virtualMachines","name":"Standard_M208ms_v2","family":"standardMSv2Family","capabilities":[{"name":"vCPUs","value":"many"}]}]}`
	facts := scale.Facts{Size: "Standard_D2s_v5", Location: "westeurope"}
	quotas := []arm.Knob{arm.Quota{Name: "standardOddFamily", Limit: 11}, arm.Quota{Name: "standardDSv5Family", Limit: 20}}
	for _, c := range []struct {
		name string
		knob arm.Knob
		want int
		by   string
	}{
		{"as the list says", arm.Fault{Method: "GET", Path: "/skus", Status: 200, Body: []byte(list)}, 2, "standardOddFamily"},
		{"as the name says, where the list may not be read", arm.Fault{Method: "GET", Path: "/skus", Status: 403, Body: []byte(`{}`)}, 8, "standardDSv5Family"},
		{"as the name says, where the list does not name it", arm.Fault{Method: "GET", Path: "/skus", Status: 200, Body: []byte(`{"value":[]}`)}, 8, "standardDSv5Family"},
	} {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f, clock := budgeted(t, emu, vmss.Budgets{})
			turn(t, emu, quotas...)
			turn(t, emu, c.knob)
			for range 3 {
				q, err := f.Quota(t.Context(), web, facts)
				if err != nil || q.Regular == nil || *q.Regular != c.want || q.RegularName != c.by {
					t.Fatalf("got %+v, %v; want %d by %s", q, err, c.want, c.by)
				}
				clock.now = clock.now.Add(20 * time.Minute)
			}
			if n := asked(emu, "/skus"); n != 1 {
				t.Errorf("the list was read %d times within an hour, want once", n)
			}
			// A day later whatever was read, or an hour later what could not be, is asked for again.
			clock.now = clock.now.Add(24 * time.Hour)
			if _, err := f.Quota(t.Context(), web, facts); err != nil || asked(emu, "/skus") != 2 {
				t.Errorf("a day later: %v, read %d times", err, asked(emu, "/skus"))
			}
		})
	}
}
