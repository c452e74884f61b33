package main

import (
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

// corridors are the rows of our own hedge in the production corridor, with its rails and Azure's scale sets, on the same
// zones: one change at a time, no choice of zone, and a mix that steers only what is made next.
func (s *setup) corridors() ([]row, error) {
	const group = "The hedged mix of our library in the production corridor, same service and zones"
	hedged, err := own(s.ctx, "hedged")
	if err != nil {
		return nil, err
	}
	r, err := replay.ClosedLoop(s.ctx, replay.Options{
		Policies: []replay.Policy{hedged}, Baselines: []string{"static_peak"}, Traces: []*trace.Series{corridorDay()}, World: s.corridorWorld(),
		Seeds: s.days, First: s.seed, Workers: runtime.GOMAXPROCS(0), NoSeries: true,
	})
	if err != nil {
		return nil, err
	}
	ours := r.Summaries[0].Values
	available, cost := ours["availability"].Mean, ours["cost"].Mean/(dearer*target*ticks*tick.Hours())*100
	return []row{
		{group, "availability", "%", "100", 100, available, 99, 100, "at least that of SpotHedge, 99"},
		{group, "cost of on-demand", "%", "45", 45, cost, 44, 50, "that of SpotHedge, 44 to 50"},
	}, nil
}

// corridorWorld is SkyServe's world: the zones, the tick, the cold start and the prices.
func (s *setup) corridorWorld() replay.World {
	world := replay.DefaultWorld().WithSpot(s.spot23)
	world.StepSeconds, world.Capacity, world.ObjectivePercent, world.StartInstances = int(tick/time.Second), 1, 100, target
	// The paper's simulator orders in the tick of a loss; here the loss is heard of at the end of the step, which counts
	// into the cold start. Evicted machines stay in the nominal count, as they do on Flexible sets in the field.
	cold := ((coldStart - 1) * tick).Seconds()
	world.Spot.EvictionLowers = false
	world.Boot, world.StartSeconds, world.DeleteSeconds = replay.Span{MedianSeconds: cold, P95Seconds: cold, MaxSeconds: cold}, 0, 0
	world.Prices = replay.Prices{Regular: dearer, Spot: 1, Currency: "of one Spot instance"}
	return world
}
