package replay

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// load is the work of one run: what arrives, what waits, what is served.
type load struct {
	world *World
	// waiting is work in seconds of one instance at its capacity.
	waiting float64
}

// served is what became of a step's work; all in seconds of one instance at its capacity.
type served struct {
	arrived, done, lost, waiting float64
	// utilisation is the share of the instances in service that was used; has is false without instances.
	utilisation float64
	has         bool
}

// step lets so much load, in instances at their capacity, meet so many instances for a step.
func (l *load) step(demand float64, instances int, step time.Duration) served {
	seconds := step.Seconds()
	out := served{arrived: demand * seconds}
	room := float64(instances) * seconds
	work := l.waiting + out.arrived
	out.done = min(work, room)
	work -= out.done
	if most := l.world.QueueSeconds * float64(instances); l.world.QueueSeconds >= 0 && work > most {
		out.lost, work = work-most, most
	}
	l.waiting, out.waiting = work, work
	if room > 0 {
		out.utilisation, out.has = out.done/room, true
	}
	return out
}

// sensed is one signal of a run with the sensor behind it.
type sensed struct {
	Sensor
	signal *scale.Signal
	// head is the part of a sample's body that never changes; shared is true for a signal that another one's samples feed.
	head   string
	shared bool
	seed   uint64
	values []*float64
}

// senses are the signals of a pool in a run.
type senses struct {
	signals []sensed
	step    time.Duration
	start   time.Time
	// due are bodies that have not arrived yet, in the order in which they will.
	due  []arrival
	keep bool
	// deaf is true when nobody listens to samples.
	deaf bool
}

// kept are the values as they were measured, by name.
func (s *senses) kept() map[string][]*float64 {
	all := make(map[string][]*float64, len(s.signals))
	for i := range s.signals {
		all[s.signals[i].signal.Name] = s.signals[i].values
	}
	return all
}

type arrival struct {
	at   time.Duration
	body []byte
}

func newSenses(pool *scale.Pool, sensors []Sensor, start time.Time, step time.Duration, seed uint64, keep bool) *senses {
	s := &senses{step: step, start: start, keep: keep}
	seen := map[string]bool{}
	for i := range pool.Signals {
		signal := &pool.Signals[i]
		head := `{"trimtab":1,"resource":` + strconv.Quote(signal.Resource) + `,"metric":` + strconv.Quote(signal.Metric)
		if len(signal.Dimensions) > 0 {
			var pairs []string
			for k, v := range signal.Dimensions {
				if v == "*" {
					v = "any"
				}
				pairs = append(pairs, strconv.Quote(k)+":"+strconv.Quote(v))
			}
			slices.Sort(pairs)
			head += `,"dimensions":{` + strings.Join(pairs, ",") + "}"
		}
		head += `,"grain":"` + "PT" + strconv.Itoa(int(step/time.Second)) + `S","time":"`
		h := fnv.New64a()
		_, _ = h.Write([]byte(signal.Name))
		s.signals = append(s.signals, sensed{
			Sensor: sensors[i], signal: signal, head: head, shared: seen[head], seed: seed ^ h.Sum64(),
		})
		seen[head] = true
	}
	return s
}

// value is what a sensor reads of a step.
func (s *sensed) value(w *served, instances int, step time.Duration) (float64, bool) {
	switch s.Kind {
	case "utilisation":
		return w.utilisation * s.Full, w.has
	case "per_instance":
		if instances == 0 {
			return 0, false
		}
		return w.arrived / step.Seconds() / float64(instances) * s.Full, true
	case "total":
		return w.arrived / step.Seconds() * s.Full, true
	case "backlog":
		return w.waiting * s.Full, true
	}
	return 0, false
}

// measure takes the samples of the step that begins at now. What chance does to a sample depends on the seed, the signal
// and the step alone, so that every policy is shown the same luck.
func (s *senses) measure(now time.Duration, w *served, instances int) {
	for i := range s.signals {
		g := &s.signals[i]
		v, ok := g.value(w, instances, s.step)
		var lost bool
		delay := g.DelaySeconds
		if ok && (g.NoisePercent > 0 || g.LossPercent > 0 || g.JitterSeconds > 0 || len(g.DelayQuantiles) > 0) {
			chance := rand.New(rand.NewPCG(g.seed, uint64(now)))
			v = max(0, v*(1+chance.NormFloat64()*g.NoisePercent/100))
			lost = chance.Float64()*100 < g.LossPercent
			delay = g.late(chance.Float64())
		}
		if s.keep {
			var kept *float64
			if ok && !lost {
				r := round(v)
				kept = &r
			}
			g.values = append(g.values, kept)
		}
		if !ok || lost || g.shared || s.deaf {
			continue
		}
		at := now + s.step + time.Duration(delay*float64(time.Second))
		s.send(at, g.body(s.start.Add(now), v))
	}
}

// body is a sample in Trimtab's own format.
func (s *sensed) body(at time.Time, v float64) []byte {
	b := make([]byte, 0, len(s.head)+160)
	b = append(b, s.head...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	number := strconv.AppendFloat(nil, math.Round(v*1e6)/1e6, 'f', -1, 64)
	for _, name := range []string{`","value":`, `,"minimum":`, `,"maximum":`, `,"total":`} {
		b = append(append(b, name...), number...)
	}
	return append(b, `,"count":1}`...)
}

// send puts a body on its way.
func (s *senses) send(at time.Duration, body []byte) {
	i := len(s.due)
	for i > 0 && s.due[i-1].at > at {
		i--
	}
	s.due = slices.Insert(s.due, i, arrival{at, body})
}

// arrived takes what has arrived by now.
func (s *senses) arrived(now time.Duration) []arrival {
	n := 0
	for n < len(s.due) && s.due[n].at <= now {
		n++
	}
	out := s.due[:n:n]
	s.due = s.due[n:]
	return out
}

// round keeps six digits behind the point: what is beyond is noise of the arithmetic.
func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }
