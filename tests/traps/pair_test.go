package traps_test

import (
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

const cheap = group + "cheap"

// newPair is a pool of two uniform sets, web of regular machines and cheap of Spot ones.
func newPair(t *testing.T, regular, spot, wanted int) *rig {
	t.Helper()
	pool := webPool(scale.Uniform)
	pool.SpotScaleSet = cheap
	r := newRig(t, pool, wanted, arm.Config{Sets: []arm.SetConfig{
		{ID: web, Orchestration: arm.Uniform, Capacity: regular},
		{ID: cheap, Orchestration: arm.Uniform, Capacity: spot, Priority: arm.Spot, EvictionPolicy: arm.Delete},
	}})
	r.policy.blend = hedged()
	return r
}

// both fails unless so many machines of each set run.
func (r *rig) both(regular, spot int) {
	r.t.Helper()
	if got, also := r.running(web), r.running(cheap); got != regular || also != spot {
		r.t.Errorf("%d regular and %d Spot run, want %d and %d", got, also, regular, spot)
	}
}

func TestAPairIsSplitByTheBlend(t *testing.T) {
	r := newPair(t, 6, 4, 10)
	r.minutes(2)
	if got := len(r.patches()); got != 0 {
		t.Fatalf("%d changes of a pair that is as wanted: %+v", got, r.patches())
	}
	r.policy.instances = 18
	r.minutes(3)
	r.both(10, 8)
	r.policy.instances = 4
	r.minutes(5)
	r.both(3, 1)
	for _, p := range r.patches() {
		if p.Overtook {
			t.Errorf("the change %+v overtook another", p)
		}
	}
}

func TestGrowthOfOneSetNeverWaitsForTheOther(t *testing.T) {
	r := newPair(t, 6, 4, 10)
	r.policy.blend.StandIn = false
	r.minutes(1)
	r.turn(arm.Fault{Method: "PATCH", Path: "cheap", Status: 409, Times: 1000, Body: []byte(`{"error":{"code":"SkuNotAvailable","message":"no Spot"}}`)})
	r.policy.instances = 18
	r.minutes(2)
	r.both(10, 4)
	r.policy.instances = 24
	r.minutes(2)
	r.both(13, 4)
	r.turn(arm.Restore{})
	r.minutes(70)
	r.both(13, 11)
}

func TestARegularSetStandsInForItsSpotSetInTheSameTurn(t *testing.T) {
	for _, c := range []struct {
		name string
		knob arm.Knob
		// turns is how many turns it takes until the failure is learnt of.
		turns int
	}{
		{"refused at once", arm.Fault{Method: "PATCH", Path: "cheap", Status: 409, Times: 1, Body: []byte(`{"error":{"code":"SkuNotAvailable","message":"no Spot"}}`)}, 1},
		{"the operation fails", arm.Scarce{Set: cheap, Left: 0, Code: "OverconstrainedAllocationRequest"}, 2},
		{"the quota for Spot", arm.Quota{Name: "lowPriorityCores", Limit: 8}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newPair(t, 6, 4, 10)
			r.minutes(1)
			r.turn(c.knob)
			r.policy.instances = 18
			r.minutes(c.turns)
			asked := 0
			for _, p := range r.patches() {
				if strings.HasSuffix(strings.ToLower(p.Path), "/web") && p.Capacity != nil {
					asked = *p.Capacity
				}
			}
			if asked != 14 {
				t.Fatalf("the regular set was asked for %d in the turn that learnt of it, want 14: %+v", asked, r.patches())
			}
			r.minutes(3)
			r.both(14, 4)
		})
	}
}

func TestEvictedMachinesOfAPairAreReplacedWithoutAMetric(t *testing.T) {
	r := newPair(t, 6, 4, 18)
	r.minutes(3)
	r.both(10, 8)
	r.policy.unknown = true
	r.turn(arm.Evict{Set: cheap, Count: 5})
	r.after(5 * time.Minute)
	r.sweep()
	r.minutes(4)
	r.both(10, 8)
}

func TestAPairComesBackToItsBlend(t *testing.T) {
	r := newPair(t, 14, 4, 18)
	r.pools[0].Rails.Repair = scale.Repair{Instances: 2}
	r.restart()
	least, most := 18, 18
	for range 30 {
		r.minutes(1)
		n := r.running(web) + r.running(cheap)
		least, most = min(least, n), max(most, n)
	}
	r.both(10, 8)
	if least < 18 || most > 20 {
		t.Errorf("between %d and %d machines ran meanwhile, want 18 to 20", least, most)
	}
}

func TestAnOrderHoldsForBothSetsOfAPair(t *testing.T) {
	r := newPair(t, 6, 4, 10)
	r.minutes(1)
	r.order(func(o *scale.Orders) { o.Freeze = &scale.Order{At: r.clock()} })
	r.policy.instances = 18
	r.minutes(5)
	r.both(6, 4)
	r.order(func(o *scale.Orders) { o.Freeze = nil })
	r.minutes(3)
	r.both(10, 8)
}

// TestNoSetOfAPairShrinksOnMachinesOfTheOtherThatNobodyListed: without a list of the other's machines its nominal count holds
// those that were evicted too.
func TestNoSetOfAPairShrinksOnMachinesOfTheOtherThatNobodyListed(t *testing.T) {
	pool := webPool(scale.Uniform)
	pool.SpotScaleSet = cheap
	r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{
		{ID: web, Orchestration: arm.Uniform, Capacity: 6},
		{ID: cheap, Orchestration: arm.Uniform, Capacity: 4, Priority: arm.Spot, EvictionPolicy: arm.Deallocate},
	}})
	r.policy.blend = hedged()
	r.minutes(2)
	r.turn(
		arm.Fault{Method: "PATCH", Path: "cheap", Status: 409, Times: 1000, Body: []byte(`{"error":{"code":"SkuNotAvailable","message":"no Spot"}}`)},
		arm.Evict{Set: cheap, Count: 3},
	)
	r.minutes(6)
	r.both(9, 1)
	r.turn(arm.Fault{Method: "GET", Path: "cheap/virtualMachines", Status: 500, Times: 1000})
	for range 20 {
		r.minutes(1)
		r.both(9, 1)
	}
}
