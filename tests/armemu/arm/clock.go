package arm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseClock reads "SCALE,ORIGIN,WALL": a clock that shows ORIGIN (RFC 3339) when the wall clock shows WALL
// (milliseconds since 1970) and runs SCALE times as fast. Two processes given the same text agree on the time.
func ParseClock(text string, wall func() time.Time) (func() time.Time, error) {
	part := strings.Split(text, ",")
	if len(part) != 3 {
		return nil, fmt.Errorf("clock %q: want SCALE,ORIGIN,WALL", text)
	}
	scale, err := strconv.ParseFloat(part[0], 64)
	if err != nil || !(scale > 0 && scale <= 1e6) {
		return nil, fmt.Errorf("clock %q: the scale is a number above 0 and up to 1000000", text)
	}
	origin, err := time.Parse(time.RFC3339Nano, part[1])
	if err != nil {
		return nil, fmt.Errorf("clock %q: origin: %w", text, err)
	}
	ms, err := strconv.ParseInt(part[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("clock %q: wall: %w", text, err)
	}
	from := time.UnixMilli(ms)
	return func() time.Time {
		return origin.Add(time.Duration(float64(wall().Sub(from)) * scale)).UTC()
	}, nil
}
