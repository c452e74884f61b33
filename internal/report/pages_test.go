package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/replay"
	"trimtab/internal/report"
	"trimtab/internal/scale"
)

var start = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// result has two policies on two traces with two seeds; series are kept for the first seed.
func result(steps int) *replay.Result {
	r := &replay.Result{
		Version: 1, Loop: replay.Closed,
		Policies:    []replay.Subject{{Name: "next", Kind: replay.Candidate}, {Name: "now", Kind: replay.Today}},
		Traces:      []replay.Source{{Name: "a"}, {Name: "b"}},
		Measures:    []replay.Measure{{Name: "unmet_share", Unit: "%", Better: "lower", About: "Demand not served."}},
		Assumptions: []replay.Assumption{{Name: "boot_seconds", Value: 90, Unit: "s", About: "median"}},
		Verdicts: []replay.Verdict{{
			Text: "next is worse than now", Cases: []replay.Case{{Trace: "b", Verdict: replay.Worse, Why: "spends more"}},
		}},
		Gates: []replay.Gate{{Policy: "next", Measure: "unmet_share", Allowed: 1, Worse: 3}},
	}
	for _, policy := range []string{"next", "now"} {
		r.Summaries = append(r.Summaries, replay.Summary{Policy: policy, Runs: 4, Values: map[string]replay.Quantile{"unmet_share": {Mean: 2, P10: 1, P90: 3}}})
		for _, trace := range []string{"a", "b"} {
			for seed := range uint64(2) {
				run := replay.Run{Policy: policy, Trace: trace, Seed: seed, Values: map[string]float64{"unmet_share": float64(seed)}}
				if seed == 0 {
					run.Series = series(steps)
					run.Decisions = []replay.Decision{{
						Key: "k", At: start.Add(time.Minute), Action: scale.Scale, Direction: scale.Grow,
						From: scale.Capacity{Instances: 1}, To: scale.Capacity{Instances: 2}, Reason: "track",
						Reasons:     []scale.Reason{{Code: "track", Name: "cpu", State: scale.ReasonKnown, Instances: 3}},
						Adjustments: []scale.Adjustment{{Rail: "step", Code: "step_grow", Before: 3, After: 2}},
					}}
					run.Events = []replay.Event{{At: start.Add(time.Minute), Kind: "not_had", Zone: "1", Instances: 2}}
				}
				r.Runs = append(r.Runs, run)
			}
		}
	}
	return r
}

func series(steps int) *replay.Series {
	s := &replay.Series{Start: start, StepSeconds: 60, Signals: map[string][]*float64{}}
	for i := range steps {
		v := float64(i)
		s.Demand, s.Unmet, s.Cost = append(s.Demand, v), append(s.Unmet, v/10), append(s.Cost, 1)
		s.Regular, s.Spot, s.Ordered = append(s.Regular, i), append(s.Spot, 1), append(s.Ordered, i+1)
		p := &v
		if i%2 == 1 {
			p = nil
		}
		s.Signals["cpu"] = append(s.Signals["cpu"], p)
	}
	return s
}

func TestAReplayBecomesAPage(t *testing.T) {
	p := report.OfReplay("title", result(3))
	write(t, p)
	if p.Today != "now" {
		t.Errorf("today is %q", p.Today)
	}
	if d := cmp.Diff([]string{"Gate unmet share fails: next is 3.00 % worse than today, whose mean is nought, and may be 1.00 % worse."}, p.Summary); d != "" {
		t.Errorf("the summary:\n%s", d)
	}
	if len(p.Cases) != 1 || !strings.Contains(p.Cases[0], "on b, worse: spends more") {
		t.Errorf("the cases are %q", p.Cases)
	}
	// Two rows for all traces, then one for each policy on each trace.
	if len(p.Verdicts) != 6 || p.Verdicts[0].Trace != "all traces" {
		t.Fatalf("got %d verdicts, the first of %s", len(p.Verdicts), p.Verdicts[0].Trace)
	}
	low, high := 0.0, 1.0
	if diff := cmp.Diff(report.Value{Middle: 0.5, Low: &low, High: &high}, p.Verdicts[2].Values["unmet_share"]); diff != "" {
		t.Error(diff)
	}
	if len(p.Runs) != 4 {
		t.Fatalf("got %d runs, want one for each policy on each trace", len(p.Runs))
	}
	run := p.Runs[0]
	if diff := cmp.Diff(report.Column{1, 2, 3}, run.Cost); diff != "" {
		t.Errorf("cost so far: %s", diff)
	}
	if diff := cmp.Diff([]report.Event{{At: start.Unix() + 60, Kind: "not had", Text: "2 instances, zone 1"}}, run.Events); diff != "" {
		t.Error(diff)
	}
	want := report.Decision{
		At: start.Unix() + 60, Action: "scale", Direction: "grow", From: 1, To: 2, Reason: "track", Entry: "k",
		Rails: []report.Rail{{Rail: "step", Code: "step_grow", Before: 3, After: 2}},
		Text:  "the policy knows no reason\n  track cpu: 3\nrail step, step_grow: 3 → 2\njournal entry k",
	}
	if diff := cmp.Diff(want, run.Decisions[0]); diff != "" {
		t.Error(diff)
	}
}

func TestALongReplayIsThinnedWithoutLosingItsPeaks(t *testing.T) {
	r := result(43_200)
	s := r.Runs[0].Series
	// One minute of the month each: a peak of demand, no machine at all, a signal at its lowest.
	s.Demand[20_001], s.Unmet[20_001] = 1e6, 77
	s.Regular[30_003], s.Spot[30_003] = 0, 0
	low := -5.0
	s.Signals["cpu"][10_002] = &low
	p := report.OfReplay("title", r)
	html := write(t, p)
	run := p.Runs[0]
	if n := len(run.At); n > 4000 || n < 3000 {
		t.Fatalf("got %d points", n)
	}
	if slices.Max(run.Demand) != 1e6 || slices.Max(run.Unmet) != 43_199/10.0 && slices.Max(run.Unmet) < 77 {
		t.Errorf("a peak is lost: %g, %g", slices.Max(run.Demand), slices.Max(run.Unmet))
	}
	at := slices.IndexFunc(run.Regular[100:], func(v float64) bool { return v == 0 })
	if at < 0 || run.Spot[100+at] != 0 {
		t.Error("the minute without a machine is lost")
	}
	if slices.Min(run.Signals[0].Values) != -5 {
		t.Error("the signal's lowest is lost")
	}
	if run.Cost[len(run.Cost)-1] != 43_200 || run.At[len(run.At)-1] >= start.Unix()+43_200*60 {
		t.Errorf("the end is %g at %d", run.Cost[len(run.Cost)-1], run.At[len(run.At)-1])
	}
	// Where a peak is drawn is not far from where it was.
	peak := slices.Index(run.Demand, 1e6)
	if far := run.At[peak] - (start.Unix() + 20_001*60); far > 22*60 || far < -22*60 {
		t.Errorf("the peak is drawn %d s off", far)
	}
	if run.Note == "" || len(html) > 4<<20 {
		t.Errorf("%d bytes, note %q", len(html), run.Note)
	}
}

func TestOfVeryManyDecisionsChangesKeepTheirExplanation(t *testing.T) {
	r := result(100)
	change, hold := r.Runs[0].Decisions[0], r.Runs[0].Decisions[0]
	hold.Action, hold.Direction = scale.Hold, ""
	for range 1500 {
		r.Runs[0].Decisions = append(r.Runs[0].Decisions, hold, change)
	}
	run := report.OfReplay("title", r).Runs[0]
	if len(run.Decisions) != 3001 || run.Decisions[1].Text != "" || run.Decisions[2].Text == "" || !strings.Contains(run.Note, "only changes") {
		t.Errorf("%d decisions, note %q", len(run.Decisions), run.Note)
	}
}

func TestAJournalBecomesAPage(t *testing.T) {
	entry := func(minute, count, to int, wanted *int) scale.Entry {
		e := scale.Entry{Pool: "web", At: start.Add(time.Duration(minute) * time.Minute), Key: "k"}
		e.View.Policy = "web"
		e.View.Facts = scale.Facts{ReadAt: e.At, Capacity: count, Mix: &scale.Mix{Base: 1, RegularPercent: 50}}
		e.View.Signals = map[string]scale.SignalView{"cpu": {State: scale.SignalFresh, Unit: "percent", Value: 42_000, HasValue: true}}
		if wanted != nil {
			e.Proposal.Known, e.Proposal.Instances = true, *wanted
		}
		e.Decision = scale.Decision{Action: scale.Hold, Reason: "track", From: scale.Capacity{Instances: count}, To: scale.Capacity{Instances: to}}
		if to != count {
			e.Decision.Action, e.Decision.Act = scale.Scale, true
		}
		return e
	}
	five := 5
	p := report.OfJournal("title", []scale.Entry{entry(2, 3, 5, &five), entry(0, 3, 3, &five), entry(1, 3, 3, nil)},
		func(e *scale.Entry) string { return "because of " + e.Decision.Reason })
	write(t, p)
	run := p.Runs[0]
	if diff := cmp.Diff([]int64{start.Unix(), start.Unix() + 60, start.Unix() + 120}, run.At); diff != "" {
		t.Fatalf("entries in order of time: %s", diff)
	}
	if run.Regular[0] != 2 || run.Spot[0] != 1 || run.Wanted[0] != 5 || run.Wanted[1] == run.Wanted[1] || run.Signals[0].Values[2] != 42 {
		t.Errorf("got %+v", run)
	}
	// A hold is told once as long as its reason stays; the change is told.
	if len(run.Decisions) != 2 || run.Decisions[1].To != 5 || run.Decisions[1].Text != "because of track" {
		t.Errorf("got decisions %+v", run.Decisions)
	}
	if v := p.Verdicts[0].Values; v["entries"].Middle != 3 || v["changes"].Middle != 1 || v["most"].Middle != 3 {
		t.Errorf("got %+v", v)
	}
}
