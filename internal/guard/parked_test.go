package guard_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

// herd is a set's machines as they are, beside a view that was made of them.
type herd struct {
	each []scale.Machine
	// dead are those that each read for a while has shown to serve nobody, started those that run though the list shows them
	// off.
	dead, started map[string]bool
}

// named finds a machine.
func (h *herd) named(name string) *scale.Machine {
	i := slices.IndexFunc(h.each, func(m scale.Machine) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &h.each[i]
}

// runs counts the machines that run.
func (h *herd) runs() (n int) {
	for _, m := range h.each {
		if m.There {
			n++
		}
	}
	return n
}

// drawHerd makes an arbitrary view of machines one by one: some parked, some dead for long or in this read only, some
// protected, some in the hands of an operation.
func drawHerd(seed uint64) (*scale.View, *scale.Proposal, *herd) {
	v, p := draw(seed)
	r := rand.New(rand.NewPCG(seed, 2))
	h := &herd{dead: map[string]bool{}, started: map[string]bool{}}
	m := &v.Memory
	m.Dead = map[string]time.Time{}
	v.Facts.ReadAt, v.Facts.PlatformMax, m.BackOffs, v.Facts.Victims = ago(r.IntN(20)), 1000, nil, nil
	v.Orchestration = []scale.Orchestration{scale.Flexible, scale.Uniform}[r.IntN(2)]
	v.Facts.Orchestration = v.Orchestration
	v.Mode = []scale.Mode{scale.Enforce, scale.Enforce, scale.Enforce, scale.Observe}[r.IntN(4)]
	if r.IntN(2) == 0 {
		for name := range v.Signals {
			v.Signals[name] = scale.SignalView{State: scale.SignalFresh, HasValue: true}
		}
		p.Doubt, p.Known, p.Fault = false, true, ""
	}
	lately := r.IntN(2) == 0
	for i := range 1 + r.IntN(40) {
		one := scale.Machine{Name: fmt.Sprint("m", i), Spot: v.Facts.Spot && r.IntN(2) == 0, Protected: r.IntN(5) == 0, Busy: r.IntN(12) == 0}
		switch r.IntN(8) {
		case 0:
			one.Off = true
			p := scale.Parked{Name: one.Name, Spot: one.Spot, Off: r.IntN(4) > 0}
			if !p.Off {
				// It was started, and the list lags.
				p.BelievedUntil, h.started[one.Name] = now.Add(time.Minute), true
			}
			m.Parked = append(m.Parked, p)
		case 1:
			// Somebody has started or protected it since, or it was never parked.
			one.There = true
			p := scale.Parked{Name: one.Name, Spot: one.Spot, Off: true}
			if r.IntN(4) == 0 {
				p.BelievedUntil = now.Add(time.Minute)
			}
			m.Parked = append(m.Parked, p)
		case 2, 3:
			one.Failed, one.Off = true, false
			if one.Spot && r.IntN(2) == 0 {
				one.Failed, one.Off, one.Stopped = false, true, r.IntN(4) == 0
			}
			if !lately || r.IntN(2) == 0 {
				h.dead[one.Name] = true
				m.Dead[one.Name] = ago(30 + r.IntN(300))
			}
		default:
			one.There = true
			if r.IntN(6) == 0 {
				// An earlier read has shown it to be dead.
				m.Dead[one.Name] = ago(300)
			}
		}
		h.each = append(h.each, one)
	}
	l := &scale.Live{ReadAt: v.Facts.ReadAt, Each: h.each}
	for _, one := range h.each {
		switch {
		case one.There:
			l.Instances++
			if one.Spot {
				l.Spot++
			} else {
				l.Regular++
			}
		case one.Off:
			l.Deallocated++
		case one.Failed:
			l.Failed++
		}
	}
	m.Parked = l.Look(m.Parked, nil, v.Now)
	m.Dead = l.Dead(m.Dead, v.Now)
	l.Each = nil
	v.Facts.Live, v.Facts.Capacity = l, len(h.each)+r.IntN(2)*r.IntN(3)
	if off, _ := m.Off(); r.IntN(4) == 0 {
		v.Facts.Capacity = l.Instances + off
	}
	m.Drift = scale.Drifted(nil, v.Facts, nil)
	if d := m.Drift; d != nil {
		d.Sure = []int{d.Seen, d.Seen, r.IntN(d.Seen + 1)}[r.IntN(3)]
	}
	m.CleanedAt = ago(r.IntN(900))
	if r.IntN(2) == 0 {
		p.Blend = nil
	}
	v.Rails.Repair = scale.Repair{Instances: r.IntN(4), Percent: r.IntN(2) * r.IntN(30)}
	v.Rails.Clean = scale.Cleaning{Failed: r.IntN(4) > 0, Evicted: r.IntN(2) == 0}
	if r.IntN(3) == 0 {
		m.BackOffs = []scale.BackOff{{Class: scale.ClassNoCapacityZone, Direction: scale.Starting, Until: now.Add(time.Minute)}}
		v.Rails.Limits.Max = max(v.Rails.Limits.Min, l.Instances+r.IntN(3))
	}
	if r.IntN(2) == 0 {
		v.Rails.Shrink = scale.Selection{Order: []scale.Preference{scale.PreferOldest}, Action: scale.Deallocate}
		v.Facts.Victims = &scale.Victims{}
		for _, one := range h.each {
			if one.There && !one.Protected && len(v.Facts.Victims.Names) < 20 {
				v.Facts.Victims.Names = append(v.Facts.Victims.Names, one.Name)
			}
		}
	}
	switch r.IntN(4) {
	case 0, 1:
		p.Instances = l.Instances
	case 2:
		// A shrink that nothing but its own rails hold.
		p.Instances, v.Rails.Limits.Min, m.ShrunkAt, m.GrownAt = l.Instances-1-r.IntN(6), r.IntN(max(1, l.Instances)), ago(2000), ago(2000)
		m.Recommendations, v.Rails.ShrinkStep = nil, scale.Step{}
		v.Rails.Limits.Max = max(v.Rails.Limits.Max, v.Rails.Limits.Min)
	}
	switch r.IntN(12) {
	case 0:
		v.Facts.Live, v.Facts.LiveProblem = nil, "the second page was not read"
	case 1:
		v.FactsUnread = true
	}
	return v, p, h
}

// cleanable says why a machine may not be deleted at constant number; empty if it may.
func (h *herd) cleanable(v *scale.View, d *scale.Decision, name string) string {
	m := h.named(name)
	parked := slices.ContainsFunc(v.Memory.Parked, func(p scale.Parked) bool { return p.Name == name })
	switch {
	case m == nil:
		return "is none of the set's"
	case m.There || h.started[name]:
		return "runs"
	case m.Protected:
		return "is protected"
	case d.Reason == "makes_room" && !parked:
		return "was not parked"
	case d.Reason == "makes_room":
		return ""
	case m.Busy:
		return "is in the hands of an operation"
	case parked || m.Stopped:
		return "is parked, or was stopped by somebody"
	case m.Failed && !v.Rails.Clean.Failed || m.Off && !v.Rails.Clean.Evicted:
		return "was not asked for"
	case !h.dead[name]:
		return "was seen so once"
	}
	return ""
}

// FuzzMachinesByName holds the rails that name machines to what nobody may do, whatever the view.
func FuzzMachinesByName(f *testing.F) {
	for seed := range uint64(3000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		v, p, h := drawHerd(seed)
		d := guard.Decide(v, p)
		if again := guard.Decide(v, p); !cmp.Equal(d, again) {
			t.Fatalf("deciding again on the same view differs:\n%s", cmp.Diff(d, again))
		}
		if len(d.Victims) == 0 {
			return
		}
		h.allowed(t, v, p, &d)
		switch {
		case d.Direction == scale.Clean:
			h.cleans(t, v, p, &d)
		case d.Verb == scale.Start:
			for _, name := range d.Victims {
				known := slices.ContainsFunc(v.Memory.Parked, func(p scale.Parked) bool { return p.Name == name && p.Off })
				if !known || h.started[name] {
					t.Errorf("starts %s, which is not off", name)
				}
			}
			h.kinds(t, v, p, &d)
			if n := v.Facts.Live.Instances + len(d.Victims); n > v.Rails.Limits.Max {
				t.Errorf("%d machines run after a start, of at most %d", n, v.Rails.Limits.Max)
			}
		case d.Verb == scale.Deallocate:
			if n := h.runs() - len(d.Victims); n < v.Rails.Limits.Min {
				t.Errorf("%d machines run after parking, of at least %d", n, v.Rails.Limits.Min)
			}
			if d.Nominal == nil || *d.Nominal != v.Facts.Capacity {
				t.Errorf("parking changes the nominal count of %d: %v", v.Facts.Capacity, d.Nominal)
			}
		}
	})
}

// allowed checks what holds for whatever is done to machines by name.
func (h *herd) allowed(t *testing.T, v *scale.View, p *scale.Proposal, d *scale.Decision) {
	t.Helper()
	o := v.Orders
	deletes := d.Verb != scale.Start
	switch {
	case v.Mode == scale.Observe && d.Act:
		t.Error("acts although it observes")
	case v.Frozen || o.Freeze.Holds(v.Now) || v.Memory.InFlight != nil || v.FactsUnread:
		t.Error("frozen, in flight or unread")
	case v.Facts.LiveProblem != "" || v.Facts.Live == nil:
		t.Error("names machines that were not listed")
	case deletes && o.PauseShrink.Holds(v.Now):
		t.Errorf("%s although shrinking is paused", d.Direction)
	case !deletes && o.PauseGrow.Holds(v.Now):
		t.Error("starts although growing is paused")
	case len(slices.Compact(slices.Sorted(slices.Values(d.Victims)))) != len(d.Victims):
		t.Errorf("names a machine twice: %v", d.Victims)
	}
	doubt := p.Doubt || !p.Known || p.Fault != ""
	for _, s := range v.Signals {
		doubt = doubt || s.State != scale.SignalFresh
	}
	if doubt && deletes && d.Reason != "makes_room" && !o.Pin.Holds(v.Now) {
		t.Errorf("%s in doubt", d.Direction)
	}
}

// kinds checks that a start brings no more of either kind back than the set's mix makes of the growth.
func (h *herd) kinds(t *testing.T, v *scale.View, p *scale.Proposal, d *scale.Decision) {
	t.Helper()
	l := v.Facts.Live
	if v.Facts.Mix == nil || p.Blend != nil || l.Instances != d.From.Instances {
		return
	}
	regular, spot := v.Facts.Mix.Change(l.Regular, l.Spot, max(d.Aim, d.To.Instances)-l.Instances)
	for _, name := range d.Victims {
		if h.named(name).Spot {
			spot--
		} else {
			regular--
		}
	}
	if regular < l.Regular || spot < l.Spot {
		t.Errorf("of a growth from %d regular and %d Spot to %d starts too many of a kind: %v", l.Regular, l.Spot, max(d.Aim, d.To.Instances), d.Victims)
	}
}

// cleans checks a deletion at constant number, and that it is not decided on again once it is done.
func (h *herd) cleans(t *testing.T, v *scale.View, p *scale.Proposal, d *scale.Decision) {
	t.Helper()
	for _, name := range d.Victims {
		if why := h.cleanable(v, d, name); why != "" {
			t.Errorf("%s deletes %s, which %s", d.Reason, name, why)
		}
	}
	budget := max(v.Rails.Repair.Instances, v.Rails.Repair.Percent*d.From.Instances/100, 1)
	if n := len(d.Victims); d.Reason == "clean" && (n > budget || v.Rails.Repair == (scale.Repair{})) || d.To.Instances != d.From.Instances {
		t.Errorf("deletes %d of a budget of %d, from %d to %d", n, budget, d.From.Instances, d.To.Instances)
	}
	if d.Nominal == nil || *d.Nominal != v.Facts.Capacity-len(d.Victims) {
		t.Errorf("deletes %d of a nominal %d and means %v", len(d.Victims), v.Facts.Capacity, d.Nominal)
	}
	n := len(d.Victims)
	after := *v
	live := *v.Facts.Live
	after.Facts.Live, after.Memory.CleanedAt, after.Facts.Capacity = &live, v.Now, *d.Nominal
	gone := func(name string) bool { return slices.Contains(d.Victims, name) }
	live.FailedNames = slices.DeleteFunc(slices.Clone(live.FailedNames), gone)
	live.EvictedNames = slices.DeleteFunc(slices.Clone(live.EvictedNames), gone)
	after.Memory.Parked = slices.DeleteFunc(slices.Clone(v.Memory.Parked), func(p scale.Parked) bool { return gone(p.Name) })
	if d := v.Memory.Drift; d != nil {
		after.Memory.Drift = &scale.Drift{At: d.At, Seen: d.Seen - n, Sure: max(0, d.Sure-n)}
	}
	if d.Reason == "makes_room" {
		live.Parked -= len(d.Victims)
		after.Memory.Drift = v.Memory.Drift
	}
	again := guard.Decide(&after, p)
	if d.Reason == "clean" && again.Direction == scale.Clean && again.Reason == "clean" && v.Rails.Cooldown.MixSeconds > 0 {
		t.Errorf("deletes %v and at the same instant %v", d.Victims, again.Victims)
	}
	for _, name := range again.Victims {
		if gone(name) {
			t.Errorf("names %s, which is gone", name)
		}
	}
}

// TestTheDrawnMachinesReachEachRail: a property that nothing reaches proves nothing.
func TestTheDrawnMachinesReachEachRail(t *testing.T) {
	reached := map[string]int{}
	for seed := range uint64(3000) {
		v, p, _ := drawHerd(seed)
		d := guard.Decide(v, p)
		if d.Direction == scale.Clean {
			reached[d.Reason]++
		} else if len(d.Victims) > 0 {
			reached[string(d.Verb)]++
		}
	}
	for _, what := range []string{"clean", "makes_room", string(scale.Start), string(scale.Deallocate)} {
		if reached[what] < 20 {
			t.Errorf("%s is reached %d times of 3000", what, reached[what])
		}
	}
}
