package policy_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// now is a Monday morning.
var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func shipped(t testing.TB) *policy.Bundle {
	t.Helper()
	b, err := policy.Load(context.Background(), policies.FS)
	if err != nil {
		t.Fatalf("load the shipped policies:\n%v", err)
	}
	return b
}

// poolNamed is a pool of a bundle.
func poolNamed(t testing.TB, b *policy.Bundle, name string) scale.Pool {
	t.Helper()
	for _, p := range b.Pools {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no pool %s", name)
	return scale.Pool{}
}

// signal is a fresh signal whose load is demand, in thousandths.
func signal(demand scale.Milli, instances int) scale.SignalView {
	each := demand / scale.Milli(instances)
	return scale.SignalView{
		State: scale.SignalFresh, Unit: "percent", Value: each, HasValue: true, Average: each, Minimum: each / 2,
		Maximum: each * 2, Total: each * 5, Count: 5000, Last: each, Has: 31, Demand: demand, HasDemand: true,
		Buckets: 5, Expected: 5, NewestAt: now.Add(-time.Minute), AgeSeconds: 60,
	}
}

// viewOf is a pool in good order: five instances, all its signals fresh, all its schedules active.
func viewOf(p scale.Pool) *scale.View {
	v := &scale.View{
		Version: scale.ViewVersion, Now: now, Pool: p.Name, Policy: p.Policy, Mode: p.Mode, Labels: p.Labels,
		Orchestration: p.Orchestration, Rails: p.Rails, Settings: p.Settings,
		Facts: scale.Facts{
			ReadAt: now.Add(-30 * time.Second), Capacity: 5, Mix: &scale.Mix{Base: 2, RegularPercent: 25}, ETag: `"7"`,
			ProvisioningState: "Succeeded", Orchestration: p.Orchestration, Spot: true, PlatformMax: 1000,
		},
		FactsMaxAgeSeconds: 300,
		Signals:            map[string]scale.SignalView{},
		Schedules:          map[string]scale.ScheduleView{},
	}
	for _, s := range p.Signals {
		v.Signals[s.Name] = signal(400_000, 5)
	}
	for _, s := range p.Schedules {
		v.Schedules[s.Name] = scale.ScheduleView{Active: true, NextAt: now.Add(9 * time.Hour)}
	}
	return v
}

// with is the shipped tree with files put over it; nil takes one away.
func with(t testing.TB, over map[string]string, without ...string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(policies.FS, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(policies.FS, p)
		files[p] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for p, text := range over {
		files[p] = &fstest.MapFile{Data: []byte(text)}
	}
	for _, p := range without {
		delete(files, p)
	}
	return files
}

// try is the bundle of a tree with one more pool, "probe", decided by the given Rego below its package line.
func try(t testing.TB, rego string) (*policy.Bundle, *scale.View) {
	t.Helper()
	b, err := policy.Load(context.Background(), with(t, map[string]string{
		"pools/probe/probe.rego": "package pools.probe\n\n" + rego,
		"pools/probe/data.json":  probe,
	}))
	if err != nil {
		t.Fatalf("load the probe:\n%v", err)
	}
	return b, viewOf(poolNamed(t, b, "probe"))
}

const probe = `{"pool": {
  "scale_set": "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/probe",
  "orchestration": "flexible",
  "limits": {"min": 1, "max": 9},
  "signals": {"cpu": {"metric": "Percentage CPU"}},
  "schedules": {"night": {"days": "Sun-Thu", "from": "22:00", "to": "05:00", "zone": "Europe/Berlin"}},
  "settings": {"target": 60}
}}`

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
