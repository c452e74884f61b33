package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"

	"github.com/google/go-cmp/cmp"
)

// windowWorld is a pool with three signals of different shape and the events of one hub that it listens to.
type windowWorld struct {
	rand    *rand.Rand
	signals []scale.Signal
	// running is set where some samples are readings of cumulative series.
	running bool
	// events are in the order of their arrival, each with the samples that the pool listens to.
	events [][]metric.Routed
}

func windowWorldOf(seed uint64, events, series int, corrections bool, running ...bool) *windowWorld {
	w := &windowWorld{rand: rand.New(rand.NewPCG(seed, 1)), running: len(running) > 0 && running[0]}
	for i, a := range []scale.Aggregation{scale.Average, scale.Total, scale.Maximum} {
		sig := windowSignal(fmt.Sprintf("s%d", i), a)
		sig.Bucket = []time.Duration{time.Minute, 2 * time.Minute, 30 * time.Second}[i]
		sig.Window = []time.Duration{5 * time.Minute, 9 * time.Minute, 3 * time.Minute}[i]
		if series > 1 {
			sig.Dimensions = map[string]string{"vmname": "*"}
		}
		w.signals = append(w.signals, sig)
	}
	used := map[string]bool{}
	for e := range events {
		var event []metric.Routed
		for range 1 + w.rand.IntN(4) {
			s := w.sample(e, events, len(event), series)
			key := fmt.Sprint(s.At, s.Dimensions, s.Metric)
			if corrections || !used[key] {
				used[key] = true
				event = append(event, metric.Routed{Signal: int(s.Metric[0] - '0'), Sample: s})
			}
		}
		if len(event) > 0 {
			w.events = append(w.events, event)
		}
	}
	return w
}

// sample invents the i-th sample of event e. Every event has an arrival of its own, so that which is newer is certain.
func (w *windowWorld) sample(e, events, i, series int) *scale.Sample {
	signal := w.rand.IntN(len(w.signals))
	s := windowSample(-20+e*20/events-w.rand.IntN(4), int64(e), float64(w.rand.IntN(200_000)-50_000)/1000)
	s.Metric = string(rune('0' + signal))
	s.At = s.At.Add(time.Duration(w.rand.IntN(120)) * 500 * time.Millisecond)
	s.Source.EnqueuedAt = windowMinute(-20).Add(time.Duration(e) * 7 * time.Millisecond)
	s.Source.Element = i
	if series > 1 {
		s.Dimensions = fmt.Sprintf("vmname=web_%d", w.rand.IntN(series))
	} else {
		s.At = s.At.Truncate(20 * time.Second)
	}
	if w.running && w.rand.IntN(2) == 0 {
		s.Running, s.Grain, s.Format = &scale.Running{}, 0, scale.Format(w.rand.IntN(int(scale.Formats)))
		s.Stats = scale.Stats{Has: scale.HasTotal | scale.HasCount, Total: float64(w.rand.IntN(5000)), Count: float64(w.rand.IntN(50))}
		if w.rand.IntN(2) == 0 {
			s.Running.Since = s.At.Add(-time.Duration(w.rand.IntN(9)) * time.Minute)
		}
		return s
	}
	switch w.rand.IntN(12) {
	case 0:
		s.Stats = scale.Stats{Has: scale.HasCount}
	case 1:
		s.At = windowNow.Add(time.Hour)
	case 2:
		s.Has = scale.HasTotal | scale.HasCount
	case 3:
		s.Has = scale.HasAverage | scale.HasMaximum | scale.HasTotal
	case 4:
		s.Average, s.Total = s.Average/7, s.Total/7
	}
	return s
}

func (w *windowWorld) fold(t *testing.T, into *metric.Window, batch []metric.Routed) {
	t.Helper()
	before := into.AppendTo(nil)
	n, changed := into.Fold(w.signals, batch, windowNow)
	if sum := n.Folded + n.Repeated + n.Late + n.Future + n.Absent; sum != len(batch) || n.Corrected > n.Folded {
		t.Errorf("%d samples are counted as %+v", len(batch), n)
	}
	if same := slices.Equal(before, into.AppendTo(nil)); same == changed {
		t.Errorf("changed is %v, the bytes are the same: %v", changed, same)
	}
}

// atOnce folds all events in one batch, in order.
func (w *windowWorld) atOnce(t *testing.T) *metric.Window {
	t.Helper()
	into := &metric.Window{}
	w.fold(t, into, slices.Concat(w.events...))
	return into
}

// atRandom folds the events in batches of any size, shuffled inside, with samples doubled, batches delivered again, and
// the window stored and read in between.
func (w *windowWorld) atRandom(t *testing.T) *metric.Window {
	t.Helper()
	into := &metric.Window{}
	var batches [][]metric.Routed
	for rest := w.events; len(rest) > 0; {
		n := 1 + w.rand.IntN(len(rest))
		batch := slices.Concat(rest[:n]...)
		rest = rest[n:]
		batches = append(batches, batch)
		for range w.rand.IntN(3) {
			batch = append(batch, batch[w.rand.IntN(len(batch))])
		}
		w.rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		w.fold(t, into, batch)
		if w.rand.IntN(2) == 0 {
			w.fold(t, into, batches[w.rand.IntN(len(batches))])
		}
		if w.rand.IntN(2) == 0 {
			stored, err := metric.ParseWindow(into.AppendTo(nil))
			if err != nil {
				t.Fatal(err)
			}
			into = stored
		}
	}
	return into
}

// spread deals the events out to n partitions, each with sequence numbers of its own.
func (w *windowWorld) spread(t *testing.T, n int) []*metric.Window {
	t.Helper()
	windows := make([]*metric.Window, n)
	batches := make([][]metric.Routed, n)
	for sequence, event := range w.events {
		p := w.rand.IntN(n)
		for _, r := range event {
			s := windowWith(r.Sample, func(s *scale.Sample) {
				s.Source.Partition, s.Source.Sequence = fmt.Sprint(p), int64(sequence/n)*int64(p+1)
			})
			batches[p] = append(batches[p], metric.Routed{Signal: r.Signal, Sample: s})
		}
	}
	for p := range windows {
		windows[p] = &metric.Window{}
		w.fold(t, windows[p], batches[p])
	}
	return windows
}

func (w *windowWorld) view(windows ...*metric.Window) map[string]scale.SignalView {
	return metric.View(w.signals, windows, windowNow, func(t time.Time) (int, bool) { return t.Minute(), true })
}

func checkOrderDoesNotMatter(t *testing.T, seed uint64, events, series int, corrections bool, running ...bool) {
	t.Helper()
	w := windowWorldOf(seed, events, series, corrections, running...)
	one := w.atOnce(t)
	other := w.atRandom(t)
	if !slices.Equal(one.AppendTo(nil), other.AppendTo(nil)) {
		t.Errorf("seed %d: other order, other bytes", seed)
	}
	want := w.view(one)
	if diff := cmp.Diff(want, w.view(other)); diff != "" {
		t.Errorf("seed %d: other order, other view:\n%s", seed, diff)
	}
	stored, err := metric.ParseWindow(one.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, w.view(stored)); diff != "" {
		t.Errorf("seed %d: stored and read, other view:\n%s", seed, diff)
	}
	if diff := cmp.Diff(want, w.view(w.spread(t, 1+int(seed%5))...)); diff != "" {
		t.Errorf("seed %d: over several partitions, other view:\n%s", seed, diff)
	}
}

func FuzzOrderDoesNotMatter(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(40), false)
	}
	for seed := range uint64(4) {
		f.Add(seed, uint8(200), true)
	}
	f.Fuzz(func(t *testing.T, seed uint64, events uint8, crowded bool) {
		// A crowded pool has more points in a bucket than are kept apart; there a corrected point cannot be told from a
		// new one, so it is fed with distinct points only.
		if crowded {
			checkOrderDoesNotMatter(t, seed, int(events)*4, 500, false)
			return
		}
		checkOrderDoesNotMatter(t, seed, int(events)%64, 1, true)
	})
}

func TestOrderDoesNotMatterToReadings(t *testing.T) {
	for seed := range uint64(60) {
		checkOrderDoesNotMatter(t, seed, 10+int(seed)*2, 1+int(seed%3)*4, false, true)
	}
}

func TestViewAgreesWithPlainArithmetic(t *testing.T) {
	for seed := range uint64(50) {
		crowded := seed%5 == 0
		w := windowWorldOf(seed, 60, 1, true)
		if crowded {
			w = windowWorldOf(seed, 1000, 500, false)
		}
		got := w.view(w.spread(t, 1+int(seed%4))...)
		for i := range w.signals {
			want, v := w.plain(i), got[w.signals[i].Name]
			near := func(what string, got scale.Milli, want float64) {
				if math.Abs(float64(got)-want*1000) > 1 {
					t.Errorf("seed %d, signal %d: %s is %d thousandths, want %v", seed, i, what, got, want)
				}
			}
			if v.Has != want.has || v.Buckets != want.buckets {
				t.Errorf("seed %d, signal %d: got has %b in %d buckets, want %b in %d", seed, i, v.Has, v.Buckets, want.has,
					want.buckets)
				continue
			}
			near("average", v.Average, want.average)
			if want.has&scale.HasTotal != 0 {
				near("total", v.Total, want.total)
			}
			if want.has&scale.HasMaximum != 0 {
				near("maximum", v.Maximum, want.maximum)
			}
		}
	}
}

type windowPlain struct {
	has                     scale.Has
	buckets                 int
	average, total, maximum float64
}

// plain reckons one signal the obvious way: keep the newest arrival of each point, sort into buckets, add up.
func (w *windowWorld) plain(signal int) windowPlain {
	sig := &w.signals[signal]
	points, newest := map[string]*scale.Sample{}, time.Time{}
	for _, event := range w.events {
		for _, r := range event {
			s := r.Sample
			if r.Signal != signal || s.Has == scale.HasCount || s.At.After(windowNow) {
				continue
			}
			key := fmt.Sprint(s.At, s.Dimensions)
			if old := points[key]; old == nil || s.Source.EnqueuedAt.After(old.Source.EnqueuedAt) ||
				s.Source.EnqueuedAt.Equal(old.Source.EnqueuedAt) && s.Source.Element > old.Source.Element {
				points[key] = s
			}
			if s.At.After(newest) {
				newest = s.At
			}
		}
	}
	buckets := map[time.Time][]*scale.Sample{}
	oldest := newest.Truncate(sig.Bucket).Add(sig.Bucket - (sig.Window + sig.Bucket - 1).Truncate(sig.Bucket))
	for _, s := range points {
		if !s.At.Before(oldest) {
			at := s.At.Truncate(sig.Bucket)
			buckets[at] = append(buckets[at], s)
		}
	}
	p := windowPlain{has: windowAll, buckets: len(buckets), maximum: math.Inf(-1)}
	if len(buckets) == 0 {
		return windowPlain{}
	}
	for _, samples := range buckets {
		var total, count, averages float64
		weighed := true
		for _, s := range samples {
			weighed = weighed && s.Has&(scale.HasTotal|scale.HasCount) == scale.HasTotal|scale.HasCount
			has := s.Has
			if has&(scale.HasTotal|scale.HasCount) == scale.HasTotal|scale.HasCount {
				has |= scale.HasAverage
			}
			p.has &= has
			total, count, averages = total+s.Total, count+s.Count, averages+s.Average
			p.maximum = max(p.maximum, s.Maximum)
		}
		p.total += total
		if weighed {
			p.average += total / count
		} else {
			p.average += averages / float64(len(samples))
		}
	}
	p.average /= float64(len(buckets))
	return p
}
