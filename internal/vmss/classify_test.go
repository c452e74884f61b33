package vmss_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

// wrapped is an error document as most providers answer it.
func wrapped(code, message string) string {
	b, err := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": message}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

const (
	spotQuota     = "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 3, Current Usage: 0, Additional Required: 4, (Minimum) New Limit Required: 4. Submit a request for Quota increase at https://aka.ms/ProdportalCRP/?#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView/Parameters/x by specifying parameters listed in the 'Details' section for deployment to succeed."
	familyQuota   = "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 10, Current Usage: 8, Additional Required: 16, (Minimum) New Limit Required: 24."
	regionalQuota = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 100, Current Usage: 98, Additional Required: 8."
	throttledBody = `{"code":"OperationNotAllowed","message":"The server rejected the request because too many requests have been received for this subscription.","details":[{"code":"TooManyRequests","target":"VMScaleSetUpdates","message":"{\"operationGroup\":\"VMScaleSetUpdates\",\"startTime\":\"2026-03-01T10:00:00Z\",\"endTime\":\"2026-03-01T10:01:00Z\",\"allowedRequestCount\":12,\"measuredRequestCount\":14}"}]}`
)

func TestEachFailureHasItsClass(t *testing.T) {
	cases := []struct {
		name   string
		status int
		body   string
		class  scale.Class
		code   string
	}{
		{"the compute provider throttles, unwrapped", 429, throttledBody, scale.ClassThrottled, "OperationNotAllowed"},
		{"the same with a status that does not say so", 409, throttledBody, scale.ClassThrottled, "OperationNotAllowed"},
		{"the front door throttles", 429, wrapped("SubscriptionRequestsThrottled", "Number of requests for subscription exceeded the limit."), scale.ClassThrottled, "SubscriptionRequestsThrottled"},
		{"a throttle without a body", 429, `null`, scale.ClassThrottled, ""},
		{"a lock that answers 429", 429, wrapped("RetryableErrorDueToAnotherOperation", "Operation was canceled due to another operation."), scale.ClassConflict, "RetryableErrorDueToAnotherOperation"},
		{"another operation", 409, wrapped("AnotherOperationInProgress", "Another operation on this or dependent resource is in progress."), scale.ClassConflict, "AnotherOperationInProgress"},
		{"a conflict with a concurrent request", 409, wrapped("Conflict", "The request failed due to conflict with a concurrent request."), scale.ClassConflict, "Conflict"},
		{"a state that passes", 409, wrapped("OperationNotAllowed", "The operation is not allowed since the scale set is being updated; an operation is in progress."), scale.ClassConflict, "OperationNotAllowed"},
		{"a feature that is not to be had", 409, wrapped("OperationNotAllowed", "Operation 'VirtualMachineScaleSets.instanceView.GET' is not allowed on Virtual Machine Scale Set 'web'."), scale.ClassInvalid, "OperationNotAllowed"},
		{"maintenance control", 409, wrapped("OperationNotAllowed", "Force deletion is not supported for machines under maintenance control."), scale.ClassInvalid, "OperationNotAllowed"},
		{"a set that is going away", 409, wrapped("OperationNotAllowed", "Operation 'PATCH' is not allowed on VM scale set 'web' since it is marked for deletion."), scale.ClassMissing, "OperationNotAllowed"},
		{"Spot core quota", 409, wrapped("OperationNotAllowed", spotQuota), scale.ClassQuotaSpot, "OperationNotAllowed"},
		{"family core quota", 409, wrapped("OperationNotAllowed", familyQuota), scale.ClassQuota, "OperationNotAllowed"},
		{"regional core quota", 409, wrapped("OperationNotAllowed", regionalQuota), scale.ClassQuotaRegion, "OperationNotAllowed"},
		{"quota told by its own code", 400, wrapped("QuotaExceeded", "The quota for standardDSv5Family is used up."), scale.ClassQuota, "QuotaExceeded"},
		{"Spot quota told by that code", 400, wrapped("QuotaExceeded", "LowPriorityCores: 4 needed, 3 allowed."), scale.ClassQuotaSpot, "QuotaExceeded"},
		{"quota within the details of a validation", 400, `{"error":{"code":"InvalidTemplateDeployment","message":"See details.","details":[{"code":"QuotaExceeded","message":"Total Regional vCPUs: too many."}]}}`, scale.ClassQuotaRegion, "QuotaExceeded"},
		{"no Spot of the size", 409, wrapped("SkuNotAvailable", "The requested size for resource 'web' is currently not available in location 'westeurope' zones ''."), scale.ClassNoSpot, "SkuNotAvailable"},
		{"no capacity in the region", 409, wrapped("AllocationFailed", "Allocation failed."), scale.ClassNoCapacity, "AllocationFailed"},
		{"no capacity in the zone", 409, wrapped("ZonalAllocationFailed", "Allocation failed."), scale.ClassNoCapacityZone, "ZonalAllocationFailed"},
		{"too constrained", 409, wrapped("OverconstrainedAllocationRequest", "Allocation failed."), scale.ClassConstrained, "OverconstrainedAllocationRequest"},
		{"too constrained in the zone", 409, wrapped("OverconstrainedZonalAllocationRequest", "Allocation failed."), scale.ClassConstrained, "OverconstrainedZonalAllocationRequest"},
		{"the price allowed is below the market", 409, wrapped("SpotPriceGreaterThanProvidedMaxPrice", "The current price is above the maximum price."), scale.ClassSpotPrice, "SpotPriceGreaterThanProvidedMaxPrice"},
		{"the guest did not come up", 409, wrapped("OSProvisioningTimedOut", "OS Provisioning did not finish."), scale.ClassGuest, "OSProvisioningTimedOut"},
		{"a capacity failure even behind a server error", 500, wrapped("AllocationFailed", "Allocation failed."), scale.ClassNoCapacity, "AllocationFailed"},
		{"preempted", 409, wrapped("OperationPreempted", "Operation execution has been preempted by a more recent operation."), scale.ClassPreempted, "OperationPreempted"},
		{"the ETag", 412, wrapped("PreconditionFailed", `Etag provided in if-match header "1" does not match etag "2" of resource.`), scale.ClassPrecondition, "PreconditionFailed"},
		{"the set is gone", 404, wrapped("ResourceNotFound", "The Resource was not found."), scale.ClassMissing, "ResourceNotFound"},
		{"its resource group is gone", 404, wrapped("ResourceGroupNotFound", "Resource group 'rg' could not be found."), scale.ClassMissing, "ResourceGroupNotFound"},
		{"a right is missing", 403, wrapped("AuthorizationFailed", "The client does not have authorization to perform action 'Microsoft.Compute/virtualMachineScaleSets/write'."), scale.ClassForbidden, "AuthorizationFailed"},
		{"a right on something linked is missing", 403, wrapped("LinkedAuthorizationFailed", "The client lacks 'Microsoft.Network/virtualNetworks/subnets/join/action'."), scale.ClassForbidden, "LinkedAuthorizationFailed"},
		{"a lock that a person has set", 409, wrapped("ScopeLocked", "The scope cannot perform write operation because following scope(s) are locked."), scale.ClassForbidden, "ScopeLocked"},
		{"the token is not taken", 401, wrapped("InvalidAuthenticationToken", "The access token is invalid."), scale.ClassForbidden, "InvalidAuthenticationToken"},
		{"the request is wrong", 400, wrapped("InvalidParameter", "The value of parameter sku.capacity is invalid."), scale.ClassInvalid, "InvalidParameter"},
		{"a size written to a set with an instance mix", 400, wrapped("SkuNameMustBeMixIfSkuProfileIsSpecified", "The sku name must be Mix."), scale.ClassInvalid, "SkuNameMustBeMixIfSkuProfileIsSpecified"},
		{"a property that cannot be changed", 409, wrapped("PropertyChangeNotAllowed", "Changing property 'priorityMixPolicy' is not allowed."), scale.ClassInvalid, "PropertyChangeNotAllowed"},
		{"a server error", 500, wrapped("InternalServerError", "An error occurred."), scale.ClassUnsure, "InternalServerError"},
		{"a bad gateway that speaks no JSON", 502, `"<html>"`, scale.ClassUnsure, ""},
		{"the real code within innererror", 400, `{"error":{"code":"BadRequest","message":"x","innererror":{"code":"SkuNotAvailable","message":"none left"}}}`, scale.ClassNoSpot, "SkuNotAvailable"},
		{"the real code deep in the details", 409, `{"error":{"code":"ResourceOperationFailure","message":"x","details":[{"code":"Other","message":"y","details":[{"code":"ZonalAllocationFailed","message":"z"}]}]}}`, scale.ClassNoCapacityZone, "ZonalAllocationFailed"},
		{"fields of unexpected types", 409, `{"status":"409","error":{"code":"SkuNotAvailable","message":7,"details":"none"}}`, scale.ClassNoSpot, "SkuNotAvailable"},
	}
	emu := platform(t)
	f := fleet(t, emu, func(o *vmss.Options) { o.ReadRetries = -1 })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			turn(t, emu, arm.Fault{Status: c.status, Body: json.RawMessage(c.body), Times: 2})
			_, err := f.Change(t.Context(), web, scale.Change{Capacity: ptr(8), ETag: `"1"`})
			wantClass(t, err, "change", c.class, c.status, c.code)
			_, err = f.Read(t.Context(), web)
			wantClass(t, err, "read", c.class, c.status, c.code)
		})
	}
}

func TestTheErrorCodeHeaderGoesBeforeTheBody(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	turn(t, emu, arm.Fault{Status: 409, Code: "Conflict", Message: "see header", Headers: map[string]string{"x-ms-error-code": "SkuNotAvailable"}})
	_, err := f.Read(t.Context(), web)
	fe := wantClass(t, err, "read", scale.ClassNoSpot, 409, "SkuNotAvailable")
	if fe.Message != "see header" {
		t.Errorf("got message %q, want the body's", fe.Message)
	}
}

func TestRetryAfterInEveryForm(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name    string
		headers map[string]string
		want    time.Duration
	}{
		{"seconds", map[string]string{"Retry-After": "17"}, 17 * time.Second},
		{"twenty minutes", map[string]string{"Retry-After": "1200"}, 20 * time.Minute},
		{"a date", map[string]string{"Retry-After": now.Add(90 * time.Second).Format(http.TimeFormat)}, 90 * time.Second},
		{"a date that has passed", map[string]string{"Retry-After": now.Add(-time.Hour).Format(http.TimeFormat)}, 0},
		{"milliseconds", map[string]string{"Retry-After-Ms": "250"}, 250 * time.Millisecond},
		{"milliseconds of the other name", map[string]string{"x-ms-retry-after-ms": "250"}, 250 * time.Millisecond},
		{"milliseconds before seconds", map[string]string{"Retry-After-Ms": "250", "Retry-After": "17"}, 250 * time.Millisecond},
		{"no number", map[string]string{"Retry-After": "soon"}, 0},
		{"a negative number", map[string]string{"Retry-After": "-5"}, 0},
		{"a number beyond sense", map[string]string{"Retry-After": "9223372036854775807"}, 24 * time.Hour},
		{"none", nil, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu, func(o *vmss.Options) { o.Now, o.ReadRetries = func() time.Time { return now }, -1 })
			turn(t, emu, arm.Fault{Status: 429, Code: "TooManyRequests", Headers: c.headers})
			_, err := f.Read(t.Context(), web)
			if fe := failed(t, err, "read"); fe.RetryAfter != c.want {
				t.Errorf("got %v, want %v", fe.RetryAfter, c.want)
			}
		})
	}
}

func TestMessagesAreShortAndCarryNoSignedURL(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	message := "see https://x.invalid/op?p=1&s=" + signed + " for more\n" + strings.Repeat("é", 1000)
	turn(t, emu, arm.Fault{Status: 400, Code: "InvalidParameter", Message: message})
	_, err := f.Read(t.Context(), web)
	fe := failed(t, err, "read")
	if !strings.HasPrefix(fe.Message, "see https://x.invalid/op?… for more é") || len([]rune(fe.Message)) > 400 {
		t.Errorf("got message %q", fe.Message)
	}
}
