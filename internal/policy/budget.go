package policy

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	// maxSteps is some thirty times what an ordinary decision takes (facts: opa 4).
	maxSteps = 10_000
	// deadline ends what grows by few, ever dearer steps: strings and arrays doubled again and again.
	deadline = 100 * time.Millisecond
)

// budget ends an evaluation after so many steps or when its context is over. The evaluator asks before each expression,
// and a few built-in functions ask within their loops; a goroutine that watches the context would cost more.
type budget struct {
	ctx   context.Context
	steps int
	off   bool
}

var _ topdown.Cancel = (*budget)(nil)

// Cancel ends the evaluation at its next step.
func (b *budget) Cancel() { b.off = true }

// Cancelled counts a step and reports whether it is one too many. The context is asked at each step and not each few
// hundred: memory that doubles with every step is gone after thirty.
func (b *budget) Cancelled() bool {
	b.steps++
	return b.off || b.steps > maxSteps || b.ctx.Err() != nil
}

// why says what cut the evaluation off.
func (b *budget) why() string {
	if b.steps > maxSteps {
		return fmt.Sprintf("the policy took more than its %d steps", maxSteps)
	}
	if cause := context.Cause(b.ctx); cause != nil {
		return fmt.Sprintf("the policy was cut off after %d steps: %v", b.steps, cause)
	}
	return fmt.Sprintf("the policy was cut off after %d steps", b.steps)
}
