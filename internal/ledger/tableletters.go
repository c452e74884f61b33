package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/scale"
)

// Keep stores dead letters, grouped into transactions by source partition. All of them are tried; a letter that is kept
// twice is one row.
func (t *Table) Keep(ctx context.Context, letters []scale.DeadLetter) error {
	groups := make(map[string][]action)
	seen := make(map[string]int)
	var order []string
	var problems []error
	for i := range letters {
		r, err := letterRow(&letters[i])
		if err == nil {
			err = r.check()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("sequence %d: %w", letters[i].Source.Sequence, err))
			continue
		}
		a := action{r, aztables.TransactionTypeInsertReplace, ""}
		id := r.partition + "/" + r.key
		if at, twice := seen[id]; twice {
			groups[r.partition][at] = a
			continue
		}
		if groups[r.partition] == nil {
			order = append(order, r.partition)
		}
		seen[id] = len(groups[r.partition])
		groups[r.partition] = append(groups[r.partition], a)
	}
	for _, partition := range order {
		for all := groups[partition]; len(all) > 0; {
			n := fitting(all)
			if err := t.submit(ctx, all[:n]); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", strings.TrimPrefix(partition, deadPrefix), err))
			}
			all = all[n:]
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("ledger: keep dead letters: %w", err)
	}
	return nil
}

// fitting is how many of the actions fit into one transaction, by their sizes in UTF-16 and base64: at least one.
func fitting(actions []action) int {
	total := 0
	for i := range actions {
		total += 2*actions[i].size() + perAction
		if i == maxActions || i > 0 && total > maxPayload {
			return i
		}
	}
	return len(actions)
}

// DeadLetters reads up to n dead letters, those received last first. Of each source partition the n with the highest
// sequence numbers and n without one are looked at.
func (t *Table) DeadLetters(ctx context.Context, n int) ([]scale.DeadLetter, error) {
	if n <= 0 {
		return nil, nil
	}
	var letters []scale.DeadLetter
	err := t.partitions(ctx, deadPrefix, func(first cells) error {
		partition := first.text("PartitionKey")
		for _, filter := range []string{
			within(partition, "0", digestPrefix), within(partition, digestPrefix, after(digestPrefix)),
		} {
			found, err := t.rows(ctx, filter, "", n)
			if err != nil {
				return err
			}
			for _, c := range found {
				l, err := c.letter()
				if err != nil {
					return err
				}
				letters = append(letters, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: read dead letters: %w", err)
	}
	return newest(letters, n), nil
}

// newest puts dead letters in the order in which they are shown and keeps the first n.
func newest(letters []scale.DeadLetter, n int) []scale.DeadLetter {
	slices.SortStableFunc(letters, func(a, b scale.DeadLetter) int {
		if c := b.ReceivedAt.Compare(a.ReceivedAt); c != 0 {
			return c
		}
		pa, ka := letterKeys(&a)
		pb, kb := letterKeys(&b)
		if c := strings.Compare(pa, pb); c != 0 {
			return c
		}
		return strings.Compare(ka, kb)
	})
	return letters[:min(n, len(letters))]
}

// TrimLetters deletes dead letters received before an instant, at most max of them, and says how many it deleted. A
// letter that is kept again in the meantime stays. The service looks through all letters of a partition for it.
func (t *Table) TrimLetters(ctx context.Context, before time.Time, max int) (int, error) {
	if before = before.UTC(); before.Year() < firstYear {
		return 0, nil
	}
	deleted := 0
	err := t.partitions(ctx, deadPrefix, func(first cells) error {
		partition := first.text("PartitionKey")
		for from := ""; deleted < max; {
			filter := fmt.Sprintf("PartitionKey eq '%s' and RowKey gt '%s' and received_at lt datetime'%s'",
				partition, from, before.Format("2006-01-02T15:04:05.0000000Z"))
			found, err := t.rows(ctx, filter, "PartitionKey,RowKey", min(max-deleted, maxActions))
			if err != nil || len(found) == 0 {
				return err
			}
			actions := make([]action, len(found))
			for i, c := range found {
				gone := &row{partition: partition, key: c.text("RowKey")}
				actions[i] = action{gone, aztables.TransactionTypeDelete, c.text("odata.etag")}
			}
			switch err := t.submit(ctx, actions); {
			case err == nil:
				deleted += len(found)
			case !lostRace(err):
				return err
			}
			// Past these in any case: of a race that was lost the next trim finds what is left.
			from = found[len(found)-1].text("RowKey")
		}
		return nil
	})
	if err != nil {
		return deleted, fmt.Errorf("ledger: trim dead letters: %w", err)
	}
	return deleted, nil
}
