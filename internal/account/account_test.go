package account_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/account"
	"trimtab/internal/scale"
)

var noon = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

// euro prices: 0.2 for a regular instance, 0.04 for a Spot one.
func priced(p scale.Period) *scale.Spending {
	return &scale.Spending{Period: p, Zone: time.UTC, RegularMicro: 200_000, SpotMicro: 40_000}
}

func pool(by *scale.Spending) *scale.Pool {
	return &scale.Pool{Rails: scale.Rails{Limits: scale.Limits{Min: 2, Max: 20}}, Spending: by}
}

// counted is a read with so many regular and Spot machines, and so many of the latter still coming up.
func counted(at time.Time, capacity, regular, interruptible, pending int) scale.Facts {
	return scale.Facts{
		ReadAt: at, Capacity: capacity, Spot: true, Mix: &scale.Mix{Base: regular},
		Live: &scale.Live{ReadAt: at, Instances: regular + interruptible, Regular: regular, Spot: interruptible, PendingSpot: pending},
	}
}

// walk keeps an account over reads.
func walk(p *scale.Pool, reads ...scale.Facts) *scale.Account {
	var a *scale.Account
	for _, f := range reads {
		a = account.Keep(a, account.Read{Pool: p, Facts: f, Memory: &scale.Memory{}})
	}
	return a
}

func TestWhatIsThereIsChargedByItsPrices(t *testing.T) {
	day := time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return day.Add(time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		by    *scale.Spending
		reads []scale.Facts
		// In millionths.
		spent, guessed int64
		unwatched      int64
	}{
		"ten minutes of two regular and five Spot: 0.6 an hour": {
			priced("day"), []scale.Facts{counted(at(0), 7, 2, 5, 0), counted(at(10), 7, 2, 5, 0)}, 100_000, 0, 0,
		},
		"a growth within the span is charged as if it had come at once": {
			priced("day"), []scale.Facts{counted(at(0), 7, 2, 5, 0), counted(at(10), 12, 2, 10, 0)}, 133_334, 0, 0,
		},
		"and a shrink as if it had come at the end": {
			priced("day"), []scale.Facts{counted(at(0), 12, 2, 10, 0), counted(at(10), 7, 2, 5, 0)}, 133_334, 0, 0,
		},
		"deallocated machines cost nothing": {
			priced("day"), []scale.Facts{counted(at(0), 7, 2, 0, 0), counted(at(10), 7, 2, 0, 0)}, 66_667, 0, 0,
		},
		"without a count the nominal one and the mix": {
			priced("day"),
			[]scale.Facts{{ReadAt: at(0), Capacity: 7, Mix: &scale.Mix{Base: 2}}, {ReadAt: at(10), Capacity: 7, Mix: &scale.Mix{Base: 2}}},
			100_000, 0, 0,
		},
		"a set of Spot machines alone": {
			priced("day"), []scale.Facts{{ReadAt: at(0), Capacity: 6, Spot: true}, {ReadAt: at(10), Capacity: 6, Spot: true}}, 40_000, 0, 0,
		},
		"what came before the first look is guessed": {
			priced("day"), []scale.Facts{counted(at(60), 7, 2, 5, 0)}, 600_000, 600_000, 3600,
		},
		"a gap of an hour is charged, and guessed": {
			priced("day"), []scale.Facts{counted(at(0), 7, 2, 5, 0), counted(at(60), 5, 0, 5, 0)}, 600_000, 600_000, 3600,
		},
		"a day begins anew at midnight": {
			priced("day"), []scale.Facts{counted(at(-10), 7, 2, 5, 0), counted(at(-5), 7, 2, 5, 0), counted(at(5), 7, 2, 5, 0)}, 50_000, 0, 0,
		},
		"a read at the same instant changes nothing": {
			priced("day"), []scale.Facts{counted(at(0), 7, 2, 5, 0), counted(at(10), 7, 2, 5, 0), counted(at(10), 7, 2, 5, 0)}, 100_000, 0, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := account.Look(c.by, walk(pool(c.by), c.reads...))
			if v.SpentMicro != c.spent || v.GuessedMicro != c.guessed || v.UnwatchedSeconds != c.unwatched {
				t.Errorf("spent %d, guessed %d over %d s; want %d, %d, %d", v.SpentMicro, v.GuessedMicro, v.UnwatchedSeconds, c.spent, c.guessed, c.unwatched)
			}
		})
	}
}

func TestAPeriodIsOfTheCalendarInItsZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		parsed, err := time.ParseInLocation("2006-01-02 15:04", s, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for name, c := range map[string]struct {
		period   scale.Period
		now      string
		from, to string
	}{
		"a month":                            {"month", "2026-02-28 23:59", "2026-02-01 00:00", "2026-03-01 00:00"},
		"the month in which an hour is lost": {"month", "2026-03-31 12:00", "2026-03-01 00:00", "2026-04-01 00:00"},
		"a week begins on Monday":            {"week", "2026-11-08 10:00", "2026-11-02 00:00", "2026-11-09 00:00"},
		"a Monday":                           {"week", "2026-11-09 00:00", "2026-11-09 00:00", "2026-11-16 00:00"},
		"a day of twenty-five hours":         {"day", "2026-10-25 12:00", "2026-10-25 00:00", "2026-10-26 00:00"},
		"the last day of a year":             {"day", "2026-12-31 12:00", "2026-12-31 00:00", "2027-01-01 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			by := scale.Spending{Period: c.period, Zone: berlin}
			from, to := by.Span(at(c.now))
			if !from.Equal(at(c.from)) || !to.Equal(at(c.to)) {
				t.Errorf("from %s to %s", from.In(berlin), to.In(berlin))
			}
		})
	}
}

func TestTheAvailabilityIsOfWatchedTime(t *testing.T) {
	p := pool(nil)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		reads        []scale.Facts
		served, seen int64
	}{
		"the minimum is up throughout":         {[]scale.Facts{counted(at(0), 3, 1, 2, 0), counted(at(10), 3, 1, 2, 1)}, 600, 600},
		"it is not up at the end of the span":  {[]scale.Facts{counted(at(0), 3, 1, 2, 0), counted(at(10), 3, 1, 0, 0)}, 0, 600},
		"what is coming up does not serve":     {[]scale.Facts{counted(at(0), 3, 1, 2, 2), counted(at(10), 3, 1, 2, 2)}, 0, 600},
		"a span of an hour was not watched":    {[]scale.Facts{counted(at(0), 3, 1, 2, 0), counted(at(60), 3, 1, 2, 0)}, 0, 0},
		"nor was one where nobody counted":     {[]scale.Facts{counted(at(0), 3, 1, 2, 0), {ReadAt: at(10), Capacity: 3}}, 0, 0},
		"two good spans and a bad one between": {[]scale.Facts{counted(at(0), 2, 0, 2, 0), counted(at(10), 2, 0, 2, 0), counted(at(15), 2, 0, 1, 0), counted(at(20), 2, 0, 2, 0), counted(at(30), 2, 0, 2, 0)}, 1200, 1800},
	} {
		t.Run(name, func(t *testing.T) {
			a := walk(p, c.reads...)
			if a.ServedSeconds != c.served || a.SeenSeconds != c.seen {
				t.Errorf("served %d of %d, want %d of %d", a.ServedSeconds, a.SeenSeconds, c.served, c.seen)
			}
		})
	}
	old := &scale.Account{At: noon, Counted: true, Up: true, ServedSeconds: 28*86400 - 600, SeenSeconds: 28*86400 - 600}
	a := account.Keep(old, account.Read{Pool: p, Facts: counted(at(10), 3, 1, 2, 0), Memory: &scale.Memory{}})
	if a.ServedSeconds != 14*86400 || a.SeenSeconds != 14*86400 {
		t.Errorf("four weeks weigh %d of %d, want half", a.ServedSeconds, a.SeenSeconds)
	}
	if old.SeenSeconds != 28*86400-600 {
		t.Error("the old account was changed")
	}
}

func TestThePairIsCountedTogetherOrNotAtAll(t *testing.T) {
	p := pool(nil)
	one := counted(noon, 1, 1, 0, 0)
	for name, c := range map[string]struct {
		other   *scale.Live
		counted bool
		up      bool
	}{
		"both make up the minimum":  {&scale.Live{Instances: 1, Spot: 1}, true, true},
		"one of two":                {&scale.Live{}, true, false},
		"the other was not counted": {nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := account.Keep(nil, account.Read{Pool: p, Facts: one, Memory: &scale.Memory{}, Paired: true, Other: c.other})
			if a.Counted != c.counted || a.Up != c.up {
				t.Errorf("counted %t, up %t", a.Counted, a.Up)
			}
		})
	}
	by := priced("day")
	spent := func(micro int64) *scale.Account {
		return &scale.Account{At: noon, Spent: &scale.Spent{From: noon, To: noon.Add(time.Hour), Sum: micro * 3600, RateMicro: 7}}
	}
	want := &scale.SpendingView{Known: true, SpentMicro: 30, RemainingSeconds: 3600, PeriodSeconds: 3600, RateMicro: 14, RegularMicro: 200_000, SpotMicro: 40_000}
	if diff := cmp.Diff(want, account.Look(by, spent(10), spent(20))); diff != "" {
		t.Error(diff)
	}
	if v := account.Look(by, spent(10), nil); v.Known {
		t.Error("half of the account is taken for all of it")
	}
	if account.Look(nil, spent(10)) != nil {
		t.Error("an account without prices")
	}
}

func TestSpotIsShortWhereAMachineThatWasAskedForIsNotUp(t *testing.T) {
	for name, c := range map[string]struct {
		facts scale.Facts
		short bool
	}{
		"all are up":                {counted(noon, 10, 4, 6, 0), false},
		"one is gone":               {counted(noon, 10, 4, 5, 0), true},
		"one is still coming up":    {counted(noon, 10, 4, 6, 1), true},
		"nobody has counted":        {scale.Facts{ReadAt: noon, Capacity: 10, Spot: true}, false},
		"a set of Spot alone":       {scale.Facts{ReadAt: noon, Capacity: 10, Spot: true, Live: &scale.Live{Instances: 9, Spot: 9}}, true},
		"a set of regular machines": {scale.Facts{ReadAt: noon, Capacity: 10, Live: &scale.Live{Instances: 9, Regular: 9}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if a := walk(pool(nil), c.facts); a.SpotShortAt.IsZero() == c.short {
				t.Errorf("short at %v", a.SpotShortAt)
			}
		})
	}
}

func TestMachinesThatAreParkedAreNeitherPaidForNorShort(t *testing.T) {
	parked := &scale.Memory{Parked: []scale.Parked{{Name: "a", Off: true}, {Name: "b", Spot: true, Off: true}, {Name: "c", Spot: true, Off: true}, {Name: "d"}}}
	for name, c := range map[string]struct {
		facts scale.Facts
		// rate is in millionths an hour.
		rate int64
	}{
		"a mix that nobody counted":  {scale.Facts{ReadAt: noon, Capacity: 10, Spot: true, Mix: &scale.Mix{Base: 4}}, 3*200_000 + 4*40_000},
		"Spot that nobody counted":   {scale.Facts{ReadAt: noon, Capacity: 10, Spot: true}, 7 * 40_000},
		"regular ones likewise":      {scale.Facts{ReadAt: noon, Capacity: 10}, 7 * 200_000},
		"a mix that was counted":     {counted(noon, 7, 3, 4, 0), 3*200_000 + 4*40_000},
		"counted beside the nominal": {func() scale.Facts { f := counted(noon, 10, 4, 4, 0); f.Live.Regular = 3; return f }(), 3*200_000 + 4*40_000},
	} {
		t.Run(name, func(t *testing.T) {
			a := account.Keep(nil, account.Read{Pool: pool(priced("day")), Facts: c.facts, Memory: parked})
			if a.Spent.RateMicro != c.rate || !a.SpotShortAt.IsZero() {
				t.Errorf("%d an hour, short at %v; want %d, and never", a.Spent.RateMicro, a.SpotShortAt, c.rate)
			}
		})
	}
}
