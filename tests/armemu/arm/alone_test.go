package arm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"trimtab/tests/armemu/arm"
)

// What the platform does by itself: it restores, balances, overprovisions, and other controllers write.

func TestEvictedMachinesComeBackUnderARestorePolicy(t *testing.T) {
	spot := func(eviction string, change func(*arm.SetConfig)) func(*arm.Config) {
		return func(c *arm.Config) {
			c.BootSeconds = 60
			s := arm.SetConfig{ID: web, Priority: arm.Spot, EvictionPolicy: eviction, Capacity: 4, SpotRestore: "PT1H"}
			change(&s)
			c.Sets = []arm.SetConfig{s}
		}
	}
	lower := true
	cases := []struct {
		name       string
		eviction   string
		change     func(*arm.SetConfig)
		knobs      []arm.Knob
		lower      *bool
		after      time.Duration
		up, stand  int
		capacity   int
		restoredIn bool
	}{
		{"deallocated ones are started again", arm.Deallocate, func(*arm.SetConfig) {}, nil, nil, 10 * time.Minute, 4, 4, 4, true},
		{"deleted ones are made anew", arm.Delete, func(*arm.SetConfig) {}, nil, nil, 10 * time.Minute, 4, 4, 4, true},
		{"and the count that an eviction lowered comes back with them", arm.Delete, func(s *arm.SetConfig) { s.Orchestration = arm.Uniform }, nil, &lower, 10 * time.Minute, 4, 4, 4, true},
		{
			"not while an Azure Autoscale setting targets the set", arm.Deallocate, func(*arm.SetConfig) {},
			[]arm.Knob{arm.Autoscale{Name: "rival", Target: web}},
			nil, 30 * time.Minute, 2, 4, 4, false,
		},
		{
			"a setting that is off is none", arm.Deallocate, func(*arm.SetConfig) {},
			[]arm.Knob{arm.Autoscale{Name: "rival", Target: web, Disabled: true}},
			nil, 30 * time.Minute, 4, 4, 4, true,
		},
		{"not without room", arm.Deallocate, func(*arm.SetConfig) {}, []arm.Knob{arm.Scarce{Priority: arm.Spot}}, nil, 30 * time.Minute, 2, 4, 4, false},
		{"not without the policy", arm.Deallocate, func(s *arm.SetConfig) { s.SpotRestore = "" }, nil, nil, 30 * time.Minute, 2, 4, 4, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu, clock := platform(t, spot(c.eviction, c.change))
			turn(t, emu, c.knobs...)
			turn(t, emu, arm.Evict{Set: web, Count: 2, LowerCapacity: c.lower})
			if s := state(t, emu, web); s.Spot.Running != 2 {
				t.Fatalf("after the eviction: %+v", s)
			}
			clock.forward(c.after)
			s := state(t, emu, web)
			if s.Spot.Running != c.up || s.Spot.There != c.stand || s.Capacity != c.capacity {
				t.Errorf("got %d up of %d, capacity %d; want %d of %d, %d", s.Spot.Running, s.Spot.There, s.Capacity, c.up, c.stand, c.capacity)
			}
		})
	}
}

func TestTheRestoreTimeoutEndsTheAttempts(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) {
		c.Sets = []arm.SetConfig{{ID: web, Priority: arm.Spot, EvictionPolicy: arm.Deallocate, Capacity: 3, SpotRestore: "PT30M"}}
	})
	turn(t, emu, arm.Scarce{Priority: arm.Spot}, arm.Evict{Set: web, Count: 1})
	c.forward(31 * time.Minute)
	if s := state(t, emu, web); s.Spot.Deallocated != 1 {
		t.Fatalf("without room: got %+v", s)
	}
	turn(t, emu, arm.Scarce{Priority: arm.Spot, Lift: true})
	c.forward(2 * time.Hour)
	if s := state(t, emu, web); s.Spot.Deallocated != 1 {
		t.Errorf("after the time-out: got %+v, want nothing more tried", s)
	}
}

// zoned makes a uniform set of 1 to n with the instance IDs of a page's table in their zones.
func zoned(t *testing.T, rule string, zones [3][]int) *arm.Server {
	t.Helper()
	n := 0
	for _, ids := range zones {
		for _, id := range ids {
			n = max(n, id)
		}
	}
	emu, _ := platform(t, func(c *arm.Config) {
		c.Sets = []arm.SetConfig{{ID: jobs, Orchestration: arm.Uniform, Capacity: n + 1, Zones: []string{"1", "2", "3"}, ScaleIn: rule}}
	})
	for i, ids := range zones {
		for _, id := range ids {
			turn(t, emu, arm.Machine{Set: jobs, Name: fmt.Sprint(id), Zone: fmt.Sprint(i + 1)})
		}
	}
	turn(t, emu, arm.Remove{Set: jobs, Names: []string{"jobs_0"}})
	return emu
}

// The rows are those of Microsoft's page on scale-in policies, section "Usage examples" (virtual-machine-scale-sets-
// scale-in-policy.md in MicrosoftDocs/azure-compute-docs at 0c6223e9): which instance goes at each step.
func TestBothTablesOfTheScaleInPageRowByRow(t *testing.T) {
	initial := [3][]int{{3, 4, 5, 10}, {2, 6, 9, 11}, {1, 7, 8}}
	for rule, goes := range map[string][]int{
		"OldestVM": {2, 3, 1, 4, 6, 5},
		"NewestVM": {11, 10, 9, 8, 5, 7},
	} {
		t.Run(rule, func(t *testing.T) {
			emu := zoned(t, rule, initial)
			f := sdk(t, emu, policy.RetryOptions{})
			for row, id := range goes {
				before := instances(t, f)
				resize(t, emu, jobs, fmt.Sprintf(`{"sku":{"capacity":%d}}`, len(before)-1))
				after := instances(t, f)
				gone := ""
				for one := range before {
					if !after[one] {
						gone += one
					}
				}
				if gone != fmt.Sprint(id) {
					t.Fatalf("row %d: instance %s went, want %d", row+1, gone, id)
				}
			}
		})
	}
}

// The rows are the behaviour examples of Microsoft's page on automatic zone balance (auto-zone-balance-overview.md at
// 03f0aeae): active and deallocated machines of three zones, and what comes of them.
func TestTheExamplesOfTheZoneBalancePageRowByRow(t *testing.T) {
	for name, c := range map[string]struct{ active, off, then [3]int }{
		"all zones hold five, one of them deallocated":           {[3]int{5, 5, 0}, [3]int{0, 0, 5}, [3]int{5, 5, 5}},
		"the fullest zone has fewer active ones":                 {[3]int{2, 4, 4}, [3]int{5, 0, 0}, [3]int{7, 4, 4}},
		"active ones of the fullest zone move one by one, twice": {[3]int{2, 4, 5}, [3]int{0, 0, 2}, [3]int{4, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for i := range c.active {
				n += c.active[i] + c.off[i]
			}
			emu, clock := platform(t, func(cfg *arm.Config) {
				cfg.BootSeconds = 60
				cfg.Sets = []arm.SetConfig{{ID: jobs, Orchestration: arm.Uniform, Capacity: n, Zones: []string{"1", "2", "3"}, AutoZoneBalance: true}}
			})
			id := 0
			for i := range c.active {
				for k := range c.active[i] + c.off[i] {
					m := arm.Machine{Set: jobs, Name: fmt.Sprint(id), Zone: fmt.Sprint(i + 1)}
					if k >= c.active[i] {
						m.Power = "deallocated"
					}
					turn(t, emu, m)
					id++
				}
			}
			clock.forward(72 * time.Hour)
			s := state(t, emu, jobs)
			if got := [3]int{s.Zones["1"], s.Zones["2"], s.Zones["3"]}; got != c.then || s.Capacity != n {
				t.Errorf("got %v of %d, want %v of %d", got, s.Capacity, c.then, n)
			}
		})
	}
}

func TestZoneBalancingWaitsForQuietAndIsCancelledByAChange(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) {
		c.BootSeconds = 120
		c.Sets = []arm.SetConfig{{ID: jobs, Orchestration: arm.Uniform, Capacity: 6, Zones: []string{"1", "2"}, AutoZoneBalance: true}}
	})
	for _, id := range []string{"0", "2"} {
		turn(t, emu, arm.Machine{Set: jobs, Name: id, Zone: "2"})
	}
	for range 6 {
		resize(t, emu, jobs, `{"tags":{"seen":"yes"}}`)
		c.forward(40 * time.Minute)
	}
	if s := state(t, emu, jobs); s.Zones["2"] != 5 {
		t.Fatalf("a set that is written to all the time was balanced: %v", s.Zones)
	}
	c.forward(21 * time.Minute)
	if s := state(t, emu, jobs); s.Regular.Creating != 1 || s.Regular.There != 7 {
		t.Fatalf("an hour after the last write: got %+v, want one machine more on its way", s)
	}
	resize(t, emu, jobs, `{"sku":{"capacity":7}}`)
	c.forward(10 * time.Minute)
	if s := state(t, emu, jobs); s.Regular.There != 7 || s.Zones["2"] != 5 {
		t.Errorf("after a change of capacity: got %+v, want seven machines and nothing moved", s)
	}
	c.forward(10 * time.Hour)
	if s := state(t, emu, jobs); s.Zones["2"] != 5 {
		t.Errorf("within twelve hours of the last move: got %v", s.Zones)
	}
	c.forward(3 * time.Hour)
	if s := state(t, emu, jobs); s.Zones["2"] != 4 || s.Regular.There != 7 {
		t.Errorf("after twelve hours: got %v", s.Zones)
	}
}

func TestAMoveCanShowInTheCount(t *testing.T) {
	emu, c := platform(t, func(c *arm.Config) {
		c.BootSeconds = 60
		c.Sets = []arm.SetConfig{{ID: jobs, Orchestration: arm.Uniform, Capacity: 4, Zones: []string{"1", "2"}}}
	})
	turn(t, emu, arm.Rebalance{Set: jobs, RaisesCapacity: true})
	if s := state(t, emu, jobs); s.Capacity != 5 || s.ETag != `"2"` {
		t.Errorf("meanwhile: got %+v, want a capacity of five", s)
	}
	c.forward(2 * time.Minute)
	if s := state(t, emu, jobs); s.Capacity != 4 || s.Regular.There != 4 || s.ETag != `"3"` {
		t.Errorf("afterwards: got %+v, want four of four", s)
	}
}

func TestOverprovisioningMakesMoreAndTakesThemAway(t *testing.T) {
	on := true
	emu, c := platform(t, func(c *arm.Config) {
		c.BootSeconds = 60
		c.Sets = []arm.SetConfig{{ID: jobs, Orchestration: arm.Uniform, Capacity: 2, Overprovision: &on}}
	})
	resize(t, emu, jobs, `{"sku":{"capacity":12}}`)
	if s := state(t, emu, jobs); s.Capacity != 12 || s.Regular.Creating != 12 {
		t.Errorf("meanwhile: got %+v, want a fifth more than the ten asked for on their way", s)
	}
	if n := len(instances(t, sdk(t, emu, policy.RetryOptions{}))); n != 14 {
		t.Errorf("the list shows %d machines, want 14", n)
	}
	c.forward(time.Minute)
	if s := state(t, emu, jobs); s.Capacity != 12 || s.Regular.There != 12 || s.Regular.Running != 12 {
		t.Errorf("once they are up: got %+v, want twelve", s)
	}
}

func TestAnAutoscaleSettingWritesToo(t *testing.T) {
	emu, c := platform(t)
	turn(t, emu, arm.Autoscale{Name: "rival", Target: jobs, Minimum: 2, Maximum: 6, Default: 2, Step: 2, EverySeconds: 300})
	ours := resize(t, emu, jobs, `{"sku":{"capacity":3}}`)
	c.forward(5 * time.Minute)
	if s := state(t, emu, jobs); s.Capacity != 5 || s.ETag != `"3"` {
		t.Errorf("after its first look: got %+v, want 5", s)
	}
	if got, _ := opStatus(t, emu, ours); got != "Succeeded" {
		t.Errorf("our operation had ended: %s", got)
	}
	turn(t, emu, arm.PlanNext{Set: jobs, Plan: arm.Plan{Seconds: 3600}})
	ours = resize(t, emu, jobs, `{"sku":{"capacity":4}}`)
	c.forward(5 * time.Minute)
	if got, code := opStatus(t, emu, ours); got != "Canceled" || code != "OperationPreempted" {
		t.Errorf("an operation under way: got %s %s, want it preempted", got, code)
	}
	c.forward(time.Hour)
	if s := state(t, emu, jobs); s.Capacity != 6 {
		t.Errorf("got %d, want its maximum of 6", s.Capacity)
	}
	turn(t, emu, arm.Autoscale{Name: "rival", Target: jobs, Remove: true})
	resize(t, emu, jobs, `{"sku":{"capacity":3}}`)
	c.forward(time.Hour)
	if s := state(t, emu, jobs); s.Capacity != 3 {
		t.Errorf("without it: got %d", s.Capacity)
	}
}
