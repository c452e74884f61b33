package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
