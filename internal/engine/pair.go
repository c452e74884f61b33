package engine

import (
	"context"
	"errors"
	"time"

	"trimtab/internal/scale"
)

// spotOf makes the half of a pair that is its Spot set: a pool of its own to the ledger and to Resource Manager, with the
// same policy, signals and rails.
func spotOf(p *scale.Pool) *pool {
	spot := *p
	spot.Name, spot.ScaleSet, spot.SpotScaleSet = p.Name+scale.SpotSuffix, p.SpotScaleSet, ""
	return &pool{Pool: &spot, turn: make(chan struct{}, 1)}
}

// visitPair takes the turns of both sets of a pair, Spot first, so that the regular set learns in the same turn what
// Spot could not be had. Trouble with one keeps neither from its turn.
func (e *Engine) visitPair(ctx context.Context, v *visit) (PoolReport, error) {
	spot := visit{pool: v.pool.spot, pairOf: v.pool, role: scale.RoleSpot, routed: v.routed, notices: v.notices, source: v.source, trigger: v.trigger, arm: v.arm}
	spotReport, spotErr := e.visitOne(ctx, &spot)
	v.pairOf, v.role = v.pool.spot, scale.RoleRegular
	v.must = spotReport.Outcome != nil || spotReport.Reason == "quota"
	report, err := e.visitOne(ctx, v)
	if spotErr == nil {
		report.Spot = &spotReport
	}
	return report, errors.Join(err, spotErr)
}

// meet reads the other set's row, before this set is decided on.
func (e *Engine) meet(ctx context.Context, v *visit) error {
	if v.pairOf == nil {
		return nil
	}
	stored, err := e.Ledger.Load(ctx, v.pairOf.Name)
	if err != nil {
		return err
	}
	v.other = stored.Control
	if v.role == scale.RoleSpot {
		// Operators order the pool, not one of its sets.
		v.control.Orders = stored.Control.Orders
	}
	return nil
}

// readOther reads the other set afresh, as a change of this one needs; what it answers is not stored.
func (e *Engine) readOther(ctx context.Context, v *visit) bool {
	if v.pairOf == nil {
		return true
	}
	probe := visit{pool: v.pairOf, now: v.now, control: v.other, arm: v.arm}
	e.readFacts(ctx, &probe)
	v.other = probe.control
	return probe.fresh
}

// pair is what a view says about the other set.
func (v *visit) pair() *scale.Pair {
	if v.pairOf == nil {
		return nil
	}
	c := &v.other
	p := &scale.Pair{
		Role: v.role, ScaleSet: v.pairOf.ScaleSet, ReadAt: c.Facts.ReadAt, Live: c.Facts.Live, SpotShort: c.Memory.SpotShort,
		SpotRestore: c.Facts.Model != nil && c.Facts.Model.SpotRestore,
	}
	if !c.Facts.Known() {
		return p
	}
	p.Instances = c.Memory.Own(c.Facts)
	p.Intended = p.Instances
	if in := c.Memory.Intended; in != nil {
		p.Intended = in.Instances
	}
	if p.Live != nil {
		p.Pending = p.Live.Pending()
	}
	if in := c.Intent; in != nil && in.To.Instances > p.Instances {
		// Asked for, and not yet in the count.
		p.Pending += in.To.Instances - p.Instances
		p.Instances = in.To.Instances
	} else if in != nil && in.To.Instances > in.From.Instances {
		p.Pending = max(p.Pending, p.Instances-in.From.Instances)
	} else if in != nil && in.To.Instances < p.Instances {
		p.Instances = in.To.Instances
	}
	return p
}

// known reports whether the other set's facts are young enough to decide on.
func (v *visit) known(most time.Duration) bool {
	return v.pairOf == nil || v.other.Facts.Known() && v.now.Sub(v.other.Facts.ReadAt) <= most
}
