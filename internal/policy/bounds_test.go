package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
)

const (
	wantsSeven   = "want contains {\"code\": \"load\", \"state\": \"known\", \"instances\": 7}\n\n"
	wantsTwo     = "want contains {\"code\": \"load\", \"state\": \"known\", \"instances\": 2}\n\n"
	wantsNothing = "want contains {\"code\": \"load\", \"state\": \"idle\"}\n\n"
)

// importing puts the imports that rules use before them, three lines in any case.
func importing(rules string) string {
	var s strings.Builder
	for _, name := range []string{"scale", "schedule"} {
		if strings.Contains(rules, name+".") {
			s.WriteString("import data.lib." + name)
		}
		s.WriteString("\n")
	}
	return s.String() + "\n" + rules
}

// Five instances; the schedule night is active.
func TestCeilingsAndPauses(t *testing.T) {
	binds := func(code, name string, n int, numbers map[string]int64) *scale.Reason {
		return &scale.Reason{Code: code, Name: name, State: scale.ReasonKnown, Instances: n, Numbers: numbers}
	}
	recorded := func(code, name string, numbers map[string]int64) *scale.Reason {
		return &scale.Reason{Code: code, Name: name, State: scale.ReasonIdle, Numbers: numbers}
	}
	at := map[string]int64{"wanted": 7}
	for name, tc := range map[string]struct {
		rego    string
		known   bool
		want    int
		doubt   bool
		reason  *scale.Reason
		faults  string
		unmixed bool
	}{
		"a ceiling cuts": {
			rego: wantsSeven + `cap contains scale.at_most(6, "quota")`, known: true, want: 6, reason: binds("at_most", "quota", 6, at),
		},
		"a ceiling may call for a shrink": {
			rego: wantsSeven + `cap contains scale.at_most(3, "quota")`, known: true, want: 3, reason: binds("at_most", "quota", 3, at),
		},
		"a ceiling cuts floors, too": {
			rego:  wantsTwo + "want contains scale.at_least(7, \"floor\")\n\ncap contains scale.at_most(6, \"quota\")",
			known: true, want: 6, reason: binds("at_most", "quota", 6, at),
		},
		"the lowest of several cuts": {
			rego:  wantsSeven + "cap contains scale.at_most(6, \"quota\")\n\ncap contains scale.at_most(4, \"team\")",
			known: true, want: 4, reason: binds("at_most", "team", 4, at),
		},
		"a ceiling above the wish is idle": {
			rego: wantsTwo + `cap contains scale.at_most(6, "quota")`, known: true, want: 2,
			reason: recorded("at_most", "quota", map[string]int64{"at_most": 6}),
		},
		"a ceiling at the wish is idle": {
			rego: wantsSeven + `cap contains scale.at_most(7, "quota")`, known: true, want: 7,
			reason: recorded("at_most", "quota", map[string]int64{"at_most": 7}),
		},
		"a ceiling by itself makes nothing known": {
			rego:   wantsNothing + `cap contains scale.at_most(3, "quota")`,
			reason: recorded("at_most", "quota", map[string]int64{"at_most": 3}),
		},
		"a ceiling by schedule": {
			rego: wantsSeven + `cap contains schedule.at_most("night", 6)`, known: true, want: 6, reason: binds("schedule", "night", 6, at),
		},
		"a ceiling at fault stops growth": {
			rego: wantsSeven + `cap contains scale.at_most(2.5, "quota")`, known: true, want: 5, doubt: true,
			faults: "at_most quota: 2.5 is not a whole number of instances from 0 up",
		},
		"a ceiling at fault stops a shrink": {
			rego: wantsTwo + `cap contains scale.at_most(2.5, "quota")`, known: true, want: 2, doubt: true,
			faults: "at_most quota: 2.5 is not a whole number of instances from 0 up",
		},
		"a ceiling at fault keeps the pool from its default count": {
			rego: wantsNothing + `cap contains scale.at_most(2.5, "quota")`, known: true, want: 5, doubt: true,
			faults: "at_most quota: 2.5 is not a whole number of instances from 0 up",
		},
		"a ceiling at fault does not lift another": {
			rego:  wantsSeven + "cap contains scale.at_most(2.5, \"quota\")\n\ncap contains scale.at_most(4, \"team\")",
			known: true, want: 4, doubt: true, faults: "at_most quota: 2.5 is not a whole number of instances from 0 up",
		},
		"a ceiling that is unknown stops growth": {
			rego:  wantsSeven + `cap contains {"code": "budget", "state": "unknown", "detail": "no bill yet"}`,
			known: true, want: 5, doubt: true,
		},
		"a ceiling that is undefined stops growth": {
			rego:  wantsSeven + "cap contains x\n\nx := 1 if input.limits.min > 99",
			known: true, want: 5, doubt: true,
			faults: "pools/probe/probe.rego:8: the ceiling is undefined: something that it reads does not exist",
		},
		"a ceiling whose condition does not hold is none": {
			rego: wantsSeven + `cap contains scale.at_most(3, "quota") if input.limits.min > 99`, known: true, want: 7,
		},
		"a ceiling whose condition is in error stops growth": {
			rego:  wantsSeven + `cap contains scale.at_most(3, "quota") if 1 / (input.limits.min - 1) > 1`,
			known: true, want: 5, doubt: true, faults: "pools/probe/probe.rego:8: eval_builtin_error: div: divide by zero",
		},
		"a reason among the ceilings is a fault": {
			rego: wantsSeven + `cap contains scale.at_least(9, "floor")`, known: true, want: 5, doubt: true,
			faults: "at_least floor: instances is no field of a ceiling: code, name, state, at_most, numbers, detail; a reason belongs into want",
		},
		"a ceiling among the reasons is a fault": {
			rego: wantsSeven + `want contains scale.at_most(9, "quota")`, known: true, want: 7, doubt: true,
			faults: "at_most quota: at_most is no field of a reason: code, name, state, instances, numbers, detail; a ceiling belongs into cap",
		},
		"a pause holds what would grow": {
			rego: wantsSeven + `pause contains schedule.pause("night")`, known: true, want: 5, unmixed: true,
			reason: binds("pause", "night", 5, at),
		},
		"a pause holds what would shrink": {
			rego: wantsTwo + `pause contains schedule.pause("night")`, known: true, want: 5, unmixed: true,
			reason: binds("pause", "night", 5, map[string]int64{"wanted": 2}),
		},
		"a pause keeps the pool from its default count": {
			rego: wantsNothing + `pause contains schedule.pause("night")`, known: true, want: 5, unmixed: true,
		},
		"a pause of growth lets it shrink": {
			rego: wantsTwo + `pause contains schedule.pause_grow("night")`, known: true, want: 2,
		},
		"a pause of growth holds what would grow": {
			rego: wantsSeven + `pause contains schedule.pause_grow("night")`, known: true, want: 5,
		},
		"a pause of a shrink lets it grow": {
			rego: wantsSeven + `pause contains schedule.pause_shrink("night")`, known: true, want: 7,
		},
		"a pause of a shrink holds what a ceiling would shrink": {
			rego:  wantsSeven + "cap contains scale.at_most(3, \"quota\")\n\npause contains schedule.pause_shrink(\"night\")",
			known: true, want: 5,
		},
		"a pause of a shrink makes nothing known": {
			rego: wantsNothing + `pause contains schedule.pause_shrink("night")`,
		},
		"a pause at fault pauses": {
			rego: wantsSeven + `pause contains {"code": "mine", "state": "fault", "detail": "no calendar"}`, known: true, want: 5,
			doubt: true, unmixed: true, faults: "mine: no calendar",
		},
		"a pause that stops nothing is a fault and pauses": {
			rego: wantsSeven + `pause contains {"code": "mine", "state": "known", "stops": "mix"}`, known: true, want: 5,
			doubt: true, unmixed: true, faults: "mine: stops is one of all, grow, shrink",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, view := try(t, importing(tc.rego)+"\n\nblend := {\"base\": 1, \"regular_percent\": 50}\n")
			p := bundle.Propose(context.Background(), view)
			if p.Fault != "" || p.Known != tc.known || p.Instances != tc.want || p.Doubt != tc.doubt {
				t.Errorf("%+v\nwant known %v, %d instances, doubt %v", p, tc.known, tc.want, tc.doubt)
			}
			if got := strings.Join(p.Faults, "\n"); !strings.HasPrefix(got, tc.faults) || (tc.faults == "") != (got == "") {
				t.Errorf("faults %q\nwant %q", got, tc.faults)
			}
			if (p.Blend == nil) != tc.unmixed {
				t.Errorf("blend %+v", p.Blend)
			}
			if tc.reason != nil && !slices.ContainsFunc(p.Reasons, func(r scale.Reason) bool { return cmp.Equal(r, *tc.reason) }) {
				t.Errorf("reasons %+v\nlack %+v", p.Reasons, *tc.reason)
			}
		})
	}
}

func TestASchedulesEndLiftsItsCeilingAndItsPause(t *testing.T) {
	bundle, view := try(t, importing(wantsSeven+"cap contains schedule.at_most(\"night\", 6)\n\npause contains schedule.pause(\"night\")\n"))
	view.Schedules["night"] = scale.ScheduleView{}
	p := bundle.Propose(context.Background(), view)
	if p.Instances != 7 || p.Doubt || len(p.Faults) > 0 {
		t.Errorf("%+v", p)
	}
}

func TestWithoutFactsAPauseLeavesTheNumberToTheRails(t *testing.T) {
	bundle, view := try(t, importing(wantsSeven+`pause contains schedule.pause("night")`+"\n"))
	view.Facts = scale.Facts{}
	if p := bundle.Propose(context.Background(), view); p.Fault != "" || p.Instances != 7 {
		t.Errorf("there is no count to stay at: %+v", p)
	}
}

func TestMoreBoundsThanAnybodyReadsAreAFaultOfTheWhole(t *testing.T) {
	bundle, view := try(t, importing(wantsSeven+"cap contains scale.at_most(n, sprintf(\"%d\", [n])) if {\n"+
		"\tsome n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]\n}\n"))
	if p := bundle.Propose(context.Background(), view); p.Fault != "cap has 17 ceilings: at most 16" || p.Known {
		t.Errorf("%+v", p)
	}
}

func TestASetThatIsNoneDoesNotLoad(t *testing.T) {
	for name, tc := range map[string]struct{ rego, problem string }{
		"a ceiling": {`cap := 5`, "pools/probe/probe.rego:8: cap is a set of ceilings: write cap contains …"},
		"a pause":   {`pause := true`, "pools/probe/probe.rego:8: pause is a set of pauses: write pause contains …"},
		"a schedule that the pool does not have": {
			`cap contains schedule.at_most("nihgt", 5)`,
			`pools/probe/probe.rego:8: pool probe (pools/probe/data.json:2) has no schedule "nihgt"; did you mean night?`,
		},
		"a signal that the pool does not have": {
			`want contains scale.step("cpuu", {"above": 70, "grow": [{"by": 1}]})`,
			`pools/probe/probe.rego:8: pool probe (pools/probe/data.json:2) has no signal "cpuu"; did you mean cpu?`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(context.Background(), with(t, map[string]string{
				"pools/probe/probe.rego": "package pools.probe\n\n" + importing(wantsSeven+tc.rego) + "\n",
				"pools/probe/data.json":  probe,
			}))
			if err == nil || !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("%v\nwant %s", err, tc.problem)
			}
		})
	}
}
