package main

import (
	"math/rand/v2"
	"time"

	"trimtab/internal/replay/trace"
)

// The set-up of SkyServe's simulator (Mao and others, EuroSys 2025, artefact): a constant target, ticks of 30 seconds
// for a day, a cold start of four ticks, Spot at a third of the regular price.
const (
	tick      = 30 * time.Second
	ticks     = 2880
	coldStart = 4
	target    = 3
	dearer    = 3.0
)

// replica is one Spot instance; age is the number of ticks for which it has been in the plan.
type replica struct{ zone, age int }

// service is one run of the simulator with one way of placing replicas.
type service struct {
	spot    *trace.Spot
	offset  time.Duration
	draw    *rand.Rand
	plan    []replica
	regular []int
	// extra is how many Spot replicas are ordered above the target; hedged is true when regular ones stand in.
	extra  int
	hedged bool
	// tried counts the replicas that each zone was asked for in this tick and did not have.
	tried map[int]int
	// lost are the zones that took a replica away, for SpotHedge; next is the zone whose turn it is, for round robin.
	lost map[int]bool
	next int
	// place gives the zone of one missing replica.
	place func(s *service) int
}

// outcome is what a run came to: the share of ticks with the target reached, and cost over that of the target on demand.
type outcome struct{ available, cost float64 }

func (s *service) up(zone, t int) bool { return s.spot.At(zone, s.offset+time.Duration(t)*tick) > 0 }

func (s *service) in(zone int) (n int) {
	for _, r := range s.plan {
		if r.zone == zone {
			n++
		}
	}
	return n
}

// evenSpread fills the emptiest zone, in a fixed order.
func evenSpread(s *service) int {
	best := 0
	for z := range s.spot.Zones {
		if s.in(z)+s.tried[z] < s.in(best)+s.tried[best] {
			best = z
		}
	}
	return best
}

// roundRobin tries the next zone with each missing replica.
func roundRobin(s *service) int {
	z := s.next
	s.next = (s.next + 1) % len(s.spot.Zones)
	return z
}

// spotHedge takes an active zone without a replica, else any active one, drawn.
func spotHedge(s *service) int {
	var empty, active []int
	for z := range s.spot.Zones {
		if s.lost[z] {
			continue
		}
		active = append(active, z)
		if s.in(z) == 0 {
			empty = append(empty, z)
		}
	}
	if len(active) <= min(1, len(s.spot.Zones)-3) {
		clear(s.lost)
	}
	if len(empty) > 0 {
		return empty[s.draw.IntN(len(empty))]
	}
	if len(active) == 0 {
		return s.draw.IntN(len(s.spot.Zones))
	}
	return active[s.draw.IntN(len(active))]
}

func (s *service) run() outcome {
	s.lost, s.tried = map[int]bool{}, map[int]int{}
	var o outcome
	for t := range ticks {
		clear(s.tried)
		s.reclaim(t)
		for range target + s.extra - len(s.plan) {
			z := s.place(s)
			if s.up(z, t) {
				s.plan = append(s.plan, replica{zone: z})
			} else {
				s.lost[z] = true
				s.tried[z]++
			}
		}
		ready := 0
		for _, r := range s.plan {
			if r.age >= coldStart {
				ready++
			}
		}
		s.standIn(ready)
		o.cost += float64(len(s.plan)) + dearer*float64(len(s.regular))
		for _, age := range s.regular {
			if age >= coldStart {
				ready++
			}
		}
		if ready >= target {
			o.available++
		}
		for i := range s.plan {
			s.plan[i].age++
		}
		for i := range s.regular {
			s.regular[i]++
		}
	}
	return outcome{o.available / ticks * 100, o.cost / (dearer * target * ticks) * 100}
}

// reclaim takes away the replicas of zones that have no Spot, and says which zones kept all of theirs.
func (s *service) reclaim(t int) {
	kept := s.plan[:0]
	had := map[int]bool{}
	for _, r := range s.plan {
		if s.up(r.zone, t) {
			kept = append(kept, r)
			had[r.zone] = true
		} else {
			s.lost[r.zone] = true
		}
	}
	for z := range had {
		delete(s.lost, z)
	}
	s.plan = kept
}

// standIn keeps as many regular replicas as the Spot ones that are ready leave open.
func (s *service) standIn(ready int) {
	if !s.hedged {
		return
	}
	want := min(target, max(0, target+s.extra-ready))
	for len(s.regular) < want {
		s.regular = append(s.regular, 0)
	}
	s.regular = s.regular[:want]
}

// serve is the mean of so many runs that begin at drawn instants of the trace.
func serve(spot *trace.Spot, runs int, seed uint64, place func(*service) int, extra int, hedged bool) outcome {
	starts := rand.New(rand.NewPCG(seed, 1))
	var mean outcome
	for range runs {
		latest := int64((spot.Length() - ticks*tick) / tick)
		s := &service{
			spot: spot, offset: time.Duration(starts.Int64N(latest)) * tick, draw: rand.New(rand.NewPCG(seed, starts.Uint64())),
			extra: extra, hedged: hedged, place: place,
		}
		o := s.run()
		mean.available += o.available / float64(runs)
		mean.cost += o.cost / float64(runs)
	}
	return mean
}

// serveFrom is one run of SpotHedge that begins at an offset with the target on demand and in service, as the production
// corridor begins: the paper's begins with nothing, which costs it its first cold start.
func serveFrom(spot *trace.Spot, offset time.Duration, seed uint64) outcome {
	s := &service{spot: spot, offset: offset, draw: rand.New(rand.NewPCG(seed, 3)), extra: 1, hedged: true, place: spotHedge}
	for range target {
		s.regular = append(s.regular, coldStart)
	}
	return s.run()
}
