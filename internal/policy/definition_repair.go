package policy

import (
	"slices"

	"trimtab/internal/scale"
	"trimtab/internal/spell"
)

// repair reads the disruption budget. Hours alone leave the budget as it is without a definition; both numbers 0 are
// none, whatever the hours.
func (o fields) repair(otherwise scale.Repair) scale.Repair {
	r := scale.Repair{Instances: o.whole("instances", 0, maxInstances, 0), Percent: o.whole("percent", 0, 100, 0)}
	if o.fields["instances"] == nil && o.fields["percent"] == nil && o.fields["during"] != nil {
		r = otherwise
	}
	if r != (scale.Repair{}) {
		r.During = o.text("during", "")
	}
	return r
}

// checkHours checks that the schedule of the disruption budget exists.
func (o fields) checkHours(r scale.Repair, schedules []scale.Schedule) {
	if r.During == "" {
		return
	}
	names := make([]string, 0, len(schedules))
	for _, s := range schedules {
		names = append(names, s.Name)
	}
	if b, ok := o.sub("repair"); ok && !slices.Contains(names, r.During) {
		b.wrong("during", "there is no schedule %q; %s", r.During, spell.Meant(r.During, names))
	}
}
