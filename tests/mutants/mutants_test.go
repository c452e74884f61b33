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
	if err := run(t.Context(), "smoke", 1, 200, 2); err != nil {
		t.Error(err)
	}
}

// TestTheSoundProductSurvives: a hunt that found something without a mutant would prove nothing either.
func TestTheSoundProductSurvives(t *testing.T) {
	if v := search(1, 50); v.Killed || v.Histories != 50 {
		t.Errorf("without a mutant: %+v", v)
	}
}
