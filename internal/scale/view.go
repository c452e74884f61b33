package scale

import (
	"encoding/json"
	"math"
	"time"
)

// ViewVersion is the version of the view and of the policy input that is made from it.
const ViewVersion = 1

// Milli is a number in thousandths. Policies reckon in whole thousandths, because Rego's floats are slow and round the
// wrong way (facts: opa 0.10, 6; docs/adr/0005).
type Milli int64

// ToMilli rounds to the nearest thousandth; ok is false for what does not fit, NaN and infinities among it.
func ToMilli(f float64) (m Milli, ok bool) {
	r := math.RoundToEven(f * 1000)
	if math.IsNaN(r) || math.Abs(r) > 1<<53 {
		return 0, false
	}
	return Milli(r), true
}

// SignalState says how far a signal can be trusted.
type SignalState string

// The states of a signal. Only a fresh signal lets a pool shrink.
const (
	// SignalFresh: enough samples, the newest young enough.
	SignalFresh SignalState = "fresh"
	// SignalPartial: too few of the window's buckets hold samples.
	SignalPartial SignalState = "partial"
	// SignalStale: the newest sample is older than the signal allows.
	SignalStale SignalState = "stale"
	// SignalMissing: no sample at all.
	SignalMissing SignalState = "missing"
)

// SignalView is a signal at the instant of a decision. Values are thousandths of the signal's unit; they are zero, and
// mean nothing, while the state is missing. Has says which of them were measured.
type SignalView struct {
	State SignalState `json:"state"`
	Unit  string      `json:"unit,omitempty"`
	// Value is the statistic that the signal's definition names.
	Value    Milli `json:"value_milli"`
	HasValue bool  `json:"has_value"`
	Average  Milli `json:"average_milli"`
	Minimum  Milli `json:"minimum_milli"`
	Maximum  Milli `json:"maximum_milli"`
	Total    Milli `json:"total_milli"`
	Count    Milli `json:"count_milli"`
	Last     Milli `json:"last_milli"`
	Has      Has   `json:"has"`
	// Demand is the mean over the buckets of the bucket's average times the instances that were in service then: the
	// load in units of one instance. A signal that arrives late is so reckoned against the fleet that produced it, and a
	// growth is not ordered twice because the signals have not seen it yet. HasDemand is false where a bucket's
	// instances are not known.
	Demand    Milli `json:"demand_milli"`
	HasDemand bool  `json:"has_demand"`
	// Buckets is the number of buckets of the window that hold samples, Expected how many there are.
	Buckets  int `json:"buckets"`
	Expected int `json:"expected"`
	// NewestAt is the end of the newest sample's span.
	NewestAt   time.Time `json:"newest_at"`
	AgeSeconds int       `json:"age_seconds"`
	// Format is what the newest sample was written in. DelaySeconds and IntervalSeconds are what has been learnt of how late
	// samples come and how far apart they lie; 0 where that is not known. StaleAfterSeconds is the age from which on the
	// signal is stale.
	Format            Format `json:"format,omitempty"`
	DelaySeconds      int    `json:"delay_seconds,omitempty"`
	IntervalSeconds   int    `json:"interval_seconds,omitempty"`
	StaleAfterSeconds int    `json:"stale_after_seconds,omitempty"`
	// Missed is how many samples in a row should have come by now and have not; 0 for a signal that never had any.
	Missed int `json:"missed,omitempty"`
	// Silence says why nothing new may have come, where the state is stale.
	Silence Silence `json:"silence,omitempty"`
	// Trend is nil unless the definition asks for it and at least three buckets were measured.
	Trend *Trend `json:"trend,omitempty"`
	// Recent are the averages of the newest buckets, as many as the definition asks for, highest first; those without
	// samples are not there.
	Recent []Milli `json:"recent_milli,omitempty"`
	// Forecast is nil unless the definition asks for one.
	Forecast *Forecast `json:"forecast,omitempty"`
	// Wants says which of them the definition asks for.
	Wants Wants `json:"wants,omitempty"`
}

// Silence says why nothing new may have come to a stale signal.
type Silence string

// The kinds of silence. None of them lets a pool shrink.
const (
	// SilenceIdle: the last that came were zeros, and the exporter is slow to repeat those.
	SilenceIdle Silence = "idle"
	// SilenceLate: by what has been learnt of the sender, the next sample may still come.
	SilenceLate Silence = "late"
	// SilenceDead: the sender should have been heard of.
	SilenceDead Silence = "dead"
)

// Wants are the facts of a signal that are made only where its definition asks for them.
type Wants uint8

// What a definition may ask for.
const (
	WantsTrend Wants = 1 << iota
	WantsRecent
	WantsForecast
)

// ScheduleView is a schedule at the instant of a decision.
type ScheduleView struct {
	Active bool `json:"active"`
	// NextAt is when that may change; zero if it will not within eight days.
	NextAt time.Time `json:"next_at"`
	// Dated is true for a schedule that lives between two dates.
	Dated bool `json:"dated,omitempty"`
}

// Facts are what a successful read of the scale set said. The zero value means that there never was one.
type Facts struct {
	ReadAt time.Time `json:"read_at"`
	// Capacity is sku.capacity: nominal, on a flexible set it may differ from the number of machines (facts: VMSS 0.2).
	Capacity int `json:"capacity"`
	// Mix is the priority mix policy of the set, nil if it has none.
	Mix *Mix `json:"mix,omitempty"`
	// ETag is opaque and quoted; it goes back verbatim (facts: VMSS 1.3).
	ETag string `json:"etag"`
	// ProvisioningState is the state of the set's last operation, as ARM writes it: Succeeded, Updating, Failed, …
	ProvisioningState string        `json:"provisioning_state"`
	Orchestration     Orchestration `json:"orchestration"`
	// Spot is true when the set's profile makes interruptible machines, of whatever kind.
	Spot bool   `json:"spot"`
	Size string `json:"size"`
	// Sizes are those of an instance mix, whose Size says no more than that it is one.
	Sizes    []string `json:"sizes,omitempty"`
	Location string   `json:"location"`
	// Zones are the availability zones that the set spans, none for a regional one.
	Zones []string `json:"zones,omitempty"`
	// PlatformMax is how many instances the platform allows this set (facts: VMSS 3.1), with the rule that says so.
	PlatformMax     int    `json:"platform_max"`
	PlatformMaxRule string `json:"platform_max_rule"`
	// Live is the count of the machines themselves; nil when they were not read.
	Live *Live `json:"live,omitempty"`
	// Pair is what the other set of a pair has; nil for a pool of one set.
	Pair *Pair `json:"pair,omitempty"`
	// Victims are the machines that would go first, in order, as many as a shrink wants; nil where nobody chose.
	Victims *Victims `json:"victims,omitempty"`
	// Quota is what the quotas of the region leave room for; nil when it was not read.
	Quota *Quota `json:"quota,omitempty"`
	// LiveProblem is why the machines could not be counted, empty if they were or nobody tried.
	LiveProblem string `json:"live_problem,omitempty"`
	// Model is the rest of the set's document; nil when it was not read.
	Model *Model `json:"model,omitempty"`
	// Autoscale is what is known of Azure Autoscale settings on the set; nil when nobody looked.
	Autoscale *Autoscale `json:"autoscale,omitempty"`
}

// Known reports whether there ever was a successful read.
func (f Facts) Known() bool { return !f.ReadAt.IsZero() }

// View is everything that a decision may depend on. Policy and rails are functions of it alone, so an entry that holds
// it can be decided again to the same end.
type View struct {
	Version int       `json:"version"`
	Now     time.Time `json:"now"`

	Pool   string            `json:"pool"`
	Policy string            `json:"policy"`
	Mode   Mode              `json:"mode"`
	Labels map[string]string `json:"labels,omitempty"`
	// Orchestration is what the pool's definition expects.
	Orchestration Orchestration   `json:"orchestration"`
	Rails         Rails           `json:"rails"`
	Settings      json.RawMessage `json:"settings"`

	Facts Facts `json:"facts"`
	// FactsMaxAgeSeconds is the age from which on facts are too old to decide on.
	FactsMaxAgeSeconds int `json:"facts_max_age_seconds"`
	// FactsProblem is why the last attempt to read facts failed, empty if it did not.
	FactsProblem string `json:"facts_problem,omitempty"`
	// FactsUnread is set when a change was wanted and the fresh read that it needs could not be had.
	FactsUnread bool `json:"facts_unread,omitempty"`

	// Groups is what the other pools of each group take; one that could not be read is not there.
	Groups map[string]GroupView `json:"groups,omitempty"`
	// Spot is what is known of the interruptible machines, nil for a set without.
	Spot *SpotView `json:"spot,omitempty"`
	// Spending is what the pool has spent in its period, nil for one without prices.
	Spending *SpendingView `json:"spending,omitempty"`

	Signals   map[string]SignalView   `json:"signals"`
	Schedules map[string]ScheduleView `json:"schedules,omitempty"`

	// Frozen is set when the whole installation is frozen by its configuration.
	Frozen bool   `json:"frozen,omitempty"`
	Orders Orders `json:"orders"`
	Memory Memory `json:"memory"`
	// Contended is set when other processes kept changing the control row: this one leaves the decision to them.
	Contended bool `json:"contended,omitempty"`
}

// Memory is the part of a pool's control row that decisions depend on.
type Memory struct {
	// Intended is the capacity that Trimtab last asked for and ARM accepted, nil before the first change.
	Intended *Capacity `json:"intended,omitempty"`
	// GrownAt, ShrunkAt and RemixedAt are the instants of the last changes; zero for never. Cooldowns are derived from
	// them, never stored.
	GrownAt   time.Time `json:"grown_at"`
	ShrunkAt  time.Time `json:"shrunk_at"`
	RemixedAt time.Time `json:"remixed_at"`
	// Recommendations are what the policy asked for within the stabilisation window, oldest first.
	Recommendations []Recommendation `json:"recommendations,omitempty"`
	// Capacities are the counts seen within the longest step window, oldest first, only where they changed.
	Capacities []Recommendation `json:"capacities,omitempty"`
	// ZeroSince is since when every read of one set of a pair has said zero, the zero instant where the last said more:
	// Capacities are those of both sets.
	ZeroSince time.Time `json:"zero_since,omitzero"`
	// BackOffs are what failures forbid for a while.
	BackOffs []BackOff `json:"back_offs,omitempty"`
	// Notes are what events told that measured nothing: evictions, health, rivals.
	Notes
	// SpotShort is the last failure to get Spot machines, nil if there was none.
	SpotShort *Shortage `json:"spot_short,omitempty"`
	// Repaired is the last repair of the live split, nil if there was none.
	Repaired *Repaired `json:"repaired,omitempty"`
	// Parked are the machines that Trimtab has deallocated, by name; the nominal count still holds them.
	Parked []Parked `json:"parked,omitempty"`
	// Growing is the number that the pool was let grow to when the last growth started parked machines only: what is left of
	// it is no growth to rest before. Nil else.
	Growing *Recommendation `json:"growing,omitempty"`
	// Dead is since when each read of the machines has shown one to serve nobody, by its name.
	Dead map[string]time.Time `json:"dead,omitempty"`
	// CleanedAt is when machines that serve nobody were last deleted; zero for never.
	CleanedAt time.Time `json:"cleaned_at,omitzero"`
	// Account is what was measured from one read of the facts to the next, nil before the first.
	Account *Account `json:"account,omitempty"`
	// Drift is how the machines have come apart from the nominal count, nil if they have not.
	Drift *Drift `json:"drift,omitempty"`
	// Trial is what is remembered of the pool's candidate, nil without one.
	Trial *Trial `json:"trial,omitempty"`
	// InFlight is the change that has not ended yet, nil if there is none.
	InFlight *Capacity `json:"in_flight,omitempty"`
	// InFlightSince is when it was intended.
	InFlightSince time.Time `json:"in_flight_since"`
}

// Recommendation is a number of instances at an instant.
type Recommendation struct {
	At        time.Time `json:"at"`
	Instances int       `json:"instances"`
}

// BackOff is what a failure forbids for a while.
type BackOff struct {
	Class Class `json:"class"`
	// Direction is what it forbids: grow, shrink, or everything when empty.
	Direction Direction `json:"direction,omitempty"`
	Until     time.Time `json:"until"`
	Code      string    `json:"code,omitempty"`
	// Size is the size that could not be had: it forbids nothing to a set that has been given another. Empty for failures
	// that have nothing to do with it.
	Size string `json:"size,omitempty"`
	// Zone is the zone that could not be had, where only it is meant: it forbids nothing to a set that spans others.
	Zone string `json:"zone,omitempty"`
	// Refused is true when the whole request was refused and nothing of it came about.
	Refused bool `json:"refused,omitempty"`
}

// Orders are what operators have ordered for a pool. Each lasts until it is taken back or its time is over.
type Orders struct {
	Freeze      *Order `json:"freeze,omitempty"`
	PauseGrow   *Order `json:"pause_grow,omitempty"`
	PauseShrink *Order `json:"pause_shrink,omitempty"`
	Pin         *Order `json:"pin,omitempty"`
}

// Order is one operator's order.
type Order struct {
	At time.Time `json:"at"`
	// Until is when it ends by itself; zero for never.
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"`
	// Instances is the exact count of a pin.
	Instances int `json:"instances,omitempty"`
}

// Holds reports whether the order is in force at now; a nil order never is.
func (o *Order) Holds(now time.Time) bool {
	return o != nil && (o.Until.IsZero() || now.Before(o.Until))
}
