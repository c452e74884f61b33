package sim

import (
	"math"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// measured is one point of one signal of one pool, as the sender means it.
type measured struct {
	pool, signal int
	at           time.Time
	grain        time.Duration
	value, count float64
	element      int
}

// reference is what a window must hold, worked out from the events themselves in the plainest way: it never sees a body,
// and it knows each event by its number.
type reference struct {
	mark  int64
	set   bool
	lanes map[int]*plainLane
	// accepted are the events folded.
	accepted map[int64]bool
}

// plainLane is one signal: the points that are in its window, by time.
type plainLane struct {
	newest, end time.Time
	points      map[time.Time]plainPoint
}

type plainPoint struct {
	value, count float64
	enqueued     time.Time
	sequence     int64
}

// fold is the reference after a batch, folded at now.
func (r *reference) fold(p *pool, batch []*event, now time.Time) *reference {
	next := &reference{mark: r.mark, set: r.set, lanes: make(map[int]*plainLane), accepted: make(map[int64]bool, len(r.accepted)+len(batch))}
	for s := range r.accepted {
		next.accepted[s] = true
	}
	for i, l := range r.lanes {
		c := &plainLane{newest: l.newest, end: l.end, points: make(map[time.Time]plainPoint, len(l.points)+8)}
		for k, v := range l.points {
			c.points[k] = v
		}
		next.lanes[i] = c
	}
	now = now.Truncate(time.Microsecond) // what windows are kept in
	var fresh []measured
	var from []*event
	for _, e := range batch {
		mine := e.concerns(p.index())
		for _, m := range e.points {
			if m.pool != p.index() {
				continue
			}
			if r.set && e.sequence <= r.mark || m.count == 0 || m.at.Sub(now) > 2*time.Minute {
				continue
			}
			fresh, from = append(fresh, m), append(from, e)
		}
		if mine && !(r.set && e.sequence <= r.mark) {
			next.accepted[e.sequence] = true
			next.mark, next.set = max(next.mark, e.sequence), true
		}
	}
	for _, m := range fresh {
		l := next.lanes[m.signal]
		if l == nil {
			l = &plainLane{points: make(map[time.Time]plainPoint)}
			next.lanes[m.signal] = l
		}
		end := m.at.Add(m.grain)
		if end.After(now) && now.After(m.at) {
			end = now
		} else if end.After(now) {
			end = m.at
		}
		if m.at.After(l.newest) || m.at.Equal(l.newest) && end.After(l.end) {
			l.newest, l.end = m.at, end
		}
	}
	for i, l := range next.lanes {
		sig := &p.Signals[i]
		floor := l.newest.Truncate(sig.Bucket).Add(-sig.Window + sig.Bucket)
		for k, m := range fresh {
			if m.signal != i || m.at.Before(floor) {
				continue
			}
			q := plainPoint{m.value, m.count, from[k].enqueued, from[k].sequence}
			old, there := l.points[m.at]
			if !there || q.enqueued.After(old.enqueued) || q.enqueued.Equal(old.enqueued) && q.sequence > old.sequence {
				l.points[m.at] = q
			}
		}
		for at := range l.points {
			if at.Before(floor) {
				delete(l.points, at)
			}
		}
	}
	return next
}

// checkWindow compares a stored window with its reference (invariant 6).
func (w *world) checkWindow(p *pool, source string, row *windowRow, now time.Time) {
	got, err := metric.ParseWindow(row.data)
	if err != nil {
		w.broken(6, "the stored window of %s %s cannot be read: %v", p.Name, source, err)
		return
	}
	if mark, _, set := got.Watermark(); mark != row.truth.mark || set != row.truth.set {
		w.broken(6, "the window of %s %s is marked %d %t, its events %d", p.Name, source, mark, set, row.truth.mark)
		return
	}
	views := metric.View(p.Signals, []*metric.Window{got}, now, nil)
	for i := range p.Signals {
		v, l := views[p.Signals[i].Name], row.truth.lanes[i]
		if l == nil {
			if v.State != scale.SignalMissing {
				w.broken(6, "the window of %s %s holds %s, of which no event told", p.Name, source, p.Signals[i].Name)
			}
			continue
		}
		total, count, low, high := 0.0, 0.0, math.Inf(1), math.Inf(-1)
		buckets := make(map[time.Time]bool)
		for at, q := range l.points {
			total, count = total+q.value*q.count, count+q.count
			low, high = min(low, q.value), max(high, q.value)
			buckets[at.Truncate(p.Signals[i].Bucket)] = true
		}
		milli := func(f float64) scale.Milli { m, _ := scale.ToMilli(f); return m }
		if v.Total != milli(total) || v.Count != milli(count) || v.Minimum != milli(low) || v.Maximum != milli(high) ||
			v.Buckets != len(buckets) || !v.NewestAt.Equal(l.end) {
			w.broken(6, "the window of %s %s at %v: %s is %+v, its events make total %v count %v min %v max %v in %d buckets, newest %v",
				p.Name, source, now, p.Signals[i].Name, v, total, count, low, high, len(buckets), l.end)
		}
	}
}
