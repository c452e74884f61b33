package scale

import "time"

// Trend is the straight line of least squares through the averages of a window's buckets. Milli values are per minute,
// rising above zero and falling below.
type Trend struct {
	// Value is the slope of the average, Demand that of the load in units of one instance; HasDemand is false where the
	// demand of a bucket is not known.
	Value     Milli `json:"value_milli"`
	Demand    Milli `json:"demand_milli"`
	HasDemand bool  `json:"has_demand"`
	// AgeSeconds is how long ago the middle of the measured buckets was: there the line passes through their mean.
	AgeSeconds int `json:"age_seconds"`
}

// Method names how a load is forecast.
type Method string

// The methods of a forecast (features: C9).
const (
	// SeasonalNaive repeats the season before, moved to the level of the last hour.
	SeasonalNaive Method = "seasonal_naive"
	// HoltWinters smooths level, slope and season.
	HoltWinters Method = "holt_winters"
)

// ForecastRule is what a signal's definition asks of a forecast.
type ForecastRule struct {
	Method Method
	// Season is the span that repeats itself: a day or a week.
	Season time.Duration
	// Slot is the width of one mean of the history.
	Slot time.Duration
	// Lead is how far ahead is looked; at least the time that an instance takes until it serves.
	Lead time.Duration
	// Quantile is the share of past errors, in percent, that the margin covers.
	Quantile int
	// Total is true when the signal's value is forecast, which measures the whole fleet, and not its demand.
	Total bool
}

// Forecast is the load that a signal's history lets expect. Its numbers mean nothing while Known is false.
type Forecast struct {
	Known bool `json:"known"`
	// Why says what a forecast that is not known lacks.
	Why string `json:"why,omitempty"`
	// Load is the highest load expected between now and Lead seconds ahead, in thousandths; Margin is what is added to
	// it so that the named share of past errors would have been covered. Margin is never below zero.
	Load   Milli `json:"load_milli"`
	Margin Milli `json:"margin_milli"`
	// ErrorPermille is the sum of the absolute errors of past forecasts over the sum of the loads (WAPE), in
	// thousandths; Tried is how many forecasts that is made of.
	ErrorPermille int `json:"error_permille"`
	Tried         int `json:"tried"`
	// HistoryHours is how much history there is, LeadSeconds how far ahead was looked.
	HistoryHours int `json:"history_hours"`
	LeadSeconds  int `json:"lead_seconds"`
}
