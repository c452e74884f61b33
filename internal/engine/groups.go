package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"trimtab/internal/scale"
)

const (
	// memberSilent is the age from which on what a member said is not believed any more.
	memberSilent = 15 * time.Minute
	// memberRepeats is how often a member says the same again.
	memberRepeats = 5 * time.Minute
)

// member is what a pool tells the others of its groups: one row in the group's partition, which it alone writes.
type member struct {
	At time.Time `json:"at"`
	// Present is what the pool has or has asked for, Wanted what it wanted last.
	Present int `json:"present"`
	Wanted  int `json:"wanted"`
	// SpentMicro is what it has spent in its period, Until the end of that; zero where it keeps no account. RateMicro is what
	// its machines cost an hour.
	SpentMicro int64     `json:"spent_micro,omitempty"`
	RateMicro  int64     `json:"rate_micro,omitempty"`
	Until      time.Time `json:"until,omitzero"`
}

// said is a group as it was read: what its members said, and the pool's own row.
type said struct {
	members map[string]member
	version string
}

// readGroups reads what the other members of a pool's groups said: one call for each group. A group that cannot be read
// is not known, and a ceiling that needs it holds the count.
func (e *Engine) readGroups(ctx context.Context, v *visit) {
	if len(v.pool.Groups) == 0 || v.groups != nil {
		return
	}
	v.groups = make(map[string]said, len(v.pool.Groups))
	for _, m := range v.pool.Groups {
		stored, err := e.Ledger.Load(ctx, scale.GroupKey(m.Group))
		if err != nil {
			e.Log.Warn("group not read", slog.String("pool", v.pool.Name), slog.String("group", m.Group), slog.Any("error", err))
			continue
		}
		s := said{members: make(map[string]member, len(stored.Windows))}
		for _, row := range stored.Windows {
			var one member
			if json.Unmarshal(row.Data, &one) == nil {
				s.members[row.Source] = one
			}
			if row.Source == v.pool.Name {
				s.version = row.Version
			}
		}
		v.groups[m.Group] = s
	}
}

// groupViews is what a pool sees of its groups.
func (e *Engine) groupViews(v *visit) map[string]scale.GroupView {
	if len(v.groups) == 0 {
		return nil
	}
	views := make(map[string]scale.GroupView, len(v.groups))
	for i := range v.pool.Groups {
		own := &v.pool.Groups[i]
		if s, known := v.groups[own.Group]; known {
			views[own.Group] = e.groupView(v, own, s)
		}
	}
	return views
}

func (e *Engine) groupView(v *visit, own *scale.Membership, s said) scale.GroupView {
	view := scale.GroupView{}
	view.Each.Add(own, 1)
	if s := v.spending(); s != nil && s.Known {
		view.SpentMicro, view.RemainingSeconds = s.SpentMicro, s.RemainingSeconds
	} else {
		view.Uncounted++
	}
	for _, p := range e.order {
		if p.Name == v.pool.Name {
			continue
		}
		for i := range p.Groups {
			m := &p.Groups[i]
			if m.Group != own.Group {
				continue
			}
			view.Others++
			one, known := s.members[p.Name]
			silent := !known || v.now.Sub(one.At) > memberSilent
			if p.Spending == nil {
				view.Uncounted++
			} else {
				view.SpentMicro += one.spentBy(v.now, p, silent)
			}
			if silent {
				view.Silent++
				one = member{Present: p.Rails.Limits.Max, Wanted: p.Rails.Limits.Max}
			}
			view.Present.Add(m, one.Present)
			if cmp.Or(cmp.Compare(own.Priority, m.Priority), cmp.Compare(p.Name, v.pool.Name)) < 0 {
				view.Above.Add(m, max(one.Present, one.Wanted))
			} else {
				view.Below.Add(m, p.Rails.Limits.Min)
			}
		}
	}
	return view
}

// spentBy is what a member has spent by now: what it said, and since then what it has or, of one that is silent, what
// its upper limit costs. What was said of a period that is over says nothing of this one.
func (m member) spentBy(now time.Time, p *pool, silent bool) int64 {
	rate, since, spent := m.RateMicro, m.At, m.SpentMicro
	if !m.Until.After(now) {
		since, _ = p.Spending.Span(now)
		spent = 0
	}
	if silent {
		rate = max(rate, int64(p.Rails.Limits.Max)*p.Spending.RegularMicro)
	}
	return spent + rate*int64(max(0, now.Sub(since))/time.Second)/3600
}

// tellGroups tells the other members what this pool has and wants, where that is news. Nothing hangs on it: what is not
// told now is told by the next turn, and a pool that is silent counts with its upper limit.
func (e *Engine) tellGroups(ctx context.Context, v *visit, entry *scale.Entry) {
	if len(v.groups) == 0 || !entry.View.Facts.Known() {
		return
	}
	d := &entry.Decision
	// Parked machines hold a place in the count and take none of the group's.
	off, _ := entry.View.Memory.Off()
	now := member{At: v.now, Present: max(d.From.Instances, entry.View.Facts.Capacity-off), Wanted: d.From.Instances}
	if d.Act {
		now.Present = max(now.Present, d.To.Instances)
	}
	if in := entry.View.Memory.InFlight; in != nil {
		now.Present = max(now.Present, in.Instances)
	}
	if wish := wished(&entry.Proposal); entry.Proposal.Known {
		limits := entry.View.Rails.Limits
		now.Wanted = min(max(wish, limits.Min), limits.Max)
		if most := entry.View.Facts.PlatformMax; most > 0 {
			// What the platform never gives is kept from nobody.
			now.Wanted = min(now.Wanted, most)
		}
	}
	if s := entry.View.Spending; s != nil && s.Known {
		now.SpentMicro, now.RateMicro, now.Until = s.SpentMicro, s.RateMicro, v.control.Memory.Account.Spent.To
	}
	data, err := json.Marshal(now)
	if err != nil {
		return
	}
	for group, s := range v.groups {
		if old, told := s.members[v.pool.Name]; told && old.Present == now.Present && old.Wanted == now.Wanted && old.Until.Equal(now.Until) &&
			v.now.Sub(old.At) < memberRepeats {
			continue
		}
		err := e.Ledger.Commit(ctx, scale.GroupKey(group), scale.Commit{
			Attempt: e.attempt(), Windows: []scale.StoredWindow{{Source: v.pool.Name, Data: data, Version: s.version}},
		})
		if err != nil && !errors.Is(err, scale.ErrConflict) {
			e.Log.Warn("group not told", slog.String("pool", v.pool.Name), slog.String("group", group), slog.Any("error", err))
		}
	}
}

// wished is the largest of the reasons of want, before any ceiling: what was cut for the others is wanted all the same.
func wished(p *scale.Proposal) int {
	wish := p.Instances
	for _, r := range p.Reasons {
		if n, cut := r.Numbers["wanted"]; cut && r.Code == "at_most_group" {
			wish = max(wish, int(n))
		}
	}
	return wish
}
