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
		"nothing ever happened": {nil, facts, scale.Memory{}, &scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never, WholeSeconds: scale.Never}},
		"machines are surely missing": {
			nil, live,
			scale.Memory{Drift: &scale.Drift{Sure: 3}},
			&scale.SpotView{Missing: 3, QuietSeconds: scale.Never, ChangedSeconds: scale.Never, WholeSeconds: scale.Never},
		},
		"machines that were parked are not missing": {
			nil, live,
			scale.Memory{Drift: &scale.Drift{Sure: 1}, Parked: []scale.Parked{{Name: "a", Spot: true, Off: true}, {Name: "b", Off: true}}},
			&scale.SpotView{Missing: 1, QuietSeconds: scale.Never, ChangedSeconds: scale.Never, WholeSeconds: scale.Never},
		},
		"evictions and the last change": {
			nil, facts,
			scale.Memory{
				GrownAt: ago(500), RemixedAt: ago(300),
				Notes: scale.Notes{Evictions: []scale.Eviction{{At: ago(90_000), Instances: 9}, {At: ago(700), Instances: 2}, {At: ago(60), Instances: 1}}},
			},
			&scale.SpotView{QuietSeconds: 60, ChangedSeconds: 300, WholeSeconds: scale.Never, Evicted: 3},
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
			&scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never, WholeSeconds: scale.Never},
		},
		"Spot was short at the last read": {
			nil, live,
			scale.Memory{Account: &scale.Account{At: now, SpotShortAt: now, ServedSeconds: 99, SeenSeconds: 100}},
			&scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never, ServedSeconds: 99, SeenSeconds: 100},
		},
		"Spot has been whole since": {
			nil, facts,
			scale.Memory{Account: &scale.Account{At: ago(10), SpotShortAt: ago(400)}},
			&scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never, WholeSeconds: 400},
		},
		"what the floor follows moves no faster than it may": {
			&scale.SpotRisk{Replace: 15 * time.Minute, KeepPercent: 90, ConfidencePermille: 990, HourlyPermille: 900},
			live,
			scale.Memory{Account: &scale.Account{At: now, Pace: &scale.Pace{At: now, RateMicro: 145_000}}},
			&scale.SpotView{QuietSeconds: scale.Never, ChangedSeconds: scale.Never, WholeSeconds: scale.Never, RatePermille: 145, Floor: floor(6)},
		},
		"the rate is the published one, moved by one's own day: (0.2*100 + 12) / (100 + 24*5)": {
			&scale.SpotRisk{Replace: 15 * time.Minute, KeepPercent: 90, ConfidencePermille: 990, HourlyPermille: 200},
			live,
			scale.Memory{Notes: scale.Notes{Evictions: []scale.Eviction{{At: ago(3600), Instances: 12}}}},
			&scale.SpotView{QuietSeconds: 3600, ChangedSeconds: scale.Never, WholeSeconds: scale.Never, Evicted: 12, RatePermille: 145, Floor: floor(6)},
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

// Of a hundred machines 90 must stay. At a chance of 2.5 in a hundred two regular ones do, at 20 it takes more; evictions
// move the floor by no more than a tenth of the count in an hour, the size at once.
func TestEvictionsMoveTheFloorNoFasterThanItMay(t *testing.T) {
	risk := scale.SpotRisk{Replace: time.Hour, KeepPercent: 90, ConfidencePermille: 990, CorrelationPercent: 10, HourlyPermille: 25, ChangePercent: 10}
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	facts := func(n int) scale.Facts {
		return scale.Facts{Capacity: n, Spot: true, Live: &scale.Live{Instances: n, Spot: n}}
	}
	floor := func(p *scale.Pace, n int) int { return spot.Share(n, risk, float64(p.RateMicro)/1e6) }
	calm := &scale.Memory{}
	pace := spot.Paced(nil, risk, facts(100), calm, start)
	first := floor(pace, 100)
	stormy := &scale.Memory{Notes: scale.Notes{Evictions: []scale.Eviction{{At: start, Instances: 600}}}}
	free := spot.Share(100, risk, (0.025*100+600)/(100+2400))
	if free-first < 15 {
		t.Fatalf("the storm moves the floor from %d to %d only", first, free)
	}
	before := first
	for minute := 1; minute <= 60; minute++ {
		pace = spot.Paced(pace, risk, facts(100), stormy, at(minute))
		now := floor(pace, 100)
		if now < before || now-first > (minute*10)/60 {
			t.Fatalf("minute %d: the floor is %d, after %d and %d at first", minute, now, before, first)
		}
		before = now
	}
	if before-first < 8 {
		t.Errorf("within an hour it moved by %d only", before-first)
	}
	if twice := floor(pace, 200); twice <= before {
		t.Errorf("200 machines have a floor of %d, 100 one of %d", twice, before)
	}
	for minute := 61; minute <= 720; minute++ {
		pace = spot.Paced(pace, risk, facts(100), stormy, at(minute))
	}
	if got := floor(pace, 100); got != free {
		t.Errorf("in the end it is %d, want %d", got, free)
	}
	for minute := 721; minute <= 780; minute++ {
		pace = spot.Paced(pace, risk, facts(100), calm, at(minute))
	}
	if got := floor(pace, 100); free-got > 10 || got >= free {
		t.Errorf("it fell from %d to %d within an hour", free, got)
	}
	risk.ChangePercent = 100
	if got := spot.Paced(pace, risk, facts(100), calm, at(781)); got.RateMicro >= pace.RateMicro {
		t.Errorf("nothing holds it back, and it stays at %d", got.RateMicro)
	}
}

func TestDeallocatedSpotIsAbsent(t *testing.T) {
	risk := &scale.SpotRisk{Replace: 15 * time.Minute, KeepPercent: 90, ConfidencePermille: 990, HourlyPermille: 200, ChangePercent: 100}
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	there := scale.Facts{ReadAt: now, Capacity: 10, Spot: true, Live: &scale.Live{Instances: 10, Spot: 10}}
	// The platform counts ten, five of which are off.
	off := scale.Facts{ReadAt: now, Capacity: 10, Spot: true, Live: &scale.Live{Instances: 5, Spot: 5, Deallocated: 5}}
	gone := &scale.Memory{Drift: &scale.Drift{Seen: 5, Sure: 5}}
	all, half := spot.Look(risk, there, &scale.Memory{}, now), spot.Look(risk, off, gone, now)
	if half.Missing != 5 || all.Missing != 0 {
		t.Errorf("missing %d and %d, want 5 and 0", half.Missing, all.Missing)
	}
	if want := spot.Share(5, *risk, 0.2*100/(100+24*5)); *half.Floor != want {
		t.Errorf("the floor is %d, want that of five machines, %d", *half.Floor, want)
	}
}
