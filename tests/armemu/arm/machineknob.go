package arm

import "fmt"

// Machine changes one machine of a set as its owner or its guest would.
type Machine struct {
	Set string `json:"set"`
	// Name is the machine's name; of a Uniform set its ordinal too.
	Name string `json:"name"`
	// Protected protects it from scale-in, ProtectedFromActions from what is done to the set as a whole too; Healthy is what
	// the health extension says. Nil leaves them.
	Protected            *bool `json:"protected"`
	ProtectedFromActions *bool `json:"protected_from_actions"`
	Healthy              *bool `json:"healthy"`
	// Zone moves it into another zone, as a set that is out of balance has it.
	Zone string `json:"zone"`
	// Tags replace the machine's own.
	Tags map[string]string `json:"tags"`
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
			m.fromScaleIn = *k.Protected
		}
		if k.ProtectedFromActions != nil {
			m.fromActions = *k.ProtectedFromActions
		}
		if k.Zone != "" {
			m.zone = k.Zone
		}
		if k.Tags != nil {
			m.tags = k.Tags
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
