package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"trimtab/internal/policy"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/report"
	"trimtab/internal/scale"
	"trimtab/policies"
)

// replayFlags are the command line of replay.
type replayFlags struct {
	pool, today, world, spot, html string
	prices, region, size, delays   string
	on, baselines, gates, zones    []string
	autoscale                      []string
	seeds                          int
	seed                           uint64
	workers                        int
	json, open, recorded           bool
	everySeed, noSeries            bool
	read                           readFlags
}

// replayCommand answers what a span of time would have looked like under a policy.
func replayCommand(h *hall) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay POLICY... --on TRACE...",
		Short: "Replay load under policies, beside what people run today",
		Long: `replay walks the corridor of production over recorded or invented time, with the world behind it modelled, and compares
each POLICY with today's, and with baselines: ` + strings.Join(replay.Baselines(), ", ") + `.

A POLICY is a folder of policies or "embedded", and may be given a name: NAME=FOLDER. A TRACE is one of

  FILE.csv          times and values; --time, --value, --unit and --interval say how they are read
  FILE.json         what az monitor metrics list prints; --metric and --aggregation choose
  FILE.jsonl[.gz]   a journal, one entry a line, or a recording of trimtab record; --signal names the pool's signal that is
                    the load
  ledger            the pool's journal in the ledger that the environment names
  SHAPE[,days=N][,noise=PERCENT][,seed=N]   generated: ` + strings.Join(trace.Shapes(), ", ") + `

With --open the recorded views of journals are decided again, without feedback: which decisions differ, and why. Else
the loop is closed: decisions change the fleet, and the fleet changes what is measured.

It fails when a candidate's --gate measure is worse than --today's policy by more per cent than given.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), h, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.on, "on", nil, "a trace; may be given several times")
	flags.StringVar(&f.pool, "pool", "", "the pool, where a policy folder has several")
	flags.StringVar(&f.today, "today", "", "today's policy, to compare with and to gate against")
	flags.StringVar(&f.world, "world", "", "file of assumptions; what it leaves out keeps its default")
	flags.StringVar(&f.spot, "spot", "", `availability of Spot: always, never, markov, a file of zones by step, or .json of one zone's probes`)
	flags.StringSliceVar(&f.zones, "zones", nil, "zones of that file to use; all of them unless given")
	flags.StringVar(&f.prices, "prices", "", "prices over time, or with --region and --size a list of regular prices: a CSV file")
	flags.StringVar(&f.region, "region", "", "region of that list to use")
	flags.StringVar(&f.size, "size", "", "size of that list to use")
	flags.StringVar(&f.delays, "delays", "", "recording of trimtab record that the delay and loss of the pool's signals are learnt from")
	flags.StringSliceVar(&f.baselines, "baselines", nil, `baselines beside the policies; all of them unless given, or "none"`)
	flags.StringArrayVar(&f.autoscale, "autoscale", nil, "Azure autoscale settings to run as a baseline: FILE or NAME=FILE, as trimtab "+
		"import autoscale reads them; may be given several times")
	flags.StringArrayVar(&f.gates, "gate", nil, "MEASURE=PERCENT: fail when worse than today by more; may be given several times")
	flags.IntVar(&f.seeds, "seeds", 1, "runs on each trace")
	flags.Uint64Var(&f.seed, "seed", 1, "the first seed")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "runs made at once; the result does not depend on it")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	flags.StringVar(&f.html, "html", "", "write the report as one HTML file")
	flags.BoolVar(&f.open, "open", false, "decide the recorded views of journals again, without feedback")
	flags.BoolVar(&f.recorded, "as-recorded", false, "with --open: keep the recorded pool's limits, rails and settings")
	flags.BoolVar(&f.everySeed, "every-seed", false, "keep the courses of every seed, not of the first alone")
	flags.BoolVar(&f.noSeries, "no-series", false, "keep no courses: measures and verdicts only")
	f.read.add(cmd)
	return cmd
}

func (f *replayFlags) run(ctx context.Context, h *hall, args []string) error {
	if len(f.on) == 0 {
		return errors.New("--on: a trace is needed; trimtab replay --help lists the kinds")
	}
	subjects, err := f.subjects(ctx, args)
	if err != nil {
		return err
	}
	var result *replay.Result
	if f.open {
		result, err = f.again(ctx, h, subjects)
	} else {
		result, err = f.closed(ctx, h, subjects)
	}
	if err != nil {
		return err
	}
	passed := true
	for _, text := range f.gates {
		measure, allowed, err := replay.ParseGate(text)
		if err != nil {
			return err
		}
		kept, err := result.AddGate(measure, allowed)
		if err != nil {
			return err
		}
		passed = passed && kept
	}
	if f.html != "" {
		if err := writeReport(f.html, replayTitle(result), result); err != nil {
			return err
		}
	}
	if f.json {
		out := json.NewEncoder(h.stdout)
		out.SetIndent("", " ")
		err = out.Encode(result)
	} else {
		err = tell(h.stdout, result)
	}
	if err == nil && !passed {
		err = errors.New("a gate was not kept")
	}
	return err
}

// replayTitle says what is compared.
func replayTitle(r *replay.Result) string {
	var candidates []string
	pool, today := "", ""
	for _, p := range r.Policies {
		switch p.Kind {
		case replay.Candidate:
			candidates, pool = append(candidates, p.Name), p.Pool
		case replay.Today:
			today = " beside " + p.Name
		}
	}
	return fmt.Sprintf("Replay of pool %s: %s%s", pool, strings.Join(candidates, ", "), today)
}

// writeReport writes the page of a result to a file.
func writeReport(path, title string, result *replay.Result) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := report.Write(file, report.OfReplay(title, result)); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// closed runs the closed loop.
func (f *replayFlags) closed(ctx context.Context, h *hall, subjects []replay.Policy) (*replay.Result, error) {
	world, err := f.readWorld()
	if err != nil {
		return nil, err
	}
	if f.delays != "" {
		if world, err = learnDelays(world, f.delays, &subjects[0].Pool); err != nil {
			return nil, err
		}
	}
	o := replay.Options{
		Policies: subjects, World: world, Seeds: f.seeds, First: f.seed, Workers: f.workers,
		EverySeed: f.everySeed, NoSeries: f.noSeries, Baselines: f.baselines, Progress: progress(h.stderr),
	}
	if slices.Equal(f.baselines, []string{"none"}) {
		o.Baselines = []string{}
	}
	for _, on := range f.on {
		s, err := f.read.source(ctx, h, on, &subjects[0], &o.World)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(o.Traces, func(t *trace.Series) bool { return t.Name == s.Name }) {
			s.Name = fmt.Sprintf("%s (%d)", s.Name, len(o.Traces)+1)
		}
		o.Traces = append(o.Traces, s)
	}
	return replay.ClosedLoop(ctx, o)
}

// again runs the open loop.
func (f *replayFlags) again(ctx context.Context, h *hall, subjects []replay.Policy) (*replay.Result, error) {
	if len(f.gates) > 0 {
		return nil, errors.New("--gate: an open loop has no measures; leave out --open")
	}
	var entries []scale.Entry
	for _, on := range f.on {
		more, err := readJournal(ctx, h, on, subjects[0].Pool.Name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return replay.OpenLoop(ctx, subjects, entries, f.recorded, f.workers)
}

// readWorld puts the assumptions together.
func (f *replayFlags) readWorld() (replay.World, error) {
	world := replay.DefaultWorld()
	if f.world != "" {
		data, err := os.ReadFile(f.world)
		if err != nil {
			return world, err
		}
		if world, err = replay.ReadWorld(data); err != nil {
			return world, fmt.Errorf("%s: %w", f.world, err)
		}
	}
	switch f.spot {
	case "":
	case "always", "never", "markov":
		world.Spot.Model = f.spot
	default:
		data, err := os.ReadFile(f.spot)
		if err != nil {
			return world, fmt.Errorf("--spot: right would be always, never, markov or a file: %w", err)
		}
		spot, err := readSpot(f.spot, data)
		if err != nil {
			return world, fmt.Errorf("--spot: %w", err)
		}
		if len(f.zones) > 0 {
			if spot, err = spot.Choose(f.zones...); err != nil {
				return world, err
			}
		}
		world = world.WithSpot(spot)
	}
	world, err := f.withPrices(world)
	if err != nil {
		return world, err
	}
	return world, world.Check()
}

// subjects loads the policies that take part.
func (f *replayFlags) subjects(ctx context.Context, args []string) ([]replay.Policy, error) {
	var all []replay.Policy
	add := func(text, kind string) error {
		name, folder, named := strings.Cut(text, "=")
		if !named {
			name, folder = text, text
		}
		bundle, err := loadFolder(ctx, folder)
		if err != nil {
			return err
		}
		pool, err := f.choose(bundle, folder)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(p replay.Policy) bool { return p.Name == name }) {
			name += " (" + kind + ")"
		}
		all = append(all, replay.Policy{Name: name, Kind: kind, Pool: pool, Policy: bundle})
		return nil
	}
	for _, text := range args {
		if err := add(text, replay.Candidate); err != nil {
			return nil, err
		}
	}
	if f.today != "" {
		if err := add(f.today, replay.Today); err != nil {
			return nil, err
		}
	}
	for _, text := range f.autoscale {
		p, err := autoscaleBaseline(ctx, text, &all[0].Pool)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other replay.Policy) bool { return other.Name == p.Name }) {
			return nil, fmt.Errorf("--autoscale %s: another policy is named %s already; NAME=FILE gives another name", text, p.Name)
		}
		all = append(all, p)
	}
	return all, nil
}

func loadFolder(ctx context.Context, folder string) (*policy.Bundle, error) {
	var files fs.FS = policies.FS
	if folder != "embedded" {
		if _, err := os.Stat(folder); err != nil {
			return nil, fmt.Errorf(`policy %s: right would be a folder of policies or "embedded": %w`, folder, err)
		}
		files = os.DirFS(folder)
	}
	bundle, err := policy.Load(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("policies in %s:\n%w", folder, err)
	}
	return bundle, nil
}

// choose is the pool named, or the only one.
func (f *replayFlags) choose(bundle *policy.Bundle, folder string) (scale.Pool, error) {
	var names []string
	for _, p := range bundle.Pools {
		if p.Name == f.pool || f.pool == "" && len(bundle.Pools) == 1 {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return scale.Pool{}, fmt.Errorf("--pool %q: %s has the pools %s", f.pool, folder, strings.Join(names, ", "))
}
