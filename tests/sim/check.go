package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/guard"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// checkCommit looks at a commit at the instant at which it is stored; the pool's rows are still as they were.
func (w *world) checkCommit(t *task, p *pool, c *scale.Commit, reads map[string]int) {
	before := scale.Control{}
	if p.control != nil {
		before = *p.control
	}
	if e := c.Entry; e != nil {
		w.checkEntry(t, p, c)
	}
	if c.Control == nil {
		return
	}
	after := c.Control
	w.checkEvictions(t, p, after)
	if !after.EvaluatedAt.Equal(before.EvaluatedAt) && (c.Entry == nil || c.Entry.Key != after.LastEntry) {
		w.broken(9, "%s evaluated %s at %v and left no entry", t.name, p.Name, after.EvaluatedAt)
	}
	if t.p != w.desk && p.whole == nil && after.Orders != before.Orders && w.o.Seed%4 != 0 {
		w.broken(12, "%s took an operator's order away", t.name)
	}
	in, was := after.Intent, before.Intent
	if was != nil && (in == nil || in.Owner != was.Owner) {
		if c.Outcome == nil || c.Outcome.Entry != was.Entry {
			w.broken(4, "%s dropped the intent of %s without an outcome", t.name, p.Name)
		}
		// An owner whose answer was lost has let go: others may end the intent early, but give it up only after the lease.
		given := c.Outcome != nil && c.Outcome.Result == scale.Abandoned
		if was.Stage == scale.StagePrepared && (!was.Unsure || given) && t.begun.Before(was.LeaseUntil) && w.now.Before(was.LeaseUntil) && !t.attempt[was.Owner] {
			w.broken(4, "%s ended the intent of %s within the lease of another", t.name, p.Name)
		}
	}
	if in != nil && was != nil && in.Owner == was.Owner && in.Stage == scale.StageAccepted && was.Stage == scale.StagePrepared {
		w.checkAccepted(t, p, in, reads)
	}
	if in != nil && (was == nil || was.Owner != in.Owner) {
		w.checkIntent(t, p, c, &before, reads)
	}
}

// checkEvictions looks at what a pool remembers of evictions: each that was told, once, and no other (invariants 6, 7).
func (w *world) checkEvictions(t *task, p *pool, c *scale.Control) {
	seen, instances := make(map[string]bool), 0
	for _, e := range c.Memory.Evictions {
		instances += e.Instances
		for _, name := range e.Machines {
			if seen[name] || !p.told[name] {
				w.broken(6, "%s remembers the eviction of %s of %s, which was told: %t, and is there twice: %t", t.name, name, p.Name, p.told[name], seen[name])
			}
			seen[name], p.known[name] = true, true
		}
	}
	if instances > len(p.told) {
		w.broken(6, "%s remembers %d evictions of %s, %d were told", t.name, instances, p.Name, len(p.told))
	}
}

// checkIntent looks at a change that is about to be made.
func (w *world) checkIntent(t *task, p *pool, c *scale.Commit, before *scale.Control, reads map[string]int) {
	in, e := c.Control.Intent, c.Entry
	if e == nil || e.Key != in.Entry || !e.Decision.Act {
		w.broken(9, "an intent of %s has no entry that acts", p.Name)
		return
	}
	if p.Mode != scale.Enforce {
		w.broken(11, "an intent although %s observes", p.Name)
	}
	read, ok := reads[p.ScaleSet+in.BaselineETag]
	moves := in.To.Instances - in.From.Instances
	switch {
	case in.Verb != "":
		moves = 0
	case in.Direction == scale.Clean:
		moves = -len(in.Victims)
	}
	if !ok || in.Capacity()-read != moves {
		w.broken(1, "%s bases a change of %s on %d %s, which it did not read in this turn", t.name, p.Name, in.From.Instances, in.BaselineETag)
	}
	if in.Direction == scale.Shrink && len(p.Rails.Shrink.Order) > 0 && len(in.Victims) == 0 {
		w.broken(10, "%s shrinks %s by the count, and not by the machines that it chose", t.name, p.Name)
	}
	at, orders := in.StartedAt, before.Orders
	if p.whole != nil {
		// Operators order the pool: its half goes by what the pool's row said when the turn began.
		orders = c.Control.Orders
	}
	pinned := orders.Pin.Holds(at)
	w.checkPair(t, p, in, e)
	switch {
	case orders.Freeze.Holds(at):
		w.broken(12, "%s changes %s although it is frozen", t.name, p.Name)
	case orders.PauseGrow.Holds(at) && in.Direction == scale.Grow, orders.PauseShrink.Holds(at) && in.Direction == scale.Shrink:
		w.broken(12, "%s changes %s although %s is paused", t.name, p.Name, in.Direction)
	}
	if at.Before(p.fence) {
		w.broken(2, "%s changes %s although Azure asked to be left alone until %v", t.name, p.Name, p.fence)
	}
	if !pinned && e.Proposal.Fault != "" {
		w.broken(8, "%s changes %s on a policy at fault", t.name, p.Name)
	}
	if !pinned && in.Direction == scale.Shrink {
		w.checkShrink(t, p, e, at)
	}
	// The cooldown must be stored with the intent.
	m := &c.Control.Memory
	if in.Direction == scale.Grow && !m.GrownAt.Equal(at) || in.Direction == scale.Shrink && !m.ShrunkAt.Equal(at) {
		w.broken(5, "the intent of %s is stored without its cooldown", p.Name)
	}
}

// checkAccepted looks at an intent that is written down as accepted: the token must be with it, and it must be true.
func (w *world) checkAccepted(t *task, p *pool, in *scale.Intent, reads map[string]int) {
	ours := p.changes[in.Owner]
	if token, ok := t.accepted[in.Owner]; ok {
		if in.Token != token {
			w.broken(10, "the operation of %s is written down without its token", p.Name)
		}
		return
	}
	for _, n := range reads {
		if n == in.Capacity() {
			return
		}
	}
	if ours == nil || ours.applied == 0 && w.sets[p.ScaleSet].capacity != in.Capacity() {
		w.broken(10, "a change of %s is written down as accepted that never was", p.Name)
	}
}

// checkShrink looks at a shrink with the eyes of the reference windows: missing, stale and faulty things agree to
// nothing (invariant 8).
func (w *world) checkShrink(t *task, p *pool, e *scale.Entry, at time.Time) {
	if e.Proposal.Fault != "" || e.Proposal.Doubt || !e.Proposal.Known {
		w.broken(8, "%s shrinks %s in doubt", t.name, p.Name)
	}
	for i := range p.Signals {
		var newest time.Time
		look := func(r *reference) {
			if l := r.lanes[i]; l != nil && l.end.After(newest) {
				newest = l.end
			}
		}
		for source, row := range p.windows {
			if source != t.source && source != scale.HistorySource {
				look(row.truth)
			}
		}
		row := p.windows[t.source]
		switch {
		case len(t.batch) > 0 && row != nil:
			look(row.truth.fold(p, t.batch, at))
		case len(t.batch) > 0:
			look((&reference{}).fold(p, t.batch, at))
		case row != nil:
			look(row.truth)
		}
		if newest.IsZero() || at.Sub(newest) >= p.Signals[i].StaleAfter {
			w.broken(8, "%s shrinks %s at %v although %s ends at %v", t.name, p.Name, at, p.Signals[i].Name, newest)
		}
	}
}

// checkEntry looks at an entry: it must decide again to the same end from its text alone, hold no secret, and rest on
// the windows that the events make.
func (w *world) checkEntry(t *task, p *pool, c *scale.Commit) {
	e := c.Entry
	for _, a := range e.Decision.Adjustments {
		if a.Code != "cooldown_grow" {
			continue
		}
		rest := time.Duration(p.Rails.Cooldown.GrowSeconds) * time.Second
		known := e.At.Sub(e.View.Memory.GrownAt) < rest
		if !known {
			w.broken(5, "growth of %s waits %v after %v", p.Name, rest, e.View.Memory.GrownAt)
		}
		known = false
		for _, ch := range p.changes {
			known = known || ch.Direction == scale.Grow && ch.StartedAt.Equal(e.View.Memory.GrownAt)
		}
		if !known {
			w.broken(5, "growth of %s waits for %v, when nothing grew", p.Name, e.View.Memory.GrownAt)
		}
	}
	if e.View.Memory.InFlight == nil && p.control != nil && p.control.Intent != nil && c.Outcome == nil && !e.View.Contended {
		w.broken(4, "the entry of %s does not know what is in flight", p.Name)
	}
	if w.o.Redecide == 0 || (w.result.Counts.Entries%w.o.Redecide != 0 && !e.Decision.Act) {
		return
	}
	w.result.Counts.Redecided++
	text, err := json.Marshal(e)
	if err != nil {
		w.broken(9, "the entry has no text: %v", err)
		return
	}
	if bytes.Contains(text, []byte(canary)) {
		w.broken(13, "a secret is in the entry %s", text)
	}
	var read scale.Entry
	if err := json.Unmarshal(text, &read); err != nil {
		w.broken(9, "the entry cannot be read: %v", err)
		return
	}
	proposal, decision := w.again(&read)
	want, _ := json.Marshal([]any{e.Proposal, e.Decision})
	got, _ := json.Marshal([]any{proposal, decision})
	if !bytes.Equal(want, got) {
		w.broken(9, "the entry decides again to another end:\nit says %s\nagain  %s\nview %s", want, got, text)
	}
}

// cutOff begins the fault of an evaluation that took too long by the wall's clock, the one thing in a history that depends
// on the machine: docs/reliability.md says so. A recorded one stands, and its decision must follow from it; one of ours is
// asked for again.
const cutOff = "the policy was cut off after"

// again decides an entry again.
func (w *world) again(e *scale.Entry) (scale.Proposal, scale.Decision) {
	if strings.HasPrefix(e.Proposal.Fault, cutOff) {
		return e.Proposal, guard.Decide(&e.View, &e.Proposal)
	}
	proposal, decision := engine.Redecide(context.Background(), w.policy, &e.View)
	for range 20 {
		if !strings.HasPrefix(proposal.Fault, cutOff) {
			break
		}
		proposal, decision = engine.Redecide(context.Background(), w.policy, &e.View)
	}
	return proposal, decision
}

// checkChange looks at a PATCH before it goes out, and gives the intent that it carries out.
func (w *world) checkChange(t *task, s *set, c *scale.Change) *change {
	var p *pool
	for _, candidate := range w.rows {
		if candidate.ScaleSet == s.id {
			p = candidate
		}
	}
	if p.Mode != scale.Enforce {
		w.broken(11, "a change although %s observes", p.Name)
	}
	byName := byName(c)
	if c.ETag == "" && !byName {
		w.broken(2, "%s sends a change without an ETag", t.name)
	}
	if _, ok := t.turn.reads[s.id+c.ETag]; !ok && !byName {
		w.broken(1, "%s sends a change on %s, which it did not read in this turn", t.name, c.ETag)
	}
	if p.control == nil || p.control.Intent == nil || !t.attempt[p.control.Intent.Owner] {
		w.broken(10, "%s sends a change that is no stored intent of its own", t.name)
		return nil
	}
	in := p.control.Intent
	ours := p.changes[in.Owner]
	if ours.sent++; ours.sent > 1 {
		w.broken(2, "%s repeats a change", t.name)
	}
	if !w.now.Before(in.LeaseUntil) {
		w.broken(4, "%s sends a change after its lease", t.name)
	}
	if byName {
		w.checkDeletion(t, p, in, c)
	} else if c.Capacity != nil && *c.Capacity != in.Capacity() || c.Capacity == nil && in.To.Instances != in.From.Instances || len(in.Victims) > 0 {
		w.broken(10, "%s sends another count than it intends", t.name)
	}
	return ours
}

// checkApplied looks at a PATCH of ours as it takes effect.
func (w *world) checkApplied(s *set, c *scale.Change, ours *change) {
	w.result.Counts.Applied++
	if ours == nil {
		return
	}
	var p *pool
	for _, candidate := range w.rows {
		if candidate.ScaleSet == s.id {
			p = candidate
		}
	}
	if s.current != nil && !s.current.done && s.current.ours != nil {
		w.broken(4, "a second change of %s while the first is under way", p.Name)
	}
	if ours.applied++; ours.applied > 1 {
		w.broken(10, "the change of %s is applied twice", p.Name)
	}
	if ours.result == scale.Abandoned || ours.result == scale.Refused {
		w.broken(10, "the change of %s is applied after it was written down as %s", p.Name, ours.result)
	}
	switch {
	case ours.Verb != "" || ours.Direction == scale.Clean:
		w.checkPowered(s, p, ours)
	case len(c.Delete) > 0:
		w.checkDeleted(s, p, ours, c)
	}
	if c.Capacity != nil && (*c.Capacity < s.capacity && ours.Direction == scale.Grow || *c.Capacity > s.capacity && ours.Direction == scale.Shrink) {
		w.broken(1, "%s means to %s and sets %s from %d to %d", p.Name, ours.Direction, s.id, s.capacity, *c.Capacity)
	}
	if c.Capacity != nil {
		l, n := p.Rails.Limits, *c.Capacity
		if p.other() != nil {
			w.checkSum(p, s, ours, n)
		} else if to := ours.To.Instances; to < l.Min && to <= ours.From.Instances || to > l.Max || n > s.platformMax {
			// A growth that a quota cuts short of the minimum, after others shrank the set, leaves nothing: it comes nearer.
			w.broken(3, "%s is set to %d for %d machines, outside [%d, %d] or above %d", p.Name, n, to, l.Min, l.Max, s.platformMax)
		}
		w.checkCrowd(s, p, ours, n)
		if made := s.live + n - s.capacity; p.other() == nil && w.chaos && n > s.capacity && s.live <= s.capacity && made > l.Max && !s.meddled.After(ours.StartedAt) {
			w.broken(3, "%s is set to %d, which makes %d machines of %d: more than %d", p.Name, n, made, s.live, l.Max)
		}
	}
	cool := p.Rails.Cooldown
	began := ours.StartedAt
	switch ours.Direction {
	case scale.Grow:
		aim := p.aim
		if p.aim = 0; ours.aim > 0 {
			p.aim = ours.aim
		}
		if ours.To.Instances <= aim {
			// What is left of a growth that started parked machines first.
			p.grown = began
			return
		}
		if d := began.Sub(p.grown); !ours.pinned && !ours.shifts && !p.grown.IsZero() && d < time.Duration(cool.GrowSeconds)*time.Second {
			w.broken(5, "%s grows %v after its last growth, its cooldown is %d s", p.Name, d, cool.GrowSeconds)
		}
		p.grown = began
	case scale.Shrink:
		last := p.grown
		if p.shrunk.After(last) {
			last = p.shrunk
		}
		if d := began.Sub(last); !ours.pinned && !ours.shifts && !last.IsZero() && d < time.Duration(cool.ShrinkSeconds)*time.Second {
			w.broken(5, "%s shrinks %v after its last change, its cooldown is %d s", p.Name, d, cool.ShrinkSeconds)
		}
		p.shrunk = began
	}
}

// checkOutcome compares what is written down about the end of a change with the truth.
func (w *world) checkOutcome(p *pool, o *scale.Outcome) {
	var ours *change
	for _, ch := range p.changes {
		if ch.Entry == o.Entry {
			ours = ch
		}
	}
	if ours == nil {
		w.broken(10, "an outcome of %s belongs to no change", p.Name)
		return
	}
	if ours.result != "" {
		w.broken(10, "the change of %s ends twice: %s, then %s", p.Name, ours.result, o.Result)
	}
	ours.result = o.Result
	switch o.Result {
	case scale.Abandoned, scale.Refused:
		if ours.applied > 0 {
			w.broken(10, "the change of %s was applied and is written down as %s", p.Name, o.Result)
		}
	case scale.Failed:
		// People may have done part of it, and before it too: the end of an operation goes before what lists say.
		theirs := o.Code == "PartlyApplied" && ours.set.stands(&ours.Intent)
		if ours.applied == 0 && o.Code != "ProvisioningStateFailed" && !theirs {
			w.broken(10, "the change of %s was never applied and is written down as failed", p.Name)
		}
	case scale.Superseded:
		if s := ours.set; ours.applied > 0 && !(ours.Verb != "" && s.meddled.After(ours.StartedAt)) && s.current == ours.operation && s.capacity == ours.Capacity() {
			w.broken(10, "the change of %s stands and is written down as superseded", p.Name)
		}
	case scale.Preempted:
		if op := ours.operation; op == nil || op.failure == nil || op.failure.Class != scale.ClassPreempted {
			w.broken(10, "the change of %s was not preempted", p.Name)
		}
	case scale.Applied:
		// Where the token is stored, the operation itself says how it ended.
		if op := ours.operation; op != nil && op.expires > 0 && p.control.Intent != nil && p.control.Intent.Token != "" &&
			o.At.Sub(ours.StartedAt) < 45*time.Minute && (!op.done || op.failure != nil) {
			w.broken(10, "the operation of %s is written down as applied: done %t, %v", p.Name, op.done, op.failure)
		}
	}
	if strings.Contains(o.Message+o.Code, canary) {
		w.broken(13, "a secret is in an outcome")
	}
	if o.Class == scale.ClassThrottled && o.Result == scale.Refused {
		p.fence = ours.throttled
	}
}

// checkReport looks at the end of an invocation: what it says must be what is stored (invariant 7).
func (w *world) checkReport(t *task) {
	if t.batch == nil || t.err != nil {
		return
	}
	for i, p := range w.pools {
		samples := 0
		for _, e := range t.batch {
			mine := e.concerns(i)
			for _, m := range e.points {
				if m.pool == i {
					samples++
				}
			}
			row := p.windows[t.source]
			if mine && (row == nil || row.truth.mark < e.sequence) {
				w.broken(7, "%s was answered well, and event %d is not in the window of %s", t.name, e.sequence, p.Name)
			}
		}
		counted := 0
		for _, r := range t.report.Pools {
			if r.Pool == p.Name {
				if p.half != nil && (r.Spot == nil || counts(r.Spot) != samples) {
					w.broken(7, "%s does not count the %d samples for the Spot set of %s: %+v", t.name, samples, p.Name, r.Spot)
				}
				counted += counts(&r)
			}
		}
		if counted != samples {
			w.broken(7, "%s counts %d of the %d samples for %s", t.name, counted, samples, p.Name)
		}
	}
	letters := 0
	for _, e := range t.batch {
		if e.broken {
			letters++
			if !e.kept {
				w.broken(7, "%s was answered well, and the malformed event %d is not kept", t.name, e.sequence)
			}
		}
	}
	if t.report.DeadLetters != letters || t.report.Events != len(t.batch) {
		w.broken(7, "%s reports %d events and %d dead letters, there were %d and %d", t.name, t.report.Events, t.report.DeadLetters, len(t.batch), letters)
	}
}

// counts is how many samples a report has counted.
func counts(r *engine.PoolReport) int {
	c := r.Counts
	return c.Folded + c.Repeated + c.Late + c.Future + c.Absent
}

// checkAll compares everything at the end (invariants 6, 7, 9, 10).
func (w *world) checkAll() {
	for _, part := range w.parts {
		for _, e := range part.events[:part.checkpoint] {
			for _, p := range w.rows {
				row := p.windows[part.source()]
				if e.concerns(p.number) && (row == nil || !row.truth.accepted[e.sequence]) && !e.lost {
					w.broken(7, "event %d of %s is lost to %s", e.sequence, part.source(), p.Name)
				}
			}
			for _, t := range e.told {
				if !e.lost && !w.pools[t.pool].known[t.machine] {
					w.broken(7, "the eviction of %s, told by event %d of %s, is lost to %s", t.machine, e.sequence, part.source(), w.pools[t.pool].Name)
				}
			}
			if e.broken && !e.kept && !e.lost {
				w.broken(7, "the malformed event %d of %s is lost", e.sequence, part.source())
			}
		}
	}
	for _, p := range w.rows {
		for key, e := range p.entries {
			if e.act && e.outcome == nil {
				w.broken(10, "the entry %s of %s acts and has no outcome", key, p.Name)
			}
		}
		for source, row := range p.windows {
			if source == scale.HistorySource {
				continue
			}
			if _, err := metric.ParseWindow(row.data); err != nil {
				w.broken(6, "the window of %s %s cannot be read: %v", p.Name, source, err)
			}
		}
	}
}
