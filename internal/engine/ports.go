package engine

import (
	"context"

	"trimtab/internal/scale"
)

// Policy turns a view into a proposal.
type Policy interface {
	// Propose never fails: whatever goes wrong is a fault within the proposal, and means hold. It depends on nothing
	// but the view and the policies of Revision.
	Propose(ctx context.Context, view *scale.View) scale.Proposal
	// Revision is the digest of the policies in use.
	Revision() string
}

// Fleet is the scale sets. Every error it returns is a *[scale.FleetError].
type Fleet interface {
	// Read reads the facts of a scale set, afresh.
	Read(ctx context.Context, scaleSet string) (scale.Facts, error)
	// Change sends one conditional PATCH, once: nothing below repeats it.
	Change(ctx context.Context, scaleSet string, change scale.Change) (scale.Accepted, error)
	// Follow asks once how an accepted change stands. An operation that failed is a Progress with a Failure; an error
	// says that the question could not be answered.
	Follow(ctx context.Context, token string) (scale.Progress, error)
}

// Ledger is the memory.
type Ledger interface {
	// Load reads a pool's control row and all its windows in one call. A pool without rows is the zero Stored.
	Load(ctx context.Context, pool string) (scale.Stored, error)
	// Commit writes all of it or nothing. It answers scale.ErrConflict when a version read is no longer the one stored,
	// and nil when a write whose reply was lost turns out to be stored.
	Commit(ctx context.Context, pool string, commit scale.Commit) error
	// Keep stores dead letters under keys that make a repeated write harmless.
	Keep(ctx context.Context, letters []scale.DeadLetter) error
}
