package replay_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
)

func prices(t *testing.T, text string) *trace.Prices {
	t.Helper()
	p, err := trace.ReadPrices("prices.csv", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCostFollowsThePricesOfItsTime(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model, world.Capacity, world.StartInstances = "never", 1, 5
	// Five hours of 4 instances' worth of load, which need 5; the mean is held by static_mean.
	for _, c := range []struct {
		note, text string
		cost       float64
	}{
		{"from a beginning of their own", "elapsed_s,regular\n0,1\n3600,2\n10800,4\n", 5 * (1 + 2 + 2 + 4 + 4)},
		{"by the clock, and from the first row on before it", "time,regular,spot\n2026-05-04T02:00:00Z,3,9\n2026-05-04T04:00:00Z,1,9\n", 5 * (3*4 + 1)},
		{"without a column of their own regular prices stay", "elapsed_s,spot\n0,0.1\n3600,0.2\n", 25},
	} {
		r := closed(t, replay.Options{
			Policies: []replay.Policy{worked(t, "web")}, Baselines: []string{"static_mean"}, Traces: []*trace.Series{flat(4, 300)},
			World: world.WithPrices(prices(t, c.text)),
		})
		got := run(t, r, "static_mean")
		if math.Abs(got.Values["cost"]-c.cost) > 1e-6 || math.Abs(got.Values["cost_vs_foresight"]-100) > 1e-6 || math.Abs(got.Values["cost_vs_regular"]-100) > 1e-6 {
			t.Errorf("%s: cost is %g, want %g; %v", c.note, got.Values["cost"], c.cost, got.Values)
		}
		if len(got.Series.PriceRegular) != 300 {
			t.Errorf("%s: %d prices in the series", c.note, len(got.Series.PriceRegular))
		}
	}
}

func TestSpotHasThePriceOfItsZone(t *testing.T) {
	spot, err := trace.ReadSpot("zones", []byte("elapsed_s,a,b\n0,1,0\n3600,1,0\n7200,1,0\n10800,1,0\n"))
	if err != nil {
		t.Fatal(err)
	}
	world := replay.DefaultWorld()
	world.Prices.Regular, world.Capacity = 0, 1
	world = world.WithSpot(spot).WithPrices(prices(t, "elapsed_s,spot,spot_a\n0,100,1\n7200,100,2\n"))
	r := closed(t, replay.Options{
		Policies: []replay.Policy{worked(t, "web")}, Baselines: []string{"naive_spot"}, Traces: []*trace.Series{flat(12, 240)}, World: world,
	})
	got := run(t, r, "naive_spot")
	// Everything above the minimum of 3 is in zone a, at 1 in the first two hours and 2 in the others.
	low, high := 0.0, 0.0
	for i, n := range got.Series.Spot {
		price := 1.0
		if i >= 120 {
			price = 2
		}
		low += float64(n) * price / 60
		high += float64(n+got.Series.Pending[i]+1) * price / 60
	}
	if c := got.Values["cost"]; c < low-1e-6 || c > high {
		t.Errorf("cost is %g, want %g to %g", c, low, high)
	}
}

func TestPricesOfAnotherTimeAreRefused(t *testing.T) {
	world := replay.DefaultWorld().WithPrices(prices(t, "time,regular\n2020-01-01T00:00:00Z,1\n2020-01-02T00:00:00Z,2\n"))
	_, err := replay.ClosedLoop(t.Context(), replay.Options{
		Policies: []replay.Policy{worked(t, "web")}, Traces: []*trace.Series{flat(1, 10)}, World: world,
	})
	if err == nil || !strings.Contains(err.Error(), "elapsed_s") {
		t.Errorf("got %v, want it to say what would be right", err)
	}
}

func TestDelaysAreLearntAsQuantiles(t *testing.T) {
	var delays []time.Duration
	for i := range 101 {
		delays = append(delays, time.Duration(100-i)*time.Second)
	}
	delays[0] = -time.Second
	l := replay.Learn(delays, 202)
	var want []float64
	for i := range 21 {
		want = append(want, max(0, 5*float64(i)-1))
	}
	want[20] = 99
	// One delay below nought stands for none, so there are two of nought and none of 100.
	if d := cmp.Diff(want, l.Quantiles); d != "" || l.LossPercent != 50 || l.Samples != 101 {
		t.Errorf("loss %g, samples %d: %s", l.LossPercent, l.Samples, d)
	}
	pool := worked(t, "web").Pool
	world := replay.DefaultWorld().WithDelays(&pool, "cpu", "r.jsonl", l)
	if err := world.Check(); err != nil || world.Signals["cpu"].Kind != "utilisation" || world.Signals["cpu"].LossPercent != 50 {
		t.Errorf("got %+v, %v", world.Signals, err)
	}
	world.Spot.Model = "never"
	r := closed(t, replay.Options{Policies: []replay.Policy{worked(t, "web")}, Baselines: []string{}, Traces: []*trace.Series{flat(12, 120)}, World: world})
	told := ""
	for _, a := range r.Assumptions {
		if a.Name == "signal.cpu" {
			told = a.Value.(string) + a.About
		}
	}
	for _, part := range []string{"49 s late in the middle", "0 s to 99 s", "50 % lost", "101 samples of r.jsonl"} {
		if !strings.Contains(told, part) {
			t.Errorf("the assumption does not say %q: %s", part, told)
		}
	}
	lost := 0
	for _, v := range run(t, r, "web").Series.Signals["cpu"] {
		if v == nil {
			lost++
		}
	}
	if lost < 40 || lost > 80 {
		t.Errorf("%d of 120 samples are lost, want about half", lost)
	}
}

func TestReadWorldRefusesDelaysThatFall(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`{"signals": {"cpu": {"kind": "utilisation", "delay_quantiles_seconds": [5]}}}`, "two or more"},
		{`{"signals": {"cpu": {"kind": "utilisation", "delay_quantiles_seconds": [5, 3]}}}`, "rising"},
	} {
		if _, err := replay.ReadWorld([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want something that says %q", err, c.says)
		}
	}
}
