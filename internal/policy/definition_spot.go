package policy

import (
	"time"

	"trimtab/internal/scale"
)

// What a spot_risk that says nothing gets: evictions come in groups, and a rate of a tenth in an hour is the middle of
// what is published (facts: VMSS 4).
const (
	defaultKeep        = 90
	defaultConfidence  = 990
	defaultCorrelation = 10
	defaultRate        = 100
)

// spotRisk reads what evictions a pool must bear, nil if its definition does not say.
func (o fields) spotRisk() *scale.SpotRisk {
	r, ok := o.sub("spot_risk", "replace_seconds", "keep_percent", "confidence_permille", "correlation_percent", "hourly_permille")
	if !ok {
		return nil
	}
	return &scale.SpotRisk{
		Replace:            time.Duration(r.whole("replace_seconds", 30, day, mustBeGiven)) * time.Second,
		KeepPercent:        r.whole("keep_percent", 1, 100, defaultKeep),
		ConfidencePermille: r.whole("confidence_permille", 500, 999, defaultConfidence),
		CorrelationPercent: r.whole("correlation_percent", 0, 100, defaultCorrelation),
		HourlyPermille:     r.whole("hourly_permille", 0, 1000, defaultRate),
	}
}
