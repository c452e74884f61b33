// Command mutants proves that the simulation and the tests of the traps look: it breaks the product in one place after
// another, in a copy that only the compiler sees, and expects each break to be found. A mutant that survives is a check
// that is missing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"trimtab/tests/sim"
)

// mutant is one deliberate fault: old must stand in the file exactly once.
type mutant struct {
	name, file, old, new string
}

// verdict is what became of a mutant.
type verdict struct {
	Killed    bool
	Invariant int
	Seed      uint64
	Histories int
	Text      string
}

func main() {
	hunt := flag.Bool("hunt", false, "run histories on this build until one is broken, and print the verdict")
	n := flag.Int("histories", 8000, "how many histories a mutant may survive")
	first := flag.Uint64("first", 1, "the first seed")
	only := flag.String("only", "", "only these mutants, separated by commas; smoke for the few that every test run takes")
	workers := flag.Int("workers", 2, "how many mutants at once")
	flag.Parse()
	if *hunt {
		if err := json.NewEncoder(os.Stdout).Encode(search(*first, *n)); err != nil {
			os.Exit(1)
		}
		return
	}
	if err := all(context.Background(), *only, *first, *n, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// tally counts mutants.
type tally struct{ killed, survived int }

// all hunts the mutants of the simulation and those of the traps, and closes with how many were found.
func all(ctx context.Context, only string, first uint64, n, workers int) error {
	tr, err := chooseTraps(only)
	if err != nil {
		return err
	}
	var found, trapped tally
	var failed error
	if only == "" || !onlyTraps(only) {
		found, failed = run(ctx, only, first, n, workers)
	}
	if len(tr) > 0 {
		trapped, err = runTraps(ctx, tr, workers)
		failed = errors.Join(failed, err)
	}
	survived := found.survived + trapped.survived
	fmt.Printf("mutants: killed=%d survived=%d\n", found.killed+trapped.killed, survived)
	if survived > 0 {
		failed = errors.Join(failed, fmt.Errorf("%d survived", survived))
	}
	return failed
}

// each calls f for n mutants, so many at once, with the module's root and a folder that is gone afterwards.
func each(ctx context.Context, n, workers int, f func(i int, root, work string)) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "trimtab-mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	slots := make(chan struct{}, max(workers, 1))
	var group sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			f(i, root, work)
		})
	}
	group.Wait()
	return nil
}

// search runs histories until one is broken.
func search(first uint64, n int) verdict {
	for i := range n {
		r := sim.Run(sim.Options{Seed: first + uint64(i), Redecide: 4})
		if v := r.Violation; v != nil {
			return verdict{Killed: true, Invariant: v.Invariant, Seed: r.Seed, Histories: i + 1, Text: v.Text}
		}
	}
	return verdict{Histories: n}
}

// run builds and hunts each mutant, and prints the table.
func run(ctx context.Context, only string, first uint64, n, workers int) (t tally, err error) {
	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool {
		return only != "" && !slices.Contains(strings.Split(only, ","), m.name) && (only != "smoke" || !slices.Contains(smoke, m.name))
	})
	if len(chosen) == 0 {
		return t, fmt.Errorf("no mutant is named %q", only)
	}
	verdicts, errs := make([]verdict, len(chosen)), make([]error, len(chosen))
	err = each(ctx, len(chosen), workers, func(i int, root, work string) {
		m := chosen[i]
		verdicts[i], errs[i] = m.hunt(ctx, root, filepath.Join(work, m.name), first, n)
		if errs[i] == nil {
			fmt.Println(row(&m, verdicts[i]))
		}
	})
	if err != nil {
		return t, err
	}
	for i := range chosen {
		switch {
		case errs[i] != nil:
			errs[i] = fmt.Errorf("%s: %w", chosen[i].name, errs[i])
		case verdicts[i].Killed:
			t.killed++
		default:
			t.survived++
		}
	}
	return t, errors.Join(errs...)
}

// row is a mutant's line of the table.
func row(m *mutant, v verdict) string {
	if !v.Killed {
		return fmt.Sprintf("%-44s SURVIVED %d histories", m.name, v.Histories)
	}
	by := fmt.Sprintf("invariant %d", v.Invariant)
	if v.Invariant == 0 {
		by = "liveness"
	}
	text := v.Text
	if len(text) > 90 {
		text = text[:90] + "…"
	}
	return fmt.Sprintf("%-44s %-12s seed %-6d %5d histories  %s", m.name, by, v.Seed, v.Histories, strings.ReplaceAll(text, "\n", " "))
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// edit is one change to a file: old must stand in it exactly once.
type edit struct{ file, old, new string }

// overlay writes changed copies of files, and the plan by which the compiler takes them in the place of the originals.
func overlay(root, work string, edits []edit) (plan string, err error) {
	texts := map[string]string{}
	for _, e := range edits {
		file := filepath.Join(root, filepath.FromSlash(e.file))
		text, seen := texts[file]
		if !seen {
			whole, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			text = string(whole)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("%s holds %q %d times, not once: bring the mutant up to date", e.file, e.old, n)
		}
		texts[file] = strings.Replace(text, e.old, e.new, 1)
	}
	replace := map[string]string{}
	for file, text := range texts {
		changed := filepath.Join(work, fmt.Sprintf("mutant%d.go", len(replace)))
		if err := os.WriteFile(changed, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[file] = changed
	}
	doc, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	plan = filepath.Join(work, "overlay.json")
	return plan, os.WriteFile(plan, doc, 0o644)
}

// hunt builds this program with the mutant in the place of its file, and lets it search.
func (m *mutant) hunt(ctx context.Context, root, work string, first uint64, n int) (verdict, error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return verdict{}, err
	}
	plan, err := overlay(root, work, []edit{{m.file, m.old, m.new}})
	if err != nil {
		return verdict{}, err
	}
	program := filepath.Join(work, "hunt")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", plan, "-o", program, "./tests/mutants")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return verdict{}, fmt.Errorf("build: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	hunter := exec.CommandContext(ctx, program, "-hunt", "-first", fmt.Sprint(first), "-histories", fmt.Sprint(n))
	hunter.Stderr = os.Stderr
	out, err := hunter.Output()
	if err != nil {
		return verdict{}, fmt.Errorf("hunt: %w", err)
	}
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil {
		return verdict{}, fmt.Errorf("read the verdict: %w", err)
	}
	return v, os.Remove(program)
}
