package replay_test

import (
	"strings"
	"testing"

	"trimtab/internal/replay"
)

func TestCasesSayOnWhichTracesACandidateIsNotOnTheBetterSideAndWhy(t *testing.T) {
	values := func(cost, unmet, short float64) map[string]float64 {
		return map[string]float64{"cost": cost, "unmet_demand": unmet, "unmet_time": short, "mean_instances": cost / 10, "unmet_longest": 1200}
	}
	runs := []replay.Run{
		{Policy: "next", Trace: "calm", Values: values(90, 1, 2)},
		{Policy: "hpa", Trace: "calm", Values: values(100, 1, 2)},
		{Policy: "next", Trace: "peaks", Values: values(100, 1, 2), Evaluations: 200, Rails: map[string]int{"stabilisation": 60, "step_shrink": 80, "in_flight": 9}},
		{Policy: "next", Trace: "peaks", Seed: 1, Values: values(120, 1, 2), Evaluations: 200},
		{Policy: "hpa", Trace: "peaks", Values: values(100, 3, 9)},
		{Policy: "next", Trace: "flash", Values: values(90, 4, 5), Evaluations: 100},
		{Policy: "hpa", Trace: "flash", Values: values(100, 3, 2)},
		{Policy: "other", Trace: "calm", Values: values(1, 0, 0)},
	}
	sources := []replay.Source{{Name: "calm"}, {Name: "peaks"}, {Name: "flash"}}
	cases := replay.Cases("next", "hpa", sources, runs)
	if len(cases) != 2 || cases[0].Trace != "peaks" || cases[0].Verdict != replay.Trade || cases[1].Trace != "flash" {
		t.Fatalf("%+v", cases)
	}
	for i, wants := range [][]string{
		{
			"spends 10.0 % more and leaves 2.00 points less of the load unmet than hpa", "11.0 instances serve against 10.0",
			"short for 2.0 % of the time against 9.0 %, at longest 20 min", "shrinking was held back by step_shrink in 20.0 %, stabilisation in 15.0 % of its",
		},
		{"spends 10.0 % less and leaves 1.00 points more", "what it lacks is what had not booted when a peak came"},
	} {
		for _, want := range wants {
			if !strings.Contains(cases[i].Why, want) {
				t.Errorf("%s: %q lacks %q", cases[i].Trace, cases[i].Why, want)
			}
		}
	}
	if strings.Contains(cases[0].Why, "in_flight") {
		t.Errorf("what holds back growth explains no cost: %s", cases[0].Why)
	}
}
