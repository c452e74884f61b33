package replay

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The verdicts.
const (
	Better = "better"
	Worse  = "worse"
	Same   = "same"
	Trade  = "trade"
)

// What counts as a difference: half a per cent of cost, a twentieth of a percentage point of unmet demand.
const (
	costCounts  = 0.5
	unmetCounts = 0.05
)

// bound is the baseline that no policy can be better than.
const bound = "foresight"

// judge compares each candidate with everything else.
func judge(r *Result) {
	byName := map[string]Summary{}
	for _, s := range r.Summaries {
		byName[s.Policy] = s
	}
	for _, a := range r.Policies {
		if a.Kind != Candidate {
			continue
		}
		for _, b := range r.Policies {
			if a.Name != b.Name {
				v := compare(a.Name, b.Name, byName, r.Runs)
				if b.Name != bound {
					v.Cases = cases(a.Name, b.Name, r.Traces, r.Runs)
				}
				r.Verdicts = append(r.Verdicts, v)
			}
		}
	}
}

func compare(a, b string, summaries map[string]Summary, runs []Run) Verdict {
	x, y := summaries[a].Values, summaries[b].Values
	v := Verdict{Policy: a, Against: b, SpeedUp: speedUp(x, y)}
	v.CostPercent = round(percentMore(x["cost"].Mean, y["cost"].Mean))
	v.UnmetPoints = round(x["unmet_demand"].Mean - y["unmet_demand"].Mean)
	v.Verdict = verdict(v.CostPercent, v.UnmetPoints)
	type key struct {
		trace string
		seed  uint64
	}
	others := map[key]map[string]float64{}
	for i := range runs {
		if runs[i].Policy == b {
			others[key{runs[i].Trace, runs[i].Seed}] = runs[i].Values
		}
	}
	for i := range runs {
		other := others[key{runs[i].Trace, runs[i].Seed}]
		if runs[i].Policy != a || other == nil {
			continue
		}
		own := runs[i].Values
		switch verdict(percentMore(own["cost"], other["cost"]), own["unmet_demand"]-other["unmet_demand"]) {
		case Better:
			v.Better++
		case Worse:
			v.Worse++
		case Same:
			v.Same++
		default:
			v.Trade++
		}
	}
	v.Text = fmt.Sprintf("%s: %+.1f %% cost, %+.2f points of unmet demand against %s", v.Verdict, v.CostPercent, v.UnmetPoints, b)
	return v
}

// percentMore is by how many per cent a is more than b; against nothing, everything is 100 per cent more.
func percentMore(a, b float64) float64 {
	switch {
	case b != 0:
		return (a - b) / b * 100
	case a > 0:
		return 100
	}
	return 0
}

func verdict(cost, unmet float64) string {
	dearer, cheaper := cost > costCounts, cost < -costCounts
	shorter, fuller := unmet > unmetCounts, unmet < -unmetCounts
	switch {
	case !dearer && !cheaper && !shorter && !fuller:
		return Same
	case !dearer && !shorter:
		return Better
	case !cheaper && !fuller:
		return Worse
	}
	return Trade
}

// ParseGate reads MEASURE=PERCENT.
func ParseGate(text string) (measure string, allowed float64, err error) {
	measure, number, ok := strings.Cut(text, "=")
	var names []string
	known := false
	for _, m := range measures {
		if m.Better != "" {
			names = append(names, m.Name)
			known = known || m.Name == measure
		}
	}
	if !ok || !known {
		return "", 0, fmt.Errorf("gate %q: right would be MEASURE=PERCENT with one of %s", text, strings.Join(names, ", "))
	}
	if _, err := fmt.Sscanf(number+"\n", "%g\n", &allowed); err != nil || math.IsNaN(allowed) || math.IsInf(allowed, 0) || allowed < 0 {
		return "", 0, fmt.Errorf("gate %q: %q is no number of per cent from 0 up", text, number)
	}
	return measure, allowed, nil
}

// AddGate checks every candidate's mean against today's policy and adds the findings; passed is true when all keep it.
// Where today's value is nought, any value that is worse fails.
func (r *Result) AddGate(measure string, allowed float64) (passed bool, err error) {
	i := slices.IndexFunc(r.Policies, func(s Subject) bool { return s.Kind == Today })
	if i < 0 {
		return false, fmt.Errorf("gate %s: there is no policy of today to compare with", measure)
	}
	m := slices.IndexFunc(r.Measures, func(m Measure) bool { return m.Name == measure })
	if m < 0 || r.Measures[m].Better == "" {
		return false, fmt.Errorf("gate %s: no such measure", measure)
	}
	mean := func(policy string) (float64, bool) {
		for _, s := range r.Summaries {
			if s.Policy == policy {
				q, ok := s.Values[measure]
				return q.Mean, ok
			}
		}
		return 0, false
	}
	today, had := mean(r.Policies[i].Name)
	passed = true
	for _, p := range r.Policies {
		if p.Kind != Candidate {
			continue
		}
		value, has := mean(p.Name)
		if !had || !has {
			return false, fmt.Errorf("gate %s: the measure does not apply to these runs", measure)
		}
		g := Gate{Policy: p.Name, Measure: measure, Allowed: allowed, Today: today, Candidate: value}
		g.Worse = percentMore(value, today)
		if r.Measures[m].Better == "higher" {
			g.Worse = percentMore(today, value)
			if today != 0 {
				g.Worse = (today - value) / today * 100
			}
		}
		g.Worse = round(g.Worse)
		// Of nought there is no per cent: what is worse than nought is worse by more than any.
		g.Passed = g.Worse <= allowed && (today != 0 || g.Worse <= 0)
		passed = passed && g.Passed
		r.Gates = append(r.Gates, g)
	}
	return passed, nil
}

// VerdictOf compares a run with another by cost and by unmet demand in per cent.
func VerdictOf(cost, otherCost, unmet, otherUnmet float64) string {
	return verdict(percentMore(cost, otherCost), unmet-otherUnmet)
}
