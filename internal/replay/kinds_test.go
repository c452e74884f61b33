package replay_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// pair is a pool of two Uniform sets whose regular set stands in for Spot.
func pair(t *testing.T) replay.Policy {
	t.Helper()
	b := bundleOf(t, "cheap", `{"pool": {"scale_set": "`+forecastSet+`a", "spot_scale_set": "`+forecastSet+`b", "orchestration": "uniform",
		"mode": "observe", "limits": {"min": 2, "max": 40, "default": 4}, "stabilisation_seconds": 120,
		"cooldown": {"grow_seconds": 60, "shrink_seconds": 120},
		"signals": {"cpu": {"metric": "Percentage CPU", "unit": "percent"}}}}`,
		`import data.lib.mix
import data.lib.scale

want contains scale.track("cpu", {"target": 60})

blend := mix.split({"base": 2, "regular_percent": 30, "stand_in": true})
`)
	return replay.Policy{Name: "cheap", Kind: replay.Candidate, Pool: b.Pools[0], Policy: b}
}

// grouped is a flexible pool in a group with a ceiling.
func grouped(t *testing.T) replay.Policy {
	t.Helper()
	b := bundleOf(t, "west", `{"pool": {"scale_set": "`+forecastSet+`c", "orchestration": "flexible", "mode": "observe",
		"limits": {"min": 2, "max": 40, "default": 4}, "groups": {"all": {"priority": 1, "vcpus": 4}},
		"signals": {"cpu": {"metric": "Percentage CPU", "unit": "percent"}}}}`,
		`import data.lib.mix
import data.lib.scale

want contains scale.track("cpu", {"target": 60})

cap contains scale.at_most_group("all", {"vcpus": 60})

blend := mix.split({"base": 2, "regular_percent": 20})
`)
	return replay.Policy{Name: "west", Kind: replay.Today, Pool: b.Pools[0], Policy: b}
}

func TestBothSetsOfAPairScaleInAClosedLoop(t *testing.T) {
	spot, err := trace.ReadSpot("zones", []byte("elapsed_s,a\n0,1\n3600,1\n7200,0\n10800,0\n14400,1\n18000,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	world := replay.DefaultWorld().WithSpot(spot)
	world.Capacity = 1
	// Twelve instances' worth of load at a target of 60 per cent needs 20: 2 and 30 per cent of the rest regular.
	r := closed(t, replay.Options{Policies: []replay.Policy{pair(t)}, Baselines: []string{}, Traces: []*trace.Series{flat(12, 360)}, World: world})
	got := run(t, r, "cheap")
	if len(got.Faults) > 0 {
		t.Fatal(got.Faults)
	}
	at := func(minute int) (int, int) { return got.Series.Regular[minute], got.Series.Spot[minute] }
	if regular, spots := at(110); regular < 7 || regular > 10 || spots < 11 || spots > 14 {
		t.Errorf("with Spot: %d regular and %d Spot, want about 8 and 12", regular, spots)
	}
	if regular, spots := at(230); regular < 18 || regular > 22 || spots != 0 {
		t.Errorf("without Spot: %d regular and %d Spot, want about 20 that stand in", regular, spots)
	}
	if got.Values["interruptions_per_day"] == 0 || got.Series.Ordered[110] < 18 || got.Series.Ordered[110] > 22 {
		t.Errorf("%d ordered; %v", got.Series.Ordered[110], got.Values)
	}
	sets := map[string]int{}
	for _, d := range got.Decisions {
		if d.Action == scale.Scale {
			sets[d.Set]++
		}
	}
	if sets["regular"] == 0 || sets["spot"] == 0 {
		t.Errorf("decisions by set: %v", sets)
	}
}

func TestAnyNumberOfWorkersGivesTheSameBytes(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model, world.Spot.UpHours, world.Spot.DownHours, world.BootFailPercent = "markov", 3, 1, 5
	world.Signals = map[string]replay.Sensor{"cpu": {
		Kind: "utilisation", Full: 100, DelayQuantiles: []float64{30, 60, 200}, LossPercent: 3, NoisePercent: 4,
	}}
	world = world.WithPrices(prices(t, "elapsed_s,regular,spot\n0,1,0.2\n3600,1.1,0.4\n"))
	imported := worked(t, "web")
	imported.Name, imported.Kind, imported.Notes = "rules", replay.Baseline, []string{"lost: something"}
	var first []byte
	for _, workers := range []int{1, 2, 8} {
		r := closed(t, replay.Options{
			Policies: []replay.Policy{pair(t), grouped(t), imported}, World: world, Seeds: 2, First: 5, Workers: workers, EverySeed: true,
			Traces: []*trace.Series{generated(t, "flash,days=0.04"), generated(t, "ramp,days=0.02")},
		})
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Errorf("with %d workers the result differs", workers)
		}
		for i := range r.Runs {
			if len(r.Runs[i].Faults) > 0 {
				t.Errorf("%s is at fault: %v", r.Runs[i].Policy, r.Runs[i].Faults)
			}
		}
		if want := 2 * 2 * (3 + len(replay.Baselines())); len(r.Runs) != want {
			t.Errorf("%d runs, want %d", len(r.Runs), want)
		}
	}
}
