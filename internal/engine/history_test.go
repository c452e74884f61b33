package engine_test

import (
	"math"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/forecast"
	"trimtab/internal/scale"
)

// forecastPool is a pool that watches, with a signal whose history is kept.
func forecastPool() scale.Pool {
	p := webPool("web")
	p.Mode = scale.Observe
	s := &p.Signals[0]
	s.Window, s.Bucket, s.StaleAfter = 40*time.Minute, 10*time.Minute, time.Hour
	s.Forecast = &scale.ForecastRule{
		Method: scale.SeasonalNaive, Season: 24 * time.Hour, Slot: 30 * time.Minute, Lead: time.Hour, Quantile: 95,
	}
	return p
}

// load is the processor's at an instant: the same each day, highest at noon.
func load(at time.Time) float64 {
	return math.Round(50 - 30*math.Cos(2*math.Pi*float64(at.Hour()*60+at.Minute())/1440))
}

func TestAForecastGrowsOutOfTheWindowsAndNothingIsCountedTwice(t *testing.T) {
	w := newWorld(t, forecastPool())
	first, second := w.engine(), w.engine()
	sequence := 0
	for range 9 * 24 * 3 {
		w.advance(20 * time.Minute)
		b := engine.Batch{Invocation: "i"}
		for i := -2; i < 0; i++ {
			at := w.clock().Truncate(10 * time.Minute).Add(time.Duration(i) * 10 * time.Minute)
			sequence++
			b.Events = append(b.Events, w.event("web", 0, sequence, at, load(at)))
		}
		// Every batch comes twice, at two processes.
		for _, e := range []*engine.Engine{first, second} {
			if _, err := e.Ingest(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	entry := w.entries("web")[0]
	f := entry.View.Signals["cpu"].Forecast
	if f == nil || !f.Known || f.HistoryHours < 8*24 {
		t.Fatalf("got %+v", f)
	}
	// Ten instances bear the load; the highest of the coming hour is asked for.
	highest := max(load(w.clock()), load(w.clock().Add(30*time.Minute)), load(w.clock().Add(time.Hour)))
	if want := highest * 10_000; math.Abs(float64(f.Load)-want) > want/10 {
		t.Errorf("got a load of %d, want about %.0f", f.Load, want)
	}
	if f.ErrorPermille > 20 || f.Tried < 300 {
		t.Errorf("the load repeats itself, and the forecast errs: %+v", f)
	}
}

func TestADamagedHistoryIsBegunAnew(t *testing.T) {
	p := forecastPool()
	w := newWorld(t, p)
	damaged := scale.StoredWindow{Source: scale.HistorySource, Data: []byte{99, 1, 2}}
	if err := w.ledger.Commit(t.Context(), "web", scale.Commit{Attempt: "a", Windows: []scale.StoredWindow{damaged}}); err != nil {
		t.Fatal(err)
	}
	e := w.engine()
	for i := range 6 {
		w.advance(10 * time.Minute)
		at := w.clock().Add(-10 * time.Minute)
		b := engine.Batch{Invocation: "i", Events: []engine.Event{w.event("web", 0, i+1, at, 50)}}
		if _, err := e.Ingest(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if f := w.entries("web")[0].View.Signals["cpu"].Forecast; f == nil || f.Known || f.Why == "" {
		t.Errorf("got %+v", f)
	}
	stored, err := w.ledger.Load(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stored.Windows {
		if s.Source != scale.HistorySource {
			continue
		}
		h, err := forecast.Parse(s.Data)
		if err != nil || h.Through(&p.Signals[0]).IsZero() {
			t.Errorf("the history was not begun anew: %v", err)
		}
		return
	}
	t.Error("there is no history")
}
