package arm

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operation is a long-running operation and, after its end, its record.
type operation struct {
	name               string
	set                *set
	left               int // polls that still answer InProgress
	readyAt            time.Time
	final              Plan
	status             string // empty while it runs
	code, message      string
	startedAt, endedAt time.Time
	// deletes is true for the deletion of chosen instances. patched is true for an operation that a PATCH began, and not somebody else's write.
	deletes, patched bool
}

// change is what a PATCH, or somebody else's, asks of a set.
type change struct {
	capacity *int
	// mixGiven is true when the document names the policy, null included: null takes it away (facts: VMSS 1.1).
	mixGiven bool
	mix      *Mix
	size     string
	// model are the changes of other fields.
	model []func(*set)
}

// begin applies a change: the counter moves at once, machines follow with time, and whatever was under way is preempted
// (facts: VMSS 1.4, 2.1).
func (w *world) begin(s *set, c change, now time.Time) *operation {
	plan := w.preempt(s, now)
	s.generation++
	for _, apply := range c.model {
		apply(s)
	}
	if c.size != "" {
		s.Size = c.size
	}
	if c.mixGiven {
		s.mix = c.mix
	}
	if c.capacity != nil {
		if failure := w.resize(s, *c.capacity, plan, now); failure != nil && plan.Status == stateSucceeded {
			plan.Status, plan.Code, plan.Message = failure.Status, failure.Code, failure.Message
		}
	}
	return w.open(s, plan, now)
}

// open begins an operation whose effects are there already: it is over when the last machine has settled.
func (w *world) open(s *set, plan Plan, now time.Time) *operation {
	o := w.track(s, plan, now, now.Add(time.Duration(plan.Seconds)*time.Second))
	for _, m := range s.machines {
		if m.unsettled() && m.settleAt.After(o.readyAt) {
			o.readyAt = m.settleAt
		}
	}
	s.state, s.current = stateUpdating, o
	if plan.Immediate {
		s.settle(now)
		w.end(o, now)
	}
	return o
}

// track makes the record of an operation.
func (w *world) track(s *set, plan Plan, now, readyAt time.Time) *operation {
	w.serial++
	o := &operation{
		name: fmt.Sprintf("%08x-0000-4000-8000-%012x", w.serial, w.serial), set: s, left: plan.Polls, final: plan, startedAt: now,
		readyAt: readyAt,
	}
	w.ops[o.name] = o
	return o
}

// preempt ends what is under way, as a newer operation does, and takes the plan for that one.
func (w *world) preempt(s *set, now time.Time) Plan {
	if o := s.current; o != nil {
		o.final = Plan{
			Status: stateCanceled, Code: "OperationPreempted",
			Message: "Operation execution has been preempted by a more recent operation.",
		}
		w.end(o, now)
	}
	return w.nextPlan(s)
}

// nextPlan takes the plan for a set's next operation.
func (w *world) nextPlan(s *set) Plan {
	plan := Plan{Polls: w.cfg.Polls}
	if len(s.plans) > 0 {
		plan, s.plans = s.plans[0], s.plans[1:]
	}
	if plan.Status == "" {
		plan.Status = stateSucceeded
	}
	return plan
}

// resize moves the counter to n and makes or takes away the difference to the counter, not to the machines: that is how
// a set drifts (facts: VMSS 0.2). It says why machines fail, nil if none does.
func (w *world) resize(s *set, n int, plan Plan, now time.Time) *Plan {
	s.cancelMove(w.goneAt(now))
	// A capacity that somebody has written is the new target: what evictions took off it is not put back.
	s.evicted = slices.DeleteFunc(s.evicted, func(e *eviction) bool { return e.lowered })
	d := n - s.nominal
	s.nominal = n
	if d < 0 {
		s.shrink(-d, w.goneAt(now))
		return nil
	}
	failure := w.grow(s, d, now, w.bootedAt(s, now), plan)
	s.overprovision(d, now, w.bootedAt(s, now))
	s.settle(now)
	return failure
}

func (w *world) goneAt(now time.Time) time.Time {
	return now.Add(time.Duration(w.cfg.DeleteSeconds) * time.Second)
}

func (w *world) bootedAt(s *set, now time.Time) time.Time {
	boot := w.cfg.BootSeconds
	if s.BootSeconds != nil {
		boot = *s.BootSeconds
	}
	return now.Add(time.Duration(boot) * time.Second)
}

func (m *machine) unsettled() bool {
	return m.state == stateCreating || m.state == stateDeleting || m.state == stateUpdating
}

// due reports whether an operation has answered often enough and lasted long enough.
func (o *operation) due(at time.Time) bool { return o.left == 0 && !at.Before(o.readyAt) }

func (w *world) end(o *operation, now time.Time) {
	if o.status != "" {
		return
	}
	o.left, o.status, o.code, o.message, o.endedAt = 0, o.final.Status, o.final.Code, o.final.Message, now
	if o.set.current == o {
		o.set.current, o.set.state = nil, o.status
		if o.set.ETagMovesAtEnd {
			o.set.generation++
		}
	}
}

// poll answers a question about an operation: 404 when its record is gone (facts: VMSS 1.2).
func (w *world) poll(r call) answer {
	o := w.ops[r.args["operation"]]
	if o == nil || !strings.EqualFold(o.set.subscription, r.args["sub"]) {
		return failure(http.StatusNotFound, "NotFound", "The operation is unknown or its record has expired.")
	}
	if o.status == "" && o.due(r.now) {
		w.end(o, r.now)
	}
	if a, asked := o.monitor(r.query); asked {
		return a
	}
	doc := map[string]any{"name": o.name, "startTime": stamp(o.startedAt)}
	a := answer{status: http.StatusOK, header: http.Header{}, doc: doc}
	if o.status == "" {
		o.left = max(o.left-1, 0)
		doc["status"] = "InProgress"
		w.askToWait(a.header)
		return a
	}
	doc["status"], doc["endTime"] = o.status, stamp(o.endedAt)
	if o.code != "" {
		doc["error"] = map[string]any{"code": o.code, "message": o.message}
	}
	return a
}

func (w *world) askToWait(h http.Header) {
	if ms := w.cfg.PollAfterMilliseconds; ms > 0 {
		h.Set("Retry-After-Ms", strconv.Itoa(ms))
	}
}

func (o *operation) url(host string) string {
	return "https://" + host + "/subscriptions/" + o.set.subscription + "/providers/Microsoft.Compute/locations/" +
		o.set.Location + "/operations/" + o.name + "?p=5a1f&s=c2lnbmVk&api-version=2026-04-01"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
