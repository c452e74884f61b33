package scale

import "time"

// Change is one write to a scale set: capacity, mix or both, or the deletion of machines by name, and nothing else of it.
type Change struct {
	// Delete names machines that are to go; capacity falls by as many (facts: VMSS 1.1). It stands alone, and is sent
	// without the ETag, which Azure does not take there: what it does to machines that have gone is nothing.
	Delete []string
	// Deallocate and Start name machines that are to be parked or to come back; capacity stays (facts: VMSS 2.2). Each stands
	// alone, and is sent without an ETag, as Delete is.
	Deallocate, Start []string
	// Orchestration tells how Azure takes such names: all at once on a Uniform set, one by one on a Flexible one. What does
	// not name machines leaves it empty.
	Orchestration Orchestration
	// Capacity and Mix are nil when they are left alone.
	Capacity *int
	Mix      *Mix
	// Shrink says that the change makes the set smaller: it leaves the last calls of the subscription to growth.
	Shrink bool
	// ETag makes the write conditional; a change without one is refused before it is sent.
	ETag string
}

// Accepted is what ARM answered to a change that it took.
type Accepted struct {
	// Token resumes the operation in another process; empty when the operation had ended with the answer.
	Token string
	// Done is true when the operation had ended with the answer.
	Done bool
	// PollAfter is how long to wait before asking about it.
	PollAfter time.Duration
}

// Progress is how far an operation has come.
type Progress struct {
	Done bool
	// Failure is nil while the operation goes on and when it succeeded.
	Failure *FleetError
	// PollAfter is how long to wait before asking again.
	PollAfter time.Duration
}
