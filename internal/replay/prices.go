package replay

import (
	"fmt"
	"slices"
	"time"

	"trimtab/internal/replay/trace"
)

// WithPrices is the world in which prices follow a course. What the course does not have keeps the world's price.
func (w World) WithPrices(p *trace.Prices) World {
	w.Prices.course = p
	if w.Prices.Currency == DefaultWorld().Prices.Currency {
		w.Prices.Currency = "as in " + p.Name
	}
	return w
}

// WithPrice is the world in which a regular instance has that price. Spot keeps its share of it, as why then says.
func (w World) WithPrice(regular float64, currency, why string) World {
	if w.Prices.Regular > 0 {
		w.Prices.Spot *= regular / w.Prices.Regular
	}
	w.Prices.Regular, w.Prices.Currency, w.Prices.why = regular, currency, why
	return w
}

// covers refuses prices that are all of another time than the run.
func (p *Prices) covers(c *course) error {
	if p.course == nil || p.course.Start.IsZero() {
		return nil
	}
	last := p.course.Start.Add(p.course.Elapsed[len(p.course.Elapsed)-1])
	if end := c.Start.Add(c.Length()); c.Start.After(last) || end.Before(p.course.Start) {
		const form = "2006-01-02 15:04"
		return fmt.Errorf("prices %s are of %s to %s, and trace %s of %s to %s; right would be prices of that time, or a column "+
			"elapsed_s in place of times", p.course.Name, p.course.Start.Format(form), last.Format(form), c.Name, c.Start.Format(form), end.Format(form))
	}
	return nil
}

// rates are the prices in force at an instant of a run.
type rates struct {
	regular, spot float64
	byZone        map[string][]float64
	row           int
}

// rates are those of now. A course that counts from a beginning of its own begins where the availability of Spot does, so
// that what was recorded together stays together.
func (f *fleet) rates(now time.Duration) rates {
	p := &f.world.Prices
	r := rates{regular: p.Regular, spot: p.Spot}
	if p.course == nil {
		return r
	}
	offset := now + f.offset
	if !p.course.Start.IsZero() {
		offset = f.start.Add(now).Sub(p.course.Start)
	}
	r.row, r.byZone = p.course.At(offset), p.course.ByZone
	if p.course.Regular != nil {
		r.regular = p.course.Regular[r.row]
	}
	if p.course.Spot != nil {
		r.spot = p.course.Spot[r.row]
	}
	return r
}

// of is the price of a machine of a zone.
func (r *rates) of(spot bool, zone string) float64 {
	switch {
	case !spot:
		return r.regular
	case r.byZone[zone] != nil:
		return r.byZone[zone][r.row]
	}
	return r.spot
}

// cheapest is the lowest price of Spot.
func (r *rates) cheapest() float64 {
	least, found := r.spot, false
	for _, prices := range r.byZone {
		if v := prices[r.row]; !found || v < least {
			least, found = v, true
		}
	}
	return least
}

// costOf is what the step that begins now costs where prices follow a course: those of its beginning.
func (f *fleet) costOf(now, step time.Duration) (cost float64) {
	r := f.rates(now)
	for i := range f.machines {
		m := &f.machines[i]
		cost += step.Hours() * r.of(m.spot, f.market.Zones[m.zone])
	}
	for _, l := range f.leaving {
		if left := min(step, l.until-now); left > 0 {
			cost += left.Hours() * r.of(l.spot, f.market.Zones[l.zone])
		}
	}
	f.left(now + step)
	return cost
}

func (p *Prices) assumptions() []Assumption {
	regular := Assumption{"price_regular", p.Regular, p.Currency + "/h", "A regular instance."}
	spot := Assumption{"price_spot", p.Spot, p.Currency + "/h", "A Spot instance; one price throughout."}
	if p.why != "" {
		regular.About += " " + p.why
		spot.About += " Its share of the regular price is the world's."
	}
	if p.course == nil {
		return []Assumption{regular, spot}
	}
	held := "Each price holds until the next; a step costs what its beginning does."
	if p.course.Start.IsZero() {
		held += " The course begins where the trace of Spot does, else with the run."
	}
	follow := func(a *Assumption, values []float64) {
		if values == nil {
			return
		}
		low, high := slices.Min(values), slices.Max(values)
		a.Value, a.About = fmt.Sprintf("%g to %g", low, high), fmt.Sprintf("Follows %s, with %d rows. %s", p.course.Name, len(values), held)
	}
	follow(&regular, p.course.Regular)
	follow(&spot, p.course.Spot)
	all := []Assumption{regular, spot}
	var zones []string
	for zone := range p.course.ByZone {
		zones = append(zones, zone)
	}
	slices.Sort(zones)
	for _, zone := range zones {
		a := Assumption{Name: "price_spot_" + zone, Unit: p.Currency + "/h"}
		follow(&a, p.course.ByZone[zone])
		all = append(all, a)
	}
	return all
}
