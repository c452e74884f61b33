package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/report"
	"trimtab/internal/scale"
)

// reportOptions say what a journal's page is to show.
type reportOptions struct {
	out         string
	since, till string
	most        int
}

// reportCommand draws a journal as one HTML file.
func reportCommand(h *hall) *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report [POOL...]",
		Short: "Draw the journal of some pools, or of all, as one HTML file that opens offline",
		Long: `report reads the journal and writes a page: counts by priority, what the policy wanted, the signals, the rails that fired,
and every change with its explanation.

The ledger is the one that the environment names (` + setLedger + ` and what goes with it).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := openDesk(h)
			if err != nil {
				return err
			}
			defer func() { _ = l.Close() }()
			entries, err := recorded(cmd.Context(), l, args, &o)
			if err != nil {
				return err
			}
			page := report.OfJournal("Trimtab: the journal", entries, explained)
			if err := writePage(o.out, page); err != nil {
				return err
			}
			fmt.Fprintf(h.stdout, "%d entries are drawn in %s\n", len(entries), o.out)
			return nil
		},
	}
	cmd.Flags().StringVar(&o.out, "out", "trimtab-report.html", "the file to write")
	cmd.Flags().StringVar(&o.since, "since", "", "leave out entries before this instant (RFC 3339)")
	cmd.Flags().StringVar(&o.till, "until", "", "leave out entries after this instant (RFC 3339)")
	cmd.Flags().IntVar(&o.most, "most", 20_000, "draw no more than this many entries of a pool, the newest")
	return cmd
}

// recorded are the entries that the page is to show.
func recorded(ctx context.Context, l reading, pools []string, o *reportOptions) (all []scale.Entry, err error) {
	if o.most < 1 {
		return nil, fmt.Errorf("--most %d: at least one entry is needed", o.most)
	}
	var bounds [2]time.Time
	for i, text := range []string{o.since, o.till} {
		if text == "" {
			continue
		}
		if bounds[i], err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("--%s %s: not an RFC 3339 instant, such as 2026-05-04T09:00:00Z", []string{"since", "until"}[i], text)
		}
	}
	named := len(pools) > 0
	if !named {
		if pools, err = l.Pools(ctx); err != nil {
			return nil, err
		}
		slices.Sort(pools)
	}
	for _, pool := range pools {
		entries, err := l.Entries(ctx, pool, bounds[1], o.most)
		if err != nil {
			return nil, err
		}
		if named && len(entries) == 0 {
			return nil, unknownPool(ctx, l, pool)
		}
		for i := range entries {
			if !entries[i].At.Before(bounds[0]) {
				all = append(all, entries[i])
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the journal holds no entry in that time: there is nothing to draw")
	}
	return all, nil
}

// explained is an entry's explanation as text.
func explained(e *scale.Entry) string {
	var b strings.Builder
	if err := explain(&b, e); err != nil {
		return err.Error()
	}
	return b.String()
}

// writePage writes a page whole or not at all: a file that exists is replaced by a complete one.
func writePage(path string, page *report.Page) error {
	var out bytes.Buffer
	if err := report.Write(&out, page); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".trimtab-report-*")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = f.Write(out.Bytes())
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write the report %s: %w", path, err)
	}
	return nil
}
