package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"trimtab/internal/scale"
)

func entryAlone(t *testing.T, l Ledger) {
	commit(t, l, "web", scale.Commit{Entry: Entry("web", Noon, 1)})
	commit(t, l, "web", scale.Commit{})
	same(t, "entries", entries(t, l, "web", time.Time{}, 9), []scale.Entry{*Entry("web", Noon, 1)})
	same(t, "rows", load(t, l, "web"), scale.Stored{})
	// A pool is one that has a control row.
	if names, err := l.Pools(t.Context()); len(names) != 0 || err != nil {
		t.Errorf("pools: %v, %v", names, err)
	}
}

// keys of entries, for messages that can be read.
func keys(all []scale.Entry) (out []string) {
	for _, e := range all {
		out = append(out, e.Key)
	}
	return out
}

func paging(t *testing.T, l Ledger) {
	const n = 30
	var want []string
	for i := range n {
		// Not in the order of time, and two at one instant.
		at := Noon.Add(time.Duration((i*7)%n/2) * time.Minute)
		commit(t, l, "web", scale.Commit{Entry: Entry("web", at, i)})
	}
	for at := Noon.Add(n / 2 * time.Minute); !at.Before(Noon); at = at.Add(-time.Minute) {
		for i := range n {
			if at.Equal(Noon.Add(time.Duration((i*7)%n/2) * time.Minute)) {
				want = append(want, Key(at, i))
			}
		}
	}
	commit(t, l, "api", scale.Commit{Entry: Entry("api", Noon, 1)})
	same(t, "all", keys(entries(t, l, "web", time.Time{}, 999)), want)
	same(t, "the newest five", keys(entries(t, l, "web", time.Time{}, 5)), want[:5])
	same(t, "none", keys(entries(t, l, "web", time.Time{}, 0)), []string(nil))
	middle := Noon.Add(9 * time.Minute)
	from := 0
	for from < len(want) && want[from] < Key(middle, 0) {
		from++
	}
	same(t, "at an instant", keys(entries(t, l, "web", middle, 4)), want[from:from+4])
	same(t, "just before an instant", keys(entries(t, l, "web", middle.Add(-1), 4)), want[from+2:from+6])
	same(t, "before all", keys(entries(t, l, "web", Noon.Add(-1), 4)), []string(nil))
	same(t, "far in the future", keys(entries(t, l, "web", time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC), 3)), want[:3])
}

func outcomes(t *testing.T, l Ledger) {
	entry, other := Entry("web", Noon, 1), Entry("web", Noon.Add(time.Second), 2)
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 1), Entry: entry})
	want := *Entry("web", Noon, 1)
	want.Outcome = Outcome(entry.Key, Noon.Add(time.Hour))
	commit(t, l, "web", scale.Commit{
		Control: Control(Noon, 2), ControlVersion: load(t, l, "web").ControlVersion, Entry: other, Outcome: want.Outcome,
	})
	same(t, "joined", entries(t, l, "web", time.Time{}, 9), []scale.Entry{*other, want})
	// The outcome of an entry that was written in the same commit, and one that came with its entry.
	at := Noon.Add(time.Minute)
	own, carried := Entry("web", at, 3), Entry("web", at, 4)
	carried.Outcome = Outcome(carried.Key, at)
	commit(t, l, "web", scale.Commit{Entry: own, Outcome: Outcome(own.Key, at)})
	commit(t, l, "web", scale.Commit{Entry: carried})
	got := entries(t, l, "web", time.Time{}, 2)
	if len(got) != 2 {
		t.Fatalf("%d entries", len(got))
	}
	same(t, "in one commit", got[0].Outcome, Outcome(own.Key, at))
	same(t, "with its entry", got[1].Outcome, Outcome(carried.Key, at))
	// An outcome may not be lost, nor hold up the pool, because its entry was trimmed meanwhile.
	alone := Outcome(Key(Noon.Add(time.Hour), 5), at)
	commit(t, l, "web", scale.Commit{Outcome: alone})
	got = entries(t, l, "web", time.Time{}, 1)
	if len(got) != 1 || got[0].Key != alone.Entry || !got[0].At.Equal(Noon.Add(time.Hour)) || got[0].Pool != "web" {
		t.Fatalf("an outcome without its entry reads as %+v", got)
	}
	same(t, "alone", got[0].Outcome, alone)
}

func rewritten(t *testing.T, l Ledger) {
	entry := Entry("web", Noon, 1)
	commit(t, l, "web", scale.Commit{Entry: entry})
	commit(t, l, "web", scale.Commit{Outcome: Outcome(entry.Key, Noon)})
	again := Entry("web", Noon, 1)
	again.Note = "again"
	commit(t, l, "web", scale.Commit{Entry: again})
	again.Outcome = Outcome(entry.Key, Noon)
	same(t, "entries", entries(t, l, "web", time.Time{}, 9), []scale.Entry{*again})
}

func trimming(t *testing.T, l Ledger) {
	const n = 130
	for i := range n {
		c := scale.Commit{Entry: Entry("web", Noon.Add(time.Duration(i)*time.Minute), i)}
		if i == 0 {
			c.Control, c.Windows = Control(Noon, 1), []scale.StoredWindow{{Source: "p0", Data: []byte("0")}}
		}
		commit(t, l, "web", c)
	}
	commit(t, l, "api", scale.Commit{Entry: Entry("api", Noon, 1)})
	rows := load(t, l, "web")
	trim := func(before time.Time, max, want int) {
		t.Helper()
		if got, err := l.Trim(t.Context(), "web", before, max); got != want || err != nil {
			t.Errorf("trim: %d, %v, want %d", got, err, want)
		}
	}
	trim(Noon, 999, 0)
	trim(time.Time{}, 999, 0)
	trim(Noon.Add(10*time.Minute), 0, 0)
	trim(Noon.Add(10*time.Minute), 4, 4)
	trim(Noon.Add(10*time.Minute), 999, 6)
	trim(Noon.Add(10*time.Minute), 999, 0)
	trim(Noon.Add(125*time.Minute), 999, 115)
	left := entries(t, l, "web", time.Time{}, 999)
	if len(left) != 5 || left[4].Key != Key(Noon.Add(125*time.Minute), 125) {
		t.Errorf("left: %v", keys(left))
	}
	same(t, "rows", load(t, l, "web"), rows)
	if got := entries(t, l, "api", time.Time{}, 9); len(got) != 1 {
		t.Errorf("another pool has %d entries", len(got))
	}
}

// letter is a dead letter of a partition, received so many milliseconds after noon.
func letter(partition string, sequence int64, after int) scale.DeadLetter {
	at := Noon.Truncate(time.Millisecond)
	return scale.DeadLetter{
		Source:     scale.Source{Hub: "ns/hub", Partition: partition, Sequence: sequence, Known: true, EnqueuedAt: at},
		ReceivedAt: at.Add(time.Duration(after) * time.Millisecond),
		Rejections: []scale.Rejection{{Element: 2, Reason: "bad_time", Detail: "T07: 45 'ü'"}},
		Body:       fmt.Appendf(nil, "{\"n\":%d, broken\x00\xff", sequence),

		Application: fmt.Appendf(nil, `{"content-encoding":"gzip","n":%d,"<":"ü"}`, sequence),
	}
}

func letters(t *testing.T, l Ledger, n int) []scale.DeadLetter {
	t.Helper()
	all, err := l.DeadLetters(t.Context(), n)
	if err != nil {
		t.Fatalf("read dead letters: %v", err)
	}
	return all
}

func keep(t *testing.T, l Ledger, all ...scale.DeadLetter) {
	t.Helper()
	if err := l.Keep(t.Context(), all); err != nil {
		t.Fatalf("keep: %v", err)
	}
}

func deadLetters(t *testing.T, l Ledger) {
	same(t, "none yet", letters(t, l, 9), []scale.DeadLetter(nil))
	keep(t, l)
	a, b, c := letter("0", 5, 1), letter("1", 5, 3), letter("0", 4_000_000_000_000, 2)
	unknown := letter("0", 0, 4)
	unknown.Source.Known, unknown.Source.Sequence = false, 0
	other := unknown
	other.Body, other.ReceivedAt = []byte(`{"plain":"text"}`), other.ReceivedAt.Add(time.Millisecond)
	// Twice within a call, and twice over calls.
	for range 2 {
		keep(t, l, a, c, a, unknown, b, other)
	}
	same(t, "kept", letters(t, l, 99), []scale.DeadLetter{other, unknown, b, c, a})
	same(t, "the newest two", letters(t, l, 2), []scale.DeadLetter{other, unknown})
	many := letter("2", 1, 9)
	many.Rejections = nil
	for i := range 500 {
		many.Rejections = append(many.Rejections, scale.Rejection{Element: i, Reason: "bad"})
	}
	keep(t, l, many)
	got := letters(t, l, 1)
	if len(got) != 1 || len(got[0].Rejections) > 100 || got[0].Rejections[0].Element != 0 {
		t.Errorf("500 rejections are kept as %d", len(got[0].Rejections))
	}
	if last := got[0].Rejections[len(got[0].Rejections)-1]; last.Reason != "more" {
		t.Errorf("the last rejection does not say that there were more: %+v", last)
	}
}

func manyDeadLetters(t *testing.T, l Ledger) {
	var all []scale.DeadLetter
	for i := range 250 {
		all = append(all, letter(fmt.Sprint(i%2), int64(i), i))
	}
	keep(t, l, all...)
	got := letters(t, l, 999)
	if len(got) != len(all) {
		t.Fatalf("%d of %d are kept", len(got), len(all))
	}
	same(t, "the newest", got[0], all[len(all)-1])
	keep(t, l, all...)
	if n := len(letters(t, l, 999)); n != len(all) {
		t.Errorf("kept again, there are %d", n)
	}
}

func trimmingLetters(t *testing.T, l Ledger) {
	var all []scale.DeadLetter
	for i := range 250 {
		all = append(all, letter(fmt.Sprint(i%2), int64(i), i*60_000))
	}
	keep(t, l, all...)
	// Kept again, later: the row is the same, and its age is the new one.
	again := letter("0", 0, 249*60_000)
	keep(t, l, again)
	commit(t, l, "web", scale.Commit{Entry: Entry("web", Noon, 1)})
	noon := Noon.Truncate(time.Millisecond)
	trim := func(before time.Time, max, want int) {
		t.Helper()
		if got, err := l.TrimLetters(t.Context(), before, max); got != want || err != nil {
			t.Errorf("trim: %d, %v, want %d", got, err, want)
		}
	}
	trim(time.Time{}, 999, 0)
	trim(noon.Add(time.Minute), 999, 0)
	trim(noon.Add(20*time.Minute), 0, 0)
	trim(noon.Add(20*time.Minute), 4, 4)
	trim(noon.Add(20*time.Minute), 999, 15)
	trim(noon.Add(20*time.Minute), 999, 0)
	trim(noon.Add(245*time.Minute), 999, 225)
	same(t, "left", letters(t, l, 999), []scale.DeadLetter{again, all[249], all[248], all[247], all[246], all[245]})
	keep(t, l, all[1])
	if n := len(letters(t, l, 999)); n != 7 {
		t.Errorf("one more was kept, and there are %d", n)
	}
	if got := entries(t, l, "web", time.Time{}, 9); len(got) != 1 {
		t.Errorf("the journal has %d entries", len(got))
	}
}
