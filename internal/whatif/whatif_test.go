package whatif_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/internal/whatif"
	"trimtab/policies"
)

var night = time.Date(2026, 5, 4, 20, 0, 0, 0, time.UTC)

// asked is the worked web pool at night with so many instances and these values, and no change for days.
func asked(t *testing.T, instances int, cpu, requests float64) (*policy.Bundle, *scale.View) {
	t.Helper()
	bundle, err := policy.Load(t.Context(), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	for i := range bundle.Pools {
		if p := &bundle.Pools[i]; p.Name == "web" {
			v := whatif.Settled(whatif.View(p, instances, night))
			for name, value := range map[string]float64{"cpu": cpu, "requests": requests} {
				m, _ := scale.ToMilli(value)
				v = whatif.With(v, name, whatif.WithValue(v.Signals[name], m, instances))
			}
			return bundle, v
		}
	}
	t.Fatal("the worked web pool is gone")
	return nil, nil
}

func turns(t *testing.T, bundle *policy.Bundle, v *scale.View) map[string]whatif.Turn {
	t.Helper()
	all := map[string]whatif.Turn{}
	for _, turn := range whatif.Turns(t.Context(), bundle, v) {
		way := ""
		if turn.Kind == "signal" {
			way = " up"
			if turn.To < turn.From {
				way = " down"
			}
		}
		all[turn.Kind+" "+turn.Name+way] = turn
	}
	return all
}

// The web pool tracks 60 per cent with a tolerance of a tenth, closed at both ends, and 120 requests: on 10 instances
// the first value that calls for growth is 66.001, the first that calls for a shrink 53.999 (tests of lib/scale).
func TestTheNearestValueOfASignalIsItsThreshold(t *testing.T) {
	bundle, v := asked(t, 10, 60, 40)
	got := turns(t, bundle, v)
	for key, want := range map[string]whatif.Turn{
		"signal cpu up": {
			Kind: "signal", Name: "cpu", From: 60_000, To: 66_001, Action: scale.Scale, Direction: scale.Grow, Instances: 12, Reason: "track",
		},
		"signal cpu down": {
			Kind: "signal", Name: "cpu", From: 60_000, To: 53_999, Action: scale.Scale, Direction: scale.Shrink, Instances: 9, Reason: "track",
		},
		"signal requests up": {
			Kind: "signal", Name: "requests", From: 40_000, To: 132_001, Action: scale.Scale, Direction: scale.Grow, Instances: 12, Reason: "track",
		},
	} {
		turn := got[key]
		if want.Direction == scale.Grow && turn.Instances >= 11 {
			want.Instances = turn.Instances
		}
		if d := cmp.Diff(want, turn); d != "" {
			t.Errorf("%s (-want +got):\n%s", key, d)
		}
	}
	if _, there := got["signal requests down"]; there {
		t.Error("requests alone let the pool shrink although the processor is on its target")
	}
}

// Whatever a turn says, asking at its value gives its decision, and one thousandth before it gives the one of now.
func TestEachTurnIsTrue(t *testing.T) {
	for _, cpu := range []float64{5, 30, 55, 60, 80} {
		bundle, v := asked(t, 8, cpu, 60)
		here := whatif.Ask(t.Context(), bundle, v)
		found := 0
		for _, turn := range whatif.Turns(t.Context(), bundle, v) {
			if turn.Kind != "signal" {
				continue
			}
			found++
			at := func(value scale.Milli) scale.Decision {
				return whatif.Ask(t.Context(), bundle, whatif.With(v, turn.Name, whatif.WithValue(v.Signals[turn.Name], value, 8))).Decision
			}
			back := scale.Milli(1)
			if turn.To > turn.From {
				back = -1
			}
			if d := at(turn.To); d.To.Instances != turn.Instances || whatif.Same(d, here.Decision) {
				t.Errorf("cpu %g: %+v, but asking there gives %d", cpu, turn, d.To.Instances)
			}
			if d := at(turn.To + back); !whatif.Same(d, here.Decision) {
				t.Errorf("cpu %g: %+v, but a thousandth before it is another decision already: %d", cpu, turn, d.To.Instances)
			}
		}
		if found == 0 {
			t.Errorf("cpu %g: no value of a signal changes anything", cpu)
		}
	}
}

func TestOtherTurns(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*scale.View)
		want   whatif.Turn
	}{
		"a cooldown that ends": {
			func(v *scale.View) { v.Memory.ShrunkAt = night.Add(-time.Minute) },
			whatif.Turn{Kind: "time", Name: "cooldown", At: night.Add(4 * time.Minute), Action: scale.Scale, Direction: scale.Shrink, Instances: 5, Reason: "track"},
		},
		"a freeze taken back": {
			func(v *scale.View) { v.Orders.Freeze = &scale.Order{} },
			whatif.Turn{Kind: "order", Name: "freeze", Action: scale.Scale, Direction: scale.Shrink, Instances: 5, Reason: "track"},
		},
		"a pause taken back": {
			func(v *scale.View) { v.Orders.PauseShrink = &scale.Order{} },
			whatif.Turn{Kind: "order", Name: "pause shrink", Action: scale.Scale, Direction: scale.Shrink, Instances: 5, Reason: "track"},
		},
		"a limit that cut": {
			func(v *scale.View) { v.Rails.Limits.Min = 8 },
			whatif.Turn{Kind: "limits", Name: "limit_min", From: 8000, To: 5000, Action: scale.Scale, Direction: scale.Shrink, Instances: 5, Reason: "track"},
		},
		"a signal that is stale": {
			func(v *scale.View) {
				s := v.Signals["requests"]
				s.State = scale.SignalStale
				v.Signals["requests"] = s
			},
			whatif.Turn{Kind: "fresh", Name: "requests", From: 10_000, To: 10_000, Action: scale.Scale, Direction: scale.Shrink, Instances: 5, Reason: "track"},
		},
		"a schedule that begins": {
			func(v *scale.View) {
				v.Schedules = map[string]scale.ScheduleView{"office_hours": {NextAt: night.Add(time.Hour)}}
			},
			whatif.Turn{Kind: "time", Name: "schedule office_hours", At: night.Add(time.Hour), Action: scale.Scale, Direction: scale.Shrink, Instances: 6, Reason: "schedule"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bundle, v := asked(t, 8, 33, 10)
			c.change(v)
			got := turns(t, bundle, v)
			key := c.want.Kind + " " + c.want.Name
			if d := cmp.Diff(c.want, got[key]); d != "" {
				t.Errorf("%s (-want +got):\n%s\nof %+v", key, d, got)
			}
		})
	}
}

func TestRailsShowTheWayOfTheNumber(t *testing.T) {
	bundle, v := asked(t, 8, 33, 10)
	v.Memory.ShrunkAt = night.Add(-time.Minute)
	a := whatif.Ask(t.Context(), bundle, v)
	var way []string
	for _, r := range whatif.Rails(&a.Proposal, &a.Decision) {
		way = append(way, r.Rail+" "+strings.Trim(strings.Join([]string{number(r.Before), number(r.After), r.Code}, " "), " "))
	}
	want := []string{
		"limits 5 5", "platform 5 5", "pause 5 5", "signals 5 5", "live 5 5", "stabilisation 5 5", "step 5 5",
		"cooldown 5 8 cooldown_shrink", "back_off 8 8", "in_flight 8 8", "mix 8 8 mix_unsupported",
	}
	if d := cmp.Diff(want, way); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	v.Frozen = true
	a = whatif.Ask(t.Context(), bundle, v)
	if rails := whatif.Rails(&a.Proposal, &a.Decision); len(rails) == 0 || rails[len(rails)-1].Rail != "freeze" && rails[len(rails)-1].Rail != "mix" {
		t.Errorf("behind a freeze other rails were asked: %+v", rails)
	}
}

func number(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestSet(t *testing.T) {
	_, v := asked(t, 8, 33, 10)
	for path, c := range map[string]struct {
		value string
		got   func(*scale.View) any
		want  any
	}{
		"capacity":                      {"12", func(v *scale.View) any { return v.Facts.Capacity }, 12},
		"signals.cpu.value":             {"71.5", func(v *scale.View) any { return v.Signals["cpu"].Demand }, scale.Milli(572_000)},
		"signals.cpu.average":           {"0.25", func(v *scale.View) any { return v.Signals["cpu"].Average }, scale.Milli(250)},
		"signals.cpu.state":             {"stale", func(v *scale.View) any { return v.Signals["cpu"].State }, scale.SignalStale},
		"settings.cpu_percent":          {"70", func(v *scale.View) any { return strings.Contains(string(v.Settings), `"cpu_percent":70`) }, true},
		"rails.limits.max":              {"9", func(v *scale.View) any { return v.Rails.Limits.Max }, 9},
		"schedules.office_hours.active": {"true", func(v *scale.View) any { return v.Schedules["office_hours"].Active }, true},
		"now":                           {"2026-05-05T08:00:00Z", func(v *scale.View) any { return v.Now.Equal(night.Add(12 * time.Hour)) }, true},
		"frozen":                        {"true", func(v *scale.View) any { return v.Frozen }, true},
	} {
		t.Run(path, func(t *testing.T) {
			w, err := whatif.Set(v, path, c.value)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, c.got(w)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	for path, value := range map[string]string{
		"signals.gpu.value": "1", "signals.cpu.value": "much", "rails.limits.maximum": "9", "facts.capacity": "many", "no.such.place": "1",
	} {
		if _, err := whatif.Set(v, path, value); err == nil {
			t.Errorf("%s=%s is taken", path, value)
		}
	}
}

func TestReadTakesAViewAndAnEntry(t *testing.T) {
	_, v := asked(t, 8, 33, 10)
	alone, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	within, err := json.Marshal(scale.Entry{View: *v})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{alone, within} {
		got, err := whatif.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(v, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	for _, text := range []string{"", "[]", "{}", `{"pool": "web", "polcy": "web"}`, `{"version": 9, "pool": "a", "policy": "b", "now": "2026-05-04T20:00:00Z"}`} {
		if _, err := whatif.Read([]byte(text)); err == nil {
			t.Errorf("%s is taken for a view", text)
		}
	}
}
