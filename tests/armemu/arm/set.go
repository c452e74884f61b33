package arm

import (
	"fmt"
	"hash/fnv"
	"sort"
	"strconv"
	"time"
)

// Provisioning states, as ARM writes them.
const (
	stateSucceeded = "Succeeded"
	stateFailed    = "Failed"
	stateCanceled  = "Canceled"
	stateUpdating  = "Updating"
	stateCreating  = "Creating"
	stateDeleting  = "Deleting"
)

// Power states, without the PowerState/ prefix.
const (
	powerStarting    = "starting"
	powerRunning     = "running"
	powerDeallocated = "deallocated"
)

// set is one scale set.
type set struct {
	SetConfig
	setID
	// nominal is sku.capacity: a counter that may differ from the number of machines (facts: VMSS 0.2).
	nominal    int
	generation int
	state      string
	mix        *Mix
	machines   []*machine // by ordinal
	ordinals   int
	current    *operation
	plans      []Plan
	lies       []int // capacities that the next reads claim
}

// machine is one instance.
type machine struct {
	ordinal  int
	name     string
	spot     bool
	state    string
	power    string
	fails    bool
	madeAt   time.Time
	settleAt time.Time // when it is up, failed or gone
}

func (s *set) etag() string { return strconv.Quote(strconv.Itoa(s.generation)) }

func (s *set) resourceID() string {
	return "/subscriptions/" + s.subscription + "/resourceGroups/" + s.group +
		"/providers/Microsoft.Compute/virtualMachineScaleSets/" + s.name
}

func (s *set) interruptible() bool { return s.Priority != Regular }

// platformMax is the most instances the platform allows this set (facts: VMSS 3.1).
func (s *set) platformMax() int {
	if s.SinglePlacementGroup != nil && *s.SinglePlacementGroup {
		return 100
	}
	return 1000
}

// settle moves machines whose time has come.
func (s *set) settle(now time.Time) {
	kept := s.machines[:0]
	for _, m := range s.machines {
		due := !now.Before(m.settleAt)
		switch {
		case m.state == stateDeleting && due:
			continue
		case m.state == stateCreating && due && m.fails:
			m.state, m.power = stateFailed, ""
		case m.state == stateCreating && due:
			m.state, m.power = stateSucceeded, powerRunning
		}
		kept = append(kept, m)
	}
	clear(s.machines[len(kept):])
	s.machines = kept
}

// live counts the machines that are not on their way out; deallocated and failed ones count (facts: VMSS 2.1, 3.2).
func (s *set) live() (regular, spot int) {
	for _, m := range s.machines {
		switch {
		case m.state == stateDeleting:
		case m.spot:
			spot++
		default:
			regular++
		}
	}
	return regular, spot
}

// grow makes d machines, the last bad of which will fail, and splits them by the documented arithmetic: regular ones up
// to the target of the resulting number, Spot for the rest (facts: VMSS 2.1).
func (s *set) grow(d int, now, readyAt time.Time, bad int) {
	regular, spot := s.live()
	addRegular := d
	switch {
	case s.mix != nil:
		addRegular = min(max(s.mix.regular(regular+spot+d)-regular, 0), d)
	case s.interruptible():
		addRegular = 0
	}
	for i := range d {
		s.machines = append(s.machines, &machine{
			ordinal: s.ordinals, name: s.machineName(s.ordinals), spot: i >= addRegular, fails: i >= d-bad,
			state: stateCreating, power: powerStarting, madeAt: now, settleAt: readyAt,
		})
		s.ordinals++
	}
}

func (s *set) machineName(ordinal int) string {
	if s.Orchestration == Uniform {
		return s.name + "_" + strconv.Itoa(ordinal)
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%d", s.name, ordinal)
	return fmt.Sprintf("%s_%08x", s.name, h.Sum32())
}

// shrink takes away d machines: the mix decides between regular and Spot first, then the highest ordinals go (facts:
// VMSS 2.1, 2.4; how Azure breaks ties under a mix is not documented).
func (s *set) shrink(d int, goneAt time.Time) {
	regular, spot := s.live()
	d = min(d, regular+spot)
	takeRegular := 0
	switch {
	case s.mix != nil:
		takeRegular = min(max(regular-s.mix.regular(regular+spot-d), 0), d, regular)
	case !s.interruptible():
		takeRegular = d
	}
	takeSpot := min(d-takeRegular, spot)
	takeRegular = min(d-takeSpot, regular)
	for _, m := range s.newestFirst() {
		left := &takeRegular
		if m.spot {
			left = &takeSpot
		}
		if *left > 0 {
			*left--
			m.state, m.settleAt = stateDeleting, goneAt
		}
	}
}

// newestFirst lists the machines that are not on their way out, highest ordinal first.
func (s *set) newestFirst() []*machine {
	var out []*machine
	for _, m := range s.machines {
		if m.state != stateDeleting {
			out = append(out, m)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ordinal > out[j].ordinal })
	return out
}
