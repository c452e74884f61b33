package arm

import (
	"bytes"
	"net/http"
	"slices"
	"time"
)

// powerSet is a call that brings a set's instances, or those that its body names, into another power state: sku.capacity
// stays as it is, and a newer write preempts it (facts: VMSS 1.4, 2.2).
func powerSet(to string) func(*world, call) answer {
	return func(w *world, c call) answer {
		s, missing := w.target(c)
		if missing != nil {
			return *missing
		}
		chosen, refused := s.named(c.body, true)
		if refused != nil {
			return *refused
		}
		if s.deleted {
			return *s.marked("Change the power state of Virtual Machine Scale Set")
		}
		if len(bytes.TrimSpace(c.body)) == 0 || bytes.Contains(c.body, []byte(`"*"`)) {
			// What is done to the set as a whole passes by machines that are protected from it (facts: VMSS 2.4).
			chosen = slices.DeleteFunc(chosen, func(m *machine) bool { return m.fromActions })
		}
		plan := w.preempt(s, c.now)
		if plan.Status != stateFailed {
			plan.failBy(w.switchPower(s, chosen, to, c.now))
			s.generation++
		}
		a := w.accept(s, plan, c, false)
		a.touched = len(chosen)
		return a
	}
}

// powerMachine is the same for one machine by its own resource: an operation of its own beside the set's, whose ETag does
// not move.
func powerMachine(to string) func(*world, call) answer {
	return func(w *world, c call) answer {
		s, m, missing := w.machineOf(c)
		if missing != nil {
			return *missing
		}
		plan := w.nextPlan(s)
		if plan.Status != stateFailed {
			plan.failBy(w.switchPower(s, []*machine{m}, to, c.now))
		}
		readyAt := c.now.Add(time.Duration(plan.Seconds) * time.Second)
		if m.unsettled() && m.settleAt.After(readyAt) {
			readyAt = m.settleAt
		}
		o := w.track(s, plan, c.now, readyAt)
		a := answer{status: http.StatusAccepted, header: http.Header{}, applied: plan.Status != stateFailed}
		a.header.Set("Azure-AsyncOperation", o.url(c.host))
		a.header.Set("Location", o.url(c.host)+"&monitor=true")
		w.askToWait(a.header)
		return a
	}
}

// failBy makes a plan that would succeed fail for the reason given, nil for none.
func (p *Plan) failBy(why *Plan) {
	if why != nil && p.Status == stateSucceeded {
		p.Status, p.Code, p.Message = why.Status, why.Code, why.Message
	}
}

// passing are the power states that machines show on the way.
var passing = map[string]string{powerRunning: powerStarting, powerStopped: "stopping", powerDeallocated: "deallocating"}

// switchPower starts, stops or deallocates machines and says why some do not start, nil if all do. A start needs capacity
// and quota as a creation does; where they are wanting the machine stays off, and its last operation has failed.
func (w *world) switchPower(s *set, chosen []*machine, to string, now time.Time) (failure *Plan) {
	for _, m := range chosen {
		if m.power == to && m.state == stateSucceeded {
			continue
		}
		before := m.power
		m.state, m.after, m.afterState, m.settleAt = stateUpdating, to, stateSucceeded, w.goneAt(now)
		if to == powerRunning {
			m.settleAt = w.bootedAt(s, now)
			if why := w.unstartable(s, m); why != nil {
				m.after, m.afterState, failure = before, stateFailed, why
				continue
			}
		}
		m.power = passing[to]
	}
	s.settle(now)
	return failure
}

// unstartable is why a machine that is off cannot come up, nil if it can. Those that are only stopped keep their place.
func (w *world) unstartable(s *set, m *machine) *Plan {
	if m.power != powerDeallocated {
		return nil
	}
	if c := w.short(s, m); c != nil {
		return &Plan{Status: stateFailed, Code: c.Code, Message: c.Message}
	}
	// A deallocated Spot machine is counted against its quota all along (facts: VMSS 2.2).
	if !m.spot {
		if why, _ := w.beyond(s, m.size, false, 1); why != nil {
			return why
		}
	}
	for _, c := range w.scarce {
		if c.fits(s, m) {
			c.Left--
		}
	}
	return nil
}
