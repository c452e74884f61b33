package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// settledWorld is a world whose pools have had a batch each and some sweeps after it.
func settledWorld(t *testing.T, l *listening, pools ...scale.Pool) (*world, *engine.Engine) {
	t.Helper()
	w := newWorld(t, pools...)
	for _, p := range pools {
		if p.SpotScaleSet != "" {
			w.sets[p.SpotScaleSet] = &set{capacity: 4, generation: 1, state: "Succeeded", ops: make(map[int]*operation)}
		}
	}
	w.policy = l
	e := w.engine()
	for i, p := range pools {
		ingest(t, e, w.minutes(p.Name, 0, 1+10*i, 3, 60))
	}
	// So many that facts have just been read again.
	sweepOn(t, w, e, 7)
	return w, e
}

// step is the time between two sweeps: more than a sweep leaves any pool alone for.
const step = 50 * time.Second

func sweepOn(t *testing.T, w *world, e *engine.Engine, n int) {
	t.Helper()
	for range n {
		w.advance(step)
		if _, err := e.Sweep(t.Context(), "timer"); err != nil && w.away == nil {
			t.Fatal(err)
		}
	}
}

// rests holds that n sweeps do not evaluate a pool.
func rests(t *testing.T, w *world, e *engine.Engine, l *listening, pool string, n int) {
	t.Helper()
	before := l.of[pool]
	if sweepOn(t, w, e, n); l.of[pool] != before {
		t.Fatalf("%s was evaluated %d times by %d sweeps over what stood still", pool, l.of[pool]-before, n)
	}
}

// wakes holds that the next sweep evaluates a pool.
func wakes(t *testing.T, w *world, e *engine.Engine, l *listening, pool, why string) {
	t.Helper()
	before := l.of[pool]
	if sweepOn(t, w, e, 1); l.of[pool] == before {
		t.Errorf("%s, and a sweep did not evaluate %s", why, pool)
	}
}

// said puts a member's row into the group west.
func said(t *testing.T, w *world, member string, at time.Time, present int) {
	t.Helper()
	s, err := w.ledger.Load(t.Context(), scale.GroupKey("west"))
	if err != nil {
		t.Fatal(err)
	}
	row := scale.StoredWindow{Source: member}
	for _, old := range s.Windows {
		if old.Source == member {
			row.Version = old.Version
		}
	}
	if row.Data, err = json.Marshal(map[string]any{"at": at, "present": present, "wanted": present}); err != nil {
		t.Fatal(err)
	}
	if err := w.ledger.Commit(t.Context(), scale.GroupKey("west"), scale.Commit{Attempt: "s", Windows: []scale.StoredWindow{row}}); err != nil {
		t.Fatal(err)
	}
}

func grouped(name string) scale.Pool {
	p := webPool(name)
	p.Rails.StabilisationSeconds = 0
	p.Groups = []scale.Membership{{Group: "west", VCPUs: 4}}
	return p
}

func TestAPoolOfAGroupRestsUntilANeighbourSaysSomethingElse(t *testing.T) {
	alone := func(t *testing.T) (*world, *engine.Engine, *listening) {
		l := &listening{}
		w, e := settledWorld(t, l, grouped("web"), grouped("api"))
		// From here on the neighbour says nothing of its own.
		w.away = map[string]bool{"api": true}
		return w, e, l
	}
	t.Run("another count", func(t *testing.T) {
		w, e, l := alone(t)
		rests(t, w, e, l, "web", 2)
		said(t, w, "api", w.clock(), 20)
		wakes(t, w, e, l, "web", "the neighbour said something else")
		rests(t, w, e, l, "web", 1)
	})
	t.Run("nothing for a quarter of an hour", func(t *testing.T) {
		w, e, l := alone(t)
		said(t, w, "api", w.clock().Add(-15*time.Minute+4*step-10*time.Second), 30)
		wakes(t, w, e, l, "web", "the neighbour said something else")
		rests(t, w, e, l, "web", 2)
		wakes(t, w, e, l, "web", "the neighbour has turned silent")
	})
}

func TestAPoolOfAGroupTellsTheOthersThatItIsThere(t *testing.T) {
	l := &listening{}
	w, e := settledWorld(t, l, grouped("web"), grouped("api"))
	for range 24 {
		sweepOn(t, w, e, 1)
		s, err := w.ledger.Load(t.Context(), scale.GroupKey("west"))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range s.Windows {
			var m struct{ At time.Time }
			if err := json.Unmarshal(row.Data, &m); err != nil || w.clock().Sub(m.At) > 11*time.Minute {
				t.Fatalf("%s was last heard %v ago (%v)", row.Source, w.clock().Sub(m.At), err)
			}
		}
	}
	if n := l.of["web"]; n > 16 {
		t.Errorf("evaluated %d times by 31 sweeps over what stood still", n)
	}
}

func TestACandidateBesideRestsWithItsPool(t *testing.T) {
	trying := func(decides bool) scale.Pool {
		p := webPool("web")
		p.Rails.StabilisationSeconds = 0
		p.Mode, p.Candidate = scale.Observe, &scale.Candidate{Policy: "next", Decides: decides}
		return p
	}
	t.Run("nothing of either moves", func(t *testing.T) {
		l := &listening{}
		w, e := settledWorld(t, l, trying(false))
		rests(t, w, e, l, "web", 2)
	})
	t.Run("one that decides, with a score that stands still", func(t *testing.T) {
		l := &listening{}
		w, e := settledWorld(t, l, trying(true))
		rests(t, w, e, l, "web", 2)
	})
	t.Run("one that decides, and meets a rail each time", func(t *testing.T) {
		l := &listening{beside: func(p *scale.Proposal) { p.Instances = 1 }}
		w := newWorld(t, trying(true))
		w.policy = l
		e := w.engine()
		ingest(t, e, w.minutes("web", 0, 1, 3, 60))
		for range 2 {
			wakes(t, w, e, l, "web", "its score moved")
		}
	})
	for name, l := range map[string]*listening{
		"the candidate hears the clock": {candidateHears: true},
		"the candidate is at fault":     {beside: func(p *scale.Proposal) { p.Fault = "broken" }},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := settledWorld(t, l, trying(false))
			wakes(t, w, e, l, "web", name)
		})
	}
	t.Run("an edge of the candidate's alone", func(t *testing.T) {
		l := &listening{beside: func(p *scale.Proposal) { p.Blend = &scale.Blend{ReturnSeconds: 200} }}
		w, e := settledWorld(t, l, trying(false))
		remembering(func(m *scale.Memory, now time.Time) {
			m.SpotShort = &scale.Shortage{At: now.Add(-time.Hour), Until: now.Add(-80 * time.Second)}
		})(t, w, e, l)
		rests(t, w, e, l, "web", 2)
		wakes(t, w, e, l, "web", "what stands in for Spot may go back")
	})
}

func TestAPoolThatLooksAheadRestsUntilTheNextStep(t *testing.T) {
	for name, tc := range map[string]struct{ start, lead time.Duration }{
		"the present enters another slot":    {57*time.Minute + 30*time.Second, time.Hour},
		"the lead's end enters another slot": {37*time.Minute + 30*time.Second, 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			p, l := webPool("web"), &listening{}
			p.Signals[0].Forecast = &scale.ForecastRule{Method: scale.SeasonalNaive, Season: 24 * time.Hour, Slot: time.Hour, Lead: tc.lead, Quantile: 90}
			w := newWorld(t, p)
			w.policy = l
			w.advance(tc.start)
			e := w.engine()
			ingest(t, e, w.minutes("web", 0, 1, 3, 60))
			rests(t, w, e, l, "web", 2)
			wakes(t, w, e, l, "web", name)
		})
	}
}

func TestAPoolWhoseHistoryWasJustWrittenIsAskedAgain(t *testing.T) {
	p, l := webPool("web"), &listening{}
	p.Signals[0].Forecast = &scale.ForecastRule{Method: scale.SeasonalNaive, Season: 24 * time.Hour, Slot: time.Hour, Lead: time.Hour, Quantile: 90}
	p.Signals[0].Window = 8 * time.Minute
	w := newWorld(t, p)
	w.policy = l
	e := w.engine()
	written, last := 0, ""
	for i := range 20 {
		ingest(t, e, w.minutes("web", 0, 1+i, 1, 60))
		s, err := w.ledger.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range s.Windows {
			if row.Source != scale.HistorySource || row.Version == last {
				continue
			}
			last = row.Version
			if written++; !s.Control.RestUntil.IsZero() {
				t.Errorf("minute %d: the history was written, and the pool rests until %v", i, s.Control.RestUntil)
			}
		}
		w.advance(time.Minute)
	}
	if written == 0 {
		t.Error("the history was never written")
	}
}

func TestTheSetsOfAPairRestUntilTheOtherMoves(t *testing.T) {
	pair := webPool("web")
	pair.Rails.StabilisationSeconds = 0
	pair.SpotScaleSet = setID + "cheap"
	for name, tc := range map[string]struct {
		of, moved string
		change    func(*scale.Control, time.Time)
		// then are the sweeps after it: a letter each, e for one that evaluates, r for one that does not.
		then string
	}{
		"the Spot set has another count":    {"web/" + string(scale.RoleRegular), "web" + scale.SpotSuffix, func(c *scale.Control, _ time.Time) { c.Facts.Capacity++ }, ""},
		"the regular set has another count": {"web/" + string(scale.RoleSpot), "web", func(c *scale.Control, _ time.Time) { c.Facts.Capacity++ }, ""},
		"a change of the Spot set is under way": {"web/" + string(scale.RoleRegular), "web" + scale.SpotSuffix, func(c *scale.Control, now time.Time) {
			n := c.Facts.Capacity + 2
			c.Intent = &scale.Intent{
				Direction: scale.Grow, To: scale.Capacity{Instances: n}, Stage: scale.StageAccepted, Token: setID + "cheap#1",
				StartedAt: now, PollAt: now.Add(time.Hour), LeaseUntil: now.Add(time.Hour),
			}
		}, "ee"},
		"the pool is ordered to hold": {"web/" + string(scale.RoleSpot), "web", func(c *scale.Control, now time.Time) {
			c.Orders.Freeze = &scale.Order{At: now, Until: now.Add(time.Hour)}
		}, ""},
		"Spot is short": {"web/" + string(scale.RoleRegular), "web" + scale.SpotSuffix, func(c *scale.Control, now time.Time) {
			c.Memory.SpotShort = &scale.Shortage{At: now, Until: now.Add(130 * time.Second)}
		}, "re"},
		"the Spot set was read long ago": {"web/" + string(scale.RoleRegular), "web" + scale.SpotSuffix, func(c *scale.Control, now time.Time) {
			c.Facts.ReadAt = now.Add(-170 * time.Second)
		}, "re"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &listening{}
			w, e := settledWorld(t, l, pair)
			rests(t, w, e, l, tc.of, 1)
			s, err := w.ledger.Load(t.Context(), tc.moved)
			if err != nil {
				t.Fatal(err)
			}
			c := s.Control
			tc.change(&c, w.clock())
			if err := w.ledger.Commit(t.Context(), tc.moved, scale.Commit{Attempt: "m", Control: &c, ControlVersion: s.ControlVersion}); err != nil {
				t.Fatal(err)
			}
			wakes(t, w, e, l, tc.of, name)
			for _, letter := range tc.then {
				if letter == 'e' {
					wakes(t, w, e, l, tc.of, name+", later")
				} else {
					rests(t, w, e, l, tc.of, 1)
				}
			}
		})
	}
}
