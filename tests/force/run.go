package force

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// Options say how a run is to be.
type Options struct {
	// Root is the checkout's root, Binary the built program.
	Root, Binary string
	Seed         uint64
	// Storm is how long processes are killed and everything fails; Calm bounds the time that is given to recover.
	Storm, Calm time.Duration
	// KillEvery is the time between two kills; three quarters of a second unless given.
	KillEvery time.Duration
	// Log is told what goes on; may be nil.
	Log func(format string, args ...any)
}

// Foreign is a write to a scale set that was not ours, or a Lie about its capacity that was made ready and may have been
// told later.
type Foreign struct {
	Set      string
	At       time.Time
	Capacity int
	Lie      bool
}

// Evidence is what a run leaves behind for the judge.
type Evidence struct {
	// Storm is how long it was, Kills how many processes it ended, Starts how many there were.
	Storm         time.Duration
	Kills, Starts int
	// Batches were delivered, in so many Attempts; Moves are partitions that changed their owner.
	Batches, Attempts, Moves int
	// Proxied is what befell the requests to storage.
	Proxied Tally
	// Hub is "namespace/hub" in small letters, that of this package's own runs where empty.
	Hub string
	// Sent is by partition; sequence numbers begin at 1.
	Sent    []Sent
	Pools   []scale.Pool
	Policy  engine.Policy
	Entries map[string][]scale.Entry // by pool, oldest first
	Stored  map[string]scale.Stored
	Letters []scale.DeadLetter
	// Requests is the emulator's log, Foreign what strangers wrote.
	Requests []arm.Request
	Foreign  []Foreign
	// Complaints are breaches of the host's protocol, panics and whatever the program wrote to stderr.
	Complaints []string
	// End is the time of the run at its end.
	End time.Time
}

// run is a run under way.
type run struct {
	world
	ctx    context.Context
	owners sync.WaitGroup

	mu                       sync.Mutex
	foreign                  []Foreign
	batches, attempts, moves int
	failed                   error
}

// Run brings a world up, lets the storm go over it, waits for calm and gathers the evidence. An error says that the run
// itself could not be done; what the program did wrong is for the judge.
func Run(ctx context.Context, o Options) (e *Evidence, err error) {
	if o.KillEvery == 0 {
		o.KillEvery = 750 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	r := &run{world: world{o: o}}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.open(ctx); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	var stop context.CancelFunc
	r.ctx, stop = context.WithCancel(ctx)
	defer r.owners.Wait()
	defer stop()
	for part := range partitions {
		r.take(part, part%processes)
	}
	for i := range processes {
		r.owners.Go(func() { r.sweep(i) })
	}
	kills, took := r.storm(ctx)
	o.Log("storm over: %d kills in %v", kills, took.Round(time.Millisecond))
	begun := time.Now()
	if err := r.calm(ctx); err != nil {
		return nil, errors.Join(err, r.failed)
	}
	o.Log("calm after %v", time.Since(begun).Round(time.Millisecond))
	stop()
	r.owners.Wait()
	for _, h := range r.hosts {
		h.Stop()
	}
	if e, err = r.gather(ctx); err != nil {
		return nil, err
	}
	e.Kills, e.Storm = kills, took
	return e, errors.Join(r.failed)
}

// storm lets everything go wrong for its time.
func (r *run) storm(ctx context.Context) (kills int, took time.Duration) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.o.Storm)
	defer cancel()
	for _, p := range r.proxies {
		p.Set(weather)
	}
	var actors sync.WaitGroup
	for _, act := range []func(context.Context){r.produce, r.move, r.outages, r.turn} {
		actors.Go(func() { act(ctx) })
	}
	kills = r.kill(ctx)
	actors.Wait()
	took = time.Since(begun)
	for _, p := range r.proxies {
		p.Set(Faults{})
		p.Down(false)
	}
	_ = r.arm.Turn(arm.Restore{})
	// Whoever waits for an answer that will never come is ended too, or calm would be long in coming.
	for i := range r.hosts {
		if r.end(r.ctx, i) {
			kills++
		}
	}
	return kills, took
}

// calm waits until every event is delivered and every change has ended.
func (r *run) calm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.Calm)
	defer cancel()
	waiting := "deliveries"
	for {
		if r.hub.drained() {
			var err error
			if waiting, err = r.unsettled(ctx); waiting == "" && err == nil {
				return nil
			}
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("not calm within %v: waiting for %s", r.o.Calm, waiting)
		}
	}
}

// unsettled names a pool with a change under way, or a set whose operation is.
func (r *run) unsettled(ctx context.Context) (string, error) {
	for _, pool := range pools {
		stored, err := r.ledger.Load(ctx, pool)
		if err != nil {
			return "the ledger", err
		}
		if stored.Control.Intent != nil {
			return "the intent of " + pool, nil
		}
	}
	return "", nil
}

// take makes a host the owner of a partition, beside whoever owned it.
func (r *run) take(part, host int) {
	r.mu.Lock()
	r.moves++
	seed := uint64(1000 + r.moves)
	r.mu.Unlock()
	epoch, position := r.hub.claim(part, host)
	r.owners.Go(func() {
		defer r.hub.quit(part)
		r.own(part, epoch, host, position, seed)
	})
}

// own delivers a partition's events through one host until somebody else owns it, and for a batch or two beyond.
func (r *run) own(part, epoch, host int, position int64, seed uint64) {
	dice := r.dice(seed)
	linger := dice.IntN(3)
	for {
		events, owned := r.hub.after(part, epoch, position, 1+dice.IntN(20))
		switch {
		case !owned && (linger == 0 || len(events) == 0):
			return
		case !owned:
			linger--
		}
		if len(events) == 0 {
			if pause(r.ctx, 20*time.Millisecond) != nil {
				return
			}
			continue
		}
		res, err := r.hosts[host].Deliver(r.ctx, "function", fmt.Sprint(part), events)
		if r.ctx.Err() != nil {
			return
		}
		if err != nil {
			r.fail(fmt.Errorf("deliver partition %d: %w", part, err))
			return
		}
		r.mu.Lock()
		r.batches, r.attempts = r.batches+1, r.attempts+len(res.Attempts)
		r.mu.Unlock()
		if !res.Succeeded {
			r.hub.exhaust(part, events)
		}
		position = events[len(events)-1].Sequence
		r.hub.checkpoint(part, epoch, position)
	}
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = errors.Join(r.failed, err)
}

// sweep ticks one host's timer, about twice a minute of the run's time.
func (r *run) sweep(host int) {
	dice := r.dice(uint64(100 + host))
	for pause(r.ctx, time.Duration(300+dice.IntN(400))*time.Millisecond) == nil {
		// A sweep that fails or is killed is made up for by the next.
		_, _ = r.hosts[host].Tick(r.ctx, "sweep", false)
	}
}

// gather reads everything back.
func (r *run) gather(ctx context.Context) (*Evidence, error) {
	e := &Evidence{
		Sent: r.hub.sent(), Pools: r.bundle.Pools, Policy: r.bundle, Requests: r.arm.Requests(), End: r.now(),
		Entries: map[string][]scale.Entry{}, Stored: map[string]scale.Stored{},
		Foreign: r.foreign, Batches: r.batches, Attempts: r.attempts, Moves: r.moves - partitions,
	}
	for _, pool := range pools {
		entries, err := r.ledger.Entries(ctx, pool, time.Time{}, 1_000_000)
		if err != nil {
			return nil, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			e.Entries[pool] = append(e.Entries[pool], entries[i])
		}
		if e.Stored[pool], err = r.ledger.Load(ctx, pool); err != nil {
			return nil, err
		}
	}
	var err error
	if e.Letters, err = r.ledger.DeadLetters(ctx, 1_000_000); err != nil {
		return nil, err
	}
	for i, h := range r.hosts {
		e.Starts += h.Starts()
		t := r.proxies[i].Tally()
		e.Proxied.Requests += t.Requests
		e.Proxied.Writes += t.Writes
		e.Proxied.Refused += t.Refused
		e.Proxied.Reset += t.Reset
		e.Proxied.LostReplies += t.LostReplies
		e.Proxied.Delayed += t.Delayed
		e.Complaints = append(e.Complaints, h.Faults()...)
		for _, l := range h.Lines() {
			if l.Stream == "stderr" || strings.Contains(l.Text, `"msg":"panic"`) {
				e.Complaints = append(e.Complaints, l.Text)
			}
		}
	}
	return e, nil
}
