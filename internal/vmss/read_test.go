package vmss_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
	"trimtab/tests/armemu/arm"
)

func TestReadGivesTheFacts(t *testing.T) {
	emu := platform(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f := fleet(t, emu, func(o *vmss.Options) { o.Now = func() time.Time { return now } })
	cases := []struct {
		name, set string
		want      scale.Facts
	}{
		{"a flexible set with a mix", web, scale.Facts{
			ReadAt: now, Capacity: 3, Mix: &scale.Mix{Base: 2, RegularPercent: 50}, ETag: `"1"`, ProvisioningState: "Succeeded",
			Orchestration: scale.Flexible, Spot: true, Size: "Standard_D2s_v5", Location: "westeurope", PlatformMax: 1000, PlatformMaxRule: "scale_set",
			Model: &scale.Model{Priority: "Spot", EvictionPolicy: "Delete"},
		}},
		{"a uniform set without one", jobs, scale.Facts{
			ReadAt: now, Capacity: 4, ETag: `"1"`, ProvisioningState: "Succeeded", Orchestration: scale.Uniform,
			Size: "Standard_E4s_v5", Location: "northeurope", PlatformMax: 1000, PlatformMaxRule: "scale_set",
			Model: &scale.Model{Priority: "Regular", Overprovision: true},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := f.Read(t.Context(), c.set)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Errorf("facts (-got +want):\n%s", diff)
			}
		})
	}
}

// document is a scale set's document as Azure writes it; change takes from it or adds to it.
func document(t *testing.T, change func(doc, sku, properties, profile map[string]any)) json.RawMessage {
	t.Helper()
	sku := map[string]any{"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 5}
	profile := map[string]any{"storageProfile": map[string]any{"imageReference": map[string]any{"publisher": "Canonical"}}}
	properties := map[string]any{"orchestrationMode": "Flexible", "provisioningState": "Succeeded", "virtualMachineProfile": profile}
	doc := map[string]any{"id": web, "name": "web", "location": "westeurope", "etag": `"7"`, "sku": sku, "properties": properties}
	change(doc, sku, properties, profile)
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAnAnswerThatLacksAFactIsNotAFact(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	cases := []struct {
		name   string
		change func(doc, sku, properties, profile map[string]any)
	}{
		{"no capacity", func(_, sku, _, _ map[string]any) { delete(sku, "capacity") }},
		{"capacity null", func(_, sku, _, _ map[string]any) { sku["capacity"] = nil }},
		{"capacity below zero", func(_, sku, _, _ map[string]any) { sku["capacity"] = -1 }},
		{"no sku", func(doc, _, _, _ map[string]any) { delete(doc, "sku") }},
		{"no etag", func(doc, _, _, _ map[string]any) { delete(doc, "etag") }},
		{"an empty etag", func(doc, _, _, _ map[string]any) { doc["etag"] = "" }},
		{"no properties", func(doc, _, _, _ map[string]any) { delete(doc, "properties") }},
		{"no provisioning state", func(_, _, p, _ map[string]any) { delete(p, "provisioningState") }},
		{"half a mix", func(_, _, p, _ map[string]any) {
			p["priorityMixPolicy"] = map[string]any{"baseRegularPriorityCount": 2}
		}},
		{"a mode that is not known", func(_, _, p, _ map[string]any) { p["orchestrationMode"] = "Elastic" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu.ResetRequests()
			turn(t, emu, arm.Fault{Status: 200, Body: document(t, c.change)})
			facts, err := f.Read(t.Context(), web)
			wantClass(t, err, "read", scale.ClassUnknown, 200, "IncompleteAnswer")
			if facts.Known() {
				t.Errorf("got facts %+v with an error", facts)
			}
			if got := sent(emu, "GET"); got != 1 {
				t.Errorf("got %d reads, want one: an incomplete answer is not tried again", got)
			}
		})
	}
}

func TestReadTellsInterruptibleSetsAndPlatformLimits(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu)
	priority := func(p string) func(doc, sku, properties, profile map[string]any) {
		return func(_, _, _, profile map[string]any) { profile["priority"] = p }
	}
	image := func(id string) func(doc, sku, properties, profile map[string]any) {
		return func(_, _, _, profile map[string]any) {
			profile["storageProfile"] = map[string]any{"imageReference": map[string]any{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/" + id}}
		}
	}
	cases := []struct {
		name   string
		change func(doc, sku, properties, profile map[string]any)
		spot   bool
		max    int
		rule   string
	}{
		{"no priority means regular", func(_, _, _, _ map[string]any) {}, false, 1000, "scale_set"},
		{"Regular is regular", priority("Regular"), false, 1000, "scale_set"},
		{"Spot may go", priority("Spot"), true, 1000, "scale_set"},
		{"SpotPlus may go", priority("SpotPlus"), true, 1000, "scale_set"},
		{"Low may go", priority("Low"), true, 1000, "scale_set"},
		{"a priority that is not known may go", priority("Flex"), true, 1000, "scale_set"},
		{"a managed image allows 600", image("images/golden"), false, 600, "managed_image"},
		{"a managed image allows 600 in whatever case", image("IMAGES/golden"), false, 600, "managed_image"},
		{"a gallery image allows 1000", image("galleries/g/images/golden/versions/1.0.0"), false, 1000, "scale_set"},
		{"a single placement group allows 100", func(_, _, p, _ map[string]any) { p["singlePlacementGroup"] = true }, false, 100, "single_placement_group"},
		{"several placement groups allow 1000", func(_, _, p, _ map[string]any) { p["singlePlacementGroup"] = false }, false, 1000, "scale_set"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			turn(t, emu, arm.Fault{Status: 200, Body: document(t, c.change)})
			got, err := f.Read(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			if got.Spot != c.spot || got.PlatformMax != c.max || got.PlatformMaxRule != c.rule {
				t.Errorf("got spot %v, max %d by %q; want %v, %d by %q", got.Spot, got.PlatformMax, got.PlatformMaxRule, c.spot, c.max, c.rule)
			}
		})
	}
}

func TestReadTriesAgainALittle(t *testing.T) {
	short := map[string]string{"Retry-After-Ms": "20"}
	cases := []struct {
		name  string
		fault arm.Fault
		reads int
		class scale.Class // empty: the read succeeds
	}{
		{"two server errors are passed over", arm.Fault{Status: 503, Times: 2}, 3, ""},
		{"two broken connections are passed over", arm.Fault{Drop: true, Times: 2}, 3, ""},
		{"a short throttle is waited out", arm.Fault{Status: 429, Code: "TooManyRequests", Headers: short}, 2, ""},
		{"three server errors are too many", arm.Fault{Status: 500, Code: "InternalServerError", Times: 3}, 3, scale.ClassUnsure},
		{"a missing set is not asked for again", arm.Fault{Status: 404, Code: "ResourceNotFound", Times: 3}, 1, scale.ClassMissing},
		{"a conflict is not tried again", arm.Fault{Status: 409, Code: "Conflict", Times: 3}, 1, scale.ClassConflict},
		{"a refusal is not tried again", arm.Fault{Status: 403, Code: "AuthorizationFailed", Times: 3}, 1, scale.ClassForbidden},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu)
			turn(t, emu, c.fault)
			facts, err := f.Read(t.Context(), web)
			if c.class == "" && (err != nil || facts.Capacity != 3) {
				t.Errorf("got %+v, %v; want the facts", facts, err)
			}
			if c.class != "" {
				if fe := failed(t, err, "read"); fe.Class != c.class {
					t.Errorf("got class %q, want %q", fe.Class, c.class)
				}
			}
			if got := sent(emu, "GET"); got != c.reads {
				t.Errorf("got %d reads, want %d", got, c.reads)
			}
		})
	}
}

func TestARetryAfterThatOutlastsTheContextComesBackAtOnce(t *testing.T) {
	for _, seconds := range []int{30, 1200} {
		t.Run(fmt.Sprint(seconds, " seconds"), func(t *testing.T) {
			emu := platform(t)
			f := fleet(t, emu)
			turn(t, emu, arm.Throttle{RetryAfterSeconds: seconds, Times: 5})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := f.Read(ctx, web)
			fe := wantClass(t, err, "read", scale.ClassThrottled, 429, "OperationNotAllowed")
			if want := time.Duration(seconds) * time.Second; fe.RetryAfter != want {
				t.Errorf("got Retry-After %v, want %v", fe.RetryAfter, want)
			}
			if ctx.Err() != nil {
				t.Error("the context ended before the answer came back")
			}
			if got := sent(emu, "GET"); got != 1 {
				t.Errorf("got %d reads, want 1", got)
			}
		})
	}
}

func TestReadEndsWithItsTimeout(t *testing.T) {
	emu := platform(t)
	f := fleet(t, emu, func(o *vmss.Options) { o.ReadTimeout = 50 * time.Millisecond })
	turn(t, emu, arm.Fault{Method: http.MethodGet, Hang: true})
	_, err := f.Read(t.Context(), web)
	fe := wantClass(t, err, "read", scale.ClassUnsure, 0, "NoAnswer")
	if fe.Err != context.DeadlineExceeded { //nolint:errorlint // the cause itself is what is promised
		t.Errorf("got cause %v, want the deadline", fe.Err)
	}
}
