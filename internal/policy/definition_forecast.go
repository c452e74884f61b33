package policy

import (
	"time"

	"trimtab/internal/scale"
)

// What a forecast that says nothing gets.
const (
	defaultQuantile = 95
	defaultSlot     = 1800
	leastSlot       = 900
	maxForecasts    = 4
	mostLead        = 4 * hour
	// forecastBuckets is how many buckets the window must have, so that what comes late finds its bucket before that
	// enters the history.
	forecastBuckets = 4
)

// forecast reads what a signal's definition asks of a forecast, nil if it asks for none.
func (o fields) forecast() *scale.ForecastRule {
	f, ok := o.sub("forecast", "method", "season", "slot_seconds", "lead_seconds", "quantile_percent", "of")
	if !ok {
		return nil
	}
	rule := &scale.ForecastRule{
		Method:   scale.Method(f.choice("method", string(scale.SeasonalNaive), string(scale.SeasonalNaive), string(scale.HoltWinters))),
		Slot:     time.Duration(f.whole("slot_seconds", leastSlot, hour, defaultSlot)) * time.Second,
		Lead:     time.Duration(f.whole("lead_seconds", 60, mostLead, mustBeGiven)) * time.Second,
		Quantile: f.whole("quantile_percent", 50, 100, defaultQuantile),
		Total:    f.choice("of", "demand", "demand", "value") == "value",
		Season:   day * time.Second,
	}
	if f.choice("season", "day", "day", "week") == "week" {
		rule.Season *= 7
	}
	if rule.Slot > 0 && hour*time.Second%rule.Slot != 0 {
		f.wrong("slot_seconds", "%d is no part of an hour: 900, 1200, 1800 or 3600", int(rule.Slot/time.Second))
	}
	return rule
}

// checkForecasts checks what the forecasts of a pool must have in common with the rest of it.
func (o fields) checkForecasts(signals []scale.Signal, warmUp int) {
	n := 0
	for i := range signals {
		rule := signals[i].Forecast
		if rule == nil {
			continue
		}
		n++
		if lead := int(rule.Lead / time.Second); lead > 0 && lead < warmUp {
			o.wrong("signals", "signal %s: forecast.lead_seconds is %d, and an instance takes %d (warm_up_seconds) until it serves: "+
				"look ahead at least as far", signals[i].Name, lead, warmUp)
		}
	}
	if n > maxForecasts {
		o.wrong("signals", "%d signals have a forecast: at most %d", n, maxForecasts)
	}
}
