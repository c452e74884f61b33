package vmss_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

func TestACallThatIsChargedAsSeveralIsSpentAsSeveral(t *testing.T) {
	for _, c := range []struct{ charge, further int }{{1, 2}, {2, 1}, {3, 0}, {500, 0}} {
		t.Run(fmt.Sprintf("charged %d", c.charge), func(t *testing.T) {
			emu := platform(t)
			f, clock := budgeted(t, emu, vmss.Budgets{})
			turn(t, emu, arm.Fault{
				Method: http.MethodPatch, Status: 412, Code: "PreconditionFailed", Headers: map[string]string{"x-ms-request-charge": fmt.Sprint(c.charge)},
			})
			wantClass(t, change(t.Context(), f, web), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
			for range c.further {
				wantClass(t, change(t.Context(), f, web), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
			}
			unsent(t, emu, "change", "SetBudget", func() error { return change(t.Context(), f, web) })
			// What is owed is not owed for ever.
			clock.now = clock.now.Add(20 * time.Second)
			wantClass(t, change(t.Context(), f, web), "change", scale.ClassPrecondition, 412, "PreconditionFailed")
		})
	}
}

func TestACountOfEachLevelCountsForItsLevel(t *testing.T) {
	doc := document(t, func(_, _, _, _ map[string]any) {})
	const policy = "Microsoft.Compute/GetVMScaleSet"
	for _, c := range []struct{ name, header, own, other string }{
		{"the set's own bucket is empty", policy + ";0, " + policy + ";2000", "SetBudget", ""},
		{"the subscription's is, and the set's is not full", policy + ";20, " + policy + ";0", "SetBudget", "SubscriptionBudget"},
		{"no bucket is empty", policy + ";30, " + policy + ";2300", "", ""},
		{"one count, of more than a set's bucket holds", policy + ";37", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f, _ := budgeted(t, emu, vmss.Budgets{})
			turn(t, emu, arm.Fault{Status: 200, Body: doc, Headers: map[string]string{"x-ms-ratelimit-remaining-resource": c.header}})
			if err := read(t.Context(), f, web); err != nil {
				t.Fatal(err)
			}
			for set, code := range map[string]string{jobs: c.other, web: c.own} {
				if code == "" {
					if err := read(t.Context(), f, set); err != nil {
						t.Errorf("%s: %v", set, err)
					}
					continue
				}
				unsent(t, emu, "read", code, func() error { return read(t.Context(), f, set) })
			}
		})
	}
}

// The platform's bucket of a subscription holds three minutes' calls and ours one. Where much less is left than we leave,
// others are about, and the refill is theirs too.
func TestASubscriptionThatRunsLowIsLeftToOthersToo(t *testing.T) {
	doc := document(t, func(_, _, _, _ map[string]any) {})
	emu := platform(t)
	f, clock := budgeted(t, emu, vmss.Budgets{SetReads: -1})
	say := func(left int) {
		turn(t, emu, arm.Fault{Status: 200, Body: doc, Headers: map[string]string{"x-ms-ratelimit-remaining-resource": fmt.Sprintf("Microsoft.Compute/GetVMScaleSet;%d", left)}})
	}
	within := func(d time.Duration) (n int) {
		for end := clock.now.Add(d); clock.now.Before(end); clock.now = clock.now.Add(50 * time.Millisecond) {
			if read(t.Context(), f, web) == nil {
				n++
			}
		}
		return n
	}
	say(2000)
	if err := read(t.Context(), f, web); err != nil {
		t.Fatal(err)
	}
	// A full bucket is more than twenty seconds' calls; then it refills by thirteen a second.
	if n := within(10 * time.Second); n != 200 {
		t.Errorf("%d calls in ten seconds with much left, want one each twentieth of a second", n)
	}
	say(100)
	if err := read(t.Context(), f, web); err != nil {
		t.Fatal(err)
	}
	if n := within(10 * time.Second); n > 40 || n < 20 {
		t.Errorf("%d calls in ten seconds with little left, want about a quarter of the refill of 133", n)
	}
}
