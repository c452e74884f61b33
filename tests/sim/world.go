package sim

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// epoch is when every history begins: a Monday morning in office hours.
var epoch = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// world is everything that a history knows. Exactly one goroutine touches it at a time.
type world struct {
	o      Options
	result Result
	now    time.Time
	queue  timeline
	serial int
	steps  int
	// yield is how a running call chain gives the world back.
	yield chan struct{}
	// chance draws what is no fault: latencies, loads, who sweeps.
	chance *rand.Rand
	// chaos is true while faults may happen.
	chaos  bool
	faults faults

	real   bool
	lease  time.Duration
	policy engine.Policy
	procs  []*process
	desk   *process
	kind   Kind
	pools  []*pool
	// rows are the pools with what each keeps under a name of its own: the Spot halves of pairs stand behind them.
	rows []*pool
	// others are rows that are no pool's: what the pools of a group tell each other.
	others   map[string]map[string]*windowRow
	sets     map[string]*set
	parts    []*partition
	tasks    []*task
	launched int
	// down are the ends of outages.
	ledgerDown, armDown time.Time
	producer            producer
}

// moment is something that happens at an instant.
type moment struct {
	at     time.Time
	serial int
	name   string
	do     func()
}

// timeline is a heap of moments, by instant and then by when they were planned.
type timeline []*moment

func (t timeline) Len() int { return len(t) }
func (t timeline) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].serial < t[j].serial
}
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push and Pop are container/heap's.
func (t *timeline) Push(x any) { *t = append(*t, x.(*moment)) }

// Pop takes the last.
func (t *timeline) Pop() any {
	old := *t
	m := old[len(old)-1]
	*t = old[:len(old)-1]
	return m
}

func newWorld(o Options) *world {
	w := &world{
		o: o, now: epoch, yield: make(chan struct{}), chance: rand.New(rand.NewPCG(o.Seed, 0)), chaos: true,
		sets: make(map[string]*set), others: make(map[string]map[string]*windowRow),
	}
	w.result = Result{Seed: o.Seed, Digest: 14695981039346656037}
	w.faults = newFaults(o)
	return w
}

// after plans something.
func (w *world) after(d time.Duration, name string, do func()) {
	w.serial++
	heap.Push(&w.queue, &moment{w.now.Add(d), w.serial, name, do})
}

func (w *world) running() bool { return w.result.Violation == nil && len(w.queue) > 0 }

// step lets the next thing happen.
func (w *world) step() {
	m := heap.Pop(&w.queue).(*moment)
	w.now = m.at
	w.steps++
	w.note(m.name)
	m.do()
}

// note brings a line into the digest, and into the trace where it is kept.
func (w *world) note(text string) {
	h := w.result.Digest
	for i := 0; i < len(text); i++ {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	w.result.Digest = (h ^ uint64(w.now.UnixNano())) * 1099511628211
	if w.o.Trace {
		w.line(text)
	}
}

func (w *world) line(text string) {
	w.result.Trace = append(w.result.Trace, fmt.Sprintf("%5d %s %s", w.steps, w.now.Format("15:04:05.000"), text))
}

// tell notes what only matters to a reader; it is made only where a trace is kept.
func (w *world) tell(format string, args ...any) {
	if w.o.Trace {
		w.line(fmt.Sprintf(format, args...))
	}
}

// broken records the first broken invariant; the history ends with it.
func (w *world) broken(invariant int, format string, args ...any) {
	if w.result.Violation != nil {
		return
	}
	w.result.Violation = &Violation{invariant, w.steps, w.now, fmt.Sprintf(format, args...)}
}

// between draws a time.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.chance.Int64N(int64(high-low)))
}

// end takes every process away, so that no goroutine is left behind.
func (w *world) end() {
	for _, p := range append(slices.Clone(w.procs), w.desk) {
		w.kill(p)
	}
}

// kind is a kind of fault; its facts stand with it.
type kind string

// The faults. The names are what a shrunk history is printed with.
const (
	// A process may end at any instruction (facts: functions-host 1.5, 4.3).
	faultCrash kind = "crash"
	// Table storage: 503 before a write, replies lost after it, slow and late writes (facts: events 5.1, 5.2).
	faultBusy   kind = "busy"
	faultLost   kind = "lost"
	faultSlow   kind = "slow"
	faultLate   kind = "late"
	faultOutage kind = "outage"
	// ARM (facts: VMSS 1.2 to 1.5, 3.3).
	faultReadFails  kind = "readfails"
	faultReadLimit  kind = "readlimit"
	faultCount      kind = "count"
	faultChoose     kind = "choose"
	faultZero       kind = "zero"
	faultRefused    kind = "refused"
	faultThrottled  kind = "throttled"
	faultUnanswered kind = "unanswered"
	faultUnsent     kind = "unsent"
	faultFollow     kind = "follow"
	faultExpired    kind = "expired"
	faultOpFails    kind = "opfails"
	faultOpSlow     kind = "opslow"
	faultPreempted  kind = "preempted"
	faultArmOutage  kind = "armoutage"
	faultForeign    kind = "foreign"
	faultEviction   kind = "eviction"
	faultHandOver   kind = "handover"
	faultDoubled    kind = "doubled"
	faultDelayed    kind = "delayed"
	faultCorrected  kind = "corrected"
	faultMalformed  kind = "malformed"
	faultOdd        kind = "odd"
	faultSilence    kind = "silence"
	faultOrder      kind = "order"
	faultTimeout    kind = "timeout"
	faultTwoSweeps  kind = "twosweeps"
	// What quotas leave is not said, or changes.
	faultQuota kind = "quota"
	faultRoom  kind = "room"
	// Single machines are started, deleted and stopped by people, and fail.
	faultStarts  kind = "starts"
	faultDeletes kind = "deletes"
	faultStops   kind = "stops"
	faultBreaks  kind = "breaks"
)

// laterRates are of kinds that came later: their weather is drawn apart, and leaves that of the others as it was.
var laterRates = map[kind]float64{faultQuota: 0.1, faultRoom: 0.02}

// powerRates are of kinds that came later still.
var powerRates = map[kind]float64{faultStarts: 0.04, faultDeletes: 0.02, faultStops: 0.01, faultBreaks: 0.02}

// rates are how likely each fault is where it may happen, before the seed makes some rarer and some more frequent.
var rates = map[kind]float64{
	faultCrash: 0.012, faultBusy: 0.03, faultLost: 0.03, faultSlow: 0.02, faultLate: 0.02, faultOutage: 0.02,
	faultReadFails: 0.05, faultReadLimit: 0.02, faultCount: 0.03, faultChoose: 0.1, faultZero: 0.01, faultRefused: 0.06, faultThrottled: 0.05,
	faultUnanswered: 0.10, faultUnsent: 0.04, faultFollow: 0.06, faultExpired: 0.06, faultOpFails: 0.15,
	faultOpSlow: 0.15, faultPreempted: 0.05, faultArmOutage: 0.01, faultForeign: 0.03, faultEviction: 0.03,
	faultHandOver: 0.03, faultDoubled: 0.06, faultDelayed: 0.06, faultCorrected: 0.06, faultMalformed: 0.05,
	faultOdd: 0.05, faultSilence: 0.02, faultOrder: 0.03, faultTimeout: 0.01, faultTwoSweeps: 0.1,
}

// faults draws faults. Each kind has a stream of its own, so that leaving one fault out leaves the others where they are.
type faults struct {
	seed    uint64
	streams map[kind]*stream
	only    map[string]bool
}

type stream struct {
	*rand.Rand
	rate float64
	n    int
}

func newFaults(o Options) faults {
	f := faults{seed: o.Seed, streams: make(map[kind]*stream, len(rates))}
	if o.Only != nil {
		f.only = make(map[string]bool)
		for _, name := range o.Only {
			f.only[name] = true
		}
	}
	for i, some := range []map[kind]float64{rates, laterRates, powerRates} {
		mood := rand.New(rand.NewPCG(o.Seed, uint64(1+8*i)))
		kinds := make([]kind, 0, len(some))
		for k := range some {
			kinds = append(kinds, k)
		}
		slices.Sort(kinds)
		for _, k := range kinds {
			h := fnv.New64a()
			h.Write([]byte(k))
			// Each history has its own weather: some faults never happen in it, some often.
			rate := some[k] * []float64{0, 0.3, 1, 1, 4}[mood.IntN(5)]
			f.streams[k] = &stream{Rand: rand.New(rand.NewPCG(o.Seed, h.Sum64())), rate: rate}
		}
	}
	return f
}

// fault says whether a fault of the kind happens here, and gives what its particulars are drawn from.
func (w *world) fault(k kind) (*rand.Rand, bool) {
	s := w.faults.streams[k]
	s.n++
	hit := s.Float64() < s.rate
	if !hit || !w.chaos {
		return nil, false
	}
	name := fmt.Sprintf("%s:%d", k, s.n)
	if w.faults.only != nil && !w.faults.only[name] {
		return nil, false
	}
	w.result.Faults = append(w.result.Faults, name)
	w.note(name)
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.faults.seed, h.Sum64())), true
}

// span draws a time of a fault.
func span(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}

// fleetError is an error as the vmss room gives it.
func fleetError(op string, class scale.Class, status int, code string, after time.Duration) *scale.FleetError {
	return &scale.FleetError{Op: op, Class: class, Status: status, Code: code, Message: code, RetryAfter: after}
}
