package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"trimtab/internal/account"
	"trimtab/internal/guard"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

const (
	// tries bounds how often one visit reads again after a conflict; after them it leaves the decision to the others.
	tries = 5
	// sweepAfter is how long after an evaluation a sweep leaves a pool alone that asks for nothing.
	sweepAfter = 45 * time.Second
	// factsPause is how long a failed read of facts is not repeated, unless the service asks for more.
	factsPause = 15 * time.Second
)

// visit is one pool's turn: its share of a batch, or a sweep.
type visit struct {
	pool    *pool
	routed  []metric.Routed
	notices []scale.Notice
	source  string
	trigger scale.Trigger

	// pairOf is the other set of a pair, nil for a pool of one; role is which of the two this one is.
	pairOf *pool
	role   scale.Role

	// arm is shared by all visits of one batch or sweep.
	arm *breaker

	// What follows is made anew at each try.
	now     time.Time
	stored  scale.Stored
	control scale.Control
	// must is true when the other set of a pair has just come to an end of a change.
	must bool
	// other is the row of the other set of a pair.
	other   scale.Control
	windows []*metric.Window
	loads   loads
	groups  map[string]said
	// machines are the names of the set's machines, if they were listed within this try.
	machines []string
	// each are the machines themselves, if they were counted within this try.
	each []scale.Machine
	// mine is the stored window of the batch's own partition, nil when there is nothing to store.
	mine    *scale.StoredWindow
	counts  Counts
	noticed NoticeCounts
	outcome *scale.Outcome
	// fresh is true when the facts were read within this try; moved when the control row must be stored whatever the
	// decision.
	fresh, moved bool
	// unread is true when a change was wanted and its fresh read failed; contended when the control row was lost to
	// other processes too often.
	unread, contended bool
	// again is true when what ARM answered to the change asks for another decision at once.
	again bool
	// failed is true when an operation's failure was learnt within this try.
	failed bool
	// cause is the kind of the notice for which the pool is evaluated, empty if there is none.
	cause string
	// note is what else the entry is to say.
	note string
	// trial is what is to be remembered of the pool's candidate, nil without one; sentBack says why it was sent back now.
	trial    *scale.Trial
	sentBack string
}

// visit takes a pool's turn. Within this process one visit at a time works on a pool; other processes are told apart by
// compare-and-set, in one bounded loop.
func (e *Engine) visit(ctx context.Context, v *visit) (PoolReport, error) {
	if v.pool.spot != nil {
		return e.visitPair(ctx, v)
	}
	return e.visitOne(ctx, v)
}

// visitOne takes the turn of one set.
func (e *Engine) visitOne(ctx context.Context, v *visit) (PoolReport, error) {
	select {
	case v.pool.turn <- struct{}{}:
		defer func() { <-v.pool.turn }()
	case <-ctx.Done():
		return PoolReport{}, ctx.Err()
	}
	for try := 1; ; try++ {
		// Notices live in the control row: a turn that brings some does not leave it to others.
		v.contended = try > tries && len(v.notices) == 0
		report, err := e.try(ctx, v)
		if err == nil && v.again {
			return e.anew(ctx, v, report), nil
		}
		if !errors.Is(err, scale.ErrConflict) || try >= 2*tries {
			return report, err
		}
	}
}

// try walks the corridor once for one pool: load, fold, follow, decide, store, act.
func (e *Engine) try(ctx context.Context, v *visit) (PoolReport, error) {
	if err := e.load(ctx, v); err != nil {
		return PoolReport{}, err
	}
	if err := e.meet(ctx, v); err != nil {
		return PoolReport{}, fmt.Errorf("load %s: %w", v.pairOf.Name, err)
	}
	if !v.contended {
		if err := e.follow(ctx, v); err != nil {
			return PoolReport{}, err
		}
	}
	if !e.due(ctx, v) {
		return PoolReport{Pool: v.pool.Name, Counts: v.counts, NoticeCounts: v.noticed}, nil
	}
	old := v.control.FactsOutdated || v.now.Sub(v.control.Facts.ReadAt) >= e.FactsMaxAge
	if old && !v.fresh && !v.contended {
		e.readFacts(ctx, v)
	}
	if !v.known(e.FactsMaxAge) && !v.contended {
		e.readOther(ctx, v)
	}
	e.readGroups(ctx, v)
	entry := e.evaluate(ctx, v)
	if entry.Decision.Act && !v.fresh {
		// A change needs facts read in the same turn (invariant 1): read and decide again on them.
		e.readFacts(ctx, v)
		v.unread = !v.fresh || !e.readOther(ctx, v)
		entry = e.evaluate(ctx, v)
	} else if entry.Decision.Act && v.pairOf != nil {
		v.unread = !e.readOther(ctx, v)
		entry = e.evaluate(ctx, v)
	}
	if d := &entry.Decision; d.Act && (d.Direction == scale.Grow && e.readQuota(ctx, v) || d.Direction == scale.Shrink && e.choose(ctx, v, d)) {
		entry = e.evaluate(ctx, v)
	}
	commit := e.commit(ctx, v, entry)
	if err := e.Ledger.Commit(ctx, v.pool.Name, commit); err != nil {
		return PoolReport{}, fmt.Errorf("store: %w", err)
	}
	e.tellGroups(ctx, v, entry)
	e.tellTraps(v, commit.Control, entry)
	report := reportOf(v, entry)
	if entry.Decision.Act {
		e.act(ctx, v, commit.Attempt, &report)
		blend := entry.Proposal.Blend
		v.again = !v.again && blend != nil && blend.StandIn && v.control.Facts.Spot && report.Outcome != nil &&
			report.Outcome.Result == scale.Refused && scale.SpotShort(report.Outcome.Class)
	}
	return report, nil
}

// load reads what is stored and folds the batch's share into its partition's window.
func (e *Engine) load(ctx context.Context, v *visit) error {
	stored, err := e.Ledger.Load(ctx, v.pool.Name)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	v.now, v.stored, v.control = e.now(), stored, stored.Control
	v.control.Version = scale.ControlVersion
	// Machines are chosen anew for each change.
	v.control.Facts.Victims = nil
	v.windows, v.mine, v.counts = make([]*metric.Window, 0, len(stored.Windows)+1), nil, Counts{}
	v.loads, v.groups, v.machines, v.each = loads{}, nil, nil, nil
	e.remember(v.pool, &stored, v.now)
	v.outcome, v.fresh, v.moved, v.unread, v.failed, v.note = nil, false, false, false, false, ""
	v.noticed, v.cause = NoticeCounts{}, ""
	rewind(&v.control, v.now, e.Lease)
	v.control.Memory.Notes.Trim(v.now)
	var own *metric.Window
	version := ""
	for _, s := range stored.Windows {
		if s.Source == scale.HistorySource {
			v.loads = readLoads(&s)
			continue
		}
		if s.Source == scale.RosterSource {
			continue
		}
		w, err := metric.ParseWindow(s.Data)
		if err != nil {
			return fmt.Errorf("window of %s: %w", s.Source, err)
		}
		v.windows = append(v.windows, w)
		if s.Source == v.source {
			own, version = w, s.Version
		}
	}
	if len(v.routed)+len(v.notices) == 0 {
		return nil
	}
	if own == nil {
		if own, err = metric.ParseWindow(nil); err != nil {
			return err
		}
		v.windows = append(v.windows, own)
	}
	counts, fresh, dirty := own.FoldAll(v.pool.Signals, v.routed, sourcesOf(v.notices), v.now)
	v.counts = Counts(counts)
	e.heed(v, fresh)
	if dirty {
		v.mine = &scale.StoredWindow{Source: v.source, Data: own.AppendTo(nil), Version: version}
	}
	return nil
}

// due reports whether the pool is to be evaluated. A batch that brought nothing new, and a sweep over a pool that was
// evaluated a moment ago or is at rest, leave it alone.
func (e *Engine) due(ctx context.Context, v *visit) bool {
	c := &v.control
	switch {
	case v.again, v.must, v.mine != nil, v.moved, v.outcome != nil, c.EvaluatedAt.IsZero():
		return true
	case v.trigger.Kind != "sweep":
		return false
	default:
		edge := !c.NextEdgeAt.IsZero() && !v.now.Before(c.NextEdgeAt)
		return edge || v.now.Sub(c.EvaluatedAt) >= sweepAfter && !e.rests(ctx, v)
	}
}

// readFacts reads the scale set afresh. A failure leaves the old facts with their age, and the reason.
func (e *Engine) readFacts(ctx context.Context, v *visit) {
	c := &v.control
	if v.now.Before(c.FactsRetryAt) {
		return
	}
	if v.arm.open() {
		c.FactsProblem = "Azure Resource Manager does not answer; the next turn tries again"
		return
	}
	facts, err := e.Fleet.Read(ctx, v.pool.ScaleSet)
	v.arm.note(err)
	if err == nil && jumped(c.Facts, facts) {
		// A set of many that is suddenly none, or half, is read twice before it is believed (facts: VMSS 5.5, row 2).
		facts, err = e.Fleet.Read(ctx, v.pool.ScaleSet)
	}
	v.moved = true
	if err != nil {
		pause := factsPause
		var fe *scale.FleetError
		if errors.As(err, &fe) {
			pause = max(pause, fe.RetryAfter)
		}
		c.FactsRetryAt, c.FactsProblem = v.now.Add(pause), err.Error()
		return
	}
	// The instant of the read is the instant of the turn: nothing that is decided later in it is older than its facts.
	facts.ReadAt = v.now
	if facts.Capacity == 0 {
		// A zero seen long ago and one seen now are no zero that has lasted, nor are those before and after a write, nor
		// that of machines which have all gone while the count stood.
		if v.now.Sub(c.Facts.ReadAt) > e.FactsMaxAge+time.Minute || facts.ETag != c.Facts.ETag || c.Facts.Capacity != 0 {
			c.Memory.Capacities = guard.Doubt(c.Memory.Capacities, c.Facts.ReadAt, v.now)
		}
	}
	v.zeroes(&facts, e.FactsMaxAge+time.Minute)
	e.count(ctx, v, &facts)
	e.readRivals(ctx, v, &facts)
	resized(c, facts.Size)
	if q := c.Facts.Quota; q != nil && facts.Size == c.Facts.Size && v.now.Sub(q.ReadAt) < quotaHolds && !q.ReadAt.After(v.now) {
		facts.Quota = q
	}
	c.Facts, c.FactsRetryAt, c.FactsProblem = facts, time.Time{}, ""
	c.Memory.Drift = scale.Drifted(c.Memory.Drift, facts, c.Memory.Evictions)
	c.Memory.Account = account.Keep(c.Memory.Account, account.Read{
		Pool: v.pool.Pool, Facts: facts, Memory: &c.Memory, Paired: v.pairOf != nil, Other: v.other.Facts.Live,
	})
	if d := c.Memory.Drift; v.failed && d != nil && facts.Live != nil && facts.Live.Pending() == 0 {
		d.Sure = d.Seen
	}
	// What one read says about missing machines wants a second.
	c.FactsOutdated, v.fresh = facts.Live != nil && c.Memory.Drift.Unsure(), true
}

// evaluate makes the view, asks policy and rails, and writes the entry.
func (e *Engine) evaluate(ctx context.Context, v *visit) *scale.Entry {
	view, proposal, decision, beside := e.decide(ctx, v)
	trigger := v.trigger
	trigger.Folded = v.counts.Folded
	if v.cause != "" {
		trigger.Kind = v.cause
	}
	return &scale.Entry{
		Version: scale.EntryVersion, Key: entryKey(v.pool.Name, v.now, trigger), Pool: v.pool.Name, At: v.now,
		Trigger: trigger, View: *view, Proposal: proposal, Decision: decision, Beside: beside,
		Note: noted(v.note, v.sentBack),
	}
}

// Redecide decides again on the view of an entry. With the policies of the entry's revision the answer is the entry's
// own proposal and decision, bit for bit (invariant 9).
func Redecide(ctx context.Context, policy Policy, view *scale.View) (scale.Proposal, scale.Decision) {
	proposal := policy.Propose(ctx, view)
	return proposal, guard.Decide(view, &proposal)
}

// entryKey orders entries newest first and is a function of the evaluation, so that a repeated write makes the same row.
func entryKey(pool string, at time.Time, t scale.Trigger) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00%d\x00%s", pool, t.Kind, t.Source, t.FirstSequence, t.LastSequence, t.Invocation)
	return fmt.Sprintf("%019d-%016x", math.MaxInt64-at.UnixNano(), h.Sum64())
}

// commit is what the turn stores, as one atomic write: the window, the control row with the intent if there is one, the
// entry, and the outcome of an earlier change.
func (e *Engine) commit(ctx context.Context, v *visit, entry *scale.Entry) scale.Commit {
	out := scale.Commit{Attempt: e.attempt(), Entry: entry, Outcome: v.outcome}
	if v.mine != nil {
		out.Windows = []scale.StoredWindow{*v.mine}
	}
	if v.contended {
		return out
	}
	c := v.control
	m := &c.Memory
	d := &entry.Decision
	m.Recommendations, m.Capacities = d.Recommendations, d.Capacities
	m.Trial = v.trial
	m.BackOffs = inForce(m.BackOffs, v.now)
	c.EvaluatedAt, c.LastEntry, c.Revision, c.Attempt = v.now, entry.Key, entry.Proposal.Revision, out.Attempt
	c.NextEdgeAt = time.Time{}
	for _, s := range entry.View.Schedules {
		if !s.NextAt.IsZero() && (c.NextEdgeAt.IsZero() || s.NextAt.Before(c.NextEdgeAt)) {
			c.NextEdgeAt = s.NextAt
		}
	}
	c.Traps = codesOf(d.Traps)
	history := v.record()
	c.RestUntil, c.RestOn = e.restUntil(v, &c, entry, history != nil), 0
	if !c.RestUntil.IsZero() {
		c.RestOn = e.restOn(ctx, v, v.mine)
	}
	if v.role == scale.RoleSpot && d.Reason == "quota" {
		// What a quota keeps Spot from is short, as what the platform lacks is.
		m.SpotShort = &scale.Shortage{At: v.now, Until: v.now.Add(quotaHolds), Class: scale.ClassQuotaSpot, Code: "quota"}
	}
	if d.Act && d.Astray > 0 {
		m.Repaired = &scale.Repaired{At: v.now, Astray: d.Astray}
	}
	if d.Act {
		c.Intent = &scale.Intent{
			Entry: entry.Key, Direction: d.Direction, From: d.From, To: d.To, BaselineETag: c.Facts.ETag,
			StartedAt: v.now, Nominal: d.Nominal, Victims: d.Victims, Verb: d.Verb, Owner: out.Attempt, LeaseUntil: v.now.Add(e.Lease), Stage: scale.StagePrepared,
			GrownBefore: m.GrownAt, ShrunkBefore: m.ShrunkAt, RemixedBefore: m.RemixedAt,
		}
		v.remember(m, d)
		// The cooldown begins with the intent: a crash after this line cannot lose it.
		switch d.Direction {
		case scale.Grow:
			m.GrownAt = v.now
		case scale.Shrink:
			m.ShrunkAt = v.now
		case scale.Remix:
			m.RemixedAt = v.now
		}
	}
	if history != nil {
		out.Windows = append(out.Windows, *history)
	}
	if row := e.enlist(v); row != nil {
		out.Windows = append(out.Windows, *row)
	}
	out.Control, out.ControlVersion = &c, v.stored.ControlVersion
	return out
}

// inForce drops the back-offs whose time is over.
func inForce(all []scale.BackOff, now time.Time) (kept []scale.BackOff) {
	for _, b := range all {
		if now.Before(b.Until) {
			kept = append(kept, b)
		}
	}
	return kept
}

// reportOf says what became of the pool.
func reportOf(v *visit, entry *scale.Entry) PoolReport {
	d := &entry.Decision
	r := PoolReport{
		Pool: v.pool.Name, Entry: entry.Key, Action: d.Action, Direction: d.Direction, From: d.From.Instances,
		To: d.To.Instances, Known: entry.View.Facts.Known(), Wanted: entry.Proposal.Instances, Reason: d.Reason, Mode: v.pool.Mode, Outcome: v.outcome,
		Counts: v.counts, NoticeCounts: v.noticed,
	}
	if n := len(d.Adjustments); n > 0 && d.Action == scale.Hold {
		r.Until = d.Adjustments[n-1].Until
	}
	r.Note = entry.Note
	if v.contended {
		r.Note = "another process decides"
	}
	return r
}
