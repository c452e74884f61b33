package check

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"trimtab/internal/autoscale"
	"trimtab/internal/scale"
	"trimtab/internal/whatif"
)

// asking asks a pool's policy with one schedule active, or none.
type asking struct {
	*look
	schedule string
	// still are values of the signals at which the policy lets the pool shrink, as far as there are such.
	still map[string]scale.Milli
}

func (a *asking) during() string {
	if a.schedule == "" {
		return ""
	}
	return " while " + a.schedule + " is active"
}

// most is the largest value that is asked about.
const most = scale.Milli(1) << 50

func highest(s scale.Signal) scale.Milli {
	if strings.EqualFold(s.Unit, "percent") {
		return 100_000
	}
	return most
}

// spreads reports whether fewer instances would each show more of a signal.
func (a *asking) spreads(s scale.Signal) bool {
	own := strings.EqualFold(s.Resource, strings.TrimRight(a.pool.ScaleSet, "/"))
	return own && s.Aggregation != scale.Total && s.Aggregation != scale.Count
}

// view is one of n instances where a signal has a value, borne by bore instances, and the others are still.
func (a *asking) view(n int, name string, value scale.Milli, bore int) *scale.View {
	v := whatif.View(a.pool, n, reference)
	for each, s := range v.Schedules {
		s.Active = each == a.schedule
		v.Schedules[each] = s
	}
	for each, s := range v.Signals {
		at := a.still[each]
		if each == name {
			at = value
		}
		s.Buckets = s.Expected
		s = whatif.WithValue(s, at, bore)
		s.Total, s.Count = at, at
		s.Has |= scale.HasTotal | scale.HasCount
		s.Forecast = a.expected(each, s)
		v.Signals[each] = s
	}
	return v
}

// expected is a forecast of what there is already, for a signal whose definition asks for one: as after weeks of the same.
func (a *asking) expected(name string, s scale.SignalView) *scale.Forecast {
	at := slices.IndexFunc(a.pool.Signals, func(each scale.Signal) bool { return each.Name == name })
	if at < 0 || a.pool.Signals[at].Forecast == nil {
		return nil
	}
	rule := a.pool.Signals[at].Forecast
	load := s.Demand
	if rule.Total {
		load = s.Value
	}
	return &scale.Forecast{Known: true, Load: load, LeadSeconds: int(rule.Lead.Seconds())}
}

// far asks the same with every signal at its other end, where it is not the one that is asked about: for rules that hold
// only while several signals say so at once.
func (a *asking) far() *asking {
	b := &asking{look: a.look, schedule: a.schedule, still: map[string]scale.Milli{}}
	for _, s := range a.pool.Signals {
		if a.still[s.Name] == 0 {
			b.still[s.Name] = highest(s)
		}
	}
	return b
}

// reads reports whether some value of a signal changes anything that the policy says: a count, a number behind it, the
// split, a pause.
func (a *asking) reads(s scale.Signal) bool {
	says := func(n int, at scale.Milli) scale.Proposal {
		p := a.policy.Propose(a.ctx, a.view(n, s.Name, at, n))
		p.Steps = 0
		return p
	}
	counts := a.counts()
	for _, n := range slices.Compact([]int{counts[0], counts[len(counts)-1]}) {
		first := says(n, 0)
		for _, at := range ladder(0, highest(s)) {
			if !reflect.DeepEqual(says(n, at), first) {
				return true
			}
		}
	}
	return false
}

// everythingGrows reports whether some fleet grows while every signal is far.
func (a *asking) everythingGrows() bool {
	return slices.ContainsFunc(a.counts(), func(n int) bool { return a.wants(n, "", 0) > n })
}

// wants is the count that the policy asks for, within the pool's limits.
func (a *asking) wants(n int, name string, value scale.Milli) int {
	return a.wantsOf(a.view(n, name, value, n), n)
}

func (a *asking) wantsOf(v *scale.View, n int) int {
	p := a.policy.Propose(a.ctx, v)
	if !p.Known || p.Fault != "" {
		return n
	}
	w := p.Instances
	if p.Doubt {
		w = max(w, n)
	}
	return min(max(w, a.pool.Rails.Limits.Min), a.pool.Rails.Limits.Max)
}

// quiet finds values of all signals at which the policy wants the least: nothing, or very much where little calls for
// growth, as of free memory. It gives the policy's fault where that has one.
func (a *asking) quiet() (fault string) {
	a.still = map[string]scale.Milli{}
	n := max(1, a.pool.Rails.Limits.Max)
	p := a.policy.Propose(a.ctx, a.view(n, "", 0, n))
	if p.Fault != "" {
		return p.Fault
	}
	if len(p.Faults) > 0 {
		return p.Faults[0]
	}
	for _, r := range p.Reasons {
		if r.State == scale.ReasonFault {
			return r.Code + " " + r.Name + ": " + r.Detail
		}
	}
	least := a.wants(n, "", 0)
	for _, s := range a.pool.Signals {
		a.still[s.Name] = highest(s)
		if w := a.wants(n, "", 0); w < least {
			least = w
		} else {
			a.still[s.Name] = 0
		}
	}
	return ""
}

// course is what a signal does to the wish.
type course struct {
	grows bool
	// growth is the value nearest to still at which a fleet of so many grows, by count; absent where none does.
	growth map[int]scale.Milli
}

// course follows a signal from still to its other end for each count.
func (a *asking) course(s scale.Signal) course {
	c := course{growth: map[int]scale.Milli{}}
	from, to := a.still[s.Name], highest(s)
	if from == to {
		to = 0
	}
	for _, n := range a.counts() {
		low, high, found := from, from, false
		for _, at := range ladder(from, to) {
			if a.wants(n, s.Name, at) > n {
				high, found = at, true
				break
			}
			low = at
		}
		if !found {
			continue
		}
		c.grows = true
		for abs(high-low) > 1 {
			if middle := (low + high) / 2; a.wants(n, s.Name, middle) > n {
				high = middle
			} else {
				low = middle
			}
		}
		c.growth[n] = high
	}
	return c
}

func abs(m scale.Milli) scale.Milli { return max(m, -m) }

// ladder are values from one end to the other, by small factors where that is what tells loads apart.
func ladder(from, to scale.Milli) []scale.Milli {
	var up []scale.Milli
	end := max(from, to)
	for at := scale.Milli(100); at < end; at += max(100, at/2) {
		up = append(up, at)
	}
	up = append(up, end)
	if from > to {
		for i, j := 0, len(up)-1; i < j; i, j = i+1, j-1 {
			up[i], up[j] = up[j], up[i]
		}
		up = append(up, 0)
	}
	return up
}

// tries is how many loads below growth are asked about for each count.
const tries = 24

// fight looks for a load under which the policy shrinks to a count on which it grows.
func (a *asking) fight(s scale.Signal, c course) bool {
	if a.still[s.Name] != 0 {
		return false // little of it calls for growth: how it moves with the count is not known
	}
	for _, n := range a.counts() {
		grows, ok := c.growth[n]
		if !ok {
			continue
		}
		for i := range scale.Milli(tries) {
			value := grows - 1 - grows*i/tries
			if value <= 0 {
				break
			}
			m := a.wants(n, s.Name, value)
			if m >= n || m == 0 {
				continue
			}
			shown := value
			if a.spreads(s) {
				shown = value * scale.Milli(n) / scale.Milli(m)
			}
			if back := a.wants(m, s.Name, shown); back > m {
				a.add("flap", Warning, s.Name,
					"%son %d instances with %s at %s the policy shrinks to %d; the same load is %s on %d, and there it grows to %d, which is what it came from or near it. Growth on %d instances begins at %s: a shrink should begin below %s, or go less far",
					a.opening(), n, s.Name, figure(value, s), m, figure(shown, s), m, back, m, figure(c.growth[m], s), figure(a.bearable(s, c, n, m), s))
				return true
			}
		}
	}
	return false
}

// bearable is the value on n instances whose load m bear without growing.
func (a *asking) bearable(s scale.Signal, c course, n, m int) scale.Milli {
	if !a.spreads(s) {
		return c.growth[m]
	}
	return c.growth[m] * scale.Milli(m) / scale.Milli(n)
}

// repeat looks for growth that is asked for again while the signals still show the fleet of before.
func (a *asking) repeat(s scale.Signal, c course) bool {
	rails := a.pool.Rails
	if rails.Cooldown.GrowSeconds >= rails.WarmUpSeconds {
		return false
	}
	for _, n := range a.counts() {
		grows, ok := c.growth[n]
		if !ok || a.still[s.Name] != 0 {
			continue
		}
		value := min(grows+grows/10+1, highest(s))
		m := a.wants(n, s.Name, value)
		if m <= n {
			continue
		}
		if again := a.wantsOf(a.view(m, s.Name, value, n), m); again > m {
			late := ""
			if autoscale.IsPlatformMetric(s.Metric) {
				late = fmt.Sprintf(", and the platform's metrics come %d seconds late or more", exportLeast)
			}
			a.add("grows-twice", Warning, "cooldown",
				"%son %d instances with %s at %s the policy grows to %d, and %d seconds later (cooldown.grow_seconds), with the signals still of %d instances, to %d. New instances bear load after %d seconds (warm_up_seconds)%s: a cooldown of at least %d, or a rule that reckons with demand as scale.track and scale.step do, would be right",
				a.opening(), n, s.Name, figure(value, s), m, rails.Cooldown.GrowSeconds, n, again, rails.WarmUpSeconds, late, rails.WarmUpSeconds)
			return true
		}
	}
	return false
}

// figure writes a value in its unit.
func figure(m scale.Milli, s scale.Signal) string {
	text := fmt.Sprintf("%d", m/1000)
	if rest := abs(m % 1000); rest != 0 {
		text = strings.TrimRight(fmt.Sprintf("%s.%03d", text, rest), "0")
	}
	return strings.TrimSpace(text + " " + s.Unit)
}

// opening begins a sentence with the schedule that it is about.
func (a *asking) opening() string {
	if a.schedule == "" {
		return ""
	}
	return strings.TrimSpace(a.during()) + ", "
}
