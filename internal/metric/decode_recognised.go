package metric

import (
	"fmt"
	"strings"
)

// What is recognised here is no measurement, and still worth more than an unknown body: facts about machines, rivals and
// people. Each kind has a reason of its own, so that nothing of it is lost before views hold such facts.

// recognised tells events of Azure by their type; reason is "" for all others (facts: events 1.7).
func recognised(kind string) (reason, thing string) {
	const notifications = "Microsoft.ResourceNotifications."
	if len(kind) < len(notifications) || !strings.EqualFold(kind[:len(notifications)], notifications) {
		return "", ""
	}
	family, _, _ := strings.Cut(kind[len(notifications):], ".")
	switch {
	case strings.EqualFold(family, "HealthResources"):
		return ReasonRecognisedHealth, "the health of a machine, not a metric"
	case strings.EqualFold(family, "MaintenanceResources"):
		return ReasonRecognisedMaintenance, "a scheduled event of machines, not a metric"
	}
	return "", ""
}

// alertShape tells what action groups send (facts: events 1.6).
var alertShape = shape{
	is: func(o *object) bool { return o.mark("schemaid") },
	read: func(d *Decoder, o *object) {
		what := fmt.Sprintf("an alert of an action group (schemaId %s) at byte %d", clip([]byte(o.text("schemaid"))), o.at)
		if !strings.HasPrefix(strings.ToLower(o.text("schemaid")), "azuremonitor") {
			d.reject(ReasonUnsupportedFormat, what)
			return
		}
		if essentials := o.get("data").inner(); essentials != nil {
			if essentials = essentials.get("essentials").inner(); essentials != nil {
				what += fmt.Sprintf(": %s of rule %s", clip([]byte(essentials.text("monitorcondition"))), clip([]byte(essentials.text("alertrule"))))
			}
		}
		d.reject(ReasonRecognisedAlert, what)
	},
}

// logShape tells records by their category. The Activity Log has eight of them; three of those are facts of other kinds
// (facts: events 1.4, 1.7).
var logShape = shape{
	is: func(o *object) bool { return o.mark("category") },
	read: func(d *Decoder, o *object) {
		category := o.text("category")
		reason, what := ReasonUnsupportedFormat, "a resource log, not a metric"
		switch strings.ToLower(category) {
		case "resourcehealth":
			reason, what = ReasonRecognisedHealth, "a record of Resource Health, not a metric"
		case "autoscale", "autoscaleevaluations", "autoscalescaleactions":
			reason, what = ReasonRecognisedAutoscale, "a record of Azure's autoscale, not a metric"
		case "administrative", "policy", "security", "alert", "recommendation", "servicehealth":
			reason, what = ReasonRecognisedActivity, "a record of the Activity Log, not a metric"
		}
		d.reject(reason, fmt.Sprintf("%s (category %s, operationName %s) at byte %d", what, clip([]byte(category)),
			clip([]byte(o.text("operationname"))), o.at))
	},
}

// autoscaleShape tells the notification of Azure's autoscale, which goes to webhooks and comes to a hub only by
// somebody's forwarding (facts: events 1.6).
var autoscaleShape = shape{
	is: func(o *object) bool {
		context := o.get("context").inner()
		return o.has("operation", "status") && context != nil && context.has("oldcapacity", "newcapacity")
	},
	read: func(d *Decoder, o *object) {
		context := o.get("context").inner()
		d.reject(ReasonRecognisedAutoscale, fmt.Sprintf("a notification of Azure's autoscale at byte %d: %s, from %s to %s", o.at,
			clip([]byte(o.text("operation"))), clip([]byte(context.text("oldcapacity"))), clip([]byte(context.text("newcapacity")))))
	},
}
