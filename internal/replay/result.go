package replay

import (
	"time"

	"trimtab/internal/scale"
)

// ResultVersion is the version of the result's document.
const ResultVersion = 1

// The two ways to replay.
const (
	// Closed: the policy's decisions change the modelled fleet, which changes the signals that it sees next.
	Closed = "closed"
	// Open: recorded views are decided again; nothing that a decision would have changed comes back to it.
	Open = "open"
)

// Result is all that a replay found, one document. Its order is fixed: policies and traces as they were given, runs by
// trace, seed and policy. It holds no wall-clock time and nothing that depends on the machine.
type Result struct {
	Version int `json:"version"`
	// Loop is "closed" or "open".
	Loop string `json:"loop"`
	// Policies are the candidates, today's policy and the baselines.
	Policies []Subject `json:"policies"`
	Traces   []Source  `json:"traces,omitempty"`
	// Assumptions are what the world is taken to be, the same in every run.
	Assumptions []Assumption `json:"assumptions,omitempty"`
	// Measures say what each measure means, in the order in which they are shown.
	Measures []Measure `json:"measures,omitempty"`
	Runs     []Run     `json:"runs,omitempty"`
	// Summaries hold the quantiles of every measure over all runs of a policy, in the order of Policies.
	Summaries []Summary `json:"summaries,omitempty"`
	// Verdicts compare each candidate with everything else.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Gates are nil when none was asked for.
	Gates []Gate `json:"gates,omitempty"`
	// Redecided is the open loop's finding, nil in a closed one.
	Redecided *Redecided `json:"redecided,omitempty"`
}

// Subject is one of the things compared.
type Subject struct {
	// Name is unique in the result.
	Name string `json:"name"`
	// Kind is "candidate", "today" or "baseline".
	Kind string `json:"kind"`
	// Pool and Revision are empty for built-in baselines.
	Pool     string `json:"pool,omitempty"`
	Revision string `json:"revision,omitempty"`
	// About says in one sentence what a baseline does.
	About string `json:"about,omitempty"`
	// Notes are what is to be known of a policy that was made of something else: what of that is not kept, and where.
	Notes []string `json:"notes,omitempty"`
}

// The kinds of a subject.
const (
	Candidate = "candidate"
	Today     = "today"
	Baseline  = "baseline"
)

// Source is one trace of load.
type Source struct {
	Name        string    `json:"name"`
	Origin      string    `json:"origin"`
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"step_seconds"`
	Steps       int       `json:"steps"`
	// Missing is how many steps had no value and were given that of the step before.
	Missing int `json:"missing"`
	// Notes are what is to be known of the load, such as where a journal may hide demand.
	Notes []string `json:"notes,omitempty"`
	// Scale is the factor that the trace's values were multiplied by to become load, in units of one instance at its
	// capacity; PeakInstances is how many instances the largest load needs within the objective.
	Scale         float64 `json:"scale"`
	PeakInstances int     `json:"peak_instances"`
}

// Assumption is one named number of the world.
type Assumption struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	Unit  string `json:"unit,omitempty"`
	About string `json:"about"`
}

// Measure defines one measure.
type Measure struct {
	// Name is the key in Run.Measures.
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Better is "lower", "higher", or empty where neither is.
	Better string `json:"better,omitempty"`
	About  string `json:"about"`
}

// Run is one policy on one trace with one seed.
type Run struct {
	Policy string `json:"policy"`
	Trace  string `json:"trace"`
	Seed   uint64 `json:"seed"`
	// Values holds the measures by name. A measure that does not apply is absent.
	Values map[string]float64 `json:"values"`
	// Evaluations is how many decisions the policy made, 0 for baselines.
	Evaluations int `json:"evaluations"`
	// Rails counts by code what adjusted or stopped a decision.
	Rails map[string]int `json:"rails,omitempty"`
	// Faults are the distinct faults of the policy, at most eight; a policy that faults holds.
	Faults []string `json:"faults,omitempty"`
	// Series, Decisions and Events are kept for the first seed of each trace unless all were asked for.
	Series    *Series    `json:"series,omitempty"`
	Decisions []Decision `json:"decisions,omitempty"`
	Events    []Event    `json:"events,omitempty"`
}

// Series are the courses of a run, a value for each step; all slices are of one length.
type Series struct {
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"step_seconds"`
	// Demand is the load in units of one instance at its capacity; Needed is the smallest number of instances that
	// carries it within the objective.
	Demand []float64 `json:"demand"`
	Needed []int     `json:"needed"`
	// Regular and Spot are the instances in service, Pending those that are coming up, Ordered the nominal count.
	Regular []int `json:"regular"`
	Spot    []int `json:"spot"`
	Pending []int `json:"pending"`
	Ordered []int `json:"ordered"`
	// Unmet is the load that the instances in service do not carry within the objective, in the unit of Demand.
	Unmet []float64 `json:"unmet"`
	// Waiting is the work that waits, in seconds of one instance at its capacity.
	Waiting []float64 `json:"waiting"`
	// Cost is what the step cost.
	Cost []float64 `json:"cost"`
	// PriceRegular and PriceSpot are the prices in force, Spot where it is cheapest; absent where they do not move.
	PriceRegular []float64 `json:"price_regular,omitempty"`
	PriceSpot    []float64 `json:"price_spot,omitempty"`
	// Signals are the values as they were measured, by name; null where there was none or it was lost.
	Signals map[string][]*float64 `json:"signals,omitempty"`
}

// Decision is an evaluation that changed something, or whose reason was not that of the one before. Key names its
// journal entry; all that is needed to explain it is here.
type Decision struct {
	Key string    `json:"key"`
	At  time.Time `json:"at"`
	// Set is which set of a pair it is about, "regular" or "spot"; empty for other pools.
	Set       string          `json:"set,omitempty"`
	Action    scale.Action    `json:"action"`
	Direction scale.Direction `json:"direction"`
	From      scale.Capacity  `json:"from"`
	To        scale.Capacity  `json:"to"`
	// Wanted is what the policy asked for, null when no reason is known.
	Wanted      *int                        `json:"wanted"`
	Reason      string                      `json:"reason"`
	Reasons     []scale.Reason              `json:"reasons,omitempty"`
	Adjustments []scale.Adjustment          `json:"adjustments,omitempty"`
	Signals     map[string]scale.SignalView `json:"signals,omitempty"`
	Fault       string                      `json:"fault,omitempty"`
	Note        string                      `json:"note,omitempty"`
	Outcome     *scale.Outcome              `json:"outcome,omitempty"`
}

// Event is something that happened to the fleet.
type Event struct {
	At time.Time `json:"at"`
	// Kind is "evicted", "not_had" (Spot that could not be had), "boot_failed" or "quota".
	Kind      string `json:"kind"`
	Zone      string `json:"zone,omitempty"`
	Instances int    `json:"instances"`
}

// Summary holds one policy's measures over all its runs.
type Summary struct {
	Policy string              `json:"policy"`
	Runs   int                 `json:"runs"`
	Values map[string]Quantile `json:"values"`
}

// Quantile is the distribution of a measure over runs; quantiles lie between two runs by straight line.
type Quantile struct {
	Mean float64 `json:"mean"`
	Min  float64 `json:"min"`
	P10  float64 `json:"p10"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	Max  float64 `json:"max"`
}

// Verdict compares a candidate with another subject over the runs that they share.
type Verdict struct {
	Policy  string `json:"policy"`
	Against string `json:"against"`
	// Verdict is "better" (no more cost at no more unmet demand, and less of one), "worse", "same" or "trade" (less of
	// one at more of the other); Text says so with the numbers.
	Verdict string `json:"verdict"`
	Text    string `json:"text"`
	// Cost and Unmet are the differences of the means: cost in per cent of the other's, unmet demand in percentage points.
	CostPercent float64 `json:"cost_percent"`
	UnmetPoints float64 `json:"unmet_points"`
	// Better, Same, Trade and Worse count the runs, one by one.
	Better int `json:"better"`
	Same   int `json:"same"`
	Trade  int `json:"trade"`
	Worse  int `json:"worse"`
	// SpeedUp is the elastic speed-up of the candidate over the other; absent where the other is never short, or never
	// has too many.
	SpeedUp *float64 `json:"elastic_speed_up,omitempty"`
	// Cases are the traces on which the candidate is not on the better side, each with the reason; none against a policy
	// that is a bound and not a rival, such as perfect foresight.
	Cases []Case `json:"cases,omitempty"`
}

// Gate is one limit that a candidate had to keep.
type Gate struct {
	Policy  string `json:"policy"`
	Measure string `json:"measure"`
	// Allowed is by how many per cent of today's value the mean may be worse; Worse is by how many it is, negative when
	// it is better.
	Allowed   float64 `json:"allowed_percent"`
	Worse     float64 `json:"worse_percent"`
	Today     float64 `json:"today"`
	Candidate float64 `json:"candidate"`
	Passed    bool    `json:"passed"`
}

// Redecided is what an open loop found: recorded views under another policy.
type Redecided struct {
	Entries int `json:"entries"`
	// Same were decided the same bit for bit, proposal and decision; SameDecision are those whose decision alone is.
	Same         int `json:"same"`
	SameDecision int `json:"same_decision"`
	// Changed counts, by "from → to" of action and direction, the decisions that differ.
	Changed map[string]int `json:"changed,omitempty"`
	// Differences are the first of them, oldest first.
	Differences []Difference `json:"differences,omitempty"`
}

// Difference is a recorded decision beside the one that another policy makes on the same view.
type Difference struct {
	Policy string    `json:"policy"`
	Pool   string    `json:"pool"`
	Key    string    `json:"key"`
	At     time.Time `json:"at"`
	// Why says in one sentence what decided otherwise.
	Why      string   `json:"why"`
	Recorded Decision `json:"recorded"`
	Now      Decision `json:"now"`
}
