package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// event is one event of the hub: its identity is partition and sequence number, stable over deliveries (facts: events
// 3.2).
type event struct {
	part     *partition
	sequence int64
	enqueued time.Time
	body     []byte
	points   []measured
	// told are the machines of a pool that the event tells to be evicted.
	told []eviction
	// broken is true when part of the body cannot be understood; kept when a dead letter of it is stored.
	broken, kept bool
	// lost is true when the host has gone on after its retries (facts: functions-host 4.1): no answer can veto that.
	lost bool
}

// eviction is a machine of a pool.
type eviction struct {
	pool    int
	machine string
}

// concerns reports whether an event says anything to a pool.
func (e *event) concerns(pool int) bool {
	for _, m := range e.points {
		if m.pool == pool {
			return true
		}
	}
	for _, t := range e.told {
		if t.pool == pool {
			return true
		}
	}
	return false
}

// announce tells of the eviction of machines, as Event Grid does: at least once, under another number each time (facts: events
// 1.5, 1.7).
func (w *world) announce(r *rand.Rand, p *pool, n int) {
	var told []eviction
	var names []string
	for range min(n, 3) {
		w.serial++
		name := fmt.Sprintf("m%d", w.serial)
		told, names = append(told, eviction{p.index(), name}), append(names, name)
		p.told[name] = true
	}
	if len(told) == 0 {
		return
	}
	body := fmt.Appendf(nil, `[{"id":"1","topic":"/t","eventType":"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted",`+
		`"eventTime":%q,"data":{"resourceInfo":{"id":%q,"properties":{"EventType":"Preempt","EventStatus":"Scheduled","EventId":"e","Resources":["%s"]}}}}]`,
		w.now.Format(time.RFC3339Nano), p.ScaleSet, strings.Join(names, `","`))
	for range 1 + r.IntN(2) {
		number := r.IntN(len(w.parts))
		w.after(span(r, time.Second, time.Minute), "eviction told", func() {
			w.enqueue(nil, body, false, number)
			part := w.parts[number]
			part.events[len(part.events)-1].told = told
		})
	}
}

// partition is one partition of the hub, in order; its checkpoint, and who reads it.
type partition struct {
	w          *world
	number     int
	events     []*event
	checkpoint int
	owner      *reader
}

func (p *partition) source() string { return fmt.Sprintf("ns/metrics/%d", p.number) }

func (p *partition) find(sequence int64) *event {
	if i := int(sequence) - 1; i >= 0 && i < len(p.events) {
		return p.events[i]
	}
	return nil
}

// reader is one owner of a partition: it keeps its own position, which goes on after a failure too, and writes the
// checkpoint only while it owns the partition (facts: functions-host 4.1, 4.3).
type reader struct {
	part    *partition
	proc    *process
	life    int
	at      int
	tries   int
	busy    bool
	batches int
	// last is how many batches it still reads after its partition went to another.
	last int
}

// maxRetries is function.json's bounded retry.
const maxRetries = 4

// pump lets a partition's owner read on.
func (w *world) pump(r *reader) {
	owner := r.part.owner == r
	if r.busy || r.life != r.proc.life || !r.proc.alive || r.at >= len(r.part.events) || !owner && r.last <= 0 {
		return
	}
	if !owner {
		r.last--
	}
	n := min(len(r.part.events)-r.at, 1+w.chance.IntN(8))
	batch := r.part.events[r.at : r.at+n]
	r.busy = true
	r.batches++
	w.deliver(r, batch, fmt.Sprintf("%s-%d-%d", r.part.source(), r.at, r.batches))
}

// deliver hands a batch over; the same batch keeps its invocation's name over its retries (facts: functions-host 4.2).
func (w *world) deliver(r *reader, batch []*event, invocation string) {
	b := engine.Batch{Invocation: invocation}
	for _, e := range batch {
		b.Events = append(b.Events, engine.Event{Body: e.body, Source: scale.Source{
			Hub: "ns/metrics", Partition: fmt.Sprint(r.part.number), Sequence: e.sequence, Known: true, EnqueuedAt: e.enqueued,
		}})
	}
	w.launch(r.proc, fmt.Sprintf("%s %s %d+%d", r.proc.name, r.part.source(), batch[0].sequence, len(batch)), batch,
		func(ctx context.Context) (engine.Report, error) { return r.proc.engine.Ingest(ctx, b) },
		func(t *task) {
			if r.life != r.proc.life {
				return
			}
			if t.err != nil && r.tries < maxRetries {
				// The partition is blocked meanwhile, the others go on (facts: functions-host 4.2).
				r.tries++
				w.after(min(time.Duration(5<<r.tries)*time.Second, 2*time.Minute), "retry "+t.name, func() {
					if r.life == r.proc.life && r.proc.alive {
						w.deliver(r, batch, invocation)
					}
				})
				return
			}
			if t.err != nil {
				w.note("lost to the host " + t.name)
				for _, e := range batch {
					e.lost = true
				}
				w.result.Counts.Lost += len(batch)
			}
			r.tries, r.busy = 0, false
			r.at += len(batch)
			if r.part.owner == r {
				r.part.checkpoint = max(r.part.checkpoint, r.at)
			}
			w.after(w.between(0, 50*time.Millisecond), "read on "+r.part.source(), func() { w.pump(r) })
		})
}

// own gives a partition to a process: it begins at the checkpoint, whatever the old owner is at.
func (w *world) own(part *partition, p *process) {
	r := &reader{part: part, proc: p, life: p.life, at: part.checkpoint}
	part.owner = r
	w.pump(r)
}

// abandonPartitions gives what a dead process read to others, after the time that ownership takes to expire.
func (w *world) abandonPartitions(p *process) {
	for _, part := range w.parts {
		if part.owner == nil || part.owner.proc != p {
			continue
		}
		part.owner = nil
		w.adopt(part)
	}
}

func (w *world) adopt(part *partition) {
	w.after(w.between(time.Second, 30*time.Second), "adopt "+part.source(), func() {
		if part.owner != nil {
			return
		}
		for range w.procs {
			if p := w.procs[w.chance.IntN(len(w.procs))]; p.alive {
				w.own(part, p)
				return
			}
		}
		w.adopt(part)
	})
}

// handOver steals a partition: the old owner goes on with what it has for a while (facts: functions-host 4.3).
func (w *world) handOver(r *rand.Rand) {
	part := w.parts[r.IntN(len(w.parts))]
	p := w.procs[r.IntN(len(w.procs))]
	if part.owner == nil || part.owner.proc == p || !p.alive {
		return
	}
	part.owner.last = r.IntN(3)
	// The checkpoint may lie behind what the old owner has read.
	part.checkpoint = max(0, part.checkpoint-r.IntN(4))
	w.own(part, p)
}

// producer makes events.
type producer struct {
	silentUntil time.Time
	held        []func()
	keep        bool
}

// produce sends the events of one minute: for each pool one, to a partition of its own choosing.
func (w *world) produce() {
	w.after(time.Minute, "minute", w.produce)
	minute := w.now.Truncate(time.Minute).Add(-time.Minute)
	if r, hit := w.fault(faultSilence); hit && !w.now.Before(w.producer.silentUntil) {
		// Nothing comes for a while; then all of it at once, or none of it.
		w.producer.silentUntil, w.producer.keep = w.now.Add(span(r, 3*time.Minute, 25*time.Minute)), r.IntN(3) > 0
	}
	if !w.chaos {
		w.producer.silentUntil = time.Time{}
	}
	silent := w.now.Before(w.producer.silentUntil)
	if !silent && len(w.producer.held) > 0 {
		for _, send := range w.producer.held {
			send()
		}
		w.producer.held = nil
	}
	for i := range w.pools {
		for p := w.pools[i]; p != nil; p = p.half {
			if s := w.sets[p.ScaleSet]; !w.chaos && s.current != nil && s.current.done {
				s.settle()
			}
		}
		points, body := w.compose(i, minute)
		send := func() { w.enqueue(points, body, false, w.chance.IntN(len(w.parts))) }
		switch r, hit := w.fault(faultDelayed); {
		case silent && w.producer.keep:
			w.producer.held = append(w.producer.held, send)
		case silent:
		case hit:
			w.after(span(r, time.Minute, 20*time.Minute), "delayed event", send)
		default:
			w.after(w.between(0, 3*time.Second), "event", send)
		}
		if silent {
			continue
		}
		w.oddities(i, minute, points, body)
	}
	if w.chaos && w.chance.IntN(6) == 0 {
		p := w.pools[w.chance.IntN(len(w.pools))]
		p.load(w.chance)
	}
}

// broken is a record without resource and time.
const broken = `{"metricName":"Percentage CPU","average":7}`

// oddities are what senders do besides: send twice, correct, break, date wrongly.
func (w *world) oddities(i int, minute time.Time, points []measured, body []byte) {
	if r, hit := w.fault(faultDoubled); hit && len(points) < 10 {
		// A producer's retry repeats an event under another number (facts: events 3.2).
		part := r.IntN(len(w.parts))
		w.after(span(r, time.Second, 3*time.Minute), "doubled event", func() { w.enqueue(points, body, false, part) })
	}
	if r, hit := w.fault(faultCorrected); hit && len(points) < 10 {
		part := r.IntN(len(w.parts))
		at := minute.Add(-time.Duration(r.IntN(4)) * time.Minute)
		fixed := []measured{{pool: i, signal: 0, at: at, grain: time.Minute, value: float64(r.IntN(9000)) / 100, count: 1}}
		w.after(span(r, time.Second, time.Minute), "correction", func() { w.enqueue(fixed, w.body(fixed, ""), false, part) })
	}
	if r, hit := w.fault(faultMalformed); hit {
		part := r.IntN(len(w.parts))
		text := []byte(`{"records":[{"metricName":`)
		var good []measured
		if r.IntN(2) == 0 && len(points) > 0 && points[0].signal == 0 {
			good = points[:1]
			text = w.body(good, broken)
		}
		w.after(span(r, time.Second, time.Minute), "malformed event", func() { w.enqueue(good, text, true, part) })
	}
	if r, hit := w.fault(faultOdd); hit {
		// From the future, hours late, or without a measurement (count 0: facts: events 1.1).
		odd := []measured{{pool: i, signal: 0, at: minute, grain: time.Minute, value: 1, count: 1}}
		switch r.IntN(3) {
		case 0:
			odd[0].at = minute.Add(span(r, 10*time.Minute, time.Hour)).Truncate(time.Minute)
		case 1:
			odd[0].at = minute.Add(-3 * time.Hour)
		default:
			odd[0].count, odd[0].value = 0, 0
		}
		part := r.IntN(len(w.parts))
		w.after(span(r, time.Second, time.Minute), "odd event", func() { w.enqueue(odd, w.body(odd, ""), false, part) })
	}
}

// enqueue puts an event at the end of a partition.
func (w *world) enqueue(points []measured, body []byte, broken bool, number int) {
	part := w.parts[number]
	w.result.Counts.Events++
	part.events = append(part.events, &event{
		part: part, sequence: int64(len(part.events) + 1), enqueued: w.now, body: body, points: points, broken: broken,
	})
	if part.owner != nil {
		r := part.owner
		w.after(w.between(0, 20*time.Millisecond), "read "+part.source(), func() { w.pump(r) })
	}
}

// compose measures a pool in a minute.
func (w *world) compose(i int, minute time.Time) ([]measured, []byte) {
	p := w.pools[i]
	live := w.sets[p.ScaleSet].live
	if p.half != nil {
		live += w.sets[p.half.ScaleSet].live
	}
	var points []measured
	for n := range p.Signals {
		s := &p.Signals[n]
		switch {
		case s.Aggregation == scale.Average:
			if live == 0 {
				continue // no machine, no measurement
			}
			// A machine can be no busier than busy.
			v := min(float64(100*per(s.Name)), float64(p.demand*per(s.Name)*100/live)/100)
			points = append(points, measured{pool: i, signal: n, at: minute, grain: time.Minute, value: v, count: 1, element: len(points)})
		case p.Labels["queue"] == "fine":
			// More points in a bucket than are kept apart.
			for k := range 40 {
				points = append(points, measured{
					pool: i, signal: n, at: minute.Add(time.Duration(k) * 1500 * time.Millisecond), grain: time.Second,
					value: float64(p.queued) / 40, count: 1, element: len(points),
				})
			}
		default:
			points = append(points, measured{pool: i, signal: n, at: minute, grain: time.Minute, value: float64(p.queued), count: 1, element: len(points)})
		}
	}
	return points, w.body(points, "")
}

// per is what one instance at full load shows of a signal, in hundredths.
func per(signal string) int {
	if signal == "requests" {
		return 2
	}
	return 1
}

// body is an event's body, as diagnostic settings write it (facts: events 1.1).
func (w *world) body(points []measured, tail string) []byte {
	var b strings.Builder
	b.WriteString(`{"records":[`)
	for k, m := range points {
		if k > 0 {
			b.WriteByte(',')
		}
		p := w.pools[m.pool]
		s := &p.Signals[m.signal]
		grain := "PT1M"
		if m.grain == time.Second {
			grain = "PT1S"
		}
		fmt.Fprintf(&b, `{"count":%g,"total":%g,"minimum":%g,"maximum":%g,"average":%g,"resourceId":%q,"time":%q,"metricName":%q,"timeGrain":%q}`,
			m.count, m.value*m.count, m.value, m.value, m.value, strings.ToUpper(s.Resource), m.at.Format("2006-01-02T15:04:05.0000000Z"), s.Metric, grain)
	}
	if tail != "" && len(points) > 0 {
		b.WriteByte(',')
	}
	b.WriteString(tail)
	b.WriteString("]}")
	return []byte(b.String())
}
