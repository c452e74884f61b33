package arm

import (
	"fmt"
	"strings"
	"time"
)

// Scarce is capacity that the platform lacks from now on: of the machines that it fits, no more than Left come up. The
// others stay behind as failed ones, capacity keeps the number asked for, and the operation ends Failed with the code
// (facts: VMSS 3.2, 3.3). A second one with the same selectors replaces the first.
type Scarce struct {
	// Set, Location, Priority, Zone and Size select machines; empty fits all. Priority is Regular or Spot.
	Set      string `json:"set"`
	Location string `json:"location"`
	Priority string `json:"priority"`
	Zone     string `json:"zone"`
	Size     string `json:"size"`
	Left     int    `json:"left"`
	// Code is AllocationFailed unless given, ZonalAllocationFailed where a zone is named.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Lift takes the scarcity away.
	Lift bool `json:"lift"`
}

func (c Scarce) turn(w *world) error {
	if c.Set != "" {
		s, err := w.find(c.Set)
		if err != nil {
			return err
		}
		c.Set = s.resourceID()
	}
	switch {
	case c.Left < 0:
		return fmt.Errorf("scarce: %d machines left", c.Left)
	case c.Priority != "" && c.Priority != Regular && c.Priority != Spot:
		return fmt.Errorf("scarce: priority %q: want Regular or Spot", c.Priority)
	}
	if c.Code == "" {
		c.Code = "AllocationFailed"
		if c.Zone != "" {
			c.Code = "ZonalAllocationFailed"
		}
	}
	if c.Message == "" {
		c.Message = "Allocation failed. We do not have sufficient capacity for the requested VM size in this region."
	}
	for i, old := range w.scarce {
		if old.Set == c.Set && old.Location == c.Location && old.Priority == c.Priority && old.Zone == c.Zone && old.Size == c.Size {
			w.scarce = append(w.scarce[:i:i], w.scarce[i+1:]...)
			break
		}
	}
	if !c.Lift {
		w.scarce = append(w.scarce, &c)
	}
	return nil
}

// fits reports whether the machine is of those that are scarce.
func (c *Scarce) fits(s *set, m *machine) bool {
	priority := Regular
	if m.spot {
		priority = Spot
	}
	return (c.Set == "" || c.Set == s.resourceID()) && (c.Location == "" || strings.EqualFold(c.Location, s.Location)) &&
		(c.Priority == "" || c.Priority == priority) && (c.Zone == "" || c.Zone == m.zone) &&
		(c.Size == "" || strings.EqualFold(c.Size, m.size))
}

// short is the scarcity that keeps a machine from coming up, nil for none.
func (w *world) short(s *set, m *machine) *Scarce {
	for _, c := range w.scarce {
		if c.Left == 0 && c.fits(s, m) {
			return c
		}
	}
	return nil
}

// grow makes d machines and says why some of them fail, nil if none does. Of a plan that fails, only as many as it names
// come up.
func (w *world) grow(s *set, d int, now, readyAt time.Time, plan Plan) *Plan {
	var failure *Plan
	bad := 0
	if plan.Status == stateFailed {
		bad = max(d-plan.Created, 0)
	}
	addRegular := s.split(d)
	for i := range d {
		m := s.add(i >= addRegular, now, readyAt)
		if why := w.place(s, m); why != nil {
			m.fails = true
			failure = why
			continue
		}
		if i >= d-bad {
			m.fails, m.failsOn = true, plan.Code == "OSProvisioningTimedOut" || plan.Code == "VMStartTimedOut"
		}
	}
	return failure
}

// place finds a size that can be had for the machine: of an instance mix the first that is neither scarce nor beyond its
// quota (facts: VMSS 2.3), otherwise the only one there is.
func (w *world) place(s *set, m *machine) *Plan {
	sizes := s.Sizes
	if len(sizes) == 0 {
		sizes = []string{s.Size}
	}
	var failure *Plan
	for _, size := range sizes {
		m.size = size
		c := w.short(s, m)
		// While it is asked whether it fits, the machine itself does not count.
		m.fails = true
		beyond, _ := w.beyond(s, size, m.spot, 1)
		m.fails = false
		if c == nil && beyond == nil {
			for _, c := range w.scarce {
				if c.fits(s, m) {
					c.Left--
				}
			}
			return nil
		}
		switch {
		case failure != nil:
		case c != nil:
			failure = &Plan{Status: stateFailed, Code: c.Code, Message: c.Message}
		default:
			failure = beyond
		}
	}
	m.size = sizes[0]
	return failure
}

// overprovision makes a fifth more machines than were asked for, on a Uniform set that says so: they come up beside the
// others, and go when those are up (facts: VMSS 2.4, 3.1). They count neither in sku.capacity nor against a quota.
func (s *set) overprovision(d int, now, readyAt time.Time) {
	if d == 0 || s.Orchestration != Uniform || s.Overprovision == nil || !*s.Overprovision {
		return
	}
	for range (d + 4) / 5 {
		m := s.add(s.interruptible(), now, readyAt)
		m.extra, m.leavesAt = true, readyAt
	}
}
