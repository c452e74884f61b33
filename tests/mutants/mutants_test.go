package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryMutantFitsItsFile holds the list to the code: a mutant that fits nowhere proves nothing.
func TestEveryMutantFitsItsFile(t *testing.T) {
	var names []string
	for _, m := range mutants {
		names = append(names, m.name)
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(m.file)))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.old); n != 1 || m.old == m.new {
			t.Errorf("%s: %s holds %q %d times, not once: bring the mutant up to date", m.name, m.file, m.old, n)
		}
	}
	for _, name := range smoke {
		if !slices.Contains(names, name) {
			t.Errorf("there is no mutant %q", name)
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) < 25 || len(slices.Compact(names)) != len(mutants) {
		t.Errorf("%d mutants, of them %d with a name of their own", len(mutants), len(slices.Compact(names)))
	}
}

// TestTheSimulationKills runs the few mutants that say whether breaking, building and finding work at all.
func TestTheSimulationKills(t *testing.T) {
	if found, err := run(t.Context(), "smoke", 1, 200, 2); err != nil || found != (tally{killed: len(smoke)}) {
		t.Errorf("got %+v, %v", found, err)
	}
}

// TestTheSoundProductSurvives: a hunt that found something without a mutant would prove nothing either.
func TestTheSoundProductSurvives(t *testing.T) {
	if v := search(1, 50); v.Killed || v.Histories != 50 {
		t.Errorf("without a mutant: %+v", v)
	}
}

// TestEveryTrapHasAMutantThatFitsAndATest holds the list of the traps' mutants to the code and to the tests of the traps.
func TestEveryTrapHasAMutantThatFitsAndATest(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "tests", "traps", "traps_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names, of := map[string]bool{}, map[int]int{}
	for _, m := range trapMutants {
		if names[m.name] || slices.ContainsFunc(mutants, func(o mutant) bool { return o.name == m.name }) {
			t.Errorf("two mutants are named %s", m.name)
		}
		names[m.name] = true
		of[m.trap]++
		if m.trap > 0 && !strings.Contains(string(text), "func "+m.test()) {
			t.Errorf("%s: there is no test %s…", m.name, m.test())
		}
		if _, err := overlay(root, t.TempDir(), m.edits); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	for trap := 1; trap <= traps; trap++ {
		if of[trap] == 0 {
			t.Errorf("trap %d has no mutant", trap)
		}
	}
}

// TestATrapCatchesItsMutant runs one of them, and none: tests that failed on the sound product would prove nothing.
func TestATrapCatchesItsMutant(t *testing.T) {
	chosen, err := chooseTraps("write_without_a_condition")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := runTraps(t.Context(), chosen, 1); err != nil || found != (tally{killed: 1}) {
		t.Errorf("got %+v, %v", found, err)
	}
	sound := trapMutant{trap: 8, name: "none"}
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if failed, err := sound.try(t.Context(), root, filepath.Join(t.TempDir(), "none")); err != nil || len(failed) > 0 {
		t.Errorf("without a mutant: %v, %v", failed, err)
	}
}
