package vmss_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

// clock is a clock that moves when it is told to.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// budgeted is a fleet with the default budgets, or others, on a clock of its own.
func budgeted(t *testing.T, emu *arm.Server, b vmss.Budgets) (*vmss.Fleet, *clock) {
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return fleet(t, emu, func(o *vmss.Options) { o.Now, o.Budgets, o.ReadRetries = c.Now, b, -1 }), c
}

// unsent checks that the call was denied without reaching the wire.
func unsent(t *testing.T, emu *arm.Server, op, code string, call func() error) *scale.FleetError {
	t.Helper()
	before := len(emu.Requests())
	fe := wantClass(t, call(), op, scale.ClassThrottled, 0, code)
	if fe.RetryAfter <= 0 {
		t.Errorf("got Retry-After %v, want how long to wait", fe.RetryAfter)
	}
	if got := len(emu.Requests()); got != before {
		t.Errorf("got %d requests more, want none", got-before)
	}
	return fe
}

func read(ctx context.Context, f *vmss.Fleet, set string) error {
	_, err := f.Read(ctx, set)
	return err
}

func change(ctx context.Context, f *vmss.Fleet, set string) error {
	_, err := f.Change(ctx, set, scale.Change{Capacity: ptr(5), ETag: `"none"`})
	return err
}

func TestReadsOfASetAreTenAMinute(t *testing.T) {
	emu := platform(t)
	f, c := budgeted(t, emu, vmss.Budgets{})
	for i := range 10 {
		if err := read(t.Context(), f, web); err != nil {
			t.Fatalf("read %d: %v", i+1, err)
		}
	}
	fe := unsent(t, emu, "read", "SetBudget", func() error { return read(t.Context(), f, web) })
	if fe.RetryAfter != 6*time.Second {
		t.Errorf("got Retry-After %v, want the 6 s of one read", fe.RetryAfter)
	}
	if err := read(t.Context(), f, jobs); err != nil {
		t.Errorf("another set has a budget of its own: %v", err)
	}
	c.now = c.now.Add(fe.RetryAfter)
	if err := read(t.Context(), f, web); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	unsent(t, emu, "read", "SetBudget", func() error { return read(t.Context(), f, web) })
	c.now = c.now.Add(time.Hour)
	for i := range 10 {
		if err := read(t.Context(), f, web); err != nil {
			t.Fatalf("an hour later, read %d: %v", i+1, err)
		}
	}
	unsent(t, emu, "read", "SetBudget", func() error { return read(t.Context(), f, web) })
}

func TestWritesOfASetAreThreeAMinute(t *testing.T) {
	emu := platform(t)
	f, _ := budgeted(t, emu, vmss.Budgets{})
	for range 3 {
		wantClass(t, change(t.Context(), f, web), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
	}
	unsent(t, emu, "change", "SetBudget", func() error { return change(t.Context(), f, web) })
	if err := read(t.Context(), f, web); err != nil {
		t.Errorf("reads have a budget of their own: %v", err)
	}
}

func TestOneSubscriptionHasOneBudget(t *testing.T) {
	emu := platform(t)
	f, _ := budgeted(t, emu, vmss.Budgets{SubscriptionReads: 3})
	for _, set := range []string{web, jobs, web} {
		if err := read(t.Context(), f, set); err != nil {
			t.Fatal(err)
		}
	}
	fe := unsent(t, emu, "read", "SubscriptionBudget", func() error { return read(t.Context(), f, jobs) })
	if fe.RetryAfter != 20*time.Second {
		t.Errorf("got Retry-After %v, want the 20 s of one read", fe.RetryAfter)
	}
	other := "/subscriptions/5a1f0000-0000-4000-8000-000000000002/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/web"
	wantClass(t, read(t.Context(), f, other), "read", scale.ClassMissing, 404, "ResourceNotFound")
}

func TestRetryAfterIsObeyedForTheSetAndTheKindOfCall(t *testing.T) {
	emu := platform(t)
	f, c := budgeted(t, emu, vmss.Budgets{})
	turn(t, emu, arm.Throttle{Method: http.MethodPatch, RetryAfterSeconds: 1200})
	wantClass(t, change(t.Context(), f, web), "change", scale.ClassThrottled, 429, "OperationNotAllowed")
	c.now = c.now.Add(19 * time.Minute)
	fe := unsent(t, emu, "change", "RetryAfter", func() error { return change(t.Context(), f, web) })
	if fe.RetryAfter != time.Minute {
		t.Errorf("got Retry-After %v, want the minute that is left", fe.RetryAfter)
	}
	if err := read(t.Context(), f, web); err != nil {
		t.Errorf("reads of the set go on: %v", err)
	}
	wantClass(t, change(t.Context(), f, jobs), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
	c.now = c.now.Add(time.Minute)
	wantClass(t, change(t.Context(), f, web), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
}

func TestAThrottleOfTheFrontDoorHoldsForTheSubscription(t *testing.T) {
	emu := platform(t)
	f, c := budgeted(t, emu, vmss.Budgets{})
	turn(t, emu, arm.Fault{Status: 429, Code: "SubscriptionRequestsThrottled", Headers: map[string]string{
		"Retry-After": "7", "x-ms-ratelimit-remaining-subscription-reads": "0",
	}})
	wantClass(t, read(t.Context(), f, web), "read", scale.ClassThrottled, 429, "SubscriptionRequestsThrottled")
	for _, set := range []string{web, jobs} {
		unsent(t, emu, "read", "RetryAfter", func() error { return read(t.Context(), f, set) })
	}
	wantClass(t, change(t.Context(), f, jobs), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
	c.now = c.now.Add(7 * time.Second)
	if err := read(t.Context(), f, jobs); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestQuestionsAboutAnOperationAreTwelveAMinute(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.Polls = 100 })
	f, c := budgeted(t, emu, vmss.Budgets{})
	a := accepted(t, f, web, 8)
	ask := func() error {
		_, err := f.Follow(t.Context(), a.Token)
		return err
	}
	for i := range 12 {
		if err := ask(); err != nil {
			t.Fatalf("question %d: %v", i+1, err)
		}
	}
	unsent(t, emu, "follow", "SetBudget", ask)
	c.now = c.now.Add(5 * time.Second)
	if err := ask(); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestAClockSetBackDeniesNothingForever(t *testing.T) {
	emu := platform(t)
	f, c := budgeted(t, emu, vmss.Budgets{SetReads: 1})
	if err := read(t.Context(), f, web); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(-24 * time.Hour)
	unsent(t, emu, "read", "SetBudget", func() error { return read(t.Context(), f, web) })
	c.now = c.now.Add(time.Minute)
	if err := read(t.Context(), f, web); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestAShrinkLeavesTheLastWritesToGrowth(t *testing.T) {
	emu := platform(t)
	f, _ := budgeted(t, emu, vmss.Budgets{SetWrites: -1, SubscriptionWrites: 20})
	shrink := func() error {
		_, err := f.Change(t.Context(), web, scale.Change{Capacity: ptr(5), ETag: `"none"`, Shrink: true})
		return err
	}
	for range 18 {
		wantClass(t, shrink(), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
	}
	unsent(t, emu, "change", "SubscriptionBudget", shrink)
	for range 2 {
		wantClass(t, change(t.Context(), f, web), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
	}
	unsent(t, emu, "change", "SubscriptionBudget", func() error { return change(t.Context(), f, web) })
}
