package scale

import (
	"slices"
	"strings"
	"time"
)

// Verb is what is done to machines by name.
type Verb string

// The verbs. An empty one means Delete.
const (
	// Delete removes machines, and lowers the nominal count by as many.
	Delete Verb = "delete"
	// Deallocate stops machines and gives their cores back. They keep their disks and their place in the nominal count, and
	// in the scale set's instance quota (facts: VMSS 2.2).
	Deallocate Verb = "deallocate"
	// Start brings deallocated machines back.
	Start Verb = "start"
)

// Machine is one machine of a scale set, as a count found it.
type Machine struct {
	Name string
	Spot bool
	// There is true for one that runs or comes up, Off for one that is deallocated or stopped, Failed for one that failed and
	// does not run. One that is leaving is none of them. Stopped, of those that are off, are those that keep their cores.
	There, Off, Failed, Stopped bool
	// Busy is true while an operation on it has not ended.
	Busy      bool
	Protected bool
}

// Parked is a machine that Trimtab has deallocated, or is about to, so that it can be started again. Azure never starts a
// machine by itself that was evicted, so what is off and not among these is not counted on (facts: VMSS 2.2).
type Parked struct {
	Name string `json:"name"`
	Spot bool   `json:"spot,omitempty"`
	// Off is true while it is off, as far as is known: a machine that is named here and runs counts as any other.
	Off bool `json:"off,omitempty"`
	// Protected is true while somebody has put it under protection: nobody deletes it then.
	Protected bool `json:"protected,omitempty"`
	// BelievedUntil is until when Off goes before what a list of machines says: lists lag behind an operation that has ended
	// (facts: VMSS 5.5, row 11).
	BelievedUntil time.Time `json:"believed_until,omitzero"`
}

// namesKept bounds how many machines that serve nobody a view names.
const namesKept = 20

// listsLag is for how long a list of machines may show what was before an operation ended.
const listsLag = 2 * time.Minute

// Off counts the parked machines that are off.
func (m *Memory) Off() (all, spot int) {
	for _, p := range m.Parked {
		if p.Off {
			all++
			if p.Spot {
				spot++
			}
		}
	}
	return all, spot
}

// Look brings what a count found into what is known of parked machines, and the parked ones into the count: they are not
// among those that others deallocated. Machines that have gone, or run without that a change of ours is under way, are
// parked no longer.
func (l *Live) Look(parked []Parked, under *Intent, now time.Time) (kept []Parked) {
	ours := make(map[string]bool, len(parked))
	for _, p := range parked {
		ours[strings.ToLower(p.Name)] = true
	}
	for i := range l.Each {
		m := &l.Each[i]
		switch {
		case m.Busy || m.Protected || m.Name == "" || ours[strings.ToLower(m.Name)]:
		case m.Failed && len(l.FailedNames) < namesKept:
			l.FailedNames = append(l.FailedNames, m.Name)
		case m.Off && m.Spot && !m.Stopped && len(l.EvictedNames) < namesKept:
			l.EvictedNames = append(l.EvictedNames, m.Name)
		}
	}
	found := make(map[string]*Machine, len(l.Each))
	for i := range l.Each {
		if m := &l.Each[i]; m.There || m.Off || m.Failed {
			found[strings.ToLower(m.Name)] = m
		}
	}
	for _, p := range parked {
		m := found[strings.ToLower(p.Name)]
		if m == nil {
			continue
		}
		p.Protected = m.Protected
		if !now.Before(p.BelievedUntil) {
			p.Off = m.Off
		}
		named := under != nil && under.Verb != "" && slices.Contains(under.Victims, p.Name)
		if !p.Off && !m.Off && !named && !now.Before(p.BelievedUntil) {
			continue
		}
		if p.Off {
			l.Parked++
		}
		if m.Off {
			// What is seen off and believed to have started is none that others deallocated either.
			l.Deallocated--
		}
		kept = append(kept, p)
	}
	return kept
}

// deadFor is the least time for which a machine must have been seen to serve nobody, before it is taken for one that does.
const deadFor = driftApart

// Dead brings what a count found into what is known of machines that serve nobody: since when each read has shown it.
func (l *Live) Dead(known map[string]time.Time, now time.Time) map[string]time.Time {
	var dead map[string]time.Time
	for _, names := range [][]string{l.FailedNames, l.EvictedNames} {
		for _, name := range names {
			since, ok := known[name]
			if !ok || since.After(now) {
				since = now
			}
			if dead == nil {
				dead = make(map[string]time.Time)
			}
			dead[name] = since
		}
	}
	return dead
}

// SurelyDead reports whether two reads, some time apart, have shown that a machine serves nobody, and none between them the
// contrary.
func (m *Memory) SurelyDead(name string, now time.Time) bool {
	since, ok := m.Dead[name]
	return ok && now.Sub(since) >= deadFor
}

// Park remembers machines that are about to be parked.
func Park(parked []Parked, names []string, spot func(name string) bool) []Parked {
	kept := slices.DeleteFunc(slices.Clone(parked), func(p Parked) bool { return slices.Contains(names, p.Name) })
	for _, name := range names {
		kept = append(kept, Parked{Name: name, Spot: spot(name)})
	}
	return kept
}

// Settled is what is known of parked machines once a change of them has ended as it was meant to.
func Settled(parked []Parked, in *Intent, now time.Time) []Parked {
	out := slices.Clone(parked)
	for i := range out {
		if slices.Contains(in.Victims, out[i].Name) {
			out[i].Off, out[i].BelievedUntil = in.Verb == Deallocate, now.Add(listsLag)
		}
	}
	return out
}

// Stand says how the machines of an intent are that names them.
func (in *Intent) Stand(each []Machine) (s Standing) {
	for _, name := range in.Victims {
		i := slices.IndexFunc(each, func(m Machine) bool { return strings.EqualFold(m.Name, name) })
		switch {
		case i < 0 || !each[i].There && !each[i].Off && !each[i].Failed:
			s.Gone++
			continue
		case each[i].There == (in.Verb == Start):
			s.Done++
		}
		if each[i].Busy {
			s.Under++
		}
	}
	return s
}

// Standing counts machines that an intent names: those that are as it means them to be, those that have gone, which are as
// good as any can be, and those on which an operation goes on.
type Standing struct{ Done, Gone, Under int }
