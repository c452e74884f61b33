package arm_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/tests/armemu/arm"
)

// These tests hold the emulator against the real client: armcompute over TLS with the managed-identity credential of the
// platform, SDK retries and poller as they come.

const subscription = "5a1f0000-0000-4000-8000-000000000001"

// sdk makes the SDK's clients for an emulator, as a process on the platform would.
func sdk(t *testing.T, emu *arm.Server, retry policy.RetryOptions) *armcompute.ClientFactory {
	t.Helper()
	e := emu.Endpoints()
	t.Setenv("IDENTITY_ENDPOINT", e.Identity)
	t.Setenv("IDENTITY_HEADER", e.IdentityHeader)
	// The credential caches tokens by client ID for the whole process (facts: VMSS 7.3): each emulator needs its own.
	cred, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ID: azidentity.ClientID(e.IdentityHeader)})
	if err != nil {
		t.Fatal(err)
	}
	transport := emu.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	f, err := armcompute.NewClientFactory(subscription, cred, &azarm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud: cloud.Configuration{
				ActiveDirectoryAuthorityHost: "https://login.invalid/",
				Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
					cloud.ResourceManager: {Endpoint: e.ARM, Audience: "https://management.azure.com"},
				},
			},
			Transport: &http.Client{Transport: transport}, Retry: retry,
		},
		DisableRPRegistration: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func patch(n int64) armcompute.VirtualMachineScaleSetUpdate {
	return armcompute.VirtualMachineScaleSetUpdate{SKU: &armcompute.SKU{Capacity: to.Ptr(n)}}
}

func begin(t *testing.T, c *armcompute.VirtualMachineScaleSetsClient, n int64) *runtime.Poller[armcompute.VirtualMachineScaleSetsClientUpdateResponse] {
	t.Helper()
	p, err := c.BeginUpdate(t.Context(), "rg", "web", patch(n), nil)
	if err != nil {
		t.Fatalf("update to %d: %v", n, err)
	}
	return p
}

func wantResponse(t *testing.T, err error, status int, code string) *azcore.ResponseError {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) {
		t.Fatalf("got %v, want a ResponseError", err)
	}
	if re.StatusCode != status || re.ErrorCode != code {
		t.Errorf("got %d %s, want %d %s", re.StatusCode, re.ErrorCode, status, code)
	}
	return re
}

func count(emu *arm.Server, method string) int {
	n := 0
	for _, r := range emu.Requests() {
		if r.Method == method {
			n++
		}
	}
	return n
}

var often = &runtime.PollUntilDoneOptions{Frequency: time.Millisecond}

func TestSDKReadsPatchesAndPolls(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.Polls = 2 })
	c := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	got, err := c.Get(t.Context(), "rg", "web", nil)
	if err != nil {
		t.Fatal(err)
	}
	if *got.Etag != `"1"` || *got.SKU.Capacity != 4 || *got.Properties.OrchestrationMode != armcompute.OrchestrationModeFlexible ||
		*got.Properties.PriorityMixPolicy.BaseRegularPriorityCount != 2 || *got.Properties.VirtualMachineProfile.Priority != armcompute.VirtualMachinePriorityTypesSpot {
		t.Errorf("got %+v", got)
	}
	up := patch(6)
	up.Properties = &armcompute.VirtualMachineScaleSetUpdateProperties{PriorityMixPolicy: azcore.NullValue[*armcompute.PriorityMixPolicy]()}
	p, err := c.BeginUpdate(t.Context(), "rg", "web", up, &armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions{IfMatch: got.Etag})
	if err != nil {
		t.Fatal(err)
	}
	emu.ResetRequests()
	done, err := p.PollUntilDone(t.Context(), often)
	if err != nil {
		t.Fatal(err)
	}
	if *done.SKU.Capacity != 6 || done.Properties.PriorityMixPolicy != nil || *done.Etag != `"2"` || *done.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("got %+v", done)
	}
	if n := count(emu, "GET"); n != 4 {
		t.Errorf("got %d GETs, want three polls and one of the set", n)
	}
}

func TestSDKSees412And409AtOnce(t *testing.T) {
	emu, _ := platform(t)
	c := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	_, err := c.BeginUpdate(t.Context(), "rg", "web", patch(6), &armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions{IfMatch: to.Ptr(`"9"`)})
	wantResponse(t, err, 412, "PreconditionFailed")
	turn(t, emu, arm.Fault{Method: "PATCH", Status: 409, Code: "OperationNotAllowed"})
	_, err = c.BeginUpdate(t.Context(), "rg", "web", patch(6), nil)
	wantResponse(t, err, 409, "OperationNotAllowed")
	if n := count(emu, "PATCH"); n != 2 {
		t.Errorf("got %d PATCHes, want 2: neither is retried", n)
	}
}

func TestSDKHonoursShortThrottlesAndReturnsLongOnes(t *testing.T) {
	emu, _ := platform(t)
	c := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	turn(t, emu, arm.Fault{Status: 429, Code: "TooManyRequests", Headers: map[string]string{"Retry-After-Ms": "30"}})
	if _, err := c.Get(t.Context(), "rg", "web", nil); err != nil {
		t.Errorf("a short throttle: %v", err)
	}
	turn(t, emu, arm.Throttle{RetryAfterSeconds: 1200})
	_, err := c.Get(t.Context(), "rg", "web", nil)
	if re := wantResponse(t, err, 429, "OperationNotAllowed"); re.RawResponse.Header.Get("Retry-After") != "1200" {
		t.Errorf("got Retry-After %q", re.RawResponse.Header.Get("Retry-After"))
	}
	if n := count(emu, "GET"); n != 3 {
		t.Errorf("got %d GETs, want 3", n)
	}
}

// What the SDK does by itself with a lost answer is why the room that writes takes its retries away (facts: VMSS 1.3).
func TestSDKReplaysAPatchIntoA412OfItsOwn(t *testing.T) {
	emu, _ := platform(t)
	c := sdk(t, emu, policy.RetryOptions{RetryDelay: time.Millisecond}).NewVirtualMachineScaleSetsClient()
	turn(t, emu, arm.Fault{Method: "PATCH", Status: 503, Code: "ServerTimeout", After: true})
	_, err := c.BeginUpdate(t.Context(), "rg", "web", patch(6), &armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions{IfMatch: to.Ptr(`"1"`)})
	wantResponse(t, err, 412, "PreconditionFailed")
	if s := state(t, emu, web); s.Capacity != 6 || count(emu, "PATCH") != 2 {
		t.Errorf("got capacity %d after %d PATCHes, want 6 after 2", s.Capacity, count(emu, "PATCH"))
	}
}

func TestSDKPollersSeeFailurePreemptionAndExpiry(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.Polls = 1 })
	c := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()

	turn(t, emu, arm.PlanNext{Set: web, Plan: arm.Plan{Polls: 1, Status: "Failed", Code: "AllocationFailed", Message: "none left"}})
	_, err := begin(t, c, 6).PollUntilDone(t.Context(), often)
	wantResponse(t, err, 200, "AllocationFailed")

	first, second := begin(t, c, 7), begin(t, c, 8)
	_, err = first.PollUntilDone(t.Context(), often)
	wantResponse(t, err, 200, "OperationPreempted")
	if got, err := second.PollUntilDone(t.Context(), often); err != nil || *got.SKU.Capacity != 8 {
		t.Errorf("the newer one: got %+v, %v", got.SKU, err)
	}

	lost := begin(t, c, 9)
	turn(t, emu, arm.Forget{})
	_, err = lost.Poll(t.Context())
	wantResponse(t, err, 404, "NotFound")
	if lost.Done() {
		t.Error("a lost record ended the poller")
	}
}

func TestSDKResumesInAFreshClient(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.Polls = 1 })
	token, err := begin(t, sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient(), 6).ResumeToken()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(token, "Bearer") || !strings.Contains(token, "asyncURL") {
		t.Errorf("got token %s", token)
	}
	fresh := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	p, err := fresh.BeginUpdate(t.Context(), "", "", armcompute.VirtualMachineScaleSetUpdate{}, &armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions{ResumeToken: token})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.PollUntilDone(t.Context(), often); err != nil || *got.SKU.Capacity != 6 {
		t.Errorf("got %+v, %v", got.SKU, err)
	}
}

func TestSDKFinishesAtOnceWhenTheAnswerDoes(t *testing.T) {
	emu, _ := platform(t)
	c := sdk(t, emu, policy.RetryOptions{}).NewVirtualMachineScaleSetsClient()
	turn(t, emu, arm.PlanNext{Set: web, Plan: arm.Plan{Immediate: true}})
	if p := begin(t, c, 6); !p.Done() {
		t.Error("the poller goes on")
	}
}

func TestSDKListsMachines(t *testing.T) {
	emu, _ := platform(t, func(c *arm.Config) { c.PageSize = 3 })
	f := sdk(t, emu, policy.RetryOptions{})
	pager := f.NewVirtualMachinesClient().NewListPager("rg", &armcompute.VirtualMachinesClientListOptions{
		Filter: to.Ptr("'virtualMachineScaleSet/id' eq '" + web + "'"), Expand: to.Ptr(armcompute.ExpandTypeForListVMsInstanceView),
	})
	regular, spot := 0, 0
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, vm := range page.Value {
			if *vm.Properties.Priority == armcompute.VirtualMachinePriorityTypesSpot {
				spot++
			} else {
				regular++
			}
			if vm.Properties.InstanceView == nil || *vm.Properties.InstanceView.Statuses[1].Code != "PowerState/running" {
				t.Errorf("%s: got %+v", *vm.Name, vm.Properties.InstanceView)
			}
		}
	}
	if regular != 3 || spot != 1 {
		t.Errorf("got %d regular and %d Spot, want 3 and 1", regular, spot)
	}
	view, err := f.NewVirtualMachineScaleSetsClient().GetInstanceView(t.Context(), "rg", "jobs", nil)
	if err != nil || len(view.VirtualMachine.StatusesSummary) != 2 || *view.VirtualMachine.StatusesSummary[0].Count != 3 {
		t.Errorf("instance view: got %+v, %v", view.VirtualMachine, err)
	}
	_, err = f.NewVirtualMachineScaleSetsClient().GetInstanceView(t.Context(), "rg", "web", nil)
	wantResponse(t, err, 409, "OperationNotAllowed")
}

func TestSDKDoesNotTrustAnotherAuthority(t *testing.T) {
	emu, _ := platform(t)
	other, _ := platform(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", emu.Endpoints().ARM+web+version, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := other.Transport()
	defer transport.CloseIdleConnections()
	if resp, err := transport.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
		t.Error("a certificate of another emulator was taken")
	}
}
