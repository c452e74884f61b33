package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"trimtab/internal/replay"
)

// autoscaleSetting is an autoscale setting of a scale set: one more above 70 per cent over ten minutes, one fewer below 30, as the
// portal proposes.
func autoscaleSetting(set, change string) string {
	rule := func(operator, threshold, direction string) string {
		return `{"metricTrigger": {"metricName": "Percentage CPU", "metricResourceUri": "` + set + `", "timeGrain": "PT1M", "statistic": "Average",
			"timeWindow": "PT10M", "timeAggregation": "Average", "operator": "` + operator + `", "threshold": ` + threshold + `},
			"scaleAction": {"direction": "` + direction + `", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}}`
	}
	return `{"type": "Microsoft.Insights/autoscaleSettings", "name": "portal", "location": "westeurope", "properties": {"name": "portal",
		"enabled": true, "targetResourceUri": "` + set + `", ` + change + `"profiles": [{"name": "default",
		"capacity": {"minimum": "3", "maximum": "30", "default": "3"}, "rules": [` +
		rule("GreaterThan", "70", "Increase") + `,` + rule("LessThan", "30", "Decrease") + `]}]}}`
}

func TestReplayRunsAzureAutoscaleSettingsBesideTheCandidate(t *testing.T) {
	file := write(t, "setting.json", autoscaleSetting(webSet, `"notifications": [{"operation": "Scale", "email": {"sendToSubscriptionAdministrator": true}}], `))
	world := write(t, "world.json", `{"peak_instances": 20, "spot": {"model": "never"}}`)
	args := []string{
		"replay", "embedded", "--pool", "web", "--world", world, "--on", "ramp,days=0.2", "--baselines", "azure_rules", "--autoscale",
	}
	code, out, errs := call(t, nil, append(args, "portal="+file, "--json")...)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var r replay.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	values := map[string]map[string]float64{}
	for _, run := range r.Runs {
		values[run.Policy] = run.Values
		if run.Policy == "portal" && (run.Evaluations == 0 || len(run.Faults) > 0 || len(run.Decisions) == 0) {
			t.Errorf("%d evaluations, faults %v", run.Evaluations, run.Faults)
		}
	}
	// The built-in baseline has the same rules: the two agree but for when each looks.
	own, rules := values["portal"], values["azure_rules"]
	if len(own) == 0 || own["changes_per_day"] < 20 || own["mean_instances"] < 0.8*rules["mean_instances"] || own["mean_instances"] > 1.2*rules["mean_instances"] {
		t.Errorf("imported: %v\nbuilt in: %v", own, rules)
	}
	i := slices.IndexFunc(r.Policies, func(s replay.Subject) bool { return s.Name == "portal" })
	if i < 0 || r.Policies[i].Kind != replay.Baseline || !strings.Contains(strings.Join(r.Policies[i].Notes, "\n"), "notifications") {
		t.Errorf("got %+v, want a baseline that says what is not kept", r.Policies)
	}
	if !slices.ContainsFunc(r.Verdicts, func(v replay.Verdict) bool { return v.Policy == "embedded" && v.Against == "portal" }) {
		t.Errorf("the candidate is not compared with it: %+v", r.Verdicts)
	}
	told := slices.IndexFunc(r.Assumptions, func(a replay.Assumption) bool { return a.Name == "signal.percentage_cpu (portal)" })
	if told < 0 || !strings.Contains(r.Assumptions[told].About, "signal cpu of pool web") {
		t.Errorf("the assumptions do not say what it hears: %+v", r.Assumptions)
	}
	code, out, errs = call(t, nil, append(args, file)...)
	if code != exitDone || !strings.Contains(out, "autoscale portal") || !strings.Contains(out, "notifications") {
		t.Errorf("exit %d, %s: the summary does not say what is not kept:\n%s", code, errs, out)
	}
}

func TestReplayRefusesAutoscaleSettingsThatItCannotUse(t *testing.T) {
	other := strings.ReplaceAll(webSet, "/web", "/other")
	two := "[" + autoscaleSetting(other, "") + "," + strings.ReplaceAll(autoscaleSetting(other+"2", ""), `"portal"`, `"second"`) + "]"
	for _, c := range []struct{ note, file, says string }{
		{"no such file", "nowhere.json", "a file of autoscale settings"},
		{"something else", write(t, "else.json", `{"a": 1}`), "else.json"},
		{"several settings, none of the pool's scale set", write(t, "two.json", two), "portal, second"},
		{"a name that is taken", "embedded=" + write(t, "one.json", autoscaleSetting(webSet, "")), "NAME=FILE"},
	} {
		code, _, errs := call(t, nil, "replay", "embedded", "--pool", "web", "--on", "constant,days=0.1", "--autoscale", c.file)
		if code != exitFailed || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit %d, %s; want it to say %q", c.note, code, errs, c.says)
		}
	}
}
