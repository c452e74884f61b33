package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"trimtab/internal/scale"
)

func missing(t *testing.T, l Ledger) {
	same(t, "stored", load(t, l, "web"), scale.Stored{})
	same(t, "entries", entries(t, l, "web", time.Time{}, 10), []scale.Entry(nil))
	if n, err := l.Trim(t.Context(), "web", Noon, 10); n != 0 || err != nil {
		t.Errorf("trim: %d, %v", n, err)
	}
	if names, err := l.Pools(t.Context()); len(names) != 0 || err != nil {
		t.Errorf("pools: %v, %v", names, err)
	}
}

func roundTrip(t *testing.T, l Ledger) {
	control, entry := Control(Noon, 4), Entry("web", Noon, 1)
	commit(t, l, "web", scale.Commit{
		Attempt: "a1", Control: control, Entry: entry,
		Windows: []scale.StoredWindow{{Source: "ns/hub/1", Data: []byte{0, 255, 1}}, {Source: "ns/hub.x/0", Data: nil}},
	})
	got := load(t, l, "web")
	want := *Control(Noon, 4)
	want.Attempt = "a1"
	same(t, "control", got.Control, want)
	same(t, "entry", entries(t, l, "web", time.Time{}, 10), []scale.Entry{*Entry("web", Noon, 1)})
	if got.ControlVersion == "" || len(got.Windows) != 2 || got.Windows[0].Version == "" || got.Windows[1].Version == "" {
		t.Fatalf("versions or windows are missing: %+v", got)
	}
	// In the order of their sources, whatever keys they have.
	if got.Windows[0].Source != "ns/hub.x/0" || got.Windows[1].Source != "ns/hub/1" {
		t.Errorf("sources %s, %s", got.Windows[0].Source, got.Windows[1].Source)
	}
	if !bytes.Equal(got.Windows[1].Data, []byte{0, 255, 1}) || len(got.Windows[0].Data) != 0 {
		t.Errorf("data %v, %v", got.Windows[1].Data, got.Windows[0].Data)
	}
	same(t, "read again", load(t, l, "web"), got)
	names, err := l.Pools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "pools", names, []string{"web"})
}

func isolation(t *testing.T, l Ledger) {
	control, entry := Control(Noon, 4), Entry("web", Noon, 1)
	data := []byte("data")
	commit(t, l, "web", scale.Commit{
		Attempt: "a1", Control: control, Entry: entry, Windows: []scale.StoredWindow{{Source: "s", Data: data}},
	})
	spoil := func(c *scale.Control, d []byte, e *scale.Entry) {
		c.Intent.To.Mix.Base, c.Memory.Intended.Instances, d[0] = 99, 99, 'X'
		e.View.Labels["owner"], e.View.Settings[2], e.Decision.To.Mix.Base = "nobody", 'X', 99
		e.Proposal.Reasons[0].Numbers["target"] = 99
	}
	spoil(control, data, entry)
	for range 2 {
		got, read := load(t, l, "web"), entries(t, l, "web", time.Time{}, 1)
		want := *Control(Noon, 4)
		want.Attempt = "a1"
		same(t, "control", got.Control, want)
		same(t, "entry", read, []scale.Entry{*Entry("web", Noon, 1)})
		if len(got.Windows) != 1 || string(got.Windows[0].Data) != "data" {
			t.Fatalf("windows %+v", got.Windows)
		}
		spoil(&got.Control, got.Windows[0].Data, &read[0])
	}
}

func controlConflicts(t *testing.T, l Ledger) {
	conflict(t, l, "web", "a version of a row that is not there", scale.Commit{Control: Control(Noon, 1), ControlVersion: staleVersion})
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 1)})
	first := load(t, l, "web").ControlVersion
	conflict(t, l, "web", "no version of a row that is there", scale.Commit{Control: Control(Noon, 2)})
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 3), ControlVersion: first})
	second := load(t, l, "web")
	if second.ControlVersion == first {
		t.Errorf("the version %s stayed over a write", first)
	}
	conflict(t, l, "web", "an old version", scale.Commit{Control: Control(Noon, 4), ControlVersion: first})
	if got := load(t, l, "web"); got.ControlVersion != second.ControlVersion || got.Control.Facts.Capacity != 3 {
		t.Errorf("a refused write changed the row: %+v", got.Control)
	}
}

// staleVersion has the form that every ledger's service accepts, and no row has it.
const staleVersion = `W/"datetime'2001-01-01T00%3A00%3A00.0000000Z'"`

func windowConflicts(t *testing.T, l Ledger) {
	window := func(source, version string) []scale.StoredWindow {
		return []scale.StoredWindow{{Source: source, Data: []byte(source), Version: version}}
	}
	conflict(t, l, "web", "a version of a window that is not there", scale.Commit{Windows: window("p0", staleVersion)})
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 1), Windows: window("p0", "")})
	commit(t, l, "web", scale.Commit{Windows: window("p1", "")})
	conflict(t, l, "web", "no version of a window that is there", scale.Commit{Windows: window("p1", "")})
	before := load(t, l, "web")
	commit(t, l, "web", scale.Commit{Windows: window("p0", before.Windows[0].Version)})
	// One partition's window and the control row keep their versions when another's is written.
	after := load(t, l, "web")
	if after.ControlVersion != before.ControlVersion || after.Windows[1].Version != before.Windows[1].Version {
		t.Errorf("a write to one window changed the versions of others: %+v, %+v", before, after)
	}
	conflict(t, l, "web", "an old version", scale.Commit{Windows: window("p0", before.Windows[0].Version)})
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 2), ControlVersion: before.ControlVersion})
	commit(t, l, "web", scale.Commit{Windows: window("p1", before.Windows[1].Version)})
}

func atomic(t *testing.T, l Ledger) {
	old := Entry("web", Noon.Add(-time.Minute), 1)
	commit(t, l, "web", scale.Commit{
		Control: Control(Noon, 1), Entry: old, Windows: []scale.StoredWindow{{Source: "p0", Data: []byte("0")}, {Source: "p1", Data: []byte("1")}},
	})
	before := load(t, l, "web")
	whole := func() scale.Commit {
		return scale.Commit{
			Control: Control(Noon, 2), ControlVersion: before.ControlVersion,
			Windows: []scale.StoredWindow{
				{Source: "p0", Data: []byte("X"), Version: before.Windows[0].Version},
				{Source: "p1", Data: []byte("X"), Version: before.Windows[1].Version},
				{Source: "p2", Data: []byte("X")},
			},
			Entry: Entry("web", Noon, 2), Outcome: Outcome(old.Key, Noon),
		}
	}
	for _, spoil := range []struct {
		name string
		do   func(c *scale.Commit)
	}{
		{"a stale control row", func(c *scale.Commit) { c.ControlVersion = staleVersion }},
		{"a stale first window", func(c *scale.Commit) { c.Windows[0].Version = staleVersion }},
		{"a stale second window", func(c *scale.Commit) { c.Windows[1].Version = staleVersion }},
		{"a window that should be there", func(c *scale.Commit) { c.Windows[2].Version = staleVersion }},
		{"a window that should not be there", func(c *scale.Commit) { c.Windows[1].Version = "" }},
	} {
		c := whole()
		spoil.do(&c)
		conflict(t, l, "web", spoil.name, c)
		same(t, spoil.name+": rows", load(t, l, "web"), before)
		same(t, spoil.name+": journal", entries(t, l, "web", time.Time{}, 9), []scale.Entry{*old})
	}
	commit(t, l, "web", whole())
	if got := entries(t, l, "web", time.Time{}, 9); len(got) != 2 || got[1].Outcome == nil {
		t.Errorf("the good commit did not store everything: %+v", got)
	}
}

func creation(t *testing.T, l Ledger) {
	const rounds, writers = 5, 8
	for round := range rounds {
		pool := fmt.Sprintf("pool%d", round)
		var group sync.WaitGroup
		var mu sync.Mutex
		var winners []int
		for n := range writers {
			group.Go(func() {
				err := l.Commit(t.Context(), pool, scale.Commit{
					Attempt: attempt(), Control: Control(Noon, n), Entry: Entry(pool, Noon, n),
				})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					winners = append(winners, n)
				} else if !errors.Is(err, scale.ErrConflict) {
					t.Errorf("writer %d: %v", n, err)
				}
			})
		}
		group.Wait()
		if len(winners) != 1 {
			t.Fatalf("%d of %d writers created the pool", len(winners), writers)
		}
		if got := load(t, l, pool).Control.Facts.Capacity; got != winners[0] {
			t.Errorf("writer %d won, the row is of %d", winners[0], got)
		}
		if got := entries(t, l, pool, time.Time{}, 99); len(got) != 1 || got[0].Key != Key(Noon, winners[0]) {
			t.Errorf("the journal has %d entries, want the winner's alone", len(got))
		}
	}
}

func counting(t *testing.T, l Ledger) {
	const writers, counts = 8, 15
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 0)})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := 0; i < counts; {
				s, err := l.Load(t.Context(), "web")
				if err != nil {
					t.Errorf("load: %v", err)
					return
				}
				n := s.Control.Facts.Capacity + 1
				err = l.Commit(t.Context(), "web", scale.Commit{
					Attempt: attempt(), Control: Control(Noon, n), ControlVersion: s.ControlVersion,
					Entry: Entry("web", Noon.Add(time.Duration(n)*time.Second), w*counts+i),
				})
				switch {
				case err == nil:
					i++
				case !errors.Is(err, scale.ErrConflict):
					t.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
	if got := load(t, l, "web").Control.Facts.Capacity; got != writers*counts {
		t.Errorf("counted to %d, want %d", got, writers*counts)
	}
	if got := len(entries(t, l, "web", time.Time{}, 9999)); got != writers*counts {
		t.Errorf("%d entries, want %d", got, writers*counts)
	}
}

func repeated(t *testing.T, l Ledger) {
	first := scale.Commit{
		Attempt: "first o'clock", Control: Control(Noon, 1), Entry: Entry("web", Noon, 1),
		Windows: []scale.StoredWindow{{Source: "p0", Data: []byte("0")}},
	}
	for range 3 {
		commit(t, l, "web", first)
	}
	stored := load(t, l, "web")
	// Of each kind of row alone, the attempt is known again.
	control := scale.Commit{Attempt: "control", Control: Control(Noon, 2), ControlVersion: stored.ControlVersion}
	window := scale.Commit{Attempt: "window", Windows: []scale.StoredWindow{{Source: "p0", Version: stored.Windows[0].Version}}}
	for range 2 {
		commit(t, l, "web", control)
		commit(t, l, "web", window)
	}
	// All of the first commit's rows but its entry belong to others by now.
	commit(t, l, "web", first)
	got := load(t, l, "web")
	if got.Control.Facts.Capacity != 2 || len(got.Windows[0].Data) != 0 {
		t.Errorf("a repeated commit overwrote what came after it: %+v", got)
	}
	first.Attempt = "another"
	if err := l.Commit(t.Context(), "web", first); !errors.Is(err, scale.ErrConflict) {
		t.Errorf("the same commit by another: got %v, want a conflict", err)
	}
	// An outcome's attempt counts too, where nothing else of the commit is left.
	closing := scale.Commit{
		Attempt: "closing", Control: Control(Noon, 3), ControlVersion: got.ControlVersion, Outcome: Outcome(first.Entry.Key, Noon),
	}
	commit(t, l, "web", closing)
	commit(t, l, "web", scale.Commit{Control: Control(Noon, 4), ControlVersion: load(t, l, "web").ControlVersion})
	commit(t, l, "web", closing)
}

func large(t *testing.T, l Ledger) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	entry, control := Entry("web", Noon, 1), Control(Noon, 1)
	entry.View.Settings = fmt.Appendf(nil, `{"noise":"%x𝄞"}`, noise(300<<10))
	control.FactsProblem = strings.Repeat("𝄞 Größe ", 20_000)
	windows := []scale.StoredWindow{
		{Source: "p0", Data: noise(500 << 10)}, {Source: "p1", Data: noise(700 << 10)}, {Source: "p2", Data: noise(64 << 10)},
	}
	commit(t, l, "web", scale.Commit{Attempt: "a", Control: control, Windows: windows, Entry: entry})
	got := load(t, l, "web")
	for i, w := range windows {
		if !bytes.Equal(got.Windows[i].Data, w.Data) {
			t.Errorf("window %s of %d bytes came back as %d others", w.Source, len(w.Data), len(got.Windows[i].Data))
		}
	}
	if got.Control.FactsProblem != control.FactsProblem {
		t.Errorf("text of %d bytes came back as %d others", len(control.FactsProblem), len(got.Control.FactsProblem))
	}
	read := entries(t, l, "web", time.Time{}, 1)
	if len(read) != 1 || !bytes.Equal(read[0].View.Settings, entry.View.Settings) {
		t.Error("a large entry did not come back whole")
	}
	// A large window takes the place of another, and a smaller one leaves nothing of it.
	other := noise(700 << 10)
	commit(t, l, "web", scale.Commit{Windows: []scale.StoredWindow{{Source: "p1", Data: other, Version: got.Windows[1].Version}}})
	got = load(t, l, "web")
	if !bytes.Equal(got.Windows[1].Data, other) {
		t.Error("a large window did not replace another")
	}
	commit(t, l, "web", scale.Commit{
		Windows: []scale.StoredWindow{{Source: "p1", Data: []byte("small"), Version: got.Windows[1].Version}},
		Entry:   Entry("web", Noon, 1),
	})
	if w := load(t, l, "web").Windows[1]; string(w.Data) != "small" {
		t.Errorf("the smaller window has %d bytes", len(w.Data))
	}
	same(t, "smaller entry", entries(t, l, "web", time.Time{}, 1), []scale.Entry{*Entry("web", Noon, 1)})
}

func names(t *testing.T, l Ledger) {
	pools := []string{"web", "we", "web2", "Web", "web/1", "web~2f1", "web.1", "w'eb", "größe", "a b%20?#\\", "-", "."}
	for i, pool := range pools {
		commit(t, l, pool, scale.Commit{
			Control: Control(Noon, i), Entry: Entry(pool, Noon, i), Windows: []scale.StoredWindow{{Source: pool, Data: []byte(pool)}},
		})
	}
	for i, pool := range pools {
		got := load(t, l, pool)
		if got.Control.Facts.Capacity != i || len(got.Windows) != 1 || got.Windows[0].Source != pool {
			t.Errorf("pool %q has another's rows: %+v", pool, got)
		}
		if read := entries(t, l, pool, time.Time{}, 9); len(read) != 1 || read[0].Pool != pool {
			t.Errorf("pool %q has another's entries", pool)
		}
	}
	listed, err := l.Pools(t.Context())
	if err != nil || len(listed) != len(pools) {
		t.Errorf("pools: %q, %v", listed, err)
	}
}

func refusals(t *testing.T, l Ledger) {
	for name, c := range map[string]scale.Commit{
		"no attempt":                     {Control: Control(Noon, 1)},
		"a control row of no version":    {Attempt: "a", Control: &scale.Control{}},
		"a control row of a newer one":   {Attempt: "a", Control: &scale.Control{Version: scale.ControlVersion + 1}},
		"a window of no source":          {Attempt: "a", Windows: []scale.StoredWindow{{}}},
		"two windows of one source":      {Attempt: "a", Windows: []scale.StoredWindow{{Source: "p"}, {Source: "p"}}},
		"a window larger than a row":     {Attempt: "a", Windows: []scale.StoredWindow{{Source: "p", Data: make([]byte, 1<<20)}}},
		"an entry of another pool":       {Attempt: "a", Entry: Entry("api", Noon, 1)},
		"an entry without a key":         {Attempt: "a", Entry: &scale.Entry{Version: scale.EntryVersion, Pool: "web", At: Noon}},
		"an outcome of no entry":         {Attempt: "a", Outcome: &scale.Outcome{}},
		"an outcome of an odd entry key": {Attempt: "a", Outcome: Outcome(Key(Noon, 1)+"/", Noon)},
	} {
		if err := l.Commit(t.Context(), "web", c); err == nil || errors.Is(err, scale.ErrConflict) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	misplaced := Entry("web", Noon, 1)
	misplaced.At = Noon.Add(time.Second)
	if err := l.Commit(t.Context(), "web", scale.Commit{Attempt: "a", Entry: misplaced}); err == nil {
		t.Error("an entry whose key does not sort by its time was taken")
	}
	if err := l.Commit(t.Context(), "", scale.Commit{Attempt: "a", Control: Control(Noon, 1)}); err == nil {
		t.Error("a commit to a pool without a name was taken")
	}
	if _, err := l.Load(t.Context(), ""); err == nil {
		t.Error("a pool without a name was loaded")
	}
	same(t, "rows", load(t, l, "web"), scale.Stored{})
}

func cancelled(t *testing.T, l Ledger) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Commit(ctx, "web", scale.Commit{Attempt: "a", Control: Control(Noon, 1)}); err == nil || errors.Is(err, scale.ErrConflict) {
		t.Errorf("commit: got %v, want the context's error", err)
	}
	if _, err := l.Load(ctx, "web"); !errors.Is(err, context.Canceled) {
		t.Errorf("load: got %v, want the context's error", err)
	}
	if err := l.Keep(ctx, []scale.DeadLetter{{Body: []byte("x")}}); err == nil {
		t.Error("keep: got nil, want the context's error")
	}
	same(t, "rows", load(t, l, "web"), scale.Stored{})
}
