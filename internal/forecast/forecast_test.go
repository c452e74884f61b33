package forecast_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trimtab/internal/forecast"
	"trimtab/internal/scale"
)

var start = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)

func signal(change func(*scale.ForecastRule)) *scale.Signal {
	rule := &scale.ForecastRule{
		Method: scale.SeasonalNaive, Season: 24 * time.Hour, Slot: 30 * time.Minute, Lead: 30 * time.Minute, Quantile: 95,
	}
	if change != nil {
		change(rule)
	}
	return &scale.Signal{Name: "cpu", Resource: "/set", Metric: "percentage cpu", Forecast: rule}
}

// fill is a history of so many hours with a load for each slot.
func fill(t testing.TB, sig *scale.Signal, hours int, load func(at time.Time) (int64, bool)) *forecast.History {
	t.Helper()
	h := &forecast.History{}
	for at := start; at.Before(start.Add(time.Duration(hours) * time.Hour)); at = at.Add(sig.Forecast.Slot) {
		if n, ok := load(at); ok {
			h.Record(sig, []forecast.Point{{At: at, Width: sig.Forecast.Slot, Load: n}})
		}
	}
	return h
}

// day is a load that doubles at noon and halves at midnight, the same each day.
func day(at time.Time) (int64, bool) {
	hours := at.Sub(start).Hours()
	return 400_000 + int64(math.Round(200_000*math.Cos((hours-12)/24*2*math.Pi))), true
}

func TestALoadThatRepeatsItselfIsForecastExactly(t *testing.T) {
	now := start.Add(10*24*time.Hour + 6*time.Hour + 5*time.Minute)
	want, _ := day(now.Add(30 * time.Minute).Truncate(30 * time.Minute))
	for _, method := range []scale.Method{scale.SeasonalNaive, scale.HoltWinters} {
		t.Run(string(method), func(t *testing.T) {
			sig := signal(func(r *scale.ForecastRule) { r.Method = method })
			h := fill(t, sig, 10*24+6, day)
			f := h.Look(sig, now)
			// A whole number of thousandths may come out one beside it.
			if !f.Known || (int64(f.Load)-want)/2 != 0 || f.Margin > 2 || f.ErrorPermille != 0 || f.Tried < 300 {
				t.Errorf("got %+v, want a load of %d and no error", f, want)
			}
			if f.LeadSeconds != 1800 || f.HistoryHours < 10*24 {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestTheLevelOfTheLastHourMovesTheSeason(t *testing.T) {
	sig := signal(nil)
	today := start.Add(9 * 24 * time.Hour)
	h := fill(t, sig, 9*24+7, func(at time.Time) (int64, bool) {
		n, _ := day(at)
		if !at.Before(today) {
			n = n * 3 / 2
		}
		return n, true
	})
	now := today.Add(6*time.Hour + 40*time.Minute)
	usual, _ := day(today.Add(7 * time.Hour))
	if f := h.Look(sig, now); !f.Known || int64(f.Load)-usual*3/2 > 2 || usual*3/2-int64(f.Load) > 2 {
		t.Errorf("got %+v, want half as much again as %d", f, usual)
	}
}

func TestTheLevelHasItsBounds(t *testing.T) {
	sig := signal(nil)
	today := start.Add(9 * 24 * time.Hour)
	h := fill(t, sig, 9*24+7, func(at time.Time) (int64, bool) {
		if at.Before(today) {
			return 100_000, true
		}
		return 5_000_000, true
	})
	if f := h.Look(sig, today.Add(6*time.Hour+40*time.Minute)); f.Load != 200_000 {
		t.Errorf("got %+v, want no more than twice the day before", f)
	}
}

func TestTheMarginCoversTheQuantileOfPastErrors(t *testing.T) {
	// Every tenth day is half as high again: of the errors of twenty slots one is large.
	load := func(at time.Time) (int64, bool) {
		slot := int(at.Sub(start) / (30 * time.Minute))
		if slot%20 == 7 {
			return 150_000, true
		}
		return 100_000, true
	}
	// The season is no multiple of twenty slots, so that no forecast sees the spikes coming.
	for _, c := range []struct{ quantile, least, most int }{{50, 0, 0}, {100, 40_000, 60_000}} {
		sig := signal(func(r *scale.ForecastRule) { r.Quantile = c.quantile })
		f := fill(t, sig, 14*24, load).Look(sig, start.Add(14*24*time.Hour+time.Minute))
		if !f.Known || int(f.Margin) < c.least || int(f.Margin) > c.most {
			t.Errorf("quantile %d: got %+v, want a margin from %d to %d", c.quantile, f, c.least, c.most)
		}
		if f.ErrorPermille < 30 || f.ErrorPermille > 150 {
			t.Errorf("got an error of %d thousandths", f.ErrorPermille)
		}
	}
}

func TestAForecastSaysWhatItLacks(t *testing.T) {
	sig := signal(nil)
	weekly := signal(func(r *scale.ForecastRule) { r.Season = 7 * 24 * time.Hour })
	for name, c := range map[string]struct {
		signal *scale.Signal
		hours  int
		later  time.Duration
		load   func(time.Time) (int64, bool)
		want   string
	}{
		"no history":                        {sig, 0, 0, day, "no history yet"},
		"under seven days":                  {sig, 167, 0, day, "166 hours of history, and 168 are needed"},
		"a week for a season of a week":     {weekly, 7*24 + 1, 0, day, "168 hours of history, and 192 are needed"},
		"a history that ended hours ago":    {sig, 10 * 24, 5 * time.Hour, day, "the history ends too long ago"},
		"a history that has holes":          {sig, 10 * 24, 0, every(2), "239 of 478 slots of the history are measured, and three quarters are needed"},
		"the same time was never measured":  {sig, 10 * 24, 10 * time.Minute, without(0), "the same time of the seasons before was not measured"},
		"another definition of that signal": {&scale.Signal{Name: "cpu", Metric: "other", Forecast: sig.Forecast}, 10 * 24, 0, nil, "no history yet"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &forecast.History{}
			if c.load == nil {
				h = fill(t, sig, c.hours, day)
			} else if c.hours > 0 {
				h = fill(t, c.signal, c.hours, c.load)
			}
			f := h.Look(c.signal, start.Add(time.Duration(c.hours)*time.Hour+c.later))
			if f.Known || f.Why != c.want || f.Load != 0 {
				t.Errorf("got %+v, want %q", f, c.want)
			}
		})
	}
	if f := (&forecast.History{}).Look(&scale.Signal{Name: "cpu"}, start); f != nil {
		t.Errorf("got %+v for a signal that asks for none", f)
	}
}

// every leaves out all but one of so many slots.
func every(n int) func(time.Time) (int64, bool) {
	return func(at time.Time) (int64, bool) {
		return 100, int(at.Sub(start)/(30*time.Minute))%n == 0
	}
}

// without leaves out what lies within two hours from an hour of each day.
func without(hour int) func(time.Time) (int64, bool) {
	return func(at time.Time) (int64, bool) { return 100, at.Hour() < hour || at.Hour() >= hour+2 }
}

func TestEachSpanIsRecordedOnce(t *testing.T) {
	sig := signal(nil)
	h := fill(t, sig, 24, day)
	before := h.AppendTo(nil)
	again := []forecast.Point{{At: start.Add(3 * time.Hour), Width: time.Minute, Load: 1}, {At: start.Add(23*time.Hour + 20*time.Minute), Width: time.Minute, Load: 1}}
	if h.Record(sig, again) || !cmp.Equal(before, h.AppendTo(nil)) {
		t.Error("a span before the end of the last one changed the history")
	}
	if through := h.Through(sig); !through.Equal(start.Add(24 * time.Hour)) {
		t.Errorf("recorded through %v", through)
	}
	next := forecast.Point{At: start.Add(24 * time.Hour), Width: time.Minute, Load: 1}
	if !h.Record(sig, []forecast.Point{next}) || cmp.Equal(before, h.AppendTo(nil)) {
		t.Error("a further span changed nothing")
	}
}

func TestAHistoryIsBoundedAndSurvivesItsEncoding(t *testing.T) {
	sig := signal(func(r *scale.ForecastRule) { r.Season, r.Slot = 7*24*time.Hour, 15*time.Minute })
	h := fill(t, sig, 60*24, day)
	data := h.AppendTo(nil)
	if len(data) > 16<<10 {
		t.Errorf("%d bytes for one signal", len(data))
	}
	read, err := forecast.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(60 * 24 * time.Hour)
	if d := cmp.Diff(h.Look(sig, now), read.Look(sig, now)); d != "" || !cmp.Equal(data, read.AppendTo(nil)) {
		t.Errorf("read back: %s", d)
	}
	if f := read.Look(sig, now); f.HistoryHours != 22*24 {
		t.Errorf("%d hours are kept", f.HistoryHours)
	}
	if !read.Keep(nil) || read.Look(sig, now).Why != "no history yet" || read.Keep(nil) {
		t.Error("the history of a signal that is gone stays")
	}
}

func TestALongSilenceBeginsAnew(t *testing.T) {
	sig := signal(nil)
	h := fill(t, sig, 24, day)
	later := start.Add(400 * 24 * time.Hour)
	h.Record(sig, []forecast.Point{{At: later, Width: time.Minute, Load: 7}})
	if len(h.AppendTo(nil)) > 64 {
		t.Error("the gap is stored slot by slot")
	}
	if got := h.Through(sig); !got.Equal(later.Add(time.Minute)) {
		t.Errorf("recorded through %v", got)
	}
}

func FuzzParse(f *testing.F) {
	sig := signal(nil)
	f.Add([]byte{})
	f.Add(fill(f, sig, 48, day).AppendTo(nil))
	f.Add(fill(f, sig, 9*24, without(3)).AppendTo(nil))
	f.Add([]byte{1, 1, 3, 'c', 'p', 'u'})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := forecast.Parse(data)
		if err != nil {
			return
		}
		h.Look(sig, start.Add(240*time.Hour))
		h.Record(sig, []forecast.Point{{At: start.Add(240 * time.Hour), Width: time.Minute, Load: 5}})
		if _, err := forecast.Parse(h.AppendTo(nil)); err != nil {
			t.Errorf("what was written is not read: %v", err)
		}
	})
}

// BenchmarkLook forecasts from three weeks of half hours.
func BenchmarkLook(b *testing.B) {
	for _, method := range []scale.Method{scale.SeasonalNaive, scale.HoltWinters} {
		b.Run("method="+string(method), func(b *testing.B) {
			sig := signal(func(r *scale.ForecastRule) { r.Method, r.Season = method, 7*24*time.Hour })
			h := fill(b, sig, 22*24, day)
			now := start.Add(22*24*time.Hour + time.Minute)
			b.ReportAllocs()
			for b.Loop() {
				if f := h.Look(sig, now); !f.Known {
					b.Fatal(f.Why)
				}
			}
		})
	}
}
