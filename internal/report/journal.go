package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"trimtab/internal/scale"
)

// OfJournal is the page of recorded entries: what was seen and decided, pool by pool. Entries may come in any order; explain
// writes one as a person reads it, and may be nil. Costs and demand are not in a journal, so the page does not show any.
func OfJournal(title string, entries []scale.Entry, explain func(*scale.Entry) string) *Page {
	p := &Page{
		Title: title, Kind: "journal: what was seen and decided",
		Measures: []Measure{
			{Key: "entries", Name: "Entries", Meaning: "Evaluations that were written down."},
			{Key: "changes", Name: "Changes", Meaning: "Decisions to change the scale set, carried out or not."},
			{Key: "sent", Name: "Sent", Meaning: "Decisions that were carried out: those of pools that enforce."},
			{Key: "held", Name: "Held by a rail", Meaning: "Evaluations in which a rail changed or stopped what the policy wanted."},
			{Key: "least", Name: "Least", Unit: "instances", Meaning: "The smallest count seen."},
			{Key: "most", Name: "Most", Unit: "instances", Meaning: "The largest count seen."},
		},
	}
	pools := map[string][]*scale.Entry{}
	for i := range entries {
		e := &entries[i]
		pools[e.Pool] = append(pools[e.Pool], e)
	}
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		all := pools[name]
		slices.SortStableFunc(all, func(a, b *scale.Entry) int { return a.At.Compare(b.At) })
		p.Runs = append(p.Runs, journalRun(name, all, explain))
		p.Verdicts = append(p.Verdicts, journalVerdict(name, all))
	}
	if len(entries) > 0 {
		first := slices.MinFunc(entries, func(a, b scale.Entry) int { return a.At.Compare(b.At) })
		last := slices.MaxFunc(entries, func(a, b scale.Entry) int { return a.At.Compare(b.At) })
		p.Summary = []string{fmt.Sprintf("%d entries of %d pools, from %s to %s.", len(entries), len(pools),
			first.At.UTC().Format(time.RFC3339), last.At.UTC().Format(time.RFC3339))}
	}
	return p
}

// journalRun draws one pool. Several evaluations within a second are one point, the last of them.
func journalRun(name string, all []*scale.Entry, explain func(*scale.Entry) string) Run {
	run := Run{Policy: all[0].View.Policy, Trace: name}
	var points []*scale.Entry
	shown := ""
	for _, e := range all {
		if n := len(points); n > 0 && points[n-1].At.Unix() == e.At.Unix() {
			points[n-1] = e
		} else {
			points = append(points, e)
		}
		// A hold is told when its reason is new.
		d := &e.Decision
		if what := string(d.Action) + " " + d.Reason; d.Action == scale.Scale || what != shown {
			told := Decision{
				At: e.At.Unix(), Action: string(d.Action), Direction: string(d.Direction), From: d.From.Instances, To: d.To.Instances,
				Reason: d.Reason, Entry: e.Key, Rails: railsOf(d.Adjustments),
			}
			if explain != nil {
				told.Text = explain(e)
			}
			run.Decisions = append(run.Decisions, told)
			shown = what
		}
	}
	units := map[string]string{}
	for _, e := range points {
		for s, v := range e.View.Signals {
			units[s] = v.Unit
		}
	}
	signals := slices.Sorted(maps.Keys(units))
	for _, s := range signals {
		run.Signals = append(run.Signals, Line{Name: s, Unit: units[s]})
	}
	for _, e := range points {
		run.At = append(run.At, e.At.Unix())
		regular, spot := split(&e.View.Facts)
		run.Regular, run.Spot = append(run.Regular, regular), append(run.Spot, spot)
		wanted := math.NaN()
		if e.Proposal.Known {
			wanted = float64(e.Proposal.Instances)
		}
		run.Wanted = append(run.Wanted, wanted)
		for i, s := range signals {
			value := math.NaN()
			if v := e.View.Signals[s]; v.HasValue && v.State != scale.SignalMissing {
				value = float64(v.Value) / 1000
			}
			run.Signals[i].Values = append(run.Signals[i].Values, value)
		}
	}
	return run
}

// split is the count by priority: as the mix policy says where there is one, else as the profile does.
func split(f *scale.Facts) (regular, spot float64) {
	switch {
	case !f.Known():
		return math.NaN(), math.NaN()
	case f.Mix != nil:
		n := f.Mix.Regular(f.Capacity)
		return float64(n), float64(f.Capacity - n)
	case f.Spot:
		return 0, float64(f.Capacity)
	}
	return float64(f.Capacity), 0
}

func journalVerdict(name string, all []*scale.Entry) Verdict {
	changes, sent, held, least, most := 0, 0, 0, math.MaxInt, 0
	for _, e := range all {
		d := &e.Decision
		if d.Action == scale.Scale {
			changes++
		}
		if d.Act {
			sent++
		}
		if len(d.Adjustments) > 0 {
			held++
		}
		if e.View.Facts.Known() {
			least, most = min(least, e.View.Facts.Capacity), max(most, e.View.Facts.Capacity)
		}
	}
	values := map[string]Value{
		"entries": {Middle: float64(len(all))}, "changes": {Middle: float64(changes)},
		"sent": {Middle: float64(sent)}, "held": {Middle: float64(held)},
	}
	if least <= most {
		values["least"], values["most"] = Value{Middle: float64(least)}, Value{Middle: float64(most)}
	}
	return Verdict{Policy: all[0].View.Policy, Trace: name, Values: values}
}
