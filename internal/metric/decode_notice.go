package metric

import (
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// Notices are what the last body told of that measured nothing: evictions, health, rivals, writes. Each is an element of
// its own, beside samples and rejections. The slice is valid until the next body is decoded.
func (d *Decoder) Notices() []scale.Notice { return d.notices }

// maxMachines is how many machines one notice may name.
const maxMachines = 2048

// note ends an element as a notice, or says what forbids that.
func (d *Decoder) note(n scale.Notice, reason, what string) {
	name, why := resourceName([]byte(n.Resource))
	switch {
	case n.Resource == "":
		d.reject(reason, what+": says no resource")
	case why != "":
		d.reject(reason, fmt.Sprintf("%s: the resource %s %s", what, clip([]byte(n.Resource)), why))
	case n.At.IsZero() || n.At.Unix() < epochFirst || n.At.Unix() >= epochEnd:
		d.reject(reason, what+": says no time between the years 2000 and 2099")
	case len(n.Machines) > maxMachines:
		d.reject(reason, fmt.Sprintf("%s: names %d machines, more than %d", what, len(n.Machines), maxMachines))
	case d.counted():
		n.Resource, n.At, n.Source = name, n.At.UTC(), d.source
		n.Source.Element = d.element
		n.State, n.By = strings.ToLower(shorter(n.State)), strings.ToLower(shorter(n.By))
		for i := range n.Machines {
			n.Machines[i] = strings.ToLower(shorter(n.Machines[i]))
		}
		n.ID = shorter(n.ID)
		d.notices = append(d.notices, n)
		d.element++
	}
}

// shorter bounds a text that others wrote and that a pool will remember.
func shorter(text string) string {
	const most = 128
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// The types of events that Azure's resource notifications have (facts: events 1.7).
const (
	notifications  = "microsoft.resourcenotifications."
	healthFamily   = notifications + "healthresources."
	maintainFamily = notifications + "maintenanceresources."
)

// notification tells a notification of Azure by its event's type; reason is "" for all others.
func notification(kind string) (reason, thing string) {
	kind = strings.ToLower(kind)
	switch {
	case strings.HasPrefix(kind, healthFamily):
		return ReasonRecognisedHealth, "the health of a machine"
	case strings.HasPrefix(kind, maintainFamily):
		return ReasonRecognisedMaintenance, "a scheduled event of machines"
	}
	return "", ""
}

// notified ends the data of a notification as a notice. Keys come in Pascal's and in camel casing (facts: events 1.7).
func (d *Decoder) notified(o *object) {
	reason, what := d.envelope.reason, fmt.Sprintf("%s at byte %d", d.envelope.thing, o.at)
	info := o.get("resourceinfo").inner()
	properties := (*object)(nil)
	if info != nil {
		properties = info.get("properties").inner()
	}
	if properties == nil {
		d.reject(reason, what+" without resourceInfo.properties")
		return
	}
	if reason == ReasonRecognisedMaintenance {
		d.scheduledEvent(info, properties, what)
		return
	}
	n := scale.Notice{Kind: scale.NoticeHealth, Resource: properties.text("targetresourceid"), At: d.envelope.at, ID: info.text("name")}
	if at := properties.get("occurredtime"); at != nil {
		if t, why := at.timeOf(); why == "" {
			n.At = t
		}
	}
	n.State = properties.text("availabilitystate", "annotationname")
	if n.State == "" {
		d.reject(reason, what+" without availabilityState and annotationName")
		return
	}
	if n.Resource == "" {
		n.Resource = d.envelope.resource
	}
	if strings.EqualFold(n.State, "VirtualMachinePreempted") {
		n.Kind = scale.NoticeEviction
	}
	d.note(n, reason, what)
}

// scheduledEvent ends a ScheduledEventEmitted as a notice: of an eviction if it preempts, else of maintenance.
func (d *Decoder) scheduledEvent(info, properties *object, what string) {
	n := scale.Notice{
		Kind: scale.NoticeMaintenance, Resource: info.text("id"), At: d.envelope.at,
		ID: properties.text("eventid"), State: properties.text("eventtype"),
	}
	if n.Resource == "" {
		n.Resource = d.envelope.resource
	}
	if i := strings.Index(strings.ToLower(n.Resource), "/providers/microsoft.maintenance/"); i >= 0 {
		n.Resource = n.Resource[:i]
	}
	if n.State == "" {
		d.reject(ReasonRecognisedMaintenance, what+" without EventType")
		return
	}
	if n.At.IsZero() {
		if at := properties.get("notbefore"); at != nil {
			n.At, _ = at.timeOf()
		}
	}
	switch status := strings.ToLower(properties.text("eventstatus")); {
	case status == "canceled" || status == "cancelled":
		n.Over = true
	case status == "completed":
		// A completed preemption has evicted; all other maintenance is over with its completion.
		n.Over = !strings.EqualFold(n.State, "preempt")
	}
	if strings.EqualFold(n.State, "preempt") {
		n.Kind = scale.NoticeEviction
	}
	if names := properties.get("resources"); names != nil && names.kind() == scan.Array {
		var s scan.Scanner
		s.Reset(names.raw)
		for s.Array(); s.Element(); {
			if s.Kind() != scan.String {
				s.Skip()
				continue
			}
			n.Machines = append(n.Machines, string(s.Text()))
		}
	}
	d.note(n, ReasonRecognisedMaintenance, what)
}

// embedded is an object, or a text that holds one: properties of logs come as both (facts: events 1.7).
func (m *member) embedded() *object {
	if o := m.inner(); o != nil || m == nil {
		return o
	}
	text, ok := m.text()
	if !ok {
		return nil
	}
	var s scan.Scanner
	s.Reset([]byte(text))
	if s.Skip(); s.Finish() != nil {
		return nil
	}
	return (&member{key: m.key, raw: []byte(text), at: m.at}).inner()
}

// whole is the value of a field that is a whole number, or a text that holds one; nil if it is neither.
func (m *member) whole() *int {
	if m == nil {
		return nil
	}
	v, ok := m.number()
	n := int(v)
	if !ok || float64(n) != v || n < 0 || n > 1_000_000 {
		return nil
	}
	return &n
}

// timeIn is the first of the named fields that is a time, zero if none is.
func (o *object) timeIn(keys ...string) (at time.Time) {
	for _, key := range keys {
		if m := o.get(key); m != nil {
			if t, why := m.timeOf(); why == "" {
				return t
			}
		}
	}
	return at
}
