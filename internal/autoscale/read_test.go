package autoscale_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trimtab/internal/autoscale"
	"trimtab/internal/policy"
	"trimtab/policies"
)

// one is a setting of one profile with one rule out and one in, with some fields written in another way.
func one(changes ...string) string {
	text := `{"name": "s", "type": "Microsoft.Insights/autoscaleSettings", "properties": {"enabled": true,
		"targetResourceUri": "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/s",
		"profiles": [{"name": "default", "capacity": {"minimum": "1", "maximum": "9", "default": "2"}, "rules": [
		{"metricTrigger": {"metricName": "Percentage CPU", "metricResourceUri": "", "timeGrain": "PT1M", "statistic": "Average", "timeWindow": "PT5M",
			"timeAggregation": "Average", "operator": "GreaterThan", "threshold": 70}, "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"}},
		{"metricTrigger": {"metricName": "Percentage CPU", "metricResourceUri": "", "timeGrain": "PT1M", "statistic": "Average", "timeWindow": "PT5M",
			"timeAggregation": "Average", "operator": "LessThan", "threshold": 30}, "scaleAction": {"direction": "Decrease", "type": "ChangeCount", "value": "1", "cooldown": "PT7M"}}]}]}}`
	for i := 0; i+1 < len(changes); i += 2 {
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

func TestWhatIsOddIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		// want is a note's level, path and a part of its text.
		level autoscale.Level
		path  string
		want  string
	}{
		"a window that is no duration":    {one(`"timeWindow": "PT5M"`, `"timeWindow": "5 minutes"`), "lost", "profiles[0].rules[0].metricTrigger.timeWindow", `"5 minutes"`},
		"no window":                       {one(`"timeWindow": "PT5M",`, ``), "changed", "profiles[0].rules[0].metricTrigger.timeWindow", "5m is taken"},
		"a window shorter than its grain": {one(`"timeGrain": "PT1M"`, `"timeGrain": "PT15M"`), "changed", "profiles[0].rules[0].metricTrigger.timeWindow", "15m is taken"},
		"an operator that is none":        {one(`"GreaterThan"`, `"Above"`), "lost", "profiles[0].rules[0].metricTrigger.operator", `"Above"`},
		"a threshold that is none":        {one(`"threshold": 70`, `"threshold": "high"`), "lost", "profiles[0].rules[0].metricTrigger.threshold", `"high"`},
		"a direction that is none":        {one(`"Increase"`, `"None"`), "lost", "profiles[0].rules[0].scaleAction.direction", `"None"`},
		"a size that is none":             {one(`"value": "1"`, `"value": "0"`), "lost", "profiles[0].rules[0].scaleAction.value", `"0"`},
		"no metric":                       {one(`"metricName": "Percentage CPU"`, `"metricName": ""`), "lost", "profiles[0].rules[0].metricTrigger.metricName", "not given"},
		"an unknown metric":               {one(`"Percentage CPU"`, `"Precentage CPU"`), "told", "profiles[0].rules[0].metricTrigger.metricName", "no platform metric"},
		"a metric of the guest":           {one(`"Percentage CPU"`, `"\\Memory\\% Committed Bytes In Use"`), "told", "profiles[0].rules[0].metricTrigger.metricName", "in the guest"},
		"a statistic that is none":        {one(`"statistic": "Average"`, `"statistic": "Median"`), "changed", "profiles[0].rules[0].metricTrigger.statistic", `"Median"`},
		"no cooldown":                     {one(`, "cooldown": "PT5M"`, ``), "changed", "profiles[0].rules[0].scaleAction.cooldown", "five minutes"},
		"a minimum above the maximum":     {one(`"minimum": "1"`, `"minimum": "12"`), "changed", "profiles[0].capacity", "above maximum 9"},
		"a default outside":               {one(`"default": "2"`, `"default": "0"`), "changed", "profiles[0].capacity.default", "1 is taken"},
		"a count beyond the platform":     {one(`"maximum": "9"`, `"maximum": "5000"`), "changed", "profiles[0].capacity.maximum", "1000 is taken"},
		"a subscription that is none":     {one(`0b1f6471-1bf0-4dda-aec3-111122223333`, `abc123456-987-f6e5-d43c-9a8d8e7f6541`), "changed", "targetResourceUri", "no subscription's ID"},
		"no target":                       {one(`"targetResourceUri"`, `"target"`), "lost", "targetResourceUri", "not given"},
		"a namespace":                     {one(`"timeGrain"`, `"metricNamespace": "azure.vm.linux.guestmetrics", "timeGrain"`), "changed", "profiles[0].rules[0].metricTrigger.metricNamespace", "no namespace"},
		"cooldowns that differ":           {one(), "changed", "cooldown", "a shrink 7m after any change"},
		"a setting that is off":           {one(`"enabled": true`, `"enabled": false`), "told", "enabled", "switched off"},
		"a webhook":                       {one(`"enabled": true`, `"notifications": [{"operation": "Scale", "webhooks": [{"serviceUri": "https://example.com"}]}]`), "lost", "notifications[0]", "webhooks"},
		"a monthly recurrence":            {one(`"rules": [`, `"recurrence": {"frequency": "Month", "schedule": {"days": ["1"]}}, "rules": [`), "lost", "profiles[0].recurrence.frequency", `"Month"`},
		"a zone that is none":             {one(`"rules": [`, `"recurrence": {"frequency": "Week", "schedule": {"timeZone": "Atlantis Time", "days": ["Monday"], "hours": [6], "minutes": [0]}}, "rules": [`), "changed", "profiles[0].recurrence.schedule.timeZone", "UTC is taken"},
		"a date that is none":             {one(`"rules": [`, `"fixedDate": {"start": "soon", "end": "2026-05-05T00:00:00"}, "rules": [`), "lost", "profiles[0].fixedDate.start", `"soon"`},
		"a date that ends first":          {one(`"rules": [`, `"fixedDate": {"start": "2026-05-06T00:00:00", "end": "2026-05-05T00:00:00"}, "rules": [`), "lost", "profiles[0].fixedDate", "before it begins"},
		"a forecast":                      {one(`"enabled": true`, `"predictiveAutoscalePolicy": {"scaleMode": "ForecastOnly"}`), "changed", "predictiveAutoscalePolicy", "forecast"},
	} {
		t.Run(name, func(t *testing.T) {
			pools, err := autoscale.Import([]byte(c.text), autoscale.Options{})
			if err != nil {
				t.Fatal(err)
			}
			load(t, pools...)
			for _, n := range pools[0].Notes {
				if n.Level == c.level && n.Path == c.path && strings.Contains(n.Text, c.want) {
					return
				}
			}
			t.Errorf("no note %s %s with %q in %+v", c.level, c.path, c.want, pools[0].Notes)
		})
	}
}

func TestDurationsAreReadInAnyOfTheirForms(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT10M": 10 * time.Minute, "pt1h30m": 90 * time.Minute, "P1D": 24 * time.Hour, "PT600S": 10 * time.Minute,
		"00:10:00": 10 * time.Minute, "0:05:00": 5 * time.Minute, "1.00:00:00": 24 * time.Hour, "1 day, 0:00:00": 24 * time.Hour,
		"00:05:00.0000000": 5 * time.Minute,
	} {
		pools, err := autoscale.Import([]byte(one(`"timeWindow": "PT5M"`, `"timeWindow": "`+text+`"`)), autoscale.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := time.Duration(0)
		for _, s := range load(t, pools...).Pools[0].Signals {
			got = max(got, s.Window)
		}
		if got != max(want, 5*time.Minute) {
			t.Errorf("%s: a window of %s, want %s", text, got, want)
		}
	}
}

// FuzzImport: whatever a file holds, the import ends, and what it makes of it loads.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(one(`"GreaterThan"`, `"[if(equals('a', 'A'), concat('Less', 'Than'), 'x')]"`)))
	f.Add([]byte(inTemplate(setAndPlace, `"condition": "[greater(length(split('a,b', ',')), 1)]",`, "[max(range(1, 2))]", setID)))
	f.Add([]byte(inTemplate(setAndPlace+`"variables": {"copy": [{"name": "n", "count": 2, "input": "[copyIndex('n')]"}]},`,
		`"copy": {"name": "all", "count": 2},`, "[if(equals(copyIndex(), 0), first(variables('n')), take(skip('1234', 1), 1))]", setID)))
	folder := f.TempDir()
	if err := os.CopyFS(folder, policies.FS); err != nil {
		f.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "pools")); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pools, err := autoscale.Import(text, autoscale.Options{Subscription: "a", ResourceGroup: "b", Location: "c"})
		if err != nil || len(pools) > 3 {
			return
		}
		at := filepath.Join(folder, "pools")
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
		// Two settings may name one scale set: each is loaded alone.
		for _, p := range pools {
			own := filepath.Join(at, p.Name)
			if err := os.MkdirAll(own, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"data.json": p.Definition, p.Name + ".rego": p.Policy} {
				if err := os.WriteFile(filepath.Join(own, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := policy.Load(t.Context(), os.DirFS(folder)); err != nil {
				t.Fatalf("%v\n%s\n%s", err, p.Definition, p.Policy)
			}
			if err := os.RemoveAll(own); err != nil {
				t.Fatal(err)
			}
		}
	})
}
