package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"trimtab/internal/scale"
)

// The files of a folder.
const (
	lockName    = "lock"
	stateName   = "state.jsonl"
	journalName = "journal.jsonl"
	deadName    = "deadletters.jsonl"
)

// compactMin is the least size at which state.jsonl is written anew.
const compactMin = 32 << 20

// OpenFile opens the ledger in a folder, which is made if it is missing, for the only process that may write to it.
func OpenFile(dir string) (*File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("ledger: make %s: %w", dir, err)
	}
	unlock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("ledger: open %s for writing: %w", dir, err)
	}
	f, err := open(dir, true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: open %s: %w", dir, err), unlock())
	}
	f.unlock = unlock
	return f, nil
}

// OpenFileReader opens the ledger in a folder for reading, beside the process that writes to it. It sees what was
// committed when it was opened; the methods that write refuse.
func OpenFileReader(dir string) (*File, error) {
	f, err := open(dir, false)
	if err != nil {
		return nil, fmt.Errorf("ledger: open %s for reading: %w", dir, err)
	}
	return f, nil
}

// Close frees the folder, after what was committed has reached the disk.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	writing := f.unlock != nil
	err := errors.Join(f.state.close(writing), f.journal.close(writing), f.dead.close(writing))
	if writing {
		err = errors.Join(err, f.unlock())
		f.unlock = nil
	}
	if err != nil {
		return fmt.Errorf("ledger: close %s: %w", f.dir, err)
	}
	return nil
}

// open reads the files. The journal counts as far as state.jsonl says, the last line of which is the last commit.
func open(dir string, writable bool) (f *File, err error) {
	f = &File{
		dir: dir, compactAt: compactMin, pools: make(map[string]*filePool), letters: make(map[string]keptLetter),
	}
	committed := int64(0)
	f.state, err = openLines(filepath.Join(dir, stateName), writable, -1, func(_ span, doc []byte) error {
		var line stateLine
		if err := json.Unmarshal(doc, &line); err != nil {
			return err
		}
		committed = line.Journal
		return f.restore(&line)
	})
	if err != nil {
		return nil, err
	}
	state := f.state.file
	defer func() {
		if err != nil {
			_ = state.Close()
		}
	}()
	f.journal, err = openLines(filepath.Join(dir, journalName), writable, committed, f.index)
	if err != nil {
		return nil, err
	}
	f.dead, err = openLines(filepath.Join(dir, deadName), writable, -1, func(at span, doc []byte) error {
		var line letterLine
		if err := json.Unmarshal(doc, &line); err != nil {
			return err
		}
		l := line.letter()
		partition, key := letterKeys(&l)
		f.letters[partition+"/"+key] = keptLetter{at, l.ReceivedAt}
		return nil
	})
	if err == nil && writable && f.journal.size < committed {
		// A trim was cut short: see Trim.
		err = f.mark()
	}
	if err != nil {
		_ = f.journal.file.Close()
		return nil, err
	}
	return f, nil
}

// pool is a pool by name, made if it is missing.
func (f *File) pool(name string) *filePool {
	p := f.pools[name]
	if p == nil {
		p = &filePool{}
		f.pools[name] = p
	}
	return p
}

// restore puts the rows of a line back.
func (f *File) restore(line *stateLine) error {
	f.serial = line.Serial
	if line.Pool == "" {
		return nil
	}
	r := &f.pool(line.Pool).rowset
	if line.Control != nil {
		if err := checkVersion("control row of "+line.Pool, int64(line.Control.Version), scale.ControlVersion); err != nil {
			return err
		}
		r.apply(&scale.Commit{Attempt: line.Attempt, Control: line.Control}, line.Version)
	}
	for _, w := range line.Windows {
		r.apply(&scale.Commit{
			Attempt: w.Attempt, Windows: []scale.StoredWindow{{Source: w.Source, Data: w.Data}},
		}, w.Version)
	}
	return nil
}

// index remembers where an entry lies and how it ended.
func (f *File) index(at span, doc []byte) error {
	var line struct {
		Version int            `json:"version"`
		Key     string         `json:"key"`
		Pool    string         `json:"pool"`
		Outcome *scale.Outcome `json:"outcome"`
		Attempt string         `json:"attempt"`
	}
	if err := json.Unmarshal(doc, &line); err != nil {
		return err
	}
	key := line.Key
	if key == "" && line.Outcome != nil {
		key = line.Outcome.Entry
	}
	if err := checkKey(key); err != nil {
		return err
	}
	r := f.pool(line.Pool).journal.at(key)
	if line.Key != "" {
		if err := checkVersion("entry "+key, int64(line.Version), scale.EntryVersion); err != nil {
			return err
		}
		r.entry, r.has, r.attempt = at, true, line.Attempt
	}
	if line.Outcome != nil {
		r.outcome, r.outcomeAttempt = line.Outcome, line.Attempt
	}
	return nil
}
