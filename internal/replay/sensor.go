package replay

import (
	"encoding/json"
	"fmt"
	"strings"

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
