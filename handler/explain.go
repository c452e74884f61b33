package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/scale"
)

// explainCommand answers why, and why not, from the journal.
func explainCommand(h *hall) *cobra.Command {
	var at string
	var asJSON, changes bool
	cmd := &cobra.Command{
		Use:   "explain POOL",
		Short: "Explain the last decision about a pool, or the one at an instant",
		Long: `explain reads a pool's journal and prints an entry as a person would want to read it: the decision, every reason with
its numbers, every rail with the number before and after, the signals with their age.

The ledger is the one that the environment names (` + setLedger + ` and what goes with it).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			instant, err := readInstant(at)
			if err != nil {
				return err
			}
			config, err := deskConfig(h)
			if err != nil {
				return err
			}
			l, err := openReading(config)
			if err != nil {
				return err
			}
			defer func() { _ = l.Close() }()
			n := 1
			if changes {
				n = 10_000
			}
			entries, err := l.Entries(cmd.Context(), args[0], instant, n)
			if err != nil {
				return err
			}
			entry := pick(entries, changes)
			switch {
			case len(entries) == 0 && !instant.IsZero():
				return fmt.Errorf("pool %q has no entry at or before %s", args[0], instant.Format(time.RFC3339))
			case len(entries) == 0:
				return unknownPool(cmd.Context(), l, args[0])
			case entry == nil:
				return fmt.Errorf("the last %d entries of pool %q hold no change", len(entries), args[0])
			case asJSON:
				out := json.NewEncoder(h.stdout)
				out.SetIndent("", "  ")
				return out.Encode(entry)
			}
			return explain(h.stdout, entry)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "explain the last entry at or before this instant (RFC 3339)")
	cmd.Flags().BoolVar(&changes, "change", false, "explain the last entry that changed something, or would have")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole entry as JSON")
	return cmd
}

// pick is the newest entry, or the newest that scales.
func pick(entries []scale.Entry, changes bool) *scale.Entry {
	for i := range entries {
		if !changes || entries[i].Decision.Action == scale.Scale {
			return &entries[i]
		}
	}
	return nil
}

func readInstant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("--at " + text + ": not an RFC 3339 instant, such as 2026-05-04T09:00:00Z")
	}
	return t.UTC(), nil
}
