package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"trimtab/internal/scale"
)

// action is one row of a transaction and how it is written.
type action struct {
	*row
	how aztables.TransactionType
	// version is what the row must be of; required for a replacement, because the SDK turns one without it into an
	// insertion (facts: events 5.2).
	version string
}

// Commit writes what belongs together as one transaction. A conflict, a lost reply and a failure of the service are
// followed by a look at what is stored: rows that carry the commit's attempt are its own.
func (t *Table) Commit(ctx context.Context, pool string, c scale.Commit) error {
	if err := check(pool, &c); err != nil {
		return fmt.Errorf("ledger: commit %q: %w", pool, err)
	}
	actions, err := plan(pool, &c)
	if err != nil {
		return fmt.Errorf("ledger: commit %s: %w", pool, err)
	}
	err = t.submit(ctx, actions)
	if err == nil {
		return nil
	}
	var f *failure
	conflict := errors.As(err, &f) && f.conflict()
	if ctx.Err() != nil || !conflict && !unsure(err) {
		return fmt.Errorf("ledger: commit %s: %w", pool, err)
	}
	stored, lookErr := t.wrote(ctx, pool, &c)
	switch {
	case stored:
		return nil
	case lookErr != nil:
		return fmt.Errorf("ledger: commit %s: %w; see whether it is stored: %w", pool, err, lookErr)
	case conflict:
		return fmt.Errorf("ledger: commit %s: %w (%w)", pool, scale.ErrConflict, err)
	default:
		return fmt.Errorf("ledger: commit %s: %w", pool, err)
	}
}

// plan lays a commit out as actions.
func plan(pool string, c *scale.Commit) ([]action, error) {
	var actions []action
	conditional := func(r *row, version string) {
		how := aztables.TransactionTypeAdd
		if version != "" {
			how = aztables.TransactionTypeUpdateReplace
		}
		actions = append(actions, action{r, how, version})
	}
	if c.Control != nil {
		r, err := controlRow(pool, c.Attempt, c.Control)
		if err != nil {
			return nil, err
		}
		conditional(r, c.ControlVersion)
	}
	for i := range c.Windows {
		conditional(windowRow(pool, c.Attempt, &c.Windows[i]), c.Windows[i].Version)
	}
	for _, n := range notes(c) {
		r, err := noteRow(pool, c.Attempt, &n)
		if err != nil {
			return nil, err
		}
		actions = append(actions, action{r, aztables.TransactionTypeInsertMerge, ""})
	}
	return actions, nil
}

// submit sends one transaction, after the service's own rules were applied to it: the emulator would let much pass that
// the service refuses (facts: events 5.3).
func (t *Table) submit(ctx context.Context, actions []action) error {
	if len(actions) == 0 {
		return nil
	}
	prepared, err := prepare(actions)
	if err != nil {
		return err
	}
	_, err = t.client.SubmitTransaction(ctx, prepared, nil)
	return diagnose(err)
}

// prepare checks a transaction and turns it into what the SDK sends.
func prepare(actions []action) (prepared []aztables.TransactionAction, err error) {
	if len(actions) > maxActions {
		return nil, fmt.Errorf("transaction of %d rows, the service takes %d", len(actions), maxActions)
	}
	size := 0
	seen := make(map[string]bool, len(actions))
	for _, a := range actions {
		if a.partition != actions[0].partition {
			return nil, fmt.Errorf("transaction over partitions %s and %s", actions[0].partition, a.partition)
		}
		if seen[a.key] {
			return nil, fmt.Errorf("transaction writes row %s twice", a.key)
		}
		seen[a.key] = true
		if err := a.check(); err != nil {
			return nil, err
		}
		entity, err := a.entity()
		if err != nil {
			return nil, fmt.Errorf("encode row %s: %w", a.key, err)
		}
		next := aztables.TransactionAction{ActionType: a.how, Entity: entity}
		if a.version != "" {
			tag := azcore.ETag(a.version)
			next.IfMatch = &tag
		} else if a.how == aztables.TransactionTypeUpdateReplace {
			return nil, fmt.Errorf("row %s would be replaced whatever it holds", a.key)
		}
		prepared = append(prepared, next)
		// The keys stand in the URL too. The estimate is never too low.
		size += len(entity) + 2*len(a.partition) + 2*len(a.key) + perAction
	}
	if size > maxPayload {
		return nil, fmt.Errorf("transaction of %d bytes, the service takes %d", size, maxPayload)
	}
	return prepared, nil
}

// wrote reports whether a row of the commit carries its attempt. Then all of it was stored, since a transaction is, even
// if another writer has replaced the control row since. The entry is looked at first: nobody else writes it.
func (t *Table) wrote(ctx context.Context, pool string, c *scale.Commit) (bool, error) {
	quoted := strings.ReplaceAll(c.Attempt, "'", "''")
	partition := partitionOf(pool)
	var filters []string
	for _, n := range notes(c) {
		column := "attempt"
		if n.entry == nil {
			column = "outcome_attempt"
		}
		filters = append(filters, fmt.Sprintf("PartitionKey eq '%s' and RowKey eq '%s' and %s eq '%s'",
			partition, entryPrefix+n.key, column, quoted))
	}
	if c.Control != nil || len(c.Windows) > 0 {
		filters = append(filters, fmt.Sprintf("%s and attempt eq '%s'", within(partition, controlKey, entryPrefix), quoted))
	}
	for _, filter := range filters {
		found, err := t.rows(ctx, filter, "RowKey", 1)
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
	}
	return false, nil
}
