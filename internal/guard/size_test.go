package guard_test

import (
	"testing"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

func TestABackOffOfASizeForbidsNothingToAnother(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for size, want := range map[string]int{"Standard_D4s_v5": 5, "Standard_D4as_v5": 8} {
		v := &scale.View{
			Now: now, Mode: scale.Enforce, Orchestration: scale.Flexible, FactsMaxAgeSeconds: 300,
			Rails:  scale.Rails{Limits: scale.Limits{Min: 1, Max: 20}},
			Facts:  scale.Facts{ReadAt: now, Capacity: 5, ETag: `"1"`, Orchestration: scale.Flexible, ProvisioningState: "Succeeded", Size: size, PlatformMax: 1000},
			Memory: scale.Memory{BackOffs: []scale.BackOff{{Class: scale.ClassNoCapacity, Direction: scale.Grow, Until: now.Add(time.Hour), Size: "Standard_D4s_v5"}}},
		}
		d := guard.Decide(v, &scale.Proposal{Known: true, Instances: 8})
		if d.To.Instances != want {
			t.Errorf("%s: got %d, want %d (%s)", size, d.To.Instances, want, d.Reason)
		}
	}
}
