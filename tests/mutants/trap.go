package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// trapMutant takes the remedies of one of the twelve recurrent problems away (facts: VMSS 5.5), all of them at once where
// there are several: the trap's own named test must fail without them. Those of trap 0 take away what keeps a decision from
// naming the wrong machines, and a property of the rails must fail.
type trapMutant struct {
	trap  int
	name  string
	edits []edit
	// tests is the beginning of the names of the tests that must fail, where they are not the trap's, and room the folder that
	// they are in.
	tests, room string
	// in is a case that must be among those that fail, where that says more than that one does; empty for any.
	in string
}

// test is the beginning of the names of the trap's tests.
func (m *trapMutant) test() string {
	if m.tests != "" {
		return m.tests
	}
	return fmt.Sprintf("TestTrap%02d", m.trap)
}

// folder is where the tests are.
func (m *trapMutant) folder() string {
	if m.room != "" {
		return m.room
	}
	return "tests/traps"
}

// traps is how many recurrent problems there are.
const traps = 12

// onlyTraps reports whether a choice names mutants of traps alone.
func onlyTraps(only string) bool {
	for name := range strings.SplitSeq(only, ",") {
		if name != "traps" && !slices.ContainsFunc(trapMutants, func(m trapMutant) bool { return m.name == name }) {
			return false
		}
	}
	return true
}

// chooseTraps are the mutants of traps that a choice names: all of them without one, or by the word traps.
func chooseTraps(only string) ([]trapMutant, error) {
	if only == "" || only == "traps" {
		return trapMutants, nil
	}
	names := strings.Split(only, ",")
	chosen := slices.DeleteFunc(slices.Clone(trapMutants), func(m trapMutant) bool { return !slices.Contains(names, m.name) })
	if len(chosen) == 0 && onlyTraps(only) {
		return nil, fmt.Errorf("no mutant is named %q", only)
	}
	return chosen, nil
}

// runTraps builds the tests of the traps with each mutant, runs those of its trap, and prints the table.
func runTraps(ctx context.Context, chosen []trapMutant, workers int) (t tally, err error) {
	failed, errs := make([][]string, len(chosen)), make([]error, len(chosen))
	err = each(ctx, len(chosen), workers, func(i int, root, work string) {
		m := chosen[i]
		if failed[i], errs[i] = m.try(ctx, root, filepath.Join(work, m.name)); errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", m.name, errs[i])
		}
	})
	if err != nil {
		return t, err
	}
	proved := map[int]bool{}
	for i, m := range chosen {
		switch {
		case errs[i] != nil:
			fmt.Printf("trap %2d  %-48s ERROR\n", m.trap, m.name)
		case len(failed[i]) == 0:
			t.survived++
			fmt.Printf("trap %2d  %-48s SURVIVED %s\n", m.trap, m.name, m.test())
		default:
			t.killed++
			if m.trap > 0 {
				proved[m.trap] = true
			}
			fmt.Printf("trap %2d  %-48s killed by %s\n", m.trap, m.name, byWhom(failed[i]))
		}
	}
	fmt.Printf("traps: proved=%d of %d\n", len(proved), traps)
	return t, errors.Join(errs...)
}

// byWhom names the tests that failed, each with how many of its cases did.
func byWhom(failed []string) string {
	var tests []string
	cases := map[string]int{}
	for _, name := range failed {
		test, _, isCase := strings.Cut(name, "/")
		if !isCase {
			tests = append(tests, test)
			continue
		}
		cases[test]++
	}
	for i, test := range tests {
		if n := cases[test]; n > 0 {
			tests[i] += fmt.Sprintf(" (%d cases)", n)
		}
	}
	return strings.Join(tests, ", ")
}

// try builds the tests with the mutant in the place of its files and answers which tests of its trap fail. That it does not
// compile, or that the tests do not run, is an error and proves nothing.
func (m *trapMutant) try(ctx context.Context, root, work string) (failed []string, err error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	plan, err := overlay(root, work, m.edits)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(work, "traps.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", plan, "-o", program, "./"+m.folder())
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tests := exec.CommandContext(ctx, program, "-test.run", "^"+m.test(), "-test.v", "-test.timeout", "100s")
	tests.Dir = filepath.Join(root, filepath.FromSlash(m.folder()))
	out, err := tests.CombinedOutput()
	if ran := strings.Count(string(out), "=== RUN   "+m.test()); ran == 0 {
		return nil, fmt.Errorf("no test %s… was run: %v\n%s", m.test(), err, out)
	}
	for line := range strings.Lines(string(out)) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); found {
			name, _, _ = strings.Cut(name, " ")
			failed = append(failed, name)
		}
	}
	if m.in != "" && !slices.ContainsFunc(failed, func(name string) bool { return strings.HasSuffix(name, "/"+m.in) }) {
		return nil, os.Remove(program)
	}
	if err != nil && len(failed) == 0 {
		return nil, fmt.Errorf("the tests ended without a verdict: %w\n%s", err, out)
	}
	return failed, os.Remove(program)
}
