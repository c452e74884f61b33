package replay

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// HPAWish and Flaps are tested by their tables.
var HPAWish = hpaWish

// Flaps counts the flaps of changes given as minute and difference.
func Flaps(changes ...[2]int) int {
	var moves []move
	for _, c := range changes {
		moves = append(moves, move{at: time.Duration(c[0]) * time.Minute, by: c[1]})
	}
	return flaps(moves)
}

// Cases lets tests compare runs of their own.
var Cases = cases

// SpeedUp is the elastic speed-up of four metrics over four others: thetaU, thetaO, tauU, tauO.
func SpeedUp(own, other [4]float64) *float64 {
	values := func(v [4]float64) map[string]Quantile {
		return map[string]Quantile{"theta_u": {Mean: v[0]}, "theta_o": {Mean: v[1]}, "tau_u": {Mean: v[2]}, "tau_o": {Mean: v[3]}}
	}
	return speedUp(values(own), values(other))
}

// scripted orders at the end of a step what its script says.
type scripted struct {
	direct
	orders map[int]int
}

func (s *scripted) turn(_ context.Context, now time.Duration) error {
	if n, ok := s.orders[int(now/s.step)-1]; ok {
		s.order(now, n)
	}
	return nil
}

// Script measures a run of demand in instances at their capacity, a minute each, in which so many machines are ordered at the
// ends of the steps named; with spot everything above the least is Spot.
func Script(t *testing.T, w World, limits scale.Limits, spot bool, demand []float64, orders map[int]int) map[string]float64 {
	t.Helper()
	at := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	w.Capacity = 1
	c, err := newCourse(&trace.Series{Name: "script", Start: at, Step: time.Minute, Values: demand}, &w, limits)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{world: &w, limits: limits, step: time.Minute, demand: c.demand, needed: c.needed, load: load{world: &w}}
	s.fleet = newFleet(&w, at, time.Duration(len(demand))*time.Minute, 1)
	s.senses = &senses{step: time.Minute, start: at, deaf: true}
	m := &meter{scene: s}
	if err := s.play(t.Context(), &scripted{direct{scene: s, spot: spot}, orders}, m); err != nil {
		t.Fatal(err)
	}
	return m.values()
}

// Told is what a pool hears of evictions while so many Spot machines run for so many minutes: the minute, how many machines,
// and for when.
func Told(t *testing.T, p Policy, w World, minutes, n int) (told []string) {
	t.Helper()
	at := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	f := newFleet(&w, at, time.Duration(minutes)*time.Minute, 1)
	s := &senses{step: time.Minute, start: at}
	f.begin(0, n)
	if _, err := newCorridor(&p, f, s, n, newTape(false)); err != nil {
		t.Fatal(err)
	}
	for m := range minutes {
		now := time.Duration(m) * time.Minute
		f.evict(now)
		f.warn(now, time.Minute)
		for _, a := range s.arrived(now) {
			_, ends, _ := strings.Cut(string(a.body), `"NotBefore":"`)
			told = append(told, fmt.Sprintf("%d of %d for %s", m, strings.Count(string(a.body), "machine_"), ends[17:22]))
		}
	}
	return told
}
