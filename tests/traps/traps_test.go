package traps_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// Trap 1: a read that is throttled leaves an old or empty size behind, and an absolute write removes 197 of 200 nodes.
func TestTrap01AThrottledReadWritesNothing(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 20, arm.Config{Sets: []arm.SetConfig{flexible(20)}})
	r.minutes(1)
	r.policy.instances = 3
	r.turn(arm.Throttle{Method: "GET", RetryAfterSeconds: 600, Times: 1000})
	for range 30 {
		r.after(time.Minute)
		if got := r.sweep(); got.Sent {
			t.Fatalf("a change was sent on a throttled read: %+v", got)
		}
	}
	r.turn(arm.Restore{})
	r.minutes(15)
	r.settled(3)
}

// Trap 2: the service says in passing that capacity is 0, and 90 nodes become 1.
func TestTrap02AZeroInPassingIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		name  string
		knobs []arm.Knob
	}{
		{"the machines are listed", nil},
		{"the machines cannot be listed either", []arm.Knob{arm.Grants{Grants: []arm.Grant{
			{Scope: "/subscriptions", Actions: []string{"*"}, NotActions: []string{"Microsoft.Compute/virtualMachines/read"}},
		}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := webPool(scale.Flexible)
			pool.Rails.GrowStep = scale.Step{Instances: 1, WindowSeconds: 60}
			r := newRig(t, pool, 90, arm.Config{Sets: []arm.SetConfig{flexible(90)}})
			r.minutes(2)
			r.turn(arm.ClaimCapacity{Set: web, Capacity: 0, Times: 4})
			r.turn(c.knobs...)
			for range 12 {
				r.minutes(1)
				if got := len(r.patches()); got != 0 {
					t.Fatalf("a zero in passing was acted on: %+v", r.patches())
				}
			}
			r.settled(90)
		})
	}
}

// Trap 2: a zero says no more where the machines had all gone before it, while the count stood.
func TestTrap02AZeroInPassingIsNotBelievedOfASetWithoutMachines(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 7, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.order(func(o *scale.Orders) { o.Freeze = &scale.Order{At: r.clock()} })
	r.minutes(1)
	r.turn(arm.Remove{Set: web, Count: 10})
	r.minutes(40)
	r.turn(arm.ClaimCapacity{Set: web, Capacity: 0, Times: 3})
	r.order(func(o *scale.Orders) { o.Freeze = nil })
	for range 5 {
		r.minutes(1)
		if got := len(r.patches()); got != 0 {
			t.Fatalf("a zero in passing was acted on: %+v", r.patches())
		}
	}
	r.minutes(20)
	r.settled(7)
}

// Trap 3: a delete that fails or times out corrupts the books: 86 nodes are resized to 53.
func TestTrap03AfterAFailedShrinkAzureIsCountedAnew(t *testing.T) {
	late := []byte(`{"error":{"code":"InternalServerError","message":"late"}}`)
	for _, c := range []struct {
		name  string
		order []scale.Preference
		knob  arm.Knob
	}{
		{"the change is refused by a server in trouble", nil, arm.Fault{Method: "PATCH", Status: 500, Times: 3, Body: late}},
		{"the change is made and its answer lost", nil, arm.Fault{Method: "PATCH", Status: 500, Times: 1, After: true, Body: late}},
		{"a deletion by name is refused by a server in trouble", []scale.Preference{scale.PreferNewest}, arm.Fault{Method: "POST", Path: "/delete", Status: 500, Times: 3, Body: late}},
		{"a deletion by name is made and its answer lost", []scale.Preference{scale.PreferNewest}, arm.Fault{Method: "POST", Path: "/delete", Status: 500, Times: 1, After: true, Body: late}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := webPool(scale.Flexible)
			pool.Rails.Shrink.Order = c.order
			r := newRig(t, pool, 12, arm.Config{Sets: []arm.SetConfig{flexible(12)}})
			r.minutes(1)
			r.policy.instances = 10
			r.turn(c.knob)
			r.minutes(30)
			r.settled(10)
			if n := r.set(web).Capacity; n != 10 {
				t.Errorf("the nominal count is %d, want 10", n)
			}
			for _, p := range r.patches() {
				if p.Capacity == nil || *p.Capacity != 10 {
					t.Errorf("asked for %+v, want 10 and nothing else", p)
				}
			}
		})
	}
}

// Trap 4: an eviction lowers capacity, or goes unseen, and the nodes are not replaced.
func TestTrap04EvictedMachinesAreReplacedWithoutAMetric(t *testing.T) {
	yes, no := true, false
	for name, lower := range map[string]*bool{"the nominal count falls": &yes, "the nominal count stays": &no} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 12, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.minutes(3)
			r.settled(12)
			// From now on no metric says anything.
			r.policy.unknown = true
			r.turn(arm.Evict{Set: web, Count: 4, LowerCapacity: lower})
			r.after(5 * time.Minute)
			r.sweep()
			r.minutes(4)
			r.settled(12)
		})
	}
}

// Trap 5: a 429 is ignored, and the budget of the whole subscription is burnt.
func TestTrap05RetryAfterIsObeyedHoweverLong(t *testing.T) {
	for _, c := range []struct {
		name    string
		method  string
		minutes int
	}{
		{"a change, for twenty minutes", http.MethodPatch, 20}, {"a change, for an hour", http.MethodPatch, 60}, {"a read, for an hour", http.MethodGet, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.minutes(1)
			r.policy.instances = 15
			r.turn(arm.Throttle{Method: c.method, Path: "/web", RetryAfterSeconds: 60 * c.minutes, Times: 1})
			r.minutes(1)
			told := r.clock()
			sent := func() (n int) {
				for _, q := range r.emu.Requests() {
					if q.Method == c.method && strings.HasSuffix(strings.ToLower(q.Path), "/web") {
						n++
					}
				}
				return n
			}
			before := sent()
			// Whoever takes over later must know it too: what the first process was told lies in the ledger.
			for range c.minutes / 4 {
				r.restart()
				r.minutes(4)
				if got := sent() - before; got != 0 && r.clock().Sub(told) < time.Duration(c.minutes)*time.Minute {
					t.Fatalf("%d calls were sent within the %d minutes that were asked for", got, c.minutes)
				}
			}
			r.minutes(6)
			r.settled(15)
		})
	}
}

// Trap 6: an allocation fails within the operation, where nobody reads it; there is no fallback for a quarter of an hour,
// and the same is asked for without end.
func TestTrap06ASpotShortfallIsMadeUpInTheTurnThatLearnsOfIt(t *testing.T) {
	for _, c := range []struct{ name, code string }{
		{"the operation fails", "OverconstrainedAllocationRequest"}, {"the size is not to be had as Spot", "SkuNotAvailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.policy.blend = &scale.Blend{
				Mix: scale.Mix{Base: 2, RegularPercent: 50}, Rounding: scale.RegularDown, StandIn: true, ReturnSeconds: 600,
			}
			r.minutes(1)
			r.policy.instances = 18
			r.turn(arm.Scarce{Set: web, Priority: arm.Spot, Left: 0, Code: c.code})
			r.minutes(1)
			if got := len(r.patches()); got != 1 {
				t.Fatalf("%d changes, want the growth alone", got)
			}
			// The process that asked is gone; the next turn reads the operation's end, and asks for regular machines.
			r.restart()
			r.after(time.Minute)
			if got := r.sweep(); !got.Sent || len(r.patches()) != 2 {
				t.Fatalf("the turn that learnt of it sent nothing: %+v", got)
			}
			r.minutes(3)
			r.settled(18)
			if s := r.set(web); s.Regular.Running != 14 || s.Spot.Running != 4 {
				t.Errorf("got %d regular and %d Spot, want 14 and 4", s.Regular.Running, s.Spot.Running)
			}
			r.minutes(20)
			if got := len(r.patches()); got != 2 {
				t.Errorf("%d changes, want no more than the two", got)
			}
		})
	}
}

// Trap 7: eight more are refused although one fits, and then asked for again and again.
func TestTrap07ThePartOfAGrowthThatFitsTheQuotaIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		quota arm.Quota
		set   arm.SetConfig
	}{
		{"of the region", arm.Quota{Name: "cores", Limit: 26}, arm.SetConfig{ID: web, Capacity: 10}},
		{"of the family", arm.Quota{Name: "standardDSv5Family", Limit: 27}, arm.SetConfig{ID: web, Capacity: 10}},
		{
			"of Spot, apart from all others",
			arm.Quota{Name: "lowPriorityCores", Limit: 26},
			arm.SetConfig{ID: web, Capacity: 10, Priority: arm.Spot, EvictionPolicy: arm.Delete},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{c.set}})
			r.turn(c.quota)
			r.minutes(1)
			r.policy.instances = 18
			r.minutes(30)
			r.settled(13)
			if got := len(r.patches()); got != 1 {
				t.Errorf("%d changes, want the one that fits: %+v", got, r.patches())
			}
			entries, err := r.ledger.Entries(t.Context(), "web", time.Time{}, 1)
			if err != nil || entries[0].Decision.Reason != "quota" {
				t.Errorf("the shortfall is not in the entry: %+v, %v", entries[0].Decision, err)
			}
			c.quota.Limit = 100
			r.turn(c.quota)
			r.minutes(12)
			r.settled(18)
		})
	}
}

// Trap 8: several writers overwrite each other.
func TestTrap08AWriteOfSomebodyElseIsNotOverwritten(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.minutes(1)
	r.policy.instances = 14
	six := 6
	// Between the read and the change of one turn, somebody sets the count.
	r.before = func(q *http.Request) {
		if q.Method == http.MethodPatch {
			r.before = nil
			r.turn(arm.ForeignWrite{Set: web, Capacity: &six})
		}
	}
	r.minutes(1)
	if s := r.set(web); s.Capacity != 6 {
		t.Fatalf("the other's count of 6 became %d", s.Capacity)
	}
	if o := r.outcome(); o == nil || o.Result != scale.Superseded || o.Class != scale.ClassPrecondition {
		t.Errorf("the outcome is %+v, want superseded by a precondition", o)
	}
	r.minutes(8)
	r.settled(14)
}

// Trap 9: overlapping operations end as preempted, or in conflicts.
func TestTrap09OneChangeIsUnderWayAtATime(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.minutes(1)
	r.turn(arm.PlanNext{Set: web, Plan: arm.Plan{Seconds: 600}})
	for i := range 9 {
		r.policy.instances = 12 + i
		r.minutes(1)
	}
	if got := len(r.patches()); got != 1 {
		t.Fatalf("%d changes while the first was under way", got)
	}
	r.minutes(6)
	for _, p := range r.patches() {
		if p.Overtook {
			t.Errorf("the change %+v overtook another", p)
		}
	}
	r.settled(20)
}

// Trap 10: on Flexible sets the nominal count is a phantom: machines go without it, growth makes the difference of the
// counts, a shrink deletes live machines.
func TestTrap10PhantomCapacityIsCompensated(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 9, arm.Config{Sets: []arm.SetConfig{flexible(9)}})
	r.minutes(1)
	r.turn(arm.Remove{Set: web, Count: 3})
	r.after(5 * time.Minute)
	r.sweep()
	r.minutes(3)
	r.settled(9)
	r.turn(arm.Remove{Set: web, Count: 2})
	r.policy.instances = 5
	r.after(5 * time.Minute)
	r.sweep()
	r.minutes(4)
	r.settled(5)
}

// Trap 11: new capacity is not visible right after the write, and is asked for again and again.
func TestTrap11MachinesThatComeUpAreNotAskedForTwice(t *testing.T) {
	for _, c := range []struct {
		name string
		plan arm.Plan
	}{
		{"the operation lasts as long as they come up", arm.Plan{}}, {"the operation is over at once", arm.Plan{Immediate: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}, BootSeconds: 420})
			r.minutes(1)
			r.policy.instances = 16
			r.turn(arm.PlanNext{Set: web, Plan: c.plan})
			r.minutes(15)
			if got := len(r.patches()); got != 1 {
				t.Errorf("%d changes for one growth: %+v", got, r.patches())
			}
			r.settled(16)
		})
	}
}

// Trap 12: evicted machines linger deallocated and are counted, and a deadline ends the wait while Azure still works.
func TestTrap12DeallocatedMachinesAreAbsentAndAWaitOutlivesTheProcess(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.minutes(2)
	r.turn(arm.Evict{Set: web, Count: 3, Policy: arm.Deallocate}, arm.PlanNext{Set: web, Plan: arm.Plan{Seconds: 1200}})
	r.after(5 * time.Minute)
	r.sweep()
	r.minutes(2)
	if r.control().Intent == nil {
		t.Fatal("nothing replaces the machines that are off")
	}
	for range 4 {
		r.restart()
		r.minutes(6)
	}
	r.settled(10)
	if got := len(r.patches()); got != 1 {
		t.Errorf("%d changes, want one that was followed to its end by five processes", got)
	}
	if o := r.outcome(); o == nil || o.Result != scale.Applied {
		t.Errorf("the outcome is %+v, want applied, as the operation that outlived four processes says", o)
	}
}
