package replay_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// TestMeasuresReckonedByHand holds each measure beside a figure that a person can reckon from the script.
func TestMeasuresReckonedByHand(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model, world.StartInstances, world.QueueSeconds = "never", 2, 0
	// A cold start of three minutes: two of boot, one of the service's.
	world.Boot, world.StartSeconds = replay.Span{MedianSeconds: 120, P95Seconds: 120, MaxSeconds: 120}, 60
	market := replay.DefaultWorld()
	market.StartInstances, market.Prices = 4, replay.Prices{Regular: 1, Spot: 0.25, Currency: "USD"}
	same := func(v float64, n int) (all []float64) {
		for range n {
			all = append(all, v)
		}
		return all
	}
	for _, c := range []struct {
		name   string
		world  replay.World
		limits scale.Limits
		spot   bool
		demand []float64
		orders map[int]int
		want   map[string]float64
	}{
		// 2.4 within 80 per cent need 3. The third is ordered at 60 s and serves at 240 s, so it is missing in four of ten minutes.
		{"a machine that is ordered late and starts cold", world, scale.Limits{Min: 1, Max: 3}, false, same(2.4, 10), map[int]int{0: 3}, map[string]float64{
			"unmet_demand": 4 * (2.4 - 1.6) / 24 * 100, "unmet_time": 40, "unmet_longest": 240, "availability": 60,
			"theta_u": 100.0 / 3 * 0.4, "theta_o": 0, "tau_u": 40, "tau_o": 0, "over_provision": 0,
			// Two machines for ten minutes, one for nine: it costs from its order on.
			"cost": 29.0 / 60, "cost_vs_regular": 100, "cost_vs_foresight": 29.0 / 30 * 100,
			"changes_per_day": 144, "flaps_per_day": 0, "time_at_max": 90, "mean_instances": 2.6, "spot_share": 0,
			// Two carry 2 of 2.4; nothing may wait.
			"lost_demand": 4 * 0.4 / 24 * 100,
		}},
		// A growth at 1 min and a shrink at 5: five of ten minutes the order is at the most.
		{"a growth that is taken back", world, scale.Limits{Min: 1, Max: 4}, false, same(1.6, 10), map[int]int{0: 4, 4: 2}, map[string]float64{
			"changes_per_day": 288, "flaps_per_day": 144, "time_at_max": 40, "unmet_demand": 0,
			// The two serve from 240 s on for one minute, twice as many as needed.
			"tau_o": 10, "theta_o": 10, "over_provision": 10, "mean_instances": 2.2,
			// Two throughout, two more for four minutes, and thirty seconds of removal.
			"cost": (20 + 8 + 1) / 60.0,
		}},
		// One regular at 1 and three Spot at 0.25.
		{"most of it Spot", market, scale.Limits{Min: 1, Max: 10}, true, same(3.2, 30), nil, map[string]float64{
			"spot_share": 75, "cost": 0.5 * 1.75, "cost_vs_regular": 1.75 / 4 * 100, "cost_vs_foresight": 1.75 / 4 * 100, "availability": 100,
			"interruptions_per_day": 0, "spot_missed_per_day": 0,
		}},
		{
			"demand that comes and goes over a fixed fleet", world,
			scale.Limits{Min: 1, Max: 4},
			false,
			append(append(same(0.8, 5), same(3.2, 3)...), same(1.6, 2)...), nil,
			map[string]float64{
				// Needed are 1, 4 and 2; there are 2.
				"theta_u": 3 * 0.5 / 10 * 100, "theta_o": 5 * 1.0 / 10 * 100, "tau_u": 30, "tau_o": 50, "unmet_longest": 180,
				"unmet_demand": 3 * 1.6 / (4 + 9.6 + 3.2) * 100, "over_provision": 5.0 / (5 + 12 + 4) * 100,
				"cost_vs_foresight": 20.0 / 21 * 100,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := replay.Script(t, c.world, c.limits, c.spot, c.demand, c.orders)
			for name, want := range c.want {
				if math.Abs(got[name]-want) > 1e-5 {
					t.Errorf("%s is %g, want %g", name, got[name], want)
				}
			}
		})
	}
}

// TestElasticSpeedUpIsThePublishedOne takes a row of a published table: an LSTM planner over none, 1.84.
func TestElasticSpeedUpIsThePublishedOne(t *testing.T) {
	none, lstm := [4]float64{3.29, 3.06, 57.95, 57.05}, [4]float64{0.48, 4.28, 15.85, 89.10}
	if got := replay.SpeedUp(lstm, none); got == nil || math.Abs(*got-1.84) > 0.005 {
		t.Errorf("got %v, want 1.84", got)
	}
	if got := replay.SpeedUp(none, none); got == nil || *got != 1 {
		t.Errorf("over itself: got %v, want 1", got)
	}
	if got := replay.SpeedUp(lstm, [4]float64{0, 1, 1, 1}); got != nil {
		t.Errorf("over one that is never short: got %g, want none", *got)
	}
}

func TestQuantilesAreThoseOfRunsOverTracesAndSeeds(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model, world.Capacity = "never", 1
	var traces []*trace.Series
	for i, load := range []float64{4, 12, 8} {
		s := flat(load, 60)
		s.Name, s.Start = string(rune('a'+i)), s.Start.Add(time.Hour)
		traces = append(traces, s)
	}
	r := closed(t, replay.Options{Policies: []replay.Policy{worked(t, "web")}, Baselines: []string{"static_mean"}, Traces: traces, World: world, Seeds: 2})
	// An hour of 5, 15 and 10 instances, each twice.
	for _, s := range r.Summaries {
		if s.Policy != "static_mean" {
			continue
		}
		want := replay.Quantile{Mean: 10, Min: 5, P10: 5, P50: 10, P90: 15, Max: 15}
		if d := cmp.Diff(want, s.Values["cost"]); d != "" || s.Runs != 6 {
			t.Errorf("%d runs: %s", s.Runs, d)
		}
		return
	}
	t.Error("there is no summary of the baseline")
}
