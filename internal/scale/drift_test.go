package scale_test

import (
	"testing"
	"time"

	"trimtab/internal/scale"
)

func TestEvictionsExplainWhatIsMissingWhereNothingIsOnItsWay(t *testing.T) {
	evictions := []scale.Eviction{{At: noon.Add(-5 * time.Minute), Instances: 15}}
	for name, c := range map[string]struct {
		state string
		live  int
		sure  int
	}{
		"evicted machines are missing at once":                        {"Succeeded", 0, 15},
		"of a set that is being written some may be on their way":     {"Updating", 0, 0},
		"no more than is missing is explained":                        {"Succeeded", 12, 3},
		"a set with all its machines has no drift, whatever was told": {"Succeeded", 15, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := scale.Facts{ReadAt: noon, Capacity: 15, ProvisioningState: c.state, Live: &scale.Live{ReadAt: noon, Instances: c.live}}
			sure := 0
			if d := scale.Drifted(nil, f, evictions); d != nil {
				sure = d.Sure
			}
			if sure != c.sure {
				t.Errorf("%d machines are surely missing, want %d", sure, c.sure)
			}
		})
	}
}
