package guard_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

var now = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func ago(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }

func rec(secondsAgo, n int) scale.Recommendation {
	return scale.Recommendation{At: ago(secondsAgo), Instances: n}
}

// base is an enforcing pool of ten instances that has wanted ten for an hour, with nothing in its way.
func base() *scale.View {
	return &scale.View{
		Version: scale.ViewVersion, Now: now, Pool: "web", Policy: "web", Mode: scale.Enforce,
		Orchestration: scale.Flexible,
		Rails:         scale.Rails{Limits: scale.Limits{Min: 2, Max: 40}},
		Facts: scale.Facts{
			ReadAt: ago(5), Capacity: 10, ETag: `"1"`, ProvisioningState: "Succeeded",
			Orchestration: scale.Flexible, PlatformMax: 1000, PlatformMaxRule: "scale set",
		},
		FactsMaxAgeSeconds: 300,
		Signals:            map[string]scale.SignalView{"cpu": {State: scale.SignalFresh, HasValue: true}},
		Memory: scale.Memory{
			Recommendations: []scale.Recommendation{rec(3600, 10)},
			Capacities:      []scale.Recommendation{rec(3600, 10)},
		},
	}
}

func wants(n int) *scale.Proposal {
	return &scale.Proposal{Known: true, Instances: n, Reasons: []scale.Reason{
		{Code: "track", Name: "cpu", State: scale.ReasonKnown, Instances: n},
	}}
}

func TestDecide(t *testing.T) {
	order := func(seconds, instances int) *scale.Order {
		return &scale.Order{At: ago(60), Until: now.Add(time.Duration(seconds) * time.Second), Instances: instances}
	}
	type change = func(*scale.View, *scale.Proposal)
	for name, c := range map[string]struct {
		wants  int
		change change
		to     int
		reason string
		held   bool
	}{
		"a growth that nothing forbids is the policy's own": {20, nil, 20, "track", false},
		"a shrink that nothing forbids is the policy's own": {6, nil, 6, "track", false},
		"a proposal of what is there holds":                 {10, nil, 10, "track", true},
		"facts that were never read hold":                   {20, func(v *scale.View, _ *scale.Proposal) { v.Facts = scale.Facts{} }, 0, "facts_unknown", true},
		"facts older than allowed hold":                     {20, func(v *scale.View, _ *scale.Proposal) { v.Facts.ReadAt = ago(301) }, 10, "facts_stale", true},
		"facts of exactly the allowed age do":               {20, func(v *scale.View, _ *scale.Proposal) { v.Facts.ReadAt = ago(300) }, 20, "track", false},
		"facts from the future hold":                        {20, func(v *scale.View, _ *scale.Proposal) { v.Facts.ReadAt = ago(-120) }, 10, "facts_stale", true},
		"a change whose fresh read failed holds":            {20, func(v *scale.View, _ *scale.Proposal) { v.FactsUnread = true }, 10, "facts_unread", true},
		"a set of the other orchestration mode holds":       {20, func(v *scale.View, _ *scale.Proposal) { v.Facts.Orchestration = scale.Uniform }, 10, "orchestration_mismatch", true},
		"a set that is being deleted holds":                 {20, func(v *scale.View, _ *scale.Proposal) { v.Facts.ProvisioningState = "Deleting" }, 10, "set_deleting", true},
		"a control row lost to others holds":                {20, func(v *scale.View, _ *scale.Proposal) { v.Contended = true }, 10, "contended", true},
		"a frozen installation holds":                       {20, func(v *scale.View, _ *scale.Proposal) { v.Frozen = true }, 10, "frozen", true},
		"a frozen pool holds":                               {20, func(v *scale.View, _ *scale.Proposal) { v.Orders.Freeze = order(60, 0) }, 10, "frozen", true},
		"a freeze whose time is over does not":              {20, func(v *scale.View, _ *scale.Proposal) { v.Orders.Freeze = order(0, 0) }, 20, "track", false},
		"a freeze stops a pin too":                          {20, func(v *scale.View, _ *scale.Proposal) { v.Orders.Freeze, v.Orders.Pin = order(60, 0), order(60, 5) }, 10, "frozen", true},
		"paused growth holds a growth":                      {20, func(v *scale.View, _ *scale.Proposal) { v.Orders.PauseGrow = order(60, 0) }, 10, "paused_grow", true},
		"paused growth lets a shrink pass":                  {6, func(v *scale.View, _ *scale.Proposal) { v.Orders.PauseGrow = order(60, 0) }, 6, "track", false},
		"paused shrink holds a shrink":                      {6, func(v *scale.View, _ *scale.Proposal) { v.Orders.PauseShrink = order(60, 0) }, 10, "paused_shrink", true},
		"a pin overrides the policy":                        {20, func(v *scale.View, _ *scale.Proposal) { v.Orders.Pin = order(60, 7) }, 7, "pinned", false},
		"a pin works while the policy is at fault":          {20, func(v *scale.View, p *scale.Proposal) { v.Orders.Pin = order(60, 7); p.Fault = "x" }, 7, "pinned", false},
		"a pin stays within the limits":                     {20, func(v *scale.View, _ *scale.Proposal) { v.Orders.Pin = order(60, 99) }, 40, "limit_max", false},
		"a pin waits for what is in flight": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Orders.Pin = order(60, 7)
			v.Memory.InFlight = &scale.Capacity{}
		}, 10, "in_flight", true},
		"a fault of the whole policy holds":            {20, func(_ *scale.View, p *scale.Proposal) { p.Fault = "undefined" }, 10, "policy_fault", true},
		"no known reason holds":                        {0, func(_ *scale.View, p *scale.Proposal) { p.Known = false }, 10, "no_known_reason", true},
		"no known reason grows to the default":         {0, func(v *scale.View, p *scale.Proposal) { p.Known = false; v.Rails.Limits.Default = 15 }, 15, "default_count", false},
		"no known reason never shrinks to the default": {0, func(v *scale.View, p *scale.Proposal) { p.Known = false; v.Rails.Limits.Default = 5 }, 10, "no_known_reason", true},
		"the upper limit clamps":                       {99, nil, 40, "limit_max", false},
		"the lower limit clamps":                       {0, nil, 2, "limit_min", false},
		"the platform's limit clamps":                  {35, func(v *scale.View, _ *scale.Proposal) { v.Facts.PlatformMax = 30 }, 30, "platform_max", false},
		"a platform limit below the lower limit holds": {35, func(v *scale.View, _ *scale.Proposal) { v.Facts.PlatformMax = 1 }, 10, "platform_below_min", true},
		"a pool whose room is held by what is missing comes near its minimum": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.PlatformMax = 5, 12
			v.Facts.Live, v.Memory.Drift = &scale.Live{Instances: 1}, &scale.Drift{Seen: 9, Sure: 9}
		}, 3, "platform_max", false},
		"a set beyond the platform's limit without room for the minimum holds": {8, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.PlatformMax, v.Facts.Capacity = 5, 12, 30
			v.Facts.Live, v.Memory.Drift = &scale.Live{Instances: 15}, &scale.Drift{Seen: 15, Sure: 15}
		}, 15, "platform_below_min", true},
		"a pool whose room is held by what is missing never shrinks for it": {8, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.PlatformMax, v.Facts.Capacity = 7, 20, 20
			v.Facts.Live, v.Memory.Drift = &scale.Live{Instances: 6}, &scale.Drift{Seen: 14, Sure: 14}
		}, 6, "platform_max", true},
		"a pool whose room failed machines hold is cleaned": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.PlatformMax = 5, 10
			v.Rails.Clean, v.Rails.Repair = scale.Cleaning{Failed: true}, scale.Repair{Instances: 1}
			v.Facts.Live = &scale.Live{Instances: 1, Failed: 9, FailedNames: []string{"a", "b"}}
			v.Memory.Dead = map[string]time.Time{"a": now.Add(-time.Hour)}
			v.Memory.Drift = &scale.Drift{Seen: 9, Sure: 9}
		}, 1, "clean", false},
		"a missing signal stops a shrink":                  {6, signal(scale.SignalMissing), 10, "signal_missing", true},
		"a stale signal stops a shrink":                    {6, signal(scale.SignalStale), 10, "signal_stale", true},
		"a partial signal stops a shrink":                  {6, signal(scale.SignalPartial), 10, "signal_partial", true},
		"a signal in a state unheard of stops a shrink":    {6, signal("odd"), 10, "signal_unknown", true},
		"a missing signal lets a growth pass":              {20, signal(scale.SignalMissing), 20, "track", false},
		"a doubtful reason stops a shrink":                 {6, func(_ *scale.View, p *scale.Proposal) { p.Doubt = true }, 10, "reason_unknown", true},
		"a set above its limit does not shrink on a guess": {99, func(v *scale.View, p *scale.Proposal) { v.Facts.Capacity = 50; signal(scale.SignalStale)(v, p) }, 50, "signal_stale", true},
		"a set above its limit goes to the limit":          {99, func(v *scale.View, _ *scale.Proposal) { v.Facts.Capacity = 50 }, 40, "limit_max", false},
		"a set below its limit goes to the limit": {0, func(v *scale.View, _ *scale.Proposal) {
			v.Facts.Capacity = 1
			v.Rails.GrowStep = scale.Step{Instances: 1, WindowSeconds: 60}
			v.Rails.Limits.Min = 5
		}, 5, "limit_min", false},
		"a capacity of 0 where we left some is not believed": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Facts.Capacity = 0
			v.Memory.Intended = &scale.Capacity{Instances: 9}
		}, 0, "facts_implausible", true},
		"a share of nothing is one": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.Capacity = 0, 0
			v.Rails.GrowStep = scale.Step{Percent: 50, WindowSeconds: 60}
			v.Memory.Capacities = []scale.Recommendation{rec(3600, 0)}
		}, 1, "step_grow", false},
		"a set that was emptied by us is believed at once": {5, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.Capacity = 0, 0
			v.Memory.Intended = &scale.Capacity{Instances: 0}
		}, 5, "track", false},
		"a zero that nobody ordered is doubted, whatever the lower limit": {5, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Limits.Min, v.Facts.Capacity = 0, 0
		}, 0, "facts_implausible", true},
		"a size that is not to be had holds back a regular set": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassNoSpot, Direction: scale.Grow, Until: now.Add(time.Hour)}}
		}, 10, "back_off_no_spot", true},
		"a request refused because of its Spot part is not repeated": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Facts.Spot, v.Facts.Mix = true, &scale.Mix{Base: 2, RegularPercent: 50}
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassQuotaSpot, Direction: scale.Grow, Until: now.Add(time.Hour), Refused: true}}
		}, 10, "back_off_quota_spot", true},
		"a growth without a Spot part is not held back by it": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Facts.Spot, v.Facts.Mix = true, &scale.Mix{Base: 40, RegularPercent: 50}
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassQuotaSpot, Direction: scale.Grow, Until: now.Add(time.Hour), Refused: true}}
		}, 20, "track", false},
		"stabilisation keeps the window's highest": {4, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.StabilisationSeconds = 300
			v.Memory.Recommendations = []scale.Recommendation{rec(900, 30), rec(310, 8), rec(60, 5)}
		}, 8, "stabilisation", false},
		"stabilisation lets go when the window has passed": {4, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.StabilisationSeconds = 300
			v.Memory.Recommendations = []scale.Recommendation{rec(900, 30), rec(400, 8), rec(300, 5)}
		}, 5, "stabilisation", false},
		"stabilisation is patient with a pool never seen before": {4, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.StabilisationSeconds = 300
			v.Memory.Recommendations = nil
		}, 10, "stabilisation", true},
		"a growth step bounds against the window's lowest count": {40, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.GrowStep = scale.Step{Instances: 3, Percent: 100, WindowSeconds: 300}
			v.Memory.Capacities = []scale.Recommendation{rec(3600, 6), rec(100, 10)}
		}, 12, "step_grow", false},
		"a growth step that is used up holds": {40, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.GrowStep = scale.Step{Instances: 3, WindowSeconds: 300}
			v.Memory.Capacities = []scale.Recommendation{rec(3600, 6), rec(100, 10)}
		}, 10, "step_grow", true},
		"a shrink step bounds against the window's highest count": {2, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.ShrinkStep = scale.Step{Percent: 25, WindowSeconds: 600}
			v.Memory.Capacities = []scale.Recommendation{rec(3600, 6), rec(500, 12), rec(100, 10)}
		}, 9, "step_shrink", false},
		"a share of a step is rounded up": {2, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.ShrinkStep = scale.Step{Percent: 1, WindowSeconds: 600}
		}, 9, "step_shrink", false},
		"growth rests after a growth": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Cooldown.GrowSeconds, v.Memory.GrownAt = 60, ago(59)
		}, 10, "cooldown_grow", true},
		"growth goes on when its rest is over": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Cooldown.GrowSeconds, v.Memory.GrownAt = 60, ago(60)
		}, 20, "track", false},
		"growth never waits for a shrink": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Cooldown = scale.Cooldown{GrowSeconds: 60, ShrinkSeconds: 600}
			v.Memory.ShrunkAt = ago(1)
		}, 20, "track", false},
		"a shrink rests after a growth": {6, func(v *scale.View, _ *scale.Proposal) {
			v.Rails.Cooldown.ShrinkSeconds, v.Memory.GrownAt, v.Memory.ShrunkAt = 600, ago(599), ago(4000)
		}, 10, "cooldown_shrink", true},
		"a back-off forbids its direction": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassQuota, Direction: scale.Grow, Until: now.Add(time.Minute)}}
		}, 10, "back_off_quota", true},
		"a back-off lets the other direction pass": {6, func(v *scale.View, _ *scale.Proposal) {
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassQuota, Direction: scale.Grow, Until: now.Add(time.Minute)}}
		}, 6, "track", false},
		"a back-off whose time is over forbids nothing": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassThrottled, Until: now}}
		}, 20, "track", false},
		"a failure to get Spot never holds regular capacity back": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Facts.Spot, v.Facts.Mix = true, &scale.Mix{Base: 2, RegularPercent: 50}
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassNoSpot, Direction: scale.Grow, Until: now.Add(time.Hour)}}
		}, 20, "track", false},
		"a failure to get Spot holds back a set of Spot alone": {20, func(v *scale.View, _ *scale.Proposal) {
			v.Facts.Spot = true
			v.Memory.BackOffs = []scale.BackOff{{Class: scale.ClassNoSpot, Direction: scale.Grow, Until: now.Add(time.Hour)}}
		}, 10, "back_off_no_spot", true},
		"a change in flight holds": {20, func(v *scale.View, _ *scale.Proposal) { v.Memory.InFlight = &scale.Capacity{Instances: 12} }, 10, "in_flight", true},
	} {
		t.Run(name, func(t *testing.T) {
			v, p := base(), wants(c.wants)
			if c.change != nil {
				c.change(v, p)
			}
			d := guard.Decide(v, p)
			if d.To.Instances != c.to || d.Reason != c.reason || (d.Action == scale.Hold) != c.held {
				t.Errorf("got %s to %d because of %s, want held=%t to %d because of %s\n%+v",
					d.Action, d.To.Instances, d.Reason, c.held, c.to, c.reason, d.Adjustments)
			}
			if d.Act != (d.Action == scale.Scale) {
				t.Errorf("an enforcing pool's decision to %s has Act %t", d.Action, d.Act)
			}
		})
	}
}

func signal(s scale.SignalState) func(*scale.View, *scale.Proposal) {
	return func(v *scale.View, _ *scale.Proposal) {
		v.Signals["queue"] = scale.SignalView{State: s}
	}
}

func TestObserveRecordsAndDoesNotAct(t *testing.T) {
	v := base()
	v.Mode = scale.Observe
	d := guard.Decide(v, wants(20))
	if d.Action != scale.Scale || d.To.Instances != 20 || d.Act {
		t.Errorf("got %s to %d, act %t; want a decision to scale to 20 that is not carried out", d.Action, d.To.Instances, d.Act)
	}
	last := d.Adjustments[len(d.Adjustments)-1]
	if want := (scale.Adjustment{Rail: "mode", Code: "observe", Before: 20, After: 10}); last != want {
		t.Errorf("got last adjustment %+v, want %+v", last, want)
	}
}

func TestEveryAdjustmentKeepsTheNumberBeforeAndAfter(t *testing.T) {
	v := base()
	v.Rails.GrowStep = scale.Step{Instances: 8, WindowSeconds: 60}
	got := guard.Decide(v, wants(99)).Adjustments
	want := []scale.Adjustment{
		{Rail: "limits", Code: "limit_max", Before: 99, After: 40},
		{Rail: "step", Code: "step_grow", Before: 40, After: 18},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("adjustments (-want +got):\n%s", diff)
	}
}

func TestMix(t *testing.T) {
	mixed := func(v *scale.View) {
		v.Facts.Spot, v.Facts.Mix = true, &scale.Mix{Base: 2, RegularPercent: 20}
	}
	blend := func(base, percent int, r scale.Rounding) *scale.Blend {
		return &scale.Blend{Mix: scale.Mix{Base: base, RegularPercent: percent}, Rounding: r}
	}
	for name, c := range map[string]struct {
		wants     int
		blend     *scale.Blend
		change    func(*scale.View)
		want      *scale.Mix
		direction scale.Direction
		note      string
	}{
		"no blend leaves the set's own": {20, nil, nil, &scale.Mix{Base: 2, RegularPercent: 20}, scale.Grow, ""},
		"a blend goes with a growth":    {20, blend(4, 50, scale.RegularDown), nil, &scale.Mix{Base: 4, RegularPercent: 50}, scale.Grow, ""},
		"a blend alone is a change":     {10, blend(4, 50, scale.RegularDown), nil, &scale.Mix{Base: 4, RegularPercent: 50}, scale.Remix, ""},
		"the same blend is none":        {10, blend(2, 20, scale.RegularDown), nil, &scale.Mix{Base: 2, RegularPercent: 20}, scale.Still, ""},
		"rounding up raises the base":   {11, blend(2, 25, scale.RegularUp), nil, &scale.Mix{Base: 3, RegularPercent: 25}, scale.Grow, ""},
		"a set without a mix gets none": {10, blend(4, 50, scale.RegularDown), func(v *scale.View) { v.Facts.Mix = nil }, nil, scale.Still, "mix_unsupported"},
		"a mix rests after a change of it": {10, blend(4, 50, scale.RegularDown), func(v *scale.View) {
			v.Rails.Cooldown.MixSeconds, v.Memory.RemixedAt = 300, ago(299)
		}, &scale.Mix{Base: 2, RegularPercent: 20}, scale.Still, "cooldown_mix"},
		"a mix waits for what is in flight": {10, blend(4, 50, scale.RegularDown), func(v *scale.View) {
			v.Memory.InFlight = &scale.Capacity{}
		}, &scale.Mix{Base: 2, RegularPercent: 20}, scale.Still, "in_flight"},
		"a share over the whole is refused": {10, blend(4, 120, scale.RegularDown), nil, &scale.Mix{Base: 2, RegularPercent: 20}, scale.Still, "mix_out_of_range"},
		"a frozen pool keeps its mix": {
			10, blend(4, 50, scale.RegularDown), func(v *scale.View) { v.Frozen = true },
			&scale.Mix{Base: 2, RegularPercent: 20}, scale.Still, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, p := base(), wants(c.wants)
			mixed(v)
			if c.change != nil {
				c.change(v)
			}
			p.Blend = c.blend
			d := guard.Decide(v, p)
			if diff := cmp.Diff(c.want, d.To.Mix); diff != "" || d.Direction != c.direction {
				t.Errorf("got direction %s, want %s; mix (-want +got):\n%s", d.Direction, c.direction, diff)
			}
			noted := ""
			for _, a := range d.Adjustments {
				if a.Rail == "mix" {
					noted = a.Code
				}
			}
			if noted != c.note {
				t.Errorf("got note %q, want %q", noted, c.note)
			}
		})
	}
}

func TestHistoriesAreBounded(t *testing.T) {
	v := base()
	v.Rails.StabilisationSeconds = 3600
	for minute := range 5000 {
		v.Now = now.Add(time.Duration(minute) * time.Minute)
		v.Facts.ReadAt = v.Now
		v.Facts.Capacity = 5 + minute%7
		d := guard.Decide(v, wants(3+(minute*31)%17))
		v.Memory.Recommendations, v.Memory.Capacities = d.Recommendations, d.Capacities
		if len(d.Recommendations) > 20 || len(d.Capacities) > 182 {
			t.Fatalf("after %d minutes the histories hold %d and %d", minute, len(d.Recommendations), len(d.Capacities))
		}
	}
}

func TestAPlatformWithoutRoomShrinksNothingThatNobodyAskedToShrink(t *testing.T) {
	v := base()
	// Evicted machines hold their place in the nominal count: of a limit of 10 the 9 missing ones leave 1.
	v.Facts.Spot, v.Facts.Capacity, v.Facts.PlatformMax, v.Rails.Limits.Min = true, 11, 10, 1
	v.Facts.Live = &scale.Live{ReadAt: v.Facts.ReadAt, Instances: 2, Spot: 2}
	v.Memory.Drift = &scale.Drift{Sure: 9}
	v.Memory.Intended = &scale.Capacity{Instances: 10}
	v.Memory.Capacities = []scale.Recommendation{rec(3600, 10), rec(60, 2)}
	v.Signals["cpu"] = scale.SignalView{State: scale.SignalMissing}
	if d := guard.Decide(v, &scale.Proposal{Known: true, Instances: 1, Doubt: true}); d.Direction == scale.Shrink {
		t.Errorf("got %s to %d because of %s without a known reason, want no shrink: %+v", d.Direction, d.To.Instances, d.Reason, d.Adjustments)
	}
}
