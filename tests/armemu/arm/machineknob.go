package arm

import (
	"fmt"
	"time"
)

// Machine changes one machine of a set as its owner or its guest would.
type Machine struct {
	Set string `json:"set"`
	// Name is the machine's name; of a Uniform set its ordinal too.
	Name string `json:"name"`
	// Protected protects it from scale-in; Healthy is what the health extension says. Nil leaves them.
	Protected *bool `json:"protected"`
	Healthy   *bool `json:"healthy"`
	// State and Power replace its provisioning state and its power state: Failed and running is a live machine whose last
	// operation failed (facts: VMSS 3.2).
	State string `json:"state"`
	Power string `json:"power"`
}

func (k Machine) turn(w *world) error {
	s, err := w.find(k.Set)
	if err != nil {
		return err
	}
	for _, m := range s.newestFirst() {
		if m.name != k.Name && m != s.instance(k.Name) {
			continue
		}
		if k.Protected != nil {
			m.protected = *k.Protected
		}
		if k.Healthy != nil {
			m.health = k.Healthy
		}
		if k.State != "" {
			m.state = k.State
		}
		if k.Power != "" {
			m.power = k.Power
		}
		m.settleAt = w.now()
		return nil
	}
	return fmt.Errorf("machine: %s has no machine %q", s.name, k.Name)
}

// Attach puts a machine into a Flexible set by hand: of any size and priority, and not counted in sku.capacity, which is
// not documented either way (facts: VMSS 2.4, 10d).
type Attach struct {
	Set  string `json:"set"`
	Name string `json:"name"`
	Size string `json:"size"`
	Spot bool   `json:"spot"`
}

func (a Attach) turn(w *world) error {
	s, err := w.find(a.Set)
	if err != nil {
		return err
	}
	switch {
	case s.Orchestration != Flexible:
		return fmt.Errorf("attach: %s is not Flexible", s.name)
	case a.Name == "" || s.instance(a.Name) != nil:
		return fmt.Errorf("attach: %q is no new name", a.Name)
	}
	now := w.now()
	m := s.add(a.Spot, now, now)
	m.name, m.attached, m.state, m.power = a.Name, true, stateSucceeded, powerRunning
	if a.Size != "" {
		m.size = a.Size
	}
	return nil
}

// Rebalance is one move of automatic zone balancing: a machine above capacity comes up in the zone that has the fewest,
// and once it runs one leaves the zone that has the most (facts: VMSS 2.4).
type Rebalance struct {
	Set string `json:"set"`
}

func (r Rebalance) turn(w *world) error {
	s, err := w.find(r.Set)
	if err != nil {
		return err
	}
	crowd := s.byZone()
	var leaver *machine
	for _, m := range s.newestFirst() {
		if !m.protected && (leaver == nil || crowd[m.zone] > crowd[leaver.zone]) {
			leaver = m
		}
	}
	if leaver == nil || len(s.Zones) < 2 {
		return fmt.Errorf("rebalance: %s has no two zones and a machine to move", s.name)
	}
	now := w.now()
	up := w.bootedAt(s, now)
	s.add(leaver.spot, now, up)
	leaver.leavesAt = up.Add(time.Duration(w.cfg.DeleteSeconds) * time.Second)
	s.settle(now)
	return nil
}
