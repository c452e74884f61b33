package arm_test

import (
	"fmt"
	"testing"

	"trimtab/tests/armemu/arm"
)

// step is one row of a table of the page on Spot priority mix: an action and what stands afterwards.
type step struct {
	action                          string
	to                              int // scale to, or evict -to
	total, base, extra, up, stopped int
}

// The rows and figures are those of Microsoft's page "Spot Priority Mix" (articles/virtual-machine-scale-sets/
// spot-priority-mix.md in MicrosoftDocs/azure-compute-docs at 0c6223e9), scenarios 1 and 2; extra and base are both
// regular, up and stopped both Spot.
func TestBothTablesOfTheMixPageRowByRow(t *testing.T) {
	scenarios := []struct {
		name     string
		mix      arm.Mix
		eviction string
		start    int
		rows     []step
	}{
		{"half above a base of ten, evicted machines are deleted", arm.Mix{Base: 10, RegularPercent: 50}, arm.Delete, 10, []step{
			{"initial creation", 10, 10, 10, 0, 0, 0},
			{"scale out to 20", 20, 20, 10, 5, 5, 0},
			{"scale out to 30", 30, 30, 10, 10, 10, 0},
			{"scale out to 40", 40, 40, 10, 15, 15, 0},
			{"scale out to 41", 41, 41, 10, 15, 16, 0},
			{"scale out to 42", 42, 42, 10, 16, 16, 0},
			{"all Spot VMs evicted", -16, 26, 10, 16, 0, 0},
			{"scale out to 30", 30, 30, 10, 16, 4, 0},
			{"scale out to 42", 42, 42, 10, 16, 16, 0},
			{"scale out to 44", 44, 44, 10, 17, 17, 0},
		}},
		{"a quarter above a base of ten, evicted machines are deallocated", arm.Mix{Base: 10, RegularPercent: 25}, arm.Deallocate, 20, []step{
			{"initial creation", 20, 20, 10, 2, 8, 0},
			{"scale out to 50", 50, 50, 10, 10, 30, 0},
			{"scale out to 110", 110, 110, 10, 25, 75, 0},
			{"10 Spot VMs evicted", -10, 110, 10, 25, 65, 10},
			{"scale out to 120", 120, 120, 10, 27, 73, 10},
		}},
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			emu, _ := platform(t, func(c *arm.Config) {
				c.Sets = []arm.SetConfig{{ID: web, Priority: arm.Spot, EvictionPolicy: sc.eviction, Capacity: sc.start, Mix: &sc.mix}}
			})
			lower := true
			for i, row := range sc.rows {
				switch {
				case i == 0:
				case row.to < 0:
					turn(t, emu, arm.Evict{Set: web, Count: -row.to, LowerCapacity: &lower})
				default:
					resize(t, emu, web, fmt.Sprintf(`{"sku":{"capacity":%d}}`, row.to))
				}
				s := state(t, emu, web)
				if s.Capacity != row.total || s.Regular.There != row.base+row.extra || s.Spot.Running != row.up || s.Spot.Deallocated != row.stopped {
					t.Errorf("%s: got total %d, regular %d, Spot %d and %d deallocated; want %d, %d, %d and %d", row.action,
						s.Capacity, s.Regular.There, s.Spot.Running, s.Spot.Deallocated, row.total, row.base+row.extra, row.up, row.stopped)
				}
			}
		})
	}
}

func TestShrinkingKeepsTheShare(t *testing.T) {
	cases := []struct{ to, regular, spot int }{
		{41, 25, 16}, {40, 25, 15}, {20, 15, 5}, {11, 10, 1}, {10, 10, 0}, {4, 4, 0}, {0, 0, 0},
	}
	emu, _ := platform(t, func(c *arm.Config) {
		c.Sets = []arm.SetConfig{{ID: web, Priority: arm.Spot, Capacity: 42, Mix: &arm.Mix{Base: 10, RegularPercent: 50}}}
	})
	for _, c := range cases {
		resize(t, emu, web, fmt.Sprintf(`{"sku":{"capacity":%d}}`, c.to))
		if s := state(t, emu, web); s.Regular.There != c.regular || s.Spot.There != c.spot {
			t.Errorf("shrink to %d: got %d regular and %d Spot, want %d and %d", c.to, s.Regular.There, s.Spot.There, c.regular, c.spot)
		}
	}
}

func TestANewMixConvertsNothingUntilTheNextChange(t *testing.T) {
	emu, _ := platform(t)
	resize(t, emu, web, `{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":0,"regularPriorityPercentageAboveBase":0}}}`)
	if s := state(t, emu, web); s.Regular.There != 3 || s.Spot.There != 1 || *s.Mix != (arm.Mix{}) {
		t.Errorf("after the PATCH of the policy: got %+v, want 3 regular and 1 Spot under the new mix", s)
	}
	resize(t, emu, web, `{"sku":{"capacity":6}}`)
	if s := state(t, emu, web); s.Regular.There != 3 || s.Spot.There != 3 {
		t.Errorf("after growth: got %+v, want 3 regular and 3 Spot", s)
	}
	resize(t, emu, web, `{"sku":{"capacity":3}}`)
	if s := state(t, emu, web); s.Regular.There != 0 || s.Spot.There != 3 {
		t.Errorf("after shrinking: got %+v, want the regular ones gone first", s)
	}
}
