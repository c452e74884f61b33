package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"trimtab/internal/scale"
)

// File is the embedded ledger, for one process without Table storage: control rows and windows in memory, everything in
// a folder. journal.jsonl holds the entries as people read them, one JSON document a line, and a line for each outcome;
// state.jsonl a line for each commit, with control row and windows; deadletters.jsonl the dead letters. A commit writes
// its entries first and counts once its line of state.jsonl is whole, so that a kill at any instruction leaves it
// stored or not. Nothing is forced to the disk before Close: what is committed outlives the process, however it ends,
// but not a loss of power right after. It is safe for concurrent use.
type File struct {
	mu      sync.Mutex
	dir     string
	unlock  func() error
	state   *lines
	journal *lines
	dead    *lines
	serial  int64
	// compactAt is the size of state.jsonl at which it is written anew, without what was replaced.
	compactAt int64
	pools     map[string]*filePool
	letters   map[string]keptLetter
}

// filePool is all of a pool; of an entry, where it lies.
type filePool struct {
	rowset
	journal journal[span]
}

// stateLine is a line of state.jsonl: rows of a pool as they are from here on, and how long the journal then is.
type stateLine struct {
	Serial  int64          `json:"serial"`
	Pool    string         `json:"pool,omitempty"`
	Version string         `json:"version,omitempty"`
	Attempt string         `json:"attempt,omitempty"`
	Control *scale.Control `json:"control,omitempty"`
	Windows []stateWindow  `json:"windows,omitempty"`
	Journal int64          `json:"journal"`
}

// stateWindow is a window within a stateLine.
type stateWindow struct {
	Source  string `json:"source"`
	Version string `json:"version"`
	Attempt string `json:"attempt"`
	Data    []byte `json:"data"`
}

// entryLine is a line of journal.jsonl. A line without a key carries the outcome of an earlier one.
type entryLine struct {
	scale.Entry
	Attempt string `json:"attempt"`
}

// outcomeLine is a line of journal.jsonl for an outcome.
type outcomeLine struct {
	Pool    string         `json:"pool"`
	Outcome *scale.Outcome `json:"outcome"`
	Attempt string         `json:"attempt"`
}

// keptLetter is where a dead letter lies, and when it was received.
type keptLetter struct {
	span
	receivedAt time.Time
}

// letterLine is a line of deadletters.jsonl. The body stands as text where it is text.
type letterLine struct {
	Source     scale.Source      `json:"source"`
	ReceivedAt time.Time         `json:"received_at"`
	Rejections []scale.Rejection `json:"rejections"`
	Text       string            `json:"text,omitempty"`
	Body       []byte            `json:"body,omitempty"`
	Properties json.RawMessage   `json:"properties,omitempty"`
	System     json.RawMessage   `json:"system,omitempty"`
}

var errReadOnly = errors.New("the ledger was opened for reading")

// Load reads a pool's control row and windows.
func (f *File) Load(ctx context.Context, pool string) (scale.Stored, error) {
	if err := ready(ctx, pool); err != nil {
		return scale.Stored{}, fmt.Errorf("ledger: load: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.pools[pool]; p != nil {
		return p.stored(), nil
	}
	return scale.Stored{}, nil
}

// Commit stores all of a commit or none of it.
func (f *File) Commit(ctx context.Context, pool string, c scale.Commit) error {
	if err := check(pool, &c); err != nil {
		return fmt.Errorf("ledger: commit %q: %w", pool, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ledger: commit %s: %w", pool, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unlock == nil {
		return fmt.Errorf("ledger: commit %s: %w", pool, errReadOnly)
	}
	p := f.pools[pool]
	if p == nil {
		p = &filePool{}
	}
	written := notes(&c)
	if !p.fits(&c) {
		if p.wrote(c.Attempt) || slices.ContainsFunc(written, func(n note) bool { return p.journal.wrote(&n, c.Attempt) }) {
			return nil
		}
		return fmt.Errorf("ledger: commit %s: %w", pool, scale.ErrConflict)
	}
	if err := f.write(pool, p, &c, written); err != nil {
		return fmt.Errorf("ledger: commit %s: %w", pool, err)
	}
	f.pools[pool] = p
	return nil
}

// write puts a commit that fits into the files and then into memory.
func (f *File) write(pool string, p *filePool, c *scale.Commit, written []note) error {
	text, spans, err := journalText(pool, c.Attempt, written)
	if err != nil {
		return err
	}
	version := strconv.FormatInt(f.serial+1, 10)
	line := stateLine{
		Serial: f.serial + 1, Pool: pool, Version: version, Attempt: c.Attempt, Control: c.Control,
		Journal: f.journal.size + int64(len(text)),
	}
	for _, w := range c.Windows {
		line.Windows = append(line.Windows, stateWindow{w.Source, version, c.Attempt, w.Data})
	}
	state, err := encode(&line)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	start := f.journal.size
	if err := f.journal.append(text); err != nil {
		return err
	}
	if err := f.state.append(append(state, '\n')); err != nil {
		return errors.Join(err, f.journal.cut(start))
	}
	f.serial++
	p.apply(c, version)
	for i, n := range written {
		r := p.journal.at(n.key)
		if n.entry != nil {
			spans[i].offset += start
			r.entry, r.has, r.attempt = spans[i], true, c.Attempt
		}
		if n.outcome != nil {
			r.outcome, r.outcomeAttempt = n.outcome, c.Attempt
		}
	}
	if f.state.size > f.compactAt && f.compact() != nil {
		// The commit is stored; a longer file is no reason to say otherwise.
		f.compactAt *= 2
	}
	return nil
}

// journalText makes the lines of notes, and where each of them lies within the text.
func journalText(pool, attempt string, written []note) (text []byte, spans []span, err error) {
	for _, n := range written {
		var line any = outcomeLine{pool, n.outcome, attempt}
		if n.entry != nil {
			whole := entryLine{*n.entry, attempt}
			whole.Outcome = n.outcome
			line = whole
		}
		doc, err := encode(line)
		if err != nil {
			return nil, nil, fmt.Errorf("encode entry %s: %w", n.key, err)
		}
		spans = append(spans, span{int64(len(text)), len(doc)})
		text = append(append(text, doc...), '\n')
	}
	return text, spans, nil
}

// Keep stores dead letters by the identity of their events.
func (f *File) Keep(ctx context.Context, letters []scale.DeadLetter) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ledger: keep dead letters: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unlock == nil {
		return fmt.Errorf("ledger: keep dead letters: %w", errReadOnly)
	}
	for i := range letters {
		l := &letters[i]
		line := letterLine{Source: l.Source, ReceivedAt: l.ReceivedAt, Rejections: fewer(l.Rejections), Properties: l.Application, System: l.System}
		// As much of the body as the table keeps: what is larger is nothing that a hub lets through.
		if body := l.Body[:min(len(l.Body), maxBody)]; utf8.Valid(body) {
			line.Text = string(body)
		} else {
			line.Body = body
		}
		doc, err := encode(&line)
		if err == nil {
			at := span{f.dead.size, len(doc)}
			if err = f.dead.append(append(doc, '\n')); err == nil {
				partition, key := letterKeys(l)
				f.letters[partition+"/"+key] = keptLetter{at, l.ReceivedAt}
			}
		}
		if err != nil {
			return fmt.Errorf("ledger: keep dead letters: %w", err)
		}
	}
	return nil
}

// Entries reads up to n entries of a pool, newest first, the first of them no later than before; the zero time means the
// newest. Outcomes are joined.
func (f *File) Entries(ctx context.Context, pool string, before time.Time, n int) ([]scale.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: read entries of %s: %w", pool, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pools[pool]
	if p == nil || n <= 0 {
		return nil, nil
	}
	var entries []scale.Entry
	for _, r := range p.journal.last(before, n) {
		line := entryLine{Entry: orphan(pool, r.key, nil)}
		if r.has {
			doc, err := f.journal.read(r.entry)
			if err == nil {
				line = entryLine{}
				err = json.Unmarshal(doc, &line)
			}
			if err != nil {
				return nil, fmt.Errorf("ledger: read entry %s of %s: %w", r.key, pool, err)
			}
		}
		line.Outcome = clone(r.outcome)
		entries = append(entries, line.Entry)
	}
	return entries, nil
}

// Pools names the pools that have a control row.
func (f *File) Pools(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: list pools: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name, p := range f.pools {
		if p.control != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// DeadLetters reads up to n dead letters, those received last first.
func (f *File) DeadLetters(ctx context.Context, n int) ([]scale.DeadLetter, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: read dead letters: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	letters := make([]scale.DeadLetter, 0, len(f.letters))
	for _, kept := range f.letters {
		doc, err := f.dead.read(kept.span)
		var line letterLine
		if err == nil {
			err = json.Unmarshal(doc, &line)
		}
		if err != nil {
			return nil, fmt.Errorf("ledger: read dead letters: %w", err)
		}
		letters = append(letters, line.letter())
	}
	return newest(letters, max(n, 0)), nil
}

// letter is the dead letter of a line.
func (l *letterLine) letter() scale.DeadLetter {
	if l.Body == nil {
		l.Body = []byte(l.Text)
	}
	return scale.DeadLetter{
		Source: l.Source, ReceivedAt: l.ReceivedAt, Rejections: l.Rejections, Body: l.Body, Application: l.Properties, System: l.System,
	}
}
