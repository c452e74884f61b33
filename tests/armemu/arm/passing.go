package arm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// occasion is something that the platform does by itself at an instant.
type occasion struct {
	at time.Time
	do func(at time.Time)
}

// occur lets happen what the platform does by itself up to now, in its order.
func (w *world) occur(now time.Time) {
	for {
		next, any := w.nextOccasion()
		if !any || next.at.After(now) {
			return
		}
		w.bring(next.at)
		next.do(next.at)
	}
}

// nextOccasion is the earliest; of those at one instant it is the first by set.
func (w *world) nextOccasion() (next occasion, any bool) {
	consider := func(at time.Time, do func(time.Time)) {
		if !any || at.Before(next.at) {
			next, any = occasion{at, do}, true
		}
	}
	for _, s := range w.ordered() {
		if e := s.nextRestore(); e != nil {
			consider(e.next, func(at time.Time) { w.restore(s, e, at) })
		}
		if s.AutoZoneBalance {
			consider(s.balanceAt, func(at time.Time) { w.balance(s, at) })
		}
	}
	for _, a := range w.autoscale {
		if !a.Disabled && a.EverySeconds > 0 {
			consider(a.next, func(at time.Time) { w.autoscales(a, at) })
		}
	}
	return next, any
}

// restorePolicy is a set's spotRestorePolicy: the platform tries to bring evicted machines back, until each has been
// away for the time-out (facts: VMSS 2.2).
type restorePolicy struct {
	Enabled bool   `json:"enabled"`
	Timeout string `json:"restoreTimeout,omitempty"`
}

// eviction is a machine that was evicted and may come back: a deallocated one, or nil for one that was deleted.
type eviction struct {
	machine  *machine
	at, next time.Time
	// lowered is true where the eviction lowered the counter.
	lowered bool
}

func (c Config) restoreEvery() time.Duration {
	if c.RestoreEverySeconds == 0 {
		return 5 * time.Minute
	}
	return time.Duration(c.RestoreEverySeconds) * time.Second
}

// remember keeps an eviction for later attempts, if the set has such a policy.
func (s *set) remember(m *machine, lowered bool, now time.Time, every time.Duration) {
	if s.restores == nil || !s.restores.Enabled {
		return
	}
	s.evicted = append(s.evicted, &eviction{machine: m, at: now, next: now.Add(every), lowered: lowered})
}

func (s *set) nextRestore() (first *eviction) {
	for _, e := range s.evicted {
		if first == nil || e.next.Before(first.next) {
			first = e
		}
	}
	return first
}

// restore tries to bring one evicted machine back. While an Azure Autoscale setting targets the set nothing is tried
// (facts: VMSS 2.2), and what no longer applies is forgotten.
func (w *world) restore(s *set, e *eviction, at time.Time) {
	timeout, err := isoDuration(s.restores.Timeout)
	late := err == nil && at.Sub(e.at) > timeout
	regular, spot := s.live()
	target := s.nominal
	if e.lowered {
		target++
	}
	gone := e.machine != nil && (e.machine.power != powerDeallocated || e.machine.state == stateDeleting)
	full := e.machine == nil && regular+spot >= target
	if late || gone || full || !s.restores.Enabled {
		s.forget(e)
		return
	}
	e.next = at.Add(w.cfg.restoreEvery())
	if w.targeted(s) {
		return
	}
	if m := e.machine; m != nil {
		if w.short(s, m) == nil {
			w.switchPower(s, []*machine{m}, powerRunning, at)
			s.forget(e)
		}
		return
	}
	probe := &machine{spot: true, size: s.Size, zone: s.emptiestZone()}
	if beyond, _ := w.beyond(s, s.Size, true, 1); w.short(s, probe) != nil || beyond != nil {
		return
	}
	w.place(s, s.add(true, at, w.bootedAt(s, at)))
	if e.lowered {
		s.nominal++
		s.generation++
	}
	s.settle(at)
	s.forget(e)
}

func (s *set) forget(e *eviction) {
	for i, one := range s.evicted {
		if one == e {
			s.evicted = append(s.evicted[:i:i], s.evicted[i+1:]...)
			return
		}
	}
}

// targeted reports whether an Azure Autoscale setting in force targets the set.
func (w *world) targeted(s *set) bool {
	for _, a := range w.autoscale {
		if !a.Disabled && strings.EqualFold(strings.TrimRight(a.Target, "/"), s.resourceID()) {
			return true
		}
	}
	return false
}

var isoShape = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// isoDuration reads a duration in ISO 8601 as far as days.
func isoDuration(text string) (time.Duration, error) {
	part := isoShape.FindStringSubmatch(text)
	if part == nil || text == "P" || strings.HasSuffix(text, "T") {
		return 0, fmt.Errorf("%q is no duration in ISO 8601", text)
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if n, err := strconv.Atoi(part[i+1]); err == nil {
			d += time.Duration(n) * unit
		}
	}
	return d, nil
}
