package replay

import (
	"context"
	"fmt"
	"math"
	"time"

	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// scene is one run: a world, a trace, a seed, and who steers.
type scene struct {
	world  *World
	limits scale.Limits
	step   time.Duration
	// demand is the load of each step in instances at their capacity, needed how many it needs within the objective.
	demand []float64
	needed []int
	fleet  *fleet
	load   load
	senses *senses
	// used is the utilisation of each step that is over, in per cent; NaN without instances.
	used []float64
	// lag is how late baselines see it.
	lag time.Duration
}

// course is a trace as load of a pool.
type course struct {
	*trace.Series
	scale  float64
	demand []float64
	needed []int
}

// newCourse brings a trace to the world's steps and to the pool's size.
func newCourse(t *trace.Series, w *World, limits scale.Limits) (*course, error) {
	c := &course{Series: t}
	objective := w.ObjectivePercent / 100
	peak := t.Peak()
	switch {
	case peak <= 0:
		return nil, fmt.Errorf("trace %s: it is nought throughout", t.Name)
	case t.Capacity > 0:
		c.scale = 1 / t.Capacity
	case w.Capacity > 0:
		c.scale = 1 / w.Capacity
	case w.PeakInstances > 0:
		c.scale = w.PeakInstances * objective / peak
	default:
		c.scale = max(1, 0.75*float64(limits.Max)) * objective / peak
	}
	step := time.Duration(w.StepSeconds) * time.Second
	n := int(t.Length() / step)
	if n == 0 {
		return nil, fmt.Errorf("trace %s: it is shorter than one step of %s", t.Name, step)
	}
	for i := range n {
		at := time.Duration(i) * step
		v, parts := 0.0, max(1, int(step/t.Step))
		for k := range parts {
			v += t.At(at + time.Duration(k)*t.Step)
		}
		v *= c.scale / float64(parts)
		c.demand = append(c.demand, v)
		c.needed = append(c.needed, int(math.Ceil(v/objective-1e-9)))
	}
	return c, nil
}

func (s *scene) clip(n int) int { return min(max(n, s.limits.Min), s.limits.Max) }

// first is the count that a run begins with.
func (s *scene) first() int {
	if s.world.StartInstances > 0 {
		return s.clip(s.world.StartInstances)
	}
	return s.clip(max(1, s.needed[0]))
}

func (s *scene) most() int {
	most := 0
	for _, n := range s.needed {
		most = max(most, n)
	}
	return most
}

func (s *scene) mean() int {
	sum := 0.0
	for _, v := range s.demand {
		sum += v
	}
	return int(math.Ceil(sum / float64(len(s.demand)) / s.world.ObjectivePercent * 100))
}

// seen is the newest utilisation that has arrived by now.
func (s *scene) seen(now time.Duration) (float64, bool) {
	i := int((now-s.lag)/s.step) - 1
	if now < s.lag || i < 0 || math.IsNaN(s.used[i]) {
		return 0, false
	}
	return s.used[i] / 100, true
}

// seenOver is the mean utilisation over a span, in per cent.
func (s *scene) seenOver(now, span time.Duration) (float64, bool) {
	last := int((now-s.lag)/s.step) - 1
	sum, n := 0.0, 0
	for i := max(0, last-int(span/s.step)+1); now >= s.lag && i <= last; i++ {
		if !math.IsNaN(s.used[i]) {
			sum, n = sum+s.used[i], n+1
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// play lets the run happen.
func (s *scene) play(ctx context.Context, p pilot, m *meter) error {
	if b, ok := p.(starter); ok {
		b.start()
	}
	for i := range s.demand {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		now := time.Duration(i) * s.step
		s.fleet.evict(now)
		s.fleet.warn(now, s.step)
		c := s.fleet.count(now)
		w := s.load.step(s.demand[i], c.regular+c.spot, s.step)
		m.step(i, c, &w, p.ordered())
		used := math.NaN()
		if w.has {
			used = w.utilisation * 100
		}
		s.used = append(s.used, used)
		s.senses.measure(now, &w, c.regular+c.spot)
		if err := p.turn(ctx, now+s.step); err != nil {
			return err
		}
	}
	return nil
}
