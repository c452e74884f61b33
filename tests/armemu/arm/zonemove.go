package arm

import (
	"fmt"
	"time"
)

// Automatic zone balancing, as Microsoft's page on it has it (facts: VMSS 2.4; auto-zone-balance-overview.md): one move at
// a time, not within an hour of a write and not within twelve hours of the last move.
const (
	balanceQuiet = time.Hour
	balancePause = 12 * time.Hour
	balanceCheck = 10 * time.Minute
)

// move is a machine that comes up in the emptiest zone and the one that leaves the fullest once it runs.
type move struct {
	in, out *machine
	// raised is true where the counter shows the machine more.
	raised bool
}

// Rebalance is one move of automatic zone balancing, at once: a machine above capacity comes up in the zone that has the
// fewest, and once it runs one leaves the zone that has the most (facts: VMSS 2.4).
type Rebalance struct {
	Set string `json:"set"`
	// RaisesCapacity lets sku.capacity show the machine more meanwhile. The page says that capacity is increased by one VM,
	// and not whether the counter is.
	RaisesCapacity bool `json:"raises_capacity"`
}

func (r Rebalance) turn(w *world) error {
	s, err := w.find(r.Set)
	if err != nil {
		return err
	}
	leaver := s.leaver()
	if leaver == nil || len(s.Zones) < 2 {
		return fmt.Errorf("rebalance: %s has no two zones and a machine to move", s.name)
	}
	w.startMove(s, leaver, w.now(), r.RaisesCapacity)
	return nil
}

// leaver is the machine that a move would take: of the fullest zone, not protected, not off.
func (s *set) leaver() (best *machine) {
	crowd := s.byZone()
	for _, m := range s.newestFirst() {
		if !m.protected() && m.power != powerDeallocated && (best == nil || crowd[m.zone] > crowd[best.zone]) {
			best = m
		}
	}
	return best
}

func (w *world) startMove(s *set, out *machine, now time.Time, raise bool) {
	up := w.bootedAt(s, now)
	s.moving = &move{in: s.add(out.spot, now, up), out: out, raised: raise}
	out.leavesAt = up.Add(time.Duration(w.cfg.DeleteSeconds) * time.Second)
	if raise {
		s.nominal++
		s.generation++
	}
	s.settle(now)
}

// endMove is what settling calls once the machine that leaves has left.
func (s *set) endMove() {
	if s.moving.raised {
		s.nominal = max(s.nominal-1, 0)
		s.generation++
	}
	s.moving = nil
}

// cancelMove takes a running move back, as a change of capacity does.
func (s *set) cancelMove(goneAt time.Time) {
	if v := s.moving; v != nil {
		v.out.leavesAt = time.Time{}
		v.in.leave(goneAt)
		s.endMove()
	}
}

// balance looks whether a set may be rebalanced, and does it: by all machines it must be out of balance, and by those that
// are up the move must better it.
func (w *world) balance(s *set, at time.Time) {
	s.balanceAt = at.Add(balanceCheck)
	quiet := at.Sub(s.wroteAt) >= balanceQuiet && s.current == nil
	rested := s.movedAt.IsZero() || at.Sub(s.movedAt) >= balancePause
	if !quiet || !rested || s.moving != nil || s.deleted || len(s.Zones) < 2 {
		return
	}
	all, up := s.byZone(), map[string]int{}
	for _, m := range s.newestFirst() {
		if m.power != powerDeallocated && m.power != powerStopped {
			up[m.zone]++
		}
	}
	low, high := s.Zones[0], s.Zones[0]
	for _, z := range s.Zones {
		if all[z] < all[low] {
			low = z
		}
		if all[z] > all[high] {
			high = z
		}
	}
	out := s.leaver()
	if all[high]-all[low] <= 1 || up[high] <= up[low] || out == nil || all[out.zone] != all[high] {
		return
	}
	s.movedAt = at
	w.startMove(s, out, at, false)
}
