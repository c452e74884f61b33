package replay

import (
	"math/rand/v2"
	"time"

	"trimtab/internal/replay/trace"
)

// machine is one instance. Times are offsets from the beginning of the run.
type machine struct {
	serial int
	spot   bool
	zone   int
	// born is when it was ordered and paid for, upAt when the platform has made it, servesAt when it takes load.
	born, upAt, servesAt time.Duration
	// warned is true once its eviction was told of beforehand.
	warned bool
}

// fleet is the machines of one run and what happens to them. It knows neither policies nor ARM.
type fleet struct {
	world    *World
	start    time.Time
	market   *trace.Spot
	offset   time.Duration
	boots    *rand.Rand
	machines []machine
	serial   int
	// leaving are removed machines that are paid for until the removal has ended.
	leaving []leaver
	events  []Event
	// gone and missed count Spot machines taken away, and not had when they were ordered.
	gone, missed int
	// moves are the changes that were ordered.
	moves []move
	// onEviction is told which machines of a zone went, by their serial numbers; onNotice which will, and when.
	onEviction func(now time.Duration, zone int, machines []int)
	onNotice   func(now, ends time.Duration, machines []int)
}

// move is a change that was ordered; by is how many instances more, 0 for a change of the mix alone.
type move struct {
	at time.Duration
	by int
	// of is the set of a pair that was changed.
	of half
}

type leaver struct {
	spot  bool
	zone  int
	until time.Duration
}

// newFleet makes an empty fleet; what is drawn depends on the seed alone.
func newFleet(w *World, start time.Time, length time.Duration, seed uint64) *fleet {
	f := &fleet{world: w, start: start, boots: rand.New(rand.NewPCG(seed, 1))}
	switch w.Spot.Model {
	case "trace", "markov":
		f.market, f.offset = w.SpotFrom(length, seed)
	default:
		room := 0
		if w.Spot.Model == "always" {
			room = trace.Unlimited
		}
		f.market = &trace.Spot{Step: time.Hour}
		for z := range w.Spot.Count {
			f.market.Zones, f.market.Rooms = append(f.market.Zones, zoneName(z)), append(f.market.Rooms, []int{room})
		}
	}
	return f
}

// SpotFrom is the availability of Spot that a run of this length and seed lives through where the model is a trace or
// drawn, and the offset at which the run begins in it.
func (w *World) SpotFrom(length time.Duration, seed uint64) (market *trace.Spot, offset time.Duration) {
	draw := rand.New(rand.NewPCG(seed, 2))
	if w.Spot.Model == "markov" {
		return markov(&w.Spot, length, draw), 0
	}
	market = w.Spot.trace
	if rest := market.Length() - length; rest > 0 {
		offset = time.Duration(draw.Int64N(int64(rest/market.Step)+1)) * market.Step
	}
	return market, offset
}

func zoneName(z int) string { return string(rune('1' + z)) }

// markov draws availability: each zone has Spot for exponentially distributed times, and has none for others.
func markov(m *SpotMarket, length time.Duration, draw *rand.Rand) *trace.Spot {
	s := &trace.Spot{Name: "markov", Step: 5 * time.Minute}
	n := int(length/s.Step) + 1
	for z := range m.Count {
		rooms := make([]int, n)
		up := draw.Float64() < m.UpHours/(m.UpHours+m.DownHours)
		for i := 0; i < n; {
			mean := m.DownHours
			if up {
				mean = m.UpHours
			}
			steps := 1 + int(draw.ExpFloat64()*mean*float64(time.Hour)/float64(s.Step))
			for range min(steps, n-i) {
				if up {
					rooms[i] = trace.Unlimited
				}
				i++
			}
			up = !up
		}
		s.Zones, s.Rooms = append(s.Zones, zoneName(z)), append(s.Rooms, rooms)
	}
	return s
}

func (f *fleet) room(zone int, now time.Duration) int { return f.market.At(zone, f.offset+now) }

// counts are the machines by what they are and how far they have come.
type counts struct{ regular, spot, pendingRegular, pendingSpot int }

func (c counts) all() int { return c.regular + c.spot + c.pendingRegular + c.pendingSpot }

func (f *fleet) count(now time.Duration) (c counts) {
	for i := range f.machines {
		m := &f.machines[i]
		switch {
		case m.spot && m.servesAt <= now:
			c.spot++
		case m.spot:
			c.pendingSpot++
		case m.servesAt <= now:
			c.regular++
		default:
			c.pendingRegular++
		}
	}
	return c
}

// begin puts machines into service that were there before the run.
func (f *fleet) begin(regular, spot int) {
	for i, n := range []int{regular, spot} {
		f.add(0, n, i == 1)
	}
	f.ready()
}

// ready brings every machine into service at once.
func (f *fleet) ready() {
	for i := range f.machines {
		m := &f.machines[i]
		m.upAt, m.servesAt = m.born, m.born
	}
}

func (f *fleet) event(now time.Duration, kind, zone string, n int) {
	f.events = append(f.events, Event{At: f.start.Add(now), Kind: kind, Zone: zone, Instances: n})
}

// warn tells of the machines whose zone will no longer carry them when the notice is over. It looks ahead by whole steps:
// a notice shorter than a step is heard no earlier than the eviction.
func (f *fleet) warn(now, step time.Duration) {
	ahead := time.Duration(f.world.Spot.NoticeSeconds * float64(time.Second)).Truncate(step)
	if ahead <= 0 || f.onNotice == nil {
		return
	}
	for zone := range f.market.Zones {
		doomed := -f.room(zone, now+ahead)
		for i := range f.machines {
			if m := &f.machines[i]; m.spot && m.zone == zone && !m.warned {
				doomed++
			}
		}
		var names []int
		for i := len(f.machines) - 1; i >= 0 && len(names) < doomed; i-- {
			if m := &f.machines[i]; m.spot && m.zone == zone && !m.warned {
				m.warned = true
				names = append(names, m.serial)
			}
		}
		if len(names) > 0 {
			f.onNotice(now, now+ahead, names)
		}
	}
}

// evict takes away what the zones no longer carry: those that were warned go first, then the youngest.
func (f *fleet) evict(now time.Duration) {
	for zone := range f.market.Zones {
		room, have := f.room(zone, now), 0
		for i := range f.machines {
			if m := &f.machines[i]; m.spot && m.zone == zone {
				have++
			}
		}
		if have <= room {
			continue
		}
		gone := have - room
		var names []int
		for _, warned := range []bool{true, false} {
			for i := len(f.machines) - 1; i >= 0 && len(names) < gone; i-- {
				if m := f.machines[i]; m.spot && m.zone == zone && m.warned == warned {
					f.machines = append(f.machines[:i], f.machines[i+1:]...)
					names = append(names, m.serial)
				}
			}
		}
		f.gone += gone
		f.event(now, "evicted", f.market.Zones[zone], gone)
		if f.onEviction != nil {
			f.onEviction(now, zone, names)
		}
	}
}

// add orders machines and says how many came about and when the last of them is up.
func (f *fleet) add(now time.Duration, n int, spot bool) (had int, upAt time.Duration) {
	upAt = now
	for range n {
		zone := f.place(now, spot)
		if zone < 0 {
			continue
		}
		boot := f.world.Boot.at(f.boots.NormFloat64())
		if f.boots.Float64()*100 < f.world.BootFailPercent {
			boot += f.world.Boot.at(f.boots.NormFloat64())
			f.event(now+boot, "boot_failed", f.market.Zones[zone], 1)
		}
		f.serial++
		m := machine{serial: f.serial, spot: spot, zone: zone, born: now, upAt: now + boot}
		m.servesAt = m.upAt + time.Duration(f.world.StartSeconds*float64(time.Second))
		f.machines = append(f.machines, m)
		upAt = max(upAt, m.upAt)
		had++
	}
	if spot && had < n {
		f.missed += n - had
		f.event(now, "not_had", "", n-had)
	}
	return had, upAt
}

// place is the zone with the fewest machines of the kind among those that have room, -1 if none has.
func (f *fleet) place(now time.Duration, spot bool) int {
	best, least := -1, 0
	for zone := range f.market.Zones {
		have := 0
		for i := range f.machines {
			if m := &f.machines[i]; m.zone == zone && m.spot == spot {
				have++
			}
		}
		if spot && have >= f.room(zone, now) {
			continue
		}
		if best < 0 || have < least {
			best, least = zone, have
		}
	}
	return best
}

// remove takes machines of a kind out of service: from the zone that has most of them, there those that do not serve yet
// first, then the youngest (facts: VMSS, scale-in policy Default: zone balance first, then the newest).
func (f *fleet) remove(now time.Duration, n int, spot bool) {
	for ; n > 0; n-- {
		have := make([]int, len(f.market.Zones))
		for i := range f.machines {
			if m := &f.machines[i]; m.spot == spot {
				have[m.zone]++
			}
		}
		gone := -1
		for i := range f.machines {
			m := &f.machines[i]
			if m.spot != spot {
				continue
			}
			if gone < 0 || before(m, &f.machines[gone], have, now) {
				gone = i
			}
		}
		if gone < 0 {
			return
		}
		f.leaving = append(f.leaving, leaver{spot, f.machines[gone].zone, now + f.deleting()})
		f.machines = append(f.machines[:gone], f.machines[gone+1:]...)
	}
}

// before reports whether a machine is removed before another, which is older.
func before(m, other *machine, have []int, now time.Duration) bool {
	if have[m.zone] != have[other.zone] {
		return have[m.zone] > have[other.zone]
	}
	serves, served := m.servesAt <= now, other.servesAt <= now
	return !serves || served
}

func (f *fleet) deleting() time.Duration {
	return time.Duration(f.world.DeleteSeconds * float64(time.Second))
}

// cost is what the step that begins now costs.
func (f *fleet) cost(now, step time.Duration) float64 {
	if f.world.Prices.course != nil {
		return f.costOf(now, step)
	}
	regular, spot := time.Duration(0), time.Duration(0)
	for i := range f.machines {
		if f.machines[i].spot {
			spot += step
		} else {
			regular += step
		}
	}
	for _, l := range f.leaving {
		if left := min(step, l.until-now); left > 0 {
			if l.spot {
				spot += left
			} else {
				regular += left
			}
		}
	}
	f.left(now + step)
	return regular.Hours()*f.world.Prices.Regular + spot.Hours()*f.world.Prices.Spot
}

// left forgets removed machines whose removal has ended by then.
func (f *fleet) left(then time.Duration) {
	kept := f.leaving[:0]
	for _, l := range f.leaving {
		if l.until > then {
			kept = append(kept, l)
		}
	}
	f.leaving = kept
}
