package force

import (
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// changes checks what was done to a pool's scale set against what was intended.
func (v *Verdict) changes(e *Evidence, p *scale.Pool) {
	var acting []*scale.Entry
	byTag := map[string][]*scale.Entry{}
	for i := range e.Entries[p.Name] {
		entry := &e.Entries[p.Name][i]
		if !entry.Decision.Act {
			continue
		}
		acting = append(acting, entry)
		byTag[entry.View.Facts.ETag] = append(byTag[entry.View.Facts.ETag], entry)
	}
	v.Acting += len(acting)
	v.intents(e, p, acting)
	made := map[*scale.Entry]bool{}
	attempts := map[string]int{}
	for i := range e.Requests {
		q := &e.Requests[i]
		if q.Method != "PATCH" || !strings.EqualFold(q.Path, p.ScaleSet) {
			continue
		}
		v.Patches++
		attempts[q.IfMatch]++
		v.patch(p, q)
		if !q.Applied {
			continue
		}
		v.Applied++
		entry := owner(byTag[q.IfMatch], q)
		switch {
		case entry == nil:
			v.note(&v.Doubled, 1, "a change of %s at %s on etag %s that no intent of that time asks for", p.Name, q.At.Format(time.RFC3339Nano), q.IfMatch)
		case made[entry]:
			v.note(&v.Doubled, 1, "entry %s of %s was carried out twice", entry.Key, p.Name)
		default:
			made[entry] = true
		}
	}
	for tag, n := range attempts {
		if n > len(byTag[tag]) {
			v.note(&v.Doubled, n-len(byTag[tag]), "%d PATCHes of %s on etag %s for %d intents", n, p.Name, tag, len(byTag[tag]))
		}
	}
	v.outcomes(e, p, acting, made)
	v.cooldowns(p, acting, made)
}

// owner is the intent that a change carries out: on that etag, to that number, while it was open.
func owner(entries []*scale.Entry, q *arm.Request) *scale.Entry {
	for _, entry := range entries {
		asks := q.Capacity == nil && entry.Decision.To.Instances == entry.Decision.From.Instances ||
			q.Capacity != nil && *q.Capacity == entry.Decision.Capacity()
		over := entry.Outcome != nil && q.At.After(entry.Outcome.At)
		if asks && !over && !q.At.Before(entry.At) {
			return entry
		}
	}
	return nil
}

// patch checks one PATCH, taken or not: conditional, within the limits, alone.
func (v *Verdict) patch(p *scale.Pool, q *arm.Request) {
	if q.IfMatch == "" || q.IfMatch == "*" {
		v.note(&v.Breaches, 1, "a PATCH of %s without an etag", p.Name)
	}
	// The nominal count may stand above the limits where machines are missing; what is there may not.
	if n := q.Capacity; n != nil && *n < p.Rails.Limits.Min {
		v.note(&v.Breaches, 1, "a PATCH of %s to %d, below %d", p.Name, *n, p.Rails.Limits.Min)
	}
	if n := q.Makes; n != nil && q.Capacity != nil && *n > p.Rails.Limits.Max {
		v.note(&v.Breaches, 1, "a PATCH of %s to %d makes %d machines, more than %d", p.Name, *q.Capacity, *n, p.Rails.Limits.Max)
	}
	if q.Overtook {
		v.note(&v.Breaches, 1, "a PATCH of %s at %s while an earlier change of ours was under way", p.Name, q.At.Format(time.RFC3339Nano))
	}
}

// intents checks that changes were intended one after the other, and that each has ended.
func (v *Verdict) intents(e *Evidence, p *scale.Pool, acting []*scale.Entry) {
	if in := e.Stored[p.Name].Control.Intent; in != nil {
		v.note(&v.Breaches, 1, "the intent of entry %s of %s is still open", in.Entry, p.Name)
	}
	for i, entry := range acting {
		switch {
		case entry.Outcome == nil:
			v.note(&v.Breaches, 1, "entry %s of %s has no outcome", entry.Key, p.Name)
		case i+1 < len(acting) && entry.Outcome.At.After(acting[i+1].At):
			v.note(&v.Breaches, 1, "entry %s of %s was intended before entry %s had ended", acting[i+1].Key, p.Name, entry.Key)
		}
		// A set that somebody else has made too large may still have its split changed.
		if n := entry.Decision.To.Instances; n != entry.Decision.From.Instances && (n < p.Rails.Limits.Min || n > p.Rails.Limits.Max) {
			v.note(&v.Breaches, 1, "entry %s of %s intends %d from %d because of %s, outside its limits",
				entry.Key, p.Name, n, entry.Decision.From.Instances, entry.Decision.Reason)
		}
	}
}

// kept reports whether an outcome leaves the change standing, so that cooldowns count from it.
func kept(o *scale.Outcome) bool {
	return o != nil && (o.Result == scale.Applied || o.Result == scale.Failed || o.Result == scale.Preempted)
}

// outcomes compares how changes ended by the journal with what the emulator did.
func (v *Verdict) outcomes(e *Evidence, p *scale.Pool, acting []*scale.Entry, made map[*scale.Entry]bool) {
	for _, entry := range acting {
		switch o := entry.Outcome; {
		case o == nil:
		case made[entry] && !kept(o):
			// Somebody else wrote before anybody could look: the facts no longer show our change.
			if v.Unsure++; !e.strange(p, entry.At, o.At, nil) {
				v.note(&v.Breaches, 1, "entry %s of %s was carried out, and its outcome says %s", entry.Key, p.Name, o.Result)
			}
		case !made[entry] && kept(o):
			// Somebody else made it what we wanted.
			n := entry.Decision.To.Instances
			if v.Unsure++; !e.strange(p, time.Time{}, o.At, &n) {
				v.note(&v.Breaches, 1, "entry %s of %s was never carried out, and its outcome says %s", entry.Key, p.Name, o.Result)
			}
		}
	}
}

// untold is how long after it was made ready a lie is told at most: what nobody has heard is taken back.
const untold = 10 * time.Minute

// strange reports whether between two instants a stranger wrote to a pool's set, that number if one is given, or lies
// were told about it.
func (e *Evidence) strange(p *scale.Pool, from, to time.Time, number *int) bool {
	for _, f := range e.Foreign {
		if f.Lie && number == nil {
			f.At = f.At.Add(untold)
			if f.At.After(to) {
				f.At = to
			}
		}
		if strings.EqualFold(f.Set, p.ScaleSet) && !f.At.Before(from) && !f.At.After(to) && (number == nil || *number == f.Capacity) {
			return true
		}
	}
	return false
}

// cooldowns checks the time between changes that were made and stood: from one growth to the next, from any change of
// number to the next shrink, from one change of the mix to the next.
func (v *Verdict) cooldowns(p *scale.Pool, acting []*scale.Entry, made map[*scale.Entry]bool) {
	last := map[scale.Direction]*scale.Entry{}
	rest := func(entry *scale.Entry, after scale.Direction, seconds int) {
		before := last[after]
		if before == nil {
			return
		}
		if gap := entry.At.Sub(before.At); gap < time.Duration(seconds)*time.Second {
			v.note(&v.Breaches, 1, "%s of %s at %s, %v after a %s; it rests %d seconds", entry.Decision.Direction, p.Name, entry.At.Format(time.RFC3339Nano), gap, after, seconds)
		}
	}
	c := p.Rails.Cooldown
	for _, entry := range acting {
		if !made[entry] || !kept(entry.Outcome) {
			continue
		}
		switch entry.Decision.Direction {
		case scale.Grow:
			rest(entry, scale.Grow, c.GrowSeconds)
		case scale.Shrink:
			rest(entry, scale.Grow, c.ShrinkSeconds)
			rest(entry, scale.Shrink, c.ShrinkSeconds)
		case scale.Remix:
			rest(entry, scale.Remix, c.MixSeconds)
		}
		last[entry.Decision.Direction] = entry
	}
}
