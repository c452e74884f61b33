package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"trimtab/internal/replay"
	"trimtab/internal/scale"
)

// pointsMost bounds how many instants of a run are drawn: more than a screen has columns, and few enough that a month of
// several policies stays a file of some megabytes.
const pointsMost = 4000

// everywhere names the rows that sum up all traces.
const everywhere = "all traces"

// OfReplay is the page of a replay's result. Runs without series are in the tables only.
func OfReplay(title string, r *replay.Result) *Page {
	p := &Page{Title: title, Kind: kindOf(r)}
	for _, s := range r.Policies {
		if s.Kind == replay.Today {
			p.Today = s.Name
		}
	}
	for _, v := range r.Verdicts {
		p.Summary = append(p.Summary, v.Policy+": "+v.Text)
	}
	for _, g := range r.Gates {
		p.Summary = append(p.Summary, gateText(g))
	}
	for _, s := range r.Policies {
		if s.About != "" {
			p.Assumptions = append(p.Assumptions, Assumption{Name: s.Kind + " " + s.Name, Value: s.About, Why: strings.Join(s.Notes, "\n")})
		}
	}
	for _, a := range r.Assumptions {
		p.Assumptions = append(p.Assumptions, Assumption{
			Name: words(a.Name), Value: strings.TrimSpace(fmt.Sprintf("%v %s", a.Value, a.Unit)), Why: a.About,
		})
	}
	measures := slices.Clone(r.Measures)
	slices.SortStableFunc(measures, func(a, b replay.Measure) int { return rank(a.Name) - rank(b.Name) })
	for _, m := range measures {
		p.Measures = append(p.Measures, Measure{
			Key: m.Name, Name: words(m.Name), Unit: m.Unit, Better: m.Better, Meaning: m.About, Digits: digits(r, m.Name),
		})
	}
	verdicts(p, r)
	for i := range r.Runs {
		p.draw(&r.Runs[i])
	}
	if r.Redecided != nil {
		redecided(p, r.Redecided)
	}
	return p
}

// first are the measures that are looked at first.
var first = []string{"unmet_demand", "cost"}

// rank puts the measures that are looked at first before the others.
func rank(measure string) int {
	if i := slices.Index(first, measure); i >= 0 {
		return i
	}
	return len(first)
}

func kindOf(r *replay.Result) string {
	if r.Loop == replay.Open {
		return "open loop: recorded views decided again; what a decision would have changed does not come back to it"
	}
	return "closed loop: what a policy does changes the fleet, and with it what its signals say next"
}

func gateText(g replay.Gate) string {
	verb := "holds"
	if !g.Passed {
		verb = "fails"
	}
	return fmt.Sprintf("Gate %s %s: %s is worse than today by %.2f %%, and %.2f %% are allowed.", words(g.Measure), verb, g.Policy, g.Worse, g.Allowed)
}

// words is a key as a person writes it.
func words(key string) string { return strings.ReplaceAll(key, "_", " ") }

// digits is how many decimals tell a measure's values apart.
func digits(r *replay.Result, measure string) int {
	most := 0.0
	for _, run := range r.Runs {
		most = max(most, math.Abs(run.Values[measure]))
	}
	switch {
	case most >= 1000:
		return 0
	case most >= 100:
		return 1
	case most >= 1:
		return 2
	default:
		return 4
	}
}

// verdicts makes a row for each policy on all traces, where there are several runs, and one on each trace.
func verdicts(p *Page, r *replay.Result) {
	if len(r.Traces) > 1 {
		for _, s := range r.Summaries {
			row := Verdict{Policy: s.Policy, Trace: everywhere, Values: map[string]Value{}}
			for k, q := range s.Values {
				row.Values[k] = Value{Middle: q.Mean, Low: &q.P10, High: &q.P90}
			}
			p.Verdicts = append(p.Verdicts, row)
		}
	}
	type key struct{ policy, trace string }
	values := map[key]map[string][]float64{}
	var order []key
	for _, run := range r.Runs {
		k := key{run.Policy, run.Trace}
		if values[k] == nil {
			values[k] = map[string][]float64{}
			order = append(order, k)
		}
		for name, v := range run.Values {
			values[k][name] = append(values[k][name], v)
		}
	}
	for _, k := range order {
		row := Verdict{Policy: k.policy, Trace: k.trace, Values: map[string]Value{}}
		for name, all := range values[k] {
			row.Values[name] = middle(all)
		}
		p.Verdicts = append(p.Verdicts, row)
	}
}

// middle is the mean of the figures and their range.
func middle(all []float64) Value {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	v := Value{Middle: sum / float64(len(all))}
	if len(all) > 1 {
		low, high := slices.Min(all), slices.Max(all)
		v.Low, v.High = &low, &high
	}
	return v
}

// draw adds a run with series to the page.
func (p *Page) draw(run *replay.Run) {
	s := run.Series
	if s == nil || len(s.Demand) == 0 || s.StepSeconds <= 0 {
		return
	}
	name := run.Trace
	if slices.ContainsFunc(p.Runs, func(r Run) bool { return r.Policy == run.Policy && r.Trace == run.Trace }) {
		name = fmt.Sprintf("%s, seed %d", run.Trace, run.Seed)
	}
	n := len(s.Demand)
	block := (n + pointsMost - 1) / pointsMost
	out := Run{Policy: run.Policy, Trace: name}
	for from := 0; from < n; from += block {
		out.At = append(out.At, s.Start.Unix()+int64(from)*int64(s.StepSeconds))
	}
	out.Demand, out.Unmet = thin(s.Demand, block, slices.Max), thin(s.Unmet, block, slices.Max)
	out.Regular, out.Spot, out.Wanted = thin(floats(s.Regular), block, last), thin(floats(s.Spot), block, last), thin(floats(s.Ordered), block, last)
	out.Cost = thin(summed(s.Cost), block, last)
	for _, name := range slices.Sorted(maps.Keys(s.Signals)) {
		out.Signals = append(out.Signals, Line{Name: name, Values: thin(known(s.Signals[name]), block, mean)})
	}
	for i := range run.Decisions {
		out.Decisions = append(out.Decisions, decisionOf(&run.Decisions[i]))
	}
	for _, e := range run.Events {
		out.Events = append(out.Events, Event{At: e.At.Unix(), Kind: words(e.Kind), Text: strings.TrimSpace(fmt.Sprintf("%d instances %s", e.Instances, e.Zone))})
	}
	if block > 1 {
		out.Note = fmt.Sprintf("Each point stands for %v: demand and unmet demand at their highest, counts as they were last, signals on average.",
			time.Duration(block*s.StepSeconds)*time.Second)
	}
	p.Runs = append(p.Runs, out)
}

// thin makes one figure of each block.
func thin(c []float64, block int, of func([]float64) float64) Column {
	if len(c) == 0 {
		return nil
	}
	if block == 1 {
		return c
	}
	out := make(Column, 0, len(c)/block+1)
	for part := range slices.Chunk(c, block) {
		out = append(out, of(part))
	}
	return out
}

func last(c []float64) float64 { return c[len(c)-1] }

// mean is that of the figures that are known.
func mean(c []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range c {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

func floats(c []int) []float64 {
	out := make([]float64, len(c))
	for i, v := range c {
		out[i] = float64(v)
	}
	return out
}

func summed(c []float64) []float64 {
	out, sum := make([]float64, len(c)), 0.0
	for i, v := range c {
		sum += v
		out[i] = sum
	}
	return out
}

func known(c []*float64) []float64 {
	out := make([]float64, len(c))
	for i, v := range c {
		out[i] = math.NaN()
		if v != nil {
			out[i] = *v
		}
	}
	return out
}

// decisionOf is a replayed decision with its explanation in words.
func decisionOf(d *replay.Decision) Decision {
	out := Decision{
		At: d.At.Unix(), Action: string(d.Action), Direction: string(d.Direction), From: d.From.Instances, To: d.To.Instances,
		Reason: d.Reason, Entry: d.Key, Rails: railsOf(d.Adjustments),
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if d.Wanted != nil {
		say("the policy wants %d", *d.Wanted)
	} else {
		say("the policy knows no reason")
	}
	if d.Fault != "" {
		say("the policy is at fault: %s", d.Fault)
	}
	for _, r := range d.Reasons {
		wants := string(r.State)
		if r.State == scale.ReasonKnown {
			wants = fmt.Sprint(r.Instances)
		}
		say("  %s", strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", r.Code, r.Name, wants, r.Detail)))
	}
	for _, a := range d.Adjustments {
		say("rail %s", strings.TrimSpace(fmt.Sprintf("%s, %s: %d → %d %s", a.Rail, a.Code, a.Before, a.After, a.Detail)))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Signals)) {
		s := d.Signals[name]
		say("signal %s: %s, %g %s, %d s old", name, s.State, float64(s.Value)/1000, s.Unit, s.AgeSeconds)
	}
	if d.To.Mix != nil {
		say("mix: %d regular and %d %% of what is above", d.To.Mix.Base, d.To.Mix.RegularPercent)
	}
	if d.Outcome != nil {
		say("outcome: %s %s", d.Outcome.Result, d.Outcome.Code)
	}
	if d.Note != "" {
		say("note: %s", d.Note)
	}
	out.Text = strings.TrimSpace(b.String())
	return out
}

func railsOf(all []scale.Adjustment) (rails []Rail) {
	for _, a := range all {
		rails = append(rails, Rail{Rail: a.Rail, Code: a.Code, Before: a.Before, After: a.After})
	}
	return rails
}

// redecided puts what an open loop found into the page: the recorded decisions and the ones now, a run each.
func redecided(p *Page, r *replay.Redecided) {
	p.Summary = append(p.Summary, fmt.Sprintf("Of %d recorded entries %d are decided the same bit for bit, and %d to the same decision.",
		r.Entries, r.Same, r.SameDecision))
	for _, change := range slices.Sorted(maps.Keys(r.Changed)) {
		p.Summary = append(p.Summary, fmt.Sprintf("%s: %d times.", change, r.Changed[change]))
	}
	runs := map[string]*Run{}
	var order []string
	add := func(policy, pool string, d *replay.Decision, why string) {
		key := policy + "\x00" + pool
		run := runs[key]
		if run == nil {
			run = &Run{Policy: policy, Trace: pool}
			runs[key], order = run, append(order, key)
		}
		at := d.At.Unix()
		if n := len(run.At); n > 0 && run.At[n-1] >= at {
			at = run.At[n-1] + 1
		}
		run.At = append(run.At, at)
		run.Regular = append(run.Regular, float64(d.From.Instances))
		run.Wanted = append(run.Wanted, float64(d.To.Instances))
		shown := decisionOf(d)
		shown.Text = why + "\n" + shown.Text
		run.Decisions = append(run.Decisions, shown)
	}
	for i := range r.Differences {
		d := &r.Differences[i]
		add("as recorded", d.Pool, &d.Recorded, d.Why)
		add(d.Policy, d.Pool, &d.Now, d.Why)
	}
	for _, key := range order {
		p.Runs = append(p.Runs, *runs[key])
	}
}
