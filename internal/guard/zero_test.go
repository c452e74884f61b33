package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/guard"
	"trimtab/internal/scale"
)

func TestAZeroIsBelievedOnceItHasLasted(t *testing.T) {
	for name, c := range map[string]struct {
		history []scale.Recommendation
		reason  string
		to      int
	}{
		"a zero that nobody has seen before is doubted":     {nil, "facts_implausible", 0},
		"a zero after another count is doubted":             {[]scale.Recommendation{rec(3600, 10)}, "facts_implausible", 0},
		"a zero of nine minutes is doubted":                 {[]scale.Recommendation{rec(3600, 10), rec(540, 0)}, "facts_implausible", 0},
		"a zero of ten minutes is one, and the pool grows":  {[]scale.Recommendation{rec(3600, 10), rec(600, 0)}, "track", 6},
		"a zero that was interrupted begins anew":           {[]scale.Recommendation{rec(900, 0), rec(400, 5), rec(300, 0)}, "facts_implausible", 0},
		"a zero since for ever, as far as we know, is one":  {[]scale.Recommendation{rec(7200, 0)}, "track", 6},
		"a zero of ten minutes after one of long ago is it": {[]scale.Recommendation{rec(7200, 0), rec(3600, 4), rec(600, 0)}, "track", 6},
	} {
		t.Run(name, func(t *testing.T) {
			v := base()
			v.Facts.Capacity = 0
			v.Memory.Capacities = c.history
			d := guard.Decide(v, wants(6))
			if d.Reason != c.reason || d.To.Instances != c.to {
				t.Errorf("got %s to %d, want %s to %d", d.Reason, d.To.Instances, c.reason, c.to)
			}
		})
	}
}

func TestAPoolBelowItsMinimumIsBroughtThereWithoutAReason(t *testing.T) {
	v := base()
	v.Facts.Capacity = 1
	v.Signals["cpu"] = scale.SignalView{State: scale.SignalMissing}
	if d := guard.Decide(v, &scale.Proposal{Doubt: true}); d.To.Instances != 2 || d.Reason != "limit_min" {
		t.Errorf("got %s to %d, want limit_min to 2", d.Reason, d.To.Instances)
	}
	if d := guard.Decide(v, &scale.Proposal{Fault: "broken"}); d.Act {
		t.Errorf("got %s to %d on a policy at fault, want a hold", d.Reason, d.To.Instances)
	}
}

func TestZerosInPassingAreNoCapacity(t *testing.T) {
	for name, c := range map[string]struct{ history, want []scale.Recommendation }{
		"a history without zeros stays as it is": {
			[]scale.Recommendation{rec(3600, 10), rec(60, 12)}, []scale.Recommendation{rec(3600, 10), rec(60, 12)},
		},
		"a zero of a minute goes": {
			[]scale.Recommendation{rec(3600, 10), rec(600, 0), rec(540, 10)}, []scale.Recommendation{rec(3600, 10), rec(540, 10)},
		},
		"a zero of half an hour stays": {
			[]scale.Recommendation{rec(3600, 0), rec(1800, 10)}, []scale.Recommendation{rec(3600, 0), rec(1800, 10)},
		},
		"a zero that has just begun goes": {
			[]scale.Recommendation{rec(3600, 10), rec(60, 0)}, []scale.Recommendation{rec(3600, 10)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := append([]scale.Recommendation(nil), c.history...)
			if diff := cmp.Diff(c.want, guard.Believed(c.history, now)); diff != "" {
				t.Error(diff)
			}
			if !cmp.Equal(before, c.history) {
				t.Error("the history was changed in place")
			}
		})
	}
}

func TestADoubtBeginsAnew(t *testing.T) {
	for name, c := range map[string]struct {
		history []scale.Recommendation
		seen    int
		want    []scale.Recommendation
	}{
		"of no history nothing comes":                        {nil, 60, nil},
		"a count that was not zero stays":                    {[]scale.Recommendation{rec(900, 5)}, 60, []scale.Recommendation{rec(900, 5)}},
		"a zero that had lasted stays, and a new one begins": {[]scale.Recommendation{rec(900, 0)}, 60, []scale.Recommendation{rec(900, 0), rec(0, 0)}},
		"a zero that had not lasted gives way":               {[]scale.Recommendation{rec(900, 5), rec(300, 0)}, 60, []scale.Recommendation{rec(900, 5), rec(0, 0)}},
		"a zero seen once, hours ago, has not lasted":        {[]scale.Recommendation{rec(9000, 5), rec(8000, 0)}, 8000, []scale.Recommendation{rec(9000, 5), rec(0, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			got := guard.Doubt(c.history, now.Add(-time.Duration(c.seen)*time.Second), now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			v := base()
			v.Facts.Capacity, v.Memory.Capacities = 0, got
			if d := guard.Decide(v, wants(6)); len(got) > 0 && got[len(got)-1].Instances == 0 && d.Reason != "facts_implausible" {
				t.Errorf("got %s to %d from a zero read anew, want a hold", d.Reason, d.To.Instances)
			}
		})
	}
}

func TestTheDefaultCountCutByThePlatformIsNoShrink(t *testing.T) {
	v := base()
	v.Rails.Limits.Default, v.Facts.PlatformMax = 20, 5
	if d := guard.Decide(v, &scale.Proposal{}); d.Act {
		t.Errorf("got %d because of %s without a known reason, want a hold at 10", d.To.Instances, d.Reason)
	}
}

func TestAZeroThatWasToldOfIsNotDoubted(t *testing.T) {
	evicted := func(secondsAgo, n int) scale.Eviction { return scale.Eviction{At: ago(secondsAgo), Instances: n} }
	for name, c := range map[string]struct {
		evictions []scale.Eviction
		grown     int
		live      *scale.Live
		reason    string
	}{
		"all machines were evicted a minute ago":             {[]scale.Eviction{evicted(60, 4)}, 3600, &scale.Live{}, "track"},
		"all were evicted, one after the other":              {[]scale.Eviction{evicted(300, 3), evicted(60, 1)}, 3600, &scale.Live{}, "track"},
		"all, and the machines were not counted":             {[]scale.Eviction{evicted(60, 4)}, 3600, nil, "facts_implausible"},
		"one machine fewer than there were":                  {[]scale.Eviction{evicted(60, 3)}, 3600, &scale.Live{}, "facts_implausible"},
		"all, but eleven minutes ago":                        {[]scale.Eviction{evicted(660, 4)}, 3600, &scale.Live{}, "facts_implausible"},
		"all, but others have been made since":               {[]scale.Eviction{evicted(300, 4)}, 240, &scale.Live{}, "facts_implausible"},
		"all, but the list of machines shows one":            {[]scale.Eviction{evicted(60, 4)}, 3600, &scale.Live{Instances: 1, Spot: 1}, "facts_implausible"},
		"all, but one is deallocated, and holds its place":   {[]scale.Eviction{evicted(60, 4)}, 3600, &scale.Live{Deallocated: 1}, "facts_implausible"},
		"all of a flexible set, whose count may have stayed": {[]scale.Eviction{evicted(60, 4)}, 3600, &scale.Live{}, "facts_implausible"},
		"nobody told of anything":                            {nil, 3600, &scale.Live{}, "facts_implausible"},
		"evictions that are told of with a clock far ahead":  {[]scale.Eviction{evicted(-600, 4)}, 3600, &scale.Live{}, "facts_implausible"},
	} {
		t.Run(name, func(t *testing.T) {
			v := base()
			v.Facts.Capacity, v.Facts.Live, v.Facts.Orchestration, v.Orchestration = 0, c.live, scale.Uniform, scale.Uniform
			if strings.Contains(name, "flexible") {
				v.Facts.Orchestration, v.Orchestration = scale.Flexible, scale.Flexible
			}
			v.Memory.Capacities = []scale.Recommendation{rec(7200, 9), rec(3600, 4)}
			v.Memory.Evictions, v.Memory.GrownAt = c.evictions, ago(c.grown)
			if d := guard.Decide(v, wants(6)); d.Reason != c.reason {
				t.Errorf("got %s to %d, want %s", d.Reason, d.To.Instances, c.reason)
			}
		})
	}
}

// What a set of a pair remembers of counts are those of both sets: its zeroes are remembered apart.
func TestAZeroOfOneSetOfAPairIsBelievedOnceItHasLasted(t *testing.T) {
	for name, c := range map[string]struct {
		since    time.Duration
		intended int
		reason   string
		to       int
	}{
		"a zero that was never seen before is doubted": {0, 4, "facts_implausible", 0},
		"a zero of nine minutes is doubted":            {9 * time.Minute, 4, "facts_implausible", 0},
		"a zero of ten minutes is one":                 {10 * time.Minute, 4, "track", 4},
		"a zero that was asked for is one":             {0, 0, "track", 4},
	} {
		t.Run(name, func(t *testing.T) {
			v := base()
			v.Orchestration, v.Facts.Orchestration = scale.Uniform, scale.Uniform
			v.Facts.Capacity, v.Facts.Mix = 0, nil
			v.Facts.Pair = &scale.Pair{Role: scale.RoleRegular, ScaleSet: "spot", ReadAt: v.Now, Instances: 4, Intended: 4}
			v.Memory.Intended = &scale.Capacity{Instances: c.intended}
			v.Memory.Capacities = []scale.Recommendation{rec(3600, 4)}
			if c.since > 0 {
				v.Memory.ZeroSince = v.Now.Add(-c.since)
			}
			p := wants(8)
			p.Blend = &scale.Blend{Mix: scale.Mix{RegularPercent: 50}, Rounding: scale.RegularDown}
			if d := guard.Decide(v, p); d.Reason != c.reason || d.To.Instances != c.to {
				t.Errorf("got %s to %d, want %s to %d: %+v", d.Reason, d.To.Instances, c.reason, c.to, d.Adjustments)
			}
		})
	}
}
