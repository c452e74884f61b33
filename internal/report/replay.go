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

// textsMost bounds how many decisions of a run are explained one by one: a month of them is some megabytes of text.
const textsMost = 2000

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
		p.Comparisons = append(p.Comparisons, Comparison{
			Policy: v.Policy, Against: v.Against, Verdict: v.Verdict, Cost: v.CostPercent, Unmet: v.UnmetPoints, SpeedUp: v.SpeedUp, Runs: runsText(&v),
		})
		for _, c := range v.Cases {
			p.Cases = append(p.Cases, fmt.Sprintf("%s on %s, %s: %s.", v.Policy, c.Trace, c.Verdict, c.Why))
		}
	}
	for _, g := range r.Gates {
		p.Summary = append(p.Summary, gateText(g))
	}
	for _, s := range r.Policies {
		about := s.About
		if about == "" && s.Pool != "" {
			about = fmt.Sprintf("Pool %s of policies %.12s.", s.Pool, s.Revision)
		}
		p.Policies = append(p.Policies, Policy{Name: s.Name, Kind: s.Kind, About: about, Notes: s.Notes})
	}
	for _, t := range r.Traces {
		p.Assumptions = append(p.Assumptions, Assumption{
			Name: "trace " + t.Name, Value: fmt.Sprintf("%s, from %s, %d steps of %d s", t.Origin, t.Start.UTC().Format("2006-01-02 15:04"), t.Steps, t.StepSeconds),
			Why: strings.TrimSpace(fmt.Sprintf("%d steps are missing and have the value before. At its peak it needs %d instances. %s",
				t.Missing, t.PeakInstances, strings.Join(t.Notes, " "))),
		})
	}
	for _, a := range r.Assumptions {
		p.Assumptions = append(p.Assumptions, Assumption{
			Name: words(a.Name), Value: strings.TrimSpace(fmt.Sprintf("%v %s", a.Value, a.Unit)), Why: a.About,
		})
	}
	measures := slices.Clone(r.Measures)
	slices.SortStableFunc(measures, func(a, b replay.Measure) int { return rank(a.Name) - rank(b.Name) })
	for _, m := range measures {
		unit := m.Unit
		if unit == "currency" {
			unit = currencyOf(r)
		}
		p.Measures = append(p.Measures, Measure{
			Key: m.Name, Name: words(m.Name), Unit: unit, Better: m.Better, Meaning: m.About, Digits: digits(r, m.Name),
			Main: rank(m.Name) < len(first),
		})
	}
	verdicts(p, r)
	for i := range r.Runs {
		p.draw(&r.Runs[i], currencyOf(r))
	}
	if r.Redecided != nil {
		redecided(p, r.Redecided)
	}
	return p
}

// currencyOf is what costs are counted in.
func currencyOf(r *replay.Result) string {
	for _, a := range r.Assumptions {
		if a.Name == "price_regular" {
			unit := strings.TrimSuffix(a.Unit, "/h")
			if of, ok := strings.CutPrefix(unit, "of one "); ok {
				// A price that is a share of another machine's makes costs that are hours of that machine.
				return of + " hours"
			}
			return unit
		}
	}
	return ""
}

// first are the measures that are looked at first, and in which order.
var first = []string{
	"unmet_demand", "unmet_time", "unmet_longest", "over_provision", "cost", "cost_vs_foresight", "changes_per_day", "flaps_per_day", "spot_share",
	"interruptions_per_day",
}

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
	which := "worse"
	if g.Worse < 0 {
		which = "better"
	}
	today := "today"
	if g.Today == 0 {
		today = "today, whose mean is nought"
	}
	return fmt.Sprintf("Gate %s %s: %s is %.2f %% %s than %s, and may be %.2f %% worse.", words(g.Measure), verb, g.Policy,
		math.Abs(g.Worse), which, today, g.Allowed)
}

// runsText says how single runs compare.
func runsText(v *replay.Verdict) string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{{v.Better, replay.Better}, {v.Same, replay.Same}, {v.Trade, replay.Trade}, {v.Worse, replay.Worse}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
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
func (p *Page) draw(run *replay.Run, currency string) {
	s := run.Series
	if s == nil || len(s.Demand) == 0 || s.StepSeconds <= 0 {
		return
	}
	name := run.Trace
	if slices.ContainsFunc(p.Runs, func(r Run) bool { return r.Policy == run.Policy && r.Trace == run.Trace }) {
		name = fmt.Sprintf("%s, seed %d", run.Trace, run.Seed)
	}
	block := (len(s.Demand) + pointsMost - 1) / pointsMost
	out := Run{Policy: run.Policy, Trace: name, Currency: currency}
	for _, i := range places(len(s.Demand), block) {
		out.At = append(out.At, s.Start.Unix()+int64(i)*int64(s.StepSeconds))
	}
	out.Demand, out.Unmet = thin(s.Demand, block), thin(s.Unmet, block)
	whole, regular := floats(s.Regular), floats(s.Regular)
	for i, n := range s.Spot {
		whole[i] += float64(n)
	}
	// What is in service altogether keeps its extremes, and so does the regular part of it; Spot is what lies between.
	out.Spot, out.Regular, out.Wanted = thin(whole, block), thin(regular, block), thin(floats(s.Ordered), block)
	spot := make(Column, len(out.Spot))
	for i := range spot {
		spot[i] = max(0, out.Spot[i]-out.Regular[i])
	}
	out.Spot, out.Cost = spot, thin(summed(s.Cost), block)
	units := unitsOf(run.Decisions)
	for _, name := range slices.Sorted(maps.Keys(s.Signals)) {
		out.Signals = append(out.Signals, Line{Name: name, Unit: units[name], Values: thin(known(s.Signals[name]), block)})
	}
	if len(s.PriceRegular) > 0 {
		out.Prices = []Line{{Name: "regular", Values: thin(s.PriceRegular, block)}, {Name: "Spot", Values: thin(s.PriceSpot, block)}}
	}
	short := len(run.Decisions) > textsMost
	for i := range run.Decisions {
		d := decisionOf(&run.Decisions[i])
		if short && d.Action != string(scale.Scale) {
			d.Text = ""
		}
		out.Decisions = append(out.Decisions, d)
	}
	for _, e := range run.Events {
		out.Events = append(out.Events, Event{At: e.At.Unix(), Kind: words(e.Kind), Text: eventText(&e)})
	}
	if block > 1 {
		out.Note = fmt.Sprintf("Two points stand for %v: the lowest and the highest figure of that time, in the order in which they came.",
			2*time.Duration(block*s.StepSeconds)*time.Second)
	}
	if short {
		out.Note = strings.TrimSpace(out.Note + fmt.Sprintf(" Of more than %d decisions only changes have their explanation here; trimtab replay --json has all.", textsMost))
	}
	p.Runs = append(p.Runs, out)
}

func eventText(e *replay.Event) string {
	text := fmt.Sprintf("%d instances", e.Instances)
	if e.Zone != "" {
		text += ", zone " + e.Zone
	}
	return text
}

// unitsOf are the units of signals, which decisions know.
func unitsOf(decisions []replay.Decision) map[string]string {
	units := map[string]string{}
	for i := range decisions {
		for name, s := range decisions[i].Signals {
			units[name] = s.Unit
		}
	}
	return units
}

// places are the steps at which points are drawn: the beginning of each pair of blocks, and its middle.
func places(n, block int) (all []int) {
	for from := 0; from < n; from += 2 * block {
		all = append(all, from)
		if rest := min(2*block, n-from); rest > 1 {
			all = append(all, from+(rest+1)/2)
		}
	}
	return all
}

// thin makes two figures of each pair of blocks: its lowest and its highest, in the order in which they came. A figure that
// is not known does not count where another is.
func thin(c []float64, block int) Column {
	if block <= 1 {
		return c
	}
	out := make(Column, 0, len(c)/block+2)
	for part := range slices.Chunk(c, 2*block) {
		low, high := -1, -1
		for i, v := range part {
			if math.IsNaN(v) {
				continue
			}
			if low < 0 || v < part[low] {
				low = i
			}
			if high < 0 || v > part[high] {
				high = i
			}
		}
		switch {
		case low < 0:
			out = append(out, math.NaN(), math.NaN())
		case low <= high:
			out = append(out, part[low], part[high])
		default:
			out = append(out, part[high], part[low])
		}
		if len(part) == 1 {
			out = out[:len(out)-1]
		}
	}
	return out
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
	if d.Set != "" {
		out.Reason = d.Set + " set: " + d.Reason
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
		say("  %s", strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", r.Code, r.Name, wants, r.Detail))+numbers(r.Numbers))
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
	if d.Key != "" {
		say("journal entry %s", d.Key)
	}
	out.Text = strings.TrimSpace(b.String())
	return out
}

// numbers are what a reason reckoned with; thousandths are written as what they are thousandths of.
func numbers(all map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if short, ok := strings.CutSuffix(name, "_milli"); ok {
			parts = append(parts, fmt.Sprintf("%s %g", words(short), float64(all[name])/1000))
		} else {
			parts = append(parts, fmt.Sprintf("%s %d", words(name), all[name]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
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
