package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"trimtab/internal/replay"
)

// columns are the measures of the summary's table.
var columns = []struct{ title, measure, form string }{
	{"unmet %", "unmet_demand", "%.2f"},
	{"worst %", "unmet_demand/max", "%.2f"},
	{"short %", "unmet_time", "%.2f"},
	{"longest s", "unmet_longest", "%.0f"},
	{"over %", "over_provision", "%.1f"},
	{"cost", "cost", "%.1f"},
	{"of foresight %", "cost_vs_foresight", "%.0f"},
	{"of regular %", "cost_vs_regular", "%.0f"},
	{"changes/day", "changes_per_day", "%.1f"},
	{"flaps/day", "flaps_per_day", "%.1f"},
	{"Spot %", "spot_share", "%.0f"},
	{"interrupted/day", "interruptions_per_day", "%.1f"},
}

// tell prints a result for a person.
func tell(w io.Writer, r *replay.Result) error {
	if r.Loop == replay.Open {
		return tellOpen(w, r)
	}
	fmt.Fprintf(w, "closed loop: decisions change the fleet, and the fleet what is measured\n\n")
	for _, t := range r.Traces {
		fmt.Fprintf(w, "on %s (%s), %d steps of %d s from %s, %d of them missing; at its peak it needs %d instances\n",
			t.Name, t.Origin, t.Steps, t.StepSeconds, t.Start.Format("2006-01-02 15:04"), t.Missing, t.PeakInstances)
		for _, n := range t.Notes {
			fmt.Fprintf(w, "  %s\n", n)
		}
	}
	fmt.Fprintf(w, "\nmeans over %d runs of each:\n\n", runsOf(r))
	if err := tellTable(w, r); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nverdicts (better: no more cost at no more unmet demand, and less of one):")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range r.Verdicts {
		speed := "-"
		if v.SpeedUp != nil {
			speed = fmt.Sprintf("%.2f", *v.SpeedUp)
		}
		fmt.Fprintf(table, "  %s\t%s\tagainst %s\tcost %+.1f %%\tunmet %+.2f points\tspeed-up %s\truns: %d better, %d same, %d trade, %d worse\n",
			v.Policy, v.Verdict, v.Against, unsigned(v.CostPercent, 0.05), unsigned(v.UnmetPoints, 0.005), speed, v.Better, v.Same, v.Trade, v.Worse)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	tellCases(w, r)
	tellRails(w, r)
	tellGates(w, r)
	fmt.Fprintln(w, "\nassumptions:")
	for _, a := range r.Assumptions {
		fmt.Fprintf(w, "  %s: %v %s\n", a.Name, a.Value, a.Unit)
	}
	return nil
}

// tellCases says on which traces a candidate is not on the better side, and why.
func tellCases(w io.Writer, r *replay.Result) {
	told := false
	for _, v := range r.Verdicts {
		for _, c := range v.Cases {
			if !told {
				fmt.Fprintln(w, "\nnot on the better side:")
				told = true
			}
			fmt.Fprintf(w, "  %s on %s, %s: %s\n", v.Policy, c.Trace, c.Verdict, c.Why)
		}
	}
}

func runsOf(r *replay.Result) int {
	if len(r.Summaries) == 0 {
		return 0
	}
	return r.Summaries[0].Runs
}

func tellTable(w io.Writer, r *replay.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	titles := []string{"policy"}
	for _, c := range columns {
		titles = append(titles, c.title)
	}
	fmt.Fprintln(table, strings.Join(titles, "\t")+"\t")
	for i, s := range r.Summaries {
		row := []string{s.Policy}
		if kind := r.Policies[i].Kind; kind != replay.Baseline {
			row[0] += " (" + kind + ")"
		}
		for _, c := range columns {
			measure, part, _ := strings.Cut(c.measure, "/")
			q, ok := s.Values[measure]
			value := q.Mean
			if part == "max" {
				value = q.Max
			}
			if !ok {
				row = append(row, "-")
				continue
			}
			row = append(row, fmt.Sprintf(c.form, value))
		}
		fmt.Fprintln(table, strings.Join(row, "\t")+"\t")
	}
	return table.Flush()
}

// tellRails says what held policies back, and what went wrong in them.
func tellRails(w io.Writer, r *replay.Result) {
	for _, p := range r.Policies {
		if p.Revision == "" {
			continue
		}
		rails, faults := map[string]int{}, map[string]bool{}
		evaluations := 0
		for _, run := range r.Runs {
			if run.Policy != p.Name {
				continue
			}
			evaluations += run.Evaluations
			for code, n := range run.Rails {
				rails[code] += n
			}
			for _, f := range run.Faults {
				faults[f] = true
			}
		}
		fmt.Fprintf(w, "\n%s: %d evaluations; rails that fired:", p.Name, evaluations)
		for _, code := range slices.Sorted(maps.Keys(rails)) {
			fmt.Fprintf(w, " %s %d", code, rails[code])
		}
		fmt.Fprintln(w)
		for _, f := range slices.Sorted(maps.Keys(faults)) {
			fmt.Fprintf(w, "  fault: %s\n", f)
		}
		for _, n := range p.Notes {
			fmt.Fprintf(w, "  %s\n", n)
		}
	}
}

func tellGates(w io.Writer, r *replay.Result) {
	for _, g := range r.Gates {
		state := "kept"
		if !g.Passed {
			state = "NOT KEPT"
		}
		fmt.Fprintf(w, "\ngate %s: %s by %s: %g against today's %g, %.1f %% %s, %g %% worse allowed\n",
			g.Measure, state, g.Policy, g.Candidate, g.Today, math.Abs(g.Worse), degree(g.Worse), g.Allowed)
	}
}

func degree(worse float64) string {
	if worse < 0 {
		return "better"
	}
	return "worse"
}

// unsigned is a difference without the sign of what is written as nought.
func unsigned(x, least float64) float64 {
	if math.Abs(x) < least {
		return 0
	}
	return x
}

// tellOpen prints what an open loop found.
func tellOpen(w io.Writer, r *replay.Result) error {
	d := r.Redecided
	fmt.Fprintf(w, "open loop: recorded views decided again; nothing that a decision would have changed comes back to it\n\n")
	fmt.Fprintf(w, "%d entries: %d decided the same bit for bit, %d with the same decision, %d with another\n",
		d.Entries, d.Same, d.SameDecision, d.Entries-d.SameDecision)
	for _, change := range slices.Sorted(maps.Keys(d.Changed)) {
		fmt.Fprintf(w, "  %d  %s\n", d.Changed[change], change)
	}
	for i, x := range d.Differences {
		if i == 20 {
			fmt.Fprintf(w, "\nand %d more; --json shows them\n", d.Entries-d.SameDecision-i)
			break
		}
		fmt.Fprintf(w, "\n%s  %s  %s\n  %s\n", x.At.Format("2006-01-02 15:04:05"), x.Pool, x.Policy, x.Why)
	}
	return nil
}

// progress draws a bar where a person watches: on a terminal, and nowhere else.
func progress(w io.Writer) func(done, of int64) {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	var mu sync.Mutex
	most := int64(-1)
	return func(done, of int64) {
		mu.Lock()
		defer mu.Unlock()
		percent := 100 * done / max(of, 1)
		if percent <= most {
			return
		}
		most = percent
		const width = 40
		full := int(percent) * width / 100
		fmt.Fprintf(file, "\rreplay [%s%s] %d %%", strings.Repeat("#", full), strings.Repeat(".", width-full), percent)
		if percent == 100 {
			fmt.Fprintln(file)
		}
	}
}
