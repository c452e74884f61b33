package arm

import "time"

// SetState is a scale set as it stands.
type SetState struct {
	ID                string `json:"id"`
	Name              string `json:"name"`
	Orchestration     string `json:"orchestration"`
	Capacity          int    `json:"capacity"`
	ETag              string `json:"etag"`
	ProvisioningState string `json:"provisioning_state"`
	Mix               *Mix   `json:"mix,omitempty"`
	Regular           Tally  `json:"regular"`
	Spot              Tally  `json:"spot"`
	// Zones counts what there is by zone; regional machines are not in it.
	Zones map[string]int `json:"zones,omitempty"`
	// Operation is the one under way, nil if there is none.
	Operation *OperationState `json:"operation,omitempty"`
}

// Tally counts machines by what has become of them. There is what the set consists of: all but those on their way out.
type Tally struct {
	There       int `json:"there"`
	Running     int `json:"running"`
	Creating    int `json:"creating"`
	Failed      int `json:"failed"`
	Stopped     int `json:"stopped"`
	Deallocated int `json:"deallocated"`
	Deleting    int `json:"deleting"`
}

// OperationState is an operation under way.
type OperationState struct {
	Name      string    `json:"name"`
	StartedAt time.Time `json:"started_at"`
	ReadyAt   time.Time `json:"ready_at"`
	PollsLeft int       `json:"polls_left"`
}

func (s *set) view() SetState {
	v := SetState{
		ID: s.resourceID(), Name: s.name, Orchestration: s.Orchestration, Capacity: s.nominal, ETag: s.etag(), ProvisioningState: s.state,
	}
	if s.mix != nil {
		m := *s.mix
		v.Mix = &m
	}
	for _, m := range s.machines {
		t := &v.Regular
		if m.spot {
			t = &v.Spot
		}
		t.count(m)
		if m.zone != "" && m.state != stateDeleting {
			if v.Zones == nil {
				v.Zones = map[string]int{}
			}
			v.Zones[m.zone]++
		}
	}
	if o := s.current; o != nil {
		v.Operation = &OperationState{Name: o.name, StartedAt: o.startedAt, ReadyAt: o.readyAt, PollsLeft: o.left}
	}
	return v
}

func (t *Tally) count(m *machine) {
	if m.state == stateDeleting {
		t.Deleting++
		return
	}
	t.There++
	switch {
	case m.state == stateCreating:
		t.Creating++
	case m.state == stateFailed:
		t.Failed++
	case m.power == powerDeallocated:
		t.Deallocated++
	case m.power == powerStopped:
		t.Stopped++
	default:
		t.Running++
	}
}
