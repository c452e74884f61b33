// Command demo shows Trimtab at work, with nothing but this checkout: it starts the ARM emulator and the real handler as
// the Functions host would, on an embedded ledger, and posts a day of real load as real metric bodies over several
// partitions, with time running fast. Each change is one line; the summary at the end is counted from what happened.
//
// Nothing leaves this machine: the emulator, the handler and the host's stand-in talk over loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// flags are what a run can be asked for.
type flags struct {
	root, out string
	speed     float64
	hours     int
	verbose   bool
}

func main() {
	var f flags
	flag.StringVar(&f.root, "root", ".", "the app root: the folder of host.json, with bin/trimtab built")
	flag.StringVar(&f.out, "out", filepath.Join(".trimtab", "run"), "where the journal and the handler's log are left")
	flag.Float64Var(&f.speed, "speed", 2400, "how much faster than the wall's the demo's time runs")
	flag.IntVar(&f.hours, "hours", 24, "how many hours of load to post, at most 24")
	flag.BoolVar(&f.verbose, "v", false, "show the holds too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	if f.hours < 1 || f.hours > 24 || f.speed < 1 || f.speed > 10_000 {
		return errors.New("hours are 1 to 24, speed 1 to 10000")
	}
	begun := time.Now()
	s, err := open(ctx, f)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("A day of load on two pools, %g times as fast: %s from %s.\n", f.speed, time.Duration(f.hours)*time.Hour,
		s.now().Format("Monday 15:04 MST"))
	if err := s.play(ctx); err != nil {
		return err
	}
	sum, err := s.settle(ctx)
	if err != nil {
		return err
	}
	s.close()
	if err := sum.journal(ctx, s.dir); err != nil {
		return err
	}
	if err := s.draw(ctx); err != nil {
		return err
	}
	fmt.Println()
	sum.print(os.Stdout, f.out, time.Since(begun))
	return sum.verdict()
}
