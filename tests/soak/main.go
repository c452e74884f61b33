// Package main is what `make soak` runs: histories of the simulation, then runs by force, one after the other until the
// time is used up, each with a seed of its own. It closes with one line of figures and leaves with 0 only if nothing was
// broken. It is run from the checkout's root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"trimtab/internal/policy"
	"trimtab/policies"
	"trimtab/tests/force"
	"trimtab/tests/sim"
)

// figures are what the last line tells.
type figures struct {
	histories, violations, kills, lost, doubled, breaches int
}

func (f figures) String() string {
	return fmt.Sprintf("soak: histories=%d violations=%d kills=%d lost=%d doubled=%d breaches=%d",
		f.histories, f.violations, f.kills, f.lost, f.doubled, f.breaches)
}

func main() {
	minutes := flag.Float64("minutes", 10, "how long processes are killed, recovery not counted; 0 for not at all")
	histories := flag.Int("histories", 200_000, "how many histories are simulated; 0 for none")
	seed := flag.Uint64("seed", 0, "the first seed of all that is random; drawn unless given")
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64() >> 16
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	f, err := soak(ctx, *seed, *histories, time.Duration(*minutes*float64(time.Minute)))
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: %v\n", err)
	}
	fmt.Println(f)
	if err != nil || f.violations+f.lost+f.doubled+f.breaches > 0 {
		os.Exit(1)
	}
}

// soak does all of it. What is broken is in the figures; an error says that it could not be done.
func soak(ctx context.Context, seed uint64, histories int, storms time.Duration) (f figures, err error) {
	fmt.Printf("seed %d; to repeat: make soak ARGS='-seed %d'\n", seed, seed)
	if err := simulate(ctx, &f, seed, histories); err != nil {
		return f, err
	}
	return f, byForce(ctx, &f, seed, storms)
}

// simulate runs histories and prints the broken ones, each as short as it can be made.
func simulate(ctx context.Context, f *figures, seed uint64, n int) error {
	if n == 0 {
		return nil
	}
	bundle, err := policy.Load(ctx, policies.FS)
	if err != nil {
		return err
	}
	o := sim.Options{Real: sim.Real{Policy: bundle, Pools: bundle.Pools}, Redecide: 8}
	s := sim.Many(ctx, seed, n, runtime.GOMAXPROCS(0), o, func(s sim.Summary) {
		if s.Histories%10_000 == 0 {
			fmt.Printf("%d histories in %v, %d broken\n", s.Histories, s.Took.Round(time.Second), s.Violations)
		}
	})
	f.histories, f.violations = s.Histories, s.Violations
	fmt.Printf("%d histories of %d steps in all, the shortest %d, in %v\n", s.Histories, s.Steps, s.Fewest, s.Took.Round(time.Second))
	for _, r := range s.Broken {
		one := o
		one.Seed = r.Seed
		short, command := sim.Shrink(one, r)
		fmt.Printf("%v\n  %s\n", short.Violation, command)
	}
	if s.Violations == 0 && s.Histories < n {
		return errors.Join(errors.New("interrupted"), ctx.Err())
	}
	return nil
}

// byForce runs storms of two minutes until their time is used up.
func byForce(ctx context.Context, f *figures, seed uint64, storms time.Duration) error {
	if storms <= 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "trimtab-soak-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "trimtab")
	if err := force.Build(ctx, ".", binary); err != nil {
		return err
	}
	const longest = 2 * time.Minute
	for ; storms > 0; storms, seed = storms-longest, seed+1 {
		e, err := force.Run(ctx, force.Options{
			Root: ".", Binary: binary, Seed: seed, Storm: min(storms, longest), Calm: 3 * time.Minute,
		})
		if err != nil {
			return fmt.Errorf("run by force with seed %d: %w", seed, err)
		}
		v := force.Judge(ctx, e)
		fmt.Printf("seed %d: %s\n", seed, force.Summary(e, v))
		for _, p := range v.Problems {
			fmt.Println("  " + p)
		}
		f.kills += e.Kills
		f.lost += v.Lost
		f.doubled += v.Doubled
		f.breaches += v.Breaches
	}
	return nil
}
