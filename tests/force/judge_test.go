package force_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
	"trimtab/tests/fakehost"
	"trimtab/tests/force"
)

const set = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// constant is a policy that wants the same number whatever it sees.
type constant int

func (c constant) Revision() string { return "constant" }

func (c constant) Propose(context.Context, *scale.View) scale.Proposal {
	return scale.Proposal{Revision: "constant", Known: true, Instances: int(c), Reasons: []scale.Reason{}}
}

// sound is the evidence of a run in which all went well: eight events in two batches, a dead letter, two growths.
func sound(t *testing.T) *force.Evidence {
	t.Helper()
	p := scale.Pool{
		Name: "web", ScaleSet: set, Policy: "web", Mode: scale.Enforce, Orchestration: scale.Uniform,
		Rails: scale.Rails{Limits: scale.Limits{Min: 1, Max: 20}, Cooldown: scale.Cooldown{GrowSeconds: 60, ShrinkSeconds: 60}},
		Signals: []scale.Signal{{
			Name: "cpu", Resource: strings.ToLower(set), Metric: "cpu", Aggregation: scale.Average, Window: 10 * time.Minute, Bucket: time.Minute, StaleAfter: time.Hour,
		}},
	}
	e := &force.Evidence{
		Pools: []scale.Pool{p}, Policy: constant(9), Entries: map[string][]scale.Entry{}, Stored: map[string]scale.Stored{}, End: noon.Add(time.Hour),
	}
	e.Sent = []force.Sent{{Exhausted: map[int64]bool{}}}
	for i := range int64(8) {
		at := noon.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		e.Sent[0].Events = append(e.Sent[0].Events, fakehost.Event{
			Sequence: i + 1, EnqueuedAt: noon.Add(9 * time.Minute),
			Body: fmt.Appendf(nil, `{"records":[{"count":1,"total":%d,"minimum":1,"maximum":1,"average":1,"resourceId":%q,"time":%q,"metricName":"cpu","timeGrain":"PT1M"}]}`, i, set, at),
		})
	}
	e.Sent[0].Events = append(e.Sent[0].Events, fakehost.Event{Sequence: 9, Body: []byte("junk"), EnqueuedAt: noon.Add(9 * time.Minute)})
	e.Letters = []scale.DeadLetter{{Source: scale.Source{Partition: "0", Sequence: 9, Known: true}}}
	const source = "test.servicebus.windows.net/metrics/0"
	var w metric.Window
	decoder := metric.NewDecoder()
	for _, ev := range e.Sent[0].Events[:8] {
		samples, _ := decoder.Decode(ev.Body, scale.Source{Hub: "test.servicebus.windows.net/metrics", Partition: "0", Sequence: ev.Sequence, Known: true, EnqueuedAt: ev.EnqueuedAt})
		w.Fold(p.Signals, []metric.Routed{{Sample: &samples[0]}}, noon.Add(10*time.Minute))
	}
	e.Stored["web"] = scale.Stored{Windows: []scale.StoredWindow{{Source: source, Data: w.AppendTo(nil)}}}
	for i, batch := range [][2]int64{{1, 5}, {3, 9}} {
		at := noon.Add(time.Duration(10+2*i) * time.Minute)
		entry := scale.Entry{
			Key: strconv.Itoa(i), Pool: "web", At: at,
			Trigger: scale.Trigger{Kind: "events", Source: source, FirstSequence: batch[0], LastSequence: batch[1], Folded: 5 - 2*i},
			View: scale.View{
				Now: at, Pool: "web", Policy: "web", Mode: scale.Enforce, Orchestration: scale.Uniform, Rails: p.Rails, FactsMaxAgeSeconds: 300,
				Facts: scale.Facts{ReadAt: at, Capacity: 4 + i, ETag: strconv.Quote(strconv.Itoa(i + 1)), Orchestration: scale.Uniform, ProvisioningState: "Succeeded"},
			},
			Outcome: &scale.Outcome{Entry: strconv.Itoa(i), At: at.Add(time.Minute), Result: scale.Applied},
		}
		entry.Proposal = constant(9).Propose(t.Context(), &entry.View)
		entry.Decision = guard.Decide(&entry.View, &entry.Proposal)
		n := entry.Decision.To.Instances
		e.Entries["web"] = append(e.Entries["web"], entry)
		e.Requests = append(e.Requests, arm.Request{
			At: at.Add(time.Second), Method: "PATCH", Path: strings.ToUpper(set), IfMatch: entry.View.Facts.ETag, Capacity: &n, Makes: &n, Applied: true, Status: 200,
		})
	}
	return e
}

// TestTheJudgeObjects shows the judge good evidence, and then evidence with one thing wrong.
func TestTheJudgeObjects(t *testing.T) {
	type counts struct{ lost, doubled, breaches int }
	for name, c := range map[string]struct {
		spoil func(*force.Evidence)
		want  counts
	}{
		"nothing is wrong":                {func(*force.Evidence) {}, counts{}},
		"a batch was never folded":        {func(e *force.Evidence) { e.Entries["web"] = e.Entries["web"][1:] }, counts{5, 2, 0}},
		"a sample was left out":           {func(e *force.Evidence) { e.Entries["web"][1].Trigger.Folded = 2 }, counts{1, 0, 0}},
		"a redelivery was folded again":   {func(e *force.Evidence) { e.Entries["web"][1].Trigger.Folded = 6 }, counts{0, 3, 0}},
		"the last events are missing":     {func(e *force.Evidence) { e.Sent[0].Events = append(e.Sent[0].Events, later(e, 10)) }, counts{1, 0, 1}},
		"the window holds something else": {func(e *force.Evidence) { e.Stored["web"].Windows[0].Data[3]++ }, counts{0, 0, 1}},
		"a dead letter is missing":        {func(e *force.Evidence) { e.Letters = nil }, counts{1, 0, 0}},
		"a dead letter is there twice":    {func(e *force.Evidence) { e.Letters = append(e.Letters, e.Letters[0]) }, counts{0, 1, 0}},
		"a dead letter of a good event": {func(e *force.Evidence) {
			e.Letters = append(e.Letters, scale.DeadLetter{Source: scale.Source{Partition: "0", Sequence: 2}})
		}, counts{0, 0, 1}},
		"a PATCH was repeated":                 {func(e *force.Evidence) { r := e.Requests[0]; r.Applied = false; e.Requests = append(e.Requests, r) }, counts{0, 1, 0}},
		"a PATCH had its effect twice":         {func(e *force.Evidence) { e.Requests = append(e.Requests, e.Requests[0]) }, counts{0, 2, 0}},
		"a change that nobody intended":        {func(e *force.Evidence) { e.Requests[0].IfMatch = `"7"` }, counts{0, 2, 1}},
		"a PATCH without a condition":          {func(e *force.Evidence) { e.Requests[0].IfMatch = "" }, counts{0, 2, 2}},
		"a PATCH beyond the limits":            {func(e *force.Evidence) { n := 21; e.Requests[0].Capacity, e.Requests[0].Makes = &n, &n }, counts{0, 1, 2}},
		"a PATCH that makes too many machines": {func(e *force.Evidence) { n := 21; e.Requests[0].Makes = &n }, counts{0, 0, 1}},
		"a PATCH below the limits":             {func(e *force.Evidence) { n := 0; e.Requests[0].Capacity = &n }, counts{0, 1, 2}},
		"a nominal count that stands in for machines that are missing": {func(e *force.Evidence) {
			n, d := 25, &e.Entries["web"][0].Decision
			e.Requests[0].Capacity, d.Nominal = &n, &n
		}, counts{0, 0, 1}},
		"a PATCH after the intent had ended":       {func(e *force.Evidence) { e.Requests[0].At = noon.Add(time.Hour) }, counts{0, 1, 1}},
		"two changes under way at once":            {func(e *force.Evidence) { e.Requests[1].Overtook = true }, counts{0, 0, 1}},
		"an intent before the last one's end":      {func(e *force.Evidence) { e.Entries["web"][0].Outcome.At = noon.Add(20 * time.Minute) }, counts{0, 0, 1}},
		"an outcome is missing":                    {func(e *force.Evidence) { e.Entries["web"][1].Outcome = nil }, counts{0, 0, 1}},
		"an intent is still open":                  {func(e *force.Evidence) { s := e.Stored["web"]; s.Control.Intent = &scale.Intent{}; e.Stored["web"] = s }, counts{0, 0, 1}},
		"a cooldown was cut short":                 {func(e *force.Evidence) { e.Pools[0].Rails.Cooldown.GrowSeconds = 121 }, counts{0, 0, 1}},
		"a change that was made, it says, was not": {func(e *force.Evidence) { e.Entries["web"][0].Outcome.Result = scale.Abandoned }, counts{0, 0, 1}},
		"a change that was not made, it says, was": {func(e *force.Evidence) { e.Requests[1].Applied = false }, counts{0, 0, 1}},
		"an entry decides otherwise now":           {func(e *force.Evidence) { e.Entries["web"][0].View.Facts.Capacity = 5 }, counts{0, 0, 1}},
		"another policy":                           {func(e *force.Evidence) { e.Policy = constant(8) }, counts{0, 0, 2}},
		"the host complained":                      {func(e *force.Evidence) { e.Complaints = []string{"an empty body"} }, counts{0, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			e := sound(t)
			c.spoil(e)
			v := force.Judge(t.Context(), e)
			if got := (counts{v.Lost, v.Doubled, v.Breaches}); got != c.want {
				t.Errorf("lost, doubled, breaches: got %v, want %v:\n%s", got, c.want, strings.Join(v.Problems, "\n"))
			}
			if v.Sound() != (c.want == counts{}) {
				t.Errorf("sound: %t", v.Sound())
			}
		})
	}
}

func later(e *force.Evidence, sequence int64) fakehost.Event {
	ev := e.Sent[0].Events[0]
	ev.Sequence = sequence
	return ev
}

func TestWhatTheHostGaveUpIsNoLossOfOurs(t *testing.T) {
	e := sound(t)
	e.Sent[0].Events = append(e.Sent[0].Events, later(e, 10))
	e.Sent[0].Exhausted[10] = true
	if v := force.Judge(t.Context(), e); v.Lost != 0 || v.Exhausted != 1 {
		t.Errorf("lost %d, exhausted %d, want 0 and 1:\n%s", v.Lost, v.Exhausted, strings.Join(v.Problems, "\n"))
	}
}

func TestAStrangersWriteExplainsAnOutcome(t *testing.T) {
	e := sound(t)
	e.Entries["web"][0].Outcome.Result = scale.Superseded
	e.Foreign = []force.Foreign{{Set: set, At: e.Requests[0].At.Add(time.Second), Capacity: 2}}
	if v := force.Judge(t.Context(), e); !v.Sound() || v.Unsure != 1 {
		t.Errorf("unsure %d:\n%s", v.Unsure, strings.Join(v.Problems, "\n"))
	}
}
