package policy_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"trimtab/internal/scale"
	"trimtab/policies"
)

// views are the shapes that a view can have.
func views(t testing.TB) map[string]*scale.View {
	t.Helper()
	b := shipped(t)
	web := func(change func(*scale.View)) *scale.View {
		v := viewOf(poolNamed(t, b, "web"))
		change(v)
		return v
	}
	return map[string]*scale.View{
		"all is well":                web(func(*scale.View) {}),
		"a uniform set":              viewOf(poolNamed(t, b, "batch")),
		"facts were never read":      web(func(v *scale.View) { v.Facts = scale.Facts{} }),
		"facts are too old":          web(func(v *scale.View) { v.Facts.ReadAt = now.Add(-time.Hour) }),
		"facts are as old as may be": web(func(v *scale.View) { v.Facts.ReadAt = now.Add(-300 * time.Second) }),
		"the machines were counted": web(func(v *scale.View) {
			v.Facts.Live = &scale.Live{
				ReadAt: now.Add(-90 * time.Second), Instances: 7, Regular: 3, Spot: 4, PendingRegular: 1, PendingSpot: 2,
				Deallocated: 5, Failed: 6,
				ByZone: map[string]scale.ZoneCount{"1": {Regular: 3, Spot: 1, Pending: 2}, "": {Spot: 3, Pending: 1}},
			}
		}),
		"machines were counted when facts were young": web(func(v *scale.View) {
			v.Facts.ReadAt, v.Facts.Live = now.Add(-time.Hour), &scale.Live{ReadAt: now.Add(-time.Hour), Instances: 7, Spot: 7}
		}),
		"events told of evictions, ailing machines and rivals": web(func(v *scale.View) {
			three := 3
			v.Memory.Evictions = []scale.Eviction{{At: now.Add(-time.Hour), Instances: 2, Zone: "1"}, {At: now, Instances: 1, Machines: []string{"web_3"}}}
			v.Memory.Health = []scale.Ailment{{At: now.Add(-time.Minute), Machine: "web_4", State: "unavailable"}}
			v.Memory.Rivals = []scale.Rival{{At: now, By: "autoscale", Action: "scaleup", To: &three}}
		}),
		"there is no mix":       web(func(v *scale.View) { v.Facts.Mix = nil }),
		"a change is in flight": web(func(v *scale.View) { v.Memory.InFlight = &scale.Capacity{Instances: 9} }),
		"signals are missing or stale": web(func(v *scale.View) {
			stale := v.Signals["cpu"]
			stale.State = scale.SignalStale
			v.Signals = map[string]scale.SignalView{"cpu": stale, "requests": {State: scale.SignalMissing, Unit: "x", Expected: 3}}
		}),
		"not every statistic was measured": web(func(v *scale.View) {
			s := v.Signals["cpu"]
			s.Has, s.HasDemand, s.HasValue = scale.HasTotal, false, false
			v.Signals["cpu"] = s
		}),
		"a signal has all that may be asked for": web(func(v *scale.View) {
			s := v.Signals["cpu"]
			s.Wants = scale.WantsTrend | scale.WantsRecent | scale.WantsForecast
			s.Trend = &scale.Trend{Value: -1500, Demand: -7500, HasDemand: true, AgeSeconds: 150}
			s.Recent = []scale.Milli{80_000, 70_000}
			s.Forecast = &scale.Forecast{Known: true, Load: 500_000, Margin: 20_000, ErrorPermille: 80, Tried: 300, HistoryHours: 340, LeadSeconds: 900}
			v.Signals["cpu"] = s
		}),
		"what is asked for is not known": web(func(v *scale.View) {
			all := scale.WantsTrend | scale.WantsRecent | scale.WantsForecast
			v.Signals = map[string]scale.SignalView{
				"cpu": {State: scale.SignalMissing, Wants: all},
				"requests": {
					State: scale.SignalFresh, Wants: all, Trend: &scale.Trend{Value: 5},
					Forecast: &scale.Forecast{Why: "2 hours of history", HistoryHours: 2, LeadSeconds: 900},
				},
			}
		}),
		"Spot has disappointed": web(func(v *scale.View) {
			floor := 3
			v.Spot = &scale.SpotView{
				Missing: 2, Blocked: true, ChangedSeconds: scale.Never, ServedSeconds: 990, SeenSeconds: 1000, Evicted: 4, RatePermille: 90, Floor: &floor,
			}
		}),
		"Spot is quiet": web(func(v *scale.View) {
			v.Spot = &scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: 60, WholeSeconds: scale.Never}
		}),
		"money is counted": web(func(v *scale.View) {
			v.Spending = &scale.SpendingView{
				Known: true, SpentMicro: 5_000_000_000, GuessedMicro: 7, UnwatchedSeconds: 60, RemainingSeconds: -5,
				PeriodSeconds: 2_678_400, RateMicro: 3_000_000, RegularMicro: 192_000, SpotMicro: 40_000,
			}
		}),
		"money is not counted yet": web(func(v *scale.View) { v.Spending = &scale.SpendingView{RegularMicro: 5, SpotMicro: 5} }),
		"samples were missed": web(func(v *scale.View) {
			s := v.Signals["cpu"]
			s.State, s.Missed = scale.SignalStale, 4
			v.Signals["cpu"] = s
		}),
		"the pool is in a group": web(func(v *scale.View) {
			v.Groups = map[string]scale.GroupView{"west": {Each: scale.Sum{VCPUs: 4, PerHourMicro: 192_000}, Others: 3, Silent: 1, SpentMicro: 5_000_000, RemainingSeconds: 3600, Uncounted: 2}}
		}),
		"numbers are large": web(func(v *scale.View) { v.Signals["cpu"] = signal(1<<32, 5) }),
		"a schedule lives between two dates": web(func(v *scale.View) {
			v.Schedules["office_hours"] = scale.ScheduleView{Active: true, Dated: true}
		}),
		"a schedule has no further edge": web(func(v *scale.View) {
			v.Schedules["office_hours"] = scale.ScheduleView{}
		}),
		"the entry is of another time": web(func(v *scale.View) {
			v.Settings = json.RawMessage(`{"cpu_percent": 50.5, "list": [1, {"a": null}]}`)
			v.Labels = map[string]string{"owner": "someone-else"}
			v.Rails.Limits = scale.Limits{Min: 1, Max: 2}
			v.Mode = scale.Enforce
		}),
		"the pool is not among the definitions": web(func(v *scale.View) { v.Pool = "gone" }),
	}
}

func TestTheInputIsWhatThePlainConversionGives(t *testing.T) {
	b := shipped(t)
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			got, err := b.Input(view)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ast.InterfaceToValue(document(view))
			if err != nil {
				t.Fatal(err)
			}
			if got.Compare(want) != 0 {
				t.Errorf("got %v\nwant %v\n%s", got, want, cmp.Diff(plainOf(t, want), plainOf(t, got)))
			}
		})
	}
}

func TestInputsAndProposalsKeepTheirSchemas(t *testing.T) {
	b := shipped(t)
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			input, err := b.Input(view)
			if err != nil {
				t.Fatal(err)
			}
			valid(t, "input", plainOf(t, input))
			for _, answer := range answers(t, plainOf(t, input)) {
				valid(t, "proposal", answer)
			}
		})
	}
}

func TestTheSchemasRefuseWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct{ schema, doc string }{
		"an input with a name too many":       {"input", `{"version":1,"now":{"unix_seconds":1},"pool":{"name":"a","policy":"a","mode":"observe","labels":{}},"limits":{"min":1,"max":2,"default":0},"capacity":{"known":false,"instances":0,"age_seconds":0,"mix":null,"in_flight":null},"signals":{},"schedules":{},"settings":{},"more":1}`},
		"an input of another version":         {"input", `{"version":2,"now":{"unix_seconds":1},"pool":{"name":"a","policy":"a","mode":"observe","labels":{}},"limits":{"min":1,"max":2,"default":0},"capacity":{"known":false,"instances":0,"age_seconds":0,"mix":null,"in_flight":null},"signals":{},"schedules":{},"settings":{}}`},
		"a proposal without want":             {"proposal", `{"version":1,"blend":null}`},
		"a known reason without instances":    {"proposal", `{"version":1,"blend":null,"want":[{"code":"x","state":"known"}]}`},
		"a reason with a fraction":            {"proposal", `{"version":1,"blend":null,"want":[{"code":"x","state":"known","instances":1.5}]}`},
		"a reason with a field of its own":    {"proposal", `{"version":1,"blend":null,"want":[{"code":"x","state":"idle","why":"y"}]}`},
		"a blend without base":                {"proposal", `{"version":1,"blend":{"regular_percent":5},"want":[]}`},
		"a pool without limits":               {"pool", `{"scale_set":"/subscriptions/a/resourceGroups/b/providers/Microsoft.Compute/virtualMachineScaleSets/c","orchestration":"uniform"}`},
		"a pool with a field that is not one": {"pool", `{"scale_set":"/subscriptions/a/resourceGroups/b/providers/Microsoft.Compute/virtualMachineScaleSets/c","orchestration":"uniform","limits":{"min":1,"max":2},"colour":"red"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var doc any
			if err := json.Unmarshal([]byte(tc.doc), &doc); err != nil {
				t.Fatal(err)
			}
			if errs := validate(t, tc.schema, doc); len(errs) == 0 {
				t.Error("accepted")
			}
		})
	}
}

func TestTheShippedDefinitionsKeepTheirSchema(t *testing.T) {
	for _, name := range []string{"web", "batch"} {
		var data struct{ Pool any }
		if err := json.Unmarshal(shippedFile(t, "pools/"+name+"/data.json"), &data); err != nil {
			t.Fatal(err)
		}
		valid(t, "pool", data.Pool)
	}
}

// answers are what the entry point gives for an input, and for the same with a policy that does not exist.
func answers(t *testing.T, input any) []any {
	t.Helper()
	query := embedding(t, policies.FS)
	var all []any
	for _, name := range []string{"", "nobody"} {
		if name != "" {
			input.(map[string]any)["pool"].(map[string]any)["policy"] = name
		}
		results, err := query.Eval(context.Background(), rego.EvalInput(input))
		if err != nil || len(results) != 1 {
			t.Fatal(results, err)
		}
		all = append(all, results[0].Expressions[0].Value)
	}
	return all
}

func plainOf(t testing.TB, v ast.Value) any {
	t.Helper()
	plain, err := ast.JSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func valid(t *testing.T, schema string, doc any) {
	t.Helper()
	for _, e := range validate(t, schema, doc) {
		t.Errorf("%s: %v", schema, e)
	}
}

// validate checks a document against a shipped schema with the validator that OPA carries.
func validate(t testing.TB, schema string, doc any) []any {
	t.Helper()
	results, err := rego.New(
		rego.Query(`json.match_schema(input.doc, input.schema)[1]`),
		rego.StrictBuiltinErrors(true),
		rego.Input(map[string]any{"doc": doc, "schema": string(shippedFile(t, "schemas/"+schema+"/schema.json"))}),
	).Eval(context.Background())
	if err != nil || len(results) != 1 {
		t.Fatalf("validate: %v %v", results, err)
	}
	errs, _ := results[0].Expressions[0].Value.([]any)
	return errs
}
