package main

import (
	"fmt"
	"runtime"
	"time"

	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
)

// corridorDay is the load of the service: the target, for a day.
func corridorDay() *trace.Series {
	s := &trace.Series{
		Name: "three replicas", Origin: "constant", Start: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC), Step: tick,
		Values: make([]float64, ticks),
	}
	for i := range s.Values {
		s.Values[i] = target
	}
	return s
}

// duel is our own hedge beside SpotHedge, each run from the same start.
type duel struct{ ours, theirs []outcome }

// duels lets the hedged mix of our library with its shipped defaults run in the production corridor, with the default
// rails and Azure's scale sets: one change at a time, no choice of zone, and a mix that steers only what is made next.
// SpotHedge begins at the same instants of the same availability, and like it with the target in service on demand.
func (s *setup) duels(world replay.World, runs int) (*duel, error) {
	hedged, err := own(s.ctx, "hedged")
	if err != nil {
		return nil, err
	}
	r, err := replay.ClosedLoop(s.ctx, replay.Options{
		Policies: []replay.Policy{hedged}, Baselines: []string{}, Traces: []*trace.Series{corridorDay()}, World: world,
		Seeds: runs, First: s.seed, Workers: runtime.GOMAXPROCS(0), NoSeries: true,
	})
	if err != nil {
		return nil, err
	}
	d := &duel{}
	for i := range r.Runs {
		run := &r.Runs[i]
		if len(run.Faults) > 0 {
			return nil, fmt.Errorf("pool hedged: %v", run.Faults)
		}
		d.ours = append(d.ours, outcome{run.Values["availability"], run.Values["cost"] / (dearer * target * ticks * tick.Hours()) * 100})
		market, offset := world.SpotFrom(ticks*tick, run.Seed)
		d.theirs = append(d.theirs, serveFrom(market, offset, run.Seed))
	}
	return d, nil
}

// means are those of the runs of which keep says so.
func (d *duel) means(keep func(i int) bool) (ours, theirs outcome) {
	n := 0.0
	for i := range d.ours {
		if keep(i) {
			n++
			ours.available, ours.cost = ours.available+d.ours[i].available, ours.cost+d.ours[i].cost
			theirs.available, theirs.cost = theirs.available+d.theirs[i].available, theirs.cost+d.theirs[i].cost
		}
	}
	return outcome{round(ours.available / n), round(ours.cost / n)}, outcome{round(theirs.available / n), round(theirs.cost / n)}
}

// corridorWorld is SkyServe's world: the zones, the tick, the cold start and the prices.
func (s *setup) corridorWorld() replay.World {
	world := replay.DefaultWorld().WithSpot(s.spot23)
	world.StepSeconds, world.Capacity, world.ObjectivePercent, world.StartInstances = int(tick/time.Second), 1, 100, target
	// The paper's simulator orders in the tick of a loss; here the loss is heard of at the end of the step, which counts
	// into the cold start, and nobody is warned. Evicted machines stay in the nominal count, as they do on Flexible sets in the field.
	cold := ((coldStart - 1) * tick).Seconds()
	world.Spot.EvictionLowers, world.Spot.NoticeSeconds = false, 0
	world.Boot, world.StartSeconds, world.DeleteSeconds = replay.Span{MedianSeconds: cold, P95Seconds: cold, MaxSeconds: cold}, 0, 0
	world.Prices = replay.Prices{Regular: dearer, Spot: 1, Currency: "of one Spot instance"}
	return world
}

// corridors are the rows of our own hedge beside SpotHedge: what SpotHedge gives is what is published there. Half of the
// starts chose the defaults, the other half is held out.
func (s *setup) corridors() ([]row, error) {
	world := s.corridorWorld()
	d, err := s.duels(world, s.days)
	if err != nil {
		return nil, err
	}
	group := fmt.Sprintf("Shipped defaults of our hedged mix and of the rails in the production corridor, beside SpotHedge from the same %d starts; published: SpotHedge there", s.days)
	rows := d.rows(group, "all starts", func(int) bool { return true })
	half := d.rows(group, "starts held out", func(i int) bool { return i%2 == 1 })
	half[0].low, half[0].why = round(half[0].low-0.05), "within 0.05 of SpotHedge, or above: half the starts say half as much"
	rows = append(rows, half...)
	var worse, far float64
	for i := range d.ours {
		short := d.theirs[i].available - d.ours[i].available
		far = max(far, short)
		if short > apart {
			worse += 100 / float64(len(d.ours))
		}
	}
	rows = append(rows,
		row{group, fmt.Sprintf("starts with availability more than %g points lower", apart), "%", "", 0, round(worse), 0, 20, "not much worse start by start"},
		row{group, "largest availability lost on a start", "points", "", 0, round(far), 0, 1, "not much worse start by start"})
	for _, m := range markets {
		w := world
		w.Spot.Model, w.Spot.Count, w.Spot.UpHours, w.Spot.DownHours = "markov", m.zones, m.up, m.down
		d, err := s.duels(w, max(1, s.days/4))
		if err != nil {
			return nil, err
		}
		group := fmt.Sprintf("The same where each of %d zones has Spot for %g hours and none for %g, drawn; published: SpotHedge there", m.zones, m.up, m.down)
		rows = append(rows, d.drawn(group, m.dearer)...)
	}
	return rows, nil
}

// apart is how many points of availability are a difference: an incident of one cold start on a day.
const apart = 0.15

// markets are invented availabilities on which the defaults must not be much worse either. Where each zone goes every few
// hours the hedge is wary all day and pays for a zone's worth of machines: dearer is how many points of cost that may be.
var markets = []struct {
	zones    int
	up, down float64
	dearer   float64
}{{3, 24, 2, 1}, {4, 2, 1, 5}, {3, 6, 2, 0}}

func (d *duel) rows(group, which string, keep func(i int) bool) []row {
	ours, theirs := d.means(keep)
	at := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	return []row{
		{group, which + ": availability", "%", at(theirs.available), theirs.available, ours.available, theirs.available, 100, "at least that of SpotHedge"},
		{group, which + ": cost of on-demand", "%", at(theirs.cost), theirs.cost, ours.cost, 33, theirs.cost, "no more than that of SpotHedge"},
	}
}

// drawn are the rows on an invented market.
func (d *duel) drawn(group string, dearer float64) []row {
	rows := d.rows(group, "drawn", func(int) bool { return true })
	rows[0].low, rows[0].why = round(rows[0].value-0.1), "within 0.1 of SpotHedge, or above"
	rows[1].high, rows[1].why = round(rows[1].value+dearer), fmt.Sprintf("at most %g above SpotHedge", dearer)
	return rows
}
