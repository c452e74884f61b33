package metric

import (
	"cmp"
	"time"

	"trimtab/internal/scale"
)

const (
	// futureLimit is how far ahead of the clock a sample may lie. Beyond it the sender's clock is wrong, and its sample
	// would drag the anchor of the statistics away from all others.
	futureLimit = 2 * time.Minute
	// relivedMilli: an event whose sequence number was passed long ago, but which was enqueued more than this many
	// milliseconds after the newest event known, comes from a hub that was created anew (facts: events 3.2).
	relivedMilli = 60_000
)

// Window is what one pool has kept of the events of one source partition, for all signals of the pool. The zero Window
// is empty and ready for use. It belongs to one goroutine at a time.
type Window struct {
	mark mark
	// limit is the number of points kept apart in a bucket, as of the last fold.
	limit int
	// lanes are in the order of the pool's signals after a fold, in the order of their names after parsing.
	lanes []lane
}

// mark is how far a partition's events have been folded.
type mark struct {
	set      bool
	sequence int64
	// enqueued is the latest arrival folded, in Unix milliseconds; 0 if none is known.
	enqueued int64
	// since closes the hub's earlier life: what was enqueued by then never moves the mark.
	since int64
	lives int64
}

// Counts say what became of the samples routed to a window. Folded, Repeated, Late, Future and Absent add up to the
// number of samples; Corrected are among Folded.
type Counts struct {
	// Folded brought a measurement into the window; Corrected of them replaced another value of the same point.
	Folded, Corrected int
	// Repeated said nothing new: the event was folded before, the same point with the same value is there, or a newer
	// arrival of it is.
	Repeated int
	// Late were older than the signal's window, counted back from the newest sample of the partition.
	Late int
	// Future began more than two minutes ahead of the clock.
	Future int
	// Absent carried no measurement: a count of zero (facts: events 1.1), or nothing that is a number.
	Absent int
}

// Routed is a sample on its way to a window. Signal is the index of the listening signal in the pool's signals.
type Routed struct {
	Signal int
	Sample *scale.Sample
}

// Watermark is the highest sequence number folded and the latest time of arrival; set is false while no event with a
// sequence number was folded. The time is zero where none was known.
func (w *Window) Watermark() (sequence int64, enqueuedAt time.Time, set bool) {
	if w.mark.enqueued != 0 {
		enqueuedAt = time.UnixMilli(w.mark.enqueued).UTC()
	}
	return w.mark.sequence, enqueuedAt, w.mark.set
}

// Relived is how often the partition's sequence numbers were seen to start anew, because its hub was created again.
func (w *Window) Relived() int { return int(w.mark.lives) }

// Fold brings samples of one partition into the window, each event once, and reports what became of each and whether
// anything is different from before, so that the window has to be stored.
//
// An event at or below the watermark that the window had before the call is a repeat. Events without a known sequence
// number are told apart by the identity of their points alone: (signal, dimensions and grain, time). Of several arrivals
// of one identity the newest stays (enqueued time, then sequence number, then place in the body); they are never summed.
// An event without an enqueued time counts as having arrived now.
//
// A bucket keeps a bounded number of points apart; beyond it the oldest of them are merged. Merged points keep exact
// sums, minimum, maximum and count but lose their identity: a correction of one, or a sender's own repetition under a
// new sequence number, then counts as a further point. Without sequence numbers it is taken for a repeat instead.
//
// The order of samples within routed does not matter, nor does where a stream is cut into batches. A sample routed to a
// signal that is not there counts as Absent.
func (w *Window) Fold(signals []scale.Signal, routed []Routed, now time.Time) (Counts, bool) {
	n, _, changed := w.FoldAll(signals, routed, nil, now)
	return n, changed
}

// FoldAll is [Window.Fold] of a batch that also holds events without samples of which the pool must take each once: fresh
// says for each whether it was not folded before. They move the watermark as others do.
func (w *Window) FoldAll(signals []scale.Signal, routed []Routed, others []scale.Source, now time.Time) (n Counts, fresh []bool, changed bool) {
	if len(routed)+len(others) == 0 {
		return n, nil, false
	}
	f := folding{before: w.mark, same: w.mark, now: now, nowMicro: now.UnixMicro()}
	changed = w.align(signals)
	changed = w.dropFuture(f.nowMicro) || changed
	for _, r := range routed {
		if r.Sample == nil || r.Signal < 0 || r.Signal >= len(w.lanes) {
			continue
		}
		fate, at := f.judge(r.Sample)
		if fate != repeated {
			f.advance(r.Sample.Source)
		}
		switch {
		case fate != folded:
		case r.Sample.Running != nil:
			changed = w.lanes[r.Signal].see(at-1, at, r.Sample.Format) || changed
		default:
			changed = w.lanes[r.Signal].see(at, f.end(r.Sample, at), r.Sample.Format) || changed
		}
		f.follow(r)
	}
	for _, src := range others {
		told := f.seen(src)
		if fresh = append(fresh, !told); !told {
			f.advance(src)
		}
	}
	for i := range w.lanes {
		changed = w.lanes[i].prune() || changed
	}
	for _, r := range routed {
		if r.Sample == nil || r.Signal < 0 || r.Signal >= len(w.lanes) {
			n.Absent++
			continue
		}
		fate, at := f.judge(r.Sample)
		if fate == folded && f.twice(r) {
			fate = repeated
		}
		if fate == folded {
			var moved bool
			if r.Sample.Running != nil {
				fate = w.lanes[r.Signal].read(r.Sample, at, f.stamp(r.Sample.Source))
			} else {
				fate, moved = w.lanes[r.Signal].take(r.Sample, at, f.stamp(r.Sample.Source), w.limit)
			}
			changed = changed || moved
		}
		n.add(fate)
	}
	for i := range w.lanes {
		if l := &w.lanes[i]; len(l.counters)+len(l.full) > 0 {
			changed = l.settle(counterLimit(signals)) || changed
		}
	}
	after := f.after()
	changed = changed || after != w.mark
	w.mark = after
	return n, fresh, changed
}

// dropFuture empties the lanes whose newest sample lies ahead of the clock by more than skew explains: a process whose
// own clock ran ahead has folded it, and beside it every sample of the present would count as late.
func (w *Window) dropFuture(now int64) (changed bool) {
	for i := range w.lanes {
		if l := &w.lanes[i]; l.held && l.newestAt > now+futureLimit.Microseconds() {
			*l = lane{name: l.name, print: l.print, width: l.width, buckets: l.buckets}
			changed = true
		}
	}
	return changed
}

// fate is what becomes of one sample.
type fate uint8

const (
	folded fate = iota
	corrected
	repeated
	late
	future
	absent
)

func (n *Counts) add(f fate) {
	switch f {
	case folded:
		n.Folded++
	case corrected:
		n.Folded++
		n.Corrected++
	case repeated:
		n.Repeated++
	case late:
		n.Late++
	case future:
		n.Future++
	case absent:
		n.Absent++
	}
}

// folding is the part of one fold that does not depend on the signal.
type folding struct {
	// before is the mark that repeats are told by; same is the mark after the batch if the hub lives on, anew if it was
	// created again.
	before, same, anew mark
	relived            bool
	now                time.Time
	nowMicro           int64
	// last is the sample before; untidy is set once one does not follow the one before it, so that an event may be in the
	// batch twice; met holds what has been met, in an untidy batch only.
	last   Routed
	untidy bool
	met    map[encounter]bool
}

// encounter is one sample of one event on its way to one signal.
type encounter struct {
	signal, element int
	sequence, at    int64
	series          uint64
	stats           scale.Stats
}

// follow watches whether the samples come in the order of their events, elements and signals.
func (f *folding) follow(r Routed) {
	if !r.Sample.Source.Known {
		return
	}
	if f.last.Sample != nil {
		a, b := f.last.Sample.Source, r.Sample.Source
		if cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Element, b.Element),
			cmp.Compare(f.last.Signal, r.Signal)) >= 0 {
			f.untidy = true
		}
	}
	f.last = r
}

// twice reports whether the same sample of the same event was in the batch before. Among points that are merged the
// identity alone would not tell.
func (f *folding) twice(r Routed) bool {
	s := r.Sample
	if !f.untidy || !s.Source.Known {
		return false
	}
	e := encounter{
		signal: r.Signal, element: s.Source.Element, sequence: s.Source.Sequence, at: s.At.UnixMicro(),
		series: seriesOf(s), stats: s.Stats,
	}
	if f.met[e] {
		return true
	}
	if f.met == nil {
		f.met = make(map[encounter]bool)
	}
	f.met[e] = true
	return false
}

// judge says what a sample's source, statistics and time make of it, regardless of what its signal holds, and gives its
// time in microseconds.
func (f *folding) judge(s *scale.Sample) (fate, int64) {
	if f.seen(s.Source) {
		return repeated, 0
	}
	has := usable(&s.Stats)
	if s.Running == nil && s.Has&scale.HasCount != 0 && !(s.Count > 0) {
		return absent, 0
	}
	if has == 0 || s.Running != nil && has&(scale.HasTotal|scale.HasCount) == 0 {
		return absent, 0
	}
	if s.At.Sub(f.now) > futureLimit {
		return future, 0
	}
	return folded, s.At.UnixMicro()
}

// seen reports whether the event was folded before this batch.
func (f *folding) seen(src scale.Source) bool {
	return src.Known && f.before.set && src.Sequence <= f.before.sequence && !f.past(src) && !f.relives(src)
}

// past reports whether the event belongs to an earlier life of its hub: it cannot be told from the numbers whether it
// was folded, so the identity of its points decides.
func (f *folding) past(src scale.Source) bool {
	at := arrival(src)
	return at != 0 && at <= f.before.since
}

// relives reports whether the event proves that its hub was created anew.
func (f *folding) relives(src scale.Source) bool {
	return f.before.set && f.before.enqueued != 0 && src.Sequence <= f.before.sequence &&
		arrival(src) > f.before.enqueued+relivedMilli
}

// advance moves the marks over an event that was not folded before.
func (f *folding) advance(src scale.Source) {
	if !src.Known || f.past(src) {
		return
	}
	at := arrival(src)
	f.relived = f.relived || f.relives(src)
	f.same.reach(src.Sequence, at)
	if at > f.before.enqueued+relivedMilli {
		f.anew.reach(src.Sequence, at)
	}
}

// after is the mark after the batch. If the hub was created anew, only what was enqueued clearly later than everything
// before belongs to its new life.
func (f *folding) after() mark {
	if !f.relived {
		return f.same
	}
	m := f.anew
	m.since, m.lives = f.before.enqueued+relivedMilli, f.before.lives+1
	return m
}

func (m *mark) reach(sequence, enqueued int64) {
	if !m.set || sequence > m.sequence {
		m.set, m.sequence = true, sequence
	}
	m.enqueued = max(m.enqueued, enqueued)
}

// end is the end of the sample's span. A sample cannot have measured what had not happened when it was folded: a span
// that reaches beyond is cut there, or a day-long grain would keep a dead signal fresh all day.
func (f *folding) end(s *scale.Sample, at int64) int64 {
	return min(at+max(s.Grain.Microseconds(), 0), max(at, f.nowMicro))
}

// stamp is the arrival by which newer and older are told.
func (f *folding) stamp(src scale.Source) int64 {
	if at := arrival(src); at != 0 {
		return at
	}
	return f.now.UnixMilli()
}

// arrival is the enqueued time in Unix milliseconds, the resolution of an AMQP timestamp; 0 if it is not known.
func arrival(src scale.Source) int64 {
	if src.EnqueuedAt.IsZero() {
		return 0
	}
	return src.EnqueuedAt.UnixMilli()
}

// align gives the window one lane for each signal, in the signals' order. What it holds of signals that are gone, or
// that mean another series now, is let go. It reports whether that changed anything that is stored.
func (w *Window) align(signals []scale.Signal) bool {
	limit := pointLimit(signals)
	changed, tighter := limit != w.limit && w.held(), limit < w.limit
	w.limit = limit
	fits := len(w.lanes) == len(signals)
	for i := range signals {
		fits = fits && w.lanes[i].name == signals[i].Name
	}
	if !fits {
		old := w.lanes
		w.lanes = make([]lane, len(signals))
		kept := 0
		for i := range signals {
			w.lanes[i].name = signals[i].Name
			if l := find(old, i, signals[i].Name); l != nil && l.held {
				w.lanes[i] = *l
				kept++
			}
		}
		for i := range old {
			if old[i].held {
				kept--
			}
		}
		changed = changed || kept != 0
	}
	for i := range signals {
		l, print := &w.lanes[i], fingerprint(&signals[i])
		if l.held && l.print != print {
			*l = lane{name: l.name}
			changed = true
		}
		l.print = print
		l.width, l.buckets = extent(&signals[i])
		if tighter {
			l.trim(limit)
		}
	}
	return changed
}

func (w *Window) held() bool {
	for i := range w.lanes {
		if w.lanes[i].held {
			return true
		}
	}
	return false
}

// find finds the lane of that name, at the place where it most likely is.
func find(lanes []lane, hint int, name string) *lane {
	if hint < len(lanes) && lanes[hint].name == name {
		return &lanes[hint]
	}
	for i := range lanes {
		if lanes[i].name == name {
			return &lanes[i]
		}
	}
	return nil
}
