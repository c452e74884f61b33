package vmss

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// CodeOperationExpired is the code of the FleetError, of class missing, that Follow answers when ARM no longer knows the
// operation: how it ended only the facts of the scale set can tell. No other missing thing has this code.
const CodeOperationExpired = "OperationExpired"

// Follow asks once how an accepted change stands. An operation that failed is a Progress with a Failure; an error, a
// *scale.FleetError, says that the question could not be answered.
func (f *Fleet) Follow(ctx context.Context, token string) (scale.Progress, error) {
	if all, ok := severalOf(token); ok {
		return f.followSeveral(ctx, all)
	}
	return f.followOne(ctx, token)
}

// followOne asks about one operation.
func (f *Fleet) followOne(ctx context.Context, token string) (scale.Progress, error) {
	t, fe := f.resumable(token)
	if fe != nil {
		return scale.Progress{}, fe
	}
	if fe := f.spend(opFollow, t, classFollow); fe != nil {
		return scale.Progress{}, fe
	}
	ctx, cancel := context.WithTimeout(told(ctx, t, classFollow), f.options.FollowTimeout)
	defer cancel()
	poller, err := f.resume(ctx, token)
	if err != nil {
		// The SDK's own text would quote the token.
		return scale.Progress{}, badToken("the resume token is not one of this client's")
	}
	if poller.Done() {
		return scale.Progress{Done: true}, nil
	}
	resp, err := poller.Poll(ctx)
	if err != nil {
		fe := f.fail(opFollow, t, classFollow, err)
		if fe.Status == http.StatusNotFound || fe.Status == http.StatusGone {
			fe.Class, fe.Code, fe.Message = scale.ClassMissing, CodeOperationExpired, "the operation's record is gone"
		}
		return scale.Progress{}, fe
	}
	if !poller.Done() {
		return scale.Progress{PollAfter: f.pollAfter(resp)}, nil
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return scale.Progress{}, f.fail(opFollow, t, classFollow, err)
	}
	// Asking the poller for its result would cost a further GET of the scale set after a success (facts: VMSS 1.2).
	if a := parseAnswer(body); a.failed() {
		return scale.Progress{Done: true, Failure: a.failure()}, nil
	}
	return scale.Progress{Done: true}, nil
}

// poller is what the SDK's pollers of different results have in common.
type poller interface {
	Done() bool
	Poll(ctx context.Context) (*http.Response, error)
}

// resume continues a change of any kind: the token says what it was made by.
func (f *Fleet) resume(ctx context.Context, token string) (poller, error) {
	var doc struct {
		Type string `json:"type"`
	}
	if json.Unmarshal([]byte(token), &doc) == nil {
		switch doc.Type {
		case "VirtualMachineScaleSetsClientDeleteInstancesResponse":
			return f.client.BeginDeleteInstances(ctx, "", "", armcompute.VirtualMachineScaleSetVMInstanceRequiredIDs{},
				&armcompute.VirtualMachineScaleSetsClientBeginDeleteInstancesOptions{ResumeToken: token})
		case "VirtualMachineScaleSetsClientDeallocateResponse":
			return f.client.BeginDeallocate(ctx, "", "", &armcompute.VirtualMachineScaleSetsClientBeginDeallocateOptions{ResumeToken: token})
		case "VirtualMachineScaleSetsClientStartResponse":
			return f.client.BeginStart(ctx, "", "", &armcompute.VirtualMachineScaleSetsClientBeginStartOptions{ResumeToken: token})
		case "VirtualMachinesClientDeallocateResponse":
			return f.machines.BeginDeallocate(ctx, "", "", &armcompute.VirtualMachinesClientBeginDeallocateOptions{ResumeToken: token})
		case "VirtualMachinesClientStartResponse":
			return f.machines.BeginStart(ctx, "", "", &armcompute.VirtualMachinesClientBeginStartOptions{ResumeToken: token})
		}
	}
	return f.client.BeginUpdate(ctx, "", "", armcompute.VirtualMachineScaleSetUpdate{},
		&armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions{ResumeToken: token})
}

// resumable checks a resume token before anything is sent: its URLs get a bearer token, whatever host they name (facts:
// VMSS 1.2), so that host must be ours.
func (f *Fleet) resumable(token string) (target, *scale.FleetError) {
	// Maps, not structs: the SDK takes the key token exactly as written, where a struct would take Token for it too.
	var doc map[string]json.RawMessage
	var fields map[string]any
	if json.Unmarshal([]byte(token), &doc) != nil || json.Unmarshal(doc["token"], &fields) != nil || len(fields) == 0 {
		return target{}, badToken("the resume token cannot be read")
	}
	found := 0
	t := target{subscription: "unknown", key: "unknown"}
	for field, v := range fields {
		text, isText := v.(string)
		if !isText || text == "" || (!strings.HasSuffix(strings.ToLower(field), "url") && !strings.Contains(text, "://")) {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || !sameHost(u, f.host) {
			return target{}, badToken("the resume token leads to a host that is not the configured Resource Manager")
		}
		found++
		if strings.EqualFold(field, "origURL") || strings.EqualFold(field, "pollURL") {
			t.key = strings.ToLower(strings.TrimRight(u.Path, "/"))
		}
		if p := strings.Split(strings.ToLower(u.Path), "/"); len(p) > 2 && p[1] == "subscriptions" {
			t.subscription = p[2]
		}
	}
	if found == 0 {
		return target{}, badToken("the resume token names no operation")
	}
	return t, nil
}

func sameHost(u, endpoint *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return "443"
	}
	return u.Scheme == endpoint.Scheme && u.User == nil && strings.EqualFold(u.Hostname(), endpoint.Hostname()) && port(u) == port(endpoint)
}

func badToken(message string) *scale.FleetError {
	return &scale.FleetError{Op: opFollow, Class: scale.ClassInvalid, Code: "InvalidResumeToken", Message: message}
}

// pollAfter is how long the answer asks to be waited with the next question.
func (f *Fleet) pollAfter(resp *http.Response) time.Duration {
	if resp != nil {
		if d := retryAfter(resp.Header, f.options.Now()); d > 0 {
			return d
		}
	}
	return f.options.PollAfter
}
