package engine

import (
	"strings"
	"time"

	"trimtab/internal/account"
	"trimtab/internal/guard"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
	"trimtab/internal/spot"
)

// view puts together everything that a decision may depend on.
func (e *Engine) view(v *visit) *scale.View {
	p, c := v.pool, v.control
	c.Facts.Pair = v.pair()
	view := &scale.View{
		Version: scale.ViewVersion, Now: v.now,
		Pool: strings.TrimSuffix(p.Name, scale.SpotSuffix), Policy: p.Policy, Mode: p.Mode, Labels: p.Labels, Orchestration: p.Orchestration,
		Rails: p.Rails, Settings: p.Settings,
		Facts: c.Facts, FactsMaxAgeSeconds: int(e.FactsMaxAge / time.Second), FactsProblem: c.FactsProblem,
		FactsUnread: v.unread,
		Frozen:      e.Frozen, Orders: c.Orders, Memory: c.Memory, Contended: v.contended,
	}
	view.Groups = e.groupViews(v)
	view.Spot = spot.Look(p.SpotRisk, c.Facts, &c.Memory, v.now)
	view.Spending = v.spending()
	view.Memory.InFlight, view.Memory.InFlightSince = nil, time.Time{}
	if c.Intent != nil {
		to := c.Intent.To
		view.Memory.InFlight, view.Memory.InFlightSince = &to, c.Intent.StartedAt
	}
	view.Signals = metric.View(p.Signals, v.windows, v.now, inService(&c, v.now, time.Duration(p.Rails.WarmUpSeconds)*time.Second))
	v.lookAhead(view)
	if len(p.Schedules) > 0 {
		view.Schedules = make(map[string]scale.ScheduleView, len(p.Schedules))
		for _, s := range p.Schedules {
			active, next := s.Active(v.now)
			if !next.IsZero() {
				next = next.UTC()
			}
			view.Schedules[s.Name] = scale.ScheduleView{Active: active, NextAt: next, Dated: s.Dated()}
		}
	}
	return view
}

// spending is what the pool has spent, both sets of a pair together.
func (v *visit) spending() *scale.SpendingView {
	if v.pairOf == nil {
		return account.Look(v.pool.Spending, v.control.Memory.Account)
	}
	return account.Look(v.pool.Spending, v.control.Memory.Account, v.other.Memory.Account)
}

// inService answers how many instances were in service at an instant: the lower of the counts then and one warm-up
// earlier, for what has just been added does not serve yet and what has just gone serves no more. Before the first
// count seen, that one is taken.
func inService(c *scale.Control, now time.Time, warmUp time.Duration) func(time.Time) (int, bool) {
	history := c.Memory.Capacities
	if n := c.Memory.Instances(c.Facts); c.Facts.Known() && (len(history) == 0 || history[len(history)-1].Instances != n) {
		history = append(history[:len(history):len(history)],
			scale.Recommendation{At: c.Facts.ReadAt, Instances: n})
	}
	history = guard.Believed(history, now)
	at := func(t time.Time) int {
		n := history[0].Instances
		for _, h := range history {
			if h.At.After(t) {
				break
			}
			n = h.Instances
		}
		return n
	}
	return func(t time.Time) (int, bool) {
		if len(history) == 0 {
			return 0, false
		}
		return min(at(t), at(t.Add(-warmUp))), true
	}
}
