package autoscale_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/autoscale"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// options are what the templates among the files leave to their deployment.
func options(file string) autoscale.Options {
	if !strings.Contains(file, "template_expressions") {
		return autoscale.Options{}
	}
	return autoscale.Options{
		Subscription: "0b1f6471-1bf0-4dda-aec3-111122223333", ResourceGroup: "shop", Location: "westeurope",
		Parameters: map[string]any{"IN": "20"},
	}
}

func imported(t *testing.T, name string) []autoscale.Pool {
	t.Helper()
	file := filepath.Join("testdata", name+".json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pools, err := autoscale.Import(text, options(file))
	if err != nil {
		t.Fatal(err)
	}
	return pools
}

// load compiles pools with the shipped library, as a folder of policies.
func load(t *testing.T, pools ...autoscale.Pool) *policy.Bundle {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, policies.FS); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "pools")); err != nil {
		t.Fatal(err)
	}
	for _, p := range pools {
		at := filepath.Join(folder, "pools", p.Name)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"data.json": p.Definition, p.Name + ".rego": p.Policy} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	bundle, err := policy.Load(t.Context(), os.DirFS(folder))
	if err != nil {
		for _, p := range pools {
			t.Log(p.Policy)
		}
		t.Fatal(err)
	}
	return bundle
}

func shapes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of settings, %v", len(files), err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".json")
	}
	return files
}

func TestEachShapeBecomesPoolsThatLoad(t *testing.T) {
	for _, name := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			pools := imported(t, name)
			bundle := load(t, pools...)
			if len(bundle.Pools) != len(pools) {
				t.Errorf("%d pools load of %d", len(bundle.Pools), len(pools))
			}
			for _, p := range bundle.Pools {
				if p.Mode != scale.Observe {
					t.Errorf("pool %s does not observe", p.Name)
				}
			}
		})
	}
}

// notes are the levels and places of a pool's notes, those that every pool has left out.
func notes(p autoscale.Pool) []string {
	var out []string
	for _, n := range p.Notes {
		if n.Path != "enabled" && n.Path != "cooldown" && (n.Path != "targetResourceUri" || n.Level != autoscale.Told) {
			out = append(out, string(n.Level)+" "+n.Path)
		}
	}
	slices.Sort(out)
	return out
}

func TestWhatIsNotKeptIsReportedWithItsPlace(t *testing.T) {
	for name, want := range map[string][]string{
		"one_profile":          nil,
		"az_show":              nil,
		"rest_list":            nil,
		"template_expressions": nil,
		"nested_deployment":    nil,
		"contiguous":           nil,
		"portal_weekend":       nil,
		"fixed_date": {
			"told profiles[1].fixedDate.end", "told profiles[1].fixedDate.start",
		},
		"several_rules": {
			"lost notifications[0]", "told profiles[0].rules[1].scaleAction", "told profiles[0].rules[3].scaleAction",
		},
		"predictive": {"changed predictiveAutoscalePolicy"},
		"queue_divided": {
			"told profiles[0].rules[0].metricTrigger.metricResourceUri", "told profiles[0].rules[1].metricTrigger.metricResourceUri",
		},
		"dimensions": {
			"changed profiles[0]",
			"lost profiles[0].rules[1].metricTrigger.dimensions[0]", "lost profiles[0].rules[3].metricTrigger.dimensions[0]",
			"told profiles[0].rules[0].metricTrigger.dimensions", "told profiles[0].rules[2].metricTrigger.dimensions",
		},
		"cases_and_numbers": {
			"changed profiles[0]", "changed profiles[0].rules[0].metricTrigger.timeWindow",
			"changed profiles[0].rules[1].metricTrigger", "lost profiles[0].rules[1].scaleAction.type",
		},
		"statistics": {
			"changed profiles[0].rules[4].metricTrigger", "told profiles[0].rules[5].metricTrigger.timeGrain",
			"told profiles[0].rules[6].metricTrigger.metricName",
		},
		"dates_only": nil,
	} {
		t.Run(name, func(t *testing.T) {
			pools := imported(t, name)
			if d := cmp.Diff(want, notes(pools[0])); d != "" {
				t.Errorf("notes (-want +got):\n%s", d)
			}
		})
	}
}

func TestATargetThatIsNoScaleSetIsLost(t *testing.T) {
	pools := imported(t, "az_list")
	if len(pools) != 3 || !pools[2].Lost() || pools[0].Lost() || pools[1].Lost() {
		t.Errorf("got %+v", pools)
	}
}

func TestThePolicyIsReadable(t *testing.T) {
	want := `# METADATA
# title: weekend
# description: |
#   Imported from the autoscale setting of that name: out if any rule of the profile in force is met, in if all are.
# schemas:
#   - input: schema.input.schema
package pools.weekend

import data.lib.rules
import data.lib.schedule

# METADATA
# title: Reasons
# description: One for each rule of the profile in force, and its minimum.
want contains reason if some reason in rules.reasons(_profile)

# METADATA
# title: Ceilings
# description: The maximum of the profile in force.
cap contains rules.ceiling(_profile)

# Fixed dates stand before recurrences, and these before the default.
_profile := _weekend_profile if {
	schedule.active("weekend_profile")
} else := _auto_created_default_scale_condition

# Weekend profile
_weekend_profile := {
	"min": 1,
	"max": 6,
	"default": 1,
	"grow": [{"signal": "percentage_cpu", "over": 80, "by": 2, "spread": true}],
	"shrink": [{"signal": "percentage_cpu", "under": 40, "by": 1}],
}

# Auto created default scale condition
_auto_created_default_scale_condition := {
	"min": 3,
	"max": 20,
	"default": 3,
	"grow": [{"signal": "percentage_cpu", "over": 70, "by": 1, "spread": true}],
	"shrink": [{"signal": "percentage_cpu", "under": 30, "by": 1}],
}
`
	if d := cmp.Diff(want, imported(t, "portal_weekend")[0].Policy); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestADefinitionHasWhatTheSettingSays(t *testing.T) {
	for name, want := range map[string]struct {
		orchestration scale.Orchestration
		limits        scale.Limits
		signals       []string
		schedules     int
	}{
		"portal_weekend":       {"uniform", scale.Limits{Min: 1, Max: 20, Default: 3}, []string{"percentage_cpu"}, 1},
		"template_expressions": {"flexible", scale.Limits{Min: 2, Max: 10, Default: 2}, []string{"percentage_cpu"}, 0},
		"queue_divided":        {"uniform", scale.Limits{Min: 0, Max: 50, Default: 1}, []string{"activemessagecount"}, 0},
		"contiguous":           {"uniform", scale.Limits{Min: 1, Max: 20, Default: 1}, []string{"inbound_flows"}, 3},
		"many_profiles":        {"uniform", scale.Limits{Min: 2, Max: 60, Default: 3}, []string{"percentage_cpu"}, 4},
		"statistics": {"uniform", scale.Limits{Min: 1, Max: 20, Default: 2}, []string{
			"heartbeats", "network_in_total", "network_in_total_total", "percentage_cpu", "percentage_cpu_last",
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, imported(t, name)[0]).Pools[0]
			var signals []string
			for _, s := range p.Signals {
				signals = append(signals, s.Name)
			}
			if p.Orchestration != want.orchestration || p.Rails.Limits != want.limits || len(p.Schedules) != want.schedules {
				t.Errorf("got %s, %+v, %d schedules %+v", p.Orchestration, p.Rails.Limits, len(p.Schedules), p.Schedules)
			}
			if d := cmp.Diff(want.signals, signals); d != "" {
				t.Errorf("signals (-want +got):\n%s", d)
			}
		})
	}
}

func TestAForecastIsAReasonOfItsOwn(t *testing.T) {
	p := imported(t, "predictive")[0]
	if !strings.Contains(p.Policy, `want contains scale.forecast("percentage_cpu", {"target": 50})`) || !strings.Contains(p.Definition, `"lead_seconds": 840`) {
		t.Errorf("got\n%s\n%s", p.Policy, p.Definition)
	}
	only, err := autoscale.Import([]byte(one(`"enabled": true`, `"predictiveAutoscalePolicy": {"scaleMode": "ForecastOnly", "scaleLookAheadTime": "PT5M"}`)), autoscale.Options{})
	if err != nil {
		t.Fatal(err)
	}
	load(t, only...)
	if !strings.Contains(only[0].Policy, `{"target": 70, "only": "record"}`) || !strings.Contains(only[0].Definition, `"lead_seconds": 300`) {
		t.Errorf("got\n%s\n%s", only[0].Policy, only[0].Definition)
	}
}

func TestAFileThatCannotBeReadSaysWhy(t *testing.T) {
	const template = `{"$schema": "x", "parameters": {"a": {"type": "int"}}, "resources": [{"type": "Microsoft.Insights/autoscaleSettings",
		"name": "s", "properties": {"targetResourceUri": "t", "profiles": [{"name": "p", "capacity": {"minimum": %s}}]}}]}`
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":                    {"profiles:", "not JSON"},
		"no setting":                 {`{"a": 1}`, "holds no autoscale setting"},
		"two documents":              {"{} {}", "more follows"},
		"a parameter without value":  {strings.ReplaceAll(template, "%s", `"[parameters('a')]"`), "--set a="},
		"an unknown parameter":       {strings.ReplaceAll(template, "%s", `"[parameters('b')]"`), `no parameter "b"; it has a`},
		"what only a deployment has": {strings.ReplaceAll(template, "%s", `"[reference('x').y]"`), "cannot be known from the file alone"},
		"a broken expression":        {strings.ReplaceAll(template, "%s", `"[parameters('a']"`), ") is missing"},
		"a string without end":       {strings.ReplaceAll(template, "%s", `"[concat('a]"`), "does not end"},
		"what a group leaves open":   {strings.ReplaceAll(template, "%s", `"[resourceGroup().name]"`), "--resource-group"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := autoscale.Import([]byte(c.text), autoscale.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
