package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/policy"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// shared is a bundle of two pools that share 80 vCPUs, four for each instance: high goes before low.
func shared(t *testing.T) *policy.Bundle {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(policies.FS, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(p, "pools/") {
			return err
		}
		b, err := fs.ReadFile(policies.FS, p)
		files[p] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, priority := range map[string]int{"high": 10, "low": 1} {
		files["pools/"+name+"/data.json"] = &fstest.MapFile{Data: fmt.Appendf(nil, `{"pool": {
			"scale_set": %q, "orchestration": "flexible", "mode": "enforce", "limits": {"min": 2, "max": 40},
			"signals": {"cpu": {"metric": "Percentage CPU", "window_seconds": 180}},
			"cooldown": {"grow_seconds": 60, "shrink_seconds": 120}, "warm_up_seconds": 60, "stabilisation_seconds": 120,
			"grow_step": {}, "shrink_step": {},
			"groups": {"west": {"priority": %d, "vcpus": 4}}
		}}`, setID+name, priority)}
		files["pools/"+name+"/"+name+".rego"] = &fstest.MapFile{Data: []byte("package pools." + name + `

import data.lib.scale

want contains scale.track("cpu", {"target": 60})

cap contains scale.at_most_group("west", {"vcpus": 80})
`)}
	}
	b, err := policy.Load(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAGroupIsSharedByPriorityAndNeverOverrun(t *testing.T) {
	b := shared(t)
	w := newWorld(t, b.Pools...)
	var engines []*engine.Engine
	for i := range 2 {
		e, err := engine.New(engine.Options{
			Pools: b.Pools, Policy: b, Fleet: fleet{w}, Ledger: memory{w}, Now: w.clock, Writer: fmt.Sprint("w", i),
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, e)
	}
	for minute := range 40 {
		w.advance(time.Minute)
		for n, name := range []string{"high", "low"} {
			// Both would like to have twice what they have.
			if _, err := engines[minute%2].Ingest(t.Context(), w.minutes(name, n, minute*2+1, 2, 120)); err != nil {
				t.Fatal(err)
			}
		}
		high, low := w.sets[setID+"high"].capacity, w.sets[setID+"low"].capacity
		if high+low > 20 {
			t.Fatalf("minute %d: %d and %d instances are more than 80 vCPUs", minute, high, low)
		}
	}
	if high, low := w.sets[setID+"high"].capacity, w.sets[setID+"low"].capacity; high != 18 || low != 2 {
		t.Errorf("got %d and %d, want 18 and 2: the lower priority is cut to its minimum", high, low)
	}
	g := w.entries("low")[0].View.Groups["west"]
	if g.Others != 1 || g.Silent != 0 || g.Each.VCPUs != 4 || g.Present.VCPUs != 72 || g.Above.VCPUs < 72 {
		t.Errorf("got %+v", g)
	}
}

func TestWhatThePlatformNeverGivesAPoolIsKeptFromNoOther(t *testing.T) {
	b := shared(t)
	w := newWorld(t, b.Pools...)
	w.sets[setID+"high"].most = 10
	e, err := engine.New(engine.Options{
		Pools: b.Pools, Policy: b, Fleet: fleet{w}, Ledger: memory{w}, Now: w.clock, Writer: "w", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for minute := range 10 {
		w.advance(time.Minute)
		for n, name := range []string{"high", "low"} {
			if _, err := e.Ingest(t.Context(), w.minutes(name, n, minute*2+1, 2, 120)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if high, low := w.sets[setID+"high"].capacity, w.sets[setID+"low"].capacity; high != 10 || low != 10 {
		t.Errorf("got %d and %d, want 10 and 10: the higher one wants more, and can have no more", high, low)
	}
}

func TestAGroupThatCannotBeReadHoldsTheCount(t *testing.T) {
	b := shared(t)
	w := newWorld(t, b.Pools...)
	e, err := engine.New(engine.Options{
		Pools: b.Pools, Policy: b, Fleet: fleet{w}, Ledger: deaf{memory{w}}, Now: w.clock, Writer: "w",
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for minute := range 5 {
		w.advance(time.Minute)
		if _, err := e.Ingest(t.Context(), w.minutes("high", 0, minute*2+1, 2, 120)); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.sets[setID+"high"].capacity; n != 10 {
		t.Errorf("got %d instances, want the 10 that there were", n)
	}
	if r := w.entries("high")[0].Proposal; !r.Doubt {
		t.Errorf("got %+v, want doubt", r)
	}
}

// deaf is a ledger that knows nothing of groups.
type deaf struct{ memory }

func (d deaf) Load(ctx context.Context, name string) (scale.Stored, error) {
	if strings.HasPrefix(name, "group:") {
		return scale.Stored{}, errors.New("no answer")
	}
	return d.memory.Load(ctx, name)
}
