package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// Policy is a policy that takes part: one pool of a bundle.
type Policy struct {
	// Name is what the result calls it; unique.
	Name string
	// Kind is Candidate, Today, or Baseline for a policy that was made of what people run elsewhere.
	Kind   string
	Pool   scale.Pool
	Policy engine.Policy
	// About says in one sentence where the policy comes from, and Notes what is to be known of it; both may be empty.
	About string
	Notes []string
}

// Options are what a closed loop needs.
type Options struct {
	Policies []Policy
	// Baselines are names of [Baselines]; nil means all of them.
	Baselines []string
	Traces    []*trace.Series
	World     World
	// Seeds is how many runs each policy makes on each trace, beginning with seed First.
	Seeds int
	First uint64
	// Workers is how many runs are made at once; 1 unless given. The result does not depend on it.
	Workers int
	// EverySeed keeps series and decisions of every seed and not of the first alone; NoSeries keeps none.
	EverySeed, NoSeries bool
	// Progress is told how many of how many steps are done, from several goroutines at once; nil for nobody.
	Progress func(done, of int64)
}

// job is one run to be made.
type job struct {
	policy *Policy
	rival  *rival
	course *course
	seed   uint64
	keep   bool
}

// ClosedLoop makes every run of a closed loop and compares them.
func ClosedLoop(ctx context.Context, o Options) (*Result, error) {
	jobs, result, err := o.plan()
	if err != nil {
		return nil, err
	}
	total, done := int64(0), atomic.Int64{}
	for i := range jobs {
		total += int64(len(jobs[i].course.demand))
	}
	runs, errs := make([]Run, len(jobs)), make([]error, len(jobs))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(max(1, o.Workers), len(jobs)) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				if runs[i], errs[i] = jobs[i].run(ctx, &o); errs[i] != nil {
					errs[i] = fmt.Errorf("replay %s on %s: %w", jobs[i].name(), jobs[i].course.Name, errs[i])
				}
				n := done.Add(int64(len(jobs[i].course.demand)))
				if o.Progress != nil {
					o.Progress(n, total)
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	result.Runs = runs
	for _, s := range result.Policies {
		result.Summaries = append(result.Summaries, summarise(s.Name, runs))
	}
	judge(result)
	return result, nil
}

// plan checks the options and lays out the runs, by trace, seed and policy.
func (o *Options) plan() ([]job, *Result, error) {
	if len(o.Policies) == 0 || len(o.Traces) == 0 {
		return nil, nil, errors.New("replay: a policy and a trace are the least")
	}
	if err := o.World.Check(); err != nil {
		return nil, nil, err
	}
	if o.World.Spot.Model == "trace" && o.World.Spot.trace == nil {
		return nil, nil, errors.New("replay: spot.model is trace, and no availability was given")
	}
	chosen, err := o.chosen()
	if err != nil {
		return nil, nil, err
	}
	r := &Result{Version: ResultVersion, Loop: Closed, Measures: measures}
	names := map[string]bool{}
	var pools []*scale.Pool
	for i := range o.Policies {
		p := &o.Policies[i]
		if names[p.Name] {
			return nil, nil, fmt.Errorf("replay: two policies are named %q", p.Name)
		}
		names[p.Name] = true
		pools = append(pools, &p.Pool)
		r.Policies = append(r.Policies, Subject{
			Name: p.Name, Kind: p.Kind, Pool: p.Pool.Name, Revision: p.Policy.Revision(), About: p.About, Notes: p.Notes,
		})
	}
	if err := o.World.named(pools...); err != nil {
		return nil, nil, err
	}
	for _, b := range chosen {
		r.Policies = append(r.Policies, Subject{Name: b.name, Kind: Baseline, About: b.about})
	}
	r.Assumptions = o.World.assumptions(o.Policies, o.Traces, o.Seeds, o.First)
	var jobs []job
	for _, t := range o.Traces {
		c, err := newCourse(t, &o.World, o.Policies[0].Pool.Rails.Limits)
		if err != nil {
			return nil, nil, err
		}
		if err := o.World.Prices.covers(c); err != nil {
			return nil, nil, err
		}
		most := 0
		for _, n := range c.needed {
			most = max(most, n)
		}
		r.Traces = append(r.Traces, Source{
			Name: t.Name, Origin: t.Origin, Start: t.Start, StepSeconds: int(t.Step / time.Second), Steps: len(t.Values),
			Missing: t.Missing, Notes: t.Notes, Scale: c.scale, PeakInstances: most,
		})
		for n := range max(1, o.Seeds) {
			j := job{course: c, seed: o.First + uint64(n), keep: !o.NoSeries && (n == 0 || o.EverySeed)}
			for i := range o.Policies {
				j.policy, j.rival = &o.Policies[i], nil
				jobs = append(jobs, j)
			}
			for _, b := range chosen {
				j.policy, j.rival = nil, b
				jobs = append(jobs, j)
			}
		}
	}
	return jobs, r, nil
}

// chosen are the baselines asked for.
func (o *Options) chosen() (all []*rival, err error) {
	for i := range rivals {
		wanted := o.Baselines == nil
		for _, name := range o.Baselines {
			wanted = wanted || name == rivals[i].name
		}
		if wanted {
			all = append(all, &rivals[i])
		}
	}
	for _, name := range o.Baselines {
		found := false
		for _, known := range Baselines() {
			found = found || known == name
		}
		if !found {
			return nil, fmt.Errorf("replay: there is no baseline %q; there are: %v", name, Baselines())
		}
	}
	return all, nil
}

func (j *job) name() string {
	if j.policy != nil {
		return j.policy.Name
	}
	return j.rival.name
}

// run makes one run.
func (j *job) run(ctx context.Context, o *Options) (Run, error) {
	pool := &o.Policies[0].Pool
	if j.policy != nil {
		pool = &j.policy.Pool
	}
	sensors := o.World.sensors(pool, &o.Policies[0].Pool)
	s := &scene{
		world: &o.World, limits: pool.Rails.Limits, step: time.Duration(o.World.StepSeconds) * time.Second,
		demand: j.course.demand, needed: j.course.needed, load: load{world: &o.World},
	}
	s.fleet = newFleet(&o.World, j.course.Start, time.Duration(len(s.demand))*s.step, j.seed)
	s.senses = newSenses(pool, sensors, j.course.Start, s.step, j.seed, j.keep)
	if len(sensors) > 0 {
		s.lag = time.Duration(sensors[0].lag() * float64(time.Second))
	}
	m := &meter{scene: s}
	out := Run{Policy: j.name(), Trace: j.course.Name, Seed: j.seed}
	if j.keep {
		m.series = &Series{Start: j.course.Start, StepSeconds: o.World.StepSeconds}
	}
	var p pilot
	var t *tape
	var err error
	if j.policy != nil {
		t = newTape(j.keep)
		s.fleet.begin(s.first(), 0)
		if p, err = newCorridor(j.policy, s.fleet, s.senses, s.first(), t); err != nil {
			return out, err
		}
	} else {
		s.senses.deaf = true
		p = j.rival.make(s)
	}
	if err := s.play(ctx, p, m); err != nil {
		return out, err
	}
	out.Values = m.values()
	if t != nil {
		out.Evaluations, out.Faults, out.Decisions = t.evaluations, t.faults, t.decisions
		if len(t.rails) > 0 {
			out.Rails = t.rails
		}
	}
	if j.keep {
		out.Series, out.Events = m.series, s.fleet.events
		m.series.Signals = s.senses.kept()
	}
	return out, nil
}
