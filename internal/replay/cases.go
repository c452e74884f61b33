package replay

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Case is a trace on which a candidate is not on the better side of another: it costs more, or leaves more unmet, in the
// mean over the trace's runs.
type Case struct {
	Trace   string `json:"trace"`
	Verdict string `json:"verdict"`
	// Cost and Unmet are the differences as in [Verdict].
	CostPercent float64 `json:"cost_percent"`
	UnmetPoints float64 `json:"unmet_points"`
	// Why says what it gives for what, and what of its runs explains it.
	Why string `json:"why"`
}

// sums are the means of the runs of one policy on one trace, and how many evaluations of a hundred each rail touched.
type sums struct {
	runs   float64
	values map[string]float64
	rails  map[string]float64
}

func sumsOf(runs []Run, policy, trace string) sums {
	s := sums{values: map[string]float64{}, rails: map[string]float64{}}
	evaluations := 0.0
	for i := range runs {
		r := &runs[i]
		if r.Policy != policy || r.Trace != trace {
			continue
		}
		s.runs++
		evaluations += float64(r.Evaluations)
		for name, v := range r.Values {
			s.values[name] += v
		}
		for code, n := range r.Rails {
			s.rails[code] += float64(n) * 100
		}
	}
	for name := range s.values {
		s.values[name] /= s.runs
	}
	for code := range s.rails {
		s.rails[code] /= max(1, evaluations)
	}
	return s
}

// cases are the traces on which a is not on the better side of b, in the order of the traces.
func cases(a, b string, traces []Source, runs []Run) (all []Case) {
	for _, t := range traces {
		x, y := sumsOf(runs, a, t.Name), sumsOf(runs, b, t.Name)
		if x.runs == 0 || y.runs == 0 {
			continue
		}
		c := Case{
			Trace: t.Name, CostPercent: round(percentMore(x.values["cost"], y.values["cost"])),
			UnmetPoints: round(x.values["unmet_demand"] - y.values["unmet_demand"]),
		}
		c.Verdict = verdict(c.CostPercent, c.UnmetPoints)
		if c.Verdict == Better || c.Verdict == Same {
			continue
		}
		c.Why = because(&c, b, &x, &y)
		all = append(all, c)
	}
	return all
}

// because explains a case by what was measured.
func because(c *Case, against string, x, y *sums) string {
	parts := []string{fmt.Sprintf("%s and %s than %s", moreOrLess(c.CostPercent, "spends %.1f %% %s"), unmetText(c.UnmetPoints), against)}
	v, w := x.values, y.values
	parts = append(parts, fmt.Sprintf("on average %.1f instances serve against %.1f, and the load is short for %.1f %% of the time against %.1f %%, at longest %s against %s",
		v["mean_instances"], w["mean_instances"], v["unmet_time"], w["unmet_time"], spanText(v["unmet_longest"]), spanText(w["unmet_longest"])))
	if c.CostPercent > costCounts {
		parts = append(parts, heldText(x, "what it keeps after a peak: shrinking was held back by", shrinkers,
			"what it keeps is by its targets: no rail held back its shrinking"))
	}
	if c.UnmetPoints > unmetCounts {
		parts = append(parts, heldText(x, "what it lacks at a peak: growing was held back by", growers,
			"what it lacks is what had not booted when a peak came: no rail held back its growth"))
	}
	return strings.Join(parts, "; ")
}

func moreOrLess(percent float64, form string) string {
	word := "more"
	if percent < 0 {
		word = "less"
	}
	return fmt.Sprintf(form, math.Abs(percent), word)
}

func unmetText(points float64) string {
	word := "more"
	if points < 0 {
		word = "less"
	}
	return fmt.Sprintf("leaves %.2f points %s of the load unmet", math.Abs(points), word)
}

func spanText(seconds float64) string {
	if seconds < 600 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	return fmt.Sprintf("%.0f min", seconds/60)
}

// The rails that hold back a shrink and a growth.
var (
	shrinkers = []string{"stabilisation", "cooldown_shrink", "step_shrink", "signal_missing", "signal_stale", "signal_partial", "limit_min"}
	growers   = []string{"cooldown_grow", "step_grow", "in_flight", "limit_max", "quota"}
)

// heldText names the rails that touched at least one evaluation in a thousand, the most frequent first.
func heldText(s *sums, text string, codes []string, none string) string {
	var held []string
	for code := range s.rails {
		if slices.Contains(codes, code) && s.rails[code] >= 0.1 {
			held = append(held, code)
		}
	}
	if len(held) == 0 {
		return none
	}
	slices.SortFunc(held, func(a, b string) int {
		if s.rails[a] != s.rails[b] {
			if s.rails[a] > s.rails[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for i, code := range held {
		held[i] = fmt.Sprintf("%s in %.1f %%", code, s.rails[code])
	}
	return text + " " + strings.Join(held, ", ") + " of its evaluations"
}
