package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Clock tells the time that decisions are made at. The zero Clock is the wall clock; any other runs Scale times as fast
// from Origin, which was now when the wall showed Wall. Several processes given the same three numbers agree.
type Clock struct {
	Scale  float64
	Origin time.Time
	Wall   time.Time
}

// Now is the present by this clock.
func (c Clock) Now() time.Time { return c.At(time.Now()) }

// At is what this clock shows when the wall shows wall; always UTC, without a monotonic reading.
func (c Clock) At(wall time.Time) time.Time {
	if c.Scale == 0 {
		return wall.Round(0).UTC()
	}
	return c.Origin.Add(time.Duration(float64(wall.Sub(c.Wall)) * c.Scale)).Round(0).UTC()
}

// Virtual reports whether the clock shows anything but the wall's time.
func (c Clock) Virtual() bool { return c.Scale != 0 }

// String is the setting that makes this clock, empty for the wall clock.
func (c Clock) String() string {
	if !c.Virtual() {
		return ""
	}
	return fmt.Sprintf("%s,%s,%d", strconv.FormatFloat(c.Scale, 'g', -1, 64), c.Origin.Format(time.RFC3339Nano), c.Wall.UnixMilli())
}

// parseClock reads "SCALE,ORIGIN,WALL": a factor from 1 to 100,000, an instant in RFC 3339, milliseconds of Unix time.
func parseClock(text string) (Clock, error) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return Clock{}, fmt.Errorf("has %d of three parts", len(parts))
	}
	scale, err := strconv.ParseFloat(strings.TrimSpace(parts[0]), 64)
	if err != nil || math.IsNaN(scale) || scale < 1 || scale > 100_000 {
		return Clock{}, fmt.Errorf("scale %q is no number from 1 to 100000", parts[0])
	}
	origin, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(parts[1]))
	if err != nil {
		return Clock{}, fmt.Errorf("origin %q is no RFC 3339 instant", parts[1])
	}
	wall, err := strconv.ParseInt(strings.TrimSpace(parts[2]), 10, 64)
	if err != nil {
		return Clock{}, fmt.Errorf("wall %q is no number of milliseconds", parts[2])
	}
	return Clock{Scale: scale, Origin: origin.UTC(), Wall: time.UnixMilli(wall).UTC()}, nil
}
