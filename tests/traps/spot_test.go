package traps_test

import (
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// hedged is a blend of half above two, for which regular machines stand in.
func hedged() *scale.Blend {
	return &scale.Blend{
		Mix: scale.Mix{Base: 2, RegularPercent: 50}, Rounding: scale.RegularDown, StandIn: true, ReturnSeconds: 600,
	}
}

// Trap 6 again, where the failure is learnt of in the answer to the change, or before it.
func TestTrap06SpotRefusedAtOnceIsMadeUpInTheSameTurn(t *testing.T) {
	for _, c := range []struct {
		name    string
		knob    arm.Knob
		changes int
	}{
		{"Azure refuses the change", arm.Fault{Method: "PATCH", Status: 409, Times: 1, Body: []byte(`{"error":{"code":"SkuNotAvailable","message":"no Spot"}}`)}, 2},
		{"the quota for Spot leaves no room", arm.Quota{Name: "lowPriorityCores", Limit: 8}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.policy.blend = hedged()
			r.minutes(1)
			r.policy.instances = 14
			r.turn(c.knob)
			r.after(time.Minute)
			if got := r.sweep(); !got.Sent || len(r.patches()) != c.changes {
				t.Fatalf("%d changes within the turn, want %d: %+v", len(r.patches()), c.changes, got)
			}
			r.minutes(3)
			r.settled(14)
			if s := r.set(web); s.Spot.Running != 4 || s.Regular.Running != 10 {
				t.Errorf("got %d regular and %d Spot, want 10 and 4", s.Regular.Running, s.Spot.Running)
			}
		})
	}
}

func TestWhatStoodInGivesWayWhenSpotIsBack(t *testing.T) {
	pool := webPool(scale.Flexible)
	pool.Rails.Repair = scale.Repair{Instances: 2}
	r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.policy.blend = hedged()
	r.minutes(1)
	r.policy.instances = 18
	r.turn(arm.Scarce{Set: web, Priority: arm.Spot, Left: 0, Code: "SkuNotAvailable"})
	r.minutes(5)
	if s := r.set(web); s.Regular.Running != 14 || s.Spot.Running != 4 {
		t.Fatalf("got %d regular and %d Spot, want 14 and 4", s.Regular.Running, s.Spot.Running)
	}
	r.turn(arm.Scarce{Set: web, Priority: arm.Spot, Lift: true})
	// An hour for Spot, and ten minutes held off: nothing moves before.
	r.minutes(60)
	if s := r.set(web); s.Regular.Running != 14 {
		t.Fatalf("%d regular machines before the time held off was over, want 14", s.Regular.Running)
	}
	least, most := 18, 18
	for range 60 {
		r.minutes(1)
		least, most = min(least, r.running(web)), max(most, r.running(web))
	}
	if s := r.set(web); s.Regular.Running != 10 || s.Spot.Running != 8 {
		t.Errorf("got %d regular and %d Spot, want 10 and 8 again", s.Regular.Running, s.Spot.Running)
	}
	if least < 18 || most > 20 {
		t.Errorf("between %d and %d machines ran meanwhile, want 18 and at most two more", least, most)
	}
}

func TestTheLiveSplitFollowsTheBlendAtConstantSize(t *testing.T) {
	for _, c := range []struct {
		name  string
		most  int
		floor int
		want  int
	}{
		{"out, then in", 250, 10, 12}, {"in, then out, where there is no room above", 10, 8, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := webPool(scale.Flexible)
			pool.Rails.Repair, pool.Rails.Limits.Max = scale.Repair{Instances: 2}, c.most
			r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.minutes(1)
			r.policy.blend = &scale.Blend{Mix: scale.Mix{Base: 1, RegularPercent: 0}, Rounding: scale.RegularDown}
			least, most := 10, 10
			for range 40 {
				r.minutes(1)
				least, most = min(least, r.running(web)), max(most, r.running(web))
			}
			if s := r.set(web); s.Regular.Running != 1 || s.Spot.Running != 9 {
				t.Errorf("got %d regular and %d Spot, want 1 and 9", s.Regular.Running, s.Spot.Running)
			}
			if least < c.floor || most > c.want {
				t.Errorf("between %d and %d machines ran, want %d to %d", least, most, c.floor, c.want)
			}
		})
	}
}

// TestASetOfWhichEveryMachineIsListedAsEvictedIsReplacedSoon: an empty list is doubted for long, one that names each machine
// as deallocated is not.
func TestASetOfWhichEveryMachineIsListedAsEvictedIsReplacedSoon(t *testing.T) {
	for _, o := range kinds {
		set := arm.SetConfig{ID: web, Orchestration: arm.Flexible, Capacity: 6, Priority: arm.Spot, EvictionPolicy: arm.Deallocate}
		if o == scale.Uniform {
			set.Orchestration = arm.Uniform
		}
		r := newRig(t, webPool(o), 6, arm.Config{Sets: []arm.SetConfig{set}})
		r.minutes(2)
		r.turn(arm.Evict{Set: web, Count: 6})
		r.minutes(7)
		r.settled(6)
		if n := len(r.patches()); n != 1 {
			t.Errorf("%s: %d changes, want one", o, n)
		}
	}
}
