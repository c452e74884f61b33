package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// sensors are those of a pool's signals, in their order. What the world does not name is measured as the pool like
// measures the same metric of the same resource, where there is such a pool, and is guessed otherwise: one world, whatever
// names a policy has for what it hears.
func (w *World) sensors(pool, like *scale.Pool) []Sensor {
	var settings map[string]any
	_ = json.Unmarshal(pool.Settings, &settings)
	sensors := make([]Sensor, len(pool.Signals))
	for i := range pool.Signals {
		s := &pool.Signals[i]
		guessed := w.guess(s, settings)
		given, ok := w.Signals[s.Name]
		if twin := heardBy(like, pool, s); !ok && twin >= 0 {
			given, ok = w.sensors(like, nil)[twin], true
			given.why = "as signal " + like.Signals[twin].Name + " of pool " + like.Name + ", which is the same metric"
		}
		if !ok {
			sensors[i] = guessed
			continue
		}
		if given.Full == 0 {
			given.Full, given.why = guessed.Full, guessed.why
		}
		sensors[i] = given
	}
	return sensors
}

// heardBy is the place of the signal of like that hears what s of pool hears, -1 if none does. What a pool hears of its
// own scale set is the same of another's.
func heardBy(like, pool *scale.Pool, s *scale.Signal) int {
	if like == nil || like == pool {
		return -1
	}
	for i := range like.Signals {
		l := &like.Signals[i]
		same := strings.EqualFold(l.Resource, s.Resource) ||
			strings.EqualFold(l.Resource, like.ScaleSet) && strings.EqualFold(s.Resource, pool.ScaleSet)
		if same && strings.EqualFold(l.Metric, s.Metric) {
			return i
		}
	}
	return -1
}

// named refuses signals that no pool has.
func (w *World) named(pools ...*scale.Pool) error {
	known := map[string]bool{}
	var names []string
	for _, p := range pools {
		for i := range p.Signals {
			known[p.Signals[i].Name] = true
		}
		names = append(names, p.Name)
	}
	for name := range w.Signals {
		if !known[name] {
			return fmt.Errorf("world: signals.%s: pool %s has no such signal", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// late is the delay that a draw from 0 to 1 gives.
func (s *Sensor) late(draw float64) float64 {
	if len(s.DelayQuantiles) == 0 {
		return s.DelaySeconds + draw*s.JitterSeconds
	}
	return quantile(s.DelayQuantiles, draw)
}

// lag is the delay in the middle of what was learnt, and the shortest of what was only said.
func (s *Sensor) lag() float64 {
	if len(s.DelayQuantiles) == 0 {
		return s.DelaySeconds
	}
	return quantile(s.DelayQuantiles, 0.5)
}

func (s *Sensor) checkDelays(name string) (errs []error) {
	if n := len(s.DelayQuantiles); n == 1 {
		errs = append(errs, fmt.Errorf("world: signals.%s.delay_quantiles_seconds has one value; right would be two or more, from the shortest "+
			"delay to the longest", name))
	}
	for i, v := range s.DelayQuantiles {
		if !(v >= 0 && v <= 86_400) || i > 0 && v < s.DelayQuantiles[i-1] {
			errs = append(errs, fmt.Errorf("world: signals.%s.delay_quantiles_seconds[%d] is %g; right would be 0 to 86400, rising", name, i, v))
		}
	}
	return errs
}

// Learnt is what a recording says of how a signal arrives.
type Learnt struct {
	// Samples is how many it is learnt from, Quantiles their delays, evenly spaced from the shortest to the longest.
	Samples   int
	Quantiles []float64
	// LossPercent is how many of the samples that the grain lets expect are not there; below 0 where that is not known.
	LossPercent float64
}

// learntQuantiles is how many quantiles are kept: one for each twentieth, and both ends.
const learntQuantiles = 21

// Learn makes quantiles of delays; one below nought comes of clocks that differ, and counts as none. Expected is how many
// samples there should be, 0 where that is not known.
func Learn(delays []time.Duration, expected int) Learnt {
	seconds := make([]float64, len(delays))
	for i, d := range delays {
		seconds[i] = max(0, d.Seconds())
	}
	slices.Sort(seconds)
	l := Learnt{Samples: len(delays), LossPercent: -1}
	for i := range learntQuantiles {
		l.Quantiles = append(l.Quantiles, round(quantile(seconds, float64(i)/(learntQuantiles-1))))
	}
	if expected > 0 {
		l.LossPercent = round(max(0, float64(expected-len(delays))/float64(expected)*100))
	}
	return l
}

// WithDelays is the world in which a pool's signal arrives as was learnt from a source.
func (w World) WithDelays(pool *scale.Pool, signal, source string, l Learnt) World {
	signals := maps.Clone(w.Signals)
	if signals == nil {
		signals = map[string]Sensor{}
	}
	for i, s := range w.sensors(pool, nil) {
		if pool.Signals[i].Name != signal {
			continue
		}
		s.DelayQuantiles = l.Quantiles
		told := ""
		if l.LossPercent >= 0 {
			s.LossPercent, told = l.LossPercent, " and loss"
		}
		s.why = strings.TrimSpace(fmt.Sprintf("%s; delay%s learnt from %d samples of %s", s.why, told, l.Samples, source))
		signals[signal] = s
	}
	w.Signals = signals
	return w
}
