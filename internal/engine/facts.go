package engine

import (
	"context"
	"time"

	"trimtab/internal/scale"
)

// zeroes remembers since when the reads of one set of a pair have said zero. Reads that lie too far apart, or on both sides
// of a write, are no zero that has lasted.
func (v *visit) zeroes(facts *scale.Facts, gap time.Duration) {
	m, old := &v.control.Memory, &v.control.Facts
	switch {
	case v.pairOf == nil:
	case facts.Capacity != 0:
		m.ZeroSince = time.Time{}
	case m.ZeroSince.IsZero() || v.now.Sub(old.ReadAt) > gap || facts.ETag != old.ETag:
		m.ZeroSince = v.now
	}
}

// Counter is a fleet that can count machines one by one. A fleet that cannot leaves decisions to the nominal count.
type Counter interface {
	// Count counts the machines of a scale set, afresh. Facts are those that Read has just answered. It answers all of
	// them or an error.
	Count(ctx context.Context, scaleSet string, facts scale.Facts) (*scale.Live, error)
}

// count brings the count of the machines into facts that were just read. Its failure does not make the facts less: it
// is recorded, and keeps the pool from shrinking.
func (e *Engine) count(ctx context.Context, v *visit, facts *scale.Facts) {
	counter, can := e.Fleet.(Counter)
	if !can {
		return
	}
	live, err := counter.Count(ctx, v.pool.ScaleSet, *facts)
	v.arm.note(err)
	if err != nil {
		facts.LiveProblem = err.Error()
		return
	}
	// As the facts, the count is as old as the turn.
	live.ReadAt = v.now
	v.machines, live.Machines = live.Machines, nil
	m := &v.control.Memory
	m.Parked = live.Look(m.Parked, v.control.Intent, v.now)
	m.Dead = live.Dead(m.Dead, v.now)
	v.each, live.Each = live.Each, nil
	facts.Live = live
}

// Quotas is a fleet that knows how much room quotas leave. With one that does not, Azure's answer to a growth decides.
type Quotas interface {
	// Quota says how many machines more of a set's size fit the quotas of its region.
	Quota(ctx context.Context, scaleSet string, facts scale.Facts) (*scale.Quota, error)
}

const (
	// quotaYoung is how old what is known of quotas may be for a growth.
	quotaYoung = time.Minute
	// quotaHolds is how long a quota that leaves no room is not asked about again (facts: VMSS 3.3).
	quotaHolds = 10 * time.Minute
)

// readQuota reads what quotas leave room for, before a growth, and reports whether there is anything new. Its failure
// stops nothing: it is noted, and Azure's answer decides.
func (e *Engine) readQuota(ctx context.Context, v *visit) bool {
	quotas, can := e.Fleet.(Quotas)
	f := &v.control.Facts
	if !can || f.Quota != nil && v.now.Sub(f.Quota.ReadAt) < quotaYoung {
		return false
	}
	quota, err := quotas.Quota(ctx, v.pool.ScaleSet, *f)
	v.arm.note(err)
	if err != nil {
		v.note = "quotas were not read: " + err.Error()
		return false
	}
	quota.ReadAt = v.now
	f.Quota = quota
	return true
}

// Chooser is a fleet that can choose which machines go.
type Chooser interface {
	// Choose names at most n machines that are to go, in order; protected ones never.
	Choose(ctx context.Context, scaleSet string, facts scale.Facts, n int, order []scale.Preference) ([]string, error)
}

// choose chooses the machines that a shrink takes, where the pool has an order for that, and reports whether it did. Where
// they cannot be listed none is chosen, and the pool does not shrink.
func (e *Engine) choose(ctx context.Context, v *visit, d *scale.Decision) bool {
	order := v.pool.Rails.Shrink.Order
	chooser, can := e.Fleet.(Chooser)
	if len(order) == 0 || !can {
		return false
	}
	names, err := chooser.Choose(ctx, v.pool.ScaleSet, v.control.Facts, min(d.From.Instances-d.To.Instances, atOnce(v.pool.Pool)), order)
	v.arm.note(err)
	if err != nil {
		v.note, names = "the machines to go were not chosen: "+err.Error(), nil
	}
	v.control.Facts.Victims = &scale.Victims{Names: names}
	return true
}

// victimsAtOnce bounds how many machines one shrink names: their names stand in rows and entries.
const victimsAtOnce = 100

// jumped reports whether a count has fallen to nothing, or to less than half, since it was last read.
func jumped(old, read scale.Facts) bool {
	return read.Capacity < old.Capacity && 2*read.Capacity < old.Capacity
}

// anew decides once more in the same turn, because Spot was refused and regular machines may stand in for it. It brings
// no samples of its own; where it comes to nothing, a later turn decides.
func (e *Engine) anew(ctx context.Context, v *visit, first PoolReport) PoolReport {
	next := visit{
		pool: v.pool, pairOf: v.pairOf, role: v.role, arm: v.arm, again: true,
		trigger: scale.Trigger{Kind: "outcome", Source: v.trigger.Source, Invocation: v.trigger.Invocation},
	}
	report, err := e.try(ctx, &next)
	if err != nil || report.Entry == "" {
		return first
	}
	report.Counts, report.NoticeCounts = first.Counts, first.NoticeCounts
	if report.Outcome == nil {
		report.Outcome = first.Outcome
	}
	return report
}
