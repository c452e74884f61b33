package vmss_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

func TestFollowAsksOnceAndReadsNothingElse(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.Polls = 2 })
	f := fleet(t, emu)
	a := accepted(t, f, web, 8)
	emu.ResetRequests()
	for i, done := range []bool{false, false, true} {
		p, err := f.Follow(t.Context(), a.Token)
		if err != nil || p.Done != done || p.Failure != nil {
			t.Errorf("question %d: got %+v, %v; want done %v", i+1, p, err, done)
		}
		if got := len(emu.Requests()); got != i+1 {
			t.Errorf("question %d: got %d requests in all, want one each", i+1, got)
		}
	}
}

func TestAnotherProcessFollows(t *testing.T) {
	emu := platform(t)
	a := accepted(t, fleet(t, emu), web, 8)
	p := follow(t, fleet(t, emu), a.Token)
	if p.Failure != nil {
		t.Errorf("got failure %v", p.Failure)
	}
}

func TestAFailedOperationIsAProgress(t *testing.T) {
	cases := []struct {
		name, status, code, message string
		class                       scale.Class
	}{
		{"the region is out of the size", "Failed", "AllocationFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size in this region.", scale.ClassNoCapacity},
		{"the zone is out of the size", "Failed", "ZonalAllocationFailed", "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone.", scale.ClassNoCapacityZone},
		{"the combination cannot be had", "Failed", "OverconstrainedAllocationRequest", "Allocation failed. VM(s) with the following constraints cannot be allocated, because the condition is too restrictive.", scale.ClassConstrained},
		{"the combination cannot be had in the zone", "Failed", "OverconstrainedZonalAllocationRequest", "Allocation failed.", scale.ClassConstrained},
		{"no Spot of the size", "Failed", "SkuNotAvailable", "The requested size for resource is currently not available in location 'westeurope'.", scale.ClassNoSpot},
		{"Spot core quota", "Failed", "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Additional details - Deployment Model: Resource Manager, Location: westeurope, Current Limit: 3, Current Usage: 0, Additional Required: 4, (Minimum) New Limit Required: 4.", scale.ClassQuotaSpot},
		{"family core quota", "Failed", "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota. Additional details - Current Limit: 10, Current Usage: 10, Additional Required: 2.", scale.ClassQuota},
		{"regional core quota", "Failed", "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. Additional details - Current Limit: 100.", scale.ClassQuotaRegion},
		{"the guest did not come up", "Failed", "OSProvisioningTimedOut", "OS Provisioning for VM 'web_1' did not finish in the allotted time.", scale.ClassGuest},
		{"the machine did not start", "Failed", "VMStartTimedOut", "The VM did not start in the allotted time.", scale.ClassGuest},
		{"a lock of the network", "Failed", "RetryableErrorDueToAnotherOperation", "Operation on the subnet was retried due to another operation.", scale.ClassConflict},
		{"a right on the subnet is missing", "Failed", "LinkedAuthorizationFailed", "The client has permission to perform action but not on the linked scope.", scale.ClassForbidden},
		{"a newer write ended it", "Canceled", "OperationPreempted", "Operation execution has been preempted by a more recent operation.", scale.ClassPreempted},
		{"somebody ended it and left no code", "Canceled", "", "", scale.ClassPreempted},
		{"a code that is not known", "Failed", "InternalExecutionError", "An internal execution error occurred.", scale.ClassUnknown},
		{"no code at all", "Failed", "", "", scale.ClassUnknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu)
			turn(t, emu, arm.PlanNext{Set: web, Plan: arm.Plan{Polls: 1, Status: c.status, Code: c.code, Message: c.message}})
			a := accepted(t, f, web, 8)
			emu.ResetRequests()
			p := follow(t, f, a.Token)
			fe := p.Failure
			if fe == nil {
				t.Fatal("got no failure")
			}
			if fe.Op != "follow" || fe.Class != c.class || fe.Status != 200 || fe.Code != c.code || fe.Message == "" {
				t.Errorf("got %+v, want class %q, status 200, code %q", fe, c.class, c.code)
			}
			if got := len(emu.Requests()); got != 2 {
				t.Errorf("got %d requests, want two questions", got)
			}
			if s, err := emu.Set(web); err != nil || s.Capacity != 8 {
				t.Errorf("got capacity %d, %v; a failed growth keeps the number asked for", s.Capacity, err)
			}
		})
	}
}

func TestANewerWritePreemptsTheOperation(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	first := accepted(t, f, web, 8)
	second := accepted(t, f, web, 9)
	if p := follow(t, f, first.Token); p.Failure == nil || p.Failure.Class != scale.ClassPreempted || p.Failure.Code != "OperationPreempted" {
		t.Errorf("got %+v for the first, want it preempted", p.Failure)
	}
	if p := follow(t, f, second.Token); p.Failure != nil {
		t.Errorf("got %v for the second, want success", p.Failure)
	}
}

func TestAnExpiredRecordIsToldApart(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	a := accepted(t, f, web, 8)
	turn(t, emu, arm.Forget{Set: web})
	_, err := f.Follow(t.Context(), a.Token)
	wantClass(t, err, "follow", scale.ClassMissing, 404, vmss.CodeOperationExpired)
}

func TestAQuestionThatGotNoAnswerIsAnError(t *testing.T) {
	cases := []struct {
		name  string
		fault arm.Fault
		class scale.Class
	}{
		{"a server error", arm.Fault{Status: 503, Code: "ServerTimeout"}, scale.ClassUnsure},
		{"a broken connection", arm.Fault{Drop: true}, scale.ClassUnsure},
		{"a throttle", arm.Fault{Status: 429, Code: "TooManyRequests"}, scale.ClassThrottled},
		{"a missing right", arm.Fault{Status: 403, Code: "AuthorizationFailed"}, scale.ClassForbidden},
		{"a document without a status", arm.Fault{Status: 200, Body: json.RawMessage(`{"name":"op"}`)}, scale.ClassUnsure},
		{"a document of the wrong kind", arm.Fault{Status: 200, Body: json.RawMessage(`"soon"`)}, scale.ClassUnsure},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t, func(c *arm.Config) { c.Polls = 0 })
			f := fleet(t, emu)
			a := accepted(t, f, web, 8)
			emu.ResetRequests()
			turn(t, emu, c.fault)
			p, err := f.Follow(t.Context(), a.Token)
			if fe := failed(t, err, "follow"); fe.Class != c.class {
				t.Errorf("got class %q, want %q", fe.Class, c.class)
			}
			if p.Done {
				t.Error("got a progress that is done")
			}
			if got := len(emu.Requests()); got != 1 {
				t.Errorf("got %d requests, want exactly one", got)
			}
			if p := follow(t, f, a.Token); p.Failure != nil {
				t.Errorf("the token is of no use any more: %v", p.Failure)
			}
		})
	}
}

func TestATokenThatLeadsElsewhereIsRefusedUnsent(t *testing.T) {
	emu, thief := platform(t), platform(t)
	f := fleet(t, emu)
	token := accepted(t, f, web, 8).Token
	host := strings.TrimPrefix(emu.Endpoints().ARM, "https://")
	other := strings.TrimPrefix(thief.Endpoints().ARM, "https://")
	async, err := url.Parse(emu.Endpoints().ARM)
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(field, value string) string {
		var doc map[string]any
		if err := json.Unmarshal([]byte(token), &doc); err != nil {
			t.Fatal(err)
		}
		doc["token"].(map[string]any)[field] = value
		out, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	cases := []struct{ name, token string }{
		{"another port", strings.ReplaceAll(token, host, other)},
		{"another host for the operation alone", replaced("asyncURL", "https://"+other+"/x?s="+signed)},
		{"another host for the scale set alone", replaced("origURL", "https://"+other+"/x")},
		{"another host for the result", replaced("locURL", "https://"+other+"/x")},
		{"another host in a field that is not known", replaced("nextHop", "https://"+other+"/x")},
		{"plain http", replaced("asyncURL", "http://"+async.Host+"/x")},
		{"a user before the host", replaced("asyncURL", "https://"+async.Host+"@"+other+"/x")},
		{"a user at our host", replaced("asyncURL", "https://u:p@"+async.Host+"/x")},
		{"a relative URL", replaced("asyncURL", "/x")},
		{"a URL that is none", replaced("asyncURL", "https://%zz/")},
		{"nothing", ""},
		{"no JSON", "asyncURL=" + signed},
		{"no token within", `{"type":"x"}`},
		{"no URL within", `{"type":"VirtualMachineScaleSetsClientUpdateResponse","token":{"state":"InProgress"}}`},
		{"of another kind", strings.Replace(token, "VirtualMachineScaleSetsClientUpdateResponse", "DisksClientUpdateResponse", 1)},
	}
	emu.ResetRequests()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.Follow(t.Context(), c.token)
			wantClass(t, err, "follow", scale.ClassInvalid, 0, "InvalidResumeToken")
		})
	}
	if got := len(emu.Requests()) + len(thief.Requests()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
	if p := follow(t, f, token); p.Failure != nil || sent(emu, http.MethodGet) == 0 {
		t.Errorf("the token as it was given must do: %+v", p)
	}
}

func TestAnOperationWithoutARecordIsFollowedOnTheSetItself(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.Polls = 0 })
	f := fleet(t, emu)
	change := capacity(t, f, web, 8)
	turn(t, emu, arm.Fault{
		Method: http.MethodPatch, Status: 200, After: true,
		Body: json.RawMessage(`{"sku":{"capacity":8},"properties":{"provisioningState":"Updating"}}`),
	})
	a, err := f.Change(t.Context(), web, change)
	if err != nil || a.Done {
		t.Fatalf("got %+v, %v; want an operation", a, err)
	}
	if p := follow(t, f, a.Token); p.Failure != nil {
		t.Errorf("got %v, want success", p.Failure)
	}
}
