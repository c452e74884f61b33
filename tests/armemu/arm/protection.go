package arm

import (
	"net/http"
	"time"
)

// putInstance changes one instance's model, of which protection is emulated (facts: VMSS 2.4): both kinds of it can be
// set once the instance is there, and protection from actions without protection from scale-in cannot be asked for.
func (w *world) putInstance(c call) answer {
	s, m, missing := w.machineOf(c)
	if missing != nil {
		return *missing
	}
	var doc struct {
		Location   *string           `json:"location"`
		Tags       map[string]string `json:"tags"`
		Properties struct {
			Protection *struct {
				ScaleIn *bool `json:"protectFromScaleIn"`
				Actions *bool `json:"protectFromScaleSetActions"`
			} `json:"protectionPolicy"`
		} `json:"properties"`
	}
	if err := decodeStrict(c.body, &doc); err != nil {
		return *refusal(http.StatusNotImplemented, "NotEmulated", "The emulator changes an instance's protectionPolicy and tags only: %v.", err)
	}
	if p := doc.Properties.Protection; p != nil {
		in, actions := p.ScaleIn != nil && *p.ScaleIn, p.Actions != nil && *p.Actions
		if actions && p.ScaleIn != nil && !in {
			return *refusal(http.StatusBadRequest, "InvalidParameter", "protectFromScaleIn cannot be false when protectFromScaleSetActions is true.")
		}
		m.fromScaleIn, m.fromActions = in, actions
	}
	if doc.Tags != nil {
		m.tags = doc.Tags
	}
	o := w.track(s, w.nextPlan(s), c.now, c.now)
	a := success(m.doc(s, false))
	a.applied = true
	w.follow(a.header, o, c.host)
	return a
}

// patchMachine changes one machine of a Flexible set by its own resource, of which the tags are emulated.
func (w *world) patchMachine(c call) answer {
	s, m, missing := w.machineOf(c)
	if missing != nil {
		return *missing
	}
	var doc struct {
		Tags map[string]string `json:"tags"`
	}
	if err := decodeStrict(c.body, &doc); err != nil {
		return *refusal(http.StatusNotImplemented, "NotEmulated", "The emulator changes a machine's tags only: %v.", err)
	}
	m.tags = doc.Tags
	plan := w.nextPlan(s)
	o := w.track(s, plan, c.now, c.now.Add(time.Duration(plan.Seconds)*time.Second))
	a := success(m.doc(s, false))
	a.applied = true
	w.follow(a.header, o, c.host)
	return a
}
