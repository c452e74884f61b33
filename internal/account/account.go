// Package account keeps what a pool's machines cost and how well they served, from one read of the facts to the next.
//
// It is pure. A span that nobody watched is never taken for one without cost, nor for one in which all was well: it is
// charged as if the dearer of its two ends had lasted, and said to be guessed.
package account

import (
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/spot"
)

const (
	// watched is the longest span between two reads that counts as watched: facts are read each few minutes while a
	// pool is looked after at all.
	watched = 15 * time.Minute
	// remembered is how much time weighs in full in what was served.
	remembered = 28 * 24 * time.Hour
)

// Read is what a read of the facts found, with what else the account is kept by.
type Read struct {
	Pool   *scale.Pool
	Facts  scale.Facts
	Memory *scale.Memory
	// Paired is true for one set of a pair; Other is the count of the other's machines, nil if nobody counted.
	Paired bool
	Other  *scale.Live
}

// Keep brings the account up to a read. The old one, nil before the first, is left alone.
func Keep(old *scale.Account, r Read) *scale.Account {
	at := r.Facts.ReadAt
	a := scale.Account{}
	if old != nil {
		a = *old
	}
	if old != nil && !at.After(old.At) {
		// Read twice in one turn: the second look replaces the first, and no time has passed.
		at = old.At
	}
	live := r.Facts.Live
	if r.Paired {
		live = live.Sum(r.Other)
	}
	counted := live != nil
	up := counted && live.Instances-live.Pending() >= r.Pool.Rails.Limits.Min
	if span := at.Sub(a.At); old != nil && span <= watched && a.Counted && counted {
		a.SeenSeconds += int64(span / time.Second)
		if a.Up && up {
			a.ServedSeconds += int64(span / time.Second)
		}
		if a.SeenSeconds >= int64(remembered/time.Second) {
			a.SeenSeconds, a.ServedSeconds = a.SeenSeconds/2, a.ServedSeconds/2
		}
	}
	if isShort(&r.Facts, r.Memory) {
		a.SpotShortAt = at
	}
	if risk := r.Pool.SpotRisk; risk == nil || !r.Facts.Spot {
		a.Pace = nil
	} else {
		a.Pace = spot.Paced(a.Pace, *risk, r.Facts, r.Memory, at)
	}
	a.Spent = spend(a.Spent, a.At, at, r.Pool.Spending, rate(r))
	a.At, a.Counted, a.Up = at, counted, up
	return &a
}

// isShort reports whether fewer Spot machines are up than the set was asked to have, those apart that Trimtab has parked.
// It is not known without a count.
func isShort(f *scale.Facts, m *scale.Memory) bool {
	if f.Live == nil || !f.Spot {
		return false
	}
	asked := f.Capacity
	if f.Mix != nil {
		asked -= f.Mix.Regular(f.Capacity)
	}
	_, parked := m.Off()
	return f.Live.Spot-f.Live.PendingSpot < asked-parked
}

// spend charges the span from the last read to this one, and begins anew where a period begins.
func spend(old *scale.Spent, last, at time.Time, by *scale.Spending, rate int64) *scale.Spent {
	if by == nil {
		return nil
	}
	now := scale.Spent{RateMicro: rate}
	now.From, now.To = by.Span(at)
	since, dearer, seen := now.From, now.RateMicro, false
	if old != nil {
		dearer = max(dearer, old.RateMicro)
		if old.From.Equal(now.From) && old.To.Equal(now.To) {
			now.Sum, now.Guessed, now.UnwatchedSeconds = old.Sum, old.Guessed, old.UnwatchedSeconds
			since = last
		}
		// A period that has just begun was watched from its first instant on, if the last read is near.
		seen = at.Sub(last) <= watched && old.To.Sub(old.From) > 0
	}
	seconds := int64(max(0, at.Sub(since)) / time.Second)
	now.Sum += dearer * seconds
	if !seen {
		now.Guessed += dearer * seconds
		now.UnwatchedSeconds += seconds
	}
	return &now
}

// rate is what the machines that are there cost an hour. Those that are deallocated cost no computing time.
func rate(r Read) int64 {
	f, by := r.Facts, r.Pool.Spending
	if by == nil {
		return 0
	}
	parked, parkedSpot := r.Memory.Off()
	regular, interruptible := f.Capacity, 0
	switch {
	case f.Live != nil:
		regular, interruptible = f.Live.Regular, f.Live.Spot
	case f.Mix != nil:
		regular = f.Mix.Regular(f.Capacity)
		interruptible = max(0, f.Capacity-regular-parkedSpot)
		regular = max(0, regular-(parked-parkedSpot))
	case f.Spot:
		regular, interruptible = 0, max(0, f.Capacity-parked)
	default:
		regular = max(0, regular-parked)
	}
	return int64(regular)*by.RegularMicro + int64(interruptible)*by.SpotMicro
}

// Look is what was spent, as a decision sees it; nil for a pool without Spending. Accounts are those of the pool's sets.
func Look(by *scale.Spending, accounts ...*scale.Account) *scale.SpendingView {
	if by == nil {
		return nil
	}
	v := &scale.SpendingView{Known: true, RegularMicro: by.RegularMicro, SpotMicro: by.SpotMicro}
	for i, a := range accounts {
		if a == nil || a.Spent == nil {
			return &scale.SpendingView{RegularMicro: by.RegularMicro, SpotMicro: by.SpotMicro}
		}
		s := a.Spent
		v.SpentMicro += s.Micro(s.Sum)
		v.GuessedMicro += s.Micro(s.Guessed)
		v.UnwatchedSeconds = max(v.UnwatchedSeconds, s.UnwatchedSeconds)
		v.RateMicro += s.RateMicro
		if remaining := int64(s.To.Sub(a.At) / time.Second); i == 0 || remaining < v.RemainingSeconds {
			v.RemainingSeconds = remaining
		}
		v.PeriodSeconds = int64(s.To.Sub(s.From) / time.Second)
	}
	return v
}
