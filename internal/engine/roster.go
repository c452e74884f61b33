package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

const (
	// rosterAge is how old what was read of a roster may be when a machine turns up that none has.
	rosterAge = 5 * time.Minute
	// rosterRepeats is how often a list that has not changed is stored again, for its age.
	rosterRepeats = 10 * time.Minute
	// rosterKeeps is how long a machine that has gone still counts as its set's: what it said before it went comes late
	// (facts: events 4).
	rosterKeeps = 2 * time.Hour
	// listLag is how long after it first spoke a machine may be missing from a list of its set's.
	listLag = 2 * time.Minute
	// maxStrangers and maxHeard bound what is remembered of machines that no list has.
	maxStrangers, maxHeard = 256, 4096
	// maxLeft bounds the machines that have gone, or the row of a set that is replaced over and over would outgrow the table.
	maxLeft = 3072
)

// list is which machines a Flexible scale set has, by their names in small letters, as Resource Manager last listed them.
// It lies in a row of the pool's own, so that a process that folds and asks Resource Manager nothing knows it too.
type list struct {
	Version  int       `json:"version"`
	ListedAt time.Time `json:"listed_at"`
	Machines []string  `json:"machines,omitempty"`
	// Left are those that an earlier list had, and when one first had them no more.
	Left map[string]time.Time `json:"left,omitempty"`
	// Strangers are called as the set's machines are, and are none of them.
	Strangers []string `json:"strangers,omitempty"`
}

// roster is a list as this process knows it.
type roster struct {
	pool *pool
	list
	// row is the list that was read last, version its row's, readAt when it was looked at.
	row     list
	version string
	readAt  time.Time
}

// known reports whether the machines were ever listed.
func (s *roster) known() bool { return !s.ListedAt.IsZero() }

// rosters are those of one resource group. The machines of a Flexible set lie in the group of their set.
type rosters struct {
	mu   sync.Mutex
	sets map[string]*roster
	// home is the set of a machine that is on a list, or was.
	home map[string]string
	// heard is when machines that no list has were first known to be there.
	heard map[string]time.Time
	// reading keeps this process from reading the same rows twice at once.
	reading sync.Mutex
}

// standing is what a machine is to a set.
type standing int

const (
	// nobodys is an ordinary machine, or none at all.
	nobodys standing = iota
	// listed is the set itself, an instance of a Uniform set, or a machine that the list has.
	listed
	// namesake is called as the set's machines are, and no list could have it yet.
	namesake
	// stranger is called as the set's machines are, and is none of them.
	stranger
)

// rostersOf makes room for what is to be learnt about the machines of pools.
func rostersOf(pools []*pool) map[string]*rosters {
	all := make(map[string]*rosters)
	for _, p := range pools {
		for _, half := range []*pool{p, p.spot} {
			if half == nil || half.Orchestration == scale.Uniform {
				continue
			}
			set := setsOf(half.Pool)[0]
			group, _, _ := strings.Cut(set, vmssSegment)
			if all[group] == nil {
				all[group] = &rosters{sets: make(map[string]*roster), home: make(map[string]string), heard: make(map[string]time.Time)}
			}
			if all[group].sets[set] == nil {
				all[group].sets[set] = &roster{pool: half}
			}
		}
	}
	return all
}

// belongs says which scale set a resource is, or is a machine of, and how that is known. At is an instant at which the
// resource was there.
//
// A machine that a list has is its set's, whatever it is called. One that no list has is taken for its namesake's, as long
// as no list could have it: it may be newer than the list, and what it says must not be lost. It is a stranger once a list
// was made between two instants at which it was there. An ordinary machine of another name is nobody's.
func (e *Engine) belongs(ctx context.Context, resource string, at, now time.Time) (set string, how standing, err error) {
	set = metric.SetOf(resource)
	group, name, ok := machineIn(resource)
	if !ok {
		return set, listed, nil
	}
	r := e.rosters[group]
	if r == nil {
		return set, namesake, nil
	}
	if home, known := r.at(name); known {
		return home, listed, nil
	}
	if err := e.acquaint(ctx, r, now); err != nil {
		return "", nobodys, err
	}
	if home, known := r.at(name); known {
		return home, listed, nil
	}
	if set == "" {
		return "", nobodys, nil
	}
	if at.After(now) {
		at = now
	}
	return set, r.judge(set, name, at), nil
}

// machineIn splits the ID of an ordinary machine into the resource group that it lies in and its name.
func machineIn(resource string) (group, name string, ok bool) {
	at := strings.LastIndex(resource, vmSegment)
	if at < 0 || strings.Contains(resource, vmssSegment) {
		return "", "", false
	}
	name = resource[at+len(vmSegment):]
	return resource[:at], name, name != "" && !strings.Contains(name, "/")
}

// at is the set that a machine is, or was lately, on the list of.
func (r *rosters) at(name string) (set string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, known = r.home[name]
	return set, known
}

// judge says what a machine that no list has is to the set that it is called after.
func (r *rosters) judge(set, name string, at time.Time) standing {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sets[set]
	if s == nil || !s.known() {
		return namesake
	}
	if slices.Contains(s.Strangers, name) {
		return stranger
	}
	first, heard := r.heard[name]
	if !heard || at.Before(first) {
		if first = at; heard || len(r.heard) < maxHeard {
			r.heard[name] = at
		}
	}
	if !first.Add(listLag).Before(s.ListedAt) || at.Before(s.ListedAt) {
		return namesake
	}
	if len(s.Strangers) < maxStrangers {
		s.Strangers = append(s.Strangers, name)
	}
	return stranger
}

// acquaint reads the rosters of a resource group that this process has not looked at for a while. One that was read before
// and cannot be read now is believed as it was.
func (e *Engine) acquaint(ctx context.Context, r *rosters, now time.Time) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	var old []*roster
	r.mu.Lock()
	for _, set := range slices.Sorted(maps.Keys(r.sets)) {
		if s := r.sets[set]; s.readAt.IsZero() || now.Sub(s.readAt) >= rosterAge || now.Before(s.readAt) {
			old = append(old, s)
		}
	}
	r.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	errs := make([]error, len(old))
	var next atomic.Int64
	read := func() {
		for i := int(next.Add(1)) - 1; i < len(old); i = int(next.Add(1)) - 1 {
			stored, err := e.Ledger.Load(ctx, old[i].pool.Name)
			if err == nil {
				e.remember(old[i].pool, &stored, now)
			} else if old[i].readAt.IsZero() {
				errs[i] = fmt.Errorf("read the machines of %s: %w", old[i].pool.Name, err)
			}
		}
	}
	var group sync.WaitGroup
	for range min(e.Workers, len(old)) - 1 {
		group.Go(read)
	}
	read()
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// roster is the one of a pool's set, with the group that it lies in; nil where the pool's machines have the set's own IDs.
func (e *Engine) roster(p *pool) (*rosters, *roster, string) {
	set := setsOf(p.Pool)[0]
	group, _, _ := strings.Cut(set, vmssSegment)
	r := e.rosters[group]
	if r == nil || r.sets[set] == nil || r.sets[set].pool != p {
		return nil, nil, ""
	}
	return r, r.sets[set], set
}

// remember takes in what is stored about a pool's machines. Of two lists the newer one counts.
func (e *Engine) remember(p *pool, stored *scale.Stored, now time.Time) {
	r, s, set := e.roster(p)
	if s == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.readAt = now
	for _, row := range stored.Windows {
		if row.Source != scale.RosterSource || row.Version == s.version {
			continue
		}
		var l list
		if json.Unmarshal(row.Data, &l) != nil || l.Version != 1 {
			l = list{} // begun anew
		}
		s.row, s.version = l, row.Version
		if l.ListedAt.After(s.ListedAt) {
			r.take(s, set, l)
		}
	}
}

// take puts a list in the place of an older one.
func (r *rosters) take(s *roster, set string, l list) {
	gone := func(name string) {
		if r.home[name] == set {
			delete(r.home, name)
		}
	}
	for _, name := range s.Machines {
		gone(name)
	}
	for name := range s.Left {
		gone(name)
	}
	s.list = l
	s.Strangers = slices.Clone(l.Strangers)
	for name := range l.Left {
		if _, elsewhere := r.home[name]; !elsewhere {
			r.home[name] = set
		}
	}
	for _, name := range l.Machines {
		r.home[name] = set
		delete(r.heard, name)
	}
}

// enlist brings the machines that were just listed into the roster, and gives the row to store: nil where it would say
// nothing new.
func (e *Engine) enlist(v *visit) *scale.StoredWindow {
	r, s, set := e.roster(v.pool)
	if s == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.machines != nil && v.now.After(s.ListedAt) {
		r.take(s, set, s.next(v.machines, v.now))
		maps.DeleteFunc(r.heard, func(_ string, at time.Time) bool { return v.now.Sub(at) >= rosterKeeps })
	}
	if !s.known() || len(s.Strangers) == len(s.row.Strangers) && s.ListedAt.Sub(s.row.ListedAt) < rosterRepeats && slices.Equal(s.Machines, s.row.Machines) {
		return nil
	}
	data, err := json.Marshal(&s.list)
	if err != nil {
		return nil
	}
	out := &scale.StoredWindow{Source: scale.RosterSource, Data: data}
	for _, row := range v.stored.Windows {
		if row.Source == scale.RosterSource {
			out.Version = row.Version
		}
	}
	return out
}

// next is the list after one more look at the set.
func (l *list) next(machines []string, now time.Time) list {
	n := list{Version: 1, ListedAt: now}
	for _, name := range machines {
		n.Machines = append(n.Machines, strings.ToLower(name))
	}
	slices.Sort(n.Machines)
	n.Machines = slices.Compact(n.Machines)
	has := func(name string) bool {
		_, found := slices.BinarySearch(n.Machines, name)
		return found
	}
	left := func(name string, at time.Time) {
		if has(name) || now.Sub(at) >= rosterKeeps {
			return
		}
		if n.Left == nil {
			n.Left = make(map[string]time.Time)
		}
		n.Left[name] = at
	}
	for name, at := range l.Left {
		left(name, at)
	}
	for _, name := range l.Machines {
		left(name, now)
	}
	if over := len(n.Left) - maxLeft; over > 0 {
		byAge := slices.SortedFunc(maps.Keys(n.Left), func(a, b string) int { return cmp.Or(n.Left[a].Compare(n.Left[b]), strings.Compare(a, b)) })
		for _, name := range byAge[:over] {
			delete(n.Left, name)
		}
	}
	for _, name := range l.Strangers {
		if !has(name) {
			n.Strangers = append(n.Strangers, name)
		}
	}
	return n
}
