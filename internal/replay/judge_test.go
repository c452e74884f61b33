package replay_test

import (
	"testing"

	"trimtab/internal/replay"
)

func TestNothingThatIsWorseThanNoughtKeepsAGate(t *testing.T) {
	for _, c := range []struct {
		note             string
		today, candidate float64
		measure          string
		allowed          float64
		kept             bool
	}{
		{"both are nought", 0, 0, "unmet_demand", 0, true},
		{"something against nought, little allowed", 0, 0.1, "unmet_demand", 10, false},
		{"something against nought, a hundred per cent allowed", 0, 0.1, "unmet_demand", 100, false},
		{"something against nought, more allowed", 0, 30, "unmet_demand", 500, false},
		{"twice as much, a hundred per cent allowed", 1, 2, "unmet_demand", 100, true},
		{"more than twice as much", 1, 2.1, "unmet_demand", 100, false},
		{"higher is better, and it is higher", 90, 99, "availability", 0, true},
		{"higher is better, and it is lower", 100, 98, "availability", 1, false},
		{"higher is better, from nought up", 0, 98, "availability", 0, true},
	} {
		r := &replay.Result{
			Policies: []replay.Subject{{Name: "new", Kind: replay.Candidate}, {Name: "old", Kind: replay.Today}},
			Measures: []replay.Measure{{Name: "unmet_demand", Better: "lower"}, {Name: "availability", Better: "higher"}},
			Summaries: []replay.Summary{
				{Policy: "new", Values: map[string]replay.Quantile{c.measure: {Mean: c.candidate}}},
				{Policy: "old", Values: map[string]replay.Quantile{c.measure: {Mean: c.today}}},
			},
		}
		if kept, err := r.AddGate(c.measure, c.allowed); err != nil || kept != c.kept {
			t.Errorf("%s: kept is %v, %v; want %v: %+v", c.note, kept, err, c.kept, r.Gates)
		}
	}
}
