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

func TestEvictionsToldOfSinceComeOnTopOfWhatWasMissing(t *testing.T) {
	old := &scale.Drift{At: noon.Add(-time.Hour), Seen: 2, Sure: 2}
	live := func(n int) scale.Facts {
		return scale.Facts{ReadAt: noon, Capacity: 15, ProvisioningState: "Succeeded", Live: &scale.Live{ReadAt: noon, Instances: n}}
	}
	before := scale.Eviction{At: noon.Add(-2 * time.Hour), Instances: 2}
	since := scale.Eviction{At: noon.Add(-time.Minute), Instances: 3}
	for name, c := range map[string]struct {
		live      int
		evictions []scale.Eviction
		sure      int
	}{
		"two were missing, three more were evicted":   {10, []scale.Eviction{before, since}, 5},
		"what nobody told of waits for a second read": {9, []scale.Eviction{since}, 5},
		"no more than is missing":                     {12, []scale.Eviction{since}, 3},
		"what was told before is in what was sure":    {10, []scale.Eviction{before}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if d := scale.Drifted(old, live(c.live), c.evictions); d == nil || d.Sure != c.sure {
				t.Errorf("%+v, want %d surely missing", d, c.sure)
			}
		})
	}
}
