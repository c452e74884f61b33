package scale

import "time"

// Account is what a pool remembers of its machines from one read of the facts to the next: for how long enough of them
// were up, and what they cost. It is kept in the control row, bounded, and grows by spans that end with a read.
type Account struct {
	// At is the read up to which it is kept.
	At time.Time `json:"at"`
	// Counted is true when the machines were counted at At, Up when enough of them were up.
	Counted bool `json:"counted,omitempty"`
	Up      bool `json:"up,omitempty"`
	// ServedSeconds is for how long enough machines were up, of the SeenSeconds for which that was watched. Old time
	// weighs less: both are halved whenever there are four weeks of it.
	ServedSeconds int64 `json:"served_seconds,omitempty"`
	SeenSeconds   int64 `json:"seen_seconds,omitempty"`
	// SpotShortAt is the last read that found fewer Spot machines up than were asked for; zero for none.
	SpotShortAt time.Time `json:"spot_short_at,omitzero"`
	// Pace is the rate of evictions that the floor follows, nil without a SpotRisk.
	Pace *Pace `json:"pace,omitempty"`
	// Spent is nil for a pool without Spending.
	Spent *Spent `json:"spent,omitempty"`
}

// Pace is a rate of evictions that moves no faster than the floor may change.
type Pace struct {
	// At is the instant up to which its allowance is used up.
	At time.Time `json:"at"`
	// RateMicro is the chance of a machine to be evicted within an hour, in millionths.
	RateMicro int64 `json:"rate_micro"`
}

// Spending is how a pool's money is counted: by which periods, and at which prices for an hour of an instance.
type Spending struct {
	Period Period
	// Zone is where periods begin at midnight.
	Zone *time.Location
	// RegularMicro and SpotMicro are prices in millionths of a currency.
	RegularMicro, SpotMicro int64
}

// Period is a span of the calendar for which a budget is given.
type Period string

// The periods. A week begins on Monday.
const (
	PeriodDay   Period = "day"
	PeriodWeek  Period = "week"
	PeriodMonth Period = "month"
)

// Span is the period that holds an instant: from its first instant to that of the next.
func (s *Spending) Span(at time.Time) (from, to time.Time) {
	local := at.In(s.Zone)
	y, m, d := local.Date()
	midnight := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, s.Zone).UTC() }
	switch s.Period {
	case PeriodMonth:
		return midnight(y, m, 1), midnight(y, m+1, 1)
	case PeriodWeek:
		d -= (int(local.Weekday()) + 6) % 7
		return midnight(y, m, d), midnight(y, m, d+7)
	default:
		return midnight(y, m, d), midnight(y, m, d+1)
	}
}

// Spent is what a pool's machines have cost in a period. Sums are in millionths of the currency times seconds of an hourly
// price, so that nothing is rounded: Spent.Micro gives them in millionths.
type Spent struct {
	// From and To are the period's ends.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// RateMicro is what the machines found at the last read cost an hour.
	RateMicro int64 `json:"rate_micro"`
	// Sum is what was spent so far; Guessed is the part of it for spans that nobody watched, UnwatchedSeconds in all.
	Sum              int64 `json:"sum"`
	Guessed          int64 `json:"guessed,omitempty"`
	UnwatchedSeconds int64 `json:"unwatched_seconds,omitempty"`
}

// Micro turns a sum of Spent into millionths of the currency, rounded up.
func (s *Spent) Micro(sum int64) int64 { return (sum + 3599) / 3600 }

// SpendingView is what a pool has spent, as a decision sees it.
type SpendingView struct {
	// Known is false before the first account.
	Known bool `json:"known"`
	// SpentMicro is what was spent in this period up to the last read, GuessedMicro the part of it that was guessed.
	SpentMicro   int64 `json:"spent_micro"`
	GuessedMicro int64 `json:"guessed_micro,omitempty"`
	// UnwatchedSeconds is for how long nobody watched.
	UnwatchedSeconds int64 `json:"unwatched_seconds,omitempty"`
	// RemainingSeconds is from the last read to the period's end, PeriodSeconds its whole length.
	RemainingSeconds int64 `json:"remaining_seconds"`
	PeriodSeconds    int64 `json:"period_seconds"`
	// RateMicro is what the machines there cost an hour; RegularMicro and SpotMicro what one instance does.
	RateMicro    int64 `json:"rate_micro"`
	RegularMicro int64 `json:"regular_micro"`
	SpotMicro    int64 `json:"spot_micro"`
}
