package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/scale"
)

// Entries reads up to n entries of a pool, newest first, the first of them no later than before; the zero time means the
// newest. Outcomes are joined.
func (t *Table) Entries(ctx context.Context, pool string, before time.Time, n int) ([]scale.Entry, error) {
	if n <= 0 {
		return nil, nil
	}
	from := entryPrefix
	if !before.IsZero() {
		from += inverted(before)
	}
	found, err := t.rows(ctx, within(partitionOf(pool), from, after(entryPrefix)), "", n)
	if err != nil {
		return nil, fmt.Errorf("ledger: read entries of %s: %w", pool, err)
	}
	entries := make([]scale.Entry, 0, len(found))
	for _, c := range found {
		e, err := c.entry(pool)
		if err != nil {
			return nil, fmt.Errorf("ledger: read entries of %s: %w", pool, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Pools names the pools that have a control row, in order of their keys. It hops from partition to partition, one call
// each, because a query over all of them would walk through every journal.
func (t *Table) Pools(ctx context.Context) ([]string, error) {
	var names []string
	err := t.partitions(ctx, poolPrefix, func(c cells) error {
		if c.text("RowKey") == controlKey {
			names = append(names, c.text("pool"))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: list pools: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// partitions calls visit with the first row of every partition whose key begins with the prefix.
func (t *Table) partitions(ctx context.Context, prefix string, visit func(cells) error) error {
	for last := prefix; ; {
		filter := fmt.Sprintf("PartitionKey gt '%s' and PartitionKey lt '%s'", last, after(prefix))
		found, err := t.rows(ctx, filter, "PartitionKey,RowKey,pool", 1)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := visit(found[0]); err != nil {
			return err
		}
		last = found[0].text("PartitionKey")
	}
}

// Trim deletes entries older than before, at most max of them, and says how many it deleted. The control row and the
// windows stay. Several may trim at once: each deletes what the others left.
func (t *Table) Trim(ctx context.Context, pool string, before time.Time, max int) (int, error) {
	deleted := 0
	// A key at before itself ends in a hyphen and more; the tilde sorts after all of those.
	from := entryPrefix + inverted(before) + "~"
	for deleted < max {
		filter := within(partitionOf(pool), from, after(entryPrefix))
		found, err := t.rows(ctx, filter, "PartitionKey,RowKey", min(max-deleted, maxActions))
		if err != nil {
			return deleted, fmt.Errorf("ledger: trim %s: %w", pool, err)
		}
		if len(found) == 0 {
			return deleted, nil
		}
		actions := make([]action, len(found))
		for i, c := range found {
			gone := &row{partition: c.text("PartitionKey"), key: c.text("RowKey")}
			actions[i] = action{gone, aztables.TransactionTypeDelete, "*"}
		}
		switch err := t.submit(ctx, actions); {
		case err == nil:
			deleted += len(found)
		case lostRace(err):
			// Somebody else, or our own earlier try, deleted some of these: what is left is read on the next turn, past
			// them, so that two that trim cannot hold each other up.
			from = found[len(found)-1].text("RowKey") + "~"
		default:
			return deleted, fmt.Errorf("ledger: trim %s: %w", pool, err)
		}
	}
	return deleted, nil
}

// lostRace reports whether the rows were no longer there.
func lostRace(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.conflict()
}
