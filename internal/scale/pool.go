package scale

import (
	"encoding/json"
	"time"
)

// Mode says whether a pool's decisions are acted on.
type Mode string

// The modes of a pool. A pool that names none observes.
const (
	// Observe decides and records, and touches nothing.
	Observe Mode = "observe"
	// Enforce also changes the scale set.
	Enforce Mode = "enforce"
)

// Orchestration is the orchestration mode of a scale set.
type Orchestration string

// The orchestration modes (facts: VMSS 3.2). A priority mix exists on flexible sets only.
const (
	Flexible Orchestration = "flexible"
	Uniform  Orchestration = "uniform"
)

// Pool is one thing that is scaled, as its definition in the bundle says. It never changes after it was loaded.
type Pool struct {
	// Name is the pool's name: lower-case letters, digits and underscores, as a Rego package path allows.
	Name string
	// ScaleSet is the ARM resource ID of the scale set, as written in the definition.
	ScaleSet string
	// SpotScaleSet is the ID of the Spot set where the pool is a pair of uniform sets, of which ScaleSet is the regular
	// one; empty for a pool of one set.
	SpotScaleSet string
	// Orchestration is what the definition expects the scale set to be.
	Orchestration Orchestration
	// Policy is the package below data.pools whose want and blend decide; the pool's own name unless given.
	Policy string
	// Candidate is a policy that is tried beside Policy, nil without one.
	Candidate *Candidate
	// Mode is observe unless the definition says enforce.
	Mode Mode
	// Rails are the limits that no policy can pass.
	Rails Rails
	// Signals are the series that the policy may use, ordered by name.
	Signals []Signal
	// Schedules are named spans of the week, ordered by name.
	Schedules []Schedule
	// SpotRisk is what evictions the pool must bear; nil if its definition does not say.
	SpotRisk *SpotRisk
	// Spending is how the pool's money is counted; nil if its definition gives no prices.
	Spending *Spending
	// Groups are the groups of pools that this one shares vCPUs or money with, ordered by name.
	Groups []Membership
	// Labels name the owner and anything else that operators select by.
	Labels map[string]string
	// Settings are the policy's numbers, a JSON object handed to the policy as input.settings; never nil after loading.
	Settings json.RawMessage
}

// Rails are a pool's numbers about safety. All durations are whole seconds.
type Rails struct {
	Limits Limits `json:"limits"`
	// Cooldown is how long a direction rests after a change.
	Cooldown Cooldown `json:"cooldown"`
	// StabilisationSeconds: a shrink goes no lower than the highest recommendation of so many last seconds.
	StabilisationSeconds int `json:"stabilisation_seconds"`
	// GrowStep and ShrinkStep bound how far capacity may move within a window of time.
	GrowStep   Step `json:"grow_step"`
	ShrinkStep Step `json:"shrink_step"`
	// WarmUpSeconds is how long a new instance takes until its load shows in the signals: a growth is not repeated on
	// signals older than the last growth plus this.
	WarmUpSeconds int `json:"warm_up_seconds"`
	// Shrink says which machines go first; an empty order leaves the choice to Azure.
	Shrink Selection `json:"shrink,omitzero"`
	// Repair is the disruption budget within which the live split is brought back to the blend.
	Repair Repair `json:"repair"`
	// Accept are the codes of traps that the pool's definition knows of: nothing is refused because of them.
	Accept []string `json:"accept,omitempty"`
	// Clean says which machines that serve nobody are deleted, within the same budget.
	Clean Cleaning `json:"clean,omitzero"`
}

// Cleaning names the kinds of machines that keep their place in a scale set and serve nobody: those that failed and do not
// run, and Spot ones that were evicted by deallocation, which Azure never starts again (facts: VMSS 2.2, 3.2).
type Cleaning struct {
	Failed  bool `json:"failed,omitempty"`
	Evicted bool `json:"evicted,omitempty"`
}

// Preference is what makes a machine go before others.
type Preference string

// The preferences. Machines that are protected never go.
const (
	// PreferUnhealthy: those whose health is reported as bad. PreferSpot: Spot before regular ones.
	PreferUnhealthy Preference = "unhealthy"
	PreferSpot      Preference = "spot"
	// PreferOldest and PreferNewest: by the time of creation.
	PreferOldest Preference = "oldest"
	PreferNewest Preference = "newest"
	// PreferZoneBalance: from the zone that has most.
	PreferZoneBalance Preference = "zone_balance"
)

// Selection is how a shrink chooses: the first preference counts most. Without an order a shrink lowers the count, and
// Azure chooses.
type Selection struct {
	Order []Preference `json:"order,omitempty"`
	// Action is what becomes of the chosen: Deallocate parks them, everything else deletes them.
	Action Verb `json:"action,omitempty"`
}

// Parks reports whether machines that go are parked.
func (s Selection) Parks() bool { return len(s.Order) > 0 && s.Action == Deallocate }

// Victims are machines chosen to go.
type Victims struct {
	Names []string `json:"names"`
}

// Repair is how many machines at once may be replaced at constant size, so that the live split follows the blend: the
// larger of Instances and Percent of the count, at least one. The zero Repair repairs nothing.
type Repair struct {
	Instances int `json:"instances"`
	Percent   int `json:"percent"`
	// During names the schedule within which alone anything is replaced; empty for always.
	During string `json:"during,omitempty"`
}

// Limits bound the instances of a pool; both ends belong to the range.
type Limits struct {
	Min int `json:"min"`
	Max int `json:"max"`
	// Default is the count to grow to (never to shrink to) while no reason of the policy is known; 0 means to hold.
	Default int `json:"default"`
}

// Cooldown holds the seconds that each kind of change rests after one.
type Cooldown struct {
	// GrowSeconds is counted from the last growth.
	GrowSeconds int `json:"grow_seconds"`
	// ShrinkSeconds is counted from the last change in either direction: a shrink never follows a growth at once, a
	// growth never waits for a shrink.
	ShrinkSeconds int `json:"shrink_seconds"`
	// MixSeconds is counted from the last change of the mix alone.
	MixSeconds int `json:"mix_seconds"`
}

// Step bounds the movement in one direction: within the last WindowSeconds no more than the larger of Instances and
// Percent of the starting count. A zero Step bounds nothing.
type Step struct {
	Instances     int `json:"instances"`
	Percent       int `json:"percent"`
	WindowSeconds int `json:"window_seconds"`
}

// Aggregation names which statistic of a window is the signal's value.
type Aggregation string

// The aggregations of a signal.
const (
	Average Aggregation = "average"
	Minimum Aggregation = "minimum"
	Maximum Aggregation = "maximum"
	Total   Aggregation = "total"
	Count   Aggregation = "count"
	Last    Aggregation = "last"
)

// Signal is a named series that a pool's policy may use.
type Signal struct {
	Name string
	// Resource and Metric are lower-cased, as samples carry them (facts: events 0, case folding).
	Resource string
	Metric   string
	// Dimensions selects among the dimensioned series of the metric: each key must be there, with that value or any
	// where the value is "*". Empty selects the series without dimensions only: a dimensioned series is never averaged
	// with its undimensioned twin (facts: events 1.2).
	Dimensions  map[string]string
	Aggregation Aggregation
	Unit        string
	// Window is the length in sample time over which the statistics are taken, counted back from the newest sample.
	Window time.Duration
	// Bucket is the width of one bucket in sample time.
	Bucket time.Duration
	// StaleAfter is the age of the newest sample from which on the signal counts as stale. Diagnostic settings are 6 to
	// 11 minutes late, an agent of one's own is seconds late (facts: events 4): there is no one value for all.
	StaleAfter time.Duration
	// StaleByFormat is set where the definition leaves the age open: then StaleAfter is the most, and the format and what
	// has arrived of the signal may make it less.
	StaleByFormat bool
	// MinCoverage is the share of the window's buckets, in percent, that must hold samples; below it the signal is
	// partial.
	MinCoverage int
	// Trend asks for the slope over the window, Recent for the averages of so many of its newest buckets (0 for none),
	// Forecast for an outlook from the signal's history (nil for none).
	Trend    bool
	Recent   int
	Forecast *ForecastRule
}

// Wants says which of the facts made on request the definition asks for.
func (s *Signal) Wants() (w Wants) {
	if s.Trend {
		w |= WantsTrend
	}
	if s.Recent > 0 {
		w |= WantsRecent
	}
	if s.Forecast != nil {
		w |= WantsForecast
	}
	return w
}

// Schedule is a named span of the week in a named time zone.
type Schedule struct {
	Name string
	// Days holds the weekdays on which the span begins.
	Days [7]bool
	// From and To are minutes of the local day. To at or before From means that the span ends on the next day.
	From, To int
	Zone     *time.Location
	// Starts and Ends bound the schedule's life; zero means open.
	Starts, Ends time.Time
}

// Dated reports whether the schedule lives between two dates.
func (s Schedule) Dated() bool { return !s.Starts.IsZero() && !s.Ends.IsZero() }

// Active reports whether the schedule's span holds at now, and the next instant at which that may change (zero if none
// within eight days). The span is taken in local wall-clock time: on the day a clock jumps forward a bound within the
// gap moves to the first instant after it, on the day it falls back the first of the two instants counts.
func (s Schedule) Active(now time.Time) (active bool, next time.Time) {
	edge := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	local := now.In(s.Zone)
	for d := -2; d <= 8; d++ {
		day := time.Date(local.Year(), local.Month(), local.Day()+d, 0, 0, 0, 0, time.UTC)
		if !s.Days[day.Weekday()] {
			continue
		}
		begin, end := s.at(day, s.From), s.at(day, s.To)
		if s.To <= s.From {
			end = s.at(day.AddDate(0, 0, 1), s.To)
		}
		if !s.Starts.IsZero() && begin.Before(s.Starts) {
			begin = s.Starts
		}
		if !s.Ends.IsZero() && end.After(s.Ends) {
			end = s.Ends
		}
		if !begin.Before(end) {
			continue
		}
		if !now.Before(begin) && now.Before(end) {
			active = true
		}
		edge(begin)
		edge(end)
	}
	return active, next
}

// at is the first instant that shows minute-of-day m on the given date in the schedule's zone, or, where a jump of the
// clock skips that minute, the first instant after the jump.
func (s Schedule) at(date time.Time, m int) time.Time {
	y, mo, d := date.Date()
	t := time.Date(y, mo, d, m/60, m%60, 0, 0, s.Zone)
	if got := t.Hour()*60 + t.Minute(); got != m%(24*60) {
		// Skipped by a jump forward: time.Date answers with one of the two offsets; the transition lies between them.
		lo, hi := t.Add(-3*time.Hour), t.Add(3*time.Hour)
		_, before := lo.Zone()
		for hi.Sub(lo) > time.Second {
			mid := lo.Add(hi.Sub(lo) / 2).Truncate(time.Second)
			if _, off := mid.Zone(); off == before {
				lo = mid
			} else {
				hi = mid
			}
		}
		return hi
	}
	// Doubled by a jump back: take the first of the two.
	for _, back := range []time.Duration{2 * time.Hour, time.Hour, 30 * time.Minute} {
		if e := t.Add(-back); e.Hour() == t.Hour() && e.Minute() == t.Minute() && e.Day() == t.Day() {
			return e
		}
	}
	return t
}
