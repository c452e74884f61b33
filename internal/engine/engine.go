package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// Options are what an engine is made of. All but the numbers are required.
type Options struct {
	Pools  []scale.Pool
	Policy Policy
	Fleet  Fleet
	Ledger Ledger
	// Now is the clock: the wall's in production, virtual in a test or a replay.
	Now func() time.Time
	// Writer names this process among all that share the ledger; unique.
	Writer string
	// Frozen freezes every pool.
	Frozen bool
	// FactsMaxAge is how old facts about a scale set may be for an evaluation; a change reads afresh whatever they are.
	// Five minutes unless given: at half of the published read bucket of a subscription (800 a minute; facts: VMSS 1.5)
	// one process keeps the facts of 2,000 pools fresh.
	FactsMaxAge time.Duration
	// Lease is how long an intent belongs to the process that wrote it. The PATCH is sent in its first half, so it is at
	// least twice as long as that call's own time-out. 90 seconds unless given.
	Lease time.Duration
	// Self says under which IDs, of applications or principals, this program writes, as far as it knows by now: records of
	// their writes are echoes. Nil if it never knows.
	Self func() []string
	// Workers bounds how many pools are worked on at once; eight unless given.
	Workers int
	Log     *slog.Logger
}

// Engine walks every event and every sweep through the corridor. It is safe for concurrent use.
type Engine struct {
	Options
	pools  map[string]*pool
	order  []*pool
	routes map[route][]target
	// wild are the signals that hear any resource, by metric; herded are the metrics of those that hear the machines of a
	// set.
	wild     map[string][]target
	herded   map[string]bool
	fleet    fleet
	rosters  map[string]*rosters
	counting counting
	decoders sync.Pool
	attempts atomic.Int64
}

// pool is a pool with the lock that keeps this process from competing with itself.
type pool struct {
	*scale.Pool
	turn chan struct{}
	// spot is the other half of a pair, nil for a pool of one set.
	spot *pool
}

// route is what a sample is routed by.
type route struct{ resource, metric string }

// target is one signal of one pool.
type target struct {
	pool   *pool
	signal int
}

// New makes an engine. It refuses pools of the same name.
func New(o Options) (*Engine, error) {
	if o.Policy == nil || o.Fleet == nil || o.Ledger == nil || o.Now == nil || o.Log == nil || o.Writer == "" {
		return nil, errors.New("engine: policy, fleet, ledger, clock, writer and log are all required")
	}
	if o.FactsMaxAge <= 0 {
		o.FactsMaxAge = 5 * time.Minute
	}
	if o.Lease <= 0 {
		o.Lease = 90 * time.Second
	}
	if o.Workers <= 0 {
		o.Workers = 8
	}
	e := &Engine{Options: o, pools: make(map[string]*pool, len(o.Pools)), routes: make(map[route][]target), wild: make(map[string][]target), herded: make(map[string]bool)}
	e.decoders.New = func() any { return metric.NewDecoder() }
	for i := range o.Pools {
		p := &pool{Pool: &o.Pools[i], turn: make(chan struct{}, 1)}
		if _, twice := e.pools[p.Name]; twice {
			return nil, fmt.Errorf("engine: two pools are named %q", p.Name)
		}
		if p.SpotScaleSet != "" {
			p.spot = spotOf(p.Pool)
		}
		e.pools[p.Name], e.order = p, append(e.order, p)
		for n, s := range p.Signals {
			if s.Resource == metric.AnyResource {
				e.wild[s.Metric] = append(e.wild[s.Metric], target{p, n})
				continue
			}
			if metric.Wild(&s) {
				e.herded[s.Metric] = true
			}
			r := route{s.Resource, s.Metric}
			e.routes[r] = append(e.routes[r], target{p, n})
		}
	}
	e.fleet, e.rosters = fleetOf(e.order), rostersOf(e.order)
	return e, nil
}

// now is the instant of a step: in UTC and without a monotonic part, so that what is decided and what is replayed see
// the same value.
func (e *Engine) now() time.Time { return e.Now().UTC().Round(0) }

// share is a pool's part of a batch.
type share struct {
	pool    *pool
	routed  []metric.Routed
	notices []scale.Notice
}

// Ingest folds a batch into the windows of the pools that listen to it and evaluates each of them once. Malformed
// events become dead letters. It fails when the ledger could not store all of it: then the batch must come again, and
// what was stored already is not folded twice. Trouble with a scale set is no failure: the report says so.
func (e *Engine) Ingest(ctx context.Context, b Batch) (Report, error) {
	report := Report{Events: len(b.Events)}
	now := e.now()
	shares, letters, err := e.sort(ctx, b, now, &report)
	if err != nil {
		return report, err
	}
	if len(letters) > 0 {
		if err := e.Ledger.Keep(ctx, letters); err != nil {
			return report, fmt.Errorf("keep %d dead letters: %w", len(letters), err)
		}
	}
	trigger := scale.Trigger{Kind: "events", Invocation: b.Invocation}
	for i, ev := range b.Events {
		s := ev.Source
		if i == 0 {
			trigger.Source = sourceOf(s)
			trigger.FirstSequence, trigger.LastSequence = s.Sequence, s.Sequence
		}
		trigger.FirstSequence = min(trigger.FirstSequence, s.Sequence)
		trigger.LastSequence = max(trigger.LastSequence, s.Sequence)
	}
	work := make([]visit, len(shares))
	for i, s := range shares {
		work[i] = visit{pool: s.pool, routed: s.routed, notices: s.notices, source: trigger.Source, trigger: trigger}
	}
	return e.run(ctx, work, report)
}

// Sweep goes over every pool: it follows changes that have not ended, and evaluates the pools that no event has lately.
// It is safe at the same time as any other sweep and as Ingest.
func (e *Engine) Sweep(ctx context.Context, invocation string) (Report, error) {
	work := make([]visit, len(e.order))
	for i, p := range e.order {
		work[i] = visit{pool: p, trigger: scale.Trigger{Kind: "sweep", Invocation: invocation}}
	}
	defer e.publish(ctx)
	return e.run(ctx, work, Report{})
}

// run works on pools, several at a time, and joins what became of them.
func (e *Engine) run(ctx context.Context, work []visit, report Report) (Report, error) {
	arm := &breaker{most: int32(e.Workers)}
	for i := range work {
		work[i].arm = arm
	}
	reports, errs := make([]PoolReport, len(work)), make([]error, len(work))
	var next atomic.Int64
	walk := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(work) {
				return
			}
			if err := ctx.Err(); err != nil {
				errs[i] = fmt.Errorf("pool %s: %w", work[i].pool.Name, err)
				continue
			}
			if reports[i], errs[i] = e.visit(ctx, &work[i]); errs[i] != nil {
				errs[i] = fmt.Errorf("pool %s: %w", work[i].pool.Name, errs[i])
			}
		}
	}
	// The caller takes part: its stack has grown already, and to grow that of a new goroutine costs a third of a decision.
	var group sync.WaitGroup
	for range min(e.Workers, len(work)) - 1 {
		group.Go(walk)
	}
	walk()
	group.Wait()
	for i, r := range reports {
		if errs[i] == nil {
			report.Counts.add(r.Counts)
			report.NoticeCounts.add(r.NoticeCounts)
			report.Pools = append(report.Pools, r)
		}
	}
	return report, errors.Join(errs...)
}

func (c *Counts) add(o Counts) {
	c.Folded += o.Folded
	c.Corrected += o.Corrected
	c.Repeated += o.Repeated
	c.Late += o.Late
	c.Future += o.Future
	c.Absent += o.Absent
}

// sourceOf names the partition that an event came from; events without a known position share one name.
func sourceOf(s scale.Source) string {
	if s.Hub == "" && s.Partition == "" {
		return "unknown"
	}
	return s.Hub + "/" + s.Partition
}

// attempt names one write, unique among all processes.
func (e *Engine) attempt() string {
	return fmt.Sprintf("%s-%d", e.Writer, e.attempts.Add(1))
}
