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

// Look puts together what is known of a pool's interruptible machines. It is nil for a set that has none.
func Look(risk *scale.SpotRisk, facts scale.Facts, memory *scale.Memory, now time.Time) *scale.SpotView {
	if !facts.Known() || !facts.Spot {
		return nil
	}
	instances := memory.Instances(facts)
	v := &scale.SpotView{
		Missing: max(0, facts.Capacity-instances), QuietSeconds: scale.Never, ChangedSeconds: scale.Never,
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
			v.Blocked, v.QuietSeconds = true, 0
		}
	}
	for _, at := range []time.Time{memory.GrownAt, memory.RemixedAt} {
		if !at.IsZero() {
			v.ChangedSeconds = min(v.ChangedSeconds, seconds(now.Sub(at)))
		}
	}
	if risk != nil {
		rate := hourly(risk, v.Evicted, exposed(facts, instances))
		floor := Share(instances, *risk, rate)
		v.RatePermille, v.Floor = int(math.Round(rate*1000)), &floor
	}
	return v
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
