package consume_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"trimtab/tests/consume"
	"trimtab/tests/force"
)

// root is the app root as the tests of this package see it.
const root = "../.."

var storm = flag.Duration("consume.storm", 20*time.Second, "how long processes that share a hub are killed under load")

// binary is the built program.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "trimtab-consume-test-")
	if err == nil {
		binary = filepath.Join(dir, "trimtab")
		err = force.Build(context.Background(), root, binary)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func open(t *testing.T, o consume.Options) *consume.World {
	t.Helper()
	o.Root, o.Binary = root, binary
	w, err := consume.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// TestEveryEventIsFoldedOnceWhoeverDies kills one of two processes that share eight partitions every few seconds, under
// load, and holds what is left against what was sent.
func TestEveryEventIsFoldedOnceWhoeverDies(t *testing.T) {
	const expiry = 6 * time.Second
	w := open(t, consume.Options{Partitions: 8, Settings: map[string]string{
		"TRIMTAB_CONSUME_EXPIRY": expiry.String(), "TRIMTAB_CONSUME_SWEEP": "2s", "TRIMTAB_CONSUME_CHECKPOINT": "1s",
	}})
	a, err := w.Run(t.Context(), consume.Storm{Lasts: *storm, Every: 4 * time.Second, Gap: 100 * time.Millisecond, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	v := force.Judge(context.WithoutCancel(t.Context()), a.Evidence)
	t.Logf("%d events, %d samples, %d entries, %d changes; %d kills; longest unread %v, opening %v",
		v.Events, v.Samples, v.Entries, v.Applied, a.Kills, a.Unread.Round(time.Millisecond),
		a.Opening.Round(time.Millisecond))
	for _, p := range v.Problems {
		t.Error(p)
	}
	if !v.Sound() {
		t.Errorf("lost %d, doubled %d, breaches %d", v.Lost, v.Doubled, v.Breaches)
	}
	// Beyond the expiry there is the time to open a link and to fold what has gathered. A busy machine takes longer over
	// that, as it did over the start.
	if most := expiry + max(2*time.Second, a.Opening); a.Unread > most {
		t.Errorf("an event lay unread for %v, want at most %v", a.Unread, most)
	}
	if v.Events < 500 || a.Kills < 3 || v.Letters == 0 || v.Applied == 0 {
		t.Error("too little happened for the verdict to mean anything")
	}
}
