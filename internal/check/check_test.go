package check_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trimtab/internal/check"
	"trimtab/policies"
)

// definition is a pool's, with what is particular to it.
func definition(fields string) string {
	const set = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/shop"
	return `{
  "pool": {
    "scale_set": "` + set + `",
    "orchestration": "uniform",
    ` + fields + `
  }
}
`
}

const plain = `"limits": {"min": 2, "max": 6},
    "signals": {"cpu": {"metric": "Percentage CPU", "unit": "percent"}}`

// with is the plain pool with more about its signal cpu.
func with(more string) string {
	return strings.Replace(plain, `"unit": "percent"`, more, 1)
}

const header = `# METADATA
# title: Shop
# description: A pool of the tests.
# schemas:
#   - input: schema.input.schema
package pools.shop

import data.lib.scale
import data.lib.schedule

# METADATA
# title: Reasons
# description: Those of the tests.
`

// tree is a folder of the shipped library and one pool.
func tree(t *testing.T, changes map[string]string) fs.FS {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, policies.FS); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "pools")); err != nil {
		t.Fatal(err)
	}
	withoutTests(t, folder)
	files := map[string]string{
		"pools/shop/data.json": definition(plain),
		"pools/shop/shop.rego": strings.Replace(header, "import data.lib.schedule\n", "", 1) + `want contains scale.track("cpu", {"target": 60})` + "\n",
	}
	for name, text := range changes {
		files[name] = text
	}
	for name, text := range files {
		at := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return os.DirFS(folder)
}

func examined(t *testing.T, files fs.FS, threshold float64) *check.Report {
	t.Helper()
	r, err := check.Run(t.Context(), files, check.Options{Threshold: threshold})
	if err != nil {
		t.Fatal(err)
	}
	r.Sort()
	return r
}

// The tests of the library are left to make policy, which runs them all.
func TestTheShippedPoolsAreClean(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, policies.FS); err != nil {
		t.Fatal(err)
	}
	withoutTests(t, filepath.Join(folder, "lib"))
	r := examined(t, os.DirFS(folder), 0)
	for _, f := range r.Findings {
		t.Errorf("%s:%d: %s [%s]", f.File, f.Line, f.Text, f.Rule)
	}
	if r.Tests < 5 || r.Failed > 0 || r.Coverage <= 0 {
		t.Errorf("%d tests, %d failed, coverage %.1f", r.Tests, r.Failed, r.Coverage)
	}
}

func withoutTests(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(at string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(at, "_test.rego") {
			err = os.Remove(at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func rego(want string) string {
	text := header
	if !strings.Contains(want, "schedule.") {
		text = strings.Replace(text, "import data.lib.schedule\n", "", 1)
	}
	if !strings.Contains(want, "scale.") {
		text = strings.Replace(text, "import data.lib.scale\n", "", 1)
	}
	if strings.Contains(want, "rules.") {
		text = strings.Replace(text, "\n# METADATA\n# title: Reasons", "import data.lib.rules\n\n# METADATA\n# title: Reasons", 1)
		text = strings.Replace(text, "\n\nimport data.lib.rules", "\n\nimport data.lib.rules", 1)
	}
	return text + want + "\n"
}

func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		definition, policy string
		rule, file         string
		line               int
		// says are parts of the finding's text.
		says []string
	}{
		"a step down that calls for growth": {
			definition: plain,
			policy:     `want contains scale.step("cpu", {"above": 70, "grow": [{"by": 1}], "below": 60, "shrink": [{"by": 3}]})`,
			rule:       "flap", file: "pools/shop/data.json", line: 6,
			says: []string{"the policy shrinks to 2", "on 2, and there it grows to", "begins at 70 percent"},
		},
		"thresholds without a margin": {
			definition: plain,
			policy:     `want contains scale.step("cpu", {"above": 60, "grow": [{"by": 1}], "below": 59, "shrink": [{"by": 1}]})`,
			rule:       "flap", file: "pools/shop/data.json", line: 6,
			says: []string{"on 3 instances", "the policy shrinks to 2", "begins at 60 percent"},
		},
		"growth on the signals of before": {
			definition: plain + `,
    "cooldown": {"grow_seconds": 30}`,
			policy: "want contains reason if some reason in rules.reasons({\n\t\"min\": 2,\n\t\"max\": 40,\n\t\"grow\": [{\"signal\": \"cpu\", \"over\": 70, \"by\": 2}],\n})",
			rule:   "grows-twice", file: "pools/shop/data.json", line: 7,
			says: []string{"on 2 instances", "grows to 4, and 30 seconds later", "to 6", "180 seconds (warm_up_seconds)"},
		},
		"a shrink before the boot is over": {
			definition: plain + `,
    "cooldown": {"shrink_seconds": 60},
    "stabilisation_seconds": 120,
    "warm_up_seconds": 400`,
			policy: `want contains scale.track("cpu", {"target": 60})`,
			rule:   "shrink-too-soon", file: "pools/shop/data.json", line: 7,
			says: []string{"after 120 seconds", "only after 400"},
		},
		"a signal that is always stale": {
			definition: strings.Replace(plain, `"unit": "percent"`, `"unit": "percent", "stale_after_seconds": 120`, 1),
			policy:     `want contains scale.track("cpu", {"target": 60})`,
			rule:       "late-signal", file: "pools/shop/data.json", line: 6,
			says: []string{"stale after 120 seconds", "240 would be right, 720 for diagnostic settings"},
		},
		"a window shorter than the delay": {
			definition: strings.Replace(plain, `"unit": "percent"`, `"unit": "percent", "window_seconds": 120`, 1),
			policy:     `want contains scale.track("cpu", {"target": 60})`,
			rule:       "late-signal", file: "pools/shop/data.json", line: 6,
			says: []string{"looks at 120 seconds", "on 2 samples", "at least 180"},
		},
		"a signal that nothing reads": {
			definition: strings.Replace(plain, `"signals": {`, `"signals": {"queue": {"metric": "Jobs"}, `, 1),
			policy:     `want contains scale.track("cpu", {"target": 60})`,
			rule:       "idle-signal", file: "pools/shop/data.json", line: 6,
			says: []string{"signal queue changes nothing"},
		},
		"a policy that never grows": {
			definition: plain,
			policy:     `want contains scale.step("cpu", {"below": 20, "shrink": [{"by": 1}]})`,
			rule:       "never-grows", file: "pools/shop/data.json", line: 6,
			says: []string{"no value of any signal"},
		},
		"a minimum below the majority": {
			definition: plain + `,
    "labels": {"quorum": "5"}`,
			policy: `want contains scale.track("cpu", {"target": 60})`,
			rule:   "quorum", file: "pools/shop/data.json", line: 5,
			says: []string{"limits.min is 2, and 5 members need 3"},
		},
		"a rule that is called wrongly": {
			definition: plain,
			policy:     `want contains scale.track("cpu", {"target": 0})`,
			rule:       "fault", file: "pools/shop/data.json", line: 2,
			says: []string{"target must be a number of at least 0.001"},
		},
		"an option that is none": {
			definition: plain,
			policy:     `want contains scale.track("cpu", {"targte": 60})`,
			rule:       "load", file: "pools/shop/shop.rego", line: 13,
			says: []string{`scale.track has no option "targte"; did you mean target?`},
		},
		"a signal that the pool does not have": {
			definition: plain,
			policy:     `want contains scale.track("cpuu", {"target": 60})`,
			rule:       "load", file: "pools/shop/shop.rego", line: 13,
			says: []string{`has no signal "cpuu"`},
		},
		"a clock": {
			definition: plain,
			policy:     `want contains scale.at_least(time.now_ns(), "now")`,
			rule:       "load", file: "pools/shop/shop.rego", line: 13,
			says: []string{"undefined function time.now_ns", "closed list"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := examined(t, tree(t, map[string]string{
				"pools/shop/data.json": definition(c.definition), "pools/shop/shop.rego": rego(c.policy),
			}), 0)
			i := slices.IndexFunc(r.Findings, func(f check.Finding) bool { return f.Rule == c.rule })
			if i < 0 {
				t.Fatalf("no finding %s among %+v", c.rule, r.Findings)
			}
			f := r.Findings[i]
			if f.File != c.file || f.Line != c.line {
				t.Errorf("at %s:%d, want %s:%d: %s", f.File, f.Line, c.file, c.line, f.Text)
			}
			for _, part := range c.says {
				if !strings.Contains(f.Text, part) {
					t.Errorf("%q does not say %q", f.Text, part)
				}
			}
			if !r.Bad() {
				t.Error("it is no reason to fail")
			}
		})
	}
}

// What the findings above are not made of: the same rules with a margin, the same cooldown with a rule that knows demand.
func TestNoFindingsWhereNothingFights(t *testing.T) {
	for name, c := range map[string]struct{ definition, policy string }{
		"target tracking": {plain, `want contains scale.track("cpu", {"target": 60})`},
		"a short cooldown with demand": {plain + `,
    "cooldown": {"grow_seconds": 30}`, `want contains scale.track("cpu", {"target": 60})`},
		"thresholds with a margin": {plain, `want contains scale.step("cpu", {"above": 70, "grow": [{"by": 1}], "below": 30, "shrink": [{"by": 1}]})`},
		"rules that ask first": {plain + `,
    "cooldown": {"grow_seconds": 300}`, "want contains reason if some reason in rules.reasons({\n\t\"min\": 2,\n\t\"max\": 40,\n\t\"grow\": [{\"signal\": \"cpu\", \"over\": 70, \"by\": 2, \"spread\": true}],\n\t\"shrink\": [{\"signal\": \"cpu\", \"under\": 69, \"by\": 9}],\n})"},
		"a trend alone":    {with(`"trend": true`), `want contains scale.trend("cpu", {"target": 60, "lead_seconds": 300})`},
		"a forecast alone": {with(`"forecast": {"lead_seconds": 900}`), `want contains scale.forecast("cpu", {"target": 60})`},
		"a forecast of a total, beside another signal": {
			with(`"forecast": {"lead_seconds": 900, "of": "value"}}, "memory": {"metric": "Used"`),
			"want contains scale.track(\"memory\", {\"target\": 60})\n\nwant contains scale.forecast(\"cpu\", {\"target\": 60, \"only\": \"record\"})",
		},
		"growth only while two signals call for it": {
			with(`"unit": "percent"}, "memory": {"metric": "Used", "unit": "percent"`),
			"want contains scale.all_of(\"both\", [scale.step(signal, {\"above\": 70, \"grow\": [{\"by\": 1}], \"below\": 30, \"shrink\": [{\"by\": 1}]}) |" +
				"\n\tsome signal in [\"cpu\", \"memory\"]\n])",
		},
		"a pause that two signals call for": {
			with(`"unit": "percent"}, "short": {"metric": "Failed", "unit": "percent"}, "long": {"metric": "Failed", "unit": "percent"`),
			"want contains scale.track(\"cpu\", {\"target\": 60})\n\nwant contains scale.boost(scale.track(\"cpu\", {\"target\": 60}), 25) if " +
				"scale.burning({\"short\": \"short\", \"long\": \"long\", \"slo_percent\": 99.9, \"at\": 14.4})",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := examined(t, tree(t, map[string]string{
				"pools/shop/data.json": definition(c.definition), "pools/shop/shop.rego": rego(c.policy),
			}), 0)
			for _, f := range r.Findings {
				if f.Level != check.Info && f.Rule != "no-tests" {
					t.Errorf("%s:%d: %s [%s]", f.File, f.Line, f.Text, f.Rule)
				}
			}
		})
	}
}

func TestFormTestsAndMetadata(t *testing.T) {
	policy := rego(`want contains scale.track("cpu", {"target": 60})`)
	r := examined(t, tree(t, map[string]string{
		"pools/shop/shop.rego": strings.Replace(strings.Replace(policy, `{"target": 60}`, `{ "target": 60 }`, 1), "# title: Shop\n", "# title: Shop\n", 1) +
			"\nbare := 1\n\n_private := 2\n\nwant contains scale.at_least(_private + bare, \"bare\") if input.settings.never\n",
		"pools/shop/data.json": definition(plain + `,
    "settings": {"never": false}`),
		"pools/shop/shop_test.rego": "package pools.shop_test\n\nimport data.pools.shop\n\ntest_case[note] if {\n\tsome note, n in {\"one is two\": 2, \"one is one\": 1}\n\tshop.bare == n\n}\n",
	}), 100)
	got := map[string]check.Finding{}
	for _, f := range r.Findings {
		got[f.Rule+" "+f.File] = f
	}
	for key, part := range map[string]string{
		"format pools/shop/shop.rego":    "opa fmt",
		"metadata pools/shop/shop.rego":  "rule bare has no METADATA",
		"test pools/shop/shop_test.rego": "pools.shop_test.test_case fails for one is two",
		"coverage pools/shop/shop.rego":  "run in no test",
	} {
		if f, there := got[key]; !there || !strings.Contains(f.Text, part) {
			t.Errorf("%s: %+v, want %q", key, f, part)
		}
	}
	if r.Failed != 1 {
		t.Errorf("%d tests failed", r.Failed)
	}
}

func TestATreeThatDoesNotLoadIsReportedWhole(t *testing.T) {
	r := examined(t, tree(t, map[string]string{"pools/shop/shop.rego": "package pools.shopp\n\nwant contains {\n"}), 0)
	if len(r.Findings) == 0 || r.Findings[0].Rule != "load" || !strings.HasPrefix(r.Findings[0].File, "pools/shop/") {
		t.Errorf("got %+v", r.Findings)
	}
	states := map[string]string{}
	for _, p := range r.Parts {
		states[p.Name] = p.State
	}
	if states["load"] != check.Findings || states["tests"] != check.NotRun || states["pools"] != check.NotRun {
		t.Errorf("got %v", states)
	}
}

// What SARIF 2.1.0 demands: version, runs, a tool with a named driver, rules with an id each of which is there once, results
// with a message, a level of its four, an index that leads to the rule, a location as a URI reference, lines from 1, and
// whether the run came to its end.
func TestSARIFHasWhatItsSchemaDemands(t *testing.T) {
	r := &check.Report{Findings: []check.Finding{
		{Rule: "metadata", Level: check.Warning, File: "pools/a b/ä%.rego", Line: 1, Text: "one"},
		{Rule: "regal/line-length", Level: check.Error, File: "lib/a.rego", Line: 3, Text: "two"},
		{Rule: "late-signal", Level: check.Info, File: ".", Line: 1, Text: "three"},
	}}
	r.Add(check.Part{Name: "regal", State: check.NotRun, Detail: "it is not here"}, []check.Finding{{Rule: "load", Level: check.Error, File: "x.rego", Text: "no line"}})
	var b bytes.Buffer
	if err := r.Write(&b, "sarif", "my policies", "1"); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal(b.Bytes(), &log); err != nil || log["version"] != "2.1.0" {
		t.Fatal(err, log["version"])
	}
	run := log["runs"].([]any)[0].(map[string]any)
	driver := run["tool"].(map[string]any)["driver"].(map[string]any)
	if driver["name"] == "" || run["invocations"].([]any)[0].(map[string]any)["executionSuccessful"] != true {
		t.Errorf("driver %v, invocations %v", driver["name"], run["invocations"])
	}
	var ids []string
	for _, rule := range driver["rules"].([]any) {
		ids = append(ids, rule.(map[string]any)["id"].(string))
	}
	if slices.Sort(ids); len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("a rule is there twice: %v", ids)
	}
	results := run["results"].([]any)
	if len(results) != 4 {
		t.Fatalf("%d results", len(results))
	}
	var uris []string
	for _, each := range results {
		result := each.(map[string]any)
		rule := driver["rules"].([]any)[int(result["ruleIndex"].(float64))].(map[string]any)
		if rule["id"] != result["ruleId"] || result["message"].(map[string]any)["text"] == "" ||
			!slices.Contains([]any{"none", "note", "warning", "error"}, result["level"]) {
			t.Errorf("%v", result)
		}
		at := result["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any)
		if line := at["region"].(map[string]any)["startLine"].(float64); line < 1 {
			t.Errorf("line %v", line)
		}
		uris = append(uris, at["artifactLocation"].(map[string]any)["uri"].(string))
	}
	slices.Sort(uris)
	if want := []string{"my%20policies", "my%20policies/lib/a.rego", "my%20policies/pools/a%20b/%C3%A4%25.rego", "my%20policies/x.rego"}; !slices.Equal(uris, want) {
		t.Errorf("at %q, want %q", uris, want)
	}
}

func TestEachFormOfTheReport(t *testing.T) {
	report := func() *check.Report {
		return &check.Report{
			Parts: []check.Part{{Name: "regal", State: check.NotRun, Detail: "it is not here"}},
			Findings: []check.Finding{
				{Rule: "flap", Level: check.Warning, File: "pools/b/data.json", Line: 7, Pool: "b", Text: "100 % of, it:\nfights"},
				{Rule: "regal/line-length", Level: check.Error, File: "lib/a.rego", Line: 3, Text: "long"},
			},
		}
	}
	written := func(form string) string {
		var b bytes.Buffer
		if err := report().Write(&b, form, "policies", "1.2.3"); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := "policies/lib/a.rego:3: error: long [regal/line-length]\npolicies/pools/b/data.json:7: warning: 100 % of, it:\nfights [flap]\n\nregal  not run  it is not here\n"
	if got := written("text"); got != want {
		t.Errorf("text: got %q", got)
	}
	want = "::error file=policies/lib/a.rego,line=3,title=trimtab check%3A regal/line-length::long\n" +
		"::warning file=policies/pools/b/data.json,line=7,title=trimtab check%3A flap::100 %25 of, it:%0Afights\n" +
		"::notice title=trimtab check%3A regal not run::it is not here\n"
	if got := written("github"); got != want {
		t.Errorf("github: got %q", got)
	}
	var r check.Report
	if err := json.Unmarshal([]byte(written("json")), &r); err != nil || len(r.Findings) != 2 {
		t.Errorf("json: %v, %+v", err, r)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version string
					Rules         []struct{ ID string }
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(written("sarif")), &log); err != nil || log.Version != "2.1.0" || len(log.Runs) != 1 {
		t.Fatalf("sarif: %v", err)
	}
	run := log.Runs[0]
	for _, result := range run.Results {
		if run.Tool.Driver.Rules[result.RuleIndex].ID != result.RuleID {
			t.Errorf("sarif: result of %s points at rule %s", result.RuleID, run.Tool.Driver.Rules[result.RuleIndex].ID)
		}
		at := result.Locations[0].PhysicalLocation
		if !strings.HasPrefix(at.ArtifactLocation.URI, "policies/") || at.Region.StartLine < 1 {
			t.Errorf("sarif: at %+v", at)
		}
	}
	if len(run.Results) != 2 {
		t.Errorf("sarif: %d results", len(run.Results))
	}
}
