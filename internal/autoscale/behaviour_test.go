package autoscale_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"trimtab/internal/guard"
	"trimtab/internal/metric"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
)

// walk is a random course of each metric around a level that moves through the thresholds. Averages are multiples of
// three, so that means over 5, 10 and 15 minutes are exact in thousandths.
func walk(seed uint64, levels map[string]int64) series {
	type key struct {
		metric string
		minute int64
	}
	known := map[key]point{}
	return func(metric string, at time.Time) point {
		minute := at.Unix() / 60
		k := key{metric, minute}
		if p, ok := known[k]; ok {
			return p
		}
		// The hour gives the level, the minute a little around it: calm stretches and steps.
		hourly := rand.New(rand.NewPCG(seed, uint64(minute/23)^uint64(len(metric))<<32))
		noise := rand.New(rand.NewPCG(seed+1, uint64(minute)^uint64(len(metric))<<32))
		top := levels[metric]
		average := (hourly.Int64N(top) + noise.Int64N(max(1, top/20))) / 3 * 3
		p := point{average: average, count: 40 + noise.Int64N(30)}
		p.minimum, p.maximum = average-noise.Int64N(average/4+1), average+noise.Int64N(average/4+1)
		known[k] = p
		return p
	}
}

// compared is a setting beside what was made of it.
type compared struct {
	model  azure
	bundle *policy.Bundle
	window metric.Window
	course series
	folded time.Time
	serial int64
}

// fold brings every minute before now into the pool's window, as the hub would.
func (c *compared) fold(now time.Time) {
	p := &c.bundle.Pools[0]
	var routed []metric.Routed
	for ; c.folded.Before(now); c.folded = c.folded.Add(time.Minute) {
		for i := range p.Signals {
			c.serial++
			q := c.course(names[p.Signals[i].Metric], c.folded)
			routed = append(routed, metric.Routed{Signal: i, Sample: &scale.Sample{
				Resource: p.Signals[i].Resource, Metric: p.Signals[i].Metric, At: c.folded, Grain: time.Minute,
				Stats: scale.Stats{
					Has:     scale.HasAverage | scale.HasMinimum | scale.HasMaximum | scale.HasTotal | scale.HasCount,
					Average: float64(q.average), Minimum: float64(q.minimum), Maximum: float64(q.maximum),
					Total: float64(q.average * q.count), Count: float64(q.count),
				},
				Source: scale.Source{Hub: "n/h", Partition: "0", Sequence: c.serial, Known: true, EnqueuedAt: now},
			}})
		}
	}
	c.window.Fold(p.Signals, routed, now)
}

// names are the metrics' names as the settings write them.
var names = map[string]string{
	"percentage cpu": "Percentage CPU", "available memory bytes": "Available Memory Bytes", "inbound flows": "Inbound Flows",
	"disk read operations/sec": "Disk Read Operations/Sec", "activemessagecount": "ActiveMessageCount",
	"network in total": "Network In Total",
}

// decide asks the imported policy and the real rails, without any memory of changes: what Azure decides when no cooldown
// holds.
func (c *compared) decide(t *testing.T, now time.Time, n int) scale.Decision {
	t.Helper()
	p := &c.bundle.Pools[0]
	v := &scale.View{
		Version: scale.ViewVersion, Now: now, Pool: p.Name, Policy: p.Policy, Mode: p.Mode, Labels: p.Labels,
		Orchestration: p.Orchestration, Rails: p.Rails, Settings: p.Settings, FactsMaxAgeSeconds: 300,
		Facts: scale.Facts{
			ReadAt: now, Capacity: n, ETag: `"1"`, ProvisioningState: "Succeeded", Orchestration: p.Orchestration, PlatformMax: 1000,
		},
		Signals:   metric.View(p.Signals, []*metric.Window{&c.window}, now, func(time.Time) (int, bool) { return n, true }),
		Schedules: map[string]scale.ScheduleView{},
	}
	v.Memory.Intended = &scale.Capacity{Instances: n}
	// The pool has been evaluated before, and wanted nothing.
	v.Memory.Recommendations = []scale.Recommendation{{At: now.Add(-time.Hour), Instances: 0}}
	for _, s := range p.Schedules {
		active, next := s.Active(now)
		v.Schedules[s.Name] = scale.ScheduleView{Active: active, NextAt: next}
	}
	proposal := c.bundle.Propose(t.Context(), v)
	if proposal.Fault != "" || len(proposal.Faults) > 0 {
		t.Fatalf("the policy is at fault: %s %v", proposal.Fault, proposal.Faults)
	}
	return guard.Decide(v, &proposal)
}

// TestTheImportedPolicyDecidesAsAzureDocuments walks each setting through days of random load, a change of the clock
// among them, and asks the model and the imported pool at every step, on the fleet that the model leads.
func TestTheImportedPolicyDecidesAsAzureDocuments(t *testing.T) {
	spring := time.Date(2026, 3, 26, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		levels map[string]int64
		from   time.Time
	}{
		"one_profile":    {map[string]int64{"Percentage CPU": 120}, spring},
		"az_show":        {map[string]int64{"Percentage CPU": 110}, spring},
		"portal_weekend": {map[string]int64{"Percentage CPU": 110}, spring},
		"contiguous":     {map[string]int64{"Inbound Flows": 2500}, spring},
		"fixed_date":     {map[string]int64{"Percentage CPU": 90}, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)},
		"dates_only":     {map[string]int64{"Percentage CPU": 20}, time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)},
		"many_profiles":  {map[string]int64{"Percentage CPU": 100}, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)},
		"several_rules": {map[string]int64{
			"Percentage CPU": 110, "Available Memory Bytes": 9_000_000_000, "Disk Read Operations/Sec": 500,
		}, spring},
		"predictive":    {map[string]int64{"Percentage CPU": 90}, spring},
		"queue_divided": {map[string]int64{"ActiveMessageCount": 4000}, spring},
		"sums":          {map[string]int64{"Percentage CPU": 105, "Network In Total": 150}, spring},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[scale.Direction]int{}
			for seed := range uint64(1) {
				pair := &compared{
					model: readAzure(t, name), bundle: load(t, imported(t, name)[0]), course: walk(seed, c.levels),
					folded: c.from.Add(-time.Hour),
				}
				n := 4
				for now := c.from; now.Before(c.from.AddDate(0, 0, 9)); now = now.Add(113 * time.Minute) {
					pair.fold(now)
					want := pair.model.wanted(t, pair.course, now, n)
					d := pair.decide(t, now, n)
					if d.To.Instances != want {
						t.Fatalf("seed %d at %s on %d instances: Azure would have %d, the pool %d (%s: %+v)",
							seed, now.Format(time.RFC3339), n, want, d.To.Instances, d.Reason, d.Adjustments)
					}
					seen[d.Direction]++
					n = want
				}
			}
			if seen[scale.Grow] < 3 || seen[scale.Shrink] < 3 && !strings.Contains(name, "dates_only") || seen[scale.Still] < 20 {
				t.Errorf("the series shows too little: %v", seen)
			}
		})
	}
}
