package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"trimtab/internal/scale"
	"trimtab/internal/whatif"
)

// explainCommand answers why, and why not, from the journal.
func explainCommand(h *hall) *cobra.Command {
	var at, folder string
	var asJSON, changes bool
	cmd := &cobra.Command{
		Use:   "explain POOL",
		Short: "Explain the last decision about a pool, or the one at an instant",
		Long: `explain reads a pool's journal and prints an entry as a person would want to read it: the decision, every reason with
its numbers, every rail with the number before and after, what would have to change for another decision, the signals
with their age. What would change it is asked of the policies at hand; where these are not the ones that decided, it says so.

The ledger is the one that the environment names (` + setLedger + ` and what goes with it).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			instant, err := readInstant(at)
			if err != nil {
				return err
			}
			l, err := openDesk(h)
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
			}
			x := withTurns(cmd.Context(), h, folder, entry)
			if asJSON {
				return x.json(h.stdout)
			}
			return x.text(h.stdout)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "explain the last entry at or before this instant (RFC 3339)")
	cmd.Flags().BoolVar(&changes, "change", false, "explain the last entry that changed something, or would have")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole entry as JSON, with every rail and what would change it")
	cmd.Flags().StringVar(&folder, "policies", "", "folder of policies to ask what would change it, in place of what "+setPolicies+" names")
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

// withTurns adds to an entry what would change it. Without policies that decide as the entry says, it says why there is none.
func withTurns(ctx context.Context, h *hall, folder string, e *scale.Entry) *explanation {
	x := &explanation{Entry: e, Rails: whatif.Rails(&e.Proposal, &e.Decision)}
	bundle, err := bundleOf(ctx, h, folder)
	if err != nil {
		x.Reckoned = fmt.Sprintf("not asked: the policies at hand do not load: %v", err)
		return x
	}
	a := whatif.Ask(ctx, bundle, &e.View)
	switch {
	case !whatif.Same(a.Decision, e.Decision):
		x.Reckoned = fmt.Sprintf("not asked: the policies at hand (%s) decide another thing on this view (%s %d); the entry's were %s",
			bundle.Revision(), a.Decision.Action, a.Decision.To.Instances, e.Proposal.Revision)
		return x
	case bundle.Revision() != e.Proposal.Revision:
		x.Reckoned = fmt.Sprintf("asked of the policies at hand (%s), which decide the same; the entry's were %s", bundle.Revision(), e.Proposal.Revision)
	}
	x.Turns = whatif.Turns(ctx, bundle, &e.View)
	if x.Turns == nil {
		x.Turns = []whatif.Turn{}
	}
	return x
}
