package sim

import (
	"fmt"
	"time"

	"trimtab/internal/scale"
)

// restWithin bounds the virtual time in which all must have come to rest: the longest back-off and the longest cooldowns
// over as many steps as lie between the limits.
const restWithin = 6 * time.Hour

// rest stops the faults, lets the load stand still, and waits until every pool is where it belongs.
func (w *world) rest() {
	if w.result.Violation != nil {
		return
	}
	w.chaos = false
	w.ledgerDown, w.armDown = time.Time{}, time.Time{}
	w.note("calm")
	for _, p := range w.rows {
		s := w.sets[p.ScaleSet]
		s.zeroUntil = time.Time{}
		s.settle()
	}
	began := w.now
	deadline, next, calm := began.Add(restWithin), began.Add(time.Minute), 0
	why := ""
	for w.running() && w.now.Before(deadline) {
		if w.queue[0].at.Before(next) {
			w.step()
			continue
		}
		next = next.Add(time.Minute)
		if why = w.restless(); why != "" {
			calm = 0
			continue
		}
		if calm++; calm >= 3 {
			w.result.Rest = w.now.Sub(began)
			w.checkAll()
			return
		}
	}
	w.broken(0, "not at rest after %v: %s", restWithin, why)
}

// restless says what has not come to rest.
func (w *world) restless() string {
	for _, part := range w.parts {
		if part.owner == nil || part.owner.at < len(part.events)-4 {
			return "events of " + part.source() + " wait"
		}
		for _, e := range part.events {
			if e.enqueued.Before(w.now.Add(-2*time.Minute)) && int(e.sequence) > part.checkpoint {
				return "events of " + part.source() + " wait"
			}
		}
	}
	for _, p := range w.rows {
		if why := w.unsettled(p); why != "" {
			return why
		}
	}
	return ""
}

// unsettled says why a pool is not where its policy and rails allow.
func (w *world) unsettled(p *pool) string {
	s, c := w.sets[p.ScaleSet], p.control
	switch {
	case c == nil || w.now.Sub(c.EvaluatedAt) > 3*time.Minute:
		return p.Name + " is not evaluated"
	case c.Intent != nil:
		return p.Name + " has an intent: " + fmt.Sprintf("%+v", *c.Intent)
	case p.Mode != scale.Enforce || w.real || p.whole != nil || c.Orders.Freeze.Holds(w.now):
		return ""
	}
	want := w.wanted(p)
	if p.half != nil {
		return w.unsettledPair(p, want)
	}
	if w.kind == Group {
		if w.ordered() {
			return "" // what is held by an order is not there for the others
		}
		want = w.share(p)
	}
	have := s.capacity - len(s.off)
	if s.powered {
		have = s.live
	}
	if c.Orders.PauseGrow.Holds(w.now) && have < want || c.Orders.PauseShrink.Holds(w.now) && have > want {
		return ""
	}
	if have < want && len(s.off) > 0 && c.Orders.PauseShrink.Holds(w.now) {
		return "" // parked machines that are in the way stay, too
	}
	if have < want && (s.quota > 0 && s.taken() >= s.quota || s.blocked()) {
		return w.uncleaned(p, s) // as many as the quota leaves, or the platform
	}
	if have != want {
		return fmt.Sprintf("%s has %d and wants %d (limits %+v, platform %d); last it did %s because of %s: %+v, back-offs %+v, parked %v, stopped %v, failed %v, nominal %d, %s", p.Name,
			have, want, p.Rails.Limits, s.platformMax, p.last.Decision.Action, p.last.Decision.Reason, p.last.Decision.Adjustments, c.Memory.BackOffs,
			s.off, s.stopped, s.failed, s.capacity, s.state)
	}
	return w.uncleaned(p, s)
}
