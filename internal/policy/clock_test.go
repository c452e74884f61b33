package policy_test

import (
	"fmt"
	"testing"

	"trimtab/internal/policy"
)

func TestOnlyAPolicyThatReadsNoAgeIsDeafToTheClock(t *testing.T) {
	reason := func(instances string) string {
		return `want contains {"code": "x", "state": "known", "instances": ` + instances + `}`
	}
	cases := map[string]struct {
		text  string
		hears bool
	}{
		"a number of its own":               {reason("3"), false},
		"a number of its settings":          {reason("input.settings.most"), false},
		"a count that is named":             {reason("input.capacity.instances"), false},
		"a field of a signal":               {reason("input.signals.cpu.demand_milli"), false},
		"whether a schedule is open":        {reason("3") + " if input.schedules.office.active", false},
		"a function of the library":         {"import data.lib.scale\n\n" + `want contains scale.track("cpu", {"target": 60})`, false},
		"the instant":                       {reason("input.now.unix_seconds"), true},
		"the age of the facts":              {reason("input.capacity.age_seconds"), true},
		"the age of a signal":               {reason("input.signals.cpu.age_seconds"), true},
		"what is left of a schedule":        {reason("input.schedules.office.seconds_left"), true},
		"an age behind a rule":              {reason("_age") + "\n\n_age := input.capacity.age_seconds", true},
		"an age behind a function":          {reason("_age(input.capacity)") + "\n\n_age(c) := c.age_seconds", true},
		"a part handed on as a whole":       {reason("count(input.capacity)"), true},
		"a signal handed on as a whole":     {reason("count(input.signals.cpu)"), true},
		"every field of a signal":           {reason("max([v | some v in input.signals.cpu; is_number(v)])"), true},
		"a key that is reckoned":            {reason("input.capacity[input.settings.key]"), true},
		"the whole input":                   {reason("count(input)"), true},
		"what is remembered, which is ages": {reason("count(input.memory.evictions)"), true},
		"a trend, which is as old as it is": {"import data.lib.scale\n\n" +
			`want contains scale.trend("cpu", {"target": 60, "lead_seconds": 60})`, true},
	}
	over, named := map[string]string{}, map[string]string{}
	for name, tc := range cases {
		named[name] = fmt.Sprintf("clock%d", len(named))
		over[fmt.Sprintf("pools/%[1]s/%[1]s.rego", named[name])] = "package pools." + named[name] + "\n\n" + tc.text + "\n"
	}
	b, err := policy.Load(t.Context(), with(t, over))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		if got := b.HearsClock(named[name]); got != tc.hears {
			t.Errorf("%s: hears the clock %v, want %v", name, got, tc.hears)
		}
	}
	if b.HearsClock("web") {
		t.Error("the worked web policy hears the clock")
	}
}
