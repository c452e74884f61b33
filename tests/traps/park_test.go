package traps_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// kinds are the sets that machines are parked in.
var kinds = []scale.Orchestration{scale.Flexible, scale.Uniform}

// parkRig is a pool of ten that parks its oldest machines.
func parkRig(t *testing.T, o scale.Orchestration, change ...func(*scale.Pool, *arm.Config)) *rig {
	t.Helper()
	pool := webPool(o)
	pool.Rails.Shrink = scale.Selection{Order: []scale.Preference{scale.PreferOldest}, Action: scale.Deallocate}
	set := arm.SetConfig{ID: web, Orchestration: string(o), Capacity: 10}
	if o == scale.Flexible {
		set.Orchestration = arm.Flexible
	} else {
		set.Orchestration = arm.Uniform
	}
	cfg := arm.Config{Sets: []arm.SetConfig{set}}
	for _, c := range change {
		c(&pool, &cfg)
	}
	r := newRig(t, pool, 10, cfg)
	r.minutes(2)
	return r
}

// posts counts the calls whose path ends so.
func (r *rig) posts(end string) (n int) {
	for _, q := range r.emu.Requests() {
		if q.Method == http.MethodPost && strings.HasSuffix(q.Path, end) {
			n++
		}
	}
	return n
}

// holds fails unless the set holds so many, of which so many are deallocated.
func (r *rig) holds(nominal, off int) {
	r.t.Helper()
	s := r.set(web)
	if got := s.Regular.Deallocated + s.Spot.Deallocated; s.Capacity != nominal || got != off {
		r.t.Errorf("the set holds %d, %d of them deallocated; want %d and %d", s.Capacity, got, nominal, off)
	}
}

func TestAPoolThatDeallocatesParksAndStartsAgain(t *testing.T) {
	for _, o := range kinds {
		t.Run(string(o), func(t *testing.T) {
			r := parkRig(t, o)
			r.policy.instances = 6
			r.minutes(1)
			r.restart()
			r.minutes(3)
			r.settled(6)
			r.holds(10, 4)
			if o := r.outcome(); o == nil || o.Result != scale.Applied {
				t.Errorf("the outcome is %+v, want applied", o)
			}
			// What is parked is not missing: nothing replaces it, however long.
			r.minutes(30)
			r.settled(6)
			if n := len(r.patches()); n != 0 {
				t.Errorf("%d changes of the count, want none", n)
			}
			// Five more: the four that are parked, and one new.
			r.policy.instances = 11
			r.minutes(1)
			r.restart()
			r.minutes(6)
			r.settled(11)
			r.holds(11, 0)
			if n := len(r.patches()); n != 1 {
				t.Errorf("%d changes of the count, want one for the eleventh", n)
			}
			if deleted := r.posts("/delete"); deleted != 0 {
				t.Errorf("%d deletions", deleted)
			}
		})
	}
}

func TestTheRestOfAGrowthThatBeganWithParkedMachinesDoesNotRest(t *testing.T) {
	r := parkRig(t, scale.Flexible, func(p *scale.Pool, _ *arm.Config) { p.Rails.Cooldown.GrowSeconds = 1800 })
	r.policy.instances = 6
	r.minutes(4)
	r.policy.instances = 15
	r.minutes(6)
	r.settled(15)
	r.policy.instances = 16
	r.minutes(2)
	r.settled(15)
}

func TestACrashBetweenAnyTwoStepsOfParkingDoublesNothing(t *testing.T) {
	for _, o := range kinds {
		for _, lost := range []string{"before it is sent", "its answer"} {
			t.Run(string(o)+", "+lost, func(t *testing.T) {
				r := parkRig(t, o)
				for i, step := range []struct {
					wanted int
					end    string
				}{{7, "/deallocate"}, {10, "/start"}} {
					before := r.posts(step.end)
					if lost == "its answer" {
						r.turn(arm.Fault{Method: http.MethodPost, Path: step.end, Status: 500, Times: 1, After: true})
					} else {
						r.turn(arm.Fault{Method: http.MethodPost, Path: step.end, Status: 500, Times: 1})
					}
					r.policy.instances = step.wanted
					r.after(time.Minute)
					r.sweep()
					r.restart()
					r.minutes(8)
					r.settled(step.wanted)
					r.holds(10, 10-step.wanted)
					if o == scale.Uniform && lost == "its answer" && r.posts(step.end)-before != 1 {
						t.Errorf("step %d: %d calls, want the one whose answer was lost", i, r.posts(step.end)-before)
					}
				}
				if n := len(r.patches()); n != 0 {
					t.Errorf("%d changes of the count, want none", n)
				}
			})
		}
	}
}

// TestAParkingOfWhichNothingIsSeenRestsAllTheSame: no ETag says that it was never sent, and a list may lag behind it. What
// follows at once could choose other machines.
func TestAParkingOfWhichNothingIsSeenRestsAllTheSame(t *testing.T) {
	for _, o := range kinds {
		r := parkRig(t, o, func(p *scale.Pool, _ *arm.Config) { p.Rails.Cooldown.ShrinkSeconds = 1800 })
		r.turn(arm.Fault{Method: http.MethodPost, Path: "/deallocate", Status: 500, Times: 1})
		r.policy.instances = 9
		r.minutes(15)
		r.settled(10)
		if n := r.posts("/deallocate"); n != 1 {
			t.Errorf("%s: %d calls, want the one whose answer was lost", o, n)
		}
		// Growth does not wait for it.
		r.policy.instances = 12
		r.minutes(2)
		r.settled(12)
		r.policy.instances = 9
		r.minutes(40)
		r.settled(9)
	}
}

func TestEvictedMachinesAreReplacedAndNeverTakenForParkedOnes(t *testing.T) {
	r := parkRig(t, scale.Flexible, func(_ *scale.Pool, c *arm.Config) {
		c.Sets[0].Priority, c.Sets[0].EvictionPolicy = arm.Spot, arm.Deallocate
	})
	r.policy.instances = 7
	r.minutes(4)
	r.settled(7)
	r.turn(arm.Evict{Set: web, Count: 2})
	r.minutes(8)
	// The parked three are started first: two of them make up for the two that are gone.
	r.settled(7)
	r.holds(10, 3)
	started := r.posts("/start")
	if started != 2 || len(r.patches()) != 0 {
		t.Errorf("%d starts and %d changes of the count, want two and none", started, len(r.patches()))
	}
	// Two more than the one that is left: that one, and a new one. The evicted two are left alone.
	r.policy.instances = 9
	r.minutes(8)
	r.settled(9)
	r.holds(11, 2)
}

func TestAStartThatFailsLeavesGrowthToNewMachines(t *testing.T) {
	r := parkRig(t, scale.Uniform, func(p *scale.Pool, _ *arm.Config) { p.Rails.Limits.Max = 12 })
	r.policy.instances = 6
	r.minutes(4)
	r.turn(arm.PlanNext{Set: web, Plan: arm.Plan{Status: "Failed", Code: "ZonalAllocationFailed", Message: "no capacity in zone 1"}})
	r.policy.instances = 10
	// Four are parked and cannot be started now: of twelve, two places are left. Two of them make room for two more.
	r.minutes(12)
	r.settled(10)
	r.holds(12, 2)
	if n := r.posts("/delete"); n != 1 {
		t.Errorf("%d deletions, want the one that makes room", n)
	}
	r.minutes(70)
	r.settled(10)
	r.holds(12, 2)
}

func TestAStartForWhichARegionLacksCapacityKeepsGrowthBack(t *testing.T) {
	r := parkRig(t, scale.Uniform)
	r.policy.instances = 6
	r.minutes(4)
	r.turn(arm.PlanNext{Set: web, Plan: arm.Plan{Status: "Failed", Code: "AllocationFailed", Message: "no capacity"}})
	r.policy.instances = 10
	r.minutes(50)
	r.settled(6)
	r.minutes(20)
	r.settled(10)
	r.holds(10, 0)
}

func TestOrdersHoldForParkedMachines(t *testing.T) {
	r := parkRig(t, scale.Flexible)
	r.order(func(o *scale.Orders) { o.PauseShrink = &scale.Order{At: r.clock()} })
	r.policy.instances = 6
	r.minutes(4)
	r.settled(10)
	r.order(func(o *scale.Orders) { o.PauseShrink = nil })
	r.minutes(4)
	r.settled(6)
	r.order(func(o *scale.Orders) { o.Freeze = &scale.Order{At: r.clock()} })
	r.policy.instances = 10
	r.minutes(4)
	r.settled(6)
	r.order(func(o *scale.Orders) {
		o.Freeze = nil
		o.Pin = &scale.Order{At: r.clock(), Instances: 8}
	})
	r.minutes(4)
	r.settled(8)
	r.holds(10, 2)
}

func TestAMachineThatSomebodyStartsIsParkedNoLonger(t *testing.T) {
	r := parkRig(t, scale.Flexible)
	r.policy.instances = 6
	r.minutes(4)
	name := r.control().Memory.Parked[0].Name
	r.turn(arm.Machine{Set: web, Name: name, Power: "running"})
	r.policy.instances = 7
	r.minutes(8)
	r.settled(7)
	r.holds(10, 3)
	for _, p := range r.control().Memory.Parked {
		if p.Name == name {
			t.Errorf("%s runs and is remembered as parked: %+v", name, p)
		}
	}
}

func TestASetWithAMixStartsTheKindThatIsMissing(t *testing.T) {
	blend := &scale.Blend{Mix: scale.Mix{Base: 2, RegularPercent: 50}, Rounding: scale.RegularDown}
	r := parkRig(t, scale.Flexible, func(_ *scale.Pool, c *arm.Config) {
		c.Sets[0] = flexible(10)
	})
	r.policy.blend = blend
	r.minutes(1)
	r.policy.instances = 6
	r.minutes(5)
	s := r.set(web)
	if s.Regular.Running != 4 || s.Spot.Running != 2 {
		t.Fatalf("%d regular and %d Spot run, want 4 and 2", s.Regular.Running, s.Spot.Running)
	}
	r.policy.instances = 12
	r.minutes(10)
	s = r.set(web)
	if s.Regular.Running != 7 || s.Spot.Running != 5 || s.Capacity != 12 {
		t.Errorf("%d regular and %d Spot run of %d, want 7 and 5 of 12", s.Regular.Running, s.Spot.Running, s.Capacity)
	}
}

// TestAParkedMachineThatSomebodyProtectsMakesRoomForNoOther: what is under protection is deleted for nobody's sake.
func TestAParkedMachineThatSomebodyProtectsMakesRoomForNoOther(t *testing.T) {
	r := parkRig(t, scale.Uniform, func(p *scale.Pool, _ *arm.Config) { p.Rails.Limits.Max = 10 })
	r.policy.instances = 6
	r.minutes(4)
	protected := true
	parked := r.control().Memory.Parked
	for _, p := range parked[:3] {
		r.turn(arm.Machine{Set: web, Name: p.Name, Protected: &protected})
	}
	r.turn(arm.PlanNext{Set: web, Plan: arm.Plan{Status: "Failed", Code: "ZonalAllocationFailed", Message: "no capacity in zone 1"}})
	r.policy.instances = 10
	// The fourth makes room for one.
	r.minutes(15)
	r.settled(7)
	r.holds(10, 3)
}

// TestTheRestOfAGrowthOfAPairDoesNotRestEither: what is left of a growth of one set, once its parked machines have started,
// waits for no cooldown, and a growth of its own does.
func TestTheRestOfAGrowthOfAPairDoesNotRestEither(t *testing.T) {
	pool := webPool(scale.Uniform)
	pool.SpotScaleSet = cheap
	pool.Rails.Cooldown.GrowSeconds = 1800
	pool.Rails.Shrink = scale.Selection{Order: []scale.Preference{scale.PreferOldest}, Action: scale.Deallocate}
	r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{
		{ID: web, Orchestration: arm.Uniform, Capacity: 6},
		{ID: cheap, Orchestration: arm.Uniform, Capacity: 4, Priority: arm.Spot, EvictionPolicy: arm.Delete},
	}})
	r.policy.blend = hedged()
	r.minutes(2)
	r.policy.instances = 4
	r.minutes(6)
	r.both(3, 1)
	r.policy.instances = 18
	r.minutes(8)
	r.both(10, 8)
	r.policy.instances = 20
	r.minutes(4)
	r.both(10, 8)
}
