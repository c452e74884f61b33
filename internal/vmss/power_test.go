package vmss_test

import (
	"net/http"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

// power deallocates or starts machines of a set and follows that to its end with another process.
func power(t *testing.T, emu *arm.Server, f *vmss.Fleet, set string, c scale.Change) scale.Progress {
	t.Helper()
	a, err := f.Change(t.Context(), set, c)
	if err != nil {
		t.Fatalf("change: %v", err)
	}
	other := fleet(t, emu)
	for range 10 {
		p, err := other.Follow(t.Context(), a.Token)
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		if p.Done {
			return p
		}
	}
	t.Fatal("the operation does not end")
	return scale.Progress{}
}

func TestMachinesAreDeallocatedAndStartedByName(t *testing.T) {
	for set, o := range map[string]scale.Orchestration{web: scale.Flexible, jobs: scale.Uniform} {
		t.Run(string(o), func(t *testing.T) {
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
			if p := power(t, emu, f, set, scale.Change{Deallocate: names, Orchestration: o}); p.Failure != nil {
				t.Fatalf("deallocate: %v", p.Failure)
			}
			live := counted(t, f, set)
			if live.Instances != facts.Capacity-2 || live.Deallocated != 2 {
				t.Errorf("%+v of %d, want two deallocated", live, facts.Capacity)
			}
			if s := (&scale.Intent{Verb: scale.Deallocate, Victims: names}).Stand(live.Each); s != (scale.Standing{Done: 2}) {
				t.Errorf("the two are seen as %+v", s)
			}
			if after, err := f.Read(t.Context(), set); err != nil || after.Capacity != facts.Capacity {
				t.Errorf("the nominal count is %d, %v; want %d as before", after.Capacity, err, facts.Capacity)
			}
			if p := power(t, emu, f, set, scale.Change{Start: names, Orchestration: o}); p.Failure != nil {
				t.Fatalf("start: %v", p.Failure)
			}
			if live := counted(t, f, set); live.Instances != facts.Capacity {
				t.Errorf("%d machines are there, want %d", live.Instances, facts.Capacity)
			}
		})
	}
}

func TestAStartThatFindsNoCapacityFailsWithItsClass(t *testing.T) {
	for set, o := range map[string]scale.Orchestration{web: scale.Flexible, jobs: scale.Uniform} {
		t.Run(string(o), func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu)
			names, err := f.Choose(t.Context(), set, scale.Facts{Orchestration: o}, 1, []scale.Preference{scale.PreferOldest})
			if err != nil {
				t.Fatal(err)
			}
			power(t, emu, f, set, scale.Change{Deallocate: names, Orchestration: o})
			turn(t, emu, arm.Scarce{Set: set})
			p := power(t, emu, f, set, scale.Change{Start: names, Orchestration: o})
			if p.Failure == nil || p.Failure.Class != scale.ClassNoCapacity {
				t.Errorf("got %+v, want a failure of class no_capacity", p.Failure)
			}
		})
	}
}

func TestWhatKeepsThePartOfAChangeFromBeingSentIsToldAtItsEnd(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	names, err := f.Choose(t.Context(), web, scale.Facts{Orchestration: scale.Flexible}, 3, []scale.Preference{scale.PreferOldest})
	if err != nil || len(names) != 3 {
		t.Fatalf("chosen %v, %v", names, err)
	}
	turn(t, emu, arm.Fault{Method: "POST", Path: "/" + names[1] + "/deallocate", Status: http.StatusForbidden, Times: 1})
	p := power(t, emu, f, web, scale.Change{Deallocate: names, Orchestration: scale.Flexible})
	if p.Failure == nil || p.Failure.Class != scale.ClassForbidden || p.Failure.Status != http.StatusForbidden {
		t.Errorf("got %+v, want the refusal of the second machine", p.Failure)
	}
	if live := counted(t, f, web); live.Deallocated != 1 {
		t.Errorf("%d are deallocated, want the first alone", live.Deallocated)
	}
	turn(t, emu, arm.Fault{Method: "POST", Path: "/" + names[1] + "/deallocate", Status: http.StatusForbidden, Times: 1})
	_, err = f.Change(t.Context(), web, scale.Change{Deallocate: names[1:], Orchestration: scale.Flexible})
	wantClass(t, err, "change", scale.ClassForbidden, http.StatusForbidden, "")
}

func TestAChangeOfPowerThatCannotBeMeantIsNotSent(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	many := make([]string, 101)
	for name, c := range map[string]scale.Change{
		"both at once":           {Deallocate: []string{"a"}, Start: []string{"b"}, Orchestration: scale.Flexible},
		"beside a deletion":      {Deallocate: []string{"a"}, Delete: []string{"b"}, Orchestration: scale.Flexible},
		"of a hundred and one":   {Start: many, Orchestration: scale.Uniform},
		"of an unknown kind":     {Start: []string{"a"}},
		"beside another mix":     {Start: []string{"a"}, Mix: &scale.Mix{}, Orchestration: scale.Flexible},
		"beside another number":  {Start: []string{"a"}, Capacity: new(int), Orchestration: scale.Flexible},
		"of machines and a mode": {Deallocate: []string{"a"}, Orchestration: "odd"},
	} {
		before := len(emu.Requests())
		_, err := f.Change(t.Context(), web, c)
		wantClass(t, err, "change", scale.ClassInvalid, 0, "RefusedUnsent")
		if len(emu.Requests()) != before {
			t.Errorf("%s: it was sent", name)
		}
	}
}

func TestDeallocationsHaveTheBucketOfDeletions(t *testing.T) {
	emu := platform(t)
	now := time.Now()
	f := fleet(t, emu, func(o *vmss.Options) {
		o.Now = func() time.Time { return now }
		o.Budgets.SetDeletes = 1
	})
	names, err := f.Choose(t.Context(), jobs, scale.Facts{Orchestration: scale.Uniform}, 2, []scale.Preference{scale.PreferOldest})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Change(t.Context(), jobs, scale.Change{Deallocate: names[:1], Orchestration: scale.Uniform}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Change(t.Context(), jobs, scale.Change{Deallocate: names[1:], Orchestration: scale.Uniform})
	wantClass(t, err, "change", scale.ClassThrottled, 0, "SetBudget")
	if _, err := f.Change(t.Context(), jobs, scale.Change{Start: names[:1], Orchestration: scale.Uniform}); err != nil {
		t.Errorf("a start waits for deletions: %v", err)
	}
}
