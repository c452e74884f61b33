package scale

// ReasonState says what a reason of a policy amounts to.
type ReasonState string

// The states of a reason.
const (
	// ReasonKnown: the reason asks for Instances.
	ReasonKnown ReasonState = "known"
	// ReasonUnknown: what it needs is missing; it agrees to no shrink and asks for nothing.
	ReasonUnknown ReasonState = "unknown"
	// ReasonIdle: it does not apply now (a schedule outside its span) and is only recorded.
	ReasonIdle ReasonState = "idle"
	// ReasonFault: it came out malformed or in error; treated as unknown, with a record.
	ReasonFault ReasonState = "fault"
)

// Reason is one element of a policy's want: a reason to have so many instances.
type Reason struct {
	// Code names the rule that made it, in snake case: track, at_least, …
	Code string `json:"code"`
	// Name tells reasons of one code apart: a signal's or a schedule's name.
	Name      string           `json:"name,omitempty"`
	State     ReasonState      `json:"state"`
	Instances int              `json:"instances"`
	Numbers   map[string]int64 `json:"numbers,omitempty"`
	// Detail says what is wrong with a reason that is unknown or at fault.
	Detail string `json:"detail,omitempty"`
}

// Blend is how a policy wants instances to split.
type Blend struct {
	Mix      Mix      `json:"mix"`
	Rounding Rounding `json:"rounding"`
	// StandIn lets regular machines stand in for Spot ones that cannot be had. They give way again ReturnSeconds after
	// Spot may be asked for anew.
	StandIn       bool `json:"stand_in,omitempty"`
	ReturnSeconds int  `json:"return_after_seconds,omitempty"`
}

// Proposal is what a policy wants.
type Proposal struct {
	// Known is false when no reason is known: then Instances means nothing.
	Known     bool `json:"known"`
	Instances int  `json:"instances"`
	// Doubt is true when a reason is unknown or at fault, or a built-in function failed: the pool must not shrink.
	Doubt   bool     `json:"doubt"`
	Reasons []Reason `json:"reasons"`
	// Blend is nil when the policy says nothing about the split.
	Blend *Blend `json:"blend,omitempty"`
	// Fault says why the whole policy failed, empty if it did not: it means hold.
	Fault string `json:"fault,omitempty"`
	// Faults are the smaller faults: an ill-formed reason or blend, an error in a built-in function.
	Faults []string `json:"faults,omitempty"`
	// Revision names the policies that decided, by digest.
	Revision string `json:"revision"`
	// Steps is how many steps the evaluation took of its budget.
	Steps int `json:"steps"`
}
