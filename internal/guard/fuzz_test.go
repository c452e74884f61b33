package guard_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

// draw makes an arbitrary view and proposal of a seed: odd ones too, for the rails must hold on anything.
func draw(seed uint64) (*scale.View, *scale.Proposal) {
	r := rand.New(rand.NewPCG(seed, 1))
	v := base()
	l := &v.Rails.Limits
	l.Min = r.IntN(20)
	l.Max = l.Min + r.IntN(60)
	l.Default = r.IntN(2) * (l.Min + r.IntN(l.Max-l.Min+1))
	v.Facts.Capacity = r.IntN(100)
	v.Facts.ReadAt = ago(r.IntN(400))
	v.Facts.PlatformMax = []int{0, 1, 10, 100, 1000}[r.IntN(5)]
	v.Rails.StabilisationSeconds = r.IntN(2) * r.IntN(1000)
	v.Rails.GrowStep = scale.Step{Instances: r.IntN(5), Percent: r.IntN(100), WindowSeconds: r.IntN(600)}
	v.Rails.ShrinkStep = scale.Step{Instances: r.IntN(5), Percent: r.IntN(100), WindowSeconds: r.IntN(600)}
	v.Rails.Cooldown = scale.Cooldown{GrowSeconds: r.IntN(300), ShrinkSeconds: r.IntN(900), MixSeconds: r.IntN(300)}
	m := &v.Memory
	m.GrownAt, m.ShrunkAt = ago(r.IntN(1000)), ago(r.IntN(1000))
	m.Recommendations, m.Capacities = nil, nil
	for at := 3600; at > 0; at -= 1 + r.IntN(900) {
		m.Recommendations = append(m.Recommendations, rec(at, r.IntN(80)))
		m.Capacities = append(m.Capacities, rec(at, r.IntN(80)))
	}
	if r.IntN(5) == 0 {
		m.InFlight = &scale.Capacity{Instances: r.IntN(50)}
	}
	if r.IntN(6) == 0 {
		m.BackOffs = []scale.BackOff{{Class: scale.ClassQuota, Direction: scale.Grow, Until: now.Add(time.Minute)}}
	}
	if r.IntN(4) == 0 {
		v.Signals["queue"] = scale.SignalView{State: []scale.SignalState{"missing", "stale", "partial", ""}[r.IntN(4)]}
	}
	order := func() *scale.Order {
		if r.IntN(6) > 0 {
			return nil
		}
		return &scale.Order{Instances: r.IntN(200) - 20, Until: now.Add(time.Duration(r.IntN(3)-1) * time.Minute)}
	}
	v.Orders = scale.Orders{Freeze: order(), PauseGrow: order(), PauseShrink: order(), Pin: order()}
	v.Frozen = r.IntN(20) == 0
	p := wants(r.IntN(300) - 50)
	p.Known = r.IntN(8) > 0
	p.Doubt = r.IntN(5) == 0
	if r.IntN(10) == 0 {
		p.Fault = "broken"
	}
	if r.IntN(3) == 0 {
		v.Facts.Spot, v.Facts.Mix = true, &scale.Mix{Base: r.IntN(5), RegularPercent: r.IntN(101)}
		p.Blend = &scale.Blend{Mix: scale.Mix{Base: r.IntN(5), RegularPercent: r.IntN(120)}, Rounding: scale.RegularUp}
	}
	switch r.IntN(4) {
	case 0:
		v.Rails.Shrink.Order = []scale.Preference{scale.PreferOldest}
		fallthrough
	case 1:
		// Also without an order: a view may be told what it is not, and names are then of no use.
		v.Facts.Victims = &scale.Victims{}
		for i := range r.IntN(12) {
			v.Facts.Victims.Names = append(v.Facts.Victims.Names, fmt.Sprint("m", i))
		}
	}
	return v, p
}

func FuzzDecide(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		v, p := draw(seed)
		untouched, _ := draw(seed)
		d := guard.Decide(v, p)
		if !cmp.Equal(untouched, v) {
			t.Fatalf("deciding changed the view:\n%s", cmp.Diff(untouched, v))
		}
		if again := guard.Decide(v, p); !cmp.Equal(d, again) {
			t.Fatalf("deciding again on the same view differs:\n%s", cmp.Diff(d, again))
		}
		to, from := d.To.Instances, d.From.Instances
		if d.Action == scale.Hold {
			if to != from || d.Act {
				t.Fatalf("a hold moves from %d to %d, act %t", from, to, d.Act)
			}
			return
		}
		l := v.Rails.Limits
		// Where too few machines may go, a set beyond its limits comes nearer to them.
		nearer := len(d.Victims) > 0 && to < from && to >= l.Min
		if to != from && !nearer && (to < l.Min || to > l.Max || (v.Facts.PlatformMax > 0 && to > v.Facts.PlatformMax)) {
			t.Errorf("%d leaves [%d, %d] or the platform's %d", to, l.Min, l.Max, v.Facts.PlatformMax)
		}
		if v.Frozen || v.Orders.Freeze.Holds(v.Now) || v.Memory.InFlight != nil {
			t.Errorf("%s although frozen or in flight", d.Action)
		}
		if n := len(d.Victims); n > 0 && n != from-to || n == 0 && to < from && len(v.Rails.Shrink.Order) > 0 && v.Facts.Victims != nil {
			t.Errorf("from %d to %d by deleting %v", from, to, d.Victims)
		}
		if p.Fault != "" && !v.Orders.Pin.Holds(v.Now) {
			t.Error("acts on a policy at fault")
		}
		if to < from && !v.Orders.Pin.Holds(v.Now) {
			if p.Doubt {
				t.Error("shrinks in doubt")
			}
			for name, s := range v.Signals {
				if s.State != scale.SignalFresh {
					t.Errorf("shrinks while %s is %q", name, s.State)
				}
			}
			if !v.Memory.GrownAt.IsZero() && v.Now.Sub(v.Memory.GrownAt) < time.Duration(v.Rails.Cooldown.ShrinkSeconds)*time.Second {
				t.Error("shrinks within its cooldown")
			}
		}
		settles(t, v, p, d)
	})
}

// settles checks that a decision carried out is not followed by another at the same instant.
func settles(t *testing.T, v *scale.View, p *scale.Proposal, d scale.Decision) {
	t.Helper()
	after := *v
	after.Facts.Capacity, after.Facts.Mix = d.To.Instances, d.To.Mix
	after.Memory.Recommendations, after.Memory.Capacities = d.Recommendations, d.Capacities
	if len(d.Victims) > 0 {
		// They have gone, and nobody has chosen others yet.
		after.Facts.Victims = &scale.Victims{}
	}
	switch d.Direction {
	case scale.Grow:
		after.Memory.GrownAt = v.Now
	case scale.Shrink:
		after.Memory.ShrunkAt = v.Now
	}
	again := guard.Decide(&after, p)
	if again.To.Instances != d.To.Instances && d.To.Instances != d.From.Instances {
		t.Errorf("decided %d to %d and then, at the same instant, %d (%s)",
			d.From.Instances, d.To.Instances, again.To.Instances, again.Reason)
	}
}

// FuzzMoreLoad: with everything else equal, a policy that wants more is never given less.
func FuzzMoreLoad(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, uint8(seed%50))
	}
	f.Fuzz(func(t *testing.T, seed uint64, more uint8) {
		v, p := draw(seed)
		less := guard.Decide(v, p).To.Instances
		q := *p
		q.Instances += int(more)
		if got := guard.Decide(v, &q).To.Instances; got < less {
			t.Errorf("wanting %d gives %d, wanting %d gives only %d", p.Instances, less, q.Instances, got)
		}
	})
}
