package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"trimtab/internal/scale"
)

// Reorder changes what operators have ordered for a pool: it holds from the next decision on (invariant 12). attempt
// names the write. It competes for the control row like every other writer, in a bounded loop.
func Reorder(ctx context.Context, ledger Ledger, pool, attempt string, change func(*scale.Orders)) (scale.Orders, error) {
	for try := range 2 * recordTries {
		stored, err := ledger.Load(ctx, pool)
		if err != nil {
			return scale.Orders{}, fmt.Errorf("load %s: %w", pool, err)
		}
		c := stored.Control
		c.Version = scale.ControlVersion
		change(&c.Orders)
		// What was ordered is news: the next sweep evaluates.
		c.RestUntil = time.Time{}
		c.Attempt = fmt.Sprintf("%s-%d", attempt, try)
		err = ledger.Commit(ctx, pool, scale.Commit{
			Attempt: c.Attempt, Control: &c, ControlVersion: stored.ControlVersion,
		})
		if err == nil {
			return c.Orders, nil
		}
		if !errors.Is(err, scale.ErrConflict) {
			return scale.Orders{}, fmt.Errorf("store orders of %s: %w", pool, err)
		}
	}
	return scale.Orders{}, fmt.Errorf("store orders of %s: %w", pool, scale.ErrConflict)
}
