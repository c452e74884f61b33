package consume

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/broker"
	"trimtab/tests/fakehost"
	"trimtab/tests/force"
)

// Storm says how a run by force is to be.
type Storm struct {
	// Lasts is how long events are sent and processes killed, Every the time between two kills.
	Lasts, Every time.Duration
	// Gap is the time between two events of one partition.
	Gap  time.Duration
	Seed uint64
}

// Aftermath is what a storm leaves: evidence for the judge, and how long events lay unread.
type Aftermath struct {
	*force.Evidence
	// Unread is the longest time from an event's arrival until its samples were stored.
	Unread time.Duration
	// Opening is how long it took until all partitions were read at the beginning, from the start of the processes.
	Opening time.Duration
}

// patience is how long anything may take before a run fails, on a busy machine.
const patience = 2 * time.Minute

// Run lets two processes follow the hub, kills them in turn and starts them anew, and waits until all is read.
func (w *World) Run(ctx context.Context, s Storm) (a *Aftermath, err error) {
	var all []*Process
	defer func() {
		for _, p := range all {
			p.Kill()
		}
		if err != nil && len(all) > 0 {
			last := all[len(all)-1]
			lines := last.Lines()
			err = fmt.Errorf("%w; the last process said:\n%s\n%s", err, strings.Join(lines[max(0, len(lines)-12):], "\n"), last.Stderr())
		}
	}()
	var pair [2]*Process
	start := func(i int) error {
		p, err := w.Start("consume")
		if err == nil {
			pair[i], all = p, append(all, p)
		}
		return err
	}
	begun := time.Now()
	for i := range pair {
		if err := start(i); err != nil {
			return nil, err
		}
	}
	if err := until(ctx, patience, "both read", func() bool { return len(w.Broker.Readers(Hub, "$Default")) == w.Partitions }); err != nil {
		return nil, err
	}
	opening := time.Since(begun)
	begun = time.Now()
	storm, cancel := context.WithTimeout(ctx, s.Lasts)
	defer cancel()
	sent := make(chan struct{})
	go func() { defer close(sent); w.send(storm, s) }()
	kills := 0
	for i := 0; pause(storm, s.Every) == nil; i = 1 - i {
		pair[i].Kill()
		kills++
		if err := start(i); err != nil {
			return nil, err
		}
	}
	<-sent
	took := time.Since(begun)
	if err := until(ctx, patience, "everything is read and every change has ended", func() bool { return w.settled(ctx) }); err != nil {
		return nil, err
	}
	for _, p := range pair {
		if code, err := p.Terminate(20 * time.Second); err != nil || code != 0 {
			return nil, fmt.Errorf("an orderly end: exit code %d, %w", code, err)
		}
	}
	e, err := w.evidence(ctx, all)
	if err != nil {
		return nil, err
	}
	e.Kills, e.Storm, e.Starts = kills, took, len(all)
	return &Aftermath{e, unread(e), opening}, nil
}

// send sends events of a wave of load to every partition until ctx ends; some of them nobody can understand.
func (w *World) send(ctx context.Context, s Storm) {
	dice := rand.New(rand.NewPCG(s.Seed, 1))
	tick := time.NewTicker(s.Gap)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		// The span of a sample is over when it is sent.
		at := time.Now().UTC().Add(-time.Second)
		for i, id := range w.Broker.Partitions(Hub) {
			// In sixteenths: their sums are exact, in whatever order a window that is full merges its points.
			body := Sample(Set, at, math.Round(16*(60+30*math.Sin(float64(n)/40)))/16+float64(i)/16)
			if dice.IntN(50) == 0 {
				body = []byte("\xff not a sample")
			}
			w.Broker.Append(Hub, id, broker.Event{Body: body})
		}
	}
}

// Sample is the body of an event with one sample of a scale set's processors.
func Sample(set string, at time.Time, percent float64) []byte {
	return fmt.Appendf(nil, `{"records":[{"count":1,"total":%[1]g,"minimum":%[1]g,"maximum":%[1]g,"average":%[1]g,"resourceId":%[2]q,"time":%[3]q,"metricName":"Percentage CPU","timeGrain":"PT1S"}]}`,
		percent, strings.ToUpper(set), at.Format("2006-01-02T15:04:05.0000000Z"))
}

// settled reports whether the newest event of each partition is in a window or among the dead letters, and no change is
// under way.
func (w *World) settled(ctx context.Context) bool {
	stored, err := w.Ledger.Load(ctx, Pool)
	if err != nil || stored.Control.Intent != nil {
		return false
	}
	entries, err := w.Ledger.Entries(ctx, Pool, time.Time{}, 500)
	if err != nil {
		return false
	}
	for _, id := range w.Broker.Partitions(Hub) {
		events := w.Broker.Events(Hub, id)
		// The newest that can be understood: only those leave entries.
		last := len(events) - 1
		for last >= 0 && events[last].Body[0] != '{' {
			last--
		}
		if last < 0 {
			continue
		}
		if !slices.ContainsFunc(entries, func(e scale.Entry) bool {
			return strings.HasSuffix(e.Trigger.Source, "/"+id) && e.Trigger.LastSequence >= events[last].Sequence
		}) {
			return false
		}
	}
	return true
}

// evidence reads everything back.
func (w *World) evidence(ctx context.Context, all []*Process) (*force.Evidence, error) {
	e := &force.Evidence{
		Hub: strings.ToLower(w.Broker.Namespace() + "/" + Hub), Pools: w.Bundle.Pools, Policy: w.Bundle, Requests: w.ARM.Requests(), End: time.Now(),
		Entries: map[string][]scale.Entry{}, Stored: map[string]scale.Stored{},
	}
	for _, id := range w.Broker.Partitions(Hub) {
		s := force.Sent{Exhausted: map[int64]bool{}}
		for _, event := range w.Broker.Events(Hub, id) {
			s.Events = append(s.Events, fakehost.Event{Body: event.Body, Sequence: event.Sequence, EnqueuedAt: event.EnqueuedAt})
		}
		e.Sent = append(e.Sent, s)
	}
	entries, err := w.Ledger.Entries(ctx, Pool, time.Time{}, 1_000_000)
	if err != nil {
		return nil, err
	}
	slices.Reverse(entries)
	e.Entries[Pool] = entries
	if e.Stored[Pool], err = w.Ledger.Load(ctx, Pool); err != nil {
		return nil, err
	}
	if e.Letters, err = w.Ledger.DeadLetters(ctx, 1_000_000); err != nil {
		return nil, err
	}
	for _, p := range all {
		if text := p.Stderr(); text != "" {
			e.Complaints = append(e.Complaints, text)
		}
		for _, line := range p.Lines() {
			if strings.Contains(line, `"msg":"panic"`) {
				e.Complaints = append(e.Complaints, line)
			}
		}
	}
	return e, nil
}

// unread is the longest time from an event's arrival until an entry covers it.
func unread(e *force.Evidence) (longest time.Duration) {
	for part, s := range e.Sent {
		source := e.Hub + "/" + strconv.Itoa(part)
		mark := int64(0)
		for _, entry := range e.Entries[Pool] {
			if entry.Trigger.Source != source {
				continue
			}
			for ; mark < entry.Trigger.LastSequence; mark++ {
				longest = max(longest, entry.At.Sub(s.Events[mark].EnqueuedAt))
			}
		}
	}
	return longest
}

// until waits for a state that others bring about.
func until(ctx context.Context, patience time.Duration, what string, state func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !state() {
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("not within %v: %s", patience, what)
		}
	}
	return nil
}

// pause waits for d unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
