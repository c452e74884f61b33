package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/metric"
	"trimtab/internal/record"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// readSpot reads a file of availability: zones by step, or one zone's probes, which is called as the file is.
func readSpot(path string, data []byte) (*trace.Spot, error) {
	name := filepath.Base(path)
	if !strings.HasSuffix(name, ".json") {
		return trace.ReadSpot(name, data)
	}
	return trace.ReadProbes(strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".raw"), data)
}

// withPrices reads prices into a world: a course over time, or one price of a list.
func (f *replayFlags) withPrices(world replay.World) (replay.World, error) {
	if f.prices == "" {
		if f.region != "" || f.size != "" {
			return world, errors.New("--region and --size choose from a list of prices: --prices names its file")
		}
		return world, nil
	}
	data, err := os.ReadFile(f.prices)
	if err != nil {
		return world, fmt.Errorf("--prices: %w", err)
	}
	name := filepath.Base(f.prices)
	if f.region == "" && f.size == "" {
		if strings.HasPrefix(string(data), "region,sku,") {
			return world, fmt.Errorf("--prices %s: it is a list of prices: --region and --size choose one", f.prices)
		}
		p, err := trace.ReadPrices(name, data)
		if err != nil {
			return world, fmt.Errorf("--prices: %w", err)
		}
		return world.WithPrices(p), nil
	}
	price, err := trace.ReadPriceList(name, data, f.region, f.size)
	if err != nil {
		return world, fmt.Errorf("--prices: %w", err)
	}
	return world.WithPrice(price, "USD", fmt.Sprintf("%s in %s, from %s.", f.size, f.region, name)), nil
}

// learnDelays learns from a recording how late the pool's signals arrive, and how much of them does not.
func learnDelays(world replay.World, path string, pool *scale.Pool) (replay.World, error) {
	events, err := readRecording(path)
	if err != nil {
		return world, fmt.Errorf("--delays %s: right would be a recording of trimtab record: %w", path, err)
	}
	waits := waitsIn(events, pool)
	var silent []string
	for i := range pool.Signals {
		name := pool.Signals[i].Name
		w := waits[name]
		if w == nil {
			silent = append(silent, name)
			continue
		}
		world = world.WithDelays(pool, name, filepath.Base(path), replay.Learn(w.delays(), w.expected()))
	}
	if len(silent) == len(pool.Signals) {
		return world, fmt.Errorf("--delays %s: none of its %d events has a sample of the signals of pool %s: %s", path, len(events),
			pool.Name, strings.Join(silent, ", "))
	}
	return world, nil
}

// waits are how long the samples of one signal took from the end of their span to the hub, each told once.
type waits struct {
	took       map[identity]time.Duration
	first      time.Time
	last       time.Time
	grain      time.Duration
	dimensions map[string]bool
}

func waitsIn(events []record.Event, pool *scale.Pool) map[string]*waits {
	all := map[string]*waits{}
	decoder, name := metric.NewDecoder(), engine.Named([]scale.Pool{*pool})
	for i := range events {
		e := &events[i]
		samples, _ := decoder.DecodeWith(e.Body, metric.PropertiesOf(e.Properties, e.System), scale.Source{})
		for k := range samples {
			s := &samples[k]
			name(s)
			for n := range pool.Signals {
				if signal := &pool.Signals[n]; s.Resource == signal.Resource && metric.Listens(signal, s) {
					if all[signal.Name] == nil {
						all[signal.Name] = &waits{took: map[identity]time.Duration{}, dimensions: map[string]bool{}}
					}
					all[signal.Name].add(s, e.EnqueuedAt)
				}
			}
		}
	}
	return all
}

// add takes a sample that arrived then; one that corrects an earlier one says nothing of how late that was.
func (w *waits) add(s *scale.Sample, arrived time.Time) {
	id := identity{s.At.UTC(), s.Grain, s.Dimensions}
	took := arrived.Sub(s.At.Add(s.Grain))
	if before, known := w.took[id]; known && before <= took {
		return
	}
	w.took[id] = took
	w.dimensions[s.Dimensions] = true
	if w.first.IsZero() || s.At.Before(w.first) {
		w.first = s.At
	}
	if s.At.After(w.last) {
		w.last = s.At
	}
	w.grain = s.Grain
}

func (w *waits) delays() (all []time.Duration) {
	for _, d := range w.took {
		all = append(all, d)
	}
	return all
}

// expected is how many samples the grain lets expect; 0 where samples have none.
func (w *waits) expected() int {
	if w.grain <= 0 {
		return 0
	}
	return (int(w.last.Sub(w.first)/w.grain) + 1) * len(w.dimensions)
}
