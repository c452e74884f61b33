package arm

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

// world is the platform's state. Its methods expect the lock to be held.
type world struct {
	mu     sync.Mutex
	now    func() time.Time
	cfg    Config
	sets   map[string]*set // by lower-cased resource ID
	order  []*set          // the same by ID, made anew when one was added
	ops    map[string]*operation
	faults []*Fault
	scarce []*Scarce
	quotas []Quota
	// restricted are the sizes that the subscription may not use.
	restricted []Restrict
	// grants are the role assignments, nil for all that there is.
	grants    []Grant
	autoscale []*Autoscale
	buckets   map[string]*tokens
	skew      int // seconds
	log       []Request
	tokens    map[string]bool
	serial    int
}

func newWorld(cfg Config, now func() time.Time) (*world, error) {
	w := &world{now: now, cfg: cfg, sets: map[string]*set{}, ops: map[string]*operation{}, tokens: map[string]bool{}, buckets: map[string]*tokens{}}
	for i, c := range cfg.Sets {
		if err := w.add(c); err != nil {
			return nil, fmt.Errorf("set %d: %w", i, err)
		}
	}
	if cfg.Limits != "" && !cfg.limited() {
		return nil, fmt.Errorf("limits %q: want %q or none", cfg.Limits, Documented)
	}
	knobs := []Knob{}
	for _, q := range cfg.Quotas {
		knobs = append(knobs, q)
	}
	for _, a := range cfg.Autoscale {
		knobs = append(knobs, a)
	}
	if len(cfg.Grants) > 0 {
		knobs = append(knobs, Grants{cfg.Grants})
	}
	for _, k := range knobs {
		if err := k.turn(w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// add creates a set whose machines are all up.
func (w *world) add(c SetConfig) error {
	c = c.withDefaults()
	if _, err := parseSetID(c.ID); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	key := strings.ToLower(strings.TrimRight(c.ID, "/"))
	if w.sets[key] != nil {
		return fmt.Errorf("%s is there already", c.ID)
	}
	now := w.now()
	s := newSet(c, now)
	s.nominal = c.Capacity
	w.grow(s, c.Capacity, now, now, Plan{Status: stateSucceeded})
	s.settle(now)
	w.sets[key] = s
	return nil
}

// newSet is a set without machines, of a configuration that was checked.
func newSet(c SetConfig, now time.Time) *set {
	id, _ := parseSetID(c.ID)
	s := &set{SetConfig: c, setID: id, generation: 1, state: stateSucceeded, mix: c.Mix, balanceAt: now.Add(balanceCheck)}
	if c.SpotRestore != "" {
		s.restores = &restorePolicy{Enabled: true, Timeout: c.SpotRestore}
	}
	return s
}

// at brings everything up to the present and returns it.
func (w *world) at() time.Time {
	now := w.now()
	w.occur(now)
	w.bring(now)
	w.bury()
	for name, o := range w.ops {
		if o.status != "" && now.Sub(o.endedAt) > w.cfg.operationTTL() {
			delete(w.ops, name)
		}
	}
	return now
}

// bring settles the machines whose time has come, and ends the operations.
func (w *world) bring(at time.Time) {
	for _, s := range w.sets {
		s.settle(at)
		if o := s.current; o != nil && o.due(at) {
			w.end(o, at)
		}
	}
	for _, o := range w.ops {
		if o.due(at) {
			w.end(o, at)
		}
	}
}

// find looks a set up by resource ID or, where that is unambiguous, by name.
func (w *world) find(ref string) (*set, error) {
	if s := w.sets[strings.ToLower(strings.TrimRight(ref, "/"))]; s != nil {
		return s, nil
	}
	var found *set
	for _, s := range w.sets {
		if strings.EqualFold(s.name, ref) {
			if found != nil {
				return nil, fmt.Errorf("several scale sets are named %q", ref)
			}
			found = s
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no scale set %q", ref)
	}
	return found, nil
}

// ordered lists the sets by ID, so that what is listed does not depend on map order.
func (w *world) ordered() []*set {
	if len(w.order) != len(w.sets) {
		keys := make([]string, 0, len(w.sets))
		for k := range w.sets {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		w.order = make([]*set, len(keys))
		for i, k := range keys {
			w.order[i] = w.sets[k]
		}
	}
	return w.order
}
