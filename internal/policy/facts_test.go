package policy_test

import "trimtab/internal/scale"

// factsDocument is the plain conversion of what the input says about the machines.
func factsDocument(v *scale.View) map[string]any {
	l := v.Facts.Live
	if l == nil || int(v.Now.Sub(l.ReadAt).Seconds()) > v.FactsMaxAgeSeconds {
		return map[string]any{"live": nil}
	}
	zones := map[string]any{}
	for zone, n := range l.ByZone {
		zones[zone] = map[string]any{"regular": n.Regular, "spot": n.Spot, "pending": n.Pending}
	}
	return map[string]any{"live": map[string]any{
		"instances": l.Instances, "regular": l.Regular, "spot": l.Spot, "pending_regular": l.PendingRegular,
		"pending_spot": l.PendingSpot, "deallocated": l.Deallocated, "failed": l.Failed, "by_zone": zones,
		"age_seconds": int(v.Now.Sub(l.ReadAt).Seconds()),
	}}
}
