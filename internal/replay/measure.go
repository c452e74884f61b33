package replay

import (
	"math"
	"slices"
	"time"
)

// flapWithin is how soon a change must follow one in the other direction for the two to be a flap.
const flapWithin = 30 * time.Minute

// measures define what is measured, in the order in which it is shown.
var measures = []Measure{
	{"unmet_demand", "%", "lower", "Share of the load that the instances in service could not carry within the objective: sum of max(0, load - instances in service x objective) over sum of load."},
	{"unmet_time", "%", "lower", "Share of the time in which fewer instances were in service than the load needed within the objective."},
	{"unmet_longest", "s", "lower", "Longest stretch without a break in which fewer instances were in service than needed."},
	{"lost_demand", "%", "lower", "Share of the work that was lost because the queue in front of the instances was full."},
	{"availability", "%", "higher", "Share of the time in which the instances in service, regular and Spot, reached the number needed (as SpotHedge defines it)."},
	{"over_provision", "%", "lower", "Instance-time in service beyond what was needed, over the instance-time needed."},
	{"theta_u", "%", "lower", "SPEC under-provisioning accuracy: mean over time of max(needed - in service, 0) / needed."},
	{"theta_o", "%", "lower", "SPEC over-provisioning accuracy: mean over time of max(in service - needed, 0) / needed."},
	{"tau_u", "%", "lower", "SPEC under-provisioned share of time: fewer in service than needed."},
	{"tau_o", "%", "lower", "SPEC over-provisioned share of time: more in service than needed."},
	{"cost", "currency", "lower", "What all machines cost from their order to the end of their removal."},
	{"cost_vs_regular", "%", "lower", "Cost over that of the same machines at the regular price."},
	{"cost_vs_foresight", "%", "lower", "Cost over that of exactly the instances needed in each step, at the regular price, within the pool's limits."},
	{"changes_per_day", "1/day", "lower", "Changes ordered to count or mix in a day."},
	{"flaps_per_day", "1/day", "lower", "Changes of the count in a day that follow one in the other direction within 30 minutes; of a pair each set counts for itself."},
	{"time_at_max", "%", "lower", "Share of the time with the pool's maximum ordered."},
	{"spot_share", "%", "", "Share of Spot in the instance-time in service."},
	{"interruptions_per_day", "1/day", "lower", "Spot machines evicted in a day."},
	{"spot_missed_per_day", "1/day", "lower", "Spot machines in a day that were ordered and not to be had."},
	{"mean_instances", "instances", "", "Instances in service, mean over time."},
}

// meter adds up what the measures are made of.
type meter struct {
	scene                                      *scene
	steps                                      int
	demand, unmet, arrived, lost               float64
	short, over, atMax                         int
	run, longest                               int
	needed, surplus, regular, spot             float64
	thetaU, thetaO, cost, allRegular, foreseen float64
	series                                     *Series
}

// step takes one step of the run. Needed is at least one in the SPEC metrics, which divide by it.
func (m *meter) step(i int, c counts, w *served, ordered int) {
	s := m.scene
	in, needed := c.regular+c.spot, s.needed[i]
	objective := s.world.ObjectivePercent / 100
	unmet := max(0, s.demand[i]-float64(in)*objective)
	if unmet < 1e-9 {
		unmet = 0
	}
	m.steps++
	m.demand, m.unmet = m.demand+s.demand[i], m.unmet+unmet
	m.arrived, m.lost = m.arrived+w.arrived, m.lost+w.lost
	m.needed, m.surplus = m.needed+float64(needed), m.surplus+float64(max(0, in-needed))
	m.regular, m.spot = m.regular+float64(c.regular), m.spot+float64(c.spot)
	base := float64(max(needed, 1))
	m.thetaU += float64(max(needed-in, 0)) / base
	m.thetaO += float64(max(in-needed, 0)) / base
	if in < needed {
		m.short++
		m.run++
		m.longest = max(m.longest, m.run)
	} else {
		m.run = 0
	}
	if in > needed {
		m.over++
	}
	if ordered >= s.limits.Max {
		m.atMax++
	}
	now := time.Duration(i) * s.step
	leaving := len(s.fleet.leaving)
	cost := s.fleet.cost(now, s.step)
	m.cost += cost
	rates := s.fleet.rates(now)
	m.allRegular += rates.regular * s.step.Hours() * float64(c.all())
	if leaving > 0 {
		m.allRegular += rates.regular * float64(leaving) * min(s.step, s.fleet.deleting()).Hours()
	}
	m.foreseen += rates.regular * s.step.Hours() * float64(s.clip(needed))
	if out := m.series; out != nil {
		out.Demand = append(out.Demand, round(s.demand[i]))
		out.Needed = append(out.Needed, needed)
		out.Regular, out.Spot = append(out.Regular, c.regular), append(out.Spot, c.spot)
		out.Pending = append(out.Pending, c.pendingRegular+c.pendingSpot)
		out.Ordered = append(out.Ordered, ordered)
		out.Unmet, out.Waiting = append(out.Unmet, round(unmet)), append(out.Waiting, round(w.waiting))
		out.Cost = append(out.Cost, round(cost))
		if s.world.Prices.course != nil {
			out.PriceRegular, out.PriceSpot = append(out.PriceRegular, rates.regular), append(out.PriceSpot, rates.cheapest())
		}
	}
}

// values are the measures; what has no denominator is absent.
func (m *meter) values() map[string]float64 {
	steps, days := float64(m.steps), float64(m.steps)*m.scene.step.Hours()/24
	v := map[string]float64{}
	put := func(name string, value, over, factor float64) {
		if over > 0 {
			v[name] = round(value / over * factor)
		}
	}
	put("unmet_demand", m.unmet, m.demand, 100)
	put("unmet_time", float64(m.short), steps, 100)
	v["unmet_longest"] = float64(m.longest) * m.scene.step.Seconds()
	put("lost_demand", m.lost, m.arrived, 100)
	put("availability", steps-float64(m.short), steps, 100)
	put("over_provision", m.surplus, m.needed, 100)
	put("theta_u", m.thetaU, steps, 100)
	put("theta_o", m.thetaO, steps, 100)
	put("tau_u", float64(m.short), steps, 100)
	put("tau_o", float64(m.over), steps, 100)
	v["cost"] = round(m.cost)
	put("cost_vs_regular", m.cost, m.allRegular, 100)
	put("cost_vs_foresight", m.cost, m.foreseen, 100)
	put("changes_per_day", float64(len(m.scene.fleet.moves)), days, 1)
	put("flaps_per_day", float64(flaps(m.scene.fleet.moves)), days, 1)
	put("time_at_max", float64(m.atMax), steps, 100)
	put("spot_share", m.spot, m.regular+m.spot, 100)
	put("interruptions_per_day", float64(m.scene.fleet.gone), days, 1)
	put("spot_missed_per_day", float64(m.scene.fleet.missed), days, 1)
	put("mean_instances", m.regular+m.spot, steps, 1)
	return v
}

// flaps counts the changes that take back what was changed a little before.
func flaps(moves []move) (n int) {
	var lasts [3]move
	for _, m := range moves {
		if m.by == 0 {
			continue
		}
		last := lasts[m.of]
		if last.by != 0 && (m.by > 0) != (last.by > 0) && m.at-last.at <= flapWithin {
			n++
		}
		lasts[m.of] = m
	}
	return n
}

// quantile is that of sorted values, on the straight line between two of them.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// summarise makes the quantiles of a policy's runs.
func summarise(policy string, runs []Run) Summary {
	s := Summary{Policy: policy, Values: map[string]Quantile{}}
	all := map[string][]float64{}
	for i := range runs {
		if runs[i].Policy != policy {
			continue
		}
		s.Runs++
		for name, v := range runs[i].Values {
			all[name] = append(all[name], v)
		}
	}
	for name, values := range all {
		slices.Sort(values)
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		s.Values[name] = Quantile{
			Mean: round(sum / float64(len(values))), Min: values[0], P10: round(quantile(values, 0.1)),
			P50: round(quantile(values, 0.5)), P90: round(quantile(values, 0.9)), Max: values[len(values)-1],
		}
	}
	return s
}

// speedUp is the elastic speed-up of a over b, nil where one of b's or a's metrics is nought (published definition: the
// fourth root of the four ratios).
func speedUp(a, b map[string]Quantile) *float64 {
	product := 1.0
	for _, name := range []string{"theta_u", "theta_o", "tau_u", "tau_o"} {
		x, y := a[name].Mean, b[name].Mean
		if x <= 0 || y <= 0 {
			return nil
		}
		product *= y / x
	}
	root := round(math.Pow(product, 0.25))
	return &root
}
