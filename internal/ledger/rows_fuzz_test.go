package ledger_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

// FuzzReadRow: whatever lies in a row, reading it ends with a document or an error, never with a panic; and a row that no
// version of this program has written is no control row.
func FuzzReadRow(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"version":1,"control":null}`, `{"version":"1","control_00":"AAAA"}`, `{"version":9223372036854775807}`,
		`{"version":1,"control_00":"eJwDAAAAAAE=","control_size":4611686018427387904}`, `{"version":1.5}`, `{"version":-1}`,
		`{"entry_00":5,"entry_size":"x","at":"not a time","outcome_at":"0001-01-01T00:00:00Z"}`,
		`{"body_00":"////","body_size":3,"rejections_00":"[]","sequence":"1e9","known":"yes"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var cells map[string]any
		if json.Unmarshal(doc, &cells) != nil {
			return
		}
		problems := ledger.ReadRow(cells)
		if _, named := cells["version"]; !named && problems[0] == nil {
			t.Error("a row without a version was read as a control row")
		}
	})
}

// FuzzOpenFile: whatever has become of the files of a folder, opening it ends with a ledger or an error; a ledger that
// opens takes another commit and still holds it when it is opened again.
func FuzzOpenFile(f *testing.F) {
	dir := f.TempDir()
	l, err := ledger.OpenFile(dir)
	if err != nil {
		f.Fatal(err)
	}
	e := ledgertest.Entry("web", ledgertest.Noon, 1)
	if err := errors.Join(l.Commit(f.Context(), "web", scale.Commit{
		Attempt: "a", Control: ledgertest.Control(ledgertest.Noon, 1), Entry: e,
		Windows: []scale.StoredWindow{{Source: "ns/hub/0", Data: []byte("w")}}, Outcome: ledgertest.Outcome(e.Key, ledgertest.Noon),
	}), l.Close()); err != nil {
		f.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join(dir, "state.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state, journal)
	f.Add(state[:len(state)/2], journal)
	f.Add(state, journal[:len(journal)/2])
	f.Add(append([]byte("\x00\n"), state...), []byte("{}\n"))
	f.Add([]byte{}, journal)
	f.Fuzz(func(t *testing.T, state, journal []byte) {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "state.jsonl"), state, 0o600),
			os.WriteFile(filepath.Join(dir, "journal.jsonl"), journal, 0o600)); err != nil {
			t.Fatal(err)
		}
		l, err := ledger.OpenFile(dir)
		if err != nil {
			return
		}
		stored, err := l.Load(t.Context(), "fresh")
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		entry := ledgertest.Entry("fresh", ledgertest.Noon.Add(time.Hour), 1)
		if err := l.Commit(t.Context(), "fresh", scale.Commit{
			Attempt: "of the test", Control: ledgertest.Control(ledgertest.Noon, 2), ControlVersion: stored.ControlVersion, Entry: entry,
		}); err != nil {
			_ = l.Close()
			return
		}
		if err := l.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		l, err = ledger.OpenFileReader(dir)
		if err != nil {
			t.Fatalf("what was written cannot be opened again: %v", err)
		}
		defer func() { _ = l.Close() }()
		if again, err := l.Entries(t.Context(), "fresh", time.Time{}, 1); err != nil || len(again) != 1 || again[0].Key != entry.Key {
			t.Fatalf("the entry that was committed reads %+v, %v", again, err)
		}
	})
}
