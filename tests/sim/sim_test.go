package sim_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"trimtab/internal/policy"
	"trimtab/policies"
	"trimtab/tests/sim"
)

var (
	seed      = flag.Uint64("sim.seed", 0, "run this one history and print it")
	steps     = flag.Int("sim.steps", 0, "least number of steps before the faults stop; by the seed unless given")
	only      = flag.String("sim.only", "", "let only these faults happen, separated by commas; none at all for -")
	histories = flag.Int("sim.histories", 2000, "how many histories")
	ofKind    = flag.String("sim.kind", "", "only pools of this kind; drawn unless given")
	first     = flag.Uint64("sim.first", 0, "the first seed; drawn unless given")
)

// shipped is the policies and pools of the repository.
func shipped(t *testing.T) sim.Real {
	t.Helper()
	bundle, err := policy.Load(t.Context(), policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	return sim.Real{Policy: bundle, Pools: bundle.Pools}
}

// TestHistories runs as many histories as the flag says, on seeds drawn for this run, or prints the one that is asked
// for.
func TestHistories(t *testing.T) {
	real := shipped(t)
	if *seed != 0 {
		o := sim.Options{Seed: *seed, Steps: *steps, Kind: sim.Kind(*ofKind), Real: real, Redecide: 1, Trace: true}
		if *only != "" {
			o.Only = strings.Split(*only, ",")
		}
		r := sim.Run(o)
		t.Log("\n" + strings.Join(r.Trace, "\n"))
		t.Logf("faults: %s", strings.Join(r.Faults, ","))
		if r.Violation != nil {
			t.Fatal(r.Violation)
		}
		return
	}
	from := *first
	if from == 0 {
		from = rand.Uint64() >> 16
	}
	o := sim.Options{Steps: *steps, Kind: sim.Kind(*ofKind), Real: real, Redecide: 8}
	s := sim.Many(t.Context(), from, *histories, runtime.GOMAXPROCS(0), o, nil)
	t.Logf("seeds %d to %d: %d histories, %d steps, the shortest %d, in %v: %+v", from, from+uint64(*histories)-1, s.Histories,
		s.Steps, s.Fewest, s.Took, s.Counts)
	for i, r := range s.Broken {
		t.Errorf("seed %d: %v\nrun it again: %s", r.Seed, r.Violation, r.Command())
		if i > 0 {
			continue
		}
		o.Seed = r.Seed
		short, command := sim.Shrink(o, r)
		t.Errorf("the shortest history found, %d steps with the faults %v: %v\nrun it: %s", short.Violation.Step, short.Faults,
			short.Violation, command)
	}
	if s.Violations == 0 && s.Histories != *histories {
		t.Errorf("only %d histories ran", s.Histories)
	}
	if s.Violations == 0 && s.Fewest < 200 && *steps == 0 {
		t.Errorf("a history had only %d steps", s.Fewest)
	}
	// A simulation in which nothing goes wrong proves nothing.
	c := s.Counts
	for name, n := range map[string]int{
		"conflicts": c.Conflicts, "changes applied": c.Applied, "deletions by name": c.Deletions, "crashes": c.Crashes, "batches lost to the host": c.Lost,
		"dead letters": c.Letters, "faults": c.Faults, "entries decided again": c.Redecided,
		"changes of a set of a pair": c.Pairs, "proposals cut for a group": c.Capped, "answers about quotas": c.Quotas,
		"changes of power": c.Powered, "machines cleaned away": c.Cleaned, "candidates tried": c.Tried, "histories of loads stored": c.Histories,
	} {
		if *ofKind == "" && n*20 < s.Histories {
			t.Errorf("only %d %s in %d histories", n, name, s.Histories)
		}
	}
}

// TestOneSeedIsOneHistory compares two runs of each seed line by line.
func TestOneSeedIsOneHistory(t *testing.T) {
	real := shipped(t)
	for s := uint64(1); s <= 20; s++ {
		o := sim.Options{Seed: s, Real: real, Redecide: 8, Trace: true}
		a, b := sim.Run(o), sim.Run(o)
		if a.Digest != b.Digest || !slices.Equal(a.Trace, b.Trace) || !slices.Equal(a.Faults, b.Faults) {
			for i := range a.Trace {
				if i >= len(b.Trace) || a.Trace[i] != b.Trace[i] {
					t.Fatalf("seed %d: the runs part at line %d:\n%s", s, i, a.Trace[i])
				}
			}
			t.Fatalf("seed %d: two runs, two histories", s)
		}
		if s > 1 && a.Digest == sim.Run(sim.Options{Seed: s - 1, Real: real, Redecide: 8}).Digest {
			t.Fatalf("seeds %d and %d are one history", s-1, s)
		}
	}
}

// TestSeedsThatOnceFailed keeps the histories that found a fault.
func TestSeedsThatOnceFailed(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		kind  sim.Kind
		found string
	}{
		{1, sim.Plain, "growth from a count of zero that was none"},
		{31, sim.Plain, "a set emptied by evictions was held at zero for ever"},
		{113, sim.Plain, "a lost answer and an operation that failed gave the cooldown back"},
		{209, sim.Plain, "a set without machines has no signal, and stayed below its minimum for ever"},
		{329, sim.Plain, "an eviction during an operation of unknown outcome let a second change begin"},
		{31721984987872, sim.Plain, "a zero in passing after a growth from a true zero was believed, and the growth was sent again"},
		{198691532769775, sim.Plain, "a false zero after a true one, a stranger's write between them, was believed"},
		{198691532784525, sim.Plain, "the same, after two outages"},
		{198691532786027, sim.Plain, "the same, after answers that were lost"},
		{4807, sim.Plain, "the default count, cut by the platform's limit, shrank a pool without a known reason"},
		{1131, sim.Pair, "a zero in passing of one set of a pair was believed"},
		{1120, sim.Pair, "a change of a set of a pair that evictions had emptied never ended"},
		{32156449257232, sim.Candidate, "a zero in passing was believed, because all machines had gone before"},
		{70284, sim.Clean, "a pool whose machines had all gone, their places held by those that failed, stayed at none for ever"},
		{70099, sim.Clean, "a pool that had no room left for its minimum was never cleaned"},
		{1062, sim.Group, "a pool wanted more than the platform gives it, and kept that from the others for ever"},
	} {
		if r := sim.Run(sim.Options{Seed: c.seed, Kind: c.kind, Redecide: 1}); r.Violation != nil {
			t.Errorf("seed %d of kind %s, %s: %v", c.seed, c.kind, c.found, r.Violation)
		}
	}
}

// TestFaultsCanBeLeftOut holds what shrinking needs: a history without some of its faults is a history.
func TestFaultsCanBeLeftOut(t *testing.T) {
	whole := sim.Run(sim.Options{Seed: 11})
	none := sim.Run(sim.Options{Seed: 11, Only: []string{"-"}})
	if len(whole.Faults) == 0 || len(none.Faults) != 0 || none.Violation != nil {
		t.Errorf("%d faults, and %d with all left out: %v", len(whole.Faults), len(none.Faults), none.Violation)
	}
	some := whole.Faults[:1]
	if got := sim.Run(sim.Options{Seed: 11, Only: some}); !slices.Equal(got.Faults, some) {
		t.Errorf("only %v was to happen, and %v did", some, got.Faults)
	}
}
