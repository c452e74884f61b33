package engine_test

import (
	"log/slog"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

func TestParkedMachinesLeaveTheirCoresToTheGroup(t *testing.T) {
	b := shared(t)
	w := newWorld(t, b.Pools...)
	// Of the ten of high five are parked: they have given their cores back.
	parked := scale.Memory{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		parked.Parked = append(parked.Parked, scale.Parked{Name: name, Off: true})
	}
	err := w.ledger.Commit(t.Context(), "high", scale.Commit{Attempt: "parked", Control: &scale.Control{Version: scale.ControlVersion, Memory: parked}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{
		Pools: b.Pools, Policy: b, Fleet: fleet{w}, Ledger: memory{w}, Now: w.clock, Writer: "w", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for minute := range 6 {
		w.advance(time.Minute)
		for n, name := range []string{"high", "low"} {
			if _, err := e.Ingest(t.Context(), w.minutes(name, n, minute*2+1, 2, 60)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := w.entries("low")[0].View.Groups["west"].Present.VCPUs; got != 4*5 {
		t.Errorf("the group holds %d vCPUs of high, want 20: five run", got)
	}
}
