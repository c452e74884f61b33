package metric_test

import (
	"testing"

	"trimtab/internal/metric"
)

func TestWhatIsRecognisedAndIsNoMetric(t *testing.T) {
	record := func(category string) string {
		return `{"records":[{"category":"` + category + `","operationName":"MICROSOFT.X/Y","durationMs":"0"}]}`
	}
	const resources = "Microsoft.ResourceNotifications."
	check(t, []decodeCase{
		{"an alert that fired", `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertRule":"web-cpu","monitorCondition":"Fired"}}}`, nil, first(metric.ReasonRecognisedAlert, `"Fired" of rule "web-cpu"`)},
		{"an alert of the older schema", `{"schemaId":"AzureMonitorMetricAlert","data":{}}`, nil, first(metric.ReasonRecognisedAlert)},
		{"another schemaId", `{"schemaId":"x"}`, nil, first(metric.ReasonUnsupportedFormat, `schemaId "x"`)},
		{"a record of the Activity Log", record("Administrative"), nil, first(metric.ReasonRecognisedActivity, `"MICROSOFT.X/Y"`)},
		{"a policy's record", record("Policy"), nil, first(metric.ReasonRecognisedActivity)},
		{"Resource Health in the Activity Log", record("ResourceHealth"), nil, first(metric.ReasonRecognisedHealth)},
		{"an evaluation of Azure's autoscale", record("AutoscaleEvaluations"), nil, first(metric.ReasonRecognisedAutoscale)},
		{"an action of Azure's autoscale", record("AutoscaleScaleActions"), nil, first(metric.ReasonRecognisedAutoscale)},
		{"autoscale in the Activity Log", record("Autoscale"), nil, first(metric.ReasonRecognisedAutoscale)},
		{"a resource log", record("AuditEvent"), nil, first(metric.ReasonUnsupportedFormat)},
		{"health as a CloudEvent", event(`{"metricName":"m","value":1}`, "type", `"`+resources+`HealthResources.ResourceAnnotated"`), nil, first(metric.ReasonRecognisedHealth)},
		{"health in Event Grid's schema", grid(`{}`, "eventType", `"`+resources+`HealthResources.AvailabilityStatusChanged"`), nil, first(metric.ReasonRecognisedHealth)},
		{"a scheduled event", grid(`{}`, "eventType", `"`+resources+`MaintenanceResources.ScheduledEventEmitted"`), nil, first(metric.ReasonRecognisedMaintenance)},
		{"another notification of resources", grid(`{}`, "eventType", `"`+resources+`ContainerServiceEventResources.ScheduledEventEmitted"`), nil, first(metric.ReasonUnknownFormat)},
		{"a notification of Azure's autoscale", `{"status":"Activated","operation":"Scale Out","context":{"oldCapacity":"1","newCapacity":"2"}}`, nil, first(metric.ReasonRecognisedAutoscale, `"Scale Out", from "1" to "2"`)},
	})
}
