package replay

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/ledger"
	"trimtab/internal/scale"
)

// pilot is what steers a fleet: the corridor with a policy, or a baseline.
type pilot interface {
	// turn is called at the end of every step, with the step's samples measured; now is that end.
	turn(ctx context.Context, now time.Duration) error
	// ordered is the nominal count.
	ordered() int
}

// corridor steers a scale set with the production engine.
type corridor struct {
	engine   *engine.Engine
	set      platform
	start    time.Time
	senses   *senses
	tape     *tape
	sequence int64
	now      time.Duration
}

// hubName is the hub that modelled samples come from.
const hubName = "replay/metrics"

func newCorridor(c *Policy, f *fleet, s *senses, n int, tape *tape) (*corridor, error) {
	p := &corridor{senses: s, tape: tape, start: f.start}
	pool := c.Pool
	pool.Mode = scale.Enforce
	p.set = newPlatform(f, &pool, func() time.Duration { return p.now }, n)
	counted, evictedOf := f.onEviction, pool.ScaleSet
	if pool.SpotScaleSet != "" {
		evictedOf = pool.SpotScaleSet
	}
	f.onEviction = func(now time.Duration, zone int, machines []int) {
		counted(now, zone, machines)
		s.send(now, evictionBody(evictedOf, f.start.Add(now), f.start.Add(now), machines))
	}
	f.onNotice = func(now, ends time.Duration, machines []int) {
		s.send(now, evictionBody(evictedOf, f.start.Add(now), f.start.Add(ends), machines))
	}
	var err error
	p.engine, err = engine.New(engine.Options{
		Pools: []scale.Pool{pool}, Policy: c.Policy, Fleet: p.set, Ledger: tape,
		Now:    func() time.Time { return f.start.Add(p.now) },
		Writer: "replay", Workers: 1, Log: slog.New(slog.DiscardHandler),
	})
	return p, err
}

// evictionBody is what the platform tells at an instant of an eviction then or later: a scheduled event by way of Event
// Grid (facts: events 1.7).
func evictionBody(set string, at, ends time.Time, machines []int) []byte {
	var names []string
	for _, m := range machines {
		names = append(names, fmt.Sprintf("%q", fmt.Sprintf("machine_%d", m)))
	}
	return fmt.Appendf(nil, `{"id":"%[1]d-%[2]d","topic":"replay","subject":"%[3]s/providers/microsoft.maintenance/scheduledevents/e",`+
		`"data":{"resourceInfo":{"id":"%[3]s/providers/microsoft.maintenance/scheduledevents/e","name":"e",`+
		`"type":"microsoft.maintenance/scheduledEvents","properties":{"EventId":"%[1]d-%[2]d","EventSource":"Platform",`+
		`"EventStatus":"Scheduled","EventType":"Preempt","NotBefore":%[4]q,"Resources":[%[5]s],"ResourceType":"VirtualMachine"}},`+
		`"apiVersion":"2024-07-01"},"eventType":"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted",`+
		`"dataVersion":"3.0","metadataVersion":"1","eventTime":%[6]q}`,
		at.Unix(), machines[0], set, ends.UTC().Format(time.RFC1123), strings.Join(names, ","), at.UTC().Format(time.RFC3339))
}

func (p *corridor) ordered() int { return p.set.ordered() }

// turn delivers what has arrived and lets the engine decide, or, where nothing arrived, sweeps.
func (p *corridor) turn(ctx context.Context, now time.Duration) error {
	p.now = now
	batch := engine.Batch{Invocation: "replay"}
	for _, a := range p.senses.arrived(now) {
		p.sequence++
		batch.Events = append(batch.Events, engine.Event{Body: a.body, Source: scale.Source{
			Hub: hubName, Partition: "0", Sequence: p.sequence, Known: true, EnqueuedAt: p.start.Add(a.at),
		}})
	}
	before := p.tape.evaluations
	if len(batch.Events) > 0 {
		report, err := p.engine.Ingest(ctx, batch)
		if err != nil {
			return fmt.Errorf("at %s: %w", p.start.Add(now).Format(time.RFC3339), err)
		}
		if report.DeadLetters > 0 {
			return fmt.Errorf("at %s: %d modelled events could not be read", p.start.Add(now).Format(time.RFC3339), report.DeadLetters)
		}
	}
	if p.tape.evaluations > before {
		return nil
	}
	if _, err := p.engine.Sweep(ctx, "replay"); err != nil {
		return fmt.Errorf("at %s: %w", p.start.Add(now).Format(time.RFC3339), err)
	}
	return nil
}

// tape is the ledger in memory, and keeps of its journal what a result shows.
type tape struct {
	*ledger.Memory
	keep        bool
	evaluations int
	rails       map[string]int
	faults      []string
	decisions   []Decision
	places      map[string]int
	last        string
}

func newTape(keep bool) *tape {
	t := &tape{Memory: ledger.NewMemory(), keep: keep, rails: map[string]int{}, places: map[string]int{}}
	t.Retain = 1
	return t
}

// Commit stores, and notes the entry.
func (t *tape) Commit(ctx context.Context, pool string, c scale.Commit) error {
	if err := t.Memory.Commit(ctx, pool, c); err != nil {
		return err
	}
	if c.Entry != nil {
		t.note(c.Entry)
	}
	if c.Outcome != nil {
		if i, ok := t.places[c.Outcome.Entry]; ok {
			t.decisions[i].Outcome = c.Outcome
			delete(t.places, c.Outcome.Entry)
		}
	}
	return nil
}

func (t *tape) note(e *scale.Entry) {
	t.evaluations++
	for _, a := range e.Decision.Adjustments {
		t.rails[a.Code]++
	}
	for _, f := range append([]string{e.Proposal.Fault}, e.Proposal.Faults...) {
		if f != "" && len(t.faults) < 8 {
			known := false
			for _, have := range t.faults {
				known = known || have == f
			}
			if !known {
				t.faults = append(t.faults, f)
			}
		}
	}
	if !t.keep {
		return
	}
	told := e.Pool + " " + string(e.Decision.Action) + " " + string(e.Decision.Direction) + " " + e.Decision.Reason
	if told == t.last && !e.Decision.Act {
		return
	}
	t.last = told
	if e.Decision.Act {
		t.places[e.Key] = len(t.decisions)
	}
	t.decisions = append(t.decisions, decisionOf(e))
}

// decisionOf is what a result shows of an entry.
func decisionOf(e *scale.Entry) Decision {
	d := &e.Decision
	out := Decision{
		Key: e.Key, At: e.At, Action: d.Action, Direction: d.Direction, From: d.From, To: d.To, Reason: d.Reason,
		Reasons: e.Proposal.Reasons, Adjustments: d.Adjustments, Signals: e.View.Signals, Fault: e.Proposal.Fault,
		Note: e.Note, Outcome: e.Outcome,
	}
	if p := e.View.Facts.Pair; p != nil {
		out.Set = string(p.Role)
	}
	if e.Proposal.Known {
		n := e.Proposal.Instances
		out.Wanted = &n
	}
	return out
}
