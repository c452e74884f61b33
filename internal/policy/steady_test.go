package policy_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
)

var withoutSteps = cmpopts.IgnoreFields(scale.Proposal{}, "Steps", "Revision")

// ownMain is the shipped entry point with a comment more: policies are asked through it, not past it.
func ownMain(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"main/main.rego": string(shippedFile(t, "main/main.rego")) + "\n# Ours.\n"}
}

func TestAskingPastTheEntryPointGivesWhatItGives(t *testing.T) {
	b := shipped(t)
	through, err := policy.Load(context.Background(), with(t, ownMain(t)))
	if err != nil {
		t.Fatal(err)
	}
	for name, view := range views(t) {
		t.Run(name, func(t *testing.T) {
			got, want := b.Propose(context.Background(), view), through.Propose(context.Background(), view)
			if d := cmp.Diff(want, got, withoutSteps); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnEntryPointOfOnesOwnIsAsked(t *testing.T) {
	b, err := policy.Load(context.Background(), with(t, map[string]string{
		"main/main.rego": "package main\n\nproposal := {\"version\": 1, \"fault\": \"not today\"} if input.pool.policy\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if p := b.Propose(context.Background(), viewOf(poolNamed(t, b, "web"))); p.Fault != "not today" {
		t.Errorf("fault %q", p.Fault)
	}
}

// What is kept must not be told by what was decided before: neither the answers nor the steps.
func TestADecisionDoesNotHangOnThoseBeforeIt(t *testing.T) {
	all := views(t)
	first := map[string]scale.Proposal{}
	for name, view := range all {
		first[name] = shipped(t).Propose(context.Background(), view)
	}
	b := shipped(t)
	for range 2 {
		for name, view := range all {
			if d := cmp.Diff(first[name], b.Propose(context.Background(), view)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}

func TestOnlyWhatReadsNothingThatMovesIsKept(t *testing.T) {
	b, _ := try(t, `import data.lib.scale
want contains scale.at_least(_twice(input.settings.target), "twice")
want contains scale.at_least(_now, "now")
want contains scale.at_least(_signals, "signals")
want contains scale.at_least(_whole, "whole")
want contains scale.at_least(_called(1), "called")
want contains scale.at_least(_with, "with")
_twice(n) := n * 2
_now := input.now.unix_seconds % 7
_signals := count([s | some s in input.signals])
_whole := count(input)
_called(n) := n + _now
_with := x if x := _twice(3) with input as {}
_still := {"a": data.lib.numbers, "b": input.settings}
`)
	for path, want := range map[string]bool{
		"_twice": true, "_still": true, "_now": false, "_signals": false, "_whole": false, "_called": false, "_with": false,
		"want": false,
	} {
		if got := b.Steady("pools", "probe", path); got != want {
			t.Errorf("%s: kept is %v", path, got)
		}
	}
	if !b.Steady("lib", "scale", "_plan") || !b.Steady("lib", "mix", "split") || b.Steady("lib", "scale", "track") {
		t.Error("the library's own: options are kept, what reads signals is not")
	}
}

// A view may come from an entry of another time: its settings are not those that answers were kept for.
func TestSettingsOfAnotherTimeAreReckonedWithAnew(t *testing.T) {
	b, view := try(t, `import data.lib.scale
want contains scale.at_least(_half, "half")
_half := input.settings.target / 2
`)
	other := *view
	other.Settings = []byte(`{"target": 8}`)
	for range 2 {
		if p := b.Propose(context.Background(), view); p.Instances != 30 {
			t.Errorf("now: %d", p.Instances)
		}
		if p := b.Propose(context.Background(), &other); p.Instances != 4 {
			t.Errorf("then: %d", p.Instances)
		}
	}
}

// A built-in function that fails casts doubt on every decision, not only on the first.
func TestAFailureIsToldEachTime(t *testing.T) {
	b, view := try(t, `import data.lib.scale
want contains scale.at_least(3, "three")
want contains scale.at_least(_broken, "broken")
default _broken := 1
_broken := to_number("three")
`)
	for range 3 {
		if p := b.Propose(context.Background(), view); !p.Doubt || len(p.Faults) == 0 {
			t.Errorf("%+v", p)
		}
	}
}
