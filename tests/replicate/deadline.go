package main

import (
	"context"
	"fmt"
	"time"

	"trimtab/internal/replay"
	"trimtab/internal/scale"
)

// byLibrary asks the library's deadline-aware mix where a job goes: its blend is all regular, or Spot as far as there is
// any. The first fault that a policy has is kept in fault.
func byLibrary(ctx context.Context, p *replay.Policy, fault *error) choose {
	begun := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	return func(j *job, spot bool) place {
		now := begun.Add(hours(j.now))
		mix := scale.Mix{}
		if j.at == onRegular {
			mix.RegularPercent = 100
		}
		done, _ := scale.ToMilli(j.done)
		proposal := p.Policy.Propose(ctx, &scale.View{
			Version: scale.ViewVersion, Now: now, Pool: p.Pool.Name, Policy: p.Pool.Policy, Mode: p.Pool.Mode, Labels: p.Pool.Labels,
			Orchestration: p.Pool.Orchestration, Rails: p.Pool.Rails, Settings: p.Pool.Settings, FactsMaxAgeSeconds: 300,
			Facts: scale.Facts{ReadAt: now, Capacity: 1, Mix: &mix, ETag: `"1"`, Orchestration: scale.Flexible, Spot: true, PlatformMax: 1000},
			Signals: map[string]scale.SignalView{"done": {
				State: scale.SignalFresh, HasValue: true, Value: done, Last: done, NewestAt: now, Buckets: 1, Expected: 1,
			}},
			Schedules: map[string]scale.ScheduleView{"run": {Active: true, NextAt: begun.Add(hours(j.deadline))}},
		})
		if (proposal.Fault != "" || proposal.Blend == nil || len(proposal.Faults) > 0) && *fault == nil {
			*fault = fmt.Errorf("pool deadline after %g hours: %s %v", j.now, proposal.Fault, proposal.Faults)
		}
		switch {
		case proposal.Blend == nil || proposal.Blend.Mix.RegularPercent == 100:
			return onRegular
		case spot:
			return onSpot
		}
		return idle
	}
}

// libraryDeadlines are the rows of the library's mix for a job with a deadline, beside greedy and Uniform Progress.
func (s *setup) libraryDeadlines() ([]row, error) {
	const group = "The deadline-aware mix of our library on the same jobs; published: Uniform Progress"
	p, err := own(s.ctx, "deadline")
	if err != nil {
		return nil, err
	}
	var fault error
	starts := max(1, s.starts/4)
	ours := hurry(s.spot22, starts, s.seed, 60, byLibrary(s.ctx, &p, &fault))
	if fault != nil {
		return nil, fault
	}
	g := hurry(s.spot22, starts, s.seed, 60, greedy)
	u := hurry(s.spot22, starts, s.seed, 60, uniformProgress)
	return []row{
		{group, "on-demand hours less those of Uniform Progress", "h", "0", 0, ours.regular - u.regular, -1.5, 1.5, "within 1.5 on the same starts"},
		{group, "cost less that of Uniform Progress", "share", "0", 0, ours.cost - u.cost, -0.02, 0.02, "within 0.02 on the same starts"},
		{group, "greedy less ours, on-demand hours", "h", "5.7", 5.7, g.regular - ours.regular, 3, 8, "at least 3"},
		{group, "missed deadlines", "", "0", 0, float64(ours.missed), 0, 0, "none may be missed"},
	}, nil
}
