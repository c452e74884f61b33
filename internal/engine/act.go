package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"trimtab/internal/scale"
)

// settle is how long a PATCH whose answer was lost is given to show in the facts.
const settle = 10 * time.Second

// recordWithin bounds the time to write down what ARM answered.
const recordWithin = 15 * time.Second

// recordTries bounds the attempts to write down what ARM answered. A crash here is found by the next turn, which
// compares intent with fact.
const recordTries = 8

// act sends the one PATCH of an intent that this process has just written, and writes down what ARM answered. Nothing
// here repeats the PATCH, and no error here fails the batch: the windows are stored, the intent waits.
func (e *Engine) act(ctx context.Context, v *visit, owner string, report *PoolReport) {
	log := e.Log.With(slog.String("pool", v.pool.Name), slog.String("entry", report.Entry))
	stored, err := e.Ledger.Load(ctx, v.pool.Name)
	if err != nil {
		report.Note = "intent waits: the ledger did not answer"
		log.Warn("intent not sent: ledger did not answer", slog.Any("error", err))
		return
	}
	in := stored.Control.Intent
	now := e.now()
	// A PATCH that begins late in the lease could still be on its way when another process finds it abandoned.
	if in == nil || in.Owner != owner || in.Stage != scale.StagePrepared || !now.Before(in.LeaseUntil.Add(-e.Lease/2)) {
		report.Note = "intent is no longer ours"
		log.Warn("intent not sent: no longer ours")
		return
	}
	if stored.Control.Orders.Freeze.Holds(now) {
		// Frozen since the decision: nothing is sent, and a later turn finds the intent abandoned.
		report.Note = "frozen before it was sent"
		return
	}
	accepted, err := e.Fleet.Change(ctx, v.pool.ScaleSet, addressed(changeOf(in), v.pool.Orchestration))
	v.arm.note(err)
	var failure *scale.FleetError
	if err != nil && !errors.As(err, &failure) {
		failure = &scale.FleetError{Op: "change", Class: scale.ClassUnsure, Message: err.Error(), Err: err}
	}
	report.Sent = failure == nil
	if failure != nil {
		report.Note = failure.Error()
		log.Warn("change not accepted", slog.String("class", string(failure.Class)), slog.Int("status", failure.Status),
			slog.String("code", failure.Code), slog.String("message", failure.Message))
	}
	answered := answer{accepted: accepted, failure: failure, owner: owner}
	if failure != nil && failure.Class == scale.ClassPrecondition {
		// 412 may be somebody else's write, or one that made it what we want: compare with the facts (facts: VMSS 1.3).
		if f, err := e.Fleet.Read(ctx, v.pool.ScaleSet); err == nil {
			answered.facts = &f
		}
	}
	// What ARM answered is worth more than the deadline of the invocation that asked.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if err := e.record(ctx, v.pool.Name, stored, answered, report); err != nil {
		report.Note = "answer not recorded: a later turn compares intent with fact"
		log.Warn("answer not recorded", slog.Any("error", err))
	}
}

// changeOf is the write that carries out an intent: only what it changes.
func changeOf(in *scale.Intent) scale.Change {
	switch {
	case in.Verb == scale.Deallocate:
		return scale.Change{Deallocate: in.Victims}
	case in.Verb == scale.Start:
		return scale.Change{Start: in.Victims}
	case len(in.Victims) > 0:
		return scale.Change{Delete: in.Victims}
	}
	c := scale.Change{ETag: in.BaselineETag}
	c.Shrink = in.To.Instances < in.From.Instances
	if in.To.Instances != in.From.Instances {
		n := in.Capacity()
		c.Capacity = &n
	}
	if in.To.Mix != nil && (in.From.Mix == nil || *in.To.Mix != *in.From.Mix) {
		m := *in.To.Mix
		c.Mix = &m
	}
	return c
}

// answer is what came back from a PATCH.
type answer struct {
	accepted scale.Accepted
	failure  *scale.FleetError
	facts    *scale.Facts
	owner    string
}

// record writes the answer into the control row, whoever else has written to that row meanwhile.
func (e *Engine) record(ctx context.Context, pool string, stored scale.Stored, a answer, report *PoolReport) error {
	var err error
	for try := range recordTries {
		if try > 0 {
			if stored, err = e.Ledger.Load(ctx, pool); err != nil {
				continue
			}
		}
		c := stored.Control
		if c.Intent == nil || c.Intent.Owner != a.owner {
			return nil
		}
		outcome := a.apply(&c, e.now())
		commit := scale.Commit{
			Attempt: e.attempt(), Control: &c, ControlVersion: stored.ControlVersion, Outcome: outcome,
		}
		c.Attempt = commit.Attempt
		if err = e.Ledger.Commit(ctx, pool, commit); err == nil {
			if outcome != nil {
				report.Outcome = outcome
			}
			return nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

// apply brings the answer into a control row and returns the outcome if the change has ended with it.
func (a *answer) apply(c *scale.Control, now time.Time) *scale.Outcome {
	in := *c.Intent
	switch {
	case a.failure == nil:
		in.Stage, in.Token, in.AcceptedAt = scale.StageAccepted, a.accepted.Token, now
		in.PollAt = now.Add(max(pollAtLeast, a.accepted.PollAfter))
		intend(c, &in)
		c.FactsOutdated = true
		if a.accepted.Done {
			return conclude(c, &in, now, scale.Applied, nil)
		}
		c.Intent = &in
		return nil
	case a.failure.Class == scale.ClassUnsure:
		// Applied or not: the facts will tell when it has had time to show.
		in.Unsure, in.PollAt = true, now.Add(settle)
		c.Intent = &in
		return nil
	case a.failure.Class == scale.ClassPrecondition && a.facts != nil && a.facts.Capacity == in.Capacity() &&
		(in.To.Mix == nil || (a.facts.Mix != nil && *a.facts.Mix == *in.To.Mix)):
		return conclude(c, &in, now, scale.Applied, a.failure)
	case a.failure.Class == scale.ClassPrecondition:
		return conclude(c, &in, now, scale.Superseded, a.failure)
	default:
		return conclude(c, &in, now, scale.Refused, a.failure)
	}
}
