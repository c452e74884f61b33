package engine

import (
	"context"
	"errors"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

const (
	// pollAtLeast is the shortest time between two questions about one operation (facts: VMSS 1.5, Get operation).
	pollAtLeast = 10 * time.Second
	// pollFacts is the time between two looks at the facts of a change whose operation cannot be asked about.
	pollFacts = 30 * time.Second
	// operationOver is the age from which on an operation is no longer waited for; the facts then say how it ended
	// (facts: VMSS 1.2: half an hour is what others allow).
	operationOver = 45 * time.Minute
)

// follow takes a change that has not ended as far as it has come: it finishes what a crash left behind, asks about the
// operation, and writes down the outcome. It changes only the visit; the turn's commit stores it.
func (e *Engine) follow(ctx context.Context, v *visit) error {
	in := v.control.Intent
	switch {
	case in == nil:
	case leased(in, v.now) && !in.Unsure:
		// Its owner may be sending the PATCH at this moment, or it is on its way.
	case v.now.Sub(in.StartedAt) >= operationOver:
		e.compare(ctx, v)
	case v.now.Before(in.PollAt):
	case in.Stage == scale.StagePrepared || in.Token == "":
		e.compare(ctx, v)
	default:
		e.ask(ctx, v)
	}
	return ctx.Err()
}

// ask asks once how the operation stands.
func (e *Engine) ask(ctx context.Context, v *visit) {
	in := *v.control.Intent
	if v.arm.open() {
		return
	}
	progress, err := e.Fleet.Follow(ctx, in.Token)
	v.arm.note(err)
	v.moved = true
	in.Polls++
	var fe *scale.FleetError
	if errors.As(err, &fe) {
		v.note = "the operation under way could not be asked about: " + fe.Error()
	}
	switch {
	case fe != nil && (fe.Class == scale.ClassMissing || fe.Class == scale.ClassForbidden || fe.Class == scale.ClassInvalid):
		// The record of the operation has expired, or is not for us to read: only the facts can say how it ended (facts:
		// VMSS 1.2, 6).
		in.Token = ""
		v.control.Intent = &in
		e.compare(ctx, v)
		return
	case err != nil:
		pause := pollFacts
		if fe != nil {
			pause = max(pause, fe.RetryAfter)
		}
		in.PollAt = v.now.Add(pause)
	case !progress.Done:
		in.PollAt = v.now.Add(max(pollAtLeast, progress.PollAfter))
	case progress.Failure == nil:
		e.finish(v, &in, scale.Applied, nil)
		e.readFacts(ctx, v)
		return
	default:
		result := scale.Failed
		if progress.Failure.Class == scale.ClassPreempted {
			result = scale.Preempted
		}
		e.finish(v, &in, result, progress.Failure)
		// What an operation that has failed did not make is surely missing: no second read is waited for.
		v.failed = result == scale.Failed
		e.readFacts(ctx, v)
		return
	}
	v.control.Intent = &in
}

// leased reports whether an intent's PATCH may still be sent or on its way.
func leased(in *scale.Intent, now time.Time) bool {
	return in.Stage == scale.StagePrepared && now.Before(in.LeaseUntil.Add(settle))
}

// compare looks at the facts to find out what became of a change whose answer or operation is lost (invariants 2, 10).
func (e *Engine) compare(ctx context.Context, v *visit) {
	in := *v.control.Intent
	e.readFacts(ctx, v)
	if !v.fresh {
		return
	}
	f := v.control.Facts
	if in.Verb != "" {
		e.compareMachines(v, &in)
		return
	}
	wait := func() {
		in.Polls++
		in.PollAt = v.now.Add(pollFacts)
		v.control.Intent = &in
		v.moved = true
	}
	over := v.now.Sub(in.StartedAt) >= operationOver
	reached := f.Capacity == in.Capacity() && (in.To.Mix == nil || (f.Mix != nil && *f.Mix == *in.To.Mix))
	switch {
	case in.Stage == scale.StagePrepared && f.ETag == in.BaselineETag && !reached && leased(&in, v.now):
		// The set is as it was, and a PATCH whose caller gave up early may still be on its way.
		wait()
	case in.Stage == scale.StagePrepared && f.ETag == in.BaselineETag && !reached:
		// The set is as it was: the PATCH was never applied, and with this ETag gone stale by the next change it never
		// will be. A deletion by name has no ETag: for it only the lease, which is over, speaks.
		e.finish(v, &in, scale.Abandoned, nil)
	case !reached && in.To.Instances > 0 && (guard.ZeroDoubted(f, guard.Seen(&v.control.Memory, v.pairOf != nil), v.now) ||
		f.Capacity == 0 && v.now.Sub(in.StartedAt) < guard.ZeroSettles):
		// A count of zero says nothing until it has lasted (facts: VMSS 5.5, row 2), and what it was before the change
		// says nothing about after it.
		wait()
	case !reached && !over && f.ProvisioningState == "Updating":
		// The operation under way may be ours: an eviction has lowered the count meanwhile (facts: VMSS 2.2).
		wait()
	case !reached:
		e.finish(v, &in, scale.Superseded, nil)
	case f.ProvisioningState == "Failed":
		e.finish(v, &in, scale.Failed, &scale.FleetError{
			Op: "compare", Class: scale.ClassUnknown, Code: "ProvisioningStateFailed",
			Message: "the operation's own record is gone; the scale set says that its last operation failed",
		})
	case f.ProvisioningState == "Succeeded" || over:
		e.finish(v, &in, scale.Applied, nil)
	default:
		// Applied, and still under way: look again later.
		if in.Stage == scale.StagePrepared {
			in.Stage, in.AcceptedAt = scale.StageAccepted, v.now
			intend(&v.control, &in)
		}
		wait()
	}
}

// finish closes an intent with its outcome: what it leaves behind is the outcome, the back-off of a failure, and, where
// nothing was written, cooldowns as they were before.
func (e *Engine) finish(v *visit, in *scale.Intent, result scale.Result, failure *scale.FleetError) {
	c := &v.control
	v.outcome = conclude(c, in, v.now, result, failure)
	v.moved = true
}

// conclude is finish on a control row.
func conclude(c *scale.Control, in *scale.Intent, now time.Time, result scale.Result, failure *scale.FleetError) *scale.Outcome {
	out := &scale.Outcome{Entry: in.Entry, At: now, Result: result, Capacity: c.Facts.Capacity, Polls: in.Polls}
	if result == scale.Applied {
		out.Capacity = in.To.Instances
		if in.Verb != "" {
			c.Memory.Parked = scale.Settled(c.Memory.Parked, in, now)
		}
	}
	if failure != nil {
		out.Class, out.Code, out.Message = failure.Class, failure.Code, failure.Message
		if b, ok := backOff(in.Direction, failure, now, c.Facts.Spot); ok && !(in.Verb != "" && failure.Class == scale.ClassUnsure) {
			// Of machines whose answer is lost the facts say how they are: what is left is asked for at once.
			b.Refused = result == scale.Refused
			b.Direction = aboutMachines(in, b)
			if scale.OfSize(b.Class) {
				b.Size = c.Facts.Size
			}
			zoned(c, &b, failure, now)
			c.Memory.BackOffs = append(inForce(c.Memory.BackOffs, now), b)
			if c.Facts.Spot && scale.SpotShort(b.Class) {
				c.Memory.SpotShort = &scale.Shortage{At: now, Until: b.Until, Class: b.Class, Code: b.Code, Size: b.Size}
			}
		}
	}
	switch {
	case result == scale.Abandoned, result == scale.Refused, result == scale.Superseded && failure != nil:
		// Nothing of ours was written: the directions rest no longer than they did before.
		c.Memory.GrownAt, c.Memory.ShrunkAt, c.Memory.RemixedAt = in.GrownBefore, in.ShrunkBefore, in.RemixedBefore
	case in.Stage == scale.StagePrepared && result == scale.Superseded:
		// The answer was lost and the set has moved on since: it may have been written, so the cooldown stands.
	default:
		intend(c, in)
	}
	c.Intent, c.FactsOutdated = nil, true
	return out
}

// backOff is what a failure forbids, and for how long; the times are those of facts: VMSS 3.3. What Azure asked for by
// Retry-After is obeyed however long it is.
func backOff(direction scale.Direction, f *scale.FleetError, now time.Time, spot bool) (scale.BackOff, bool) {
	b := scale.BackOff{Class: f.Class, Direction: direction, Code: f.Code}
	var pause time.Duration
	switch f.Class {
	case scale.ClassThrottled:
		pause, b.Direction = 15*time.Second, ""
	case scale.ClassPreempted, scale.ClassPrecondition:
		return b, false
	case scale.ClassConflict:
		pause, b.Direction = 30*time.Second, ""
	case scale.ClassQuota:
		pause = 10 * time.Minute
		if f.NoQuota {
			// A family that was never granted passes slowly.
			pause = time.Hour
		}
	case scale.ClassQuotaRegion, scale.ClassQuotaSpot, scale.ClassNoCapacity, scale.ClassNoCapacityZone,
		scale.ClassConstrained, scale.ClassNoSpot, scale.ClassSpotPrice:
		pause = time.Hour
		if f.Class == scale.ClassNoSpot && !spot {
			// The size itself is not to be had in this region or subscription: that passes slowly.
			pause = 23 * time.Hour
		}
	case scale.ClassGuest:
		pause = 5 * time.Minute
	case scale.ClassForbidden, scale.ClassMissing, scale.ClassInvalid:
		pause, b.Direction = 10*time.Minute, ""
	default:
		pause = time.Minute
	}
	b.Until = now.Add(max(pause, f.RetryAfter))
	return b, true
}
