package engine_test

import (
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

// budgeted is a bundle of two pools in a group, each with an account by the day and the given ceiling.
func budgeted(t *testing.T, ceiling string) *policy.Bundle {
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
			"spending": {"period": "day", "regular": 1},
			"groups": {"team": {"priority": %d, "per_hour": 1}}
		}}`, setID+name, priority)}
		files["pools/"+name+"/"+name+".rego"] = &fstest.MapFile{Data: []byte("package pools." + name + `

import data.lib.scale

load := scale.track("cpu", {"target": 60})

want contains load

cap contains ` + ceiling + "\n")}
	}
	b, err := policy.Load(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each restart of the process begins with nothing but what the ledger holds.
func restarted(t *testing.T, w *world, b *policy.Bundle) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Options{
		Pools: b.Pools, Policy: b, Fleet: fleet{w}, Ledger: memory{w}, Now: w.clock, Writer: "w", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheAccountSurvivesRestartsAndItsRestIsSharedOut(t *testing.T) {
	b := budgeted(t, `scale.at_most_budget(load, {"budget": 500})`)
	w := newWorld(t, b.Pools...)
	var first, last *scale.SpendingView
	for minute := range 40 {
		w.advance(time.Minute)
		if _, err := restarted(t, w, b).Ingest(t.Context(), w.minutes("high", 0, minute*2+1, 2, 240)); err != nil {
			t.Fatal(err)
		}
		s := w.entries("high")[0].View.Spending
		if s == nil || !s.Known || last != nil && s.SpentMicro < last.SpentMicro {
			t.Fatalf("minute %d: %+v after %+v", minute, s, last)
		}
		if last = s; first == nil {
			first = s
		}
	}
	e := w.entries("high")[0]
	// The rest over the hours that are left, at one an hour for an instance.
	allowed := int((500_000_000 - last.SpentMicro) * 3600 / last.RemainingSeconds / 1_000_000)
	if n := w.sets[setID+"high"].capacity; allowed >= 40 || n < allowed-1 || n > allowed+1 {
		t.Errorf("got %d instances, want about the %d that the rest pays for: %+v", n, allowed, last)
	}
	if last.GuessedMicro != first.GuessedMicro || last.SpentMicro-first.SpentMicro < 39*10_000_000/60 {
		t.Errorf("39 watched minutes of ten machines and more added %d, and %d of guesses", last.SpentMicro-first.SpentMicro, last.GuessedMicro-first.GuessedMicro)
	}
	if a := e.View.Memory.Account; a == nil || a.Spent == nil || a.Spent.RateMicro != int64(w.sets[setID+"high"].capacity)*1_000_000 {
		t.Errorf("got %+v", a)
	}
}

func TestAGroupSharesOutOneBudget(t *testing.T) {
	b := budgeted(t, `scale.at_most_group("team", {"budget": 480})`)
	w := newWorld(t, b.Pools...)
	for minute := range 60 {
		w.advance(time.Minute)
		e := restarted(t, w, b)
		for n, name := range []string{"high", "low"} {
			if _, err := e.Ingest(t.Context(), w.minutes(name, n, minute*2+1, 2, 120)); err != nil {
				t.Fatal(err)
			}
		}
	}
	high, low := w.entries("high")[0].View, w.entries("low")[0].View
	g := low.Groups["team"]
	if g.Uncounted != 0 || g.Silent != 0 || g.RemainingSeconds != low.Spending.RemainingSeconds {
		t.Errorf("got %+v", g)
	}
	// Each sees what both have spent, but for the minute since the other spoke.
	both := high.Spending.SpentMicro + low.Spending.SpentMicro
	if off := g.SpentMicro - both; off < -1_000_000 || off > 1_000_000 {
		t.Errorf("the group has spent %d, its pools %d", g.SpentMicro, both)
	}
	allowed := int((480_000_000 - g.SpentMicro) * 3600 / g.RemainingSeconds / 1_000_000)
	if n := w.sets[setID+"low"].capacity; n != 2 {
		t.Errorf("the lower priority keeps %d, want its minimum", n)
	}
	if n := w.sets[setID+"high"].capacity; n > allowed-2+1 || n < allowed-2-1 {
		t.Errorf("the higher priority has %d of %d", n, allowed)
	}
}
