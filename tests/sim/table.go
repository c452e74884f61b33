package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"time"

	"trimtab/internal/scale"
)

// pool is a pool with its rows in the model of Table storage, and with the truth about it that only the simulation
// knows.
type pool struct {
	scale.Pool
	number int
	// half is the Spot half of a pair, on the pool; whole is the pool, on its half.
	half, whole *pool
	control     *scale.Control
	version     int
	windows     map[string]*windowRow
	entries     map[string]*entryRow
	last        *scale.Entry

	// demand is the load in percent of one instance; queued is what the queue signal counts in a minute.
	demand, queued int
	// grown and shrunk are when changes of ours began that were applied in truth.
	grown, shrunk time.Time
	// aim is what the last growth of ours stopped short of, 0 if it did not.
	aim int
	// told are the machines whose eviction was announced, known those of them that the control row has named.
	told, known map[string]bool
	// through is how far the history of loads goes, by signal.
	through map[string]time.Time
	// changes are the intents by their owner.
	changes map[string]*change
	// fence is until when Azure asked that the set be left alone, where that is stored; readFence the same for reads.
	fence, readFence time.Time
}

// windowRow is a stored window with the reference it must agree with.
type windowRow struct {
	data    []byte
	version int
	truth   *reference
}

// entryRow is a journal entry.
type entryRow struct {
	act     bool
	outcome *scale.Outcome
}

// change is what the simulation knows of an intent.
type change struct {
	scale.Intent
	set *set
	// sent counts how often it was sent, applied how often it took effect.
	sent, applied int
	operation     *operation
	pinned        bool
	throttled     time.Time
	// aim is where the growth stops short, for the machines that it starts.
	aim int
	// shifts is true for a change of one set of a pair while the number of both stays, or goes the other way.
	shifts bool
	// readAt is when the other set of the pair was read for it.
	readAt time.Time
	result scale.Result
}

// ledgerPort is the engine's port to Table storage: one group transaction is atomic, versions are compared before
// anything is stored, a query of one partition sees one state (facts: events 5.1).
type ledgerPort struct{ w *world }

func (w *world) pool(name string) *pool {
	for _, p := range w.rows {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Load reads a pool's rows.
func (l ledgerPort) Load(ctx context.Context, name string) (scale.Stored, error) {
	t, p := taskOf(ctx), l.w.pool(name)
	if p == nil {
		return l.w.loadOthers(ctx, t, name)
	}
	got, err := t.cross(ctx, "load "+name, func() (any, error) {
		s := scale.Stored{}
		if p.control != nil {
			s.Control, s.ControlVersion = l.w.copied(*p.control), strconv.Itoa(p.version)
		}
		sources := make([]string, 0, len(p.windows))
		for source := range p.windows {
			sources = append(sources, source)
		}
		sort.Strings(sources)
		for _, source := range sources {
			row := p.windows[source]
			s.Windows = append(s.Windows, scale.StoredWindow{Source: source, Data: row.data, Version: strconv.Itoa(row.version)})
		}
		return s, nil
	})
	if err != nil {
		return scale.Stored{}, err
	}
	if t.turn.committed != name {
		t.turn = turn{reads: make(map[string]int)}
	}
	t.turn.committed = ""
	s := got.(scale.Stored)
	t.fences[p.ScaleSet] = s.Control.FactsRetryAt
	return s, nil
}

// copied sends a control row through its text in every fourth history, as Table storage would.
func (w *world) copied(c scale.Control) scale.Control {
	if w.o.Seed%4 != 0 {
		return c
	}
	text, err := json.Marshal(c)
	if err != nil {
		w.broken(9, "a control row has no text: %v", err)
		return c
	}
	var read scale.Control
	if err := json.Unmarshal(text, &read); err != nil {
		w.broken(9, "a control row cannot be read: %v", err)
	}
	return read
}

// Commit writes all of a commit or nothing.
func (l ledgerPort) Commit(ctx context.Context, name string, c scale.Commit) error {
	t, p, w := taskOf(ctx), l.w.pool(name), l.w
	if p == nil {
		return w.commitOthers(ctx, t, name, c)
	}
	if c.Control != nil {
		control := *c.Control
		c.Control = &control
	}
	if t.attempt[c.Attempt] {
		w.broken(2, "the attempt %s is used twice", c.Attempt)
	}
	t.attempt[c.Attempt] = true
	t.turn.committed = ""
	reads := t.turn.reads
	_, err := t.cross(ctx, "commit "+name, func() (any, error) {
		if !p.fits(&c) {
			w.result.Counts.Conflicts++
			return nil, scale.ErrConflict
		}
		w.result.Counts.Commits++
		w.checkCommit(t, p, &c, reads)
		w.store(t, p, &c)
		return nil, nil
	})
	if err == nil {
		t.turn.committed = name
	}
	return err
}

// fits compares every version that the commit names with the one stored.
func (p *pool) fits(c *scale.Commit) bool {
	if c.Control != nil && c.ControlVersion != versionText(p.version) {
		return false
	}
	for i := range c.Windows {
		have := 0
		if row := p.windows[c.Windows[i].Source]; row != nil {
			have = row.version
		}
		if c.Windows[i].Version != versionText(have) {
			return false
		}
	}
	return true
}

func versionText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// store brings a commit into the rows.
func (w *world) store(t *task, p *pool, c *scale.Commit) {
	if c.Outcome != nil {
		w.checkOutcome(p, c.Outcome)
	}
	if c.Control != nil {
		if in := c.Control.Intent; in != nil && p.changes[in.Owner] == nil {
			p.changes[in.Owner] = &change{Intent: *in, set: w.sets[p.ScaleSet], pinned: c.Control.Orders.Pin.Holds(in.StartedAt)}
			if c.Entry != nil {
				p.changes[in.Owner].aim = c.Entry.Decision.Aim
			}
			if c.Entry != nil && c.Entry.View.Facts.Pair != nil {
				p.changes[in.Owner].readAt = c.Entry.View.Facts.Pair.ReadAt
			}
			p.changes[in.Owner].shifts = shifts(c.Entry, in)
			w.result.Counts.Intents++
		}
		p.control = c.Control
		p.version++
		p.readFence = c.Control.FactsRetryAt
	}
	for i := range c.Windows {
		row := p.windows[c.Windows[i].Source]
		if row == nil {
			row = &windowRow{truth: &reference{}}
			p.windows[c.Windows[i].Source] = row
		}
		row.data, row.version = c.Windows[i].Data, row.version+1
		if c.Windows[i].Source == scale.HistorySource {
			w.checkHistory(p, row, c)
			continue
		}
		if c.Entry == nil {
			w.broken(9, "a window of %s is stored without an entry", p.Name)
			return
		}
		row.truth = row.truth.fold(p, t.batch, c.Entry.At)
		w.checkWindow(p, c.Windows[i].Source, row, c.Entry.At)
	}
	if e := c.Entry; e != nil {
		if p.entries[e.Key] == nil {
			p.entries[e.Key] = &entryRow{}
		}
		p.entries[e.Key].act = e.Decision.Act
		p.last = e
		w.result.Counts.Entries++
		w.countEntry(e)
		w.tell("entry of %s: %s %d to %d, %s; fact %d %s, capacities %v", p.Name, e.Decision.Action, e.Decision.From.Instances,
			e.Decision.To.Instances, e.Decision.Reason, e.View.Facts.Capacity, e.View.Facts.ETag, e.Decision.Capacities)
	}
	if o := c.Outcome; o != nil {
		w.tell("outcome of %s: %s %s", p.Name, o.Result, o.Class)
		if p.entries[o.Entry] == nil {
			p.entries[o.Entry] = &entryRow{}
		}
		p.entries[o.Entry].outcome = o
	}
}

// Keep stores dead letters by the identity of their events.
func (l ledgerPort) Keep(ctx context.Context, letters []scale.DeadLetter) error {
	t := taskOf(ctx)
	_, err := t.cross(ctx, "keep", func() (any, error) {
		for i := range letters {
			s := &letters[i].Source
			for _, part := range l.w.parts {
				if part.source() != s.Hub+"/"+s.Partition {
					continue
				}
				if e := part.find(s.Sequence); e != nil && len(letters[i].Rejections) > 0 && string(letters[i].Body) == string(e.body) {
					if !e.kept {
						l.w.result.Counts.Letters++
					}
					e.kept = true
				} else {
					l.w.broken(7, "a dead letter is of no event: %s", fmt.Sprint(*s))
				}
			}
		}
		return nil, nil
	})
	return err
}
