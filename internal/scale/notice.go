package scale

import (
	"slices"
	"time"
)

// NoticeKind says what an event tells of that measured nothing.
type NoticeKind string

// The kinds of notices (facts: events 1.4, 1.7).
const (
	// NoticeEviction: Spot machines are about to go, or have gone.
	NoticeEviction NoticeKind = "eviction"
	// NoticeMaintenance: the platform is about to freeze, reboot, redeploy or end machines.
	NoticeMaintenance NoticeKind = "maintenance"
	// NoticeHealth: a machine's availability has changed.
	NoticeHealth NoticeKind = "health"
	// NoticeRival: Azure's own autoscale has evaluated or changed the set.
	NoticeRival NoticeKind = "rival"
	// NoticeWrite: somebody, perhaps this program, has changed the set or its machines.
	NoticeWrite NoticeKind = "write"
)

// Notice is what an event says about machines, rivals and writers. It is no measurement and enters no window.
type Notice struct {
	Kind NoticeKind
	// Resource is the ARM resource ID of a scale set or a machine, lower-cased and without a trailing slash.
	Resource string
	// At is when it happened, as the sender says.
	At time.Time
	// ID is the sender's name for what happened: what comes again under the same ID, kind and resource is the same.
	ID string
	// Machines are the names of the machines concerned, lower-cased; empty if the resource is the machine, or all of it.
	Machines []string
	// State is the new state in the sender's word, lower-cased: preempt, freeze, available, unavailable, scaleup, write, ….
	State string
	// Over says that what was announced has come to its end or was called off.
	Over bool
	// By is who did it, lower-cased: the ID of an application or else of a principal, or a name of Azure's; empty if the event does not say.
	By string
	// From and To are the counts before and after, nil where they are not told.
	From, To *int
	Source   Source
}

// Eviction is an eviction of Spot machines that was told of: as many as were told of in the same minute and zone.
type Eviction struct {
	At        time.Time `json:"at"`
	Instances int       `json:"instances"`
	// Zone is the availability zone, empty where it was not told.
	Zone string `json:"zone,omitempty"`
	// Machines are their names as long as the same may be told once more, by another kind of event.
	Machines []string `json:"machines,omitempty"`
}

// Ailment is the last that was told of a machine's health, or of a maintenance that it faces.
type Ailment struct {
	At      time.Time `json:"at"`
	Machine string    `json:"machine"`
	// State is the sender's word in small letters: unavailable, degraded, unknown, freeze, reboot, redeploy, terminate.
	State string `json:"state"`
}

// Rival is somebody else who changes the pool's scale set, or Azure's autoscale that watches it.
type Rival struct {
	At time.Time `json:"at"`
	// By is an application ID, or "autoscale".
	By string `json:"by"`
	// Action is what was done, the sender's word in small letters.
	Action string `json:"action"`
	// From and To are the counts before and after, nil where they are not told.
	From *int `json:"from,omitempty"`
	To   *int `json:"to,omitempty"`
}

// RivalEvaluation is the action of a rival that has looked at the set and may do something: of it only the last is kept.
const RivalEvaluation = "evaluation"

// How much of what was told a pool remembers. Names are kept apart for a while only: a preemption comes as a scheduled
// event and as an annotation, minutes apart (facts: events 1.7).
const (
	// KeepNotices is how long, in whole.
	KeepNotices = 24 * time.Hour
	// sameEviction is how far apart two tellings of one eviction may lie; a machine that goes again later has come back.
	sameEviction = 15 * time.Minute
	// KeepNames is how long the names of evicted machines are kept, so that an eviction that is told again, after an
	// outage or from a hub read anew, is not counted twice.
	KeepNames = 6 * time.Hour
	// MaxEvictions, MaxAilments and MaxRivals bound the numbers of each; the newest stay.
	MaxEvictions, MaxAilments, MaxRivals = 64, 64, 16
	// maxEvictedNames bounds the names of all evictions together.
	maxEvictedNames = 1024
)

// Notes are what a pool remembers of notices.
type Notes struct {
	// Evictions, Health and Rivals are oldest first.
	Evictions []Eviction `json:"evictions,omitempty"`
	Health    []Ailment  `json:"health,omitempty"`
	Rivals    []Rival    `json:"rivals,omitempty"`
}

// Evict brings an eviction of machines into the notes and reports whether it told anything new: how many of the machines
// were not known to be evicted. Without names it is one machine.
func (n *Notes) Evict(at time.Time, zone string, machines []string) (news int) {
	at = at.UTC()
	var fresh []string
	for _, name := range machines {
		if !slices.Contains(fresh, name) && !n.evicted(name, at) {
			fresh = append(fresh, name)
		}
	}
	news = len(fresh)
	if len(machines) == 0 {
		news = 1
	}
	if news == 0 {
		return 0
	}
	evictions := slices.Clone(n.Evictions)
	minute := at.Truncate(time.Minute)
	i := slices.IndexFunc(evictions, func(e Eviction) bool { return e.Zone == zone && e.At.Truncate(time.Minute).Equal(minute) })
	if i >= 0 {
		e := &evictions[i]
		e.Instances, e.Machines = e.Instances+news, append(slices.Clone(e.Machines), fresh...)
	} else {
		evictions = append(evictions, Eviction{At: at, Instances: news, Zone: zone, Machines: fresh})
		slices.SortStableFunc(evictions, func(a, b Eviction) int { return a.At.Compare(b.At) })
	}
	n.Evictions = evictions
	return news
}

// evicted reports whether the machine is known to have been evicted about then.
func (n *Notes) evicted(machine string, at time.Time) bool {
	for i := range n.Evictions {
		e := &n.Evictions[i]
		if at.Sub(e.At).Abs() <= sameEviction && slices.Contains(e.Machines, machine) {
			return true
		}
	}
	return false
}

// Ail notes the state of a machine and reports whether that is news. A machine that is well again, or whose maintenance
// is over, is forgotten. What is older than what is known of the machine says nothing.
func (n *Notes) Ail(a Ailment, well bool) (news bool) {
	a.At = a.At.UTC()
	health := slices.Clone(n.Health)
	i := slices.IndexFunc(health, func(h Ailment) bool { return h.Machine == a.Machine })
	if i >= 0 {
		if !a.At.After(health[i].At) || !well && health[i].State == a.State {
			return false
		}
		health = slices.Delete(health, i, i+1)
	} else if well {
		return false
	}
	if !well {
		health = append(health, a)
		slices.SortStableFunc(health, func(a, b Ailment) int { return a.At.Compare(b.At) })
	}
	n.Health = health
	return true
}

// Contend notes a rival's doing and reports whether it is news.
func (n *Notes) Contend(r Rival) (news bool) {
	r.At = r.At.UTC()
	rivals := slices.Clone(n.Rivals)
	i := slices.IndexFunc(rivals, func(o Rival) bool {
		return o.By == r.By && o.Action == r.Action && (o.At.Equal(r.At) || r.Action == RivalEvaluation)
	})
	if i >= 0 && !r.At.After(rivals[i].At) {
		return false
	}
	// An evaluation each minute is news only when there was none lately.
	news = i < 0 || r.At.Sub(rivals[i].At) > time.Hour
	if i >= 0 {
		rivals = slices.Delete(rivals, i, i+1)
	}
	rivals = append(rivals, r)
	slices.SortStableFunc(rivals, func(a, b Rival) int { return a.At.Compare(b.At) })
	n.Rivals = rivals
	return news
}

// Trim drops what is too old or too much, and takes back instants that lie in the future.
func (n *Notes) Trim(now time.Time) {
	now = now.UTC()
	n.Evictions = recent(n.Evictions, now, MaxEvictions, func(e *Eviction) *time.Time { return &e.At })
	n.Health = recent(n.Health, now, MaxAilments, func(a *Ailment) *time.Time { return &a.At })
	n.Rivals = recent(n.Rivals, now, MaxRivals, func(r *Rival) *time.Time { return &r.At })
	names := 0
	for i := len(n.Evictions) - 1; i >= 0; i-- {
		e := &n.Evictions[i]
		if names += len(e.Machines); names > maxEvictedNames || now.Sub(e.At) > KeepNames {
			e.Machines = nil
		}
	}
}

// recent are the newest of a list, at most so many and none older than a day; a copy, for the list may be shared.
func recent[T any](all []T, now time.Time, most int, at func(*T) *time.Time) []T {
	kept := make([]T, 0, min(len(all), most))
	for _, e := range all[max(0, len(all)-most):] {
		if t := at(&e); t.After(now) {
			*t = now
		}
		if now.Sub(*at(&e)) <= KeepNotices {
			kept = append(kept, e)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}
