package policy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"trimtab/internal/policy"
)

const nextPolicy = "package pools.next\n\nimport data.lib.scale\n\nwant contains scale.track(\"cpu\", {\"target\": input.settings.target})\n"

// fleet is the shipped tree with n pools that name a candidate, every second of them labelled.
func fleet(n int, rollouts string) map[string]string {
	over := map[string]string{"pools/next/next.rego": nextPolicy, "rollouts/data.json": rollouts}
	for i := range n {
		name := fmt.Sprintf("p%03d", i)
		over["pools/"+name+"/"+name+".rego"] = strings.Replace(nextPolicy, "pools.next", "pools."+name, 1)
		over["pools/"+name+"/data.json"] = fmt.Sprintf(`{"pool": {
  "scale_set": "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/%s",
  "orchestration": "uniform", "limits": {"min": 1, "max": 9}, "candidate": "next",
  "signals": {"cpu": {"metric": "Percentage CPU"}}, "settings": {"target": 60}, "labels": {"ring": "%d"}}}`, name, i%2)
	}
	return over
}

func deciding(b *policy.Bundle) map[string]bool {
	all := map[string]bool{}
	for _, p := range b.Pools {
		if p.Candidate != nil && p.Candidate.Decides {
			all[p.Name] = true
		}
	}
	return all
}

func TestARolloutReachesOnePoolThenATenthThenAll(t *testing.T) {
	before := map[string]bool{}
	for _, tc := range []struct {
		rollout string
		want    int
	}{
		{`{"next": {"stage": "none"}}`, 0},
		{`{"next": {"stage": "one"}}`, 1},
		{`{"next": {"stage": "tenth"}}`, 3},
		{`{"next": {"stage": "all"}}`, 24},
		{`{"next": {"stage": "all", "label": "ring=1"}}`, 12},
	} {
		b, err := policy.Load(context.Background(), with(t, fleet(24, tc.rollout)))
		if err != nil {
			t.Fatal(err)
		}
		got := deciding(b)
		if len(got) != tc.want {
			t.Errorf("%s: it decides for %d pools, want %d", tc.rollout, len(got), tc.want)
		}
		for name := range before {
			if !got[name] && !strings.Contains(tc.rollout, "label") {
				t.Errorf("%s: %s is no longer among them", tc.rollout, name)
			}
		}
		before = got
	}
}

func TestWhatIsWrongWithARollout(t *testing.T) {
	for name, tc := range map[string]struct{ rollout, want string }{
		"a stage of no name":     {`{"next": {"stage": "half"}}`, "rollouts/data.json:1: data.rollouts.next.stage: \"half\" is not one of the choices"},
		"nobody who names it":    {`{"nobody": {"stage": "one"}}`, "no pool with any label names nobody as its candidate"},
		"a label without values": {`{"next": {"stage": "one", "label": "ring"}}`, "data.rollouts.next.label: \"ring\" is not a label and its value"},
		"an unknown field":       {`{"next": {"stage": "one", "labels": "a=b"}}`, "unknown field \"labels\"; did you mean label?"},
	} {
		_, err := policy.Load(context.Background(), with(t, fleet(2, tc.rollout)))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v\nwant %s", name, err, tc.want)
		}
	}
}

func TestACandidateMustBeAnotherPolicyThatIsThere(t *testing.T) {
	for candidate, want := range map[string]string{
		"webb": "there is no package pools.webb with a rule want to try; did you mean web?",
		"p000": "the candidate p000 decides already",
	} {
		over := fleet(1, "{}")
		over["pools/p000/data.json"] = strings.Replace(over["pools/p000/data.json"], `"next"`, `"`+candidate+`"`, 1)
		_, err := policy.Load(context.Background(), with(t, over))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", candidate, err, want)
		}
	}
}

// A candidate's answers are kept like those of the pool's own policy, and are the same without that.
func TestACandidateIsDecidedAsCheaplyAsThePoolsOwn(t *testing.T) {
	b, err := policy.Load(context.Background(), with(t, fleet(1, "{}")))
	if err != nil {
		t.Fatal(err)
	}
	own := viewOf(poolNamed(t, b, "p000"))
	tried := *own
	tried.Policy = "next"
	p, c := b.Propose(context.Background(), own), b.Propose(context.Background(), &tried)
	if p.Steps != c.Steps || p.Instances != c.Instances || c.Fault != "" {
		t.Errorf("own %+v\ntried %+v", p, c)
	}
}
