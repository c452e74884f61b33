package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/scale"
)

// exporting is what the journal command was asked for.
type exporting struct{ out, since, until string }

// journalCommand exports the journal, so that it can be replayed where the ledger is not at hand.
func journalCommand(h *hall) *cobra.Command {
	var x exporting
	cmd := &cobra.Command{
		Use:   "journal [POOL...] --out FILE",
		Short: "Export the journal of some pools, or of all, to a file that replay reads",
		Long: `journal writes entries as the ledger holds them, outcomes joined, one JSON object a line, pool by pool and newest first;
compressed where the file's name ends in .gz; "-" is standard output. It stops nobody from writing. The Spot set of a pair
comes with its pool.

The ledger is the one that the environment names (` + setLedger + ` and what goes with it).`,
		RunE: func(cmd *cobra.Command, args []string) error { return x.run(cmd.Context(), h, args, time.Now()) },
	}
	cmd.Flags().StringVar(&x.out, "out", "", "file to write, .gz for a compressed one, - for standard output")
	cmd.Flags().StringVar(&x.since, "since", "", "leave out entries before this instant, in RFC 3339, or so long ago, such as 720h")
	cmd.Flags().StringVar(&x.until, "until", "", "leave out entries after this instant, likewise")
	return cmd
}

func (x *exporting) run(ctx context.Context, h *hall, pools []string, now time.Time) error {
	if x.out == "" {
		return errors.New("--out names no file; right would be one such as journal.jsonl.gz, or -")
	}
	since, err := instant("--since", x.since, now)
	if err != nil {
		return err
	}
	until, err := instant("--until", x.until, now)
	if err != nil {
		return err
	}
	l, err := openDesk(h)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	there, err := l.Pools(ctx)
	if err != nil {
		return err
	}
	for _, pool := range pools {
		if !slices.Contains(there, pool) {
			return unknownPool(ctx, l, pool)
		}
	}
	there = slices.DeleteFunc(there, func(name string) bool {
		return len(pools) > 0 && !slices.Contains(pools, strings.TrimSuffix(name, scale.SpotSuffix))
	})
	n, err := x.write(h.stdout, func(put func(*scale.Entry) error) error {
		for _, pool := range there {
			if err := walk(ctx, l, pool, since, until, put); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%d entries written: %w", n, err)
	}
	fmt.Fprintf(h.stderr, "%d entries of %d pools written to %s\n", n, len(there), x.out)
	return nil
}

// write writes what each puts. What was written before an error stays, whole lines of it.
func (x *exporting) write(stdout io.Writer, each func(put func(*scale.Entry) error) error) (n int, err error) {
	out := stdout
	if x.out != "-" {
		file, failure := os.OpenFile(x.out, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if failure != nil {
			return 0, failure
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	if strings.HasSuffix(x.out, ".gz") {
		zip := gzip.NewWriter(out)
		defer func() { err = errors.Join(err, zip.Close()) }()
		out = zip
	}
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	err = each(func(e *scale.Entry) error {
		n++
		return lines.Encode(e)
	})
	return n, err
}

// walk visits a pool's entries from the newest no later than until back to the oldest no earlier than since; a zero time is
// no bound. Entries of one instant are visited once each, wherever pages end.
func walk(ctx context.Context, l reading, pool string, since, until time.Time, visit func(*scale.Entry) error) error {
	seen, size := map[string]bool{}, pageSize
	for {
		page, err := l.Entries(ctx, pool, until, size)
		if err != nil {
			return err
		}
		fresh := 0
		for i := range page {
			e := &page[i]
			if e.At.Before(since) {
				return nil
			}
			if seen[e.Key] {
				continue
			}
			fresh++
			if err := visit(e); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
		if fresh == 0 {
			// A page of nothing but one instant: a longer one holds what comes before it.
			size *= 2
			continue
		}
		until, size = page[len(page)-1].At, pageSize
		seen = map[string]bool{}
		for i := len(page) - 1; i >= 0 && page[i].At.Equal(until); i-- {
			seen[page[i].Key] = true
		}
	}
}

// pageSize is how many entries are read at once.
const pageSize = 500
