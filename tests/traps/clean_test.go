package traps_test

import (
	"testing"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// cleaner is a pool that has what serves nobody deleted, two machines at once.
func cleaner(o scale.Orchestration) scale.Pool {
	pool := webPool(o)
	pool.Rails.Repair = scale.Repair{Instances: 2}
	pool.Rails.Cooldown.MixSeconds = 300
	pool.Rails.Clean = scale.Cleaning{Failed: true, Evicted: true}
	return pool
}

func TestFailedMachinesThatDoNotRunAreReplacedAndDeleted(t *testing.T) {
	for _, o := range kinds {
		t.Run(string(o), func(t *testing.T) {
			set := arm.SetConfig{ID: web, Capacity: 10, Orchestration: arm.Flexible}
			if o == scale.Uniform {
				set.Orchestration = arm.Uniform
			}
			r := newRig(t, cleaner(o), 10, arm.Config{Sets: []arm.SetConfig{set}})
			r.minutes(2)
			// Five machines fail: three do not run, one runs all the same, one that does not run is protected.
			names := r.names()
			for i, name := range names[:5] {
				m := arm.Machine{Set: web, Name: name, State: "Failed", Power: "none"}
				switch i {
				case 3:
					m.Power = "running"
				case 4:
					protected := true
					m.Protected = &protected
				}
				r.turn(m)
			}
			r.minutes(30)
			// Four were replaced; of these three went, two at first, and the protected one stays. The machines of a Flexible set
			// are protected by a tag, which this one has not.
			s, there := r.set(web), 11
			if o == scale.Flexible {
				there = 10
			}
			if s.Regular.Failed != there-9 || s.Regular.There != there || s.Capacity != there {
				t.Errorf("got %+v, want ten that serve, one of them failed, of %d", s, there)
			}
			if n := r.posts("/delete"); n != 2 {
				t.Errorf("%d deletions, want two and then one", n)
			}
			left := r.names()
			for _, name := range names[:3] {
				for _, l := range left {
					if l == name {
						t.Errorf("%s is still there", name)
					}
				}
			}
		})
	}
}

func TestEvictedMachinesGoWhereThePoolAsksForIt(t *testing.T) {
	for _, asked := range []bool{true, false} {
		pool := cleaner(scale.Flexible)
		pool.Rails.Clean.Evicted = asked
		set := flexible(10)
		set.EvictionPolicy = arm.Deallocate
		r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{set}})
		r.minutes(2)
		r.turn(arm.Evict{Set: web, Count: 3})
		r.minutes(40)
		r.settled(10)
		want := 13
		if asked {
			want = 10
		}
		if s := r.set(web); s.Capacity != want || s.Regular.There+s.Spot.There != want {
			t.Errorf("asked %t: got %+v, want %d", asked, s, want)
		}
	}
}

func TestNothingIsCleanedWhileFrozenObservedOrWithoutABudget(t *testing.T) {
	for name, change := range map[string]func(r *rig, p *scale.Pool){
		"observe":   func(_ *rig, p *scale.Pool) { p.Mode = scale.Observe },
		"no budget": func(_ *rig, p *scale.Pool) { p.Rails.Repair = scale.Repair{} },
		"not asked": func(_ *rig, p *scale.Pool) { p.Rails.Clean = scale.Cleaning{Evicted: true} },
		"frozen":    nil,
	} {
		pool := cleaner(scale.Flexible)
		if change != nil {
			change(nil, &pool)
		}
		r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{{ID: web, Orchestration: arm.Flexible, Capacity: 10}}})
		r.minutes(2)
		if change == nil {
			r.order(func(o *scale.Orders) { o.Freeze = &scale.Order{At: r.clock()} })
		}
		r.turn(arm.Machine{Set: web, Name: r.names()[0], State: "Failed", Power: "none"})
		r.minutes(30)
		if n := r.posts("/delete"); n != 0 {
			t.Errorf("%s: %d deletions", name, n)
		}
	}
}

func TestALostAnswerToACleaningIsSettledByTheFacts(t *testing.T) {
	r := newRig(t, cleaner(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{{ID: web, Orchestration: arm.Flexible, Capacity: 10}}})
	r.minutes(2)
	r.turn(
		arm.Machine{Set: web, Name: r.names()[0], State: "Failed", Power: "none"},
		arm.Fault{Method: "POST", Path: "/delete", Status: 500, Times: 1, After: true},
	)
	r.minutes(4)
	r.restart()
	r.minutes(20)
	r.settled(10)
	if s := r.set(web); s.Capacity != 10 || s.Regular.There != 10 || r.posts("/delete") != 1 {
		t.Errorf("got %+v after %d deletions, want ten and one", s, r.posts("/delete"))
	}
}

// TestWhatOneReadShowsToHaveFailedIsNotDeleted: as many machines are surely missing as are gone, and that says nothing about
// another that a single read shows to have failed.
func TestWhatOneReadShowsToHaveFailedIsNotDeleted(t *testing.T) {
	r := newRig(t, cleaner(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{{ID: web, Orchestration: arm.Flexible, Capacity: 10}}})
	r.minutes(2)
	names := r.names()
	r.turn(arm.Remove{Set: web, Names: names[:2]})
	r.minutes(10)
	r.settled(10)
	for _, name := range names[2:6] {
		r.turn(arm.Machine{Set: web, Name: name, State: "Failed", Power: "none"})
		r.minutes(1)
		r.turn(arm.Machine{Set: web, Name: name, State: "Succeeded", Power: "running"})
		r.minutes(7)
	}
	if n := r.posts("/delete"); n != 0 {
		t.Errorf("%d deletions of machines that run", n)
	}
}

func TestOrdersAndDoubtsHoldForCleaning(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"shrinking is paused": func(r *rig) {
			r.order(func(o *scale.Orders) { o.PauseShrink = &scale.Order{At: r.clock()} })
		},
		"a reason is in doubt": func(r *rig) { r.policy.doubt = true },
	} {
		r := newRig(t, cleaner(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{{ID: web, Orchestration: arm.Flexible, Capacity: 10}}})
		r.minutes(2)
		change(r)
		r.turn(arm.Machine{Set: web, Name: r.names()[0], State: "Failed", Power: "none"})
		r.minutes(30)
		r.settled(10)
		if n := r.posts("/delete"); n != 0 {
			t.Errorf("%s: %d deletions", name, n)
		}
	}
}
