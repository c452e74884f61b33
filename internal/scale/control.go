package scale

import "time"

// ControlVersion is the version of the control row's document.
const ControlVersion = 1

// Control is what a pool remembers: one row, the only one that several processes compete for.
type Control struct {
	Version int    `json:"version"`
	Memory  Memory `json:"memory"`
	Orders  Orders `json:"orders"`
	Facts   Facts  `json:"facts"`
	// FactsRetryAt is the instant before which facts are not read again, because the service asked for it.
	FactsRetryAt time.Time `json:"facts_retry_at"`
	FactsProblem string    `json:"facts_problem,omitempty"`
	// FactsOutdated is set when a change has made what was read of no use: the next evaluation reads afresh.
	FactsOutdated bool `json:"facts_outdated,omitempty"`
	// Intent is the change that has not ended, nil if there is none.
	Intent *Intent `json:"intent,omitempty"`
	// EvaluatedAt is the instant of the last evaluation, LastEntry its key, Revision its policies.
	EvaluatedAt time.Time `json:"evaluated_at"`
	LastEntry   string    `json:"last_entry,omitempty"`
	Revision    string    `json:"revision,omitempty"`
	// NextEdgeAt is when a schedule may change what the policy wants; the sweep evaluates then.
	NextEdgeAt time.Time `json:"next_edge_at"`
	// RestUntil is the instant until which the clock alone changes nothing about the last decision, zero if sweeps are not to
	// leave the pool alone. RestOn is a digest of the windows that it was decided on.
	RestUntil time.Time `json:"rest_until,omitzero"`
	RestOn    uint64    `json:"rest_on,omitzero"`
	// Traps are the codes of the traps that were last logged, so that each is logged once.
	Traps string `json:"traps,omitempty"`
	// Attempt names the write that made this version, so that a writer whose reply was lost knows its own work.
	Attempt string `json:"attempt,omitempty"`
}

// Stage says how far an intent has come.
type Stage string

// The stages of an intent.
const (
	// StagePrepared: written down; the PATCH was not sent, or its answer is not known.
	StagePrepared Stage = "prepared"
	// StageAccepted: ARM has accepted it; the operation goes on.
	StageAccepted Stage = "accepted"
)

// Intent is a decision that changes something, written down before it is acted on.
type Intent struct {
	// Entry is the key of the journal entry whose outcome it will be.
	Entry     string    `json:"entry"`
	Direction Direction `json:"direction"`
	From      Capacity  `json:"from"`
	To        Capacity  `json:"to"`
	// Victims are the machines that are dealt with by name, in place of a new count, and Verb is what is done to them.
	Victims []string `json:"victims,omitempty"`
	Verb    Verb     `json:"verb,omitempty"`
	// Nominal is the sku.capacity that is written where it is not the number of To (Decision.Nominal).
	Nominal *int `json:"nominal,omitempty"`
	// BaselineETag is the ETag that the change is conditional on.
	BaselineETag string    `json:"baseline_etag"`
	StartedAt    time.Time `json:"started_at"`
	// Owner names the attempt that may send the PATCH, until LeaseUntil; after that nobody may.
	Owner      string    `json:"owner"`
	LeaseUntil time.Time `json:"lease_until"`
	Stage      Stage     `json:"stage"`
	// Unsure is set when the PATCH was sent and its answer lost: the facts are asked before the lease is over, but what
	// they do not show yet may still be on its way.
	Unsure bool `json:"unsure,omitempty"`
	// Token resumes the operation in another process. It may carry a signed URL: it is stored, never logged or shown.
	Token      string    `json:"token,omitempty"`
	AcceptedAt time.Time `json:"accepted_at"`
	// PollAt is the instant before which the operation is not asked about again.
	PollAt time.Time `json:"poll_at"`
	Polls  int       `json:"polls"`
	// Before is what the memory of changes was before the intent, to be put back if ARM never took it.
	GrownBefore   time.Time `json:"grown_before"`
	ShrunkBefore  time.Time `json:"shrunk_before"`
	RemixedBefore time.Time `json:"remixed_before"`
}

// Capacity is the sku.capacity that the intent writes.
func (in *Intent) Capacity() int {
	if in.Nominal != nil {
		return *in.Nominal
	}
	return in.To.Instances
}

// Result is how an intent ended.
type Result string

// The results of an intent.
const (
	// Applied: the operation succeeded, or the facts show that it did.
	Applied Result = "applied"
	// Failed: ARM took it and it failed, wholly or in part; the class says how.
	Failed Result = "failed"
	// Preempted: a newer write ended it.
	Preempted Result = "preempted"
	// Superseded: somebody else changed the set before the write could; nothing of ours was written.
	Superseded Result = "superseded"
	// Refused: ARM did not take it; nothing was written.
	Refused Result = "refused"
	// Abandoned: it was never sent; the process that wrote it is gone.
	Abandoned Result = "abandoned"
)

// Outcome is how an intent ended and when.
type Outcome struct {
	Entry    string    `json:"entry"`
	At       time.Time `json:"at"`
	Result   Result    `json:"result"`
	Class    Class     `json:"class,omitempty"`
	Code     string    `json:"code,omitempty"`
	Message  string    `json:"message,omitempty"`
	Capacity int       `json:"capacity"`
	Polls    int       `json:"polls"`
}

// Trigger is what caused an evaluation.
type Trigger struct {
	// Kind is "events", "sweep" or "operator"; "outcome" where what ARM answered asks for another decision
	// at once; or, where an event told of more than measurements, "eviction", "maintenance", "health" or "rival".
	Kind string `json:"kind"`
	// Source is the partition whose events caused it, with the lowest and highest sequence number of the batch.
	Source        string `json:"source,omitempty"`
	FirstSequence int64  `json:"first_sequence"`
	LastSequence  int64  `json:"last_sequence"`
	Invocation    string `json:"invocation,omitempty"`
	// Folded is how many samples the evaluation brought into the windows.
	Folded int `json:"folded"`
}

// EntryVersion is the version of the journal's entries.
const EntryVersion = 1

// Entry is the journal's record of one evaluation, complete enough to be decided again.
type Entry struct {
	Version int `json:"version"`
	// Key orders entries by time and is derived from the evaluation, so that a write repeated makes the same row.
	Key      string    `json:"key"`
	Pool     string    `json:"pool"`
	At       time.Time `json:"at"`
	Trigger  Trigger   `json:"trigger"`
	View     View      `json:"view"`
	Proposal Proposal  `json:"proposal"`
	Decision Decision  `json:"decision"`
	// Beside is the policy that was asked beside the one that decided, nil for a pool without a candidate.
	Beside *Beside `json:"beside,omitempty"`
	// Note says what else is to be known: that another process decided first, for instance.
	Note string `json:"note,omitempty"`
	// Outcome is nil until the change has ended, and for entries that change nothing.
	Outcome *Outcome `json:"outcome,omitempty"`
}
