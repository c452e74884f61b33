package engine

import (
	"slices"

	"trimtab/internal/scale"
)

// parkedAtOnce bounds how many machines of a Flexible set are parked by one change: each takes a call of its own, all of
// them within one lease.
const parkedAtOnce = 20

// atOnce bounds how many machines one shrink names.
func atOnce(p *scale.Pool) int {
	if p.Rails.Shrink.Parks() && p.Orchestration == scale.Flexible {
		return parkedAtOnce
	}
	return victimsAtOnce
}

// addressed gives a change that names machines what tells how Azure takes their names.
func addressed(c scale.Change, o scale.Orchestration) scale.Change {
	if len(c.Deallocate)+len(c.Start) > 0 {
		c.Orchestration = o
	}
	return c
}

// remember notes, in the row that holds the intent, what a change of machines by name makes of the memory: a crash after it
// still knows whom it was about to park.
func (v *visit) remember(m *scale.Memory, d *scale.Decision) {
	switch {
	case d.Verb == scale.Deallocate:
		m.Parked = scale.Park(m.Parked, d.Victims, func(name string) bool {
			i := slices.IndexFunc(v.each, func(one scale.Machine) bool { return one.Name == name })
			return i >= 0 && v.each[i].Spot
		})
	case d.Direction == scale.Grow && d.Aim > 0:
		m.Growing = &scale.Recommendation{At: v.now, Instances: d.Aim}
	case d.Direction == scale.Clean:
		m.CleanedAt = v.now
	case d.Direction != scale.Remix:
		m.Growing = nil
	}
}

// compareMachines is compare for machines that are parked or started by name. The count says nothing about them: each is
// looked for, and what is done to one twice does nothing the second time (facts: VMSS 2.2).
func (e *Engine) compareMachines(v *visit, in *scale.Intent) {
	f := v.control.Facts
	wait := func() {
		in.Polls++
		in.PollAt = v.now.Add(pollFacts)
		v.control.Intent = in
		v.moved = true
	}
	if f.Live == nil {
		// Machines that cannot be listed say nothing; other changes wait.
		wait()
		return
	}
	s := in.Stand(v.each)
	over := v.now.Sub(in.StartedAt) >= operationOver
	under := !over && (s.Under > 0 || f.ProvisioningState == "Updating")
	partly := &scale.FleetError{
		Op: "compare", Class: scale.ClassUnsure, Code: "PartlyApplied",
		Message: "the operation's own record is gone; some of its machines are not as it means them to be",
	}
	switch {
	case s.Done+s.Gone == len(in.Victims) && !under:
		e.finish(v, in, scale.Applied, nil)
	case under, leased(in, v.now):
		wait()
	case s.Done > 0:
		e.finish(v, in, scale.Failed, partly)
	case f.ProvisioningState == "Failed" && f.ETag != in.BaselineETag:
		partly.Code, partly.Message = "ProvisioningStateFailed", "the operation's own record is gone; the scale set says that its last operation failed"
		e.finish(v, in, scale.Failed, partly)
	case in.Stage == scale.StagePrepared && f.ETag == in.BaselineETag && in.Verb == scale.Start:
		// To start a machine that has started already does nothing; growth does not wait for it.
		e.finish(v, in, scale.Abandoned, nil)
	default:
		// To park machines moves no ETag, and a list may lag behind it: it may have been sent, so that its cooldown stands. What
		// followed at once could choose others.
		e.finish(v, in, scale.Superseded, nil)
	}
}

// aboutMachines is what a failure of a change by name forbids. What machines of their own lack keeps nobody from making
// new ones, nor does a right that is missing to stop them keep a pool from growing.
func aboutMachines(in *scale.Intent, b scale.BackOff) scale.Direction {
	if len(in.Victims) == 0 {
		return b.Direction
	}
	switch b.Class {
	case scale.ClassThrottled, scale.ClassConflict, scale.ClassQuota, scale.ClassQuotaRegion, scale.ClassQuotaSpot,
		scale.ClassNoCapacity, scale.ClassNoSpot, scale.ClassSpotPrice:
		return b.Direction
	}
	if in.Verb == scale.Start {
		return scale.Starting
	}
	return in.Direction
}

// intend remembers what an accepted change means the set to have. To delete what serves nobody means no other number.
func intend(c *scale.Control, in *scale.Intent) {
	if in.Direction == scale.Clean {
		return
	}
	to := in.To
	c.Memory.Intended = &to
}
