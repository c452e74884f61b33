package metric_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

func TestWhatIsRecognisedAndSaysTooLittle(t *testing.T) {
	record := func(category string) string {
		return `{"records":[{"category":"` + category + `","operationName":"MICROSOFT.X/Y","durationMs":"0"}]}`
	}
	const resources = "Microsoft.ResourceNotifications."
	check(t, []decodeCase{
		{"an alert of the older schema", `{"schemaId":"AzureMonitorMetricAlert","data":{}}`, nil, first(metric.ReasonRecognisedAlert, "common alert schema")},
		{"an alert that neither fired nor was resolved", `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertRule":"web-cpu","monitorCondition":"Ongoing"}}}`, nil, first(metric.ReasonRecognisedAlert, `"Ongoing" of rule "web-cpu"`)},
		{"an alert of nothing", `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertRule":"web-cpu","monitorCondition":"Fired"}}}`, nil, first(metric.ReasonNoResource, "alertTargetIDs")},
		{"an alert without a time", `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertRule":"r","monitorCondition":"Fired","alertTargetIDs":["/a"]}}}`, nil, first(metric.ReasonBadTime)},
		{"another schemaId", `{"schemaId":"x"}`, nil, first(metric.ReasonUnsupportedFormat, `schemaId "x"`)},
		{"a record of the Activity Log", record("Administrative"), nil, first(metric.ReasonRecognisedActivity, `"MICROSOFT.X/Y"`)},
		{"a policy's record", record("Policy"), nil, first(metric.ReasonRecognisedActivity)},
		{"Resource Health in the Activity Log", record("ResourceHealth"), nil, first(metric.ReasonRecognisedHealth)},
		{"an evaluation of Azure's autoscale", record("AutoscaleEvaluations"), nil, first(metric.ReasonRecognisedAutoscale)},
		{"an action of Azure's autoscale", record("AutoscaleScaleActions"), nil, first(metric.ReasonRecognisedAutoscale)},
		{"autoscale in the Activity Log", record("Autoscale"), nil, first(metric.ReasonRecognisedAutoscale)},
		{"a resource log", record("AuditEvent"), nil, first(metric.ReasonUnsupportedFormat)},
		{"health as a CloudEvent that holds a reading", event(`{"metricName":"m","value":1}`, "type", `"`+resources+`HealthResources.ResourceAnnotated"`), nil, first(metric.ReasonRecognisedHealth, "resourceInfo")},
		{"health in Event Grid's schema", grid(`{}`, "eventType", `"`+resources+`HealthResources.AvailabilityStatusChanged"`), nil, first(metric.ReasonRecognisedHealth)},
		{"a scheduled event", grid(`{}`, "eventType", `"`+resources+`MaintenanceResources.ScheduledEventEmitted"`), nil, first(metric.ReasonRecognisedMaintenance)},
		{"another notification of resources", grid(`{}`, "eventType", `"`+resources+`ContainerServiceEventResources.ScheduledEventEmitted"`), nil, first(metric.ReasonUnknownFormat)},
		{"a notification of Azure's autoscale", `{"status":"Activated","operation":"Scale Out","context":{"oldCapacity":"1","newCapacity":"2"}}`, nil, first(metric.ReasonRecognisedAutoscale, `"Scale Out", from "1" to "2"`)},
	})
}

const (
	flexVM    = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/web-vmss_ab12"
	smallVM   = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/web-vmss_ab12"
	smallVMSS = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachinescalesets/web-vmss"
)

func TestNotices(t *testing.T) {
	three, five := 3, 5
	when := time.Date(2026, 5, 4, 9, 3, 10, 250_000_000, time.UTC)
	scheduled := func(properties string) string {
		return grid(`{"resourceInfo":{"id":"`+smallVMSS+`/providers/microsoft.maintenance/scheduledevents/e1","properties":`+properties+`}}`,
			"eventType", `"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted"`)
	}
	health := func(properties string) string {
		return event(`{"resourceInfo":{"name":"h1","properties":`+properties+`}}`, "type", `"Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated"`)
	}
	log := func(category, members string) string {
		return `{"records":[{"category":"` + category + `","time":"2026-05-04T09:03:10.25Z","resourceId":"` + flexVM + `","correlationId":"c1",` + members + `}]}`
	}
	rival := func(change func(*told)) []told {
		n := told{Notice: scale.NoticeRival, Resource: smallVMSS, At: when, ID: "c1", By: "autoscale"}
		change(&n)
		return []told{n}
	}
	write := func(change func(*told)) []told {
		n := told{Notice: scale.NoticeWrite, Resource: smallVM, At: when, ID: "c1", State: "write"}
		change(&n)
		return []told{n}
	}
	d := metric.NewDecoder()
	for _, c := range []struct {
		name, body string
		want       []told
	}{
		{
			"a preemption is an eviction of the machines that it names", scheduled(`{"EventType":"Preempt","EventStatus":"Scheduled","EventId":"e1","Resources":["Web-VMSS_3","web-vmss_4",5]}`),
			[]told{{Notice: scale.NoticeEviction, Resource: smallVMSS, At: when, ID: "e1", Machines: []string{"web-vmss_3", "web-vmss_4"}, State: "preempt"}},
		},
		{
			"a completed preemption is one too, and not over", scheduled(`{"eventType":"preempt","eventStatus":"Completed","eventId":"e1"}`),
			[]told{{Notice: scale.NoticeEviction, Resource: smallVMSS, At: when, ID: "e1", State: "preempt"}},
		},
		{
			"a preemption that was called off is over", scheduled(`{"EventType":"Preempt","EventStatus":"Canceled","EventId":"e1"}`),
			[]told{{Notice: scale.NoticeEviction, Resource: smallVMSS, At: when, ID: "e1", State: "preempt", Over: true}},
		},
		{
			"a reboot is maintenance", scheduled(`{"EventType":"Reboot","EventStatus":"Started","EventId":"e2","NotBefore":"","DurationInSeconds":-1,"Resources":["web-vmss_3"]}`),
			[]told{{Notice: scale.NoticeMaintenance, Resource: smallVMSS, At: when, ID: "e2", Machines: []string{"web-vmss_3"}, State: "reboot"}},
		},
		{
			"a reboot that has ended is over", scheduled(`{"EventType":"Reboot","EventStatus":"Completed","EventId":"e2"}`),
			[]told{{Notice: scale.NoticeMaintenance, Resource: smallVMSS, At: when, ID: "e2", State: "reboot", Over: true}},
		},
		{
			"a scheduled event without a time of its own is of when it is due", event(`{"resourceInfo":{"id":"`+smallVMSS+`/providers/microsoft.maintenance/scheduledevents/e3","properties":{"EventType":"Preempt","EventStatus":"Scheduled","EventId":"e3","NotBefore":"Mon, 04 May 2026 09:03:10 GMT"}}}`,
				"type", `"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted"`, "time", ""),
			[]told{{Notice: scale.NoticeEviction, Resource: smallVMSS, At: when.Truncate(time.Second), ID: "e3", State: "preempt"}},
		},
		{
			"the annotation of a preemption is an eviction", health(`{"targetResourceId":"` + flexVM + `","occurredTime":"2026-05-04T09:03:00Z","annotationName":"VirtualMachinePreempted","impact":0}`),
			[]told{{Notice: scale.NoticeEviction, Resource: smallVM, At: when.Add(-10250 * time.Millisecond), ID: "h1", State: "virtualmachinepreempted"}},
		},
		{
			"availability is health", health(`{"targetResourceId":"` + flexVM + `","availabilityState":"Unavailable"}`),
			[]told{{Notice: scale.NoticeHealth, Resource: smallVM, At: when, ID: "h1", State: "unavailable"}},
		},
		{
			"health in the Activity Log", log("ResourceHealth", `"properties":{"eventProperties":{"title":"x","currentHealthStatus":"Degraded","previousHealthStatus":"Available"}}`),
			[]told{{Notice: scale.NoticeHealth, Resource: smallVM, At: when, ID: "c1", State: "degraded"}},
		},
		{
			"health whose properties are a text", log("ResourceHealth", `"properties":"{\"currentHealthStatus\":\"Unavailable\"}"`),
			[]told{{Notice: scale.NoticeHealth, Resource: smallVM, At: when, ID: "c1", State: "unavailable"}},
		},
		{
			"a preemption in the Activity Log", log("ResourceHealth", `"properties":{"title":"Virtual machine was preempted","currentHealthStatus":"Unavailable"}`),
			[]told{{Notice: scale.NoticeEviction, Resource: smallVM, At: when, ID: "c1", State: "unavailable"}},
		},
		{
			"a write names who wrote", log("Administrative", `"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE","resultType":"Success","identity":{"claims":{"appid":"AB-1"}}`),
			write(func(n *told) { n.By = "ab-1" }),
		},
		{
			"a write that names no application names its principal", log("Administrative", `"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE","resultType":"Success","identity":{"claims":{"http://schemas.microsoft.com/identity/claims/objectidentifier":"OID-1"}}`),
			write(func(n *told) { n.By = "oid-1" }),
		},
		{
			"an action that changes machines", log("Administrative", `"operationName":"Microsoft.Compute/virtualMachines/deallocate/action","resultType":"Succeeded.","durationMs":"20"`),
			write(func(n *told) { n.State = "deallocate" }),
		},
		{
			"the beginning of a write has changed nothing", log("Administrative", `"operationName":"x/write","resultType":"Start"`),
			write(func(n *told) { n.Over = true }),
		},
		{
			"a question that was answered has changed nothing", log("Administrative", `"operationName":"Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action","resultType":"Success"`),
			write(func(n *told) { n.State, n.Over = "retrievebootdiagnosticsdata", true }),
		},
		{
			"a write that a policy only looked at has changed nothing", log("Policy", `"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE","resultType":"Success"`),
			write(func(n *told) { n.Over = true }),
		},
		{
			"a policy's audit has changed nothing", log("Policy", `"operationName":"MICROSOFT.AUTHORIZATION/POLICIES/AUDIT/ACTION","resultType":"Success"`),
			write(func(n *told) { n.Over, n.State = true, "audit" }),
		},
		{
			"autoscale in the Activity Log", log("Autoscale", `"operationName":"Microsoft.Insights/AutoscaleSettings/ScaleupResult/Action","properties":{"ResourceName":"`+webVMSSPath+`","OldInstancesCount":"3","NewInstancesCount":5}`),
			rival(func(n *told) { n.From, n.To, n.State = &three, &five, "scaleupresult" }),
		},
		{
			"an evaluation of autoscale", log("AutoscaleEvaluations", `"operationName":"AutoscaleEvaluation","properties":{"TargetResourceId":"`+webVMSSPath+`","CurrentInstanceCount":3}`),
			rival(func(n *told) { n.From, n.State = &three, "evaluation" }),
		},
		{
			"a notification of autoscale", `{"status":"Activated","operation":"Scale Out","context":{"timestamp":"2026-05-04T09:03:10.25Z","id":"c1","resourceId":"` + webVMSSPath + `","oldCapacity":"3","newCapacity":"5"}}`,
			rival(func(n *told) { n.From, n.To, n.State = &three, &five, "scale out" }),
		},
		{
			"notices and samples in one body, each an element", `[` + log("Administrative", `"operationName":"x/write","resultType":"Success"`) + `,` + own() + `,` + log("Administrative", `"operationName":"x/write","resultType":"Success"`) + `]`,
			append(write(func(*told) {}), write(func(n *told) { n.Element = 2 })...),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples, rejected := d.Decode([]byte(c.body), scale.Source{})
			var got []told
			for _, n := range d.Notices() {
				got = append(got, noticed(n))
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(rejected) > 0 {
				t.Errorf("(-want +got):\n%s\n%+v", diff, rejected)
			}
			account(t, samples, rejected, d.Notices())
		})
	}
	if d.Decode([]byte("x"), scale.Source{}); len(d.Notices()) != 0 {
		t.Error("notices of the body before")
	}
}

const webVMSSPath = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/web-vmss"

func TestABodyThatBreaksTellsNothing(t *testing.T) {
	d := metric.NewDecoder()
	body := `[{"category":"Administrative","operationName":"x/write","time":"2026-05-04T09:03:10.25Z","resourceId":"/a"},`
	if _, rejected := d.Decode([]byte(body), scale.Source{}); len(rejected) != 1 || len(d.Notices()) != 0 {
		t.Errorf("%v, %v", rejected, d.Notices())
	}
}
