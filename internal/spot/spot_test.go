package spot_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/scale"
	"trimtab/internal/spot"
)

func TestTheFloorIsThatOfTheWorkedExamples(t *testing.T) {
	for name, c := range map[string]struct {
		s, least, correlation int
		replace               time.Duration
		want                  int
	}{
		// features: C12, at a fifth an hour and 99 per cent.
		"20 machines, 18 needed, by the exact binomial":           {20, 18, 0, 15 * time.Minute, 2},
		"20 machines, 18 needed, evictions in groups":             {20, 18, 10, 15 * time.Minute, 4},
		"100 machines, all needed, an hour to replace, exact":     {100, 100, 0, time.Hour, 30},
		"100 machines, all needed, an hour to replace, in groups": {100, 100, 10, time.Hour, 51},
		"none needed":                 {20, 0, 10, 15 * time.Minute, 0},
		"no machine but all needed":   {0, 5, 0, 15 * time.Minute, 5},
		"a thousand do not underflow": {1000, 900, 0, 15 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			risk := scale.SpotRisk{Replace: c.replace, ConfidencePermille: 990, CorrelationPercent: c.correlation}
			if got := spot.Floor(c.s, c.least, risk, 0.2); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestNoMoreRegularMachinesAreCalledForThanMustStay(t *testing.T) {
	risk := scale.SpotRisk{Replace: time.Hour, ConfidencePermille: 990, CorrelationPercent: 10}
	if got := spot.Floor(1, 1, risk, 0.2); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
}

func TestTheShareLeavesEnoughOfAll(t *testing.T) {
	risk := scale.SpotRisk{Replace: 15 * time.Minute, KeepPercent: 82, ConfidencePermille: 990}
	// 22 machines of which 18.04, so 19, must stay.
	d := spot.Share(22, risk, 0.2)
	if spot.Floor(22-d, 19, risk, 0.2) > d || d > 0 && spot.Floor(22-d+1, 19, risk, 0.2) <= d-1 {
		t.Errorf("%d is not the least", d)
	}
	for _, n := range []int{0, 1, 7, 100, 1000} {
		if got := spot.Share(n, scale.SpotRisk{Replace: time.Hour, KeepPercent: 100, ConfidencePermille: 999, CorrelationPercent: 20}, 1); got != n {
			t.Errorf("%d of %d are regular although all Spot goes", got, n)
		}
		if got := spot.Share(n, risk, 0); got != 0 {
			t.Errorf("%d of %d are regular although none goes", got, n)
		}
	}
}

func TestLook(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	facts := scale.Facts{ReadAt: now, Capacity: 10, Spot: true, Mix: &scale.Mix{Base: 2}}
	ago := func(s int) time.Time { return now.Add(-time.Duration(s) * time.Second) }
	live := facts
	live.Live = &scale.Live{Instances: 7, Regular: 2, Spot: 5}
	floor := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		risk   *scale.SpotRisk
		facts  scale.Facts
		memory scale.Memory
		want   *scale.SpotView
	}{
		"nothing is known":      {nil, scale.Facts{}, scale.Memory{}, nil},
		"a set without Spot":    {nil, scale.Facts{ReadAt: now, Capacity: 3}, scale.Memory{}, nil},
		"nothing ever happened": {nil, facts, scale.Memory{}, &scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never}},
		"machines are surely missing": {
			nil, live,
			scale.Memory{Drift: &scale.Drift{Sure: 3}},
			&scale.SpotView{Missing: 3, QuietSeconds: scale.Never, ChangedSeconds: scale.Never},
		},
		"evictions and the last change": {
			nil, facts,
			scale.Memory{
				GrownAt: ago(500), RemixedAt: ago(300),
				Notes: scale.Notes{Evictions: []scale.Eviction{{At: ago(90_000), Instances: 9}, {At: ago(700), Instances: 2}, {At: ago(60), Instances: 1}}},
			},
			&scale.SpotView{QuietSeconds: 60, ChangedSeconds: 300, Evicted: 3},
		},
		"Spot cannot be had": {
			nil, facts,
			scale.Memory{BackOffs: []scale.BackOff{{Class: scale.ClassNoSpot, Until: now.Add(time.Minute)}}},
			&scale.SpotView{Blocked: true, ChangedSeconds: scale.Never},
		},
		"a failure that is over, or of another kind, says nothing": {
			nil, facts,
			scale.Memory{BackOffs: []scale.BackOff{
				{Class: scale.ClassNoSpot, Until: now}, {Class: scale.ClassThrottled, Until: now.Add(time.Hour)},
			}},
			&scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never},
		},
		"the rate is the published one, moved by one's own day: (0.2*100 + 12) / (100 + 24*5)": {
			&scale.SpotRisk{Replace: 15 * time.Minute, KeepPercent: 90, ConfidencePermille: 990, HourlyPermille: 200},
			live,
			scale.Memory{Notes: scale.Notes{Evictions: []scale.Eviction{{At: ago(3600), Instances: 12}}}},
			&scale.SpotView{QuietSeconds: 3600, ChangedSeconds: scale.Never, Evicted: 12, RatePermille: 145, Floor: floor(6)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := spot.Look(c.risk, c.facts, &c.memory, now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
