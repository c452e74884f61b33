package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// realShare: one history in so many runs the shipped policies and pools, if it is given them.
const realShare = 10

// begin draws the world and sets it going.
func (w *world) begin() {
	r := w.chance
	// Longer than a change's own time-out, as the engine demands.
	w.lease = []time.Duration{60 * time.Second, 90 * time.Second}[r.IntN(2)]
	w.real = w.o.Real.Policy != nil && w.o.Seed%realShare == 3
	w.result.Real = w.real
	if w.real {
		w.policy = w.o.Real.Policy
		for _, p := range w.o.Real.Pools {
			p.Mode = scale.Enforce
			w.pools = append(w.pools, &pool{Pool: p})
		}
	} else {
		w.policy = &tracker{seed: w.o.Seed}
		for i := range 1 + r.IntN(2) {
			p := drawPool(r, i)
			if w.o.Seed%4 == 2 {
				// Its fleet can count, and so choose.
				p.Rails.Shrink.Order = []scale.Preference{scale.PreferOldest}
				if w.o.Seed%8 == 6 {
					p.Rails.Shrink.Action = scale.Deallocate
				}
			}
			w.pools = append(w.pools, &pool{Pool: p})
		}
	}
	w.drawKind()
	for i, p := range w.pools {
		p.number = i
		p.windows, p.entries, p.changes = make(map[string]*windowRow), make(map[string]*entryRow), make(map[string]*change)
		p.told, p.known = make(map[string]bool), make(map[string]bool)
		p.load(r)
		w.sets[p.ScaleSet] = w.drawSet(r, p)
		w.rows = append(w.rows, p)
	}
	w.addKind()
	for i := range 1 + r.IntN(4) {
		w.parts = append(w.parts, &partition{w: w, number: i})
	}
	for i := range 2 + r.IntN(3) {
		p := &process{name: fmt.Sprintf("p%d", i)}
		w.procs = append(w.procs, p)
		w.start(p)
	}
	w.desk = &process{name: "desk", alive: true}
	for _, part := range w.parts {
		w.own(part, w.procs[r.IntN(len(w.procs))])
	}
	w.after(0, "minute", w.produce)
	w.after(w.between(0, time.Second), "timer", w.sweep)
	w.after(time.Second, "trouble", w.trouble)
}

// index is the pool's place.
func (p *pool) index() int { return p.number }

// load gives a pool another load; whole instances and a half, so that rounding is certain.
func (p *pool) load(r *rand.Rand) {
	p.demand = 60*(1+r.IntN(40)) - 30
	p.queued = 20*(1+r.IntN(25)) - 10
}

func drawPool(r *rand.Rand, i int) scale.Pool {
	name := fmt.Sprintf("pool%d", i)
	id := "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/" + name
	l := scale.Limits{Min: 1 + r.IntN(4)}
	l.Max = l.Min + 5 + r.IntN(30)
	l.Default = r.IntN(2) * (l.Min + r.IntN(l.Max-l.Min))
	p := scale.Pool{
		Name: name, ScaleSet: id, Policy: name, Mode: scale.Enforce, Orchestration: scale.Flexible,
		Rails: scale.Rails{
			Limits: l,
			Cooldown: scale.Cooldown{
				GrowSeconds: 60 * r.IntN(5), ShrinkSeconds: 60 * r.IntN(8), MixSeconds: 60 * r.IntN(5),
			},
			StabilisationSeconds: 60 * r.IntN(8), WarmUpSeconds: 60 * r.IntN(3),
		},
		Signals:  []scale.Signal{signal("cpu", id, "percentage cpu", scale.Average)},
		Settings: json.RawMessage(`{}`),
	}
	if r.IntN(2) == 0 {
		p.Rails.GrowStep = scale.Step{Instances: 3 + r.IntN(4), Percent: 50 * r.IntN(3), WindowSeconds: 60 * (1 + r.IntN(4))}
	}
	if r.IntN(2) == 0 {
		p.Rails.ShrinkStep = scale.Step{Instances: 3 + r.IntN(3), Percent: 10 * r.IntN(4), WindowSeconds: 60 * (1 + r.IntN(4))}
	}
	if r.IntN(2) == 0 {
		p.Signals = append(p.Signals, signal("queue", id, "jobs waiting", scale.Total))
		if r.IntN(3) == 0 {
			p.Labels = map[string]string{"queue": "fine"}
		}
	}
	if r.IntN(4) == 0 {
		p.Orchestration = scale.Uniform
	}
	if r.IntN(10) == 0 {
		p.Mode = scale.Observe
	}
	return p
}

func signal(name, resource, metric string, a scale.Aggregation) scale.Signal {
	return scale.Signal{
		Name: name, Resource: strings.ToLower(resource), Metric: metric, Aggregation: a,
		Window: 5 * time.Minute, Bucket: time.Minute, StaleAfter: 10 * time.Minute, MinCoverage: 40,
	}
}

func (w *world) drawSet(r *rand.Rand, p *pool) *set {
	l := p.Rails.Limits
	s := &set{
		w: w, id: p.ScaleSet, capacity: max(1, l.Min-1+r.IntN(l.Max-l.Min+3)), generation: 1, state: "Succeeded",
		orchestration: p.Orchestration, spot: r.IntN(2) == 0, platformMax: 1000, operations: make(map[string]*operation),
		tokens: 12, filledAt: w.now, lowers: p.Orchestration == scale.Uniform || r.IntN(2) == 0, moves: r.IntN(2) == 0,
	}
	if r.IntN(5) == 0 {
		s.platformMax = l.Min + r.IntN(l.Max-l.Min)
	}
	if s.spot && p.Orchestration == scale.Flexible && r.IntN(2) == 0 {
		s.mix = &scale.Mix{Base: 1, RegularPercent: 50}
	}
	s.live = s.capacity
	return s
}

// sweep is the timer: one process sweeps each minute, sometimes two at once.
func (w *world) sweep() {
	w.after(time.Minute, "timer", w.sweep)
	n := 1
	if _, hit := w.fault(faultTwoSweeps); hit {
		n = 2
	}
	first := w.chance.IntN(len(w.procs))
	for k := range n {
		p := w.procs[(first+k)%len(w.procs)]
		if !p.alive {
			continue
		}
		name := fmt.Sprintf("sweep-%s-%d", p.name, w.serial)
		w.launch(p, name, nil, func(ctx context.Context) (engine.Report, error) { return p.engine.Sweep(ctx, name) }, func(*task) {})
	}
}

// trouble is what happens by itself, apart from calls.
func (w *world) trouble() {
	if !w.chaos {
		return
	}
	w.after(20*time.Second, "trouble", w.trouble)
	if r, hit := w.fault(faultOutage); hit {
		w.ledgerDown = w.now.Add(span(r, time.Second, 8*time.Minute))
	}
	if r, hit := w.fault(faultArmOutage); hit {
		w.armDown = w.now.Add(span(r, time.Second, 20*time.Minute))
	}
	if r, hit := w.fault(faultHandOver); hit {
		w.handOver(r)
	}
	w.quotas()
	w.meddle()
	for _, p := range w.rows {
		s := w.sets[p.ScaleSet]
		if r, hit := w.fault(faultZero); hit && w.now.Sub(s.zeroUntil) > 15*time.Minute {
			// In passing: a zero that comes back every few minutes cannot be told from one that lasts.
			s.zeroUntil, s.zeroes = w.now.Add(span(r, time.Second, 90*time.Second)), 1+r.IntN(4)
		}
		if r, hit := w.fault(faultForeign); hit {
			// Another controller, a person, a pipeline (facts: VMSS 5.5, row 8).
			n := 1 + r.IntN(p.Rails.Limits.Max+3)
			if s.powered {
				n = min(n, s.platformMax)
			}
			w.note("foreign write")
			s.write(&n, nil, nil, power{})
		}
		if r, hit := w.fault(faultEviction); hit && s.spot {
			n := 1 + r.IntN(5)
			if r.IntN(4) == 0 {
				n = s.live
			}
			s.evict(r, n, r.IntN(3) == 0)
			w.announce(r, p, n)
		}
		if p.whole != nil {
			continue
		}
		if r, hit := w.fault(faultOrder); hit {
			w.order(r, p)
		}
	}
}

// order lets an operator order something.
func (w *world) order(r *rand.Rand, p *pool) {
	what, n, long := r.IntN(7), r.IntN(p.Rails.Limits.Max+4), span(r, time.Minute, 15*time.Minute)
	w.serial++
	name := fmt.Sprintf("desk-%d", w.serial)
	w.launch(w.desk, fmt.Sprintf("%s order %d", name, what), nil, func(ctx context.Context) (engine.Report, error) {
		_, err := engine.Reorder(ctx, ledgerPort{w}, p.Name, name, func(o *scale.Orders) {
			order := &scale.Order{At: w.now, Reason: "simulated", Instances: n}
			if long > 5*time.Minute {
				order.Until = w.now.Add(long)
			}
			switch what {
			case 0:
				o.Freeze = order
			case 1:
				o.PauseGrow = order
			case 2:
				o.PauseShrink = order
			case 3:
				o.Pin = order
			default:
				*o = scale.Orders{}
			}
		})
		return engine.Report{}, err
	}, func(*task) {})
}
