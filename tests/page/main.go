// Package main writes the report that the browser test looks at: a week of two policies on two traces, with every kind
// of chart, mark and text that a report can hold. Figures come from formulas, so the page is the same each time.
package main

import (
	"fmt"
	"math"
	"os"

	"trimtab/internal/report"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "page: want one argument, the file to write")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "page: %v\n", err)
		os.Exit(1)
	}
}

func write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := report.Write(f, page()); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func page() *report.Page {
	p := &report.Page{
		Title: "A week of web under two policies", Kind: "closed loop · what the policy does changes what its signals say",
		Summary: []string{"next spends less than now at the same unmet demand."},
		Cases:   []string{"next on flash crowd, trade: spends less and leaves more of the load unmet than static_peak."},
		Today:   "now",
		Comparisons: []report.Comparison{
			{Policy: "next", Against: "now", Verdict: "better", Cost: -18.2, Unmet: 0, SpeedUp: new(float64), Runs: "2 better"},
			{Policy: "next", Against: "static_peak", Verdict: "trade", Cost: -61.5, Unmet: 0.41, Runs: "1 better, 1 trade"},
		},
		Policies: []report.Policy{
			{Name: "next", Kind: "candidate", About: "Pool web of policies 1a2b3c."},
			{Name: "now", Kind: "today", About: "Pool web of policies 4d5e6f."},
			{Name: "static_peak", Kind: "baseline", About: "As many as the peak needs, always.", Notes: []string{"told: a note of two", "lost: words"}},
		},
		Measures: []report.Measure{
			{Key: "unmet", Name: "Unmet demand", Unit: "%", Meaning: "Share of demand that found no instance in service.", Better: "lower", Digits: 2, Main: true},
			{Key: "cost", Name: "Cost", Unit: "$", Meaning: "Price of every machine from its creation to its end.", Better: "lower", Digits: 1, Main: true},
			{Key: "spot", Name: "Spot share", Unit: "%", Meaning: "Share of machine hours that were Spot.", Digits: 0},
		},
		Assumptions: []report.Assumption{{Name: "boot time", Value: "log-normal, median 90 s", Why: "from the pool's warm-up"}},
	}
	low, high := 0.2, 0.6
	for t, trace := range []string{"office hours", "flash crowd"} {
		for i, policy := range []string{"now", "next"} {
			p.Verdicts = append(p.Verdicts, report.Verdict{Policy: policy, Trace: trace, Values: map[string]report.Value{
				"unmet": {Middle: 0.4, Low: &low, High: &high}, "cost": {Middle: 120 - 25*float64(i) + float64(t)}, "spot": {Middle: 60},
			}})
			p.Runs = append(p.Runs, run(policy, trace, float64(i), float64(t)))
		}
	}
	return p
}

// run is a week by the minute.
func run(policy, trace string, tight, crowd float64) report.Run {
	const minutes = 7 * 24 * 60
	r := report.Run{Policy: policy, Trace: trace, Currency: "USD"}
	cpu := report.Line{Name: "cpu", Unit: "percent"}
	queue := report.Line{Name: "queue", Unit: "messages"}
	have, cost := 4, 0.0
	for m := range minutes {
		at := int64(1780272000 + 60*m)
		demand := 8 - 6*math.Cos(2*math.Pi*float64(m)/1440) + crowd*12*math.Exp(-math.Pow(float64(m-5000)/90, 2))
		want := int(math.Ceil(demand * (1.3 - 0.15*tight)))
		if want != have && m%5 == 0 {
			d := report.Decision{
				At: at, Action: "scale", Direction: "grow", From: have, To: want, Reason: "track",
				Entry: fmt.Sprintf("%019d", math.MaxInt64-at), Text: fmt.Sprintf("cpu asks for %d\nlimits let it pass", want),
			}
			if want < have {
				d.Direction = "shrink"
				d.To = have - 1
				d.Rails = []report.Rail{{Rail: "step", Code: "step_shrink", Before: want, After: have - 1}}
			}
			have = d.To
			r.Decisions = append(r.Decisions, d)
		}
		cost += float64(have) * 0.2 / 60
		r.At = append(r.At, at)
		r.Demand = append(r.Demand, demand)
		r.Regular = append(r.Regular, math.Ceil(float64(have)*0.4))
		r.Spot = append(r.Spot, float64(have)-math.Ceil(float64(have)*0.4))
		r.Wanted = append(r.Wanted, float64(want))
		r.Unmet = append(r.Unmet, max(0, demand-float64(have)))
		r.Cost = append(r.Cost, cost)
		cpu.Values = append(cpu.Values, min(100, 100*demand/float64(have)))
		queue.Values = append(queue.Values, 40*max(0, demand-float64(have)))
	}
	r.Signals = []report.Line{cpu, queue}
	price := report.Line{Name: "Spot"}
	for m := range minutes {
		price.Values = append(price.Values, 0.05+0.02*math.Floor(float64(m)/2000))
	}
	r.Prices = []report.Line{price}
	r.Events = []report.Event{{At: r.At[3000], Kind: "evicted", Text: "4 instances, zone 2"}, {At: r.At[7000], Kind: "quota", Text: "2 instances"}}
	return r
}
