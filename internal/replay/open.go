package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// maxDifferences bounds the differences that a result spells out; all are counted.
const maxDifferences = 500

// OpenLoop decides recorded entries again under each policy: which decisions differ, and why. Nothing that a decision
// would have changed comes back to it; the result says so. With the policies of an entry's own revision every decision
// is the recorded one, bit for bit. The pool's own numbers (rails, settings, policy) are those of the policy given, and
// the recorded ones where asRecorded is set. So many workers decide at once; the result does not depend on them.
func OpenLoop(ctx context.Context, policies []Policy, entries []scale.Entry, asRecorded bool, workers int) (*Result, error) {
	r := &Result{Version: ResultVersion, Loop: Open, Redecided: &Redecided{Changed: map[string]int{}}}
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b scale.Entry) int { return a.At.Compare(b.At) })
	var asked []question
	for i := range policies {
		p := &policies[i]
		r.Policies = append(r.Policies, Subject{Name: p.Name, Kind: p.Kind, Pool: p.Pool.Name, Revision: p.Policy.Revision()})
		for k := range entries {
			// The Spot set of a pair is asked under the pool's own name.
			if strings.TrimSuffix(entries[k].Pool, scale.SpotSuffix) == p.Pool.Name {
				asked = append(asked, question{policy: p, entry: &entries[k]})
			}
		}
	}
	if len(asked) == 0 {
		return nil, fmt.Errorf("none of the %d entries is of a pool of the policies given", len(entries))
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(max(1, workers), len(asked)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(asked) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				asked[i].answer(ctx, asRecorded)
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range asked {
		if err := asked[i].err; err != nil {
			return nil, fmt.Errorf("decide entry %s of pool %s again: %w", asked[i].entry.Key, asked[i].entry.Pool, err)
		}
		r.Redecided.count(&asked[i])
	}
	return r, nil
}

// question is one entry that a policy decides again, and its answer.
type question struct {
	policy             *Policy
	entry              *scale.Entry
	same, sameDecision bool
	was, is            Decision
	err                error
}

// answer decides the entry.
func (q *question) answer(ctx context.Context, asRecorded bool) {
	e, p := q.entry, q.policy
	view := e.View
	if !asRecorded {
		view.Rails, view.Settings, view.Policy = p.Pool.Rails, p.Pool.Settings, p.Pool.Policy
		view.Labels = p.Pool.Labels
	}
	now := *e
	now.View = view
	now.Proposal, now.Decision = engine.Redecide(ctx, p.Policy, &view)
	sameProposal, err := same(e.Proposal, now.Proposal)
	if err != nil {
		q.err = err
		return
	}
	sameWhole, err := same(e.Decision, now.Decision)
	if err != nil {
		q.err = err
		return
	}
	q.same = sameProposal && sameWhole
	q.was, q.is = decisionOf(e), decisionOf(&now)
	q.is.Outcome = nil
	q.sameDecision = q.was.Action == q.is.Action && q.was.Direction == q.is.Direction && equalCapacity(q.was.To, q.is.To)
}

// count adds an answer to the findings.
func (r *Redecided) count(q *question) {
	r.Entries++
	if q.same {
		r.Same++
	}
	if q.sameDecision {
		r.SameDecision++
		return
	}
	r.Changed[fmt.Sprintf("%s %s → %s %s", q.was.Action, q.was.Direction, q.is.Action, q.is.Direction)]++
	if len(r.Differences) < maxDifferences {
		r.Differences = append(r.Differences, Difference{
			Policy: q.policy.Name, Pool: q.entry.Pool, Key: q.entry.Key, At: q.entry.At, Why: why(&q.was, &q.is), Recorded: q.was, Now: q.is,
		})
	}
}

// same compares two documents as they are stored.
func same(a, b any) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return bytes.Equal(x, y), err
}

func equalCapacity(a, b scale.Capacity) bool {
	return a.Instances == b.Instances && (a.Mix == nil) == (b.Mix == nil) && (a.Mix == nil || *a.Mix == *b.Mix)
}

// why names what decided on either side.
func why(was, is *Decision) string {
	return fmt.Sprintf("recorded %s; now %s", cause(was), cause(is))
}

// cause is a decision in a few words: what was wanted and by which reason, and the rail that had the last word.
func cause(d *Decision) string {
	text := "no reason is known"
	if d.Wanted != nil {
		text = fmt.Sprintf("%d wanted", *d.Wanted)
		for _, r := range d.Reasons {
			if r.State == scale.ReasonKnown && r.Instances == *d.Wanted {
				text += " by " + strings.TrimSuffix(r.Code+" "+r.Name, " ")
				break
			}
		}
	}
	if d.Fault != "" {
		text = "fault: " + d.Fault
	}
	text += fmt.Sprintf(", %s from %d to %d", d.Action, d.From.Instances, d.To.Instances)
	if n := len(d.Adjustments); n > 0 {
		text += " because of " + d.Adjustments[n-1].Code
	}
	return text
}

// saturatedFrom is the part of an instance's capacity from which on a signal may hide demand.
const saturatedFrom = 0.95

// LoadOf makes the load of a pool from its recorded entries: what a signal said of the demand, in instances at their
// capacity, which full is the signal's value of. It is what a closed loop over a journal runs on. Where the pool was saturated the
// signal hides demand; the series' note says how often.
func LoadOf(name string, entries []scale.Entry, signal string, full float64) (*trace.Series, error) {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b scale.Entry) int { return a.At.Compare(b.At) })
	if len(entries) == 0 {
		return nil, fmt.Errorf("journal of %s: it holds no entry", name)
	}
	values, saturated := map[int64]float64{}, map[int64]bool{}
	for i := range entries {
		v, ok := entries[i].View.Signals[signal]
		if !ok || !v.HasDemand || v.State == scale.SignalMissing || v.State == scale.SignalStale {
			continue
		}
		// The demand is a mean over the window: it is put where the newest sample ends.
		minute := v.NewestAt.Unix() / 60
		values[minute] = max(0, float64(v.Demand)/1000/full)
		saturated[minute] = float64(v.Average)/1000 >= saturatedFrom*full
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("journal of %s: no entry knows the demand by signal %q", name, signal)
	}
	first, last := int64(0), int64(0)
	for m := range values {
		if first == 0 || m < first {
			first = m
		}
		last = max(last, m)
	}
	if last-first > 5*366*24*60 {
		return nil, fmt.Errorf("journal of %s: it spans more than five years", name)
	}
	s := &trace.Series{
		Name: name, Origin: "journal, demand by signal " + signal, Start: time.Unix(first*60, 0).UTC(), Step: time.Minute, Capacity: 1,
	}
	at := 0
	for _, is := range saturated {
		if is {
			at++
		}
	}
	s.Notes = []string{fmt.Sprintf("The load is what signal %s said of the demand: what instances at their capacity could not carry is not in it. "+
		"In %d of %d minutes they stood at %g %% of it or more, and the demand may have been larger.", signal, at, len(values), saturatedFrom*100)}
	before := values[first]
	for m := first; m <= last; m++ {
		v, ok := values[m]
		if !ok {
			v = before
			s.Missing++
		}
		before = v
		s.Values = append(s.Values, v)
	}
	return s, nil
}

// ReadEntries reads journal entries, one JSON object a line or all in one array. Among the lines there may be outcomes of
// earlier entries, as the ledger in a folder writes them.
func ReadEntries(data []byte) ([]scale.Entry, error) {
	data = bytes.TrimSpace(data)
	if bytes.HasPrefix(data, []byte("[")) {
		var all []scale.Entry
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, fmt.Errorf("read entries: %w", err)
		}
		for i := range all {
			if all[i].Version != scale.EntryVersion || all[i].Pool == "" {
				return nil, fmt.Errorf("read entry %d: it is no journal entry of version %d", i+1, scale.EntryVersion)
			}
		}
		return all, nil
	}
	var all []scale.Entry
	places := map[string]int{}
	d := json.NewDecoder(bytes.NewReader(data))
	for d.More() {
		var e scale.Entry
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("read entry %d: %w", len(all)+1, err)
		}
		if e.Key == "" && e.Pool != "" && e.Outcome != nil {
			if i, ok := places[e.Pool+" "+e.Outcome.Entry]; ok {
				all[i].Outcome = e.Outcome
			}
			continue
		}
		if e.Version != scale.EntryVersion || e.Pool == "" {
			return nil, fmt.Errorf("read entry %d: it is no journal entry of version %d", len(all)+1, scale.EntryVersion)
		}
		places[e.Pool+" "+e.Key] = len(all)
		all = append(all, e)
	}
	return all, nil
}
