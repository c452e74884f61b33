package arm

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// named finds the instances that a body names: ordinals on Uniform sets, machine names on Flexible ones (facts: VMSS
// 1.1). Without names it means all, where that is allowed.
func (s *set) named(body []byte, allAllowed bool) ([]*machine, *answer) {
	bad := func(status int, code, message string) ([]*machine, *answer) {
		a := failure(status, code, message)
		return nil, &a
	}
	var doc struct {
		IDs []string `json:"instanceIds"`
	}
	if len(body) > 0 {
		if err := decodeStrict(body, &doc); err != nil {
			return bad(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: "+err.Error()+".")
		}
	}
	if len(doc.IDs) == 0 && !allAllowed {
		return bad(http.StatusBadRequest, "InvalidParameter", "The value of parameter instanceIds is invalid: it names no instance.")
	}
	if len(doc.IDs) == 0 || (len(doc.IDs) == 1 && doc.IDs[0] == "*") {
		return s.newestFirst(), nil
	}
	var found []*machine
	seen := map[*machine]bool{}
	for _, id := range doc.IDs {
		m := s.instance(id)
		if m == nil {
			return bad(http.StatusBadRequest, "InvalidParameter", "The provided instanceId "+id+" is not an active virtual machine scale set VM instanceId.")
		}
		if !seen[m] {
			seen[m], found = true, append(found, m)
		}
	}
	return found, nil
}

// instance finds a machine that is not on its way out by the ID that the set's mode has for it.
func (s *set) instance(id string) *machine {
	for _, m := range s.newestFirst() {
		if (s.Orchestration == Uniform && strconv.Itoa(m.ordinal) == id) || (s.Orchestration == Flexible && strings.EqualFold(m.name, id)) {
			return m
		}
	}
	return nil
}

// deleteInstances removes chosen instances and lowers capacity by as many. While one such deletion is under way another
// is refused (facts: VMSS 1.1, 1.4).
func (w *world) deleteInstances(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	chosen, refused := s.named(c.body, false)
	if refused != nil {
		return *refused
	}
	if s.current != nil && s.current.deletes {
		return failure(http.StatusConflict, "Conflict", "The request failed due to conflict with a concurrent request. To resolve it, please refer to the activity log.")
	}
	if s.deleted {
		return *s.marked("Delete Virtual Machine Scale Set VMs")
	}
	plan := w.preempt(s, c.now)
	if plan.Status != stateFailed {
		s.remove(chosen, w.goneAt(c.now))
	}
	a := w.accept(s, plan, c, true)
	a.touched = len(chosen)
	return a
}

// remove takes machines away and lowers the counter by as many.
func (s *set) remove(chosen []*machine, goneAt time.Time) {
	for _, m := range chosen {
		m.leave(goneAt)
	}
	s.nominal = max(s.nominal-len(chosen), 0)
	s.generation++
}

// accept answers 202 with both kinds of operation URL and begins the operation (facts: VMSS 1.2).
func (w *world) accept(s *set, plan Plan, c call, deletes bool) answer {
	o := w.open(s, plan, c.now)
	o.deletes = deletes
	a := answer{status: http.StatusAccepted, header: http.Header{}, applied: plan.Status != stateFailed}
	a.header.Set("Azure-AsyncOperation", o.url(c.host))
	a.header.Set("Location", o.url(c.host)+"&monitor=true")
	w.askToWait(a.header)
	return a
}

// machineOf finds a machine by the resource group's call, on Flexible, or by the set's.
func (w *world) machineOf(c call) (*set, *machine, *answer) {
	if id := c.args["instance"]; id != "" {
		s, missing := w.target(c)
		if missing != nil {
			return nil, nil, missing
		}
		if m := s.instance(id); m != nil {
			return s, m, nil
		}
	} else {
		for _, s := range w.ordered() {
			if s.Orchestration != Flexible || !strings.EqualFold(s.subscription, c.args["sub"]) || !strings.EqualFold(s.group, c.args["group"]) {
				continue
			}
			if m := s.instance(c.args["name"]); m != nil {
				return s, m, nil
			}
		}
	}
	a := failure(http.StatusNotFound, "ResourceNotFound", "The machine at '"+c.path+"' was not found.")
	return nil, nil, &a
}

// deleteMachine deletes one machine by its own resource: on a Flexible set capacity stays and the set drifts, on a
// Uniform one it follows (facts: VMSS 0.2, 1.1).
func (w *world) deleteMachine(c call) answer {
	s, m, missing := w.machineOf(c)
	if missing != nil {
		return *missing
	}
	m.leave(w.goneAt(c.now))
	if s.Orchestration == Uniform {
		s.nominal = max(s.nominal-1, 0)
		s.generation++
	}
	o := w.track(s, Plan{Status: stateSucceeded}, c.now, m.settleAt)
	s.settle(c.now)
	a := answer{status: http.StatusAccepted, header: http.Header{}, applied: true}
	a.header.Set("Azure-AsyncOperation", o.url(c.host))
	a.header.Set("Location", o.url(c.host)+"&monitor=true")
	return a
}

// simulateEviction evicts one Spot machine at once; Azure takes up to half an hour.
func (w *world) simulateEviction(c call) answer {
	s, m, missing := w.machineOf(c)
	if missing != nil {
		return *missing
	}
	if !m.spot {
		return failure(http.StatusConflict, "OperationNotAllowed", "Eviction can be simulated for Spot machines only.")
	}
	w.evict(s, []*machine{m}, s.EvictionPolicy, s.Orchestration == Uniform, c.now)
	return answer{status: http.StatusNoContent, header: http.Header{}}
}

func (w *world) readInstance(c call) answer {
	s, m, missing := w.machineOf(c)
	if missing != nil {
		return *missing
	}
	return success(m.doc(s, strings.EqualFold(c.query.Get("$expand"), "instanceView")))
}

// monitor answers the Location form of an operation's URL: 202 while it runs, then what the call itself would have
// answered, which is nothing.
func (o *operation) monitor(query url.Values) (answer, bool) {
	if query.Get("monitor") != "true" {
		return answer{}, false
	}
	a := answer{status: http.StatusOK, header: http.Header{}}
	if o.status == "" {
		a.status = http.StatusAccepted
	}
	return a, true
}
