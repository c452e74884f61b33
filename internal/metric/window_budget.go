package metric

import (
	"errors"
	"fmt"
	"time"

	"trimtab/internal/scale"
)

// What a window may hold. The budget is three quarters of what a table entity may be (facts: events 5.1), so that the ledger has
// room for its own columns and for cutting the bytes into properties of 64 KiB.
const (
	// Budget is the size in bytes that an encoded window never exceeds, provided that CheckBudget passes the signals.
	Budget = pointBudget + counterBudget
	// pointBudget is the share of the points, counterBudget that of the readings of cumulative series.
	pointBudget, counterBudget = 512 << 10, 256 << 10
	// MaxSignals is how many signals a pool may have.
	MaxSignals = 32
	// MaxBuckets is how many buckets one signal's window may have.
	MaxBuckets = 240
	// maxPoints is how many points a bucket keeps apart at most, minPoints the fewest that are good enough: with one
	// alone, a correction of a bucket's first point could not be told from a further point.
	maxPoints, minPoints = 32, 2
	// maxName is how long a signal's name may be, in bytes.
	maxName = 128
)

// The longest encodings, see window_codec.go: a varint has at most 10 bytes, a value 9, a sum 19.
const (
	headSize  = 1 + 1 + 8*10 + 4
	laneSize  = 10 + 8 + 5*10 + 3*5
	pointSize = 1 + 10 + 8 + 10 + 10 + 5 + 5*9
	restSize  = 10 + 10 + 1 + 3*19 + 2*9

	counterSize = 1 + 8 + 4*10 + 5 + 2*9
	fullSize    = 10
	// maxCounters is how many series of readings a bucket keeps at most.
	maxCounters = 512
)

// pointLimit is how many points each bucket may keep apart so that the window stays within the budget even if every
// number in it has its longest encoding. It depends on the definitions alone: a limit that followed the contents would
// make them depend on the order of their arrival.
func pointLimit(signals []scale.Signal) int {
	total, room := 0, pointBudget-headSize
	for i := range signals {
		_, n := extent(&signals[i])
		total += n
		room -= laneSize + len(signals[i].Name)
	}
	return min(max((room/max(total, 1)-restSize)/pointSize, 1), maxPoints)
}

// bucketLimit is how many buckets all signals together may have.
func bucketLimit(signals []scale.Signal) int {
	room := pointBudget - headSize
	for i := range signals {
		room -= laneSize + len(signals[i].Name)
	}
	return room / (restSize + minPoints*pointSize)
}

// CheckBudget says whether the windows of a pool with these signals can be kept within [Budget] bytes for each partition;
// the error names every signal that is in the way and what would be right.
func CheckBudget(signals []scale.Signal) error {
	var problems []error
	if len(signals) > MaxSignals {
		problems = append(problems, fmt.Errorf("%d signals: a pool may have at most %d", len(signals), MaxSignals))
	}
	names := make(map[string]bool, len(signals))
	total, widest, most := 0, "", 0
	for i := range signals {
		sig := &signals[i]
		if names[sig.Name] {
			problems = append(problems, fmt.Errorf("signal %q is there twice: give each signal a name of its own", sig.Name))
		}
		names[sig.Name] = true
		if err := checkSignal(sig); err != nil {
			problems = append(problems, err)
			continue
		}
		_, n := extent(sig)
		total += n
		if n > most {
			most, widest = n, sig.Name
		}
	}
	if limit := bucketLimit(signals); len(problems) == 0 && total > limit {
		problems = append(problems, fmt.Errorf("the signals have %d buckets together: at most %d can be stored; "+
			"shorten the window or widen the bucket of %q, which has the most (%d)", total, limit, widest, most))
	}
	return errors.Join(problems...)
}

func checkSignal(sig *scale.Signal) error {
	switch {
	case len(sig.Name) > maxName:
		return fmt.Errorf("signal %q: its name has %d bytes: at most %d", sig.Name, len(sig.Name), maxName)
	case sig.Bucket < time.Second:
		return fmt.Errorf("signal %q: its bucket is %v: at least 1s", sig.Name, sig.Bucket)
	case sig.Window < sig.Bucket:
		return fmt.Errorf("signal %q: its window of %v is shorter than its bucket of %v: make it at least as long",
			sig.Name, sig.Window, sig.Bucket)
	}
	if n := (sig.Window-1)/sig.Bucket + 1; n > MaxBuckets {
		least := ((sig.Window-1)/MaxBuckets/time.Second + 1) * time.Second
		return fmt.Errorf("signal %q: a window of %v in buckets of %v makes %d buckets: at most %d; "+
			"widen the bucket to %v or shorten the window to %v", sig.Name, sig.Window, sig.Bucket, n, MaxBuckets,
			least, sig.Bucket*MaxBuckets)
	}
	return nil
}
