package scale

import (
	"math"
	"time"
)

// Never stands for seconds since something that did not happen, as far as is remembered.
const Never = math.MaxInt32

// SpotRisk is what a pool's definition says of the evictions that it must bear.
type SpotRisk struct {
	// Replace is how long it takes to replace a machine that was taken.
	Replace time.Duration
	// KeepPercent is the share of the instances that must stay in service, with a probability of ConfidencePermille
	// thousandths.
	KeepPercent        int
	ConfidencePermille int
	// CorrelationPercent says how far evictions come together: 0 for one by one.
	CorrelationPercent int
	// ChangePercent is by how much of the count the floor may change in an hour because of evictions.
	ChangePercent int
	// HourlyPermille is the published chance of a machine to be evicted within an hour, in thousandths (facts: VMSS 4).
	HourlyPermille int
}

// SpotView is what is known of a pool's interruptible machines at the instant of a decision.
type SpotView struct {
	// Missing is how many machines were asked for and are surely not there.
	Missing int `json:"missing"`
	// Blocked is true while a failure to get Spot machines keeps the pool from asking for more.
	Blocked bool `json:"blocked,omitempty"`
	// QuietSeconds is how long ago Spot last disappointed, by an eviction or such a failure; ChangedSeconds how long ago
	// the pool last grew or changed its mix. Never for not in memory.
	QuietSeconds   int `json:"quiet_seconds"`
	ChangedSeconds int `json:"changed_seconds"`
	// WholeSeconds is how long every Spot machine that was asked for has been there and up: 0 while one is not, or while
	// Blocked; Never if none was ever seen to be short.
	WholeSeconds int `json:"whole_seconds"`
	// ServedSeconds is for how long at least the pool's minimum of machines was up, of the SeenSeconds in which they were
	// counted.
	ServedSeconds int64 `json:"served_seconds,omitempty"`
	SeenSeconds   int64 `json:"seen_seconds,omitempty"`
	// Evicted is how many machines were evicted within a day.
	Evicted int `json:"evicted,omitempty"`
	// RatePermille is the chance of a machine to be evicted within an hour, in thousandths, and Floor the regular machines
	// that the pool's present size needs to bear that; nil without a SpotRisk.
	RatePermille int  `json:"rate_permille,omitempty"`
	Floor        *int `json:"floor,omitempty"`
}
