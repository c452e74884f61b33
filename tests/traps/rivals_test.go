package traps_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// traps are those of the newest entry, as "code=effect".
func (r *rig) traps() string {
	r.t.Helper()
	var all []string
	for _, t := range r.decision().Traps {
		all = append(all, t.Code+"="+string(t.Effect))
	}
	return strings.Join(all, " ")
}

// decision is that of the newest entry.
func (r *rig) decision() scale.Decision {
	r.t.Helper()
	entries, err := r.ledger.Entries(r.t.Context(), "web", time.Time{}, 1)
	if err != nil || len(entries) == 0 {
		r.t.Fatalf("%d entries, %v", len(entries), err)
	}
	return entries[0].Decision
}

// Trap 8 again, where the other writer is a setting that can be seen before it writes.
func TestTrap08AnEnforcingPoolHoldsBesideAzureAutoscale(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*scale.Pool)
		knob   arm.Autoscale
		traps  string
		acts   bool
	}{
		{"a setting that is on", nil, arm.Autoscale{Name: "rival", Target: strings.ToUpper(web)}, "autoscale=refuses", false},
		{"one that is turned off", nil, arm.Autoscale{Name: "rival", Target: web, Disabled: true}, "autoscale=warns", true},
		{"one on another set", nil, arm.Autoscale{Name: "rival", Target: web + "2"}, "", true},
		{"one that the definition accepts", func(p *scale.Pool) { p.Rails.Accept = []string{"autoscale"} }, arm.Autoscale{Name: "rival", Target: web}, "autoscale=accepted", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := webPool(scale.Flexible)
			if c.change != nil {
				c.change(&pool)
			}
			r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.turn(c.knob)
			r.minutes(1)
			r.policy.instances = 14
			r.minutes(3)
			if got := len(r.patches()) > 0; got != c.acts || r.traps() != c.traps {
				t.Fatalf("changed: %v, traps %q; want %v, %q", got, r.traps(), c.acts, c.traps)
			}
			if d := r.decision(); !c.acts && (d.Reason != "rival" || d.Action != scale.Hold) {
				t.Errorf("got %s because of %q, want a hold because of the rival", d.Action, d.Reason)
			}
			// Who takes it away is believed within the quarter of an hour for which a list of settings holds.
			r.turn(arm.Autoscale{Name: "rival", Target: web, Remove: true})
			r.minutes(20)
			r.settled(14)
			if got := r.traps(); got != "" {
				t.Errorf("traps %q without the setting", got)
			}
		})
	}
}

func TestAPoolThatObservesSaysWhatItWouldDoBesideAzureAutoscale(t *testing.T) {
	pool := webPool(scale.Flexible)
	pool.Mode = scale.Observe
	r := newRig(t, pool, 14, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.turn(arm.Autoscale{Name: "rival", Target: web})
	r.minutes(2)
	if d := r.decision(); d.Direction != scale.Grow || d.Act || r.traps() != "autoscale=refuses" {
		t.Errorf("got %+v, want a growth that is not carried out, and the trap", d)
	}
}

func TestSettingsThatMayNotBeReadStopNobody(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 14, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	subscription, _, _ := strings.Cut(group, "/resourceGroups/")
	r.turn(arm.Grants{Grants: []arm.Grant{{Scope: subscription, Actions: []string{"*"}, NotActions: []string{"Microsoft.Insights/*"}}}})
	r.minutes(3)
	r.settled(14)
	if got := r.traps(); got != "autoscale=unseen" {
		t.Errorf("traps %q, want that it could not be looked for", got)
	}
}

func TestARivalThatWasSeenIsNotForgottenByAnError(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.turn(arm.Autoscale{Name: "rival", Target: web})
	r.minutes(1)
	r.policy.instances = 14
	r.turn(arm.Fault{Method: "GET", Path: "autoscalesettings", Status: 503, Times: 1000})
	r.restart()
	r.minutes(30)
	if n := len(r.patches()); n > 0 || r.decision().Reason != "rival" {
		t.Errorf("%d changes because of %q, want none beside the rival", n, r.decision().Reason)
	}
}

func TestTheSettingsOfASubscriptionAreReadOnceForAllPools(t *testing.T) {
	cfg := arm.Config{}
	pool := webPool(scale.Flexible)
	r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.pools = nil
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		set := flexible(10)
		set.ID = group + name
		pool.Name, pool.ScaleSet = name, set.ID
		r.pools = append(r.pools, pool)
		cfg.Sets = append(cfg.Sets, set)
		r.turn(set)
	}
	r.restart()
	r.minutes(60)
	lists := 0
	for _, q := range r.emu.Requests() {
		if strings.Contains(strings.ToLower(q.Path), "autoscalesettings") {
			lists++
		}
	}
	if lists < 3 || lists > 5 {
		t.Errorf("the settings were listed %d times within an hour for %d pools, want about four times", lists, len(r.pools))
	}
}

func TestATrapIsLoggedOnceByWhoeverSeesIt(t *testing.T) {
	r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	var logged bytes.Buffer
	r.log = slog.New(slog.NewJSONHandler(&logged, nil))
	yes := true
	r.turn(arm.Remodel{Set: web, ZoneBalance: &yes})
	for range 3 {
		r.restart()
		r.minutes(10)
	}
	if n := strings.Count(logged.String(), `"zone_balance":{`); n != 1 {
		t.Errorf("logged %d times by three processes in half an hour, want once:\n%s", n, logged.String())
	}
	no := false
	r.turn(arm.Remodel{Set: web, ZoneBalance: &no})
	r.minutes(10)
	if n := strings.Count(logged.String(), "no trap about the scale set any more"); n != 1 {
		t.Errorf("its end was logged %d times, want once:\n%s", n, logged.String())
	}
}

func TestASinglePlacementGroupEndsAtAHundred(t *testing.T) {
	set := flexible(90)
	yes := true
	set.Mix, set.SinglePlacementGroup = nil, &yes
	r := newRig(t, webPool(scale.Flexible), 140, arm.Config{Sets: []arm.SetConfig{set}})
	r.minutes(4)
	r.settled(100)
	if got := r.traps(); got != "platform_limit=refuses" {
		t.Errorf("traps %q", got)
	}
	for _, p := range r.patches() {
		if p.Status != 200 {
			t.Errorf("%+v was refused by the platform, want it not sent", p)
		}
	}
	if d := r.decision(); d.Reason != "platform_max" {
		t.Errorf("the reason is %q", d.Reason)
	}
}

func TestAMixThatThePlatformRefusesIsNotSent(t *testing.T) {
	two, yes := 2, true
	for _, c := range []struct {
		name   string
		pool   scale.Orchestration
		set    arm.SetConfig
		change func(*scale.Pool)
		code   string
		sent   bool
	}{
		{"on a regular profile", scale.Flexible, arm.SetConfig{ID: web, Capacity: 10}, nil, "mix_on_regular", false},
		{"on a Uniform set", scale.Uniform, arm.SetConfig{ID: web, Capacity: 10, Orchestration: arm.Uniform, Overprovision: new(bool)}, nil, "mix", false},
		{"in one placement group", scale.Flexible, arm.SetConfig{ID: web, Capacity: 10, Priority: arm.Spot, EvictionPolicy: arm.Delete, SinglePlacementGroup: &yes}, nil, "mix_in_one_group", false},
		{"over fault domains", scale.Flexible, arm.SetConfig{ID: web, Capacity: 10, Priority: arm.Spot, EvictionPolicy: arm.Delete, FaultDomains: &two, Mix: &arm.Mix{Base: 2, RegularPercent: 50}}, nil, "mix_fault_domains", false},
		{
			"over fault domains, where the owner knows better", scale.Flexible,
			arm.SetConfig{ID: web, Capacity: 10, Priority: arm.Spot, EvictionPolicy: arm.Delete, FaultDomains: &two, Mix: &arm.Mix{Base: 2, RegularPercent: 50}},
			func(p *scale.Pool) { p.Rails.Accept = []string{"mix_fault_domains"} }, "mix_fault_domains", true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := webPool(c.pool)
			pool.Rails.Limits.Max = 50
			if c.change != nil {
				c.change(&pool)
			}
			r := newRig(t, pool, 12, arm.Config{Sets: []arm.SetConfig{c.set}})
			r.policy.blend = &scale.Blend{Mix: scale.Mix{Base: 4, RegularPercent: 25}, Rounding: scale.RegularDown}
			r.minutes(4)
			mixes := 0
			for _, p := range r.patches() {
				if bytes.Contains(p.Body, []byte("priorityMixPolicy")) {
					mixes++
				}
			}
			if got := mixes > 0; got != c.sent {
				t.Errorf("a mix was sent: %v, want %v: %+v", got, c.sent, r.patches())
			}
			want := c.code + "=refuses"
			if c.sent {
				want = c.code + "=accepted"
			} else {
				// The count is scaled all the same.
				r.settled(12)
			}
			if got := r.traps(); got != want {
				t.Errorf("traps %q, want %q", got, want)
			}
		})
	}
}

func TestNothingStandsInForWhatThePlatformRestores(t *testing.T) {
	for _, restores := range []bool{true, false} {
		set := flexible(10)
		if restores {
			set.SpotRestore = "PT1H"
		}
		r := newRig(t, webPool(scale.Flexible), 10, arm.Config{Sets: []arm.SetConfig{set}})
		r.policy.blend = hedged()
		r.minutes(1)
		r.policy.instances = 18
		r.turn(arm.Scarce{Set: web, Priority: arm.Spot, Left: 0, Code: "SkuNotAvailable"})
		r.minutes(6)
		want, traps := 14, ""
		if restores {
			want, traps = 10, "spot_restore=refuses"
		}
		if s := r.set(web); s.Regular.Running != want || r.traps() != traps {
			t.Errorf("restored by the platform: %v: %d regular machines and traps %q, want %d and %q", restores, s.Regular.Running, r.traps(), want, traps)
		}
	}
}

func TestNoCountIsLoweredOverMachinesAttachedByHand(t *testing.T) {
	for _, c := range []struct {
		name  string
		rails func(*scale.Rails)
		want  int
		pets  bool
	}{
		{"by the count nobody knows who goes", func(*scale.Rails) {}, 11, true},
		{"by name it is never one of them", func(r *scale.Rails) { r.Shrink.Order = []scale.Preference{scale.PreferNewest} }, 7, true},
		{"where the definition accepts it", func(r *scale.Rails) { r.Accept = []string{"attached"} }, 7, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := webPool(scale.Flexible)
			c.rails(&pool.Rails)
			r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
			r.minutes(1)
			r.turn(arm.Attach{Set: web, Name: "pet"})
			r.minutes(6)
			r.policy.instances = 6
			r.minutes(8)
			r.settled(c.want)
			live, err := r.fleet.Count(t.Context(), web, scale.Facts{Orchestration: scale.Flexible})
			if err != nil || c.pets && live.Attached != 1 {
				t.Errorf("%d machines are attached, %v", live.Attached, err)
			}
		})
	}
}

func TestWhatOnlyMayGoWrongIsSaidAndNothingIsRefused(t *testing.T) {
	yes, no := true, false
	zones := []string{"1", "2"}
	for want, set := range map[string]arm.SetConfig{
		"overprovision=warns zone_balance=warns repairs=warns": {ZoneBalance: &yes, Zones: zones, Repairs: true},
		"zone_rebalance=warns":                                 {Overprovision: &no, AutoZoneBalance: true, Zones: zones},
	} {
		set.ID, set.Orchestration, set.Capacity = web, arm.Uniform, 10
		r := newRig(t, webPool(scale.Uniform), 14, arm.Config{Sets: []arm.SetConfig{set}})
		r.minutes(3)
		r.settled(14)
		if got := r.traps(); got != want {
			t.Errorf("traps %q, want %q", got, want)
		}
	}
}
