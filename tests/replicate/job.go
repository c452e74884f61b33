package main

import (
	"math"
	"math/rand/v2"
	"time"

	"trimtab/internal/replay/trace"
)

// The set-up of "Can't Be Late" (Wu and others, NSDI 2024): 48 hours of work, a changeover of 0.2 hours at the new
// machine's price, Spot at 0.97 and regular at 3.06 dollars an hour.
const (
	work       = 48.0
	changeover = 0.2
	regularFee = 3.06
	spotFee    = 0.97
)

// place of a job.
type place int

const (
	idle place = iota
	onSpot
	onRegular
)

// job is one run of a job with a deadline. Times are hours.
type job struct {
	deadline float64
	at       place
	// now is the time gone, done the work done; starting is what is left of a changeover; held is set once the safety net
	// has taken a regular machine for good.
	now, done, starting float64
	held                bool
	// regular and spot are the hours of work done on each; paid is the money, changeovers included.
	regular, spot, paid float64
}

// choose is a policy: where the job goes, with Spot to be had or not.
type choose func(j *job, spot bool) place

// net is the safety net of every policy: an idle job takes a regular machine for good when the time left is less than the
// work left and two changeovers.
func (j *job) net() bool {
	return j.held || j.at == idle && j.deadline-j.now < work-j.done+2*changeover
}

// greedy takes Spot whenever it is there, and waits while it is not.
func greedy(_ *job, spot bool) place {
	if spot {
		return onSpot
	}
	return idle
}

// uniformProgress keeps to the straight line from no work at the start to all of it at the deadline: behind it an idle
// job takes a regular machine, and one on a regular machine stays until it is two changeovers ahead.
func uniformProgress(j *job, spot bool) place {
	expected := func(at float64) float64 { return at * work / j.deadline }
	switch {
	case j.at == onRegular && j.done < expected(j.now+2*changeover):
		return onRegular
	case spot:
		return onSpot
	case j.done < expected(j.now):
		return onRegular
	}
	return idle
}

// onDemand never takes Spot.
func onDemand(*job, bool) place { return onRegular }

// run lets a job happen from an offset in the trace of one zone on.
func (j *job) run(spot *trace.Spot, zone int, offset time.Duration, policy choose) {
	step := spot.Step.Hours()
	for i := 0; j.done < work-1e-9; i++ {
		up := spot.At(zone, offset+time.Duration(i)*spot.Step) > 0
		if j.at == onSpot && !up {
			j.at = idle
		}
		to := j.at
		switch {
		case j.net():
			to, j.held = onRegular, true
		case j.at == onSpot:
			// Once on Spot a job stays until it is evicted.
		default:
			to = policy(j, up)
		}
		if to != j.at && to != idle {
			j.starting = changeover
		}
		j.at = to
		j.pass(step)
	}
}

// pass lets so much time pass where the job is; it ends with the work.
func (j *job) pass(step float64) {
	if j.at == idle {
		j.now += step
		return
	}
	waited := min(j.starting, step)
	did := min(step-waited, work-j.done)
	j.starting -= waited
	j.done += did
	j.now += waited + did
	if j.at == onSpot {
		j.spot += did
		j.paid += (waited + did) * spotFee
	} else {
		j.regular += did
		j.paid += (waited + did) * regularFee
	}
}

// jobs is what the runs of a policy over all columns of a trace come to: mean hours, cost over that of a regular machine
// for the whole of the work, missed deadlines.
type jobs struct {
	regular, spot, cost float64
	missed              int
}

// hurry runs a policy from so many drawn starts on each column.
func hurry(spot *trace.Spot, starts int, seed uint64, deadline float64, policy choose) jobs {
	var sum jobs
	n := 0.0
	for zone := range spot.Zones {
		draw := rand.New(rand.NewPCG(seed, uint64(zone)))
		last := int64((spot.Length() - time.Duration(deadline*float64(time.Hour))) / spot.Step)
		for range starts {
			j := &job{deadline: deadline}
			j.run(spot, zone, time.Duration(draw.Int64N(max(1, last)))*spot.Step, policy)
			sum.regular, sum.spot = sum.regular+j.regular, sum.spot+j.spot
			sum.cost += j.paid / (work * regularFee)
			if j.now > deadline+1e-6 {
				sum.missed++
			}
			n++
		}
	}
	return jobs{round(sum.regular / n), round(sum.spot / n), round(sum.cost / n), sum.missed}
}

func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }
