// Package spot says how far a pool may rely on interruptible machines: what of them is missing, how long they have been
// quiet, and how many regular ones a pool needs so that enough stay when some are taken.
//
// It is pure. What was not counted is not known, and never counts as there.
package spot

import (
	"math"
	"time"

	"trimtab/internal/scale"
)

// priorHours is how many machine hours the published rate of evictions weighs against what the pool has seen itself.
const priorHours = 100

// micro is how many millionths make one.
const micro = 1e6

// Look puts together what is known of a pool's interruptible machines. It is nil for a set that has none.
func Look(risk *scale.SpotRisk, facts scale.Facts, memory *scale.Memory, now time.Time) *scale.SpotView {
	if !facts.Known() || !facts.Spot {
		return nil
	}
	instances := memory.Instances(facts)
	// What Trimtab has parked is off by its own doing.
	parked, _ := memory.Off()
	v := &scale.SpotView{
		Missing: max(0, facts.Capacity-parked-instances), QuietSeconds: scale.Never, ChangedSeconds: scale.Never,
		WholeSeconds: scale.Never,
	}
	if a := memory.Account; a != nil {
		v.ServedSeconds, v.SeenSeconds = a.ServedSeconds, a.SeenSeconds
		switch {
		case a.SpotShortAt.IsZero():
		case !a.SpotShortAt.Before(a.At):
			v.WholeSeconds = 0
		default:
			v.WholeSeconds = seconds(now.Sub(a.SpotShortAt))
		}
	}
	for _, e := range memory.Evictions {
		if age := now.Sub(e.At); age <= 24*time.Hour {
			v.Evicted += e.Instances
			v.QuietSeconds = min(v.QuietSeconds, seconds(age))
		}
	}
	for _, b := range memory.BackOffs {
		spotOnly := b.Class == scale.ClassNoSpot || b.Class == scale.ClassQuotaSpot || b.Class == scale.ClassSpotPrice
		if spotOnly && now.Before(b.Until) {
			v.Blocked, v.QuietSeconds, v.WholeSeconds = true, 0, 0
		}
	}
	for _, at := range []time.Time{memory.GrownAt, memory.RemixedAt} {
		if !at.IsZero() {
			v.ChangedSeconds = min(v.ChangedSeconds, seconds(now.Sub(at)))
		}
	}
	if risk != nil {
		rate := hourly(risk, v.Evicted, exposed(facts, instances))
		if a := memory.Account; a != nil && a.Pace != nil {
			rate = float64(a.Pace.RateMicro) / micro
		}
		floor := Share(instances, *risk, rate)
		v.RatePermille, v.Floor = int(math.Round(rate*1000)), &floor
	}
	return v
}

// Paced is the rate of evictions that the floor follows after a read: as near to what is known now as the floor may
// move. What the pool's own size calls for is followed at once; only what evictions change is held back.
func Paced(old *scale.Pace, risk scale.SpotRisk, facts scale.Facts, memory *scale.Memory, at time.Time) *scale.Pace {
	instances := memory.Instances(facts)
	evicted := 0
	for _, e := range memory.Evictions {
		if at.Sub(e.At) <= 24*time.Hour {
			evicted += e.Instances
		}
	}
	wanted := int64(math.Round(hourly(&risk, evicted, exposed(facts, instances)) * micro))
	if old == nil || risk.ChangePercent >= 100 {
		return &scale.Pace{At: at, RateMicro: wanted}
	}
	floor := func(rate int64) int { return Share(instances, risk, float64(rate)/micro) }
	// An hour allows so many; less than an hour its part, in whole machines.
	hourlyMost := max(1, (instances*risk.ChangePercent+99)/100)
	allowed := int(int64(min(max(0, at.Sub(old.At)), time.Hour)) * int64(hourlyMost) / int64(time.Hour))
	from, to := floor(old.RateMicro), floor(wanted)
	moves := to - from
	if moves < 0 {
		moves = -moves
	}
	switch {
	case moves <= allowed:
		return &scale.Pace{At: at, RateMicro: wanted}
	case allowed == 0:
		return old
	}
	// The floor never falls while the rate rises: the rate that moves it as far as allowed is found by halving.
	near, far := old.RateMicro, wanted
	for near-far > 1 || far-near > 1 {
		middle := near + (far-near)/2
		if d := floor(middle) - from; d <= allowed && -d <= allowed {
			near = middle
		} else {
			far = middle
		}
	}
	return &scale.Pace{At: at, RateMicro: near}
}

func seconds(d time.Duration) int { return int(max(d, 0) / time.Second) }

// exposed is how many machines may be evicted.
func exposed(facts scale.Facts, instances int) int {
	switch {
	case facts.Live != nil:
		return facts.Live.Spot
	case facts.Mix != nil:
		return instances - facts.Mix.Regular(instances)
	}
	return instances
}

// hourly is the chance of a machine to be evicted within an hour: the published rate and the pool's own day, the former
// weighing as much as a fixed number of machine hours.
func hourly(risk *scale.SpotRisk, evicted, machines int) float64 {
	published := float64(risk.HourlyPermille) / 1000
	return min(1, (float64(published*priorHours)+float64(evicted))/(priorHours+float64(24*machines)))
}

// Share is the least number of regular machines among n that leaves the named share of n in service with the named
// probability, while a machine that was taken is replaced.
func Share(n int, risk scale.SpotRisk, hourly float64) int {
	least := (n*risk.KeepPercent + 99) / 100
	for d := range n {
		if Floor(n-d, least, risk, hourly) <= d {
			return d
		}
	}
	return n
}

// Floor is the least number d of regular machines beside s interruptible ones so that at least so many of all are in
// service with the named probability (features: C12). The number that stays of s is binomial; with a correlation its
// variance is 1 + (s-1)·correlation times as large, and the normal form is taken.
func Floor(s, least int, risk scale.SpotRisk, hourly float64) int {
	taken := 1 - math.Pow(1-hourly, risk.Replace.Hours())
	confidence := float64(risk.ConfidencePermille) / 1000
	if risk.CorrelationPercent == 0 {
		return max(0, least-stays(s, taken, confidence))
	}
	mean := float64(s) * (1 - taken)
	spread := math.Sqrt(float64(s) * taken * (1 - taken) * (1 + float64(s-1)*float64(risk.CorrelationPercent)/100))
	z := math.Sqrt2 * math.Erfinv(2*confidence-1)
	return min(max(0, int(math.Ceil(float64(least)-(mean-z*spread)-1e-9))), least)
}

// stays is the largest number k of s machines of which at least k stay with the named probability.
func stays(s int, taken, confidence float64) int {
	// The probability that exactly j are taken, from none upwards, in logarithms: a thousand machines underflow.
	if taken <= 0 {
		return s
	}
	if taken >= 1 {
		return 0
	}
	sum := 0.0
	for j := 0; j <= s; j++ {
		choose, _ := math.Lgamma(float64(s + 1))
		gone, _ := math.Lgamma(float64(j + 1))
		left, _ := math.Lgamma(float64(s - j + 1))
		sum += math.Exp(choose - gone - left + float64(j)*math.Log(taken) + float64(s-j)*math.Log1p(-taken))
		if sum >= confidence {
			return s - j
		}
	}
	return 0
}
