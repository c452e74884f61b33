package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// The keys of the policy input, policies/schemas/input/schema.json. Terms are shared between inputs: they never change.
var (
	keyVersion, keyNow, keyPool, keyLimits      = key("version"), key("now"), key("pool"), key("limits")
	keyCapacity, keySignals, keySchedules       = key("capacity"), key("signals"), key("schedules")
	keySettings, keyUnix, keyName, keyPolicy    = key("settings"), key("unix_seconds"), key("name"), key("policy")
	keyMode, keyLabels, keyMin, keyMax          = key("mode"), key("labels"), key("min"), key("max")
	keyDefault, keyKnown, keyInstances, keyAge  = key("default"), key("known"), key("instances"), key("age_seconds")
	keyMix, keyInFlight, keyBase, keyPercent    = key("mix"), key("in_flight"), key("base"), key("regular_percent")
	keyState, keyUnit, keyHasValue, keyValue    = key("state"), key("unit"), key("has_value"), key("value_milli")
	keyAverage, keyMinimum, keyMaximum, keySum  = key("average_milli"), key("minimum_milli"), key("maximum_milli"), key("total_milli")
	keyCount, keyLast, keyHasDemand, keyDemand  = key("count_milli"), key("last_milli"), key("has_demand"), key("demand_milli")
	keyMissed                                   = key("missed")
	keyBuckets, keyExpected, keyActive, keyLeft = key("buckets"), key("expected"), key("active"), key("seconds_left")

	version = ast.IntNumberTerm(scale.ViewVersion)
	nothing = ast.NullTerm()
)

func key(s string) *ast.Term { return ast.StringTerm(s) }

// terms are the parts of inputs that are the same for every decision of a pool.
type terms struct {
	pools map[string]poolTerms
	// names holds terms for the strings that inputs repeat: names of signals and schedules, states, units.
	names map[string]*ast.Term
}

// poolTerms are one pool's, with what they were made from: a view may come from an entry of another time.
type poolTerms struct {
	definition             scale.Pool
	head, limits, settings *ast.Term
	steady                 *steadyOf
	// tried are the head and what is kept for the pool's candidate, nil without one.
	triedHead   *ast.Term
	triedSteady *steadyOf
}

func readyTerms(pools []scale.Pool) (terms, error) {
	t := terms{pools: make(map[string]poolTerms, len(pools)), names: map[string]*ast.Term{}}
	for _, s := range []scale.SignalState{scale.SignalFresh, scale.SignalPartial, scale.SignalStale, scale.SignalMissing} {
		t.names[string(s)] = ast.StringTerm(string(s))
	}
	// Pools that share their settings share the term, and what is kept of a policy with them.
	settings := map[string]*ast.Term{}
	type numbers struct{ policy, settings string }
	steady := map[numbers]*steadyOf{}
	for _, p := range pools {
		s, ok := settings[string(p.Settings)]
		if !ok {
			var err error
			if s, err = settingsTerm(p.Settings); err != nil {
				return t, fmt.Errorf("pool %s: %w", p.Name, err)
			}
			settings[string(p.Settings)] = s
		}
		keptOf := func(policy string) *steadyOf {
			with := numbers{policy, string(p.Settings)}
			if steady[with] == nil {
				steady[with] = &steadyOf{pool: p}
				steady[with].pool.Policy = policy
			}
			return steady[with]
		}
		ready := poolTerms{
			steady: keptOf(p.Policy), definition: p, head: headTerm(p.Name, p.Policy, p.Mode, p.Labels), limits: limitsTerm(p.Rails.Limits), settings: s,
		}
		if c := p.Candidate; c != nil {
			ready.triedHead, ready.triedSteady = headTerm(p.Name, c.Policy, p.Mode, p.Labels), keptOf(c.Policy)
		}
		t.pools[p.Name] = ready
		for _, s := range p.Signals {
			t.names[s.Name], t.names[s.Unit] = ast.StringTerm(s.Name), ast.StringTerm(s.Unit)
		}
		for _, s := range p.Schedules {
			t.names[s.Name] = ast.StringTerm(s.Name)
		}
	}
	return t, nil
}

func (t terms) name(s string) *ast.Term {
	if term, ok := t.names[s]; ok {
		return term
	}
	return ast.StringTerm(s)
}

// input is the document that a policy sees. It is built by hand, of whole numbers and ready parts: conversion would
// cost more than the decision (facts: opa 3.2). With it comes what is kept for its policy and settings; nil if they are
// of another time.
func (t terms) input(v *scale.View) (ast.Value, *steadyOf, error) {
	ready, ok := t.pools[v.Pool]
	if c := ready.definition.Candidate; c != nil && c.Policy == v.Policy {
		ready.definition.Policy, ready.head, ready.steady = c.Policy, ready.triedHead, ready.triedSteady
	}
	same := ok && ready.definition.Policy == v.Policy && ready.definition.Mode == v.Mode
	if !same || !maps.Equal(ready.definition.Labels, v.Labels) {
		ready.head = headTerm(v.Pool, v.Policy, v.Mode, v.Labels)
	}
	if !ok || ready.definition.Rails.Limits != v.Rails.Limits {
		ready.limits = limitsTerm(v.Rails.Limits)
	}
	if !ok || !bytes.Equal(ready.definition.Settings, v.Settings) {
		var err error
		ready.steady = nil
		if ready.settings, err = settingsTerm(v.Settings); err != nil {
			return nil, nil, fmt.Errorf("view of %s: %w", v.Pool, err)
		}
	}
	if ok && ready.definition.Policy != v.Policy {
		ready.steady = nil
	}
	return ast.NewObject(
		ast.Item(keyVersion, version),
		ast.Item(keyNow, ast.ObjectTerm(ast.Item(keyUnix, whole(v.Now.Unix())))),
		ast.Item(keyPool, ready.head),
		ast.Item(keyLimits, ready.limits),
		ast.Item(keyCapacity, capacityTerm(v)),
		ast.Item(keyFacts, factsTerm(v)),
		ast.Item(keyMemory, memoryTerm(v)),
		ast.Item(keySpot, spotTerm(v.Spot)),
		ast.Item(keySpending, spendingTerm(v.Spending)),
		ast.Item(keyGroups, groupsTerm(v.Groups)),
		ast.Item(keySignals, t.signals(v.Signals)),
		ast.Item(keySchedules, t.schedules(v.Schedules, v.Now)),
		ast.Item(keySettings, ready.settings),
	), ready.steady, nil
}

func headTerm(name, policy string, mode scale.Mode, labels map[string]string) *ast.Term {
	items := make([][2]*ast.Term, 0, len(labels))
	for k, v := range labels {
		items = append(items, ast.Item(ast.StringTerm(k), ast.StringTerm(v)))
	}
	return ast.ObjectTerm(
		ast.Item(keyName, ast.StringTerm(name)),
		ast.Item(keyPolicy, ast.StringTerm(policy)),
		ast.Item(keyMode, ast.StringTerm(string(mode))),
		ast.Item(keyLabels, ast.ObjectTerm(items...)),
	)
}

func limitsTerm(l scale.Limits) *ast.Term {
	return ast.ObjectTerm(
		ast.Item(keyMin, whole(int64(l.Min))),
		ast.Item(keyMax, whole(int64(l.Max))),
		ast.Item(keyDefault, whole(int64(l.Default))),
	)
}

func settingsTerm(raw json.RawMessage) (*ast.Term, error) {
	if len(raw) == 0 {
		return ast.ObjectTerm(), nil
	}
	v, err := ast.ValueFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return ast.NewTerm(v), nil
}

// capacityTerm gives the count as it was read, less what is surely missing, also while a change is in flight: the rails
// count that one.
func capacityTerm(v *scale.View) *ast.Term {
	known, instances, age, mix, inFlight := false, 0, int64(0), nothing, nothing
	if v.Facts.Known() {
		age = max(0, int64(v.Now.Sub(v.Facts.ReadAt)/time.Second))
		known = v.FactsMaxAgeSeconds <= 0 || age <= int64(v.FactsMaxAgeSeconds)
	}
	if known {
		instances = v.Memory.Instances(v.Facts)
		if m := v.Facts.Mix; m != nil {
			mix = ast.ObjectTerm(ast.Item(keyBase, whole(int64(m.Base))), ast.Item(keyPercent, whole(int64(m.RegularPercent))))
		}
	}
	if c := v.Memory.InFlight; c != nil {
		inFlight = whole(int64(c.Instances))
	}
	return ast.ObjectTerm(
		ast.Item(keyKnown, ast.InternedTerm(known)),
		ast.Item(keyInstances, whole(int64(instances))),
		ast.Item(keyAge, whole(age)),
		ast.Item(keyMix, mix),
		ast.Item(keyInFlight, inFlight),
	)
}

func (t terms) signals(signals map[string]scale.SignalView) *ast.Term {
	items := make([][2]*ast.Term, 0, len(signals))
	for name, s := range signals {
		items = append(items, ast.Item(t.name(name), t.signal(&s)))
	}
	return ast.ObjectTerm(items...)
}

// signal leaves out what was not measured: absence is not zero.
func (t terms) signal(s *scale.SignalView) *ast.Term {
	var room [16][2]*ast.Term
	items := append(room[:0],
		ast.Item(keyState, t.name(string(s.State))),
		ast.Item(keyUnit, t.name(s.Unit)),
		ast.Item(keyHasValue, ast.InternedTerm(s.HasValue)),
		ast.Item(keyHasDemand, ast.InternedTerm(s.HasDemand)),
		ast.Item(keyAge, whole(int64(s.AgeSeconds))),
		ast.Item(keyBuckets, whole(int64(s.Buckets))),
		ast.Item(keyExpected, whole(int64(s.Expected))),
	)
	if s.Missed > 0 {
		items = append(items, ast.Item(keyMissed, whole(int64(s.Missed))))
	}
	items = t.outlook(items, s)
	if s.State == scale.SignalMissing {
		return ast.ObjectTerm(items...)
	}
	measured := [...]struct {
		has   bool
		key   *ast.Term
		value scale.Milli
		term  *ast.Term
	}{
		{has: s.HasValue, key: keyValue, value: s.Value},
		{has: s.HasDemand, key: keyDemand, value: s.Demand},
		{has: s.Has&scale.HasAverage != 0, key: keyAverage, value: s.Average},
		{has: s.Has&scale.HasMinimum != 0, key: keyMinimum, value: s.Minimum},
		{has: s.Has&scale.HasMaximum != 0, key: keyMaximum, value: s.Maximum},
		{has: s.Has&scale.HasTotal != 0, key: keySum, value: s.Total},
		{has: s.Has&scale.HasCount != 0, key: keyCount, value: s.Count},
		{has: true, key: keyLast, value: s.Last},
	}
	for i := range measured {
		m := &measured[i]
		if !m.has {
			continue
		}
		// A signal's value is one of its statistics, and on a steady load several are equal: a number is dear to write.
		for j := range i {
			if before := &measured[j]; before.term != nil && before.value == m.value {
				m.term = before.term
				break
			}
		}
		if m.term == nil {
			m.term = whole(int64(m.value))
		}
		items = append(items, ast.Item(m.key, m.term))
	}
	return ast.ObjectTerm(items...)
}

func (t terms) schedules(schedules map[string]scale.ScheduleView, now time.Time) *ast.Term {
	items := make([][2]*ast.Term, 0, len(schedules))
	for name, s := range schedules {
		left := nothing
		if !s.NextAt.IsZero() {
			left = whole(int64(s.NextAt.Sub(now) / time.Second))
		}
		if s.Dated {
			items = append(items, ast.Item(t.name(name), ast.ObjectTerm(ast.Item(keyActive, ast.InternedTerm(s.Active)),
				ast.Item(keyLeft, left), ast.Item(keyDated, ast.InternedTerm(true)))))
			continue
		}
		items = append(items, ast.Item(t.name(name), ast.ObjectTerm(
			ast.Item(keyActive, ast.InternedTerm(s.Active)), ast.Item(keyLeft, left))))
	}
	return ast.ObjectTerm(items...)
}

func whole(i int64) *ast.Term { return ast.IntNumberTerm(int(i)) }
