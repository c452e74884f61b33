package ledger_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

// openFile opens the ledger in a folder until the test ends.
func openFile(t *testing.T, dir string) *ledger.File {
	t.Helper()
	f, err := ledger.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// shut closes a ledger in the middle of a test.
func shut(t *testing.T, f *ledger.File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFileKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Ledger { return openFile(t, t.TempDir()) })
}

// reopening is a ledger that is closed and opened again before every call: what the contract promises, it promises over
// restarts.
type reopening struct {
	*ledger.File
	t   *testing.T
	dir string
}

func (r *reopening) again() {
	shut(r.t, r.File)
	r.File = openFile(r.t, r.dir)
}

// snapshot is all that can be read of a ledger.
func snapshot(t *testing.T, l ledgertest.Ledger) (all []any) {
	t.Helper()
	names, err := l.Pools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, pool := range names {
		stored, err := l.Load(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := l.Entries(t.Context(), pool, time.Time{}, 9999)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pool, stored, entries)
	}
	letters, err := l.DeadLetters(t.Context(), 9999)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, letters)
}

// fill commits a little history: control row, windows, entries, an outcome, a dead letter.
func fill(t *testing.T, l ledgertest.Ledger, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		for _, pool := range []string{"web", "api"} {
			stored, err := l.Load(t.Context(), pool)
			if err != nil {
				t.Fatal(err)
			}
			at := ledgertest.Noon.Add(time.Duration(i) * time.Minute)
			c := scale.Commit{
				Attempt: fmt.Sprint(pool, i), Control: ledgertest.Control(at, i), ControlVersion: stored.ControlVersion,
				Entry: ledgertest.Entry(pool, at, i),
			}
			window := scale.StoredWindow{Source: fmt.Sprint("ns/hub/", i%2), Data: fmt.Append(nil, "data", i)}
			for _, w := range stored.Windows {
				if w.Source == window.Source {
					window.Version = w.Version
				}
			}
			c.Windows = []scale.StoredWindow{window}
			if i%3 == 2 {
				c.Outcome = ledgertest.Outcome(ledgertest.Key(at.Add(-time.Minute), i-1), at)
			}
			if err := l.Commit(t.Context(), pool, c); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Keep(t.Context(), []scale.DeadLetter{{
			Source: scale.Source{Hub: "ns/hub", Partition: "0", Sequence: int64(i), Known: true}, Body: []byte("<text>"),
		}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileRemembersOverRestarts(t *testing.T) {
	r := &reopening{t: t, dir: t.TempDir()}
	r.File = openFile(t, r.dir)
	fill(t, r, 0, 7)
	before := snapshot(t, r)
	r.again()
	if d := cmp.Diff(before, snapshot(t, r), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("after a restart (-before +after):\n%s", d)
	}
	// The own attempt is known after a restart too.
	if err := r.Commit(t.Context(), "web", scale.Commit{Attempt: "web6", Control: ledgertest.Control(ledgertest.Noon, 1)}); err != nil {
		t.Errorf("a commit that was stored before the restart: %v", err)
	}
	if n, err := r.Trim(t.Context(), "web", ledgertest.Noon.Add(3*time.Minute), 99); n != 3 || err != nil {
		t.Fatalf("trim: %d, %v", n, err)
	}
	fill(t, r, 7, 3)
	before = snapshot(t, r)
	r.again()
	if d := cmp.Diff(before, snapshot(t, r), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("after trimming and a restart (-before +after):\n%s", d)
	}
}

func TestFileStoresACommitWholeOrNotAtAllWhereverItIsCut(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	fill(t, f, 0, 3)
	size := func(name string) int64 {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	stateBefore, journalBefore := size("state.jsonl"), size("journal.jsonl")
	before := snapshot(t, f)
	stored, err := f.Load(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	at := ledgertest.Noon.Add(time.Hour)
	if err := f.Commit(t.Context(), "web", scale.Commit{
		Attempt: "last", Control: ledgertest.Control(at, 50), ControlVersion: stored.ControlVersion, Entry: ledgertest.Entry("web", at, 50),
	}); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, f)
	stateAfter, journalAfter := size("state.jsonl"), size("journal.jsonl")
	shut(t, f)
	state, journal := read(t, dir, "state.jsonl"), read(t, dir, "journal.jsonl")

	// The journal is written first, so it may be whole or torn while the state has nothing, and whole while it is torn.
	for _, cut := range []struct {
		state, journal int64
		want           []any
	}{
		{stateBefore, journalBefore, before},
		{stateBefore, journalBefore + 1, before},
		{stateBefore, journalAfter - 1, before},
		{stateBefore, journalAfter, before},
		{stateBefore + 1, journalAfter, before},
		{(stateBefore + stateAfter) / 2, journalAfter, before},
		{stateAfter - 1, journalAfter, before},
		{stateAfter, journalAfter, after},
	} {
		dir := t.TempDir()
		write(t, dir, "state.jsonl", state[:cut.state])
		write(t, dir, "journal.jsonl", journal[:cut.journal])
		write(t, dir, "deadletters.jsonl", []byte("{torn"))
		reader, err := ledger.OpenFileReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		f := openFile(t, dir)
		for name, l := range map[string]*ledger.File{"writer": f, "reader": reader} {
			got, want := snapshot(t, l), cut.want
			if d := cmp.Diff(want[:len(want)-1], got[:len(got)-1], cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s, cut at %d and %d (-want +got):\n%s", name, cut.state-stateBefore, cut.journal-journalBefore, d)
			}
		}
		shut(t, reader)
		fill(t, f, 90, 1)
		grown := snapshot(t, f)
		shut(t, f)
		if d := cmp.Diff(grown, snapshot(t, openFile(t, dir)), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("written after a cut at %d and %d (-before +after):\n%s", cut.state-stateBefore, cut.journal-journalBefore, d)
		}
	}
}

// read and write are files of a folder; one that is not there is empty.
func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFileFindsTheLettersThatATrimLeft(t *testing.T) {
	dir := t.TempDir()
	f, err := ledger.OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if err := f.Keep(t.Context(), []scale.DeadLetter{{
			Source:     scale.Source{Hub: "ns/hub", Partition: "0", Sequence: int64(i % 4), Known: true},
			ReceivedAt: ledgertest.Noon.Add(time.Duration(i) * time.Minute), Body: fmt.Appendf(nil, "body %d", i),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	// Letters 0 and 1 were kept again as 4 and 5.
	if n, err := f.TrimLetters(t.Context(), ledgertest.Noon.Add(3*time.Minute), 99); n != 1 || err != nil {
		t.Fatalf("trimmed %d, %v", n, err)
	}
	if err := f.Keep(t.Context(), []scale.DeadLetter{{ReceivedAt: ledgertest.Noon, Body: []byte("later")}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.OpenFileReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	letters, err := r.DeadLetters(t.Context(), 9)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, l := range letters {
		bodies = append(bodies, string(l.Body))
	}
	if got := strings.Join(bodies, ", "); got != "body 5, body 4, body 3, later" {
		t.Errorf("left: %s", got)
	}
}

func TestFileTakesAJournalThatATrimLeftShorter(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	fill(t, f, 0, 5)
	state := read(t, dir, "state.jsonl")
	if _, err := f.Trim(t.Context(), "web", ledgertest.Noon.Add(2*time.Minute), 99); err != nil {
		t.Fatal(err)
	}
	want := snapshot(t, f)
	shut(t, f)
	// As if the process had died between the new journal and the line that tells its length.
	write(t, dir, "state.jsonl", state)
	f = openFile(t, dir)
	if d := cmp.Diff(want, snapshot(t, f), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	shut(t, f)
	// What comes to the journal now without coming to commit must not count on the next start.
	journal := read(t, dir, "journal.jsonl")
	stray, err := json.Marshal(ledgertest.Entry("web", ledgertest.Noon.Add(time.Hour), 1))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "journal.jsonl", append(append(journal, stray...), '\n'))
	if d := cmp.Diff(want, snapshot(t, openFile(t, dir)), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("with a stray line (-want +got):\n%s", d)
	}
}

func TestFileIsWrittenByOneAndReadByOthers(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	fill(t, f, 0, 2)
	if second, err := ledger.OpenFile(dir); err == nil {
		_ = second.Close()
		t.Fatal("a second writer was let in")
	}
	reader, err := ledger.OpenFileReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(snapshot(t, f), snapshot(t, reader), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("the reader sees something else (-writer +reader):\n%s", d)
	}
	for name, err := range map[string]error{
		"commit": reader.Commit(t.Context(), "web", scale.Commit{Attempt: "a", Entry: ledgertest.Entry("web", ledgertest.Noon, 9)}),
		"keep":   reader.Keep(t.Context(), []scale.DeadLetter{{Body: []byte("x")}}),
	} {
		if err == nil {
			t.Errorf("%s: the reader wrote", name)
		}
	}
	if _, err := reader.TrimLetters(t.Context(), ledgertest.Noon.Add(time.Hour), 9); err == nil {
		t.Error("a reader trims dead letters")
	}
	if _, err := reader.Trim(t.Context(), "web", ledgertest.Noon.Add(time.Hour), 9); err == nil {
		t.Error("trim: the reader wrote")
	}
	shut(t, reader)
	if _, err := ledger.OpenFileReader(t.TempDir()); err == nil {
		t.Error("an empty folder was opened for reading")
	}
}

func TestFileRefusesWhatIsDamagedOrNewer(t *testing.T) {
	for name, c := range map[string]struct{ file, text string }{
		"a damaged line in the middle": {"state.jsonl", "{\"serial\":1\n{\"serial\":2}\n"},
		"a newer control row":          {"state.jsonl", `{"serial":1,"pool":"web","version":"1","attempt":"a","control":{"version":99},"journal":0}` + "\n"},
	} {
		dir := t.TempDir()
		write(t, dir, c.file, []byte(c.text))
		if f, err := ledger.OpenFile(dir); err == nil {
			_ = f.Close()
			t.Errorf("%s was taken", name)
		}
		if got := string(read(t, dir, c.file)); got != c.text {
			t.Errorf("%s: the file was changed to %q", name, got)
		}
	}
}

func TestFileJournalIsReadByPeople(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	fill(t, f, 0, 3)
	lines := bufio.NewScanner(bytes.NewReader(read(t, dir, "journal.jsonl")))
	var entries, outcomes int
	for lines.Scan() {
		var doc map[string]any
		if err := json.Unmarshal(lines.Bytes(), &doc); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		switch {
		case doc["key"] != nil && doc["decision"] != nil && doc["pool"] != nil:
			entries++
		case doc["outcome"] != nil && doc["pool"] != nil:
			outcomes++
		default:
			t.Errorf("line %q is neither an entry nor an outcome", lines.Text())
		}
	}
	if entries != 6 || outcomes != 2 {
		t.Errorf("%d entries and %d outcomes, want 6 and 2", entries, outcomes)
	}
	if !bytes.Contains(read(t, dir, "deadletters.jsonl"), []byte(`"text":"<text>"`)) {
		t.Error("the body of a dead letter cannot be read")
	}
}

func TestFileForgetsWhatWasReplaced(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	version := ""
	for i := range 45 {
		if err := f.Commit(t.Context(), "web", scale.Commit{
			Attempt: fmt.Sprint(i), Control: ledgertest.Control(ledgertest.Noon, i), ControlVersion: version,
			Windows: []scale.StoredWindow{{Source: "p0", Data: bytes.Repeat([]byte{byte(i)}, 700<<10), Version: version}},
			Entry:   ledgertest.Entry("web", ledgertest.Noon.Add(time.Duration(i)*time.Second), i),
		}); err != nil {
			t.Fatal(err)
		}
		stored, err := f.Load(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		version = stored.ControlVersion
	}
	info, err := os.Stat(filepath.Join(dir, "state.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 33<<20 {
		t.Errorf("45 commits of a megabyte each are kept in %d bytes", info.Size())
	}
	before := snapshot(t, f)
	shut(t, f)
	// A difference between megabytes would take minutes to make.
	if !reflect.DeepEqual(before, snapshot(t, openFile(t, dir))) {
		t.Error("a restart after that changed what is stored")
	}
}

func TestFileForgetsTheEntryOfACommitThatCouldNotBeStored(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir)
	fill(t, f, 0, 1)
	before := snapshot(t, f)
	mend, err := ledger.BreakState(f)
	if err != nil {
		t.Fatal(err)
	}
	lost := ledgertest.Entry("web", ledgertest.Noon.Add(time.Hour), 1)
	if err := f.Commit(t.Context(), "web", scale.Commit{Attempt: "lost", Entry: lost}); err == nil || errors.Is(err, scale.ErrConflict) {
		t.Errorf("commit: %v, want an error that is no conflict", err)
	}
	mend()
	if d := cmp.Diff(before, snapshot(t, f), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("after the failure (-before +after):\n%s", d)
	}
	fill(t, f, 1, 1)
	before = snapshot(t, f)
	shut(t, f)
	if d := cmp.Diff(before, snapshot(t, openFile(t, dir)), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("after a restart (-before +after):\n%s", d)
	}
}

func TestAFileKeepsNoMoreOfADeadLetterThanATable(t *testing.T) {
	l, err := ledger.OpenFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	body := bytes.Repeat([]byte("ab"), 1<<20)
	if err := l.Keep(t.Context(), []scale.DeadLetter{{Source: scale.Source{Hub: "ns/hub", Partition: "0", Known: true}, Body: body}}); err != nil {
		t.Fatal(err)
	}
	letters, err := l.DeadLetters(t.Context(), 2)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d letters, %v", len(letters), err)
	}
	if n := len(letters[0].Body); n == 0 || n > 1<<20 || !bytes.HasPrefix(body, letters[0].Body) {
		t.Errorf("%d bytes of %d were kept, want the first of them, less than a megabyte", n, len(body))
	}
}
