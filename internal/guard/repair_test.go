package guard_test

import (
	"testing"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

// Ten machines, all regular, of which the mix wants eight to be Spot: there is something to repair.
func TestMachinesAreReplacedWithinTheirHoursOnly(t *testing.T) {
	now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	opens := now.Add(3 * time.Hour)
	for name, c := range map[string]struct {
		during    string
		schedules map[string]scale.ScheduleView
		want      int
		code      string
	}{
		"at any hour":                  {"", nil, 12, "mix_repair"},
		"within them":                  {"nights", map[string]scale.ScheduleView{"nights": {Active: true}}, 12, "mix_repair"},
		"not outside them":             {"nights", map[string]scale.ScheduleView{"nights": {NextAt: opens}}, 10, "repair_hours"},
		"not while they are not known": {"nights", nil, 10, "repair_hours"},
	} {
		t.Run(name, func(t *testing.T) {
			mix := scale.Mix{Base: 2}
			v := &scale.View{
				Version: scale.ViewVersion, Now: now, Mode: scale.Enforce, Orchestration: scale.Flexible, FactsMaxAgeSeconds: 300,
				Rails: scale.Rails{
					Limits: scale.Limits{Min: 1, Max: 20}, Repair: scale.Repair{Instances: 2, During: c.during},
				},
				Facts: scale.Facts{
					ReadAt: now, Capacity: 10, Mix: &mix, ETag: "e", ProvisioningState: "Succeeded", Orchestration: scale.Flexible, Spot: true,
					PlatformMax: 1000, Live: &scale.Live{ReadAt: now, Instances: 10, Regular: 10},
				},
				Schedules: c.schedules,
			}
			d := guard.Decide(v, &scale.Proposal{Known: true, Instances: 10, Blend: &scale.Blend{Mix: scale.Mix{Base: 2}}})
			if d.To.Instances != c.want {
				t.Errorf("got %d instances, want %d: %+v", d.To.Instances, c.want, d.Adjustments)
			}
			for _, a := range d.Adjustments {
				if a.Code == c.code && (c.code != "repair_hours" || a.Detail == "nights" && a.Until.Equal(c.schedules["nights"].NextAt)) {
					return
				}
			}
			t.Errorf("no %s: %+v", c.code, d.Adjustments)
		})
	}
}
