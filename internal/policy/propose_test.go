package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

func known(code, name string, n int) scale.Reason {
	return scale.Reason{Code: code, Name: name, State: scale.ReasonKnown, Instances: n}
}

var withoutNumbers = cmpopts.IgnoreFields(scale.Reason{}, "Numbers")

func TestProposalsOfTheWorkedWebPool(t *testing.T) {
	bundle := shipped(t)
	spot := &scale.Blend{Mix: scale.Mix{Base: 2, RegularPercent: 25}, Rounding: scale.RegularDown}
	for name, tc := range map[string]struct {
		change func(*scale.View)
		want   scale.Proposal
	}{
		"the largest reason wins": {
			change: func(*scale.View) {},
			want: scale.Proposal{Known: true, Instances: 7, Reasons: []scale.Reason{
				known("schedule", "office_hours", 6), known("track", "cpu", 7), known("track", "requests", 4),
			}},
		},
		"a schedule outside its span is idle and puts nothing in doubt": {
			change: func(v *scale.View) { v.Schedules["office_hours"] = scale.ScheduleView{} },
			want: scale.Proposal{Known: true, Instances: 7, Reasons: []scale.Reason{
				known("track", "cpu", 7), known("track", "requests", 4),
				{Code: "schedule", Name: "office_hours", State: scale.ReasonIdle},
			}},
		},
		"a missing signal is unknown, puts the shrink in doubt and asks for nothing": {
			change: func(v *scale.View) { v.Signals["cpu"] = scale.SignalView{State: scale.SignalMissing} },
			want: scale.Proposal{Known: true, Instances: 6, Doubt: true, Reasons: []scale.Reason{
				known("schedule", "office_hours", 6), known("track", "requests", 4),
				{Code: "track", Name: "cpu", State: scale.ReasonUnknown, Detail: "signal missing"},
			}},
		},
		"no capacity, no reason to be reckoned from it": {
			change: func(v *scale.View) {
				v.Facts = scale.Facts{}
				v.Schedules["office_hours"] = scale.ScheduleView{}
			},
			want: scale.Proposal{Doubt: true, Reasons: []scale.Reason{
				{Code: "track", Name: "cpu", State: scale.ReasonUnknown, Detail: "capacity unknown"},
				{Code: "track", Name: "requests", State: scale.ReasonUnknown, Detail: "capacity unknown"},
				{Code: "schedule", Name: "office_hours", State: scale.ReasonIdle},
			}},
		},
		"a signal that the view does not have is a fault of that reason alone": {
			change: func(v *scale.View) { delete(v.Signals, "cpu") },
			want: scale.Proposal{Known: true, Instances: 6, Doubt: true, Reasons: []scale.Reason{
				known("schedule", "office_hours", 6), known("track", "requests", 4),
				{Code: "track", Name: "cpu", State: scale.ReasonFault, Detail: "no signal cpu: the pool's definition has [requests]"},
			}, Faults: []string{"track cpu: no signal cpu: the pool's definition has [requests]"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			view := viewOf(poolNamed(t, bundle, "web"))
			tc.change(view)
			got := bundle.Propose(context.Background(), view)
			if got.Steps == 0 || got.Steps > 500 {
				t.Errorf("%d steps", got.Steps)
			}
			tc.want.Blend, tc.want.Revision, tc.want.Steps = spot, bundle.Revision(), got.Steps
			if d := cmp.Diff(tc.want, got, withoutNumbers); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatAPolicyGetsWrongIsRecordedAndHoldsBack(t *testing.T) {
	const good = "want contains {\"code\": \"good\", \"state\": \"known\", \"instances\": 3}\n"
	fault := func(code, name, detail string) scale.Reason {
		return scale.Reason{Code: code, Name: name, State: scale.ReasonFault, Detail: detail}
	}
	for name, tc := range map[string]struct {
		rego   string
		reason scale.Reason
		fault  string
	}{
		"a reason that is no object": {
			`want contains 5`,
			fault("malformed", "", "a reason is an object with code, state and instances, not number"), "malformed: a reason is an object",
		},
		"a reason without instances": {
			`want contains {"code": "mine", "name": "n", "state": "known"}`,
			fault("mine", "n", "instances must be given for a reason that is known"), "mine n: instances must be given",
		},
		"a fraction of an instance": {
			`want contains {"code": "mine", "state": "known", "instances": 2.5}`,
			fault("mine", "", "instances is a whole number from 0 to 100000"), "mine: instances is",
		},
		"fewer than none": {
			`want contains {"code": "mine", "state": "known", "instances": -1}`,
			fault("mine", "", "instances is a whole number from 0 to 100000"), "mine: instances is",
		},
		"absurdly many": {
			`want contains {"code": "mine", "state": "known", "instances": 100001}`,
			fault("mine", "", "instances is a whole number from 0 to 100000"), "mine: instances is",
		},
		"a number that fits no integer": {
			`want contains {"code": "mine", "state": "known", "instances": 1e400}`,
			fault("mine", "", "instances is a whole number from 0 to 100000"), "mine: instances is",
		},
		"a state that is none": {
			`want contains {"code": "mine", "state": "sure", "instances": 1}`,
			fault("mine", "", "state is one of known, unknown, idle, fault"), "mine: state is",
		},
		"a code that is none": {
			`want contains {"code": "My code", "state": "known", "instances": 1}`,
			fault("malformed", "", "code is a name in snake case"), "malformed: code is",
		},
		"a field of its own": {
			`want contains {"code": "mine", "state": "known", "instances": 1, "why": "so"}`,
			fault("mine", "", "why is no field of a reason: code, name, state, instances, numbers, detail"), "mine: why is",
		},
		"numbers that are none": {
			`want contains {"code": "mine", "state": "known", "instances": 1, "numbers": {"a": "b"}}`,
			fault("mine", "", "numbers is an object of names and whole numbers"), "mine: numbers is",
		},
		"a reason that is undefined, because a rule is": {
			"want contains mine\n\nmine := {\"code\": \"mine\", \"state\": \"known\", \"instances\": 9} if input.limits.min > 99",
			fault("undefined", "pools/probe/probe.rego:5", "the reason is undefined: something that it reads does not exist"),
			"pools/probe/probe.rego:5: the reason is undefined",
		},
		"a reason that is undefined under a condition that holds": {
			"want contains mine if input.limits.min < 99\n\nmine := 1 if input.limits.min > 99",
			fault("undefined", "pools/probe/probe.rego:5", "the reason is undefined: something that it reads does not exist"),
			"pools/probe/probe.rego:5: the reason is undefined",
		},
		"a reason that is undefined for one of several": {
			"want contains mine[x] if some x in [\"a\", \"b\"]\n\nmine[\"a\"] := {\"code\": \"mine\", \"state\": \"known\", \"instances\": 1}",
			fault("undefined", "pools/probe/probe.rego:5", "the reason is undefined: something that it reads does not exist"),
			"pools/probe/probe.rego:5: the reason is undefined",
		},
		"an option put together in Rego that the function does not take": {
			`want contains data.lib.scale.track("cpu", {name: 60 | some name in {"target", concat("", ["toler", "ence"])}})`,
			fault("track", "cpu", `scale.track has no option "tolerence"; did you mean tolerance?`),
			`track cpu: scale.track has no option "tolerence"; did you mean tolerance?`,
		},
		"the author's own fault": {
			`want contains {"code": "mine", "state": "fault", "detail": "no table for today"}`,
			fault("mine", "", "no table for today"), "mine: no table for today",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, view := try(t, good+"\n"+tc.rego+"\n")
			p := bundle.Propose(context.Background(), view)
			if p.Fault != "" || !p.Known || p.Instances != 3 || !p.Doubt {
				t.Errorf("the good reason does not stand, or nothing is in doubt: %+v", p)
			}
			found := false
			for _, r := range p.Reasons {
				found = found || cmp.Equal(r, tc.reason)
			}
			if !found {
				t.Errorf("reasons %+v\nlack %+v", p.Reasons, tc.reason)
			}
			if len(p.Faults) != 1 || !strings.HasPrefix(p.Faults[0], tc.fault) {
				t.Errorf("faults %q, want one with %q", p.Faults, tc.fault)
			}
		})
	}
}

func TestAConditionThatDoesNotHoldIsNoFault(t *testing.T) {
	bundle, view := try(t, "want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 1}\n\n"+
		"want contains {\"code\": \"b\", \"state\": \"known\", \"instances\": 9} if input.limits.min > 99\n\n"+
		"blend := {\"base\": 1, \"regular_percent\": 1} if input.limits.min > 99\n")
	p := bundle.Propose(context.Background(), view)
	if p.Doubt || len(p.Faults) > 0 || p.Instances != 1 || p.Blend != nil {
		t.Errorf("%+v", p)
	}
}

func TestAnErrorInABuiltInFunctionPutsTheProposalInDoubt(t *testing.T) {
	bundle, view := try(t, "want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 1}\n\n"+
		"want contains {\"code\": \"b\", \"state\": \"known\", \"instances\": 9} if 1 / (input.limits.min - 1) > 1\n")
	p := bundle.Propose(context.Background(), view)
	if p.Fault != "" || !p.Doubt || p.Instances != 1 {
		t.Errorf("%+v", p)
	}
	if len(p.Faults) != 1 || !strings.Contains(p.Faults[0], "pools/probe/probe.rego:5") || !strings.Contains(p.Faults[0], "divide by zero") {
		t.Errorf("faults %q", p.Faults)
	}
}

func TestBlends(t *testing.T) {
	const want = "want contains {\"code\": \"a\", \"state\": \"known\", \"instances\": 1}\n\n"
	for name, tc := range map[string]struct {
		rego  string
		blend *scale.Blend
		fault string
	}{
		"none leaves the split alone": {rego: ""},
		"null leaves the split alone": {rego: `blend := null`},
		"rounding is Azure's unless named": {
			rego:  `blend := {"base": 2, "regular_percent": 20}`,
			blend: &scale.Blend{Mix: scale.Mix{Base: 2, RegularPercent: 20}, Rounding: scale.RegularDown},
		},
		"rounding may be named": {
			rego:  "import data.lib.mix\n\nblend := mix.split({\"base\": 0, \"regular_percent\": 100, \"rounding\": \"regular_up\"})",
			blend: &scale.Blend{Mix: scale.Mix{RegularPercent: 100}, Rounding: scale.RegularUp},
		},
		"the library's fault": {
			rego:  "import data.lib.mix\n\nblend := mix.split({\"base\": -2, \"regular_percent\": 20})",
			fault: "blend: fault reported: base must be a whole number from 0 up",
		},
		"no object":        {rego: `blend := 20`, fault: "blend: an object with base and regular_percent, not number"},
		"half of it":       {rego: `blend := {"base": 2}`, fault: "blend: base and regular_percent must be given"},
		"more than all":    {rego: `blend := {"base": 2, "regular_percent": 101}`, fault: "blend: regular_percent is a whole number from 0 to 100"},
		"no such rounding": {rego: `blend := {"base": 2, "regular_percent": 1, "rounding": "up"}`, fault: "blend: rounding is regular_down or regular_up"},
		"no such field":    {rego: `blend := {"base": 2, "regular_percent": 1, "spot": 1}`, fault: "blend: spot is no field of a blend: base, regular_percent, rounding, stand_in, return_after_seconds"},
		"undefined":        {rego: "blend := x\n\nx := 1 if input.limits.min > 99", fault: "pools/probe/probe.rego:5: blend is undefined"},
	} {
		t.Run(name, func(t *testing.T) {
			rego := want + tc.rego
			if imports, rest, ok := strings.Cut(tc.rego, "\n\n"); ok && strings.HasPrefix(imports, "import") {
				rego = imports + "\n\n" + want + rest
			}
			bundle, view := try(t, rego+"\n")
			p := bundle.Propose(context.Background(), view)
			if d := cmp.Diff(tc.blend, p.Blend); d != "" {
				t.Error(d)
			}
			if p.Fault != "" || p.Instances != 1 || p.Doubt {
				t.Errorf("the count suffers: %+v", p)
			}
			if got := strings.Join(p.Faults, "\n"); got != tc.fault {
				t.Errorf("faults %q, want %q", got, tc.fault)
			}
		})
	}
}

func TestAFaultOfTheWholePolicyHolds(t *testing.T) {
	for name, tc := range map[string]struct{ rego, fault string }{
		"two values for one rule": {
			"want contains x\n\nx := 1\n\nx := 2 if input.limits.min < 99", "pools/probe/probe.rego:7: eval_conflict_error: rule data.pools.probe.x produced conflicting values: 1 at",
		},
		"more reasons than anybody reads": {
			"want contains {\"code\": \"a\", \"name\": sprintf(\"%d%d\", [i, j]), \"state\": \"idle\"} if {\n\tsome i in [1, 2, 3, 4, 5, 6, 7, 8, 9]\n\tsome j in [1, 2, 3, 4, 5, 6, 7, 8, 9]\n}",
			"want has 81 reasons: at most 64",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, view := try(t, tc.rego+"\n")
			p := bundle.Propose(context.Background(), view)
			if !strings.Contains(p.Fault, tc.fault) || p.Known || p.Instances != 0 || p.Blend != nil || len(p.Reasons) > 0 {
				t.Errorf("%+v", p)
			}
			if p.Revision != bundle.Revision() {
				t.Error("the fault names no revision")
			}
		})
	}
}

func TestAViewThatTheBundleCannotDecideHolds(t *testing.T) {
	bundle := shipped(t)
	for name, tc := range map[string]struct {
		change func(*scale.View)
		fault  string
	}{
		"of a policy that is gone":          {func(v *scale.View) { v.Policy = "gone" }, `there is no policy "gone" in revision `},
		"with settings that cannot be read": {func(v *scale.View) { v.Settings = json.RawMessage(`{"a":`) }, "read settings"},
	} {
		t.Run(name, func(t *testing.T) {
			view := viewOf(poolNamed(t, bundle, "web"))
			tc.change(view)
			if p := bundle.Propose(context.Background(), view); !strings.Contains(p.Fault, tc.fault) || p.Known {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestSettingsThatAnEntryLacksAreAFaultAndNoSilence(t *testing.T) {
	bundle := shipped(t)
	view := viewOf(poolNamed(t, bundle, "web"))
	view.Settings = json.RawMessage(`{"cpu_percent": 60, "office_instances": 6}`)
	p := bundle.Propose(context.Background(), view)
	if !p.Known || p.Instances != 7 || !p.Doubt || p.Blend == nil {
		t.Errorf("%+v", p)
	}
	want := []string{
		lineOf(t, "pools/web/web.rego", `scale.track("requests"`) + ": the reason is undefined: something that it reads does not exist",
	}
	if d := cmp.Diff(want, p.Faults); d != "" {
		t.Error(d)
	}
}

// lineOf is the place at which a shipped file first has a text.
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	before, _, ok := strings.Cut(string(shippedFile(t, file)), text)
	if !ok {
		t.Fatalf("%s has no %q", file, text)
	}
	return fmt.Sprintf("%s:%d", file, 1+strings.Count(before, "\n"))
}

func TestACallerThatIsGoneHolds(t *testing.T) {
	bundle := shipped(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := bundle.Propose(ctx, viewOf(poolNamed(t, bundle, "web")))
	if !strings.Contains(p.Fault, "context canceled") || p.Known {
		t.Errorf("%+v", p)
	}
}

func TestTheSameViewGivesTheSameProposalToEverybody(t *testing.T) {
	bundle := shipped(t)
	again := shipped(t)
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			want := asJSON(t, bundle.Propose(context.Background(), view))
			if got := asJSON(t, again.Propose(context.Background(), view)); got != want {
				t.Errorf("another bundle of the same revision gives\n%s\nnot\n%s", got, want)
			}
			// As the journal keeps it and a replay reads it.
			var read scale.View
			if err := json.Unmarshal([]byte(asJSON(t, view)), &read); err != nil {
				t.Fatal(err)
			}
			if got := asJSON(t, bundle.Propose(context.Background(), &read)); got != want {
				t.Errorf("from the journal\n%s\nnot\n%s", got, want)
			}
			var all sync.WaitGroup
			got := make([]string, 8)
			for i := range got {
				all.Go(func() {
					for range 5 {
						got[i] = asJSON(t, bundle.Propose(context.Background(), view))
					}
				})
			}
			all.Wait()
			for _, g := range got {
				if g != want {
					t.Errorf("got\n%s\nwant\n%s", g, want)
				}
			}
		})
	}
}

func TestADecisionIsCheap(t *testing.T) {
	bundle := shipped(t)
	for _, tc := range []struct {
		pool          string
		allocs, steps int
	}{{"web", 600, 90}, {"batch", 600, 120}} {
		view := viewOf(poolNamed(t, bundle, tc.pool))
		var p scale.Proposal
		got := testing.AllocsPerRun(100, func() { p = bundle.Propose(context.Background(), view) })
		if got > slack*float64(tc.allocs) || p.Steps > tc.steps {
			t.Errorf("%s: %v allocations and %d steps, at most %d and %d", tc.pool, got, p.Steps, tc.allocs, tc.steps)
		}
	}
}

func TestPlainGoAndTheEmbeddingGiveTheSameCount(t *testing.T) {
	bundle := shipped(t)
	view := viewOf(poolNamed(t, bundle, "web"))
	var settings webSettings
	if err := json.Unmarshal(view.Settings, &settings); err != nil {
		t.Fatal(err)
	}
	query := embedding(t, policies.FS)
	for load := scale.Milli(0); load < 2_000_000; load += 37_001 {
		view.Signals["cpu"], view.Signals["requests"] = signal(load, 5), signal(2_000_000-load, 5)
		got := bundle.Propose(context.Background(), view)
		if want := plain(view, settings); got.Instances != want.Instances {
			t.Errorf("load %d: %d instances, in Go %d", load, got.Instances, want.Instances)
		}
		results, err := query.Eval(context.Background(), evalInput(view))
		if err != nil || wanted(results) != got.Instances {
			t.Errorf("load %d: %d instances, embedded %v %v", load, got.Instances, results, err)
		}
	}
}

var _ interface {
	Propose(context.Context, *scale.View) scale.Proposal
	Revision() string
} = (*policy.Bundle)(nil)
