package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// machines are the names of the machines that there are. Which of them goes matters to a deletion by name alone; all else
// counts, and takes the newest or makes new ones.
func (s *set) machines() []string {
	for len(s.names) < s.live {
		s.named++
		s.names = append(s.names, fmt.Sprintf("%s_%d", s.id[strings.LastIndexByte(s.id, '/')+1:], s.named))
	}
	s.names = s.names[:s.live]
	return s.names
}

// remove takes machines away by name, and lowers the count by as many; those that have gone are none (facts: VMSS 1.1).
func (s *set) remove(names []string, ours *change) *operation {
	there := s.machines()
	s.names = slices.DeleteFunc(slices.Clone(there), func(name string) bool { return slices.Contains(names, name) })
	off := len(s.off)
	s.off = slices.DeleteFunc(s.off, func(name string) bool { return slices.Contains(names, name) })
	gone := len(there) - len(s.names)
	s.live -= gone
	if s.powered {
		idle := len(s.stopped) + len(s.failed)
		named := func(name string) bool { return slices.Contains(names, name) }
		s.stopped = slices.DeleteFunc(slices.Clone(s.stopped), named)
		s.failed = slices.DeleteFunc(slices.Clone(s.failed), named)
		gone += idle - len(s.stopped) - len(s.failed)
	}
	s.capacity = max(0, s.capacity-gone-(off-len(s.off)))
	return s.write(nil, nil, ours, power{})
}

// byName reports whether a change names machines.
func byName(c *scale.Change) bool { return len(c.Delete)+len(c.Deallocate)+len(c.Start) > 0 }

// park deallocates machines by name; the count stays.
func (s *set) park(names []string, ours *change) *operation {
	there := s.machines()
	s.names = nil
	for _, name := range there {
		if slices.Contains(names, name) {
			s.off = append(s.off, name)
		} else {
			s.names = append(s.names, name)
		}
	}
	s.live = len(s.names)
	return s.write(nil, nil, ours, power{parks: names})
}

// wake begins to start machines that are off; those that are not off it leaves as they are.
func (s *set) wake(names []string, ours *change) *operation {
	var wakes []string
	for _, name := range names {
		if slices.Contains(s.off, name) || slices.Contains(s.stopped, name) {
			wakes = append(wakes, name)
		}
	}
	return s.write(nil, nil, ours, power{wakes: wakes})
}

// make brings machines in, by the difference of two counts, and those that were started. A count that falls below what
// runs takes those that are off too.
func (s *set) make(n int, wakes []string) {
	s.machines()
	for _, name := range wakes {
		if i := slices.Index(s.off, name); i >= 0 {
			s.off, s.names, s.live = slices.Delete(s.off, i, i+1), append(s.names, name), s.live+1
		} else if i := slices.Index(s.stopped, name); i >= 0 {
			// One that was evicted soon after it was started is still known as parked.
			s.stopped, s.names, s.live = slices.Delete(slices.Clone(s.stopped), i, i+1), append(s.names, name), s.live+1
		}
	}
	if s.powered {
		// The newest operation brings the set to its model, whatever those before it left undone (facts: VMSS 1.4).
		n = min(max(n, 0), s.lacks())
	}
	if s.live += n; s.live < 0 {
		n, s.live = -s.live, 0
		for _, list := range []*[]string{&s.off, &s.stopped, &s.failed} {
			k := min(n, len(*list))
			*list, n = (*list)[:len(*list)-k], n-k
		}
	}
}

// each lists the machines for a count.
func (s *set) each(live *scale.Live) {
	waking := func(name string) bool {
		return s.current != nil && !s.current.done && slices.Contains(s.current.wakes, name)
	}
	stopping := func(name string) bool {
		return s.powered && s.current != nil && !s.current.done && slices.Contains(s.current.parks, name)
	}
	live.Deallocated = min(s.evicted, max(0, s.capacity-s.live-len(s.off)))
	s.idle(live)
	for _, name := range s.machines() {
		live.Each = append(live.Each, scale.Machine{Name: name, Spot: s.spot, There: true})
	}
	for _, name := range s.off {
		if s.powered && s.moves && waking(name) {
			// It comes up.
			count, pending := &live.Regular, &live.PendingRegular
			if s.spot {
				count, pending = &live.Spot, &live.PendingSpot
			}
			*count, *pending, live.Instances = *count+1, *pending+1, live.Instances+1
			live.Each = append(live.Each, scale.Machine{Name: name, Spot: s.spot, There: true, Busy: true})
			continue
		}
		live.Deallocated++
		live.Each = append(live.Each, scale.Machine{Name: name, Spot: s.spot, Off: true, Busy: waking(name) || stopping(name)})
	}
}

// Choose names machines that are to go: those that are there the longest.
func (f countingFleet) Choose(ctx context.Context, id string, _ scale.Facts, n int, _ []scale.Preference) ([]string, error) {
	t, w, s := taskOf(ctx), f.w, f.w.sets[id]
	got, err := t.cross(ctx, "arm choose "+id, func() (any, error) {
		if r, hit := w.fault(faultChoose); hit {
			return nil, fleetError("count", scale.ClassThrottled, 429, "TooManyRequests", span(r, 5*time.Second, 20*time.Minute))
		}
		all := s.machines()
		return slices.Clone(all[:min(n, len(all))]), nil
	})
	if err != nil {
		return nil, err
	}
	t.turn.chosen = got.([]string)
	return t.turn.chosen, nil
}

// checkDeletion looks at a deletion by name before it goes out. It carries no ETag (facts: VMSS 1.1): what stands for it is
// that the names are those of the stored intent, chosen in the turn that decided on what it had read (invariants 1, 2).
func (w *world) checkDeletion(t *task, p *pool, in *scale.Intent, c *scale.Change) {
	if c.ETag != "" || c.Capacity != nil || c.Mix != nil {
		w.broken(2, "%s deletes machines of %s and changes more", t.name, p.Name)
	}
	if in.Verb != "" || in.Direction == scale.Clean {
		w.checkPower(t, p, in, c)
		return
	}
	if in.Direction != scale.Shrink || !slices.Equal(c.Delete, in.Victims) || len(c.Delete) != in.From.Instances-in.To.Instances {
		w.broken(10, "%s deletes %v of %s and intends %v", t.name, c.Delete, p.Name, in.Victims)
	}
	if _, ok := t.turn.reads[p.ScaleSet+in.BaselineETag]; !ok {
		w.broken(1, "%s deletes machines of %s on %s, which it did not read in this turn", t.name, p.Name, in.BaselineETag)
	}
	for i, name := range c.Delete {
		if !slices.Contains(t.turn.chosen, name) || slices.Contains(c.Delete[:i], name) {
			w.broken(1, "%s deletes %s of %s, which was not chosen in this turn, or twice", t.name, name, p.Name)
		}
	}
}

// checkDeleted looks at a deletion of ours as it takes effect. Without a stranger's write since the read, which only an ETag
// could tell, the count keeps its limits (invariant 3).
func (w *world) checkDeleted(s *set, p *pool, ours *change, c *scale.Change) {
	w.result.Counts.Deletions++
	gone := 0
	for _, name := range s.machines() {
		if slices.Contains(c.Delete, name) {
			gone++
		}
	}
	// Too few to choose from may leave a set that is too large too large.
	if least, to := p.Rails.Limits.Min, ours.To.Instances; to < least {
		w.broken(3, "%s means to have %d machines, fewer than %d", p.Name, to, least)
	}
	if s.etag() == ours.BaselineETag && s.capacity-gone < ours.Capacity() {
		w.broken(3, "%s falls to %d by a deletion that means %d", p.Name, s.capacity-gone, ours.Capacity())
	}
}

// checkPower looks at machines that are parked, started, or deleted because they are in the way: they are those of the stored
// intent, as many as it says, chosen in this turn where they run, and remembered as parked where they are off (invariants 1,
// 10).
func (w *world) checkPower(t *task, p *pool, in *scale.Intent, c *scale.Change) {
	names, moved := c.Delete, 0
	switch in.Verb {
	case scale.Deallocate:
		names, moved = c.Deallocate, -len(c.Deallocate)
	case scale.Start:
		names, moved = c.Start, len(c.Start)
	}
	if len(c.Delete)+len(c.Deallocate)+len(c.Start) != len(names) || !slices.Equal(names, in.Victims) || in.To.Instances-in.From.Instances != moved {
		w.broken(10, "%s sends %+v for %s and intends to %s %v", t.name, *c, p.Name, in.Verb, in.Victims)
	}
	if _, ok := t.turn.reads[p.ScaleSet+in.BaselineETag]; !ok {
		w.broken(1, "%s names machines of %s on %s, which it did not read in this turn", t.name, p.Name, in.BaselineETag)
	}
	for i, name := range names {
		known := slices.ContainsFunc(p.control.Memory.Parked, func(one scale.Parked) bool { return one.Name == name })
		known = known || in.Direction == scale.Clean // judged as it takes effect
		if !known || in.Verb == scale.Deallocate && !slices.Contains(t.turn.chosen, name) || slices.Contains(names[:i], name) {
			w.broken(1, "%s names %s of %s, which it does not know as parked, did not choose, or names twice", t.name, name, p.Name)
		}
	}
}

// checkPowered looks at a change of power of ours as it takes effect (invariant 3).
func (w *world) checkPowered(s *set, p *pool, ours *change) {
	w.result.Counts.Powered++
	if ours.Direction == scale.Clean {
		w.checkCleaned(s, p, ours)
	}
	if l, to := p.Rails.Limits, ours.To.Instances; ours.Verb == scale.Start && to > l.Max || ours.Verb == scale.Deallocate && to < l.Min {
		w.broken(3, "%s means to have %d machines, outside [%d, %d]", p.Name, to, l.Min, l.Max)
	}
}
