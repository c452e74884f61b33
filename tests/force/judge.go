package force

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// Verdict is what the judge found.
type Verdict struct {
	// Events were sent, Samples of them belonged to a pool, Letters should have been kept.
	Events, Samples, Letters int
	// Entries were written; Acting of them changed something; Patches were sent, Applied of them had an effect.
	Entries, Acting, Patches, Applied int
	// Lost samples and letters are in no window and no row; Doubled samples were folded twice, doubled changes made twice
	// or made without an intent. Breaches are rails that did not hold, entries that do not decide again to the same end,
	// changes without an outcome, and what the host complained of.
	Lost, Doubled, Breaches int
	// Late samples were older than the window when their batch came, and were counted as that.
	Late int
	// Exhausted samples and letters are not there because the host gave their batch up, as its policy says.
	Exhausted int
	// Unsure outcomes call a change superseded that was ours for a moment, before a stranger's write hid it; CutOff
	// entries hold because the machine stalled their evaluation: their proposal alone can not be computed again.
	Unsure, CutOff int
	// Problems describe the first of what is wrong.
	Problems []string
}

// Sound reports whether nothing is wrong.
func (v *Verdict) Sound() bool { return v.Lost+v.Doubled+v.Breaches == 0 }

// mostProblems bounds the list.
const mostProblems = 40

func (v *Verdict) note(count *int, n int, format string, args ...any) {
	*count += n
	if len(v.Problems) < mostProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Judge weighs the evidence.
func Judge(ctx context.Context, e *Evidence) *Verdict {
	v := &Verdict{}
	for _, s := range e.Sent {
		v.Events += len(s.Events)
	}
	for i := range e.Pools {
		p := &e.Pools[i]
		v.Entries += len(e.Entries[p.Name])
		v.events(e, p)
		v.changes(e, p)
		v.replay(ctx, e, p)
	}
	v.letters(e)
	for _, c := range e.Complaints {
		v.note(&v.Breaches, 1, "complaint: %s", c)
	}
	return v
}

// share is what one event holds for one pool.
type share struct {
	routed []metric.Routed
	// counted is how many of the samples hold a measurement.
	counted int
}

// hub is the hub's name in small letters.
func (e *Evidence) hub() string {
	if e.Hub != "" {
		return e.Hub
	}
	return namespace + "/" + hubName
}

// source is the name under which a partition's window is kept.
func (e *Evidence) source(part int) string { return fmt.Sprintf("%s/%d", e.hub(), part) }

// shares decodes a partition's events for a pool; sequence numbers begin at 1.
func (e *Evidence) shares(s *Sent, part int, p *scale.Pool) []share {
	decoder := metric.NewDecoder()
	all := make([]share, len(s.Events)+1)
	for _, ev := range s.Events {
		samples, _ := decoder.Decode(ev.Body, scale.Source{
			Hub: e.hub(), Partition: fmt.Sprint(part), Sequence: ev.Sequence, Known: true,
			EnqueuedAt: ev.EnqueuedAt.UTC().Truncate(100 * time.Nanosecond),
		})
		kept := slices.Clone(samples)
		for i := range kept {
			for n := range p.Signals {
				if !metric.Listens(&p.Signals[n], &kept[i]) {
					continue
				}
				sh := &all[ev.Sequence]
				sh.routed = append(sh.routed, metric.Routed{Signal: n, Sample: &kept[i]})
				if kept[i].Has&scale.HasCount == 0 || kept[i].Count > 0 {
					sh.counted++
				}
			}
		}
	}
	return all
}

// events checks that each event's samples were folded once: by the journal, where every batch says from which event to
// which and how many samples were new, and by the window, which must be what one reading of all events in order makes.
func (v *Verdict) events(e *Evidence, p *scale.Pool) {
	for part := range e.Sent {
		sent := &e.Sent[part]
		all := e.shares(sent, part, p)
		miss := func(from, to int64) (gaveUp bool) {
			for seq := from; seq < to; seq++ {
				switch n := all[seq].counted; {
				case n == 0:
				case sent.Exhausted[seq]:
					v.Exhausted += n
					gaveUp = true
				default:
					v.note(&v.Lost, n, "lost: %d samples of %s, partition %d, event %d", n, p.Name, part, seq)
				}
			}
			return gaveUp
		}
		mark, gaveUp := int64(0), false
		var as metric.Window
		for _, entry := range e.Entries[p.Name] {
			t := entry.Trigger
			if t.Kind != "events" || t.Source != e.source(part) {
				continue
			}
			if t.FirstSequence < 1 || t.LastSequence >= int64(len(all)) {
				v.note(&v.Breaches, 1, "entry %s of %s speaks of events that were never sent", entry.Key, p.Name)
				continue
			}
			gaveUp = miss(mark+1, t.FirstSequence) || gaveUp
			want := 0
			var batch []metric.Routed
			for seq := t.FirstSequence; seq <= t.LastSequence; seq++ {
				batch = append(batch, all[seq].routed...)
				if seq > mark {
					want += all[seq].counted
				}
			}
			counts, _ := as.Fold(p.Signals, batch, entry.At)
			// What is older than the window within one batch is counted as late, and no longer part of it.
			v.Late += counts.Late
			switch d := t.Folded + counts.Late - want; {
			case d > 0:
				v.note(&v.Doubled, d, "folded twice: %s, partition %d, events %d to %d: %d samples, want %d", p.Name, part, t.FirstSequence, t.LastSequence, t.Folded, want-counts.Late)
			case d < 0:
				v.note(&v.Lost, -d, "lost: %s, partition %d, events %d to %d: %d samples, want %d", p.Name, part, t.FirstSequence, t.LastSequence, t.Folded, want-counts.Late)
			}
			mark = max(mark, t.LastSequence)
		}
		gaveUp = miss(mark+1, int64(len(all))) || gaveUp
		for _, sh := range all {
			v.Samples += sh.counted
		}
		if !gaveUp {
			v.window(e, p, part, all)
		}
	}
}

// window compares what is stored with one reading of all events in order, one by one.
func (v *Verdict) window(e *Evidence, p *scale.Pool, part int, all []share) {
	var want metric.Window
	for _, sh := range all {
		want.Fold(p.Signals, sh.routed, e.End)
	}
	var stored []byte
	for _, w := range e.Stored[p.Name].Windows {
		if w.Source == e.source(part) {
			stored = w.Data
		}
	}
	if _, _, set := want.Watermark(); !set && stored == nil {
		return
	}
	if data := want.AppendTo(nil); !bytes.Equal(data, stored) {
		v.note(&v.Breaches, 1, "window of %s, partition %d: %d bytes stored, %d bytes if each event is folded once, and not the same", p.Name, part, len(stored), len(data))
	}
}

// letters checks that each event that cannot be understood is kept, once.
func (v *Verdict) letters(e *Evidence) {
	kept := map[string]int{}
	for _, l := range e.Letters {
		kept[fmt.Sprintf("%s/%d", l.Source.Partition, l.Source.Sequence)]++
	}
	decoder := metric.NewDecoder()
	for part, s := range e.Sent {
		for _, ev := range s.Events {
			if _, rejected := decoder.Decode(ev.Body, scale.Source{}); len(rejected) == 0 {
				continue
			}
			v.Letters++
			key := fmt.Sprintf("%d/%d", part, ev.Sequence)
			switch n := kept[key]; {
			case n == 0 && s.Exhausted[ev.Sequence]:
				v.Exhausted++
			case n == 0:
				v.note(&v.Lost, 1, "lost: the dead letter of partition %d, event %d", part, ev.Sequence)
			case n > 1:
				v.note(&v.Doubled, n-1, "kept %d times: the dead letter of partition %d, event %d", n, part, ev.Sequence)
			}
			delete(kept, key)
		}
	}
	for key := range kept {
		v.note(&v.Breaches, 1, "a dead letter of an event that can be understood, or was never sent: %s", key)
	}
}

// cutOff begins the fault of an evaluation that time or memory ended: a property of the machine and not of the view.
const cutOff = "the policy was cut off after"

// replay decides again on every entry.
func (v *Verdict) replay(ctx context.Context, e *Evidence, p *scale.Pool) {
	for _, entry := range e.Entries[p.Name] {
		if strings.HasPrefix(entry.Proposal.Fault, cutOff) {
			v.CutOff++
			if entry.Decision.Act {
				v.note(&v.Breaches, 1, "entry %s of %s acts on a fault", entry.Key, p.Name)
			}
			continue
		}
		proposal, decision := engine.Redecide(ctx, e.Policy, &entry.View)
		for n := 0; n < 5 && strings.HasPrefix(proposal.Fault, cutOff); n++ {
			proposal, decision = engine.Redecide(ctx, e.Policy, &entry.View)
		}
		want, err := json.Marshal([]any{entry.Proposal, entry.Decision})
		got, err2 := json.Marshal([]any{proposal, decision})
		if err != nil || err2 != nil || !bytes.Equal(want, got) {
			v.note(&v.Breaches, 1, "entry %s of %s does not decide again to the same end:\nthen %s\nnow  %s", entry.Key, p.Name, want, got)
		}
	}
}

// Summary is a run in one line.
func Summary(e *Evidence, v *Verdict) string {
	return fmt.Sprintf("%d kills in %v, %d events (%d samples, %d dead letters) in %d batches with %d attempts, %d moves of partitions; "+
		"%d requests to storage, of which %d refused, %d reset, %d replies lost; %d entries, %d acting; %d PATCHes, %d applied; "+
		"lost %d, doubled %d, breaches %d; %d given up by the host, %d outcomes unsure, %d evaluations cut off",
		e.Kills, e.Storm.Round(time.Second), v.Events, v.Samples, v.Letters, e.Batches, e.Attempts, e.Moves,
		e.Proxied.Requests, e.Proxied.Refused, e.Proxied.Reset, e.Proxied.LostReplies, v.Entries, v.Acting, v.Patches, v.Applied,
		v.Lost, v.Doubled, v.Breaches, v.Exhausted, v.Unsure, v.CutOff)
}
