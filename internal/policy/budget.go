package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	// maxSteps is some sixty times what an ordinary decision takes (facts: opa 4).
	maxSteps = 10_000
	// patience is how long an evaluation runs unwatched; an ordinary one takes a twentieth of it.
	patience = 5 * time.Millisecond
	// maxGrowth is how many bytes the process may allocate while an evaluation runs on after that. It ends what grows by
	// few, ever dearer steps, strings and arrays doubled again and again, before the machine is out of memory.
	maxGrowth = 64 << 20
	// deadline ends everything else.
	deadline = 100 * time.Millisecond
)

var errOver = errors.New("its time was over")

// budget ends an evaluation after so many steps, for its memory, or when its context is over. The evaluator asks before
// each expression, and a few built-in functions ask within their loops; a goroutine that watches would cost more.
type budget struct {
	ctx context.Context
	// quick is over when the patience is.
	quick context.Context
	steps int
	off   bool
	// before is how much the process had allocated when the patience was over, grew that it was too much.
	before uint64
	grew   bool
	sample []metrics.Sample
	// cut is true when the evaluation was ended by the budget.
	cut bool
}

var _ topdown.Cancel = (*budget)(nil)

// newBudget starts a budget within ctx; stop lets go of its timers.
func newBudget(ctx context.Context) (b *budget, stop func()) {
	ctx, stopDeadline := context.WithTimeoutCause(ctx, deadline, errOver)
	quick, stopPatience := context.WithTimeout(ctx, patience)
	return &budget{ctx: ctx, quick: quick}, func() { stopPatience(); stopDeadline() }
}

// Cancel ends the evaluation at its next step.
func (b *budget) Cancel() { b.off = true }

// Cancelled counts a step and reports whether it is one too many.
func (b *budget) Cancelled() bool {
	b.steps++
	if b.off || b.steps > maxSteps {
		return true
	}
	return b.quick.Err() != nil && (b.ctx.Err() != nil || b.hungry())
}

// hungry reports whether too much was allocated since the patience was over. It counts the whole process: whoever is cut
// off for what others allocate is asked again.
func (b *budget) hungry() bool {
	if b.sample == nil {
		b.sample = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	}
	sample := b.sample
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return false
	}
	now := sample[0].Value.Uint64()
	if b.before == 0 {
		b.before = now
	}
	b.grew = b.grew || now-b.before > maxGrowth
	return b.grew
}

// over reports whether the evaluation was cut off for what may not be its own doing.
func (b *budget) over() bool {
	return b.cut && b.steps <= maxSteps && (b.grew || errors.Is(context.Cause(b.ctx), errOver))
}

// why says what cut the evaluation off.
func (b *budget) why() string {
	if b.steps > maxSteps {
		return fmt.Sprintf("the policy took more than its %d steps", maxSteps)
	}
	cause := context.Cause(b.ctx)
	if b.grew {
		cause = fmt.Errorf("it took more than %d MiB of memory", maxGrowth>>20)
	}
	return fmt.Sprintf("the policy was cut off after %d steps: %v", b.steps, cause)
}
