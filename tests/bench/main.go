// Command bench measures what design and issues promise, and closes with one line for each figure: bench: NAME VALUE UNIT.
// Ratios compare two ways of doing the same work in one run, in turn, and are medians over the rounds. Every figure is of
// this machine and this moment; only ratios and counts travel.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// figure is one line of the result.
type figure struct {
	name  string
	value float64
	unit  string
}

// suite is what the measurements share.
type suite struct {
	rounds  int
	root    string
	only    string
	figures []figure
}

func main() {
	s := &suite{}
	flag.IntVar(&s.rounds, "rounds", 7, "rounds of each measurement, at least 5")
	flag.StringVar(&s.only, "only", "", "measure only the parts whose description contains this")
	flag.StringVar(&s.root, "root", ".", "the app root, with bin/trimtab built")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	for _, f := range s.figures {
		fmt.Printf("bench: %s %.4g %s\n", f.name, f.value, f.unit)
	}
}

func (s *suite) run(ctx context.Context) error {
	if s.rounds < 5 {
		return fmt.Errorf("%d rounds: a median wants at least 5", s.rounds)
	}
	for _, part := range []struct {
		about   string
		measure func(context.Context) error
	}{
		{"reading events", s.ingest},
		{"deciding", s.decide},
		{"a pool at rest", s.atRest},
		{"deciding in other ways", s.embeddings},
		{"calls", s.calls},
		{"start", s.ready},
		{"memory", s.memory},
		{"replaying", s.replays},
		{"event to patch", s.latency},
	} {
		if !strings.Contains(part.about, s.only) {
			continue
		}
		begun := time.Now()
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.about, err)
		}
		fmt.Printf("%s: measured in %.0f s\n", part.about, time.Since(begun).Seconds())
	}
	return nil
}

func (s *suite) add(name string, value float64, unit string) {
	s.figures = append(s.figures, figure{name, value, unit})
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// slice is how long one side of a comparison runs in a round.
const slice = 150 * time.Millisecond

// perCall runs a function over and over for a slice of time and answers the seconds that one call took.
func perCall(f func() error) (float64, error) {
	begun := time.Now()
	for n := 1; ; n++ {
		if err := f(); err != nil {
			return 0, err
		}
		if took := time.Since(begun); took >= slice {
			return took.Seconds() / float64(n), nil
		}
	}
}

// ratio is the median, over the rounds, of the time of a over the time of b, measured in turn.
func (s *suite) ratio(a, b func() error) (float64, error) {
	var ratios []float64
	for round := range s.rounds + 1 {
		x, err := perCall(a)
		if err != nil {
			return 0, err
		}
		y, err := perCall(b)
		if err != nil {
			return 0, err
		}
		if round > 0 { // the first warms up
			ratios = append(ratios, x/y)
		}
	}
	return median(ratios), nil
}
