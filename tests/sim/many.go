package sim

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Summary is what many histories came to.
type Summary struct {
	Histories, Steps, Fewest, Violations int
	Counts                               Counts
	// Broken are the histories with a violation, the first few of them.
	Broken []Result
	Took   time.Duration
}

// keptBroken bounds how many broken histories a summary holds.
const keptBroken = 8

// Many runs histories of consecutive seeds from first on, several at a time, until there are n, or the context ends, or
// eight are broken. Each is told to progress, if there is one, in the order in which they end.
func Many(ctx context.Context, first uint64, n, workers int, o Options, progress func(Summary)) Summary {
	var s Summary
	var mu sync.Mutex
	var next atomic.Int64
	var group sync.WaitGroup
	begun := time.Now()
	for range max(workers, 1) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				one := o
				one.Seed = first + uint64(i)
				r := Run(one)
				mu.Lock()
				s.add(r)
				s.Took = time.Since(begun)
				if progress != nil {
					progress(s)
				}
				stop := len(s.Broken) >= keptBroken
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	group.Wait()
	return s
}

func (s *Summary) add(r Result) {
	s.Histories++
	s.Steps += r.Steps
	if s.Fewest == 0 || r.Steps < s.Fewest {
		s.Fewest = r.Steps
	}
	s.Counts.Add(r.Counts)
	if r.Violation != nil {
		s.Violations++
		if len(s.Broken) < keptBroken {
			s.Broken = append(s.Broken, r)
		}
	}
}
