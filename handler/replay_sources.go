package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/record"
	"trimtab/internal/replay"
	"trimtab/internal/replay/trace"
	"trimtab/internal/scale"
)

// readFlags say how traces are read.
type readFlags struct {
	csv                 trace.CSVOptions
	metric, aggregation string
	signal              string
	from, last          time.Duration
}

func (r *readFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&r.csv.Time, "time", "", "CSV: name or number of the column of times; the first unless given")
	flags.StringVar(&r.csv.Value, "value", "", "CSV: name or number of the column of values; the second unless given")
	flags.StringVar(&r.csv.Unit, "unit", "", "CSV: unit of times that are numbers: min, s, ms, us or ns")
	flags.DurationVar(&r.csv.Interval, "interval", 0, "CSV: distance of the rows; the most frequent one unless given")
	flags.BoolVar(&r.csv.Count, "count-rows", false, "CSV: each row is one event; the load is how many there are in an interval")
	flags.StringVar(&r.metric, "metric", "", "Azure Monitor: the metric; the only one unless given")
	flags.StringVar(&r.aggregation, "aggregation", "", "Azure Monitor: average, total, maximum, minimum or count")
	flags.StringVar(&r.signal, "signal", "", "journal, recording: the pool's signal that is the load; the first that can be unless given")
	flags.DurationVar(&r.from, "from", 0, "leave out so much of each trace's beginning")
	flags.DurationVar(&r.last, "span", 0, "replay so much of each trace; all of it unless given")
}

// source reads or makes one trace.
func (r *readFlags) source(ctx context.Context, h *hall, on string, p *replay.Policy, w *replay.World) (*trace.Series, error) {
	s, err := r.whole(ctx, h, on, p, w)
	if err != nil || r.from == 0 && r.last == 0 {
		return s, err
	}
	return s.Cut(r.from, r.last)
}

func (r *readFlags) whole(ctx context.Context, h *hall, on string, p *replay.Policy, w *replay.World) (*trace.Series, error) {
	name := strings.TrimSuffix(filepath.Base(on), filepath.Ext(on))
	switch {
	case on == "ledger", strings.HasSuffix(on, ".jsonl"), strings.HasSuffix(on, ".jsonl.gz"):
		return r.history(ctx, h, on, p, w)
	case strings.HasSuffix(on, ".csv"):
		data, err := os.ReadFile(on)
		if err != nil {
			return nil, err
		}
		options := r.csv
		options.Origin = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
		return trace.ReadCSV(name, data, options)
	case strings.HasSuffix(on, ".json"):
		data, err := os.ReadFile(on)
		if err != nil {
			return nil, err
		}
		return trace.ReadMonitor(name, data, r.metric, r.aggregation)
	}
	shape, err := trace.ParseShape(on)
	if err != nil {
		return nil, fmt.Errorf("--on %s: it ends neither in .csv, .json, .jsonl nor .jsonl.gz, and %w", on, err)
	}
	return shape.Generate(), nil
}

// history makes a load of a journal or a recording.
func (r *readFlags) history(ctx context.Context, h *hall, on string, p *replay.Policy, w *replay.World) (*trace.Series, error) {
	if on != "ledger" {
		if events, err := readRecording(on); err == nil && len(events) > 0 {
			return r.recorded(on, events, p)
		} else if err != nil && !errors.Is(err, errNoRecording) {
			return nil, err
		}
	}
	entries, err := readJournal(ctx, h, on, p.Pool.Name)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i := range p.Pool.Signals {
		name := p.Pool.Signals[i].Name
		if r.signal != "" && r.signal != name {
			continue
		}
		full, ok := w.Full(&p.Pool, name)
		if !ok {
			continue
		}
		s, err := replay.LoadOf(p.Pool.Name, entries, name, full)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(append(errs, fmt.Errorf("--on %s: no signal of pool %s says what the load was; name one with --signal", on, p.Pool.Name))...)
}

var errNoRecording = errors.New("no recording")

// readRecording reads a recording; errNoRecording says that the file is something else.
func readRecording(path string) ([]record.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines, err := record.NewReader(f)
	if err != nil {
		return nil, err
	}
	first, err := lines.Next()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoRecording, err)
	}
	events, err := lines.All()
	return append([]record.Event{first}, events...), err
}

// readJournal reads a pool's entries from a file or from the ledger.
func readJournal(ctx context.Context, h *hall, on, pool string) ([]scale.Entry, error) {
	if on != "ledger" {
		data, err := os.ReadFile(on)
		if err != nil {
			return nil, err
		}
		if data, err = unzipped(data); err != nil {
			return nil, fmt.Errorf("--on %s: %w", on, err)
		}
		entries, err := ledgerEntries(data)
		if err != nil {
			entries, err = replay.ReadEntries(data)
		}
		if err == nil {
			entries, err = entriesOf(pool, entries)
		}
		if err != nil {
			return nil, fmt.Errorf("--on %s: %w", on, err)
		}
		return entries, nil
	}
	l, err := openDesk(h)
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	var all []scale.Entry
	for _, name := range []string{pool, pool + scale.SpotSuffix} {
		if err := walk(ctx, l, name, time.Time{}, time.Time{}, func(e *scale.Entry) error {
			all = append(all, *e)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, unknownPool(ctx, l, pool)
	}
	return all, nil
}

// entriesOf are the entries of a pool, or of both sets of a pair, among those of others.
func entriesOf(pool string, entries []scale.Entry) ([]scale.Entry, error) {
	others := map[string]bool{}
	own := slices.DeleteFunc(entries, func(e scale.Entry) bool {
		if e.Pool == pool || e.Pool == pool+scale.SpotSuffix {
			return false
		}
		others[e.Pool] = true
		return true
	})
	if len(own) == 0 {
		return nil, fmt.Errorf("it holds no entry of pool %s; it has those of: %s", pool, strings.Join(slices.Sorted(maps.Keys(others)), ", "))
	}
	return own, nil
}

// unzipped is what a file holds, whether it is compressed or not.
func unzipped(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read a compressed file: %w", err)
	}
	all, err := io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("read a compressed file: %w", err)
	}
	return all, nil
}

// ledgerEntries reads one entry as explain --json prints it, over several lines.
func ledgerEntries(data []byte) ([]scale.Entry, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	var e scale.Entry
	if err := d.Decode(&e); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || e.Pool == "" {
		return nil, errors.New("more than one entry")
	}
	return []scale.Entry{e}, nil
}
