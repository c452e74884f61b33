package policy

import (
	"maps"
	"slices"
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
	defaultChange      = 25
)

// bands are the chances of an eviction within an hour as Azure publishes them, with what lies in the middle of each in
// thousandths; of the last, which has no end, what is a quarter above its beginning (facts: VMSS 4.2).
var bands = map[string]int{"0-5": 25, "5-10": 75, "10-15": 125, "15-20": 175, "20+": 250}

// spotRisk reads what evictions a pool must bear, nil if its definition does not say.
func (o fields) spotRisk() *scale.SpotRisk {
	r, ok := o.sub("spot_risk", "replace_seconds", "keep_percent", "confidence_permille", "correlation_percent",
		"hourly_permille", "band", "change_percent")
	if !ok {
		return nil
	}
	rate := r.whole("hourly_permille", 0, 1000, defaultRate)
	if r.fields["band"] != nil {
		rate = bands[r.choice("band", required, slices.Sorted(maps.Keys(bands))...)]
		if r.fields["hourly_permille"] != nil {
			r.wrong("band", "says the same as hourly_permille: give one of them")
		}
	}
	return &scale.SpotRisk{
		Replace:            time.Duration(r.whole("replace_seconds", 30, day, mustBeGiven)) * time.Second,
		KeepPercent:        r.whole("keep_percent", 1, 100, defaultKeep),
		ConfidencePermille: r.whole("confidence_permille", 500, 999, defaultConfidence),
		CorrelationPercent: r.whole("correlation_percent", 0, 100, defaultCorrelation),
		HourlyPermille:     rate,
		ChangePercent:      r.whole("change_percent", 1, 100, defaultChange),
	}
}

// spending reads the prices and the period of a pool's account, nil if its definition gives none.
func (o fields) spending() *scale.Spending {
	s, ok := o.sub("spending", "period", "zone", "regular", "spot")
	if !ok {
		return nil
	}
	by := scale.Spending{
		Period:       scale.Period(s.choice("period", string(scale.PeriodMonth), "day", "week", "month")),
		Zone:         time.UTC,
		RegularMicro: s.price("regular"),
	}
	if s.fields["zone"] != nil {
		if z := s.zone(); z != nil {
			by.Zone = z
		}
	}
	if by.RegularMicro == 0 {
		if s.fields["regular"] != nil {
			s.wrong("regular", "must be above 0: the price of a regular instance for an hour")
		}
		s.need("regular", "the price of a regular instance for an hour")
	}
	by.SpotMicro = by.RegularMicro
	if s.fields["spot"] != nil {
		if by.SpotMicro = s.price("spot"); by.SpotMicro <= 0 || by.SpotMicro > by.RegularMicro {
			s.wrong("spot", "a price above 0 and no more than regular")
		}
	}
	return &by
}
