package policy_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"trimtab/internal/policy"
)

var placed = regexp.MustCompile(`^[\w/]+\.(rego|json):\d+: `)

// head begins the policy of a pool.
func head(pool string, imports ...string) string {
	text := "package pools." + pool + "\n\n"
	for _, i := range imports {
		text += "import data.lib." + i + "\n"
	}
	return text
}

func TestNoProblemHidesAnother(t *testing.T) {
	for name, tc := range map[string]struct {
		over map[string]string
		edit map[string][2]string
		// want are beginnings of lines.
		want []string
	}{
		"an unsafe name in one policy, and reads of another": {
			over: map[string]string{
				"pools/batch/more.rego": head("batch", "scale") + "want contains scale.track(\"jbs\", {\"target\": input.settings.cpu_percnt})\n",
				"pools/web/more.rego":   head("web") + "x := nope\n",
			},
			want: []string{
				`pools/batch/more.rego:4: pool batch (pools/batch/data.json:3) has no setting "cpu_percnt"; did you mean cpu_percent?`,
				`pools/batch/more.rego:4: pool batch (pools/batch/data.json:3) has no signal "jbs"; did you mean jobs?`,
				"pools/web/more.rego:3: var nope is unsafe",
			},
		},
		"a fault in data, and an unknown setting": {
			over: map[string]string{"pools/web/more.rego": head("web") + "x := input.settings.nope\n"},
			edit: map[string][2]string{"pools/web/data.json": {`"min"`, `"mim"`}},
			want: []string{
				`pools/web/data.json:6: data.pools.web.pool.limits: unknown field "mim"`,
				`pools/web/more.rego:3: pool web (pools/web/data.json:3) has no setting "nope"`,
			},
		},
		"a file that does not parse, and an unknown function in another": {
			over: map[string]string{
				"pools/batch/more.rego": head("batch") + "p if {\n",
				"pools/web/more.rego":   head("web", "scale") + "want contains scale.trak(\"cpu\", {})\n",
			},
			want: []string{
				"pools/batch/more.rego:",
				"pools/web/more.rego:4: undefined function data.lib.scale.trak: lib.scale has no such function; did you mean track?",
			},
		},
		"a file that does not parse, and reads in another of its package": {
			over: map[string]string{
				"pools/web/a.rego": head("web") + "p if {\n",
				"pools/web/b.rego": head("web") + "x := input.settings.nope\n",
			},
			want: []string{"pools/web/a.rego:", `pools/web/b.rego:3: pool web (pools/web/data.json:3) has no setting "nope"`},
		},
		"faults of every stage within one file": {
			over: map[string]string{"pools/web/more.rego": head("web", "mix", "scale") + `f(a) := 1

again if {
	x := 1
	x := 2
}

g := time.now_ns()

h := scale.track("cpu")

unsafe := nope

typed := input.capacity.instance

mismatched := 1 + "a"

recursive := recursive

want contains scale.trak(missing, {"target": input.settings.nope})

default twice := 1

default twice := 2

kind := 1

kind contains 2
`},
			want: []string{
				"pools/web/more.rego:1: multiple default rules data.pools.web.twice found",
				"pools/web/more.rego:3: import data.lib.mix unused",
				"pools/web/more.rego:5: unused argument a.",
				"pools/web/more.rego:9: var x assigned above",
				"pools/web/more.rego:12: undefined function time.now_ns",
				"pools/web/more.rego:14: function data.lib.scale.track has arity 2, got 1 argument",
				"pools/web/more.rego:16: var nope is unsafe",
				"pools/web/more.rego:18: undefined ref: input.capacity.instance",
				"pools/web/more.rego:20: plus: invalid argument(s)",
				"pools/web/more.rego:22: rule data.pools.web.recursive is recursive",
				`pools/web/more.rego:24: pool web (pools/web/data.json:3) has no setting "nope"`,
				"pools/web/more.rego:24: undefined function data.lib.scale.trak",
				"pools/web/more.rego:24: var missing is unsafe",
				"pools/web/more.rego:30: conflicting rules data.pools.web.kind found",
			},
		},
		"one unknown name in several rules, in their heads and bodies": {
			over: map[string]string{"pools/web/more.rego": head("web") + "a[nope] := 1\n\nb if nope\n\nc := [y | y := nope.x]\n"},
			want: []string{
				"pools/web/more.rego:3: var nope is unsafe", "pools/web/more.rego:5: var nope is unsafe", "pools/web/more.rego:7: var nope is unsafe",
			},
		},
		"faults in a library and in what imports it": {
			over: map[string]string{
				"lib/extra/extra.rego": "package lib.extra\n\nf(a) := nope + a\n",
				"pools/web/more.rego":  head("web", "extra") + "x := extra.f(1)\n\ny := extra.g(1)\n\nz := input.capacity.instance\n",
			},
			want: []string{
				"lib/extra/extra.rego:3: var nope is unsafe",
				"pools/web/more.rego:6: undefined function data.lib.extra.g",
				"pools/web/more.rego:8: undefined ref: input.capacity.instance",
			},
		},
		"faults within template strings": {
			over: map[string]string{"pools/web/more.rego": head("web") + "x := $\"{f(1)}\"\n\ny := $\"{count(1)} {nope}\"\n"},
			want: []string{
				"pools/web/more.rego:3: undefined function f", "pools/web/more.rego:5: count: invalid argument(s)",
				"pools/web/more.rego:5: var nope is unsafe",
			},
		},
		"an import that is used by a faulty rule alone": {
			over: map[string]string{"pools/web/more.rego": head("web", "scale") + "x := scale.at_least(nope, \"a\")\n\ny if {\n\tz := scale.at_least(1, \"b\")\n\tz := 2\n}\n"},
			want: []string{"pools/web/more.rego:4: var nope is unsafe", "pools/web/more.rego:8: var z assigned above"},
		},
		"a rule where data lie, and a fault within it": {
			over: map[string]string{"pools/web/more.rego": head("web") + "pool := nope\n"},
			want: []string{"pools/web/more.rego:3: ", "pools/web/more.rego:3: var nope is unsafe"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for file, change := range tc.edit {
				if tc.over == nil {
					tc.over = map[string]string{}
				}
				before := string(shippedFile(t, file))
				if tc.over[file] = strings.Replace(before, change[0], change[1], 1); tc.over[file] == before {
					t.Fatalf("%s does not hold %s", file, change[0])
				}
			}
			expect(t, tc.over, tc.want)
		})
	}
}

// expect loads the shipped tree with files over it and compares each problem with a beginning.
func expect(t *testing.T, over map[string]string, want []string) {
	t.Helper()
	_, err := policy.Load(context.Background(), with(t, over))
	if err == nil {
		t.Fatal("loaded")
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d problems:\n%s\nwant %d:\n%s", len(got), err, len(want), strings.Join(want, "\n"))
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) {
			t.Errorf("got  %s\nwant %s", got[i], w)
		}
		if !placed.MatchString(got[i]) {
			t.Errorf("no file and line: %s", got[i])
		}
	}
}

func TestWhatFollowsFromAProblemIsNoOther(t *testing.T) {
	parse := func(pool, rules string) map[string]string {
		return map[string]string{"pools/" + pool + "/" + pool + ".rego": head(pool) + rules}
	}
	for name, tc := range map[string]struct {
		over map[string]string
		want []string
	}{
		"a pool whose policy does not parse has one all the same": {
			over: parse("web", "want contains := 1\n"), want: []string{"pools/web/web.rego:3: "},
		},
		"an empty policy is no missing one": {
			over: map[string]string{"pools/web/web.rego": ""}, want: []string{"pools/web/web.rego:1: is empty"},
		},
		"an entry point that does not parse is there": {
			over: map[string]string{"main/main.rego": "package main\n\nproposal := := 1\n"}, want: []string{"main/main.rego:3: "},
		},
		"a library that does not parse has the functions that it writes": {
			over: map[string]string{
				"lib/extra/extra.rego": "package lib.extra\n\nf(a) := a + 1\n\nconstant := := 1\n",
				"lib/extra/other.rego": "package lib.extra\n\ng(a) := f(a) + constant + f2\n",
				"pools/web/more.rego":  head("web", "extra") + "x := extra.f(1)\n\ny := extra.ff(1)\n\nz := extra.g(1)\n",
			},
			want: []string{
				"lib/extra/extra.rego:5: ", "lib/extra/other.rego:3: var f2 is unsafe",
				"pools/web/more.rego:6: undefined function data.lib.extra.ff",
			},
		},
		"a library whose package is named wrongly": {
			over: map[string]string{
				"lib/extra/extra.rego": "package lib.extar\n\nf(a) := a + 1\n",
				"pools/web/more.rego":  head("web", "extra") + "x := extra.f(1)\n",
			},
			want: []string{"lib/extra/extra.rego:1: package lib.extar"},
		},
		"settings that are misspelt lack no name": {
			over: pool(`"limits": {"min": 1, "max": 3}, "policy": "batch",` + "\n" + `"setings": {}, "signals": {"cpu": {"metric": "m"}, "jobs": {"metric": "m"}},` + "\n" +
				`"schedules": {"nightly": {"days": "Mon", "from": "00:00", "to": "00:00", "zone": "Etc/UTC"}}`),
			want: []string{`pools/probe/data.json:4: data.pools.probe.pool: unknown field "setings"; did you mean settings?`},
		},
		"signals at fault have their names": {
			over: merged(pool(`"limits": {"min": 1, "max": 3},`+"\n"+`"signals": {"cpu": 3}, "schedules": []`), map[string]string{
				"pools/probe/probe.rego": head("probe", "scale", "schedule") + "want contains scale.track(\"cpu\", {\"target\": 1})\n\nwant contains schedule.at_least(\"x\", 1)\n",
			}),
			want: []string{
				"pools/probe/data.json:4: data.pools.probe.pool.schedules is an object, not an array",
				"pools/probe/data.json:4: data.pools.probe.pool.signals.cpu is an object, not a number",
			},
		},
		"a policy that is no name, and one that is misspelt": {
			over: merged(pool(`"limits": {"min": 1, "max": 3},`+"\n"+`"policy": 5`), map[string]string{
				"pools/other/data.json": `{"pool": {"scale_set": "` + vmss + `other", "orchestration": "uniform", "limits": {"min": 1, "max": 3}, "polcy": "web"}}`,
			}),
			want: []string{
				`pools/other/data.json:1: data.pools.other.pool: unknown field "polcy"; did you mean policy?`,
				"pools/probe/data.json:4: data.pools.probe.pool.policy: a string, not a number",
			},
		},
		"a value that is made of an unknown name": {
			over: map[string]string{"pools/web/more.rego": head("web") + "x if {\n\ty := nope\n\tz := y + 1\n\tz > count(y)\n}\n\nw := x\n"},
			want: []string{"pools/web/more.rego:4: var nope is unsafe"},
		},
		"a rule that hides the input": {
			over: map[string]string{"pools/web/more.rego": head("web") + "input := 1\n\nx := input.settings.nope + y\n"},
			want: []string{
				"pools/web/more.rego:3: rules must not shadow input", "pools/web/more.rego:5: var y is unsafe",
			},
		},
		"a schema that is not there": {
			over: merged(pool(`"limits": {"min": 1, "max": 3}`), map[string]string{
				"pools/probe/probe.rego": "# METADATA\n# schemas:\n#   - input: schema.nope\n" + idle + "\nx := 1\n\ny := 2\n",
			}),
			want: []string{"pools/probe/probe.rego:1: undefined schema: schema.nope"},
		},
		"metadata that a package has already, and a fault of the other file": {
			over: map[string]string{
				"pools/web/more.rego": "# METADATA\n# title: Again\npackage pools.web\n\nx := nope\n",
				"pools/web/web.rego":  string(shippedFile(t, "pools/web/web.rego")) + "\ny := nope\n",
			},
			want: []string{
				"pools/web/more.rego:5: var nope is unsafe", "pools/web/web.rego:1: package annotation redeclared",
				"pools/web/web.rego:29: var nope is unsafe",
			},
		},
		"a local name that hides an import": {
			over: map[string]string{"pools/web/more.rego": "package pools.web\n\nimport input.settings as s\n\nx := s.nope\n\ny := [z | some s in [{\"other\": 1}]; z := s.other]\n"},
			want: []string{`pools/web/more.rego:5: pool web (pools/web/data.json:3) has no setting "nope"`},
		},
	} {
		t.Run(name, func(t *testing.T) { expect(t, tc.over, tc.want) })
	}
}

// FuzzLoadOfRego: whatever a policy holds, loading comes to an end, and says of each problem where it is.
func FuzzLoadOfRego(f *testing.F) {
	f.Add(string(shippedFile(f, "pools/web/web.rego")))
	for _, rules := range []string{
		"x := nope\n", "p if {\n", "f(input) := 1\n", "default a := b\n\na := c(1, d)\n", "a.b.c := 1\n\na.b := 2\n\na[x] := x\n",
		"p[x] := y if some x, y in nope\n", "p if every x in xs { x.y == z }\n", "p := data.pools\n", "pool.x := pool\n", "import data.lib.scale\nimport data.lib.scale\n",
		"p contains [q(x) | x := time.now_ns()]\n\nq(x, y) := x\n\nelse := z\n", "# METADATA\n# scope: document\n# METADATA\n# schemas:\n#   - input: schema.no\np := 1 with input as f(2)\n",
		"p := q\n\nq := p\n\ndata := 1\n", "p := $\"{nope} {f(1)}\"\n", "p if not x\n\np if some x\n",
	} {
		f.Add(head("web") + rules)
	}
	f.Fuzz(func(t *testing.T, rego string) {
		_, err := policy.Load(context.Background(), with(t, map[string]string{"pools/web/web.rego": rego}))
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !placed.MatchString(line) {
				t.Errorf("a problem without its place: %q", line)
			}
			if strings.Contains(line, "__unknown__") || strings.Contains(line, "__nowhere__") || strings.Contains(line, "__stub") {
				t.Errorf("speaks of what is not the author's: %q", line)
			}
		}
	})
}
