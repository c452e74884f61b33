package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"trimtab/internal/scale"
)

// unbound is a quota that binds nothing.
const unbound = 10_000

// power is what a write does to machines by name: those that it starts, and those that it stops.
type power struct{ wakes, parks []string }

// drawPower makes pools park machines, or clean away those that serve nobody.
func (w *world) drawPower(r *rand.Rand) {
	for _, p := range w.pools {
		p.Mode = scale.Enforce
		if w.kind == Parked || r.IntN(3) == 0 {
			p.Rails.Shrink = scale.Selection{Order: []scale.Preference{scale.PreferOldest}, Action: scale.Deallocate}
		}
		if w.kind == Clean || r.IntN(3) == 0 {
			p.Rails.Clean = scale.Cleaning{Failed: r.IntN(4) > 0, Evicted: r.IntN(2) == 0}
			p.Rails.Repair = scale.Repair{Instances: 1 + r.IntN(3), Percent: 5 * r.IntN(3)}
		}
	}
}

// addPower gives the sets machines that have names throughout, and some a quota.
func (w *world) addPower(r *rand.Rand) {
	for _, p := range w.pools {
		s := w.sets[p.ScaleSet]
		s.powered, s.quota, s.started = true, unbound, make(map[string]time.Time)
		s.platformMax = max(s.platformMax, s.capacity)
		s.mix = nil // which of a mix are Spot nobody would know
		if w.kind == Parked && r.IntN(3) == 0 {
			s.quota = max(1, s.capacity-2+r.IntN(p.Rails.Limits.Max))
		}
	}
}

// taken is how many machines Azure counts against the quota: a deallocated regular machine takes nothing of it, a Spot one
// what it took (facts: VMSS 2.2).
func (s *set) taken() int {
	off := len(s.off) + len(s.stopped)
	if s.spot {
		off = 0
	}
	return max(s.capacity-off, s.live)
}

// meddle is what befalls single machines: people start, stop and delete them, and some fail.
func (w *world) meddle() {
	for _, p := range w.pools {
		s := w.sets[p.ScaleSet]
		if !s.powered {
			continue
		}
		if r, hit := w.fault(faultStarts); hit {
			from := &s.off
			if len(s.off) == 0 || r.IntN(4) == 0 {
				from = &s.stopped
			}
			if name := s.pick(r, from); name != "" {
				s.run(name)
				s.started[name], s.meddled = w.now, w.now
			}
		}
		if r, hit := w.fault(faultDeletes); hit && s.pick(r, &s.off) != "" && s.lowers {
			s.capacity--
			s.generation++
		}
		if r, hit := w.fault(faultStops); hit {
			s.down(r, 1, &s.stopped)
		}
		if r, hit := w.fault(faultBreaks); hit {
			s.down(r, 1+r.IntN(3), &s.failed)
		}
	}
}

// stands reports whether some machine of an intent is in truth as it means it to be.
func (s *set) stands(in *scale.Intent) bool {
	return slices.ContainsFunc(in.Victims, func(name string) bool {
		// One that has failed is as good as stopped.
		return slices.Contains(s.machines(), name) == (in.Verb == scale.Start)
	})
}

// pick takes one of the machines of a list out of it, "" where there is none.
func (s *set) pick(r *rand.Rand, from *[]string) string {
	if len(*from) == 0 {
		return ""
	}
	i := r.IntN(len(*from))
	name := (*from)[i]
	*from = slices.Delete(slices.Clone(*from), i, i+1)
	return name
}

// run brings a machine among those that run.
func (s *set) run(name string) {
	s.machines()
	s.names, s.live = append(slices.Clone(s.names), name), s.live+1
}

// down takes machines that run, any of them, and brings them where to says; nowhere for nil.
func (s *set) down(r *rand.Rand, n int, to *[]string) {
	s.machines()
	for range min(n, s.live) {
		name := s.pick(r, &s.names)
		s.live--
		if to != nil {
			*to, s.meddled = append(slices.Clone(*to), name), s.w.now
		}
	}
}

// back brings machines that an operation should have stopped, and did not, among those that run again.
func (s *set) back(names []string) {
	for _, name := range names {
		if i := slices.Index(s.off, name); i >= 0 {
			s.off = slices.Delete(slices.Clone(s.off), i, i+1)
			s.run(name)
		}
	}
}

// settle makes all machines be there that the nominal count says, where nobody counts them; else those beyond it go.
func (s *set) settle() {
	if !s.powered {
		s.live = max(0, s.capacity-len(s.off))
	} else if s.lacks() < 0 {
		s.make(0, nil)
	}
}

// lacks is how many machines fewer the set holds than its nominal count says, those that serve nobody among them.
func (s *set) lacks() int {
	return s.capacity - s.live - len(s.off) - len(s.stopped) - len(s.failed)
}

// wreck leaves machines behind that an operation could not make.
func (s *set) wreck(n int) {
	for range min(n, max(0, s.lacks())) {
		s.named++
		s.failed = append(s.failed, fmt.Sprintf("%s_x%d", s.id[len(s.id)-5:], s.named))
	}
}

// idle lists the machines that hold their place and serve nobody.
func (s *set) idle(live *scale.Live) {
	for _, name := range s.stopped {
		live.Deallocated++
		live.Each = append(live.Each, scale.Machine{Name: name, Spot: s.spot, Off: true})
	}
	for _, name := range s.failed {
		live.Failed++
		live.Each = append(live.Each, scale.Machine{Name: name, Spot: s.spot, Failed: true})
	}
}

// checkCleaned looks at machines that are cleaned away as they go: none of them runs, unless somebody has started it since,
// and each is of a kind that the pool wants gone, or parked and in the way (invariant 1).
func (w *world) checkCleaned(s *set, p *pool, ours *change) {
	w.result.Counts.Cleaned++
	for _, name := range ours.Victims {
		parked := slices.ContainsFunc(p.control.Memory.Parked, func(one scale.Parked) bool { return one.Name == name })
		switch {
		case slices.Contains(s.machines(), name) && !s.started[name].After(ours.StartedAt):
			w.broken(1, "%s cleans %s of %s away, which runs", ours.Entry, name, p.Name)
		case slices.Contains(s.failed, name) && !p.Rails.Clean.Failed && !parked:
			w.broken(1, "%s cleans %s of %s away, which failed and is to stay", ours.Entry, name, p.Name)
		case slices.Contains(s.stopped, name) && !(p.Rails.Clean.Evicted && s.spot) && !parked:
			w.broken(1, "%s cleans %s of %s away, which is off and is to stay", ours.Entry, name, p.Name)
		}
	}
}

// checkCrowd looks at a growth of the count beside parked machines: they hold their place in the limit (invariant 3).
func (w *world) checkCrowd(s *set, p *pool, ours *change, n int) {
	if !s.powered || n <= s.capacity || s.meddled.After(ours.StartedAt) || s.current != nil && !s.current.done {
		return
	}
	if all := s.live + len(s.off) + n - s.capacity; s.live+len(s.off) <= p.Rails.Limits.Max && all > p.Rails.Limits.Max {
		w.broken(3, "%s is set to %d, which makes %d with %d parked: more than %d", p.Name, n, all, len(s.off), p.Rails.Limits.Max)
	}
}

// uncleaned says what should have been cleaned away, "" where nothing is left of it.
func (w *world) uncleaned(p *pool, s *set) string {
	if pr := &p.last.Proposal; !s.powered || p.Rails.Repair == (scale.Repair{}) || w.ordered() || pr.Doubt || !pr.Known || s.live == 0 {
		// What is not known, as that of a set without machines, agrees to no deletion.
		return ""
	}
	if p.Rails.Clean.Failed && len(s.failed) > 0 || p.Rails.Clean.Evicted && s.spot && len(s.stopped) > 0 {
		return fmt.Sprintf("%s still holds %v and %v; last it did %s because of %s: %+v, seen %t, drift %+v", p.Name, s.failed, s.stopped,
			p.last.Decision.Action, p.last.Decision.Reason, p.last.Decision.Adjustments, p.last.View.Facts.Live != nil, p.last.View.Memory.Drift)
	}
	return ""
}

// blocked reports whether the nominal count has reached the platform's limit: what holds its place there, be it that no
// machine at all stands for it, takes it from a growth.
func (s *set) blocked() bool { return s.powered && s.capacity >= s.platformMax }
