package ledger_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Ledger { return ledger.NewMemory() })
}

func TestMemoryRetainsTheNewestEntries(t *testing.T) {
	m := ledger.NewMemory()
	m.Retain = 3
	for i := range 10 {
		at := ledgertest.Noon.Add(time.Duration(i) * time.Minute)
		if err := m.Commit(t.Context(), "web", scale.Commit{Attempt: fmt.Sprint(i), Entry: ledgertest.Entry("web", at, i)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Entries(t.Context(), "web", time.Time{}, 99)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Key != ledgertest.Key(ledgertest.Noon.Add(9*time.Minute), 9) {
		t.Errorf("%d entries are retained, want the newest 3", len(got))
	}
}

func TestMemoryHoldsTenThousandPoolsInLittle(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := ledger.NewMemory()
	for i := range 10_000 {
		pool := fmt.Sprintf("pool%d", i)
		err := m.Commit(t.Context(), pool, scale.Commit{
			Attempt: pool, Control: ledgertest.Control(ledgertest.Noon, i),
			Windows: []scale.StoredWindow{{Source: "ns/hub/0", Data: make([]byte, 512)}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / 10_000; per > 4<<10 {
		t.Errorf("a pool with a window of 512 bytes takes %d bytes", per)
	}
	runtime.KeepAlive(m)
}
