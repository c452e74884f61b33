package engine

import (
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// NoticeCounts say what became of notices. Heeded, Echoes, Retold and Old add up to the notices that concerned a pool.
type NoticeCounts struct {
	// Heeded told something new, and the pool was evaluated for it.
	Heeded int
	// Echoes are records of this program's own changes.
	Echoes int
	// Retold told nothing new; Old told of what happened more than a day ago, or changed nothing.
	Retold, Old int
}

func (c *NoticeCounts) add(o NoticeCounts) {
	c.Heeded += o.Heeded
	c.Echoes += o.Echoes
	c.Retold += o.Retold
	c.Old += o.Old
}

const (
	vmssSegment = "/virtualmachinescalesets/"
	vmSegment   = "/virtualmachines/"
	// echoBefore and echoAfter bound the time around a change of our own in which a write by nobody known counts as it.
	echoBefore, echoAfter = time.Minute, 5 * time.Minute
)

// fleet is what machines and senders' names are told by: the sets of the pools, by ID, and the IDs by their last names.
type fleet struct {
	sets  map[string][]*pool
	named map[string]string
}

func fleetOf(pools []*pool) fleet {
	f := fleet{sets: make(map[string][]*pool), named: make(map[string]string)}
	for _, p := range pools {
		for _, id := range setsOf(p.Pool) {
			name := id[strings.LastIndexByte(id, '/')+1:]
			if other, ok := f.named[name]; ok && other != id {
				f.named[name] = "" // two sets of one name: the name alone tells neither
			} else {
				f.named[name] = id
			}
			f.sets[id] = append(f.sets[id], p)
		}
	}
	return f
}

// setsOf are the scale sets of a pool, by their IDs in small letters.
func setsOf(p *scale.Pool) []string {
	all := []string{strings.ToLower(strings.TrimRight(p.ScaleSet, "/"))}
	if p.SpotScaleSet != "" {
		all = append(all, strings.ToLower(strings.TrimRight(p.SpotScaleSet, "/")))
	}
	return all
}

// name gives a sample whose sender knows its scale set by a tag with the set's mere name the set's ID.
func (f *fleet) name(s *scale.Sample) {
	if len(s.Resource) > 0 && s.Resource[0] != '/' {
		if id := f.named[s.Resource]; id != "" {
			s.Resource = id
		}
	}
}

// machineOf is the name of the machine that a resource is, the set's own name if it is a set. An instance of a Uniform
// set is called SET_ID, as scheduled events call it (facts: events 1.7).
func machineOf(resource string) string {
	set := ""
	if at := strings.Index(resource, vmssSegment); at >= 0 {
		set, resource, _ = strings.Cut(resource[at+len(vmssSegment):], "/")
		if resource == "" {
			return set
		}
		resource = "/" + resource
	}
	at := strings.Index(resource, vmSegment)
	if at < 0 {
		return set
	}
	name, _, _ := strings.Cut(resource[at+len(vmSegment):], "/")
	if set != "" {
		return set + "_" + name
	}
	return name
}

// sourcesOf are the events that notices came with.
func sourcesOf(notices []scale.Notice) []scale.Source {
	if len(notices) == 0 {
		return nil
	}
	sources := make([]scale.Source, len(notices))
	for i := range notices {
		sources[i] = notices[i].Source
	}
	return sources
}

// heed brings the notices that were not folded before into the pool's memory. What changes machines makes the facts
// outdated, so that the evaluation reads them afresh, and names the evaluation's cause.
func (e *Engine) heed(v *visit, fresh []bool) {
	for i := range v.notices {
		n := &v.notices[i]
		switch {
		case !fresh[i]:
			v.noticed.Retold++
		case v.now.Sub(n.At) > scale.KeepNotices, n.Kind == scale.NoticeWrite && n.Over:
			v.noticed.Old++
		case e.echo(&v.control, n):
			v.noticed.Echoes++
		default:
			e.learn(v, n)
		}
	}
}

// learn remembers one notice.
func (e *Engine) learn(v *visit, n *scale.Notice) {
	m := &v.control.Memory
	at := n.At
	if at.After(v.now) {
		at = v.now
	}
	machines := n.Machines
	if len(machines) == 0 {
		machines = []string{machineOf(n.Resource)}
	}
	news, cause, outdated := false, string(n.Kind), true
	switch n.Kind {
	case scale.NoticeEviction:
		news = n.Over || m.Evict(at, "", machines) > 0
	case scale.NoticeMaintenance, scale.NoticeHealth:
		well := n.Over || n.State == "available"
		if n.Kind == scale.NoticeHealth && !well && !ailing[n.State] {
			// An annotation of something else: worth a look at the facts.
			news = true
			break
		}
		for _, machine := range machines {
			news = m.Ail(scale.Ailment{At: at, Machine: machine, State: n.State}, well) || news
		}
	case scale.NoticeRival, scale.NoticeWrite:
		by := n.By
		if by == "" {
			by = "unknown"
		}
		// A write to a machine says nothing about the set's count.
		ofSet := !strings.Contains(n.Resource, vmSegment)
		news = !ofSet || m.Contend(scale.Rival{At: at, By: by, Action: n.State, From: n.From, To: n.To})
		cause, outdated = string(scale.NoticeRival), n.State != scale.RivalEvaluation
	}
	if !news {
		v.noticed.Retold++
		return
	}
	v.noticed.Heeded++
	v.moved = true
	v.control.FactsOutdated = v.control.FactsOutdated || outdated
	if v.cause == "" || cause == string(scale.NoticeEviction) {
		v.cause = cause
	}
}

// ailing are the states of a machine that is not well (facts: events 1.7).
var ailing = map[string]bool{"unavailable": true, "degraded": true, "unknown": true}

// echo reports whether a notice is of a change of our own: the record names this program's identity, or names nobody
// else that could be told from it and lies around the instant of our own change (facts: events 1.7).
func (e *Engine) echo(c *scale.Control, n *scale.Notice) bool {
	near := func(before, after time.Duration) bool {
		for _, t := range [...]time.Time{c.Memory.GrownAt, c.Memory.ShrunkAt, c.Memory.RemixedAt} {
			if !t.IsZero() && !n.At.Before(t.Add(-before)) && !n.At.After(t.Add(after)) {
				return true
			}
		}
		return false
	}
	switch n.Kind {
	case scale.NoticeWrite:
		if e.Self != nil && n.By != "" {
			if self := e.Self(); len(self) > 0 {
				return slices.ContainsFunc(self, func(id string) bool { return strings.EqualFold(id, n.By) })
			}
		}
		return near(echoBefore, echoAfter)
	case scale.NoticeRival:
		// Autoscale tells of every count that it finds, ours among them.
		intended := c.Memory.Intended
		return n.To != nil && intended != nil && *n.To == intended.Instances && near(echoBefore, 2*echoAfter)
	}
	return false
}
