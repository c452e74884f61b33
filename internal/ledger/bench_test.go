package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

// One turn of a pool: load, then commit control row, window and entry.
func BenchmarkTurn(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) ledgertest.Ledger{
		"memory": func(*testing.B) ledgertest.Ledger {
			m := ledger.NewMemory()
			m.Retain = 100
			return m
		},
		"file": func(b *testing.B) ledgertest.Ledger {
			f, err := ledger.OpenFile(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = f.Close() })
			return f
		},
	} {
		b.Run(name, func(b *testing.B) {
			l := open(b)
			data := make([]byte, 8<<10)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				stored, err := l.Load(b.Context(), "web")
				if err != nil {
					b.Fatal(err)
				}
				at := ledgertest.Noon.Add(time.Duration(i) * time.Second)
				window := scale.StoredWindow{Source: "ns/hub/0", Data: data}
				if len(stored.Windows) > 0 {
					window.Version = stored.Windows[0].Version
				}
				err = l.Commit(b.Context(), "web", scale.Commit{
					Attempt: fmt.Sprint(i), Control: ledgertest.Control(at, 1), ControlVersion: stored.ControlVersion,
					Windows: []scale.StoredWindow{window}, Entry: ledgertest.Entry("web", at, i),
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
