// Package trace reads and makes the courses that a replay is run on: load over time from files of several kinds or from
// a named generator, and the availability of Spot by zone. It is pure: what it is given are bytes, never a path.
//
// A course has one value for each step and no gaps: what a file lacks is filled with the value before, and counted.
package trace

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Series is a course of load.
type Series struct {
	Name string
	// Origin says where it comes from: a kind of file, or the generator with its numbers.
	Origin string
	Start  time.Time
	Step   time.Duration
	// Values are never NaN, infinite or negative.
	Values []float64
	// Missing is how many of them the source did not have.
	Missing int
	// Notes are what is to be known of the values, such as where they may be too low.
	Notes []string
	// Capacity is how much one instance carries, in the unit of the values, where the source knows it; 0 leaves it to the
	// world.
	Capacity float64
}

// maxSteps bounds a series: five years of minutes.
const maxSteps = 5 * 366 * 24 * 60

// point is one measured value.
type point struct {
	at    time.Time
	value float64
}

// even brings points onto an even grid. Several points in one step are averaged; a step without any takes the value of
// the one before. A step of 0 takes the most frequent distance between points.
func even(name, origin string, points []point, step time.Duration) (*Series, error) {
	if len(points) == 0 {
		return nil, fmt.Errorf("trace %s: no values", name)
	}
	slices.SortStableFunc(points, func(a, b point) int { return a.at.Compare(b.at) })
	if step == 0 {
		var err error
		if step, err = usual(points); err != nil {
			return nil, fmt.Errorf("trace %s: %w", name, err)
		}
	}
	first, last := points[0].at, points[len(points)-1].at
	n := int64(last.Sub(first)/step) + 1
	if n > maxSteps {
		return nil, fmt.Errorf("trace %s: %d steps of %s are more than the %d that can be replayed: choose a longer interval", name, n, step, maxSteps)
	}
	s := &Series{Name: name, Origin: origin, Start: first.UTC(), Step: step, Values: make([]float64, n)}
	counts := make([]int, n)
	for _, p := range points {
		i := p.at.Sub(first) / step
		counts[i]++
		s.Values[i] += (p.value - s.Values[i]) / float64(counts[i])
	}
	for i := range s.Values {
		if counts[i] == 0 {
			s.Values[i] = s.Values[i-1]
			s.Missing++
		}
	}
	return s, nil
}

// usual is the most frequent distance between points, the shorter of two equally frequent ones.
func usual(points []point) (time.Duration, error) {
	counts := map[time.Duration]int{}
	for i := 1; i < len(points); i++ {
		if d := points[i].at.Sub(points[i-1].at); d > 0 {
			counts[d]++
		}
	}
	if len(counts) == 0 {
		return 0, errors.New("the interval cannot be told from one instant; --interval names it")
	}
	var best time.Duration
	for d, n := range counts {
		if c := cmp.Compare(n, counts[best]); best == 0 || c > 0 || c == 0 && d < best {
			best = d
		}
	}
	return best, nil
}

// usable refuses what is no load.
func usable(v float64) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return errors.New("is no finite number")
	case v < 0:
		return errors.New("is below zero, which no load is")
	}
	return nil
}

// At is the value in force at an offset from the start; before and after its ends the series goes on with its first and
// last value.
func (s *Series) At(offset time.Duration) float64 {
	return s.Values[min(max(int(offset/s.Step), 0), len(s.Values)-1)]
}

// Length is the span of the series.
func (s *Series) Length() time.Duration { return time.Duration(len(s.Values)) * s.Step }

// Cut is the part from offset from on, length long; a length of 0 goes to the end.
func (s *Series) Cut(from, length time.Duration) (*Series, error) {
	first := int(from / s.Step)
	last := len(s.Values)
	if length > 0 {
		last = min(last, first+int(length/s.Step))
	}
	if length > 0 && length < s.Step {
		return nil, fmt.Errorf("trace %s: a span of %s is shorter than its step of %s", s.Name, length, s.Step)
	}
	if first < 0 || first >= last {
		return nil, fmt.Errorf("trace %s: nothing is left of %s after %s", s.Name, s.Length(), from)
	}
	c := *s
	c.Start, c.Values = s.Start.Add(time.Duration(first)*s.Step), s.Values[first:last]
	return &c, nil
}

// Peak is the largest value.
func (s *Series) Peak() float64 { return slices.Max(s.Values) }

// Mean is the mean of the values.
func (s *Series) Mean() float64 {
	sum := 0.0
	for _, v := range s.Values {
		sum += v
	}
	return sum / float64(len(s.Values))
}
