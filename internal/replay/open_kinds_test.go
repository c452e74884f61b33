package replay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"testing"
	"testing/fstest"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/policy"
	"trimtab/internal/replay"
	"trimtab/internal/scale"
	"trimtab/policies"
)

const forecastSet = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/shop/providers/Microsoft.Compute/virtualMachineScaleSets/"

// bundleOf is the library with one pool.
func bundleOf(t *testing.T, name, definition, rego string) *policy.Bundle {
	t.Helper()
	files := fstest.MapFS{}
	for _, folder := range []string{"lib", "main", "schemas"} {
		if err := fs.WalkDir(policies.FS, folder, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := fs.ReadFile(policies.FS, p)
			files[p] = &fstest.MapFile{Data: text}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	files["pools/"+name+"/data.json"] = &fstest.MapFile{Data: []byte(definition)}
	files["pools/"+name+"/"+name+".rego"] = &fstest.MapFile{Data: []byte("package pools." + name + "\n\n" + rego)}
	b, err := policy.Load(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForecastsAndBothSetsOfAPairAreDecidedAgainBitForBit lets a pair with a forecast run for nine days of engine time: past
// the week from which on a forecast is believed.
func TestForecastsAndBothSetsOfAPairAreDecidedAgainBitForBit(t *testing.T) {
	bundle := bundleOf(t, "ahead", `{"pool": {"scale_set": "`+forecastSet+`a", "spot_scale_set": "`+forecastSet+`b", "orchestration": "uniform",
		"mode": "enforce", "limits": {"min": 2, "max": 40, "default": 4}, "stabilisation_seconds": 0,
		"signals": {"cpu": {"metric": "Percentage CPU", "unit": "percent", "window_seconds": 2400, "bucket_seconds": 600,
			"stale_after_seconds": 3600, "forecast": {"method": "seasonal_naive", "season": "day", "lead_seconds": 3600}}}}}`,
		`import data.lib.mix
import data.lib.scale

want contains scale.track("cpu", {"target": 60})

want contains scale.forecast("cpu", {"target": 60})

blend := mix.split({"base": 2, "regular_percent": 30, "stand_in": true})
`)
	pool := bundle.Pools[0]
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	fleet := &two{sets: map[string]*set{}}
	for _, name := range []string{pool.ScaleSet, pool.SpotScaleSet} {
		fleet.sets[name] = &set{now: clock, capacity: 4, uniform: true, spot: name == pool.SpotScaleSet}
	}
	memory := ledger.NewMemory()
	e, err := engine.New(engine.Options{
		Pools: bundle.Pools, Policy: bundle, Fleet: fleet, Ledger: memory, Now: clock, Writer: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 * 48 {
		load := 8 - 5*math.Cos(2*math.Pi*float64(i)/48)
		var events []engine.Event
		for k := range 3 {
			v := 60 * load / float64(max(1, fleet.sets[pool.ScaleSet].capacity+fleet.sets[pool.SpotScaleSet].capacity))
			body := fmt.Sprintf(`{"trimtab":1,"resource":%q,"metric":"percentage cpu","time":%q,"grain":"PT10M","value":%g}`,
				pool.ScaleSet, now.Add(time.Duration(k)*10*time.Minute).Format(time.RFC3339), v)
			events = append(events, engine.Event{Body: []byte(body), Source: scale.Source{
				Hub: "ns/metrics", Partition: "0", Sequence: int64(3*i + k + 1), Known: true, EnqueuedAt: now.Add(30 * time.Minute),
			}})
		}
		now = now.Add(30 * time.Minute)
		if _, err := e.Ingest(t.Context(), engine.Batch{Invocation: fmt.Sprint(i), Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	var lines bytes.Buffer
	believed, spot := 0, 0
	for _, name := range []string{pool.Name, pool.Name + scale.SpotSuffix} {
		entries, err := memory.Entries(t.Context(), name, time.Time{}, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			if f := entries[i].View.Signals["cpu"].Forecast; f != nil && f.Known {
				believed++
			}
			if name != pool.Name {
				spot++
			}
			if err := json.NewEncoder(&lines).Encode(&entries[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	read, err := replay.ReadEntries(lines.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if believed < 20 || spot < 200 {
		t.Errorf("%d entries with a forecast that is believed, %d of the Spot set; they prove little", believed, spot)
	}
	r, err := replay.OpenLoop(t.Context(), []replay.Policy{{Name: "ahead", Kind: replay.Candidate, Pool: pool, Policy: bundle}}, read, true, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Redecided; d.Entries != len(read) || d.Same != len(read) {
		t.Errorf("%d of %d entries are decided the same, of %d: %+v", d.Same, d.Entries, len(read), d.Differences)
	}
}
