package scale

import "time"

// Action is hold or scale.
type Action string

// The two actions.
const (
	Hold  Action = "hold"
	Scale Action = "scale"
)

// Decision is what the rails allow.
type Decision struct {
	Action    Action    `json:"action"`
	Direction Direction `json:"direction"`
	From      Capacity  `json:"from"`
	// To equals From when the decision is to hold.
	To Capacity `json:"to"`
	// Victims are the machines that are dealt with by name, and Verb is what is done to them; none where the count is written.
	Victims []string `json:"victims,omitempty"`
	Verb    Verb     `json:"verb,omitempty"`
	// Aim is the number that the rails let the pool grow to where starting parked machines brings only a part of it; 0 else.
	Aim int `json:"aim,omitempty"`
	// Nominal is what sku.capacity becomes for To to come about, where machines are missing; nil where it is To itself.
	Nominal *int `json:"nominal,omitempty"`
	// Astray is how many machines are of the wrong kind, where the decision is to repair the live split; 0 else.
	Astray int `json:"astray,omitempty"`
	// Reason is the code of the rail that made the decision what it is, or the code of the winning reason.
	Reason string `json:"reason"`
	// Act is true when the decision is to be carried out: it scales and the pool enforces.
	Act         bool         `json:"act"`
	Adjustments []Adjustment `json:"adjustments,omitempty"`
	// Traps are what about the set works, or may work, against the pool.
	Traps []Trap `json:"traps,omitempty"`
	// Recommendations and Capacities are the histories as they are after this decision.
	Recommendations []Recommendation `json:"recommendations,omitempty"`
	Capacities      []Recommendation `json:"capacities,omitempty"`
}

// Capacity is the sku.capacity that carries the decision out.
func (d *Decision) Capacity() int {
	if d.Nominal != nil {
		return *d.Nominal
	}
	return d.To.Instances
}

// Adjustment is what one rail did to the number on its way.
type Adjustment struct {
	// Rail is the rail's name, Code its reason: stable, in snake case.
	Rail   string `json:"rail"`
	Code   string `json:"code"`
	Before int    `json:"before"`
	After  int    `json:"after"`
	// Until is when the rail lets go, zero if that depends on something else than time.
	Until time.Time `json:"until"`
	// Detail names the signal, class or order concerned.
	Detail string `json:"detail,omitempty"`
}
