package vmss_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

func ptr[T any](v T) *T { return &v }

func TestChangeSendsOneSparseConditionalPatch(t *testing.T) {
	cases := []struct {
		name   string
		change scale.Change
		body   string
	}{
		{"capacity alone", scale.Change{Capacity: ptr(7)}, `{"sku":{"capacity":7}}`},
		{"capacity zero is sent as zero", scale.Change{Capacity: ptr(0)}, `{"sku":{"capacity":0}}`},
		{
			"mix alone leaves capacity out",
			scale.Change{Mix: &scale.Mix{Base: 0, RegularPercent: 25}},
			`{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":0,"regularPriorityPercentageAboveBase":25}}}`,
		},
		{
			"both in one",
			scale.Change{Capacity: ptr(9), Mix: &scale.Mix{Base: 4, RegularPercent: 100}},
			`{"properties":{"priorityMixPolicy":{"baseRegularPriorityCount":4,"regularPriorityPercentageAboveBase":100}},"sku":{"capacity":9}}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu)
			c.change.ETag = `"1"`
			a, err := f.Change(t.Context(), web, c.change)
			if err != nil {
				t.Fatal(err)
			}
			if p := follow(t, f, a.Token); p.Failure != nil {
				t.Fatalf("the operation failed: %v", p.Failure)
			}
			var patches []arm.Request
			for _, r := range emu.Requests() {
				if r.Method == http.MethodPatch {
					patches = append(patches, r)
				}
			}
			if len(patches) != 1 || patches[0].IfMatch != `"1"` {
				t.Fatalf("got %+v, want one PATCH if the ETag matches \"1\"", patches)
			}
			var got, want any
			if err := json.Unmarshal(patches[0].Body, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.body), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("body (-got +want):\n%s", diff)
			}
			facts, err := f.Read(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			if c.change.Capacity != nil && facts.Capacity != *c.change.Capacity {
				t.Errorf("got capacity %d, want %d", facts.Capacity, *c.change.Capacity)
			}
			if c.change.Mix != nil && !cmp.Equal(facts.Mix, c.change.Mix) {
				t.Errorf("got mix %v, want %v", facts.Mix, c.change.Mix)
			}
			if facts.ETag != `"2"` || facts.ProvisioningState != "Succeeded" {
				t.Errorf("got ETag %s in state %s, want \"2\" and Succeeded", facts.ETag, facts.ProvisioningState)
			}
		})
	}
}

func TestAChangeThatMustNotBeSentIsRefused(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	cases := []struct {
		name   string
		change scale.Change
	}{
		{"no ETag", scale.Change{Capacity: ptr(5)}},
		{"nothing to change", scale.Change{ETag: `"1"`}},
		{"a negative capacity", scale.Change{ETag: `"1"`, Capacity: ptr(-1)}},
		{"a percentage above 100", scale.Change{ETag: `"1"`, Mix: &scale.Mix{RegularPercent: 101}}},
		{"a negative base", scale.Change{ETag: `"1"`, Mix: &scale.Mix{Base: -1}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.Change(t.Context(), web, c.change)
			wantClass(t, err, "change", scale.ClassInvalid, 0, "RefusedUnsent")
		})
	}
	if got := len(emu.Requests()); got != 0 {
		t.Errorf("got %d requests, want none", got)
	}
}

func TestAStaleOrStrippedETagChangesNothing(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	turn(t, emu, arm.ForeignWrite{Set: web})
	for _, etag := range []string{`"1"`, `2`} {
		_, err := f.Change(t.Context(), web, scale.Change{Capacity: ptr(9), ETag: etag})
		wantClass(t, err, "change", scale.ClassPrecondition, 412, "PreconditionFailed")
	}
	if s, err := emu.Set(web); err != nil || s.Capacity != 3 || s.ETag != `"2"` {
		t.Errorf("got %+v, %v; want capacity 3 and ETag \"2\"", s, err)
	}
}

// Whatever goes wrong, one call is one PATCH on the wire.
func TestChangeIsNeverSentTwice(t *testing.T) {
	short := map[string]string{"Retry-After-Ms": "1"}
	cases := []struct {
		name     string
		fault    arm.Fault
		class    scale.Class
		status   int
		capacity int
	}{
		{"503 before it was applied", arm.Fault{Status: 503, Code: "ServerTimeout"}, scale.ClassUnsure, 503, 3},
		{"503 after it was applied", arm.Fault{Status: 503, Code: "ServerTimeout", After: true}, scale.ClassUnsure, 503, 8},
		{"500", arm.Fault{Status: 500, Code: "InternalServerError"}, scale.ClassUnsure, 500, 3},
		{"504 after it was applied", arm.Fault{Status: 504, Code: "GatewayTimeout", After: true}, scale.ClassUnsure, 504, 8},
		{"408", arm.Fault{Status: 408, Code: "RequestTimeout"}, scale.ClassUnsure, 408, 3},
		{"the connection breaks before it was applied", arm.Fault{Drop: true}, scale.ClassUnsure, 0, 3},
		{"the connection breaks after it was applied", arm.Fault{Drop: true, After: true}, scale.ClassUnsure, 0, 8},
		{"no answer comes in time", arm.Fault{Hang: true, After: true}, scale.ClassUnsure, 0, 8},
		{"a short throttle", arm.Fault{Status: 429, Code: "TooManyRequests", Headers: short}, scale.ClassThrottled, 429, 3},
		{"a conflict", arm.Fault{Status: 409, Code: "Conflict"}, scale.ClassConflict, 409, 3},
		{"an answer that cannot be followed", arm.Fault{Status: 202, Body: json.RawMessage(`{}`), After: true}, scale.ClassUnsure, 202, 8},
		{"a challenge without claims", arm.Fault{Status: 401, Code: "InvalidAuthenticationToken", Headers: map[string]string{"WWW-Authenticate": `Bearer authorization_uri="https://login.invalid"`}}, scale.ClassForbidden, 401, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu, func(o *vmss.Options) { o.ChangeTimeout = 2 * time.Second })
			if c.fault.Hang {
				f = fleet(t, emu, func(o *vmss.Options) { o.ChangeTimeout = 100 * time.Millisecond })
			}
			change := capacity(t, f, web, 8)
			c.fault.Method, c.fault.Times = http.MethodPatch, 5
			turn(t, emu, c.fault)
			_, err := f.Change(t.Context(), web, change)
			fe := failed(t, err, "change")
			if fe.Class != c.class || fe.Status != c.status {
				t.Errorf("got %q with status %d, want %q with %d", fe.Class, fe.Status, c.class, c.status)
			}
			if got := sent(emu, http.MethodPatch); got != 1 {
				t.Errorf("got %d PATCHes on the wire, want 1", got)
			}
			if s, err := emu.Set(web); err != nil || s.Capacity != c.capacity {
				t.Errorf("got capacity %d, %v; want %d", s.Capacity, err, c.capacity)
			}
		})
	}
}

func TestAThrottledChangeSaysForHowLong(t *testing.T) {
	for _, seconds := range []int{1, 1200} {
		emu := platform(t)
		f := fleet(t, emu)
		change := capacity(t, f, web, 8)
		turn(t, emu, arm.Throttle{Method: http.MethodPatch, RetryAfterSeconds: seconds})
		_, err := f.Change(t.Context(), web, change)
		fe := wantClass(t, err, "change", scale.ClassThrottled, 429, "OperationNotAllowed")
		if want := time.Duration(seconds) * time.Second; fe.RetryAfter != want {
			t.Errorf("got Retry-After %v, want %v", fe.RetryAfter, want)
		}
	}
}

func TestAnOperationThatEndsWithTheAnswer(t *testing.T) {
	t.Run("in success is done", func(t *testing.T) {
		emu := platform(t)
		f := fleet(t, emu)
		turn(t, emu, arm.PlanNext{Set: web, Plan: arm.Plan{Immediate: true}})
		a, err := f.Change(t.Context(), web, capacity(t, f, web, 8))
		if err != nil || !a.Done || a.Token != "" {
			t.Errorf("got %+v, %v; want it done", a, err)
		}
	})
	for _, status := range []string{"Failed", "Canceled"} {
		t.Run("in state "+status+" is for the facts to tell", func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu)
			turn(t, emu, arm.PlanNext{Set: web, Plan: arm.Plan{Immediate: true, Status: status, Code: "AllocationFailed"}})
			_, err := f.Change(t.Context(), web, capacity(t, f, web, 8))
			wantClass(t, err, "change", scale.ClassUnsure, 200, "UnclearAnswer")
		})
	}
	t.Run("with neither state nor operation is taken as done", func(t *testing.T) {
		emu := platform(t)
		f := fleet(t, emu)
		change := capacity(t, f, web, 8)
		turn(t, emu, arm.Fault{Method: http.MethodPatch, Status: 200, Body: json.RawMessage(`{"sku":{"capacity":8}}`), After: true})
		a, err := f.Change(t.Context(), web, change)
		if err != nil || !a.Done {
			t.Errorf("got %+v, %v; want it done", a, err)
		}
	})
}

func TestTheAnswerSaysWhenToAsk(t *testing.T) {
	emu := platform(t, func(c *arm.Config) { c.PollAfterMilliseconds = 1500 })
	f := fleet(t, emu)
	a := accepted(t, f, web, 8)
	if a.PollAfter != 1500*time.Millisecond {
		t.Errorf("got %v after the change, want 1.5 s", a.PollAfter)
	}
	p, err := f.Follow(t.Context(), a.Token)
	if err != nil || p.Done || p.PollAfter != 1500*time.Millisecond {
		t.Errorf("got %+v, %v while it runs; want 1.5 s", p, err)
	}
	emu = platform(t)
	f = fleet(t, emu, func(o *vmss.Options) { o.PollAfter = 7 * time.Second })
	if a := accepted(t, f, web, 8); a.PollAfter != 7*time.Second {
		t.Errorf("got %v where ARM named nothing, want the configured 7 s", a.PollAfter)
	}
}
