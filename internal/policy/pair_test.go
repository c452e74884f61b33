package policy_test

import (
	"context"
	"strings"
	"testing"

	"trimtab/internal/policy"
)

func TestAPairIsTwoUniformSets(t *testing.T) {
	pool := func(fields string) map[string]string {
		return map[string]string{"pools/probe/probe.rego": "package pools.probe\n\nimport data.lib.scale\n\nwant contains scale.at_least(2, \"always\")\n", "pools/probe/data.json": `{"pool": {"scale_set": "` + vmss + `probe", "limits": {"min": 1, "max": 9}, ` + fields + `}}`}
	}
	bundle, err := policy.Load(context.Background(), with(t, pool(`"orchestration": "uniform", "spot_scale_set": "`+vmss+`cheap/"`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range bundle.Pools {
		if p.Name == "probe" && p.SpotScaleSet != vmss+"cheap" {
			t.Errorf("got Spot set %q", p.SpotScaleSet)
		}
	}
	for want, fields := range map[string]string{
		"a pair is of uniform sets":                                       `"orchestration": "flexible", "spot_scale_set": "` + vmss + `cheap"`,
		"is no scale set's resource ID":                                   `"orchestration": "uniform", "spot_scale_set": "cheap"`,
		"belongs to pool probe already":                                   `"orchestration": "uniform", "spot_scale_set": "` + strings.ToUpper(vmss) + `PROBE"`,
		"spot_scale_set: a string, not a number":                          `"orchestration": "uniform", "spot_scale_set": 3`,
		`"eldest" is not one of the choices; did you mean oldest?`:        `"orchestration": "uniform", "shrink": {"order": ["eldest"]}`,
		"oldest and newest exclude each other":                            `"orchestration": "uniform", "shrink": {"order": ["newest", "spot", "oldest"]}`,
		`"dealocate" is not one of the choices; did you mean deallocate?`: `"orchestration": "uniform", "shrink": {"order": ["newest"], "action": "dealocate"}`,
		`unknown field "actions"`:                                         `"orchestration": "uniform", "shrink": {"order": ["newest"], "actions": "delete"}`,
		"shrink.order: must be given: a list":                             `"orchestration": "uniform", "shrink": {"action": "deallocate"}`,
		`"autoscaler" is not one of the choices; did you mean autoscale?`: `"orchestration": "uniform", "accept": ["autoscaler"]`,
		`"mix_on_regular" is not one of the choices`:                      `"orchestration": "uniform", "accept": ["mix_on_regular"]`,
		`"repairs" is there twice`:                                        `"orchestration": "uniform", "accept": ["repairs", "repairs"]`,
		"shrink.order: must be given":                                     `"orchestration": "uniform", "shrink": {}`,
		"clean.failed: true or false":                                     `"orchestration": "uniform", "clean": {"failed": "yes"}`,
		`unknown field "evict"`:                                           `"orchestration": "uniform", "clean": {"evict": true}`,
		"repair.percent: 101 is not a whole number":                       `"orchestration": "uniform", "repair": {"percent": 101}`,
	} {
		_, err := policy.Load(context.Background(), with(t, pool(fields)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", fields, err, want)
		}
	}
}
