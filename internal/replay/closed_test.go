package replay_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/policy"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/policies"
)

// worked is a pool of the shipped policies.
func worked(t testing.TB, name string) replay.Policy {
	t.Helper()
	bundle, err := policy.Load(t.Context(), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range bundle.Pools {
		if p.Name == name {
			return replay.Policy{Name: name, Kind: replay.Candidate, Pool: p, Policy: bundle}
		}
	}
	t.Fatalf("there is no pool %s", name)
	return replay.Policy{}
}

func generated(t testing.TB, text string) *trace.Series {
	t.Helper()
	s, err := trace.ParseShape(text)
	if err != nil {
		t.Fatal(err)
	}
	return s.Generate()
}

// flat is a course of one value for so many minutes.
func flat(value float64, minutes int) *trace.Series {
	s := &trace.Series{Name: "flat", Origin: "test", Start: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC), Step: time.Minute}
	for range minutes {
		s.Values = append(s.Values, value)
	}
	return s
}

func closed(t *testing.T, o replay.Options) *replay.Result {
	t.Helper()
	r, err := replay.ClosedLoop(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func run(t *testing.T, r *replay.Result, policy string) *replay.Run {
	t.Helper()
	for i := range r.Runs {
		if r.Runs[i].Policy == policy {
			return &r.Runs[i]
		}
	}
	t.Fatalf("there is no run of %s", policy)
	return nil
}

func TestTheSameSeedGivesTheSameBytesOnAnyNumberOfWorkers(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model, world.Spot.UpHours, world.Spot.DownHours = "markov", 3, 1
	world.BootFailPercent = 5
	world.Signals = map[string]replay.Sensor{
		"cpu": {Kind: "utilisation", Full: 100, DelaySeconds: 90, JitterSeconds: 60, LossPercent: 3, NoisePercent: 4},
	}
	var first []byte
	for _, workers := range []int{1, 5} {
		var steps, of atomic.Int64
		r := closed(t, replay.Options{
			Policies: []replay.Policy{worked(t, "web")}, World: world, Seeds: 2, First: 11, Workers: workers,
			Traces:   []*trace.Series{generated(t, "flash,days=0.3"), generated(t, "ramp,days=0.1")},
			Progress: func(n, all int64) { steps.Store(max(n, steps.Load())); of.Store(all) },
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
		if of.Load() == 0 || workers == 1 && steps.Load() != of.Load() {
			t.Errorf("progress ended at %d of %d", steps.Load(), of.Load())
		}
		if n := len(r.Runs); n != 2*2*(1+len(replay.Baselines())) {
			t.Errorf("%d runs", n)
		}
		spot := run(t, r, "web").Values
		if spot["spot_share"] == 0 || spot["interruptions_per_day"] == 0 {
			t.Errorf("got %v, want Spot and interruptions", spot)
		}
	}
	other := closed(t, replay.Options{
		Policies: []replay.Policy{worked(t, "web")}, World: world, Seeds: 2, First: 12,
		Traces: []*trace.Series{generated(t, "flash,days=0.3"), generated(t, "ramp,days=0.1")},
	})
	if got, _ := json.Marshal(other); bytes.Equal(first, got) {
		t.Error("another seed gave the same bytes")
	}
}

func TestASteadyLoadIsCarriedAtTheTarget(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model = "never"
	// Twelve instances' worth of load: at a target of 60 per cent that is 20.
	world.Capacity = 1
	r := closed(t, replay.Options{Policies: []replay.Policy{worked(t, "web")}, Traces: []*trace.Series{flat(12, 600)}, World: world})
	web := run(t, r, "web")
	last := web.Series.Regular[len(web.Series.Regular)-1]
	if last < 18 || last > 22 {
		t.Errorf("%d instances at the end; want 20, give or take the tolerance of a tenth", last)
	}
	if web.Evaluations < 599 || len(web.Faults) > 0 {
		t.Errorf("%d evaluations, faults %v", web.Evaluations, web.Faults)
	}
	if d := web.Decisions; len(d) == 0 || d[0].Wanted != nil && *d[0].Wanted == 0 {
		t.Errorf("got %d decisions", len(d))
	}
	// 12 at an objective of 80 per cent need 15.
	foresight := run(t, r, "foresight").Values
	want := map[string]float64{"cost": 150, "unmet_demand": 0, "over_provision": 0, "cost_vs_foresight": 100, "mean_instances": 15}
	for name, v := range want {
		if foresight[name] != v {
			t.Errorf("foresight: %s is %g, want %g", name, foresight[name], v)
		}
	}
}

func TestMeasuresOfAFleetThatIsTooSmall(t *testing.T) {
	world := replay.DefaultWorld()
	world.Spot.Model, world.Capacity, world.StartInstances = "never", 1, 5
	load := flat(4, 120)
	for i := 60; i < 90; i++ {
		load.Values[i] = 12
	}
	// The mean load of 6 needs 8 instances, 4 needs 5, 12 needs 15.
	r := closed(t, replay.Options{
		Policies: []replay.Policy{worked(t, "web")}, Baselines: []string{"static_mean"}, Traces: []*trace.Series{load}, World: world,
	})
	got := run(t, r, "static_mean").Values
	for name, want := range map[string]float64{
		"unmet_demand":   (12 - 8*0.8) * 30 / (4*90 + 12*30) * 100,
		"unmet_time":     25,
		"unmet_longest":  30 * 60,
		"availability":   75,
		"over_provision": 3 * 90 / float64(5*90+15*30) * 100,
		"theta_u":        7.0 / 15 * 25,
		"theta_o":        3.0 / 5 * 75,
		"tau_u":          25, "tau_o": 75,
		"cost": 16, "changes_per_day": 0, "mean_instances": 8,
	} {
		if math.Abs(got[name]-want) > 1e-5 {
			t.Errorf("%s is %g, want %g", name, got[name], want)
		}
	}
	// Each minute of the 30 brings 4 x 60 seconds of work too much; the queue takes 30 x 8.
	if want := (30*4*60 - 30*8) / float64((4*90+12*30)*60) * 100; math.Abs(got["lost_demand"]-want) > 1e-5 {
		t.Errorf("lost_demand is %g, want %g", got["lost_demand"], want)
	}
}

func TestAZoneThatLosesSpotLosesAllOfIt(t *testing.T) {
	spot, err := trace.ReadSpot("zones", []byte("elapsed_s,a,b\n0,1,1\n3600,0,1\n7200,0,0\n10800,1,1\n14400,1,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	world := replay.DefaultWorld().WithSpot(spot)
	world.Capacity = 1
	r := closed(t, replay.Options{
		Policies: []replay.Policy{worked(t, "web")}, Baselines: []string{"naive_spot"}, Traces: []*trace.Series{flat(12, 300)}, World: world,
	})
	naive := run(t, r, "naive_spot")
	var kinds []string
	for _, e := range naive.Events {
		if e.Kind == "evicted" {
			kinds = append(kinds, e.Zone)
			if e.Instances < 5 {
				t.Errorf("zone %s lost %d instances; want all that it had", e.Zone, e.Instances)
			}
		}
	}
	if d := cmp.Diff([]string{"a", "b"}, kinds); d != "" {
		t.Errorf("evictions:\n%s", d)
	}
	if at := naive.Series.Spot[150]; at != 0 {
		t.Errorf("%d Spot instances while no zone has any", at)
	}
	if naive.Values["unmet_time"] == 0 || naive.Values["spot_missed_per_day"] == 0 {
		t.Errorf("got %v", naive.Values)
	}
}

func TestANoticeOfAnEvictionIsHeardWholeStepsEarlier(t *testing.T) {
	spot, err := trace.ReadSpot("zones", []byte("elapsed_s,a\n0,9\n7200,2\n14400,9\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		note   string
		notice float64
		want   []string
	}{
		{"none", 0, []string{"120 of 3 for 02:00"}},
		{"shorter than a step", 30, []string{"120 of 3 for 02:00"}},
		{"a step and a half", 90, []string{"119 of 3 for 02:00", "120 of 3 for 02:00"}},
		{"ten minutes", 600, []string{"110 of 3 for 02:00", "120 of 3 for 02:00"}},
	} {
		world := replay.DefaultWorld().WithSpot(spot)
		world.Spot.NoticeSeconds = c.notice
		if d := cmp.Diff(c.want, replay.Told(t, worked(t, "web"), world, 240, 5)); d != "" {
			t.Errorf("%s: what the policy is told:\n%s", c.note, d)
		}
	}
}

func TestHPAWish(t *testing.T) {
	for _, c := range []struct {
		note                    string
		ratio                   float64
		ready, unready, current int
		want                    int
	}{
		{"within the tolerance nothing changes", 1.09, 10, 0, 10, 10},
		{"growth is rounded up", 1.21, 10, 0, 10, 13},
		{"a shrink is rounded up too", 0.51, 10, 0, 10, 6},
		{"what is not ready counts as idle in a growth", 2, 10, 5, 15, 20},
		{"a growth that turns round with them is none", 1.2, 10, 5, 15, 15},
		{"what is not ready takes no part in a shrink", 0.5, 10, 5, 15, 5},
	} {
		if got := replay.HPAWish(c.ratio, c.ready, c.unready, c.current); got != c.want {
			t.Errorf("%s: got %d, want %d", c.note, got, c.want)
		}
	}
}

func TestFlaps(t *testing.T) {
	for _, c := range []struct {
		note    string
		changes [][2]int
		want    int
	}{
		{"growth after growth is none", [][2]int{{0, 2}, {5, 1}}, 0},
		{"a shrink soon after a growth is one", [][2]int{{0, 2}, {29, -1}}, 1},
		{"a shrink long after is none", [][2]int{{0, 2}, {31, -1}}, 0},
		{"to and fro is one each time", [][2]int{{0, 2}, {5, -1}, {10, 1}}, 2},
		{"a change of the mix alone lies between and does not count", [][2]int{{0, 2}, {5, 0}, {10, -1}}, 1},
	} {
		if got := replay.Flaps(c.changes...); got != c.want {
			t.Errorf("%s: got %d, want %d", c.note, got, c.want)
		}
	}
}

func TestReadWorldRefuses(t *testing.T) {
	for _, c := range []struct{ note, text, says string }{
		{"a field that is not known", `{"steps": 3}`, "steps"},
		{"two objects", `{} {}`, "more in the file"},
		{"a model that is not known", `{"spot": {"model": "often"}}`, "always, never, trace or markov"},
		{"a kind of signal that is not known", `{"signals": {"cpu": {"kind": "heat"}}}`, "utilisation"},
		{"a quota below nought", `{"quota_regular": -5}`, "quota_regular is -5"},
		{"a quota for Spot below nought", `{"quota_spot": -1}`, "quota_spot is -1"},
		{"a notice below nought", `{"spot": {"notice_seconds": -1}}`, "spot.notice_seconds is -1"},
		{"an objective beyond all", `{"objective_percent": 120}`, "1 to 100"},
	} {
		if _, err := replay.ReadWorld([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want something that says %q", c.note, err, c.says)
		}
	}
	w, err := replay.ReadWorld([]byte(`{"boot": {"median_seconds": 200, "p95_seconds": 300, "max_seconds": 400}}`))
	if err != nil || w.Boot.MedianSeconds != 200 || w.ObjectivePercent != 80 {
		t.Errorf("got %+v, %v; want the defaults with another boot", w, err)
	}
	world := replay.DefaultWorld()
	world.Signals = map[string]replay.Sensor{"heat": {Kind: "total"}}
	if _, err := replay.ClosedLoop(t.Context(), replay.Options{
		Policies: []replay.Policy{worked(t, "web")}, Traces: []*trace.Series{flat(1, 10)}, World: world,
	}); err == nil || !strings.Contains(err.Error(), "no such signal") {
		t.Errorf("got %v, want the signal that the pool does not have", err)
	}
}

func TestGates(t *testing.T) {
	today, candidate := worked(t, "web"), worked(t, "web")
	today.Name, today.Kind = "today", replay.Today
	// Three times the load on each instance is allowed: cheaper, and short when the load comes.
	candidate.Pool.Settings = json.RawMessage(`{"cpu_percent": 95, "requests_per_instance": 1000, "office_instances": 3}`)
	world := replay.DefaultWorld()
	r := closed(t, replay.Options{
		Policies: []replay.Policy{candidate, today}, Baselines: []string{}, Traces: []*trace.Series{generated(t, "ramp,days=0.2")}, World: world,
	})
	for _, c := range []struct {
		gate   string
		passes bool
	}{{"cost=0", true}, {"unmet_demand=5", false}, {"availability=0", false}, {"availability=100", true}} {
		measure, allowed, err := replay.ParseGate(c.gate)
		if err != nil {
			t.Fatal(err)
		}
		if passed, err := r.AddGate(measure, allowed); err != nil || passed != c.passes {
			t.Errorf("%s: passed is %t, %v; %+v", c.gate, passed, err, r.Gates[len(r.Gates)-1])
		}
	}
	if len(r.Verdicts) != 1 || r.Verdicts[0].Verdict != replay.Trade {
		t.Errorf("got %+v, want a trade of cost for unmet demand", r.Verdicts)
	}
	for _, bad := range []string{"cost", "spot_share=3", "cost=-1", "cost=much", "colour=3"} {
		if _, _, err := replay.ParseGate(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	alone := closed(t, replay.Options{Policies: []replay.Policy{candidate}, Traces: []*trace.Series{flat(1, 10)}, World: world})
	if _, err := alone.AddGate("cost", 0); err == nil {
		t.Error("a gate without a policy of today passed")
	}
}
