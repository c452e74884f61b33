package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// Options say which history is run.
type Options struct {
	// Seed is all that chance depends on.
	Seed uint64
	// Steps is how many steps there are at least before the faults stop; 200 to 800, by the seed,
	// unless given. A step is one thing that happens: a call that lands, a reply that arrives, an event sent, a crash, an
	// order.
	Steps int
	// Kind is the kind of pools that the history has; drawn from the seed where it is empty.
	Kind Kind
	// Only, where not nil, lets no other faults happen than these.
	Only []string
	// Real is the shipped policies with their pools, for every tenth history; the zero value for plain Go in all.
	Real Real
	// Redecide is how many entries there are for each one that is decided again; 1 decides all again, 0 none.
	Redecide int
	// Trace keeps a line for each step.
	Trace bool
}

// Real is policies as they ship.
type Real struct {
	Policy engine.Policy
	Pools  []scale.Pool
}

// Violation is a broken invariant.
type Violation struct {
	// Invariant is its number; 0 is liveness.
	Invariant int
	Step      int
	At        time.Time
	Text      string
}

func (v Violation) String() string {
	name := fmt.Sprintf("invariant %d", v.Invariant)
	if v.Invariant == 0 {
		name = "liveness"
	}
	return fmt.Sprintf("%s, step %d, %s: %s", name, v.Step, v.At.Format("15:04:05.000"), v.Text)
}

// Result is what a history came to.
type Result struct {
	Seed   uint64
	Kind   Kind
	Real   bool
	Steps  int
	Counts Counts
	// Digest is a hash over all steps.
	Digest uint64
	// Faults are those that happened, by name and number.
	Faults []string
	// Violation is the first, nil if there is none.
	Violation *Violation
	Trace     []string
	// Chaos and Rest are the virtual times with faults, and without them until all had come to rest.
	Chaos, Rest time.Duration
}

// Counts say how much happened.
type Counts struct {
	Events, Invocations, Commits, Conflicts, Entries, Redecided, Changes, Applied, Deletions, Powered, Cleaned, Intents, Pairs, Histories, Quotas, Capped, Tried, Crashes, Lost, Letters, Faults int
}

// Add sums counts.
func (c *Counts) Add(o Counts) {
	c.Events += o.Events
	c.Invocations += o.Invocations
	c.Commits += o.Commits
	c.Conflicts += o.Conflicts
	c.Entries += o.Entries
	c.Redecided += o.Redecided
	c.Changes += o.Changes
	c.Applied += o.Applied
	c.Deletions += o.Deletions
	c.Intents += o.Intents
	c.Pairs += o.Pairs
	c.Histories += o.Histories
	c.Quotas += o.Quotas
	c.Capped += o.Capped
	c.Tried += o.Tried
	c.Powered += o.Powered
	c.Cleaned += o.Cleaned
	c.Crashes += o.Crashes
	c.Lost += o.Lost
	c.Letters += o.Letters
	c.Faults += o.Faults
}

// Run runs one history.
func Run(o Options) Result {
	if o.Steps <= 0 {
		o.Steps = 200 + 150*int(o.Seed/7%5)
	}
	w := newWorld(o)
	w.begin()
	for w.running() && w.steps < o.Steps {
		w.step()
	}
	w.result.Chaos = w.now.Sub(epoch)
	w.rest()
	w.end()
	w.result.Steps, w.result.Counts.Faults = w.steps, len(w.result.Faults)
	return w.result
}

// Command is how a history is run again.
func (r Result) Command() string {
	return fmt.Sprintf("go test ./tests/sim -run TestHistories -sim.seed=%d -sim.kind=%s", r.Seed, r.Kind)
}

// Shrink looks for a shorter history with the same broken invariant: fewer faults first, then fewer steps. It gives
// what it found and the command that runs it.
func Shrink(o Options, r Result) (Result, string) {
	best, o := r, o
	o.Only = slices.Clone(r.Faults)
	o.Steps = max(r.Violation.Step, 1)
	broken := func(o Options) (Result, bool) {
		got := Run(o)
		return got, got.Violation != nil && got.Violation.Invariant == r.Violation.Invariant
	}
	got, ok := broken(o)
	if !ok {
		o.Steps = 0
		if got, ok = broken(o); !ok {
			return best, best.Command()
		}
	}
	best = got
	for size, tries := (len(o.Only)+1)/2, 0; size > 0 && tries < 200; {
		smaller := false
		for at := 0; at < len(o.Only) && tries < 200; {
			less := o
			less.Only = slices.Delete(slices.Clone(o.Only), at, min(at+size, len(o.Only)))
			tries++
			if got, ok := broken(less); ok {
				best, o, smaller = got, less, true
				continue
			}
			at += size
		}
		if !smaller || size > len(o.Only) {
			size /= 2
		}
	}
	for steps := best.Violation.Step; steps > 10; {
		steps = steps * 3 / 4
		less := o
		less.Steps = steps
		if got, ok := broken(less); ok {
			best, o = got, less
			steps = min(steps, got.Violation.Step)
			continue
		}
		break
	}
	return best, fmt.Sprintf("%s -sim.steps=%d -sim.only=%q", best.Command(), o.Steps, strings.Join(o.Only, ","))
}
