package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// compact writes state.jsonl anew: one line for each pool.
func (f *File) compact() error {
	fresh, err := rewrite(filepath.Join(f.dir, stateName), func(w io.Writer) error {
		for _, name := range slices.Sorted(maps.Keys(f.pools)) {
			p := f.pools[name]
			line := stateLine{
				Serial: f.serial, Pool: name, Version: p.version, Attempt: p.attempt, Control: p.control, Journal: f.journal.size,
			}
			for i, s := range p.windows {
				line.Windows = append(line.Windows, stateWindow{s.Source, s.Version, p.windowAttempts[i], s.Data})
			}
			if err := writeLine(w, &line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_ = f.state.file.Close()
	f.state, f.compactAt = fresh, max(compactMin, 4*fresh.size)
	return nil
}

// writeLine writes a document as a line.
func writeLine(w io.Writer, doc any) error {
	text, err := encode(doc)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// Trim drops entries older than before, at most max of them, and says how many it dropped. journal.jsonl is written
// anew without them. Should the process die between that and the line in state.jsonl, the journal is shorter than
// state.jsonl says, and is then taken as it is: all that it holds was committed.
func (f *File) Trim(ctx context.Context, pool string, before time.Time, max int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("ledger: trim %s: %w", pool, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unlock == nil {
		return 0, fmt.Errorf("ledger: trim %s: %w", pool, errReadOnly)
	}
	p := f.pools[pool]
	if p == nil {
		return 0, nil
	}
	kept := p.journal
	p.journal.records = slices.Clone(kept.records)
	n := p.journal.trim(before, max)
	if n == 0 {
		return 0, nil
	}
	was := f.journal
	if err := f.rewriteJournal(); err != nil {
		if f.journal == was {
			p.journal = kept
		}
		return 0, fmt.Errorf("ledger: trim %s: %w", pool, err)
	}
	return n, nil
}

// rewriteJournal writes the entries that are still known, and the outcomes of those without an entry.
func (f *File) rewriteJournal() error {
	moved := make(map[*record[span]]span)
	size := int64(0)
	fresh, err := rewrite(filepath.Join(f.dir, journalName), func(w io.Writer) error {
		for _, name := range slices.Sorted(maps.Keys(f.pools)) {
			records := f.pools[name].journal.records
			for i := range records {
				text, err := f.rewritten(name, &records[i])
				if err != nil {
					return err
				}
				if _, err := w.Write(text); err != nil {
					return err
				}
				moved[&records[i]] = span{size, len(text) - 1}
				size += int64(len(text))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for r, at := range moved {
		r.entry = at
	}
	_ = f.journal.file.Close()
	f.journal = fresh
	return f.mark()
}

// mark records how long the journal is.
func (f *File) mark() error {
	line, err := encode(&stateLine{Serial: f.serial, Journal: f.journal.size})
	if err != nil {
		return err
	}
	return f.state.append(append(line, '\n'))
}

// rewritten is one record as it goes into a new journal: the entry with its outcome on one line.
func (f *File) rewritten(pool string, r *record[span]) ([]byte, error) {
	if !r.has {
		doc, err := encode(outcomeLine{pool, r.outcome, r.outcomeAttempt})
		return append(doc, '\n'), err
	}
	doc, err := f.journal.read(r.entry)
	if err != nil || r.outcome == nil {
		return append(doc, '\n'), err
	}
	var line entryLine
	if err := json.Unmarshal(doc, &line); err != nil {
		return nil, fmt.Errorf("entry %s: %w", r.key, err)
	}
	line.Outcome = r.outcome
	doc, err = encode(line)
	return append(doc, '\n'), err
}

// TrimLetters drops dead letters received before an instant, at most max of them, and says how many it dropped.
// deadletters.jsonl is written anew without them.
func (f *File) TrimLetters(ctx context.Context, before time.Time, max int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("ledger: trim dead letters: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unlock == nil {
		return 0, fmt.Errorf("ledger: trim dead letters: %w", errReadOnly)
	}
	gone := make(map[string]bool)
	// In the order in which they lie, the oldest first.
	order := slices.SortedFunc(maps.Keys(f.letters), func(a, b string) int {
		return cmp.Compare(f.letters[a].offset, f.letters[b].offset)
	})
	for _, id := range order {
		if len(gone) < max && isOld(f.letters[id].receivedAt, before) {
			gone[id] = true
		}
	}
	if len(gone) == 0 {
		return 0, nil
	}
	left := make(map[string]keptLetter, len(order)-len(gone))
	fresh, err := rewrite(filepath.Join(f.dir, deadName), func(w io.Writer) error {
		size := int64(0)
		for _, id := range order {
			if gone[id] {
				continue
			}
			kept := f.letters[id]
			doc, err := f.dead.read(kept.span)
			if err != nil {
				return err
			}
			if _, err := w.Write(append(doc, '\n')); err != nil {
				return err
			}
			left[id] = keptLetter{span{size, len(doc)}, kept.receivedAt}
			size += int64(len(doc)) + 1
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("ledger: trim dead letters: %w", err)
	}
	_ = f.dead.file.Close()
	f.dead, f.letters = fresh, left
	return len(gone), nil
}
