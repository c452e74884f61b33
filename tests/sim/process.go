package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// errGone is what a call of a process gets that has ended: the process does nothing more that anybody can see.
var errGone = errors.New("process is gone")

// errLost is a reply that never came, errBusy one that said no.
var (
	errLost = errors.New("connection reset by peer")
	errBusy = errors.New("status 503, code ServerBusy")
)

// canary stands for every secret. It is in the resume tokens, and nothing else may hold it (invariant 13).
const canary = "sig=canary-f3a9"

// process is one handler process. It works on one invocation at a time: several in one process are told apart by a lock
// that the race detector looks after; several processes are what this simulation is about.
type process struct {
	name    string
	engine  *engine.Engine
	life    int
	alive   bool
	running *task
	waiting []func()
}

// task is one invocation under way: a goroutine that runs only while the world waits for it.
type task struct {
	w      *world
	p      *process
	name   string
	begun  time.Time
	resume chan struct{}
	cancel context.CancelFunc
	dead   bool
	ended  bool
	report engine.Report
	err    error
	call   *call
	batch  []*event
	source string
	then   func(*task)
	// attempt are the commits that it has tried, accepted the tokens that it was given, by the intent's owner.
	attempt  map[string]bool
	accepted map[string]string
	turn     turn
	// fences are until when each set asked not to be read, as the ledger said when it was last loaded.
	fences map[string]time.Time
}

// turn is what a task has seen and done since it last began with a pool.
type turn struct {
	// reads are the ETags read in this turn, with the counts that came with them.
	reads map[string]int
	// chosen are the machines that were chosen in this turn.
	chosen []string
	// committed is the name of the row that was committed last, empty where the turn has gone on since.
	committed string
}

// call is one call over a port.
type call struct {
	task   *task
	ctx    context.Context
	name   string
	effect func() (any, error)
	result any
	err    error
	// gone is true when the caller waits no more; dropped when the request never arrives.
	gone, dropped bool
}

type taskKey struct{}

func taskOf(ctx context.Context) *task { return ctx.Value(taskKey{}).(*task) }

// start makes a process, or makes it anew after it has ended.
func (w *world) start(p *process) {
	p.life++
	p.alive = true
	pools := make([]scale.Pool, len(w.pools))
	for i, pl := range w.pools {
		pools[i] = pl.Pool
	}
	e, err := engine.New(engine.Options{
		Pools: pools, Policy: w.policy, Fleet: w.fleet(), Ledger: ledgerPort{w}, Now: func() time.Time { return w.now },
		Writer: fmt.Sprintf("%s.%d", p.name, p.life), Workers: 1, Lease: w.lease, Log: slog.New(&logbook{w: w}),
	})
	if err != nil {
		panic(err)
	}
	p.engine = e
}

// launch starts an invocation when the process is free for it.
func (w *world) launch(p *process, name string, batch []*event, run func(context.Context) (engine.Report, error), then func(*task)) {
	if p.running != nil {
		p.waiting = append(p.waiting, func() { w.launch(p, name, batch, run, then) })
		return
	}
	w.launched++
	t := &task{
		w: w, p: p, name: name, begun: w.now, resume: make(chan struct{}), batch: batch, then: then,
		attempt: make(map[string]bool), accepted: make(map[string]string),
		fences: make(map[string]time.Time),
	}
	if len(batch) > 0 {
		t.source = batch[0].part.source()
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), taskKey{}, t))
	t.cancel = cancel
	p.running = t
	w.tasks = append(w.tasks, t)
	w.result.Counts.Invocations++
	if r, hit := w.fault(faultTimeout); hit {
		// The invocation's own deadline: the process lives on, its calls are given up (facts: functions-host 4.1).
		w.after(span(r, 0, 20*time.Second), "deadline "+name, func() { w.giveUp(t) })
	}
	go func() {
		<-t.resume
		t.report, t.err = run(ctx)
		t.ended = true
		w.yield <- struct{}{}
	}()
	w.run(t)
}

// run lets a task go on until its next call or its end.
func (w *world) run(t *task) {
	t.resume <- struct{}{}
	<-w.yield
	if !t.ended {
		return
	}
	t.cancel()
	if t.p.running == t {
		t.p.running = nil
	}
	for i, other := range w.tasks {
		if other == t {
			w.tasks = append(w.tasks[:i], w.tasks[i+1:]...)
			break
		}
	}
	if t.dead {
		return
	}
	w.tell("end %s: %v", t.name, t.err)
	w.checkReport(t)
	t.then(t)
	if len(t.p.waiting) > 0 && t.p.running == nil {
		next := t.p.waiting[0]
		t.p.waiting = t.p.waiting[1:]
		next()
	}
}

// giveUp lets an invocation's deadline pass.
func (w *world) giveUp(t *task) {
	if t.ended || t.dead {
		return
	}
	t.cancel()
	if c := t.call; c != nil && !c.gone && c.ctx.Err() != nil {
		c.gone, c.err = true, context.DeadlineExceeded
		w.run(t)
	}
}

// kill ends a process at once. What it has sent may still arrive; it sees and does nothing more.
func (w *world) kill(p *process) {
	if p == nil || !p.alive {
		return
	}
	p.alive, p.waiting = false, nil
	if t := p.running; t != nil {
		t.dead = true
		t.cancel()
		p.running = nil
		if c := t.call; c != nil && !c.gone {
			c.gone, c.err = true, errGone
			c.dropped = w.chance.IntN(2) == 0
			w.run(t)
		}
	}
}

// crash kills a process and starts it again a while later; the partitions that it read go to others.
func (w *world) crash(p *process, away time.Duration) {
	if !p.alive || p == w.desk {
		return
	}
	w.result.Counts.Crashes++
	w.note("crash " + p.name)
	w.kill(p)
	w.abandonPartitions(p)
	w.after(away, "restart "+p.name, func() {
		w.start(p)
	})
}

// cross is a call over a port, made by a task: it goes out, lands, and its reply comes back, each at its own instant;
// any of them may not happen.
func (t *task) cross(ctx context.Context, name string, effect func() (any, error)) (any, error) {
	if t.dead {
		return nil, errGone
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &call{task: t, ctx: ctx, name: name, effect: effect}
	t.call = c
	t.w.send(c)
	t.w.yield <- struct{}{}
	<-t.resume
	t.call = nil
	return c.result, c.err
}

// send plans what becomes of a call.
func (w *world) send(c *call) {
	w.tell("call %s %s", c.task.name, c.name)
	arm := strings.HasPrefix(c.name, "arm")
	out, back := w.between(time.Millisecond, 30*time.Millisecond), w.between(time.Millisecond, 30*time.Millisecond)
	if arm {
		out, back = w.between(20*time.Millisecond, 900*time.Millisecond), w.between(20*time.Millisecond, 900*time.Millisecond)
	}
	p := c.task.p
	if r, hit := w.fault(faultCrash); hit {
		away := span(r, time.Second, 3*time.Minute)
		w.after(time.Duration(r.Int64N(int64(out+back))), "strike", func() {
			if p.running == c.task {
				w.crash(p, away)
			}
		})
	}
	lost := false
	switch {
	case !arm && w.now.Before(w.ledgerDown), arm && w.now.Before(w.armDown):
		w.after(out+back, "refuse "+c.name, func() { w.reply(c, nil, w.refusal(c, errBusy)) })
		return
	case arm:
		out, lost = w.armTrouble(c, out)
	default:
		var refused bool
		if out, back, lost, refused = w.tableTrouble(c, out, back); refused {
			w.after(out+back, "busy "+c.name, func() { w.reply(c, nil, errBusy) })
			return
		}
	}
	w.after(out, "land "+c.name, func() {
		if c.dropped {
			return
		}
		result, err := c.effect()
		if c.gone {
			return
		}
		if lost {
			result, err = nil, w.refusal(c, errLost)
		}
		w.after(back, "reply "+c.name, func() { w.reply(c, result, err) })
	})
}

// refusal is an error as the port gives it: a fleet's are its own.
func (w *world) refusal(c *call, err error) error {
	if op, ok := strings.CutPrefix(c.name, "arm "); ok {
		op, _, _ = strings.Cut(op, " ")
		return &scale.FleetError{Op: op, Class: scale.ClassUnsure, Message: err.Error(), Err: err}
	}
	return err
}

// reply brings an answer to a task that still waits for it.
func (w *world) reply(c *call, result any, err error) {
	if c.gone || c.task.call != c {
		return
	}
	c.gone, c.result, c.err = true, result, err
	w.run(c.task)
}

// tableTrouble draws what goes wrong with a call of Table storage. What the caller sees of a lost reply is an error: the
// ledger's own look at what is stored may fail as well.
func (w *world) tableTrouble(c *call, out, back time.Duration) (o, b time.Duration, lost, refused bool) {
	if _, hit := w.fault(faultBusy); hit {
		return out, back, false, true
	}
	if r, hit := w.fault(faultSlow); hit {
		if d := span(r, time.Second, 115*time.Second); r.IntN(2) == 0 {
			out += d
		} else {
			back += d
		}
	}
	if r, hit := w.fault(faultLate); hit {
		// The caller gives up first, the write lands after that.
		out += span(r, 10*time.Second, time.Minute)
		w.after(span(r, time.Second, 10*time.Second), "give up "+c.name, func() {
			w.reply(c, nil, errLost)
		})
	}
	_, lost = w.fault(faultLost)
	return out, back, lost, false
}

// armTrouble draws what goes wrong on the way to and from Resource Manager. A change's own time-out is 30 seconds, and
// what has not landed by then lands within the seconds after it or never; nothing in writing bounds it (the engine gives
// ten seconds).
func (w *world) armTrouble(c *call, out time.Duration) (time.Duration, bool) {
	if !strings.HasPrefix(c.name, "arm change") {
		if r, hit := w.fault(faultSlow); hit {
			out += span(r, time.Second, 9*time.Second)
		}
		return out, false
	}
	if r, hit := w.fault(faultUnsent); hit {
		c.dropped = r.IntN(3) > 0
		out = span(r, 28*time.Second, 37*time.Second)
		w.after(30*time.Second, "time out "+c.name, func() { w.reply(c, nil, w.refusal(c, context.DeadlineExceeded)) })
		return out, false
	}
	if r, hit := w.fault(faultSlow); hit {
		out += span(r, time.Second, 28*time.Second)
	}
	_, lost := w.fault(faultUnanswered)
	return out, lost
}

// logbook reads every log line, looking for secrets.
type logbook struct {
	w     *world
	attrs string
}

// Enabled takes warnings and worse.
func (*logbook) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle looks at one line.
func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + l.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	if strings.Contains(text, canary) {
		l.w.broken(13, "a secret is in the log: %s", text)
	}
	l.w.tell("log %s", text)
	return nil
}

// WithAttrs keeps attributes.
func (l *logbook) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *l
	for _, a := range attrs {
		next.attrs += " " + a.String()
	}
	return &next
}

// WithGroup is not used.
func (l *logbook) WithGroup(string) slog.Handler { return l }
