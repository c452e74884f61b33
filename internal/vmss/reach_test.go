package vmss_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

// count lists a set's machines.
func count(ctx context.Context, f *vmss.Fleet, set string, o scale.Orchestration) error {
	_, err := f.Count(ctx, set, scale.Facts{Capacity: 3, Orchestration: o})
	return err
}

func TestAThrottleOfTheFrontDoorHoldsForEveryCallOfItsKind(t *testing.T) {
	for _, c := range []struct {
		kind, method string
		throttled    func(ctx context.Context, f *vmss.Fleet) error
		op           string
		held         func(ctx context.Context, f *vmss.Fleet) error
		passes       func(ctx context.Context, f *vmss.Fleet) error
	}{
		{
			"reads", http.MethodGet,
			func(ctx context.Context, f *vmss.Fleet) error { return read(ctx, f, web) }, "count",
			func(ctx context.Context, f *vmss.Fleet) error { return count(ctx, f, jobs, scale.Uniform) },
			func(ctx context.Context, f *vmss.Fleet) error {
				_, err := f.Change(ctx, web, scale.Change{Delete: []string{"none"}})
				return err
			},
		},
		{
			"writes", http.MethodPatch,
			func(ctx context.Context, f *vmss.Fleet) error { return change(ctx, f, web) }, "change",
			func(ctx context.Context, f *vmss.Fleet) error {
				_, err := f.Change(ctx, jobs, scale.Change{Delete: []string{"0"}})
				return err
			},
			func(ctx context.Context, f *vmss.Fleet) error { return read(ctx, f, web) },
		},
	} {
		t.Run(c.kind, func(t *testing.T) {
			emu := platform(t)
			f, clock := budgeted(t, emu, vmss.Budgets{})
			turn(t, emu, arm.Fault{Method: c.method, Status: 429, Code: "SubscriptionRequestsThrottled", Headers: map[string]string{
				"Retry-After": "3600", "x-ms-ratelimit-remaining-subscription-" + c.kind: "0",
			}})
			failed(t, c.throttled(t.Context(), f), map[string]string{"reads": "read", "writes": "change"}[c.kind])
			clock.now = clock.now.Add(59 * time.Minute)
			if fe := unsent(t, emu, c.op, "RetryAfter", func() error { return c.held(t.Context(), f) }); fe.RetryAfter != time.Minute {
				t.Errorf("got Retry-After %v, want the minute that is left", fe.RetryAfter)
			}
			before := len(emu.Requests())
			_ = c.passes(t.Context(), f)
			if len(emu.Requests()) == before {
				t.Errorf("calls of the other kind are held too")
			}
			clock.now = clock.now.Add(time.Minute)
			before = len(emu.Requests())
			_ = c.held(t.Context(), f)
			if len(emu.Requests()) == before {
				t.Error("after the wait nothing was sent")
			}
		})
	}
}

func TestAThrottleOfTheSubscriptionsBucketHoldsForItsOtherSets(t *testing.T) {
	const other = "/subscriptions/5a1f0000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/other"
	for _, c := range []struct {
		name, op string
		allowed  int
		call     func(ctx context.Context, f *vmss.Fleet, set string) error
		holds    bool
	}{
		{"more reads than a set has are the subscription's", "read", 2400, read, true},
		{"reads of a set are its own", "read", 36, read, false},
		{"more writes than a set has are the subscription's", "change", 1500, change, true},
		{"writes of a set are its own", "change", 12, change, false},
		{"a list of a group's machines has the subscription's bucket only", "count", 900, func(ctx context.Context, f *vmss.Fleet, set string) error {
			return count(ctx, f, set, scale.Flexible)
		}, true},
		{"a list of a set's own machines has the set's", "count", 36, func(ctx context.Context, f *vmss.Fleet, set string) error {
			return count(ctx, f, set, scale.Uniform)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t, func(cfg *arm.Config) {
				cfg.Sets = append(cfg.Sets, arm.SetConfig{ID: other, Capacity: 2})
			})
			f, clock := budgeted(t, emu, vmss.Budgets{})
			body := fmt.Sprintf(`{"code":"OperationNotAllowed","message":"Too many requests.","details":[{"code":"TooManyRequests",`+
				`"target":"P","message":"{\"operationGroup\":\"P\",\"allowedRequestCount\":%d,\"measuredRequestCount\":%d}"}]}`, c.allowed, c.allowed+1)
			turn(t, emu, arm.Fault{Status: 429, Body: []byte(body), Headers: map[string]string{"Retry-After": "1200"}})
			wantClass(t, c.call(t.Context(), f, web), c.op, scale.ClassThrottled, 429, "OperationNotAllowed")
			clock.now = clock.now.Add(19 * time.Minute)
			before := len(emu.Requests())
			_ = c.call(t.Context(), f, other)
			if sent := len(emu.Requests()) > before; sent == c.holds {
				t.Errorf("sent for another set: %v, want %v", sent, !c.holds)
			}
			if c.op == "read" {
				// What is asked of operations has a bucket of its own.
				return
			}
			if err := read(t.Context(), f, other); err != nil {
				t.Errorf("calls of another policy are held too: %v", err)
			}
		})
	}
}

func TestAThrottledReadOfTheSubscriptionLeavesOperationsToBeAskedAbout(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.Polls = 100 })
	f, _ := budgeted(t, emu, vmss.Budgets{})
	a := accepted(t, f, web, 8)
	turn(t, emu, arm.Fault{Status: 429, Body: []byte(`{"code":"OperationNotAllowed","details":[{"code":"TooManyRequests","target":"GetVMScaleSet",` +
		`"message":"{\"allowedRequestCount\":2400}"}]}`), Headers: map[string]string{"Retry-After": "1200"}})
	failed(t, read(t.Context(), f, web), "read")
	if _, err := f.Follow(t.Context(), a.Token); err != nil {
		t.Errorf("got %v, want the operation's state", err)
	}
}
