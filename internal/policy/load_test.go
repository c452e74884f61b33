package policy_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

const vmss = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"

func TestLoadNamesEveryProblemWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		over    map[string]string
		without []string
		want    []string
	}{
		"an unknown field, with the nearest name": {
			over: pool(`"limits": {"min": 1, "max": 2},` + "\n" + `"cool_down": {}`),
			want: []string{`pools/probe/data.json:4: data.pools.probe.pool: unknown field "cool_down"; did you mean cooldown?`},
		},
		"facts on request that a definition cannot have": {
			over: pool(`"limits": {"min": 1, "max": 2}, "warm_up_seconds": 300, "signals": {` + "\n" +
				`"a": {"metric": "m", "trend": 1, "recent_buckets": 6},` + "\n" +
				`"b": {"metric": "m", "window_seconds": 120, "trend": true},` + "\n" +
				`"c": {"metric": "m", "forecast": {"season": "month", "slot_seconds": 1000, "leed_seconds": 60}},` + "\n" +
				`"d": {"metric": "m", "window_seconds": 120, "forecast": {"lead_seconds": 240}}}`),
			want: []string{
				`pools/probe/data.json:3: data.pools.probe.pool.signals: signal d: forecast.lead_seconds is 240, and an instance takes 300 (warm_up_seconds) until it serves: look ahead at least as far`,
				`pools/probe/data.json:4: data.pools.probe.pool.signals.a.recent_buckets: 6 are more than the window has, which is 5`,
				`pools/probe/data.json:4: data.pools.probe.pool.signals.a.trend: true or false, not a number`,
				`pools/probe/data.json:5: data.pools.probe.pool.signals.b.trend: needs a window of at least 3 buckets, and this one has 2`,
				`pools/probe/data.json:6: data.pools.probe.pool.signals.c.forecast.season: "month" is not one of the choices; there are day, week`,
				`pools/probe/data.json:6: data.pools.probe.pool.signals.c.forecast.slot_seconds: 1000 is no part of an hour: 900, 1200, 1800 or 3600`,
				`pools/probe/data.json:6: data.pools.probe.pool.signals.c.forecast: unknown field "leed_seconds"; did you mean lead_seconds?`,
				`pools/probe/data.json:7: data.pools.probe.pool.signals.d.forecast: needs a window of at least 4 buckets, and this one has 2`,
			},
		},
		"groups that a definition cannot have": {
			over: pool(`"limits": {"min": 1, "max": 2}, "groups": {` + "\n" +
				`"west": {"priority": -1, "vcpu": 4},` + "\n" +
				`"east": {"per_hour": "dear"}}`),
			want: []string{
				`pools/probe/data.json:4: data.pools.probe.pool.groups.west.priority: -1 is not a whole number from 0 to 1000`,
				`pools/probe/data.json:4: data.pools.probe.pool.groups.west.vcpus: say what an instance takes: vcpus, per_hour or both`,
				`pools/probe/data.json:4: data.pools.probe.pool.groups.west: unknown field "vcpu"; did you mean vcpus?`,
				`pools/probe/data.json:5: data.pools.probe.pool.groups.east.per_hour: a price from 0 to 10000, not a string dear`,
			},
		},
		"unknown fields deep down, and all at once": {
			over: pool(`"limits": {"min": 1, "maximum": 2},` + "\n" + `"signals": {"cpu": {"metrics": "Percentage CPU", "window_seconds": "5m"}},` + "\n" +
				`"schedules": {"x": {"days": "Mo-Fr", "from": "7:30", "to": "25:00", "zone": "Berlin"}}`),
			want: []string{
				`pools/probe/data.json:3: data.pools.probe.pool.limits.max: must be given: a whole number from 1 to 1000`,
				`pools/probe/data.json:3: data.pools.probe.pool.limits: unknown field "maximum"; there are default, max, min`,
				`pools/probe/data.json:4: data.pools.probe.pool.signals.cpu.window_seconds: a whole number from 10 to 86400, not a string`,
				`pools/probe/data.json:4: data.pools.probe.pool.signals.cpu: unknown field "metrics"; did you mean metric?`,
				`pools/probe/data.json:5: data.pools.probe.pool.schedules.x.days: "Mo-Fr" is no day nor span of days: Mon, Tue, Wed, Thu, Fri, Sat, Sun, as in "Mon-Fri" or "Sat,Sun"`,
				`pools/probe/data.json:5: data.pools.probe.pool.schedules.x.from: "7:30" is no time of day: 00:00 to 23:59`,
				`pools/probe/data.json:5: data.pools.probe.pool.schedules.x.to: "25:00" is no time of day: 00:00 to 24:00`,
				`pools/probe/data.json:5: data.pools.probe.pool.schedules.x.zone: "Berlin" is no time zone: a name of the IANA database, such as Europe/Berlin or Etc/UTC`,
			},
		},
		"numbers out of their ranges": {
			over: pool(`"limits": {"min": 5, "max": 3},` + "\n" + `"cooldown": {"grow_seconds": -1, "shrink_seconds": 1.5},` + "\n" +
				`"warm_up_seconds": 4000,` + "\n" + `"grow_step": {"instances": 2}`),
			want: []string{
				`pools/probe/data.json:3: data.pools.probe.pool.limits.max: 3 is below min, which is 5`,
				`pools/probe/data.json:4: data.pools.probe.pool.cooldown.grow_seconds: -1 is not a whole number from 0 to 86400`,
				`pools/probe/data.json:4: data.pools.probe.pool.cooldown.shrink_seconds: 1.5 is not a whole number from 0 to 86400`,
				`pools/probe/data.json:5: data.pools.probe.pool.warm_up_seconds: 4000 is not a whole number from 0 to 3600`,
				`pools/probe/data.json:6: data.pools.probe.pool.grow_step.window_seconds: a step that bounds something needs a window above 0 seconds`,
			},
		},
		"a default outside the limits": {
			over: pool(`"limits": {"min": 2, "max": 3, "default": 1}`),
			want: []string{`pools/probe/data.json:3: data.pools.probe.pool.limits.default: 1 is outside min and max: 2 to 3, or 0 for none`},
		},
		"windows that cannot be kept": {
			over: pool(`"limits": {"min": 1, "max": 3},` + "\n" + `"signals": {` + "\n" +
				`"a": {"metric": "m", "window_seconds": 3600, "bucket_seconds": 10},` + "\n" +
				`"b": {"metric": "m", "window_seconds": 100, "bucket_seconds": 60}}`),
			want: []string{
				`pools/probe/data.json:5: data.pools.probe.pool.signals.a.window_seconds: 3600 holds 360 buckets of 10 seconds: at most 240`,
				`pools/probe/data.json:6: data.pools.probe.pool.signals.b.window_seconds: 100 is no multiple of bucket_seconds, which is 60`,
			},
		},
		"windows that cannot be kept together": {
			over: pool(`"limits": {"min": 1, "max": 3},` + "\n" + `"signals": {` + manySignals() + `}`),
			want: []string{`pools/probe/data.json:4: data.pools.probe.pool.signals: `},
		},
		"a mode that is none": {
			over: pool(`"limits": {"min": 1, "max": 3}, "mode": "Enforce"`),
			want: []string{`pools/probe/data.json:3: data.pools.probe.pool.mode: "Enforce" is not one of the choices; did you mean enforce?`},
		},
		"a scale set that is none": {
			over: map[string]string{"pools/probe/data.json": `{"pool": {"scale_set": "web", "orchestration": "uniform", "limits": {"min": 1, "max": 2}}}`, "pools/probe/probe.rego": idle},
			want: []string{`pools/probe/data.json:1: data.pools.probe.pool.scale_set: "web" is no scale set's resource ID: /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Compute/virtualMachineScaleSets/NAME`},
		},
		"a scale set that two pools name, in another case": {
			over: map[string]string{
				"pools/probe/data.json": `{"pool": {"scale_set": "` + strings.ToUpper(vmss) + `WEB/", "orchestration": "uniform", "limits": {"min": 1, "max": 2}}}`, "pools/probe/probe.rego": idle,
			},
			want: []string{`pools/web/data.json:3: pool web: scale set ` + vmss + `web belongs to pool probe already (pools/probe/data.json:1)`},
		},
		"a folder whose data has no pool": {
			over: map[string]string{"pools/probe/data.json": "{\n\"pol\": {}}", "pools/probe/probe.rego": idle},
			want: []string{`pools/probe/data.json:1: data.pools.probe has no pool; did you mean pol?`},
		},
		"a policy that is not there": {
			over: pool(`"limits": {"min": 1, "max": 3},` + "\n" + `"policy": "wbe"`),
			want: []string{`pools/probe/data.json:4: pool probe: there is no package pools.wbe; did you mean web?`},
		},
		"a policy without want": {
			over: merged(pool(`"limits": {"min": 1, "max": 3}`), map[string]string{"pools/probe/probe.rego": "package pools.probe\n\nx := 1\n"}),
			want: []string{`pools/probe/data.json:1: pool probe: package pools.probe has no rule want`},
		},
		"a want that is no set": {
			over: merged(pool(`"limits": {"min": 1, "max": 3}`), map[string]string{"pools/probe/probe.rego": "package pools.probe\n\nwant := []\n"}),
			want: []string{`pools/probe/probe.rego:3: want is a set of reasons: write want contains …`},
		},
		"JSON that is none, and a definition at fault elsewhere": {
			over: map[string]string{
				"pools/probe/data.json": "{\n\"pool\": {\n\"limits\": {,}}}", "pools/probe/probe.rego": idle,
				"pools/batch/data.json": `{"pool": {"scale_set": "` + vmss + `batch", "orchestration": "uniform", "policy": "probe"}}`,
			},
			want: []string{
				`pools/batch/data.json:1: data.pools.batch.pool.limits: must be given: an object, such as {"min": 2, "max": 20}`,
				`pools/probe/data.json:3: not JSON: invalid character ','`,
			},
		},
		"a key that is there twice": {
			over: pool(`"limits": {"min": 1, "max": 3,` + "\n" + `"max": 900}`),
			want: []string{`pools/probe/data.json:4: "max" is there twice in one object`},
		},
		"data in files that load differently as a bundle": {
			over: map[string]string{"pools/web/numbers.json": "{}", "pools/web/data.yaml": "a: 1"},
			want: []string{
				`pools/web/data.yaml:1: data is read from files named data.json only: move it to pools/web/data.json`,
				`pools/web/numbers.json:1: data is read from files named data.json only: move it to pools/web/data.json`,
			},
		},
		"Rego that does not parse": {
			over: map[string]string{"pools/web/more.rego": "package pools.web\n\nx := := 1\n"},
			want: []string{"pools/web/more.rego:3: "},
		},
		"a package that is not named as its folder": {
			over: map[string]string{"pools/web/more.rego": "package pools.wbe\n\nx := 1\n"},
			want: []string{"pools/web/more.rego:1: package pools.wbe: a package is named as its folder: pools.web"},
		},
		"a function off the closed list, with the nearest one": {
			over: map[string]string{"pools/web/more.rego": "package pools.web\n\nx := object.gets({}, \"a\", 1)\n"},
			want: []string{"pools/web/more.rego:3: undefined function object.gets: policies have a closed list of built-in functions, without clock, network and randomness; did you mean object.get?"},
		},
		"problems of several stages and files": {
			over: map[string]string{
				"pools/web/more.rego":   "package pools.web\n\nx := unbound\n",
				"pools/batch/more.rego": "package pools.batch\n\nx := input.capacity.instance\n",
				"lib/extra/extra.rego":  "package lib.extra\n\nf(a) := 1\n",
			},
			want: []string{
				"lib/extra/extra.rego:3: unused argument a. (hint: use _ (wildcard variable) instead)",
				`pools/batch/more.rego:3: undefined ref: input.capacity.instance: input.capacity.instance; have: "instance"; want (one of): ["age_seconds" "in_flight" "instances" "known" "mix"]`,
				"pools/web/more.rego:3: var unbound is unsafe: nothing of that name is imported, declared or a rule here",
			},
		},
		"a name that input does not have, in a package whose annotations name no schema": {
			over: map[string]string{
				"pools/bare/data.json": `{"pool": {"scale_set": "` + vmss + `bare", "orchestration": "uniform", "limits": {"min": 1, "max": 2}, ` +
					`"schedules": {"night": {"days": "Mon", "from": "22:00", "to": "06:00", "zone": "Etc/UTC"}}}}`,
				"pools/bare/bare.rego": "package pools.bare\n\nimport data.lib.scale\nimport data.lib.schedule\n\nwant contains scale.at_least(1, \"x\")\n\n" +
					"pause contains schedule.pause(\"night\") if input.capcity.instances > 3\n",
			},
			want: []string{`pools/bare/bare.rego:8: undefined ref: input.capcity.instances: input.capcity.instances; have: "capcity"; want (one of): ["capacity" "facts" "groups" "limits" "memory" "now" "pool" "schedules" "settings" "signals" "spending" "spot" "version"]`},
		},
		"names that the definition does not have": {
			over: map[string]string{"pools/web/more.rego": "package pools.web\n\nimport data.lib.scale\nimport data.lib.schedule\n\n" +
				"want contains scale.track(\"cpuu\", {\"target\": input.settings.cpu_persent})\n\n" +
				"want contains scale.at_least(3, \"x\") if schedule.active(\"office\")\n\n" +
				"want contains scale.at_least(3, input.pool.labels.owners)\n\n" +
				"want contains scale.at_least(input.signals.memory.value_milli, \"y\")\n"},
			want: []string{
				`pools/web/more.rego:6: pool web (pools/web/data.json:3) has no setting "cpu_persent"; did you mean cpu_percent?`,
				`pools/web/more.rego:6: pool web (pools/web/data.json:3) has no signal "cpuu"; did you mean cpu?`,
				`pools/web/more.rego:8: pool web (pools/web/data.json:3) has no schedule "office"; there are office_hours`,
				`pools/web/more.rego:10: pool web (pools/web/data.json:3) has no label "owners"; did you mean owner?`,
				`pools/web/more.rego:12: pool web (pools/web/data.json:3) has no signal "memory"; there are cpu, requests`,
			},
		},
		"options that a function does not take, with the nearest name": {
			over: map[string]string{
				"pools/probe/data.json": `{"pool": {"scale_set": "` + vmss + `probe", "orchestration": "flexible", "limits": {"min": 1, "max": 2},` + "\n" +
					`"signals": {"cpu": {"metric": "m"}}, "settings": {"tracking": {` + "\n" + `"target": 60, "tolerence": 0.1}, "profiles": [{` + "\n" +
					`"flor": 2, "ceiling": 3}], "other": {"any": 1}}}}`,
				"pools/probe/probe.rego": "package pools.probe\n\nimport data.lib.mix\nimport data.lib.scale\nimport data.lib.schedule\nimport data.lib.rules\n\n" +
					"want contains scale.track(\"cpu\", input.settings.tracking)\n\n" +
					"want contains schedule.profile_floor(input.settings.profiles)\n\n" +
					"want contains scale.step(\"cpu\", {\n\t\"abowe\": 70,\n\t\"grow\": [{\"by\": 1}, {\"form\": 10, \"by\": 2}],\n})\n\n" +
					"want contains reason if {\n\tsome reason in rules.reasons({\"min\": 1, \"max\": 4, \"grow\": [{\"signal\": \"cpu\", \"ovr\": 70, \"by\": 1}]})\n}\n\n" +
					"want contains scale.if_missing(scale.track(\"cpu\", {\"zzzzzzzzz\": 60}), \"hold\")\n\n" +
					"blend := mix.split(object.union({\"base\": 1}, {\"what\": input.settings.other}))\n\n" +
					"tracking := {\"target\": 60, \"tolerances\": 0.1}\n\n" +
					"want contains scale.track(\"cpu\", tracking)\n\n" +
					"want contains reason if {\n\toptions := object.union(tracking, {\"tagret\": 1})\n\treason := scale.track(\"cpu\", options)\n}\n",
			},
			want: []string{
				`pools/probe/data.json:3: scale.track has no option "tolerence"; did you mean tolerance?`,
				`pools/probe/data.json:4: schedule.profile_floor has no option "flor"; did you mean floor?`,
				`pools/probe/probe.rego:13: scale.step has no option "abowe"; did you mean above?`,
				`pools/probe/probe.rego:14: scale.step has no option "form"; did you mean from?`,
				`pools/probe/probe.rego:18: rules.reasons has no option "ovr"; did you mean over?`,
				`pools/probe/probe.rego:21: scale.track has no option "zzzzzzzzz"; there are gaps, target, tolerance, tolerance_grow, tolerance_shrink`,
				`pools/probe/probe.rego:23: mix.split has no option "what"; there are base, regular_percent, return_after_seconds, rounding, stand_in`,
				`pools/probe/probe.rego:25: scale.track has no option "tolerances"; did you mean tolerance?`,
				`pools/probe/probe.rego:30: scale.track has no option "tagret"; did you mean target?`,
			},
		},
		"a policy that reads definitions around its input": {
			over: map[string]string{"pools/web/more.rego": "package pools.web\n\nx := data.pools.batch.pool.limits.max\n"},
			want: []string{"pools/web/more.rego:3: data.pools.batch.pool.limits.max: a policy reads its pool from input, not from data.pools"},
		},
		"a rule where data lie": {
			over: map[string]string{"pools/web/more.rego": "package pools.web\n\npool := 1\n"},
			want: []string{"pools/web/more.rego:3: "},
		},
		"no entry point": {
			without: []string{"main/main.rego"},
			want:    []string{"main/main.rego:1: the entry point is missing: package main with a rule proposal"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(context.Background(), with(t, tc.over, tc.without...))
			if err == nil {
				t.Fatal("loaded")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tc.want) {
				t.Fatalf("problems:\n%s\nwant:\n%s", err, strings.Join(tc.want, "\n"))
			}
			for i, w := range tc.want {
				if got[i] != w && (!strings.HasSuffix(w, ": ") || !strings.HasPrefix(got[i], w)) {
					t.Errorf("got  %s\nwant %s", got[i], w)
				}
			}
			if p := (policy.Problem{}); !errors.As(err, &p) || p.File == "" || p.Line == 0 {
				t.Errorf("no Problem within: %#v", err)
			}
		})
	}
}

// manySignals are thirty signals of 240 buckets each.
func manySignals() string {
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf(`"s%d": {"metric": "m", "window_seconds": 14400, "bucket_seconds": 60}`, i))
	}
	return strings.Join(all, ", ")
}

const idle = "package pools.probe\n\nwant contains {\"code\": \"x\", \"state\": \"idle\"}\n"

// pool is a tree's second pool with the given fields from line 3 on.
func pool(fields string) map[string]string {
	return map[string]string{
		"pools/probe/data.json":  `{"pool": {"scale_set": "` + vmss + `probe",` + "\n" + `"orchestration": "uniform",` + "\n" + fields + "}}",
		"pools/probe/probe.rego": idle,
	}
}

func merged(a, b map[string]string) map[string]string {
	for k, v := range b {
		a[k] = v
	}
	return a
}

func TestLoadReadsDefinitions(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := policy.Load(context.Background(), with(t, map[string]string{
		"pools/probe/probe.rego": idle,
		"pools/probe/data.json": `{"pool": {
			"scale_set": "` + vmss + `Probe/", "orchestration": "flexible", "policy": "web", "mode": "enforce",
			"limits": {"min": 0, "max": 1000, "default": 7},
			"signals": {
				"requests": {"metric": "Requests", "resource": "/Subscriptions/X/lb/", "dimensions": {"Region": "West", "zone": "*"},
					"aggregation": "maximum", "unit": "1/s", "window_seconds": 120, "bucket_seconds": 30,
					"stale_after_seconds": 240, "min_coverage_percent": 75},
				"cpu": {"metric": "Percentage CPU"}
			},
			"schedules": {"office_hours": {"days": "Fri-Mon,Wed", "from": "22:30", "to": "24:00", "zone": "Europe/Berlin",
				"starts": "2026-01-01T00:00:00Z", "ends": "2027-01-01T00:00:00+01:00"}},
			"cooldown": {"grow_seconds": 0},
			"stabilisation_seconds": 0, "warm_up_seconds": 0,
			"grow_step": {}, "shrink_step": {"percent": 50, "window_seconds": 60},
			"labels": {"owner": "a"},
			"settings": {"cpu_percent": 60.5, "tolerance": 0, "requests_per_instance": 1, "office_instances": 2,
				"regular_base": 0, "regular_percent": 0, "text": "<b>"}
		}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	got := poolNamed(t, bundle, "probe")
	ends, _ := time.Parse(time.RFC3339, "2027-01-01T00:00:00+01:00")
	want := scale.Pool{
		Name: "probe", ScaleSet: vmss + "Probe", Orchestration: scale.Flexible, Policy: "web", Mode: scale.Enforce,
		Rails: scale.Rails{
			Limits:     scale.Limits{Min: 0, Max: 1000, Default: 7},
			Cooldown:   scale.Cooldown{GrowSeconds: 0, ShrinkSeconds: 300, MixSeconds: 900},
			ShrinkStep: scale.Step{Percent: 50, WindowSeconds: 60},
			Repair:     scale.Repair{Instances: 1, Percent: 10},
			Clean:      scale.Cleaning{Failed: true},
		},
		Signals: []scale.Signal{
			{
				Name: "cpu", Resource: strings.ToLower(vmss) + "probe", Metric: "percentage cpu", Aggregation: scale.Average,
				Window: 5 * time.Minute, Bucket: time.Minute, StaleAfter: 15 * time.Minute, StaleByFormat: true, MinCoverage: 60,
			},
			{
				Name: "requests", Resource: "/subscriptions/x/lb", Metric: "requests", Aggregation: scale.Maximum, Unit: "1/s",
				Dimensions: map[string]string{"region": "West", "zone": "*"},
				Window:     2 * time.Minute, Bucket: 30 * time.Second, StaleAfter: 4 * time.Minute, MinCoverage: 75,
			},
		},
		Schedules: []scale.Schedule{{
			Name: "office_hours", Days: [7]bool{true, true, false, true, false, true, true}, From: 22*60 + 30, To: 24 * 60, Zone: berlin,
			Starts: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Ends: ends,
		}},
		Labels:   map[string]string{"owner": "a"},
		Settings: []byte(`{"cpu_percent":60.5,"tolerance":0,"requests_per_instance":1,"office_instances":2,"regular_base":0,"regular_percent":0,"text":"<b>"}`),
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); d != "" {
		t.Error(d)
	}
}

func TestADefinitionThatSaysLittleIsOnTheSafeSide(t *testing.T) {
	bundle, err := policy.Load(context.Background(), with(t, pool(`"limits": {"min": 1, "max": 3}`)))
	if err != nil {
		t.Fatal(err)
	}
	want := scale.Pool{
		Name: "probe", ScaleSet: vmss + "probe", Orchestration: scale.Uniform, Policy: "probe", Mode: scale.Observe,
		Rails: scale.Rails{
			Limits:               scale.Limits{Min: 1, Max: 3},
			Cooldown:             scale.Cooldown{GrowSeconds: 60, ShrinkSeconds: 300, MixSeconds: 900},
			StabilisationSeconds: 300,
			GrowStep:             scale.Step{Instances: 4, Percent: 100, WindowSeconds: 300},
			ShrinkStep:           scale.Step{Instances: 1, Percent: 10, WindowSeconds: 300},
			WarmUpSeconds:        180,
			Repair:               scale.Repair{Instances: 1, Percent: 10},
			Clean:                scale.Cleaning{Failed: true},
		},
		Settings: []byte("{}"),
	}
	if d := cmp.Diff(want, poolNamed(t, bundle, "probe")); d != "" {
		t.Error(d)
	}
}

func TestPoolsMayLieTogetherInOneFile(t *testing.T) {
	files := with(t, map[string]string{"pools/data.json": `{
		"second": {"pool": {"scale_set": "` + vmss + `second", "orchestration": "uniform", "policy": "batch", "limits": {"min": 1, "max": 3},
			"signals": {"cpu": {"metric": "Percentage CPU"}, "jobs": {"metric": "Jobs"}},
			"schedules": {"nightly": {"days": "Mon", "from": "00:00", "to": "00:00", "zone": "Etc/UTC"}},
			"settings": {"cpu_percent": 1, "jobs_per_worker": 1, "nightly_workers": 1, "standing_workers": 1}}}}`})
	bundle, err := policy.Load(context.Background(), files)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range bundle.Pools {
		names = append(names, p.Name)
	}
	if d := cmp.Diff([]string{"batch", "second", "web"}, names); d != "" {
		t.Error(d)
	}
}

func TestTheRevisionNamesWhatDecidesAndNothingElse(t *testing.T) {
	load := func(files fs.FS) string {
		t.Helper()
		b, err := policy.Load(context.Background(), files)
		if err != nil {
			t.Fatal(err)
		}
		return b.Revision()
	}
	base := load(policies.FS)
	if len(base) != 16 {
		t.Errorf("revision %q", base)
	}
	web := string(shippedFile(t, "pools/web/web.rego"))
	for name, tc := range map[string]struct {
		over map[string]string
		same bool
	}{
		"a further test":     {map[string]string{"pools/web/more_test.rego": "package pools.web_test\n"}, true},
		"a page":             {map[string]string{"README.md": "x"}, true},
		"a comment in Rego":  {map[string]string{"pools/web/web.rego": web + "\n# x\n"}, false},
		"a number":           {map[string]string{"lib/data.json": `{"x": 1}`}, false},
		"another name of it": {map[string]string{"lib/more/data.json": `{"x": 1}`}, false},
	} {
		if got := load(with(t, tc.over)); (got == base) != tc.same {
			t.Errorf("%s: same revision %v, want %v", name, got == base, tc.same)
		}
	}
}

func TestATreeOnDiskLoadsAsTheOneWithin(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, policies.FS); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{".hidden/data.json": "not JSON", "notes.txt": "x", "policies.go": "package x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := policy.Load(context.Background(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if want := shipped(t).Revision(); b.Revision() != want {
		t.Errorf("revision %s, want %s", b.Revision(), want)
	}
}

func TestATreeThatCannotBeReadIsNoProblemOfItsAuthor(t *testing.T) {
	_, err := policy.Load(context.Background(), os.DirFS(filepath.Join(t.TempDir(), "gone")))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	big := fstest.MapFS{"lib/a/a.rego": {Data: []byte("package lib.a\n" + strings.Repeat("#\n", 1<<20))}}
	if _, err := policy.Load(context.Background(), big); err == nil || !strings.Contains(err.Error(), "more than a tree") {
		t.Errorf("%v", err)
	}
}

// FuzzLoad: whatever a data file holds, loading ends with problems or with pools that are in range.
func FuzzLoad(f *testing.F) {
	f.Add(probe)
	f.Add(string(shippedFile(f, "pools/web/data.json")))
	for _, s := range []string{`{"pool": []}`, `{"pool": {"limits": 3}}`, `[`, `{"pool": {"signals": {"a": null}}}`, `{"a":1}{`, "", `{"pool":{"schedules":{"x":{"zone":"../../etc"}}}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		b, err := policy.Load(context.Background(), fstest.MapFS{
			"main/main.rego":         {Data: []byte("package main\n\nproposal := 1\n")},
			"pools/probe/probe.rego": {Data: []byte(idle)},
			"pools/probe/data.json":  {Data: []byte(data)},
		})
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "pools/probe/data.json:") {
					t.Errorf("a problem without its place: %q", line)
				}
			}
			return
		}
		for _, p := range b.Pools {
			l := p.Rails.Limits
			if l.Min < 0 || l.Max > 1000 || l.Min > l.Max || p.ScaleSet == "" || p.Settings == nil || p.Mode == "" {
				t.Errorf("out of range: %+v", p)
			}
		}
	})
}
