package replay

import (
	"context"
	"math"
	"time"

	"trimtab/internal/scale"
)

// rival is a baseline: what people run today, or a bound. Its rules see the utilisation that the pool's first signal
// would show, no earlier than the pool does, and keep to the pool's limits.
type rival struct {
	name, about string
	make        func(s *scene) pilot
}

// rivals are the baselines, in the order in which they are shown.
var rivals = []rival{
	{"static_peak", "As many regular instances as the largest load of the trace needs, always.", func(s *scene) pilot {
		return s.fixed(s.most())
	}},
	{"static_mean", "As many regular instances as the mean load of the trace needs, always.", func(s *scene) pilot {
		return s.fixed(s.mean())
	}},
	{
		"foresight", "Exactly as many regular instances as each step needs, in service the moment that they are needed: a bound, not a policy.",
		func(s *scene) pilot { return &foresight{direct{scene: s}} },
	},
	{"last_week", "What the same quarter of an hour needed a week before, at its highest and ordered a quarter ahead; a day before where the " +
		"trace is shorter than two weeks; the peak of the first such span until it is over.", func(s *scene) pilot { return newLastWeek(s) }},
	{"hpa", "Kubernetes' horizontal autoscaling algorithm with its defaults on utilisation: tolerance 0.1, growth by up to 100 per cent or four " +
		"in 15 seconds, shrinking to the highest wish of 300 seconds; the target is an assumption.", func(s *scene) pilot {
		return &hpa{direct: direct{scene: s}}
	}},
	{"azure_rules", "Azure autoscale with the rules of its portal: one more above 70 per cent over ten minutes, one fewer below 30, five minutes " +
		"of rest after either, and its guard against flapping.", func(s *scene) pilot { return &azure{direct: direct{scene: s}, rested: -time.Hour} }},
	{
		"naive_spot", "The hpa baseline with everything above the pool's minimum on Spot, and nothing that stands in for Spot that is not to be had.",
		func(s *scene) pilot { return &hpa{direct: direct{scene: s, spot: true}} },
	},
}

// Baselines are the names of the baselines.
func Baselines() []string {
	var names []string
	for _, r := range rivals {
		names = append(names, r.name)
	}
	return names
}

// direct orders machines without an engine: what is ordered is ordered at once, and Spot that cannot be had is tried for
// again at each step.
type direct struct {
	*scene
	want int
	spot bool
}

func (d *direct) ordered() int { return d.want }

// order asks for n machines within the limits.
func (d *direct) order(now time.Duration, n int) {
	n = d.clip(n)
	if n != d.want {
		d.fleet.moves = append(d.fleet.moves, move{at: now, by: n - d.want})
		d.want = n
	}
	c := d.fleet.count(now)
	regular := n
	if d.spot {
		regular = min(n, d.limits.Min)
	}
	for _, part := range []struct {
		more int
		spot bool
	}{{regular - c.regular - c.pendingRegular, false}, {n - regular - c.spot - c.pendingSpot, true}} {
		if part.more > 0 {
			d.fleet.add(now, part.more, part.spot)
		} else if part.more < 0 {
			d.fleet.remove(now, -part.more, part.spot)
		}
	}
}

// begin is the fleet that a run begins with, the same for all but the static ones.
func (d *direct) begin(n int) {
	d.want = d.clip(n)
	regular := d.want
	if d.spot {
		regular = min(d.want, d.limits.Min)
	}
	d.fleet.begin(regular, d.want-regular)
}

// starter is a pilot that puts its first machines into service itself.
type starter interface{ start() }

func (d *direct) start() { d.begin(d.first()) }

// fixed holds one count.
type fixed struct {
	direct
	n int
}

func (s *scene) fixed(n int) pilot { return &fixed{direct{scene: s}, n} }

func (f *fixed) start() { f.begin(f.n) }

func (f *fixed) turn(_ context.Context, now time.Duration) error {
	f.order(now, f.n)
	return nil
}

// foresight knows the trace and waits for nothing.
type foresight struct{ direct }

func (f *foresight) start() { f.begin(f.needed[0]) }

func (f *foresight) turn(_ context.Context, now time.Duration) error {
	if i := int(now / f.step); i < len(f.needed) {
		f.order(now, f.needed[i])
		f.fleet.ready()
		f.fleet.leaving = f.fleet.leaving[:0]
	}
	return nil
}

// quarter is the grain of the schedule of the week before.
const quarter = 15 * time.Minute

type lastWeek struct {
	direct
	span time.Duration
	// peaks are what each quarter of an hour of the trace needs at most.
	peaks []int
	first int
}

func newLastWeek(s *scene) *lastWeek {
	l := &lastWeek{direct: direct{scene: s}, span: 7 * 24 * time.Hour}
	length := time.Duration(len(s.needed)) * s.step
	if length < 2*l.span {
		l.span = 24 * time.Hour
	}
	for i, n := range s.needed {
		at := time.Duration(i) * s.step
		if q := int(at / quarter); q == len(l.peaks) {
			l.peaks = append(l.peaks, n)
		} else {
			l.peaks[q] = max(l.peaks[q], n)
		}
		if at < l.span {
			l.first = max(l.first, n)
		}
	}
	return l
}

func (l *lastWeek) start() { l.begin(l.first) }

func (l *lastWeek) turn(_ context.Context, now time.Duration) error {
	n := l.first
	if now+quarter >= l.span {
		n = max(l.peak(now-l.span), l.peak(now-l.span+quarter))
	}
	l.order(now, n)
	return nil
}

func (l *lastWeek) peak(at time.Duration) int {
	if at < 0 {
		return l.first
	}
	return l.peaks[min(int(at/quarter), len(l.peaks)-1)]
}

// hpa is the algorithm of kubernetes' horizontal pod autoscaler, version autoscaling/v2, with its defaults. It runs once
// in each step; the steps of this world are longer than its 15 seconds.
type hpa struct {
	direct
	wishes []scale.Recommendation
}

const hpaTolerance = 0.1

func (h *hpa) turn(_ context.Context, now time.Duration) error {
	h.order(now, h.decide(now))
	return nil
}

func (h *hpa) decide(now time.Duration) int {
	c := h.fleet.count(now)
	ready, unready := c.regular+c.spot, c.pendingRegular+c.pendingSpot
	wish := h.want
	if u, ok := h.seen(now); ok && ready > 0 {
		wish = hpaWish(u*100/h.world.TargetPercent, ready, unready, h.want)
	}
	at := h.fleet.start.Add(now)
	h.wishes = append(h.wishes, scale.Recommendation{At: at, Instances: wish})
	for len(h.wishes) > 1 && at.Sub(h.wishes[0].At) > 300*time.Second {
		h.wishes = h.wishes[1:]
	}
	if wish < h.want {
		for _, r := range h.wishes {
			wish = max(wish, min(r.Instances, h.want))
		}
		return wish
	}
	// Each 15 seconds of the step allow a doubling, or four more.
	most := h.want
	for range max(1, int(h.step/(15*time.Second))) {
		most = max(2*most, most+4)
	}
	return min(wish, most)
}

// hpaWish is the replica calculator: machines that are not ready count as idle where the rest calls for growth, and not
// at all where it calls for less; a direction that turns round means to stay.
func hpaWish(ratio float64, ready, unready, current int) int {
	if math.Abs(ratio-1) <= hpaTolerance {
		return current
	}
	if ratio < 1 || unready == 0 {
		return int(math.Ceil(ratio * float64(ready)))
	}
	all := ready + unready
	ratio = ratio * float64(ready) / float64(all)
	if ratio < 1 || math.Abs(ratio-1) <= hpaTolerance {
		return current
	}
	return max(current, int(math.Ceil(ratio*float64(all))))
}

// azure is Azure autoscale with two rules on the mean utilisation.
type azure struct {
	direct
	rested time.Duration
}

const (
	azureAbove, azureBelow = 70.0, 30.0
	azureOver              = 10 * time.Minute
	azureRest              = 5 * time.Minute
)

func (a *azure) turn(_ context.Context, now time.Duration) error {
	n := a.want
	if mean, ok := a.seenOver(now, azureOver); ok && now-a.rested >= azureRest {
		switch {
		case mean > azureAbove:
			n++
		case mean < azureBelow && n > 1 && mean*float64(n)/float64(n-1) < azureAbove:
			n--
		}
	}
	if a.clip(n) != a.want {
		a.rested = now
	}
	a.order(now, n)
	return nil
}
