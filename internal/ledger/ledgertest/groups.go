package ledgertest

import (
	"errors"
	"testing"

	"trimtab/internal/scale"
)

// groups: a partition that has no control row, in which each pool of a group writes a row of its own.
func groups(t *testing.T, l Ledger) {
	key := scale.GroupKey("west")
	row := func(pool, data, version string) scale.Commit {
		return scale.Commit{Windows: []scale.StoredWindow{{Source: pool, Data: []byte(data), Version: version}}}
	}
	commit(t, l, key, row("web", "web 1", ""))
	commit(t, l, key, row("batch", "batch 1", ""))
	got := load(t, l, key)
	if got.ControlVersion != "" || len(got.Windows) != 2 || got.Windows[0].Source != "batch" || got.Windows[1].Source != "web" {
		t.Fatalf("got %+v", got)
	}
	// Each is replaced by its own version, whatever the other did since.
	commit(t, l, key, row("batch", "batch 2", got.Windows[0].Version))
	commit(t, l, key, row("web", "web 2", got.Windows[1].Version))
	stale := row("web", "web 3", got.Windows[1].Version)
	stale.Attempt = "stale"
	if err := l.Commit(t.Context(), key, stale); !errors.Is(err, scale.ErrConflict) {
		t.Errorf("a stale row: %v, want a conflict", err)
	}
	got = load(t, l, key)
	if string(got.Windows[0].Data) != "batch 2" || string(got.Windows[1].Data) != "web 2" {
		t.Errorf("got %+v", got)
	}
	if names, err := l.Pools(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("pools: %v, %v", names, err)
	}
}
