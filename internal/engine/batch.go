package engine

import (
	"time"

	"trimtab/internal/metric"
	"trimtab/internal/scale"
)

// Event is one event of a hub as it arrived.
type Event struct {
	Source scale.Source
	Body   []byte
	// Properties are the message's, where the format lies in them.
	Properties metric.Properties
}

// Batch is what one invocation brings: events of one partition, in order.
type Batch struct {
	// Invocation is the host's name for the delivery, the same for all its retries.
	Invocation string
	Events     []Event
}

// Report is what became of a batch or a sweep. Every event and every sample is in one of its counts.
type Report struct {
	Pools []PoolReport
	// Events arrived; DeadLetters of them were kept because of what could not be understood.
	Events, DeadLetters int
	// Samples were decoded; each is counted below, once for each pool that listens to it, or as Unrouted.
	Samples, Unrouted int
	// Misfits met a signal that listens and whose unit they cannot be turned into; who meets no other is Unrouted too.
	Misfits int
	// Namesakes were heard for their machine's name alone, because no list of the set's machines could have it yet;
	// Strangers were not heard, because their machine is called as the set's are and is none of them. Who meets no other
	// signal is Unrouted too.
	Namesakes, Strangers int
	Counts
	// Notices were decoded; each is counted below, once for each pool that it concerns, or as Unheard.
	Notices, Unheard int
	NoticeCounts
}

// Counts say what became of samples.
type Counts struct {
	// Folded changed a window. Corrected replaced an earlier value of the same point, and are among Folded.
	Folded, Corrected int
	// Repeated came with an event that had been folded before.
	Repeated int
	// Late were older than the window keeps, Future further ahead of the clock than skew explains, Absent carried no
	// measurement (count 0).
	Late, Future, Absent int
}

// PoolReport is what became of one pool.
type PoolReport struct {
	Pool string
	// Entry is the key of the journal entry; empty when nothing was evaluated.
	Entry string
	// Known is true when something is known about the scale set: else From and To say nothing.
	Known     bool
	Action    scale.Action
	Direction scale.Direction
	From, To  int
	Wanted    int
	Reason    string
	// Until is when the rail that held the number back lets go; zero if that depends on something else than time.
	Until time.Time
	Mode  scale.Mode
	// Sent is true when a PATCH was sent and accepted; Outcome is the result of an earlier change that ended now.
	Sent    bool
	Outcome *scale.Outcome
	// Spot is what became of the Spot set of a pair; the rest is the regular set's.
	Spot *PoolReport
	Note string
	Counts
	NoticeCounts
}
