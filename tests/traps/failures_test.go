package traps_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// Texts of core quotas as the compute provider writes them (facts: VMSS 3.3, 5.5 row 7).
const (
	familyText   = "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 20, Current Usage: 20, Additional Required: 4, (Minimum) New Limit Required: 24. Setup Alerts when Quota reaches threshold. Learn more at https://aka.ms/quotamonitoringalerting . Submit a request for Quota increase at https://aka.ms/x?a=b by specifying parameters listed in the Details section for deployment to succeed."
	nothingText  = "Operation could not be completed as it results in exceeding approved standardNCFamily Cores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 0, Current Usage: 0, Additional Required: 4, (Minimum) New Limit Required: 4."
	spotText     = "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 10, Current Usage: 10, Additional Required: 4, (Minimum) New Limit Required: 14."
	regionalText = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 40, Current Usage: 40, Additional Required: 4, (Minimum) New Limit Required: 44."
	crowdedBody  = `{"code":"OperationNotAllowed","message":"The server rejected the request because too many requests have been received for this subscription.","details":[{"code":"TooManyRequests","target":"UpdateVMScaleSet","message":"{\"operationGroup\":\"UpdateVMScaleSet\",\"allowedRequestCount\":12}"}]}`
)

// sized is the size of the emulator's sets.
const sized = "Standard_D2s_v5"

// row is one row of the table of failures: how it is answered, and what it makes rest.
type row struct {
	name string
	// late failures are those of the operation; others are refused at once, with a status.
	late    bool
	status  int
	code    string
	message string
	body    string
	after   int // Retry-After, in seconds
	spot    bool
	zones   []string

	class     scale.Class // empty for what makes nothing rest
	direction scale.Direction
	rest      time.Duration
	size      string
	zone      string
}

// Each row of the table of failures (facts: VMSS 3.3), in the form or the forms in which it comes.
var rows = []row{
	{name: "a throttle of the compute provider", status: 429, body: crowdedBody, after: 1200, class: scale.ClassThrottled, rest: 1200 * time.Second},
	{name: "a throttle of the front door", status: 429, code: "SubscriptionRequestsThrottled", after: 7, class: scale.ClassThrottled, rest: 15 * time.Second},
	{name: "a family's quota, at once", status: 409, code: "OperationNotAllowed", message: familyText, class: scale.ClassQuota, direction: scale.Grow, rest: 10 * time.Minute, size: sized},
	{name: "a family's quota, in the operation", late: true, code: "OperationNotAllowed", message: familyText, class: scale.ClassQuota, direction: scale.Grow, rest: 10 * time.Minute, size: sized},
	{name: "a family's quota that was never granted", status: 409, code: "OperationNotAllowed", message: nothingText, class: scale.ClassQuota, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "a family's quota that was never granted, in the operation", late: true, code: "OperationNotAllowed", message: nothingText, class: scale.ClassQuota, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "the quota for Spot, at once", spot: true, status: 409, code: "OperationNotAllowed", message: spotText, class: scale.ClassQuotaSpot, direction: scale.Grow, rest: time.Hour},
	{name: "the quota for Spot, in the operation", spot: true, late: true, code: "OperationNotAllowed", message: spotText, class: scale.ClassQuotaSpot, direction: scale.Grow, rest: time.Hour},
	{name: "the quota of the region, at once", status: 409, code: "OperationNotAllowed", message: regionalText, class: scale.ClassQuotaRegion, direction: scale.Grow, rest: time.Hour},
	{name: "the quota of the region, in the operation", late: true, code: "OperationNotAllowed", message: regionalText, class: scale.ClassQuotaRegion, direction: scale.Grow, rest: time.Hour},
	{name: "QuotaExceeded", status: 409, code: "QuotaExceeded", message: familyText, class: scale.ClassQuota, direction: scale.Grow, rest: 10 * time.Minute, size: sized},
	{name: "QuotaExceeded, for Spot", spot: true, status: 409, code: "QuotaExceeded", message: spotText, class: scale.ClassQuotaSpot, direction: scale.Grow, rest: time.Hour},
	{name: "a lock of the network provider", status: 429, code: "RetryableErrorDueToAnotherOperation", message: "Operation is in progress on another resource.", class: scale.ClassConflict, rest: 30 * time.Second},
	{name: "a lock of the network provider, in the operation", late: true, code: "RetryableErrorDueToAnotherOperation", class: scale.ClassConflict, rest: 30 * time.Second},
	{name: "another operation in progress", status: 409, code: "AnotherOperationInProgress", class: scale.ClassConflict, rest: 30 * time.Second},
	{name: "another operation in progress, in the operation", late: true, code: "AnotherOperationInProgress", class: scale.ClassConflict, rest: 30 * time.Second},
	{name: "Spot that is not to be had, at once", spot: true, status: 409, code: "SkuNotAvailable", class: scale.ClassNoSpot, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "Spot that is not to be had, in the operation", spot: true, late: true, code: "SkuNotAvailable", class: scale.ClassNoSpot, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "a regular size that is not to be had", status: 409, code: "SkuNotAvailable", class: scale.ClassNoSpot, direction: scale.Grow, rest: 23 * time.Hour, size: sized},
	{name: "a region without capacity", late: true, code: "AllocationFailed", class: scale.ClassNoCapacity, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "a region without capacity for Spot", spot: true, late: true, code: "AllocationFailed", class: scale.ClassNoCapacity, direction: scale.Grow, rest: time.Hour, size: sized},
	{
		name: "the only zone of a set without capacity", late: true, code: "ZonalAllocationFailed", message: "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone.",
		zones: []string{"2"}, class: scale.ClassNoCapacityZone, direction: scale.Grow, rest: time.Hour, size: sized, zone: "2",
	},
	{
		name: "the only zone of a set without capacity, named", late: true, code: "ZonalAllocationFailed", message: "We do not have sufficient capacity for the requested VM size in zone '2'.",
		zones: []string{"2"}, class: scale.ClassNoCapacityZone, direction: scale.Grow, rest: time.Hour, size: sized, zone: "2",
	},
	{
		name: "a zone that nobody names, of a set that spans three", late: true, code: "ZonalAllocationFailed",
		zones: []string{"1", "2", "3"}, class: scale.ClassNoCapacityZone, direction: scale.Grow, rest: 5 * time.Minute, size: sized,
	},
	{name: "a combination that cannot be met", late: true, code: "OverconstrainedAllocationRequest", class: scale.ClassConstrained, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "a combination that cannot be met in a zone", late: true, code: "OverconstrainedZonalAllocationRequest", class: scale.ClassConstrained, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "a price above the highest allowed", spot: true, status: 409, code: "SpotPriceGreaterThanProvidedMaxPrice", class: scale.ClassSpotPrice, direction: scale.Grow, rest: time.Hour, size: sized},
	{name: "a guest that does not come up", late: true, code: "OSProvisioningTimedOut", class: scale.ClassGuest, direction: scale.Grow, rest: 5 * time.Minute},
	{name: "a machine that does not start", late: true, code: "VMStartTimedOut", class: scale.ClassGuest, direction: scale.Grow, rest: 5 * time.Minute},
	{name: "an operation that a newer write preempted", late: true, code: "OperationPreempted"},
	{name: "an ETag that does not match", status: 412, code: "PreconditionFailed"},
	{name: "a set that is gone", status: 404, code: "ResourceNotFound", class: scale.ClassMissing, rest: 10 * time.Minute},
	{name: "a right that is missing", status: 403, code: "AuthorizationFailed", class: scale.ClassForbidden, rest: 10 * time.Minute},
	{name: "a linked right that is missing", status: 403, code: "LinkedAuthorizationFailed", class: scale.ClassForbidden, rest: 10 * time.Minute},
}

func (c *row) knob() arm.Knob {
	if c.late {
		status := "Failed"
		if c.code == "OperationPreempted" {
			status = "Canceled"
		}
		return arm.PlanNext{Set: web, Plan: arm.Plan{Status: status, Code: c.code, Message: c.message}}
	}
	f := arm.Fault{Method: "PATCH", Status: c.status, Code: c.code, Message: c.message, Times: 1}
	if c.body != "" {
		f.Body = json.RawMessage(c.body)
	}
	if c.after > 0 {
		f.Headers = map[string]string{"Retry-After": strconv.Itoa(c.after)}
	}
	return f
}

// failing is a rig whose first growth, by two, fails as the row says; it is left when the failure is known.
func failing(t *testing.T, c *row, zones ...string) *rig {
	t.Helper()
	set := arm.SetConfig{ID: web, Orchestration: arm.Uniform, Capacity: 10, Zones: append(c.zones, zones...)}
	if c.spot {
		set.Priority, set.EvictionPolicy = arm.Spot, arm.Delete
	}
	r := newRig(t, webPool(scale.Uniform), 10, arm.Config{Sets: []arm.SetConfig{set}})
	r.minutes(1)
	r.turn(c.knob())
	r.policy.instances = 12
	for range 4 {
		r.after(30 * time.Second)
		r.sweep()
		if o := r.outcome(); o != nil {
			return r
		}
	}
	t.Fatalf("the failure is not known: %+v", r.control().Intent)
	return nil
}

func TestEachFailureOfTheTableRestsWhatItIsAboutAsLongAsItSays(t *testing.T) {
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			r := failing(t, &c)
			o := r.outcome()
			rests := r.control().Memory.BackOffs
			if c.class == "" {
				if len(rests) != 0 {
					t.Errorf("%+v rest", rests)
				}
				r.minutes(4)
				r.settled(12)
				return
			}
			if o.Class != c.class || len(rests) != 1 {
				t.Fatalf("outcome %+v, resting %+v; want one rest of class %s", o, rests, c.class)
			}
			b := rests[0]
			if b.Class != c.class || b.Direction != c.direction || b.Size != c.size || b.Zone != c.zone || b.Until.Sub(o.At) != c.rest {
				t.Errorf("%s %q for %v of size %q, zone %q; want %s %q for %v of size %q, zone %q", b.Class, b.Direction, b.Until.Sub(o.At),
					b.Size, b.Zone, c.class, c.direction, c.rest, c.size, c.zone)
			}
			// Nothing is sent before, and the growth afterwards.
			sent := len(r.patches())
			r.after(b.Until.Sub(r.clock()) - time.Second)
			if got := r.sweep(); got.Sent || len(r.patches()) != sent {
				t.Errorf("%s before its rest is over: %+v", got.Reason, got)
			}
			r.after(time.Minute)
			r.sweep()
			r.minutes(4)
			if c.class == scale.ClassGuest {
				// Failed and running is a machine that is there: no other is made.
				if s := r.set(web); s.Regular.There != 12 {
					t.Errorf("got %+v, want twelve", s.Regular)
				}
				return
			}
			r.settled(12)
		})
	}
}

// resize gives the set another size, as its owner would.
func (r *rig) resize(size string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodPatch, r.emu.Endpoints().ARM+web+"?api-version=2026-04-01",
		strings.NewReader(`{"sku":{"name":"`+size+`"}}`))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.emu.Token())
	q.Header.Set("Content-Type", "application/json")
	transport := r.emu.Transport()
	defer transport.CloseIdleConnections()
	a, err := transport.RoundTrip(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	if a.StatusCode != http.StatusOK {
		r.t.Fatalf("resize: status %d", a.StatusCode)
	}
}

func TestAnotherSizeLiftsWhatRestsBecauseOfTheOldOne(t *testing.T) {
	for _, c := range rows {
		if c.size == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			r := failing(t, &c)
			r.resize("Standard_E4s_v5")
			r.minutes(6)
			r.settled(12)
			if m := r.control().Memory; m.SpotShort != nil {
				t.Errorf("%+v is remembered about the old size", m.SpotShort)
			}
		})
	}
}

func TestAZoneThatRestsHoldsNoSetThatSpansOthers(t *testing.T) {
	c := row{late: true, code: "ZonalAllocationFailed", message: "Allocation failed in zone '2'.", zones: []string{"1", "2", "3"}}
	r := failing(t, &c)
	if rests := r.control().Memory.BackOffs; len(rests) != 1 || rests[0].Zone != "2" || rests[0].Until.Sub(r.outcome().At) != time.Hour {
		t.Fatalf("got %+v, want zone 2 to rest for an hour", rests)
	}
	r.minutes(4)
	r.settled(12)
	entries, err := r.ledger.Entries(t.Context(), "web", time.Time{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for _, e := range entries {
		for _, a := range e.Decision.Adjustments {
			said = said || e.Decision.Act && a.Code == "back_off_other_zones" && a.Detail == "zone 2 rests: ZonalAllocationFailed"
		}
	}
	if !said {
		t.Error("no entry says that the growth went to the other zones")
	}
}

func TestAZoneThatFailsAgainWhileItRestsIsOneThatAzureInsistsOn(t *testing.T) {
	c := row{late: true, code: "ZonalAllocationFailed", message: "Allocation failed in zone '2'.", zones: []string{"1", "2", "3"}}
	r := failing(t, &c)
	r.turn(c.knob())
	r.minutes(3)
	sent := len(r.patches())
	r.minutes(30)
	if got := len(r.patches()); got != sent {
		t.Errorf("%d changes more although zone 2 failed twice", got-sent)
	}
	r.minutes(40)
	r.settled(12)
}

func TestAllZonesThatRestHoldTheSet(t *testing.T) {
	c := row{late: true, code: "ZonalAllocationFailed", message: "Allocation failed in zone '1'.", zones: []string{"1", "2"}}
	r := failing(t, &c)
	c.message = "Allocation failed in zone '2'."
	r.turn(c.knob())
	r.minutes(3)
	sent := len(r.patches())
	r.minutes(30)
	if got := len(r.patches()); got != sent {
		t.Errorf("%d changes more although both zones rest", got-sent)
	}
}
