package arm

import (
	"fmt"
	"hash/fnv"
	"slices"
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
	powerStopped     = "stopped"
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
	// restores is the policy by which evicted machines come back, nil for none, and evicted those that may.
	restores *restorePolicy
	evicted  []*eviction
	// moving is the move of zone balancing under way. wroteAt is the last PUT, PATCH or POST, movedAt the last move, balanceAt
	// the next look.
	moving                      *move
	wroteAt, movedAt, balanceAt time.Time
	// deleted is true from the set's deletion on.
	deleted bool
}

// machine is one instance.
type machine struct {
	ordinal int
	name    string
	spot    bool
	size    string
	zone    string // empty in a regional set
	state   string
	power   string
	fails   bool
	failsOn bool // it fails, and runs all the same: what has failed is its guest's provisioning
	// after and afterState are its power and provisioning state once an update of it has ended.
	after, afterState string
	madeAt            time.Time
	settleAt          time.Time // when it is up, failed or gone
	leavesAt          time.Time // when zone balancing takes it away, zero for never
	// attached machines were put into the set by hand; extra ones come with overprovisioning and go again.
	attached, extra bool
	// fromScaleIn and fromActions are the two kinds of instance protection (facts: VMSS 2.4).
	fromScaleIn, fromActions bool
	tags                     map[string]string
	// health is what the health extension says, nil for none; unhealthy ones differ from false.
	health *bool
}

// protected machines are not chosen by scale-in: protection from actions holds against it too.
func (m *machine) protected() bool { return m.fromScaleIn || m.fromActions }

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
		if !m.leavesAt.IsZero() && !now.Before(m.leavesAt) {
			m.leave(m.leavesAt)
			m.leavesAt = time.Time{}
			if s.moving != nil && s.moving.out == m {
				s.endMove()
			}
		}
		due := !now.Before(m.settleAt)
		switch {
		case m.state == stateDeleting && due:
			continue
		case m.state == stateCreating && due && m.fails:
			m.state, m.power = stateFailed, ""
			if m.failsOn {
				m.power = powerRunning
			}
		case m.state == stateCreating && due:
			m.state, m.power = stateSucceeded, powerRunning
		case m.state == stateUpdating && due:
			m.state, m.power = m.afterState, m.after
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
		case m.state == stateDeleting, m.extra:
		case m.spot:
			spot++
		default:
			regular++
		}
	}
	return regular, spot
}

// split says how many of d further machines are regular, by the documented arithmetic: regular ones up to the target of
// the resulting number, Spot for the rest (facts: VMSS 2.1).
func (s *set) split(d int) (addRegular int) {
	regular, spot := s.live()
	switch {
	case s.mix != nil:
		return min(max(s.mix.regular(regular+spot+d)-regular, 0), d)
	case s.interruptible():
		return 0
	}
	return d
}

// add makes one machine, in the zone that has the fewest.
func (s *set) add(spot bool, now, readyAt time.Time) *machine {
	m := &machine{
		ordinal: s.ordinals, name: s.machineName(s.ordinals), spot: spot, size: s.Size, zone: s.emptiestZone(),
		state: stateCreating, power: powerStarting, madeAt: now, settleAt: readyAt,
	}
	if len(s.Sizes) > 0 {
		m.size = s.Sizes[0]
	}
	s.machines = append(s.machines, m)
	s.ordinals++
	return m
}

func (s *set) emptiestZone() string {
	best, fewest := "", -1
	n := s.byZone()
	for _, z := range s.Zones {
		if fewest < 0 || n[z] < fewest {
			best, fewest = z, n[z]
		}
	}
	return best
}

func (s *set) byZone() map[string]int {
	n := map[string]int{}
	for _, m := range s.machines {
		if m.state != stateDeleting {
			n[m.zone]++
		}
	}
	return n
}

func (s *set) machineName(ordinal int) string {
	if s.Orchestration == Uniform {
		return s.name + "_" + strconv.Itoa(ordinal)
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%d", s.name, ordinal)
	return fmt.Sprintf("%s_%08x", s.name, h.Sum32())
}

// shrink takes away d machines: the mix decides between regular and Spot first, then zones are balanced, then the rule
// of scale-in chooses, by default the highest ordinals; protected ones stay (facts: VMSS 2.1, 2.4; how Azure breaks ties
// under a mix is not documented).
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
	for range takeRegular {
		s.victim(false).leave(goneAt)
	}
	for range takeSpot {
		s.victim(true).leave(goneAt)
	}
}

// leave sends a machine away; of none it is nothing.
func (m *machine) leave(goneAt time.Time) {
	if m != nil {
		m.state, m.settleAt = stateDeleting, goneAt
	}
}

// victim is the machine that scale-in would take next, nil if it may take none.
func (s *set) victim(spot bool) *machine {
	var best *machine
	crowd := s.byZone()
	for _, m := range s.newestFirst() {
		if m.spot != spot || m.protected() || m.extra {
			continue
		}
		switch {
		case best == nil, crowd[m.zone] > crowd[best.zone]:
			best = m
		case crowd[m.zone] == crowd[best.zone] && s.ScaleIn == "OldestVM" && m.ordinal < best.ordinal:
			best = m
		}
	}
	return best
}

// newestFirst lists the machines that are not on their way out, highest ordinal first.
func (s *set) newestFirst() []*machine {
	var out []*machine
	for _, m := range slices.Backward(s.machines) {
		if m.state != stateDeleting {
			out = append(out, m)
		}
	}
	return out
}
