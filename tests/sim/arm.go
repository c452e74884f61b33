package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// set is a scale set as Resource Manager keeps it.
type set struct {
	w  *world
	id string
	// capacity is nominal; live is how many machines there are. They drift (facts: VMSS 0.2).
	capacity, live int
	generation     int
	mix            *scale.Mix
	orchestration  scale.Orchestration
	spot           bool
	platformMax    int
	state          string
	operations     map[string]*operation
	current        *operation
	// tokens is the bucket of writes: 12, refilled by 4 a minute (facts: VMSS 1.5).
	tokens   float64
	filledAt time.Time
	// zeroUntil: until then reads may say 0 (facts: VMSS 5.5, row 2). lowers: an eviction lowers the nominal count (it
	// does on uniform sets, and may or may not on flexible ones; facts: VMSS 2.2). moves: the ETag moves when an
	// operation ends (open in facts: VMSS 1.3).
	zeroUntil     time.Time
	zeroes        int
	lowers, moves bool
	// quota is how many machines the subscription's quota leaves the set, 0 for any number. ourHand is true while the last write
	// of the count was one of ours.
	quota   int
	ourHand bool
	// names are the machines as they were when last asked for, named how many ever had one.
	names []string
	named int
	// off are the machines that were deallocated by name; they keep their place in the count (facts: VMSS 2.2).
	off []string
	// evicted is how many were deallocated by evictions, and may still hold their place.
	evicted int
	// powered sets have machines with names throughout: stopped are those that others deallocated, evictions among them, failed
	// those that failed and do not run. Both keep their place. started is when people started machines, meddled the last of it.
	powered         bool
	stopped, failed []string
	started         map[string]time.Time
	meddled         time.Time
}

// operation is a change that was accepted.
type operation struct {
	token   string
	ours    *change
	done    bool
	failure *scale.FleetError
	ended   time.Time
	expires time.Duration
	// power is what it does to machines by name.
	power
}

func (s *set) etag() string { return fmt.Sprintf("%q", strconv.Itoa(s.generation)) }

// take takes a token of the bucket.
func (s *set) take() bool {
	s.tokens = min(12, s.tokens+4*s.w.now.Sub(s.filledAt).Minutes())
	s.filledAt = s.w.now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// fleetPort is the engine's port to the scale sets.
type fleetPort struct{ w *world }

// Read answers with the facts.
func (f fleetPort) Read(ctx context.Context, id string) (scale.Facts, error) {
	t, w, s := taskOf(ctx), f.w, f.w.sets[id]
	if fence := t.fences[id]; w.now.Before(fence) {
		w.broken(2, "%s reads %s although it was asked to leave it alone until %v", t.name, id, fence)
	}
	got, err := t.cross(ctx, "arm read "+id, func() (any, error) {
		if r, hit := w.fault(faultReadLimit); hit {
			// Retry-After is often minutes (facts: VMSS 0.6).
			return nil, fleetError("read", scale.ClassThrottled, 429, "TooManyRequests", span(r, 5*time.Second, 20*time.Minute))
		}
		if _, hit := w.fault(faultReadFails); hit {
			return nil, fleetError("read", scale.ClassUnsure, 500, "InternalServerError", 0)
		}
		facts := scale.Facts{
			ReadAt: w.now, Capacity: s.capacity, ETag: s.etag(), ProvisioningState: s.state, Orchestration: s.orchestration,
			Spot: s.spot, Size: "Standard_D4s_v5", PlatformMax: s.platformMax, PlatformMaxRule: "scale set",
		}
		if s.mix != nil {
			m := *s.mix
			facts.Mix = &m
		}
		if w.now.Before(s.zeroUntil) && s.zeroes > 0 && w.chaos {
			s.zeroes--
			facts.Capacity = 0
		}
		return facts, nil
	})
	if err != nil {
		return scale.Facts{}, err
	}
	facts := got.(scale.Facts)
	if t.turn.reads == nil {
		t.turn.reads = make(map[string]int)
	}
	t.turn.reads[id+facts.ETag] = facts.Capacity
	return facts, nil
}

// fleet is the port to the scale sets: every other history has one that counts machines.
func (w *world) fleet() engine.Fleet {
	if w.kind == Quota || w.kind == Parked {
		return quotaFleet{countingFleet{fleetPort{w}}}
	}
	if w.o.Seed%2 == 0 || w.kind == Clean {
		return countingFleet{fleetPort{w}}
	}
	return fleetPort{w}
}

// countingFleet is the port of a fleet that can count machines.
type countingFleet struct{ fleetPort }

// Count counts the machines: what an operation under way makes is not among them until it ends.
func (f countingFleet) Count(ctx context.Context, id string, _ scale.Facts) (*scale.Live, error) {
	t, w, s := taskOf(ctx), f.w, f.w.sets[id]
	got, err := t.cross(ctx, "arm count "+id, func() (any, error) {
		if r, hit := w.fault(faultCount); hit {
			return nil, fleetError("count", scale.ClassThrottled, 429, "TooManyRequests", span(r, 5*time.Second, 20*time.Minute))
		}
		return s.live, nil
	})
	if err != nil {
		return nil, err
	}
	n := got.(int)
	live := &scale.Live{ReadAt: w.now, Instances: n, Regular: n}
	if s.spot {
		live.Regular, live.Spot = 0, n
	}
	s.each(live)
	return live, nil
}

// Change takes a conditional PATCH.
func (f fleetPort) Change(ctx context.Context, id string, c scale.Change) (scale.Accepted, error) {
	t, w, s := taskOf(ctx), f.w, f.w.sets[id]
	w.result.Counts.Changes++
	ours := w.checkChange(t, s, &c)
	got, err := t.cross(ctx, "arm change "+id, func() (any, error) {
		if r, hit := w.fault(faultThrottled); hit || !s.take() {
			after := 20 * time.Second
			if hit {
				after = span(r, 5*time.Second, 40*time.Minute)
			}
			if ours != nil {
				ours.throttled = w.now.Add(after)
			}
			return nil, fleetError("change", scale.ClassThrottled, 429, "TooManyRequests", after)
		}
		if r, hit := w.fault(faultRefused); hit {
			refusal := refusals[r.IntN(len(refusals))]
			if refusal.Class == scale.ClassNoSpot && !s.spot {
				refusal = refusals[0] // else the size itself is not to be had, and that lasts a day
			}
			return nil, refusal
		}
		if c.ETag != s.etag() && !byName(&c) {
			return nil, fleetError("change", scale.ClassPrecondition, 412, "PreconditionFailed", 0)
		}
		if s.quota > 0 && (c.Capacity != nil && *c.Capacity > s.capacity && *c.Capacity-s.capacity+s.taken() > s.quota || !s.spot && len(c.Start) > 0 && s.taken()+len(c.Start) > s.quota) {
			// Refused whole, though a part of it would fit (facts: VMSS 5.5 row 7).
			class := scale.ClassQuota
			if s.spot {
				class = scale.ClassQuotaSpot
			}
			return nil, fleetError("change", class, 409, "OperationNotAllowed", 0)
		}
		w.checkApplied(s, &c, ours)
		var op *operation
		switch {
		case len(c.Delete) > 0:
			op = s.remove(c.Delete, ours)
		case len(c.Deallocate) > 0:
			op = s.park(c.Deallocate, ours)
		case len(c.Start) > 0:
			op = s.wake(c.Start, ours)
		default:
			op = s.write(c.Capacity, c.Mix, ours, power{})
		}
		if op.done {
			return scale.Accepted{Done: true}, nil
		}
		return scale.Accepted{Token: op.token, PollAfter: time.Duration(w.chance.IntN(20)) * time.Second}, nil
	})
	if err != nil {
		return scale.Accepted{}, err
	}
	accepted := got.(scale.Accepted)
	if ours != nil && !accepted.Done {
		t.accepted[ours.Owner] = accepted.Token
	}
	return accepted, nil
}

// refusals are what is answered at once, nothing having been written (facts: VMSS 3.3).
var refusals = []*scale.FleetError{
	fleetError("change", scale.ClassConflict, 409, "AnotherOperationInProgress", 0),
	fleetError("change", scale.ClassQuota, 409, "OperationNotAllowed", 0),
	fleetError("change", scale.ClassQuotaSpot, 409, "OperationNotAllowed", 0),
	fleetError("change", scale.ClassForbidden, 403, "AuthorizationFailed", 0),
	fleetError("change", scale.ClassNoSpot, 409, "SkuNotAvailable", 0),
}

// failures are how operations fail (facts: VMSS 3.3): the code arrives in the operation, with status 200 (VMSS 0.4).
var failures = []*scale.FleetError{
	fleetError("follow", scale.ClassNoCapacity, 200, "AllocationFailed", 0),
	fleetError("follow", scale.ClassNoCapacityZone, 200, "ZonalAllocationFailed", 0),
	fleetError("follow", scale.ClassGuest, 200, "OSProvisioningTimedOut", 0),
	fleetError("follow", scale.ClassQuotaRegion, 200, "OperationNotAllowed", 0),
	fleetError("follow", scale.ClassUnknown, 200, "InternalExecutionError", 0),
}

// write takes a new count: absolute, the older operation preempted by it (facts: VMSS 0.1, 0.5, 1.4). Machines are made
// or deleted by the difference of the nominal counts (VMSS 0.2).
func (s *set) write(capacity *int, mix *scale.Mix, ours *change, by power) *operation {
	w := s.w
	if s.current != nil && !s.current.done {
		s.finish(s.current, fleetError("follow", scale.ClassPreempted, 200, "OperationPreempted", 0))
	}
	before := s.capacity
	if capacity != nil {
		s.capacity, s.ourHand = *capacity, ours != nil
	}
	if mix != nil {
		m := *mix
		s.mix = &m
	}
	s.generation++
	w.serial++
	op := &operation{token: fmt.Sprintf("%s#%d?%s", s.id, w.serial, canary), ours: ours, expires: 2 * time.Hour, power: by}
	s.operations[op.token], s.current, s.state = op, op, "Updating"
	if ours != nil {
		ours.operation = op
	}
	lasts := w.between(3*time.Second, 90*time.Second)
	if w.chance.IntN(20) == 0 {
		lasts = 0 // had ended with the answer (facts: VMSS 1.2)
	}
	if r, hit := w.fault(faultOpSlow); hit {
		lasts = span(r, 2*time.Minute, 40*time.Minute)
	}
	if _, hit := w.fault(faultExpired); hit {
		op.expires = 0
	}
	made, wakes := s.capacity-before, by.wakes
	var back []string
	wrecked := 0
	var failure *scale.FleetError
	if r, hit := w.fault(faultOpFails); hit {
		// Fails wholly or in part: some machines are made, the nominal count stays (facts: VMSS 0.2, 3.3).
		failure = failures[r.IntN(len(failures))]
		if made > 0 {
			made = r.IntN(made + 1)
		}
		wakes = wakes[:r.IntN(len(wakes)+1)]
		if s.powered {
			back = by.parks[r.IntN(len(by.parks)+1):]
			wrecked = r.IntN(max(0, s.capacity-before-made) + 1)
		}
		lasts = max(lasts, time.Second)
	}
	if lasts == 0 {
		s.make(made, wakes)
		s.finish(op, nil)
		return op
	}
	if r, hit := w.fault(faultPreempted); hit {
		// Somebody else's write to another part of the model.
		w.after(time.Duration(r.Int64N(int64(lasts))), "preempt "+s.id, func() {
			if !op.done {
				s.write(nil, nil, nil, power{})
			}
		})
	}
	w.after(lasts, "operation ends "+s.id, func() {
		if !op.done {
			s.make(made, wakes)
			s.back(back)
			s.wreck(wrecked)
			s.finish(op, failure)
		}
	})
	return op
}

// finish ends an operation.
func (s *set) finish(op *operation, failure *scale.FleetError) {
	op.done, op.failure, op.ended = true, failure, s.w.now
	s.state = "Succeeded"
	if failure != nil {
		s.state = "Failed"
	}
	if s.moves {
		s.generation++
	}
}

// Follow says how an operation stands.
func (f fleetPort) Follow(ctx context.Context, token string) (scale.Progress, error) {
	t, w := taskOf(ctx), f.w
	got, err := t.cross(ctx, "arm follow", func() (any, error) {
		if r, hit := w.fault(faultFollow); hit {
			if r.IntN(2) == 0 {
				return nil, fleetError("follow", scale.ClassThrottled, 429, "TooManyRequests", span(r, time.Second, 10*time.Minute))
			}
			return nil, fleetError("follow", scale.ClassUnsure, 503, "ServiceUnavailable", 0)
		}
		for _, p := range w.rows {
			op := w.sets[p.ScaleSet].operations[token]
			switch {
			case op == nil:
				continue
			case op.expires == 0 || op.done && w.now.Sub(op.ended) > op.expires:
				// The record has expired (facts: VMSS 1.2).
				return nil, fleetError("follow", scale.ClassMissing, 404, "NotFound", 0)
			case !op.done:
				return scale.Progress{PollAfter: time.Duration(w.chance.IntN(30)) * time.Second}, nil
			default:
				return scale.Progress{Done: true, Failure: op.failure}, nil
			}
		}
		w.broken(10, "%s follows an operation that never was", t.name)
		return nil, fleetError("follow", scale.ClassMissing, 404, "NotFound", 0)
	})
	if err != nil {
		return scale.Progress{}, err
	}
	return got.(scale.Progress), nil
}

// evict takes Spot machines away (facts: VMSS 2.2): with Delete the nominal count may fall too, with Deallocate it stays.
func (s *set) evict(r *rand.Rand, n int, deallocate bool) {
	n = min(n, s.live)
	switch {
	case s.powered && deallocate:
		s.down(r, n, &s.stopped)
	case s.powered:
		s.down(r, n, nil)
	default:
		if s.live -= n; deallocate {
			s.evicted += n
		}
	}
	if !deallocate && s.lowers && n > 0 {
		s.capacity = max(0, s.capacity-n)
		s.generation++
	}
}
