package metric

import (
	"cmp"
	"fmt"
	"strings"

	"trimtab/internal/scale"
)

// logShape tells records by their category. The Activity Log has eight of them (facts: events 1.4, 1.7).
var logShape = shape{
	is:   func(o *object) bool { return o.mark("category") },
	read: (*Decoder).logRecord,
}

func (d *Decoder) logRecord(o *object) {
	category := o.text("category")
	about := func(what string) string {
		return fmt.Sprintf("%s (category %s, operationName %s) at byte %d", what, clip([]byte(category)),
			clip([]byte(o.text("operationname"))), o.at)
	}
	switch strings.ToLower(category) {
	case "resourcehealth":
		d.resourceHealth(o, about("a record of Resource Health"))
	case "autoscale", "autoscaleevaluations", "autoscalescaleactions":
		d.autoscaleLog(o, about("a record of Azure's autoscale"))
	case "administrative", "policy", "security", "alert", "recommendation", "servicehealth":
		d.activity(o, about("a record of the Activity Log"))
	default:
		d.reject(ReasonUnsupportedFormat, about("a resource log, not a metric"))
	}
}

// activity ends a record of the Activity Log. Only what has changed machines or their sets says something to a pool; the
// rest is told apart where nobody listens.
func (d *Decoder) activity(o *object, what string) {
	n := scale.Notice{
		Kind: scale.NoticeWrite, Resource: o.text("resourceid"), At: o.timeIn("time", "timestamp"),
		ID: o.text("correlationid"), State: action(o.text("operationname")),
	}
	result := strings.ToLower(strings.TrimRight(o.text("resulttype"), "."))
	// The record of the beginning has changed nothing yet, and that of a failure never did (facts: events 1.7).
	n.Over = result != "success" && result != "succeeded" || !strings.EqualFold(o.text("category"), "Administrative") ||
		!changing[n.State]
	if identity := o.get("identity").embedded(); identity != nil {
		if claims := identity.get("claims").embedded(); claims != nil {
			n.By = cmp.Or(claims.text("appid"), claims.text(principalClaim))
		}
	}
	d.note(n, ReasonRecognisedActivity, what)
}

// principalClaim names who wrote by the object in the directory, an identity's or a person's.
const principalClaim = "http://schemas.microsoft.com/identity/claims/objectidentifier"

// changing are the operations that change a set or its machines (facts: events 1.7).
var changing = map[string]bool{
	"write": true, "delete": true, "deallocate": true, "start": true, "poweroff": true, "restart": true, "redeploy": true,
	"reimage": true, "reimageall": true, "manualupgrade": true, "simulateeviction": true,
}

// action is the end of an operation's name that says what was done: MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WRITE is a
// write, …/START/ACTION a start.
func action(operation string) string {
	parts := strings.Split(strings.ToLower(operation), "/")
	if len(parts) > 1 && parts[len(parts)-1] == "action" {
		parts = parts[:len(parts)-1]
	}
	return parts[len(parts)-1]
}

// resourceHealth ends a record of a machine's health, by whatever depth its properties have.
func (d *Decoder) resourceHealth(o *object, what string) {
	n := scale.Notice{
		Kind: scale.NoticeHealth, Resource: o.text("resourceid"), At: o.timeIn("eventtimestamp", "time", "timestamp"),
		ID: o.text("correlationid"),
	}
	if p := o.get("properties").embedded(); p != nil {
		if inner := p.get("eventproperties").embedded(); inner != nil {
			p = inner
		}
		n.State = p.text("currenthealthstatus")
		if title := strings.ToLower(p.text("title")); strings.Contains(title, "preempted") {
			n.Kind = scale.NoticeEviction
		}
	}
	if n.State == "" {
		d.reject(ReasonRecognisedHealth, what+" without currentHealthStatus")
		return
	}
	d.note(n, ReasonRecognisedHealth, what)
}

// autoscaleLog ends a record of Azure's autoscale: its evaluations, its actions, or those of the Activity Log. The set is
// named in the properties; the record's own resource are the autoscale settings.
func (d *Decoder) autoscaleLog(o *object, what string) {
	n := scale.Notice{
		Kind: scale.NoticeRival, At: o.timeIn("time", "timestamp"), ID: o.text("correlationid"), By: autoscaler,
		State: action(o.text("operationname")),
	}
	if p := o.get("properties").embedded(); p != nil {
		n.Resource = p.text("targetresourceid", "resourcename", "resource name", "resourceid")
		n.From = p.get("oldinstancescount", "oldinstancecount", "currentinstancecount").whole()
		n.To = p.get("newinstancescount", "newinstancecount").whole()
	}
	if strings.EqualFold(o.text("category"), "AutoscaleEvaluations") {
		n.State = scale.RivalEvaluation
	}
	d.note(n, ReasonRecognisedAutoscale, what)
}

// autoscaler names Azure's own autoscale as a rival.
const autoscaler = "autoscale"

// autoscaleShape tells the notification of Azure's autoscale, which goes to webhooks and comes to a hub only by
// somebody's forwarding (facts: events 1.6).
var autoscaleShape = shape{
	is: func(o *object) bool {
		context := o.get("context").inner()
		return o.has("operation", "status") && context != nil && context.has("oldcapacity", "newcapacity")
	},
	read: func(d *Decoder, o *object) {
		context := o.get("context").inner()
		what := fmt.Sprintf("a notification of Azure's autoscale at byte %d: %s, from %s to %s", o.at,
			clip([]byte(o.text("operation"))), clip([]byte(context.text("oldcapacity"))), clip([]byte(context.text("newcapacity"))))
		d.note(scale.Notice{
			Kind: scale.NoticeRival, Resource: context.text("resourceid"), At: context.timeIn("timestamp"), ID: context.text("id"),
			By: autoscaler, State: o.text("operation"), From: context.get("oldcapacity").whole(), To: context.get("newcapacity").whole(),
		}, ReasonRecognisedAutoscale, what)
	},
}
