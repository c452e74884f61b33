package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trimtab/internal/replay"
	"trimtab/internal/scale"
)

func TestJournalExportsWhatReplayReads(t *testing.T) {
	environ, at := journal(t)
	for _, name := range []string{"journal.jsonl", "journal.jsonl.gz"} {
		file := filepath.Join(t.TempDir(), name)
		code, _, errs := call(t, environ, "journal", "web", "--out", file)
		if code != exitDone || !strings.Contains(errs, "2 entries of 1 pools") {
			t.Fatalf("exit %d: %s", code, errs)
		}
		entries, err := readJournal(t.Context(), nil, file, "web")
		if err != nil || len(entries) != 2 || !entries[0].At.After(entries[1].At) {
			t.Errorf("%s: %d entries, newest first, %v", name, len(entries), err)
		}
	}
	code, out, errs := call(t, environ, "journal", "--out", "-", "--since", at.Add(time.Second).Format(time.RFC3339))
	entries, err := replay.ReadEntries([]byte(out))
	if code != exitDone || err != nil || len(entries) != 1 {
		t.Errorf("exit %d, %d entries, %v: %s", code, len(entries), err, errs)
	}
	for _, c := range []struct {
		note string
		args []string
		says string
	}{
		{"no file", []string{"journal"}, "--out names no file"},
		{"a pool that has none", []string{"journal", "wbe", "--out", "-"}, "these pools have: web"},
		{"no instant", []string{"journal", "--out", "-", "--since", "yesterday"}, "neither an instant nor a duration"},
		{"a folder that is missing", []string{"journal", "--out", "/nowhere/at/all/j.jsonl"}, "/nowhere/at/all"},
	} {
		if code, _, errs := call(t, environ, c.args...); code == exitDone || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit %d, want a failure that says %q: %s", c.note, code, c.says, errs)
		}
	}
	torn := write(t, "torn.jsonl.gz", "\x1f\x8b no more than two bytes of it")
	if _, err := readJournal(t.Context(), nil, torn, "web"); err == nil {
		t.Error("a file that is torn was read")
	}
}

// paged is a ledger with entries of which many are of one instant.
type paged struct {
	reading
	entries []scale.Entry
}

func (p *paged) Entries(_ context.Context, _ string, before time.Time, n int) (out []scale.Entry, err error) {
	for _, e := range p.entries {
		if len(out) < n && (before.IsZero() || !e.At.After(before)) {
			out = append(out, e)
		}
	}
	return out, nil
}

func TestAWalkVisitsEveryEntryOnceWhereverPagesEnd(t *testing.T) {
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for _, same := range []int{1, 3, pageSize, 2*pageSize + 1} {
		l := &paged{}
		for i := range 3*pageSize + 7 {
			l.entries = append(l.entries, scale.Entry{Key: fmt.Sprint(i), At: at.Add(-time.Duration(i/same) * time.Minute)})
		}
		var got []string
		if err := walk(t.Context(), l, "web", time.Time{}, time.Time{}, func(e *scale.Entry) error {
			got = append(got, e.Key)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(l.entries) || !slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) {
			t.Errorf("with %d entries of each instant: %d of %d were visited", same, len(got), len(l.entries))
		}
	}
}
