package force_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"trimtab/tests/force"
)

// root is the app root as the tests of this package see it.
const root = "../.."

var (
	seed  = flag.Uint64("force.seed", 0, "seed of the run by force; 0 draws one")
	storm = flag.Duration("force.storm", 2*time.Minute, "how long the run by force kills and breaks")
)

// TestByForce holds invariants 1 to 10 against real processes that are killed about once a second.
func TestByForce(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to repeat it: go test ./tests/force -run TestByForce -force.seed=%d", *seed)
	dir := t.TempDir()
	binary := filepath.Join(dir, "trimtab")
	if err := force.Build(t.Context(), root, binary); err != nil {
		t.Fatal(err)
	}
	e, err := force.Run(t.Context(), force.Options{
		Root: root, Binary: binary, Seed: *seed, Storm: *storm, Calm: 90 * time.Second, Log: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	v := force.Judge(context.WithoutCancel(t.Context()), e)
	t.Log(force.Summary(e, v))
	for _, p := range v.Problems {
		t.Error(p)
	}
	if !v.Sound() {
		t.Errorf("lost %d, doubled %d, breaches %d", v.Lost, v.Doubled, v.Breaches)
	}
	if v.Exhausted > 0 {
		t.Errorf("the host gave up %d samples; its retries here last four seconds, so nothing should take that long", v.Exhausted)
	}
	if seconds := int(e.Storm.Seconds()); e.Kills < seconds {
		t.Errorf("%d kills in %d seconds: not the storm that was promised", e.Kills, seconds)
	}
	if v.Applied < 5 || v.Events < 100 || v.Letters == 0 || e.Proxied.LostReplies == 0 || e.Moves == 0 {
		t.Errorf("too little happened for the verdict to mean anything: %s", force.Summary(e, v))
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "the run by force had the seed %d\n", *seed)
	}
	os.Exit(code)
}
