package metric

import (
	"bytes"
	"math"
	"time"

	"trimtab/internal/scan"
)

// timeOf reads the time of an element; why says what is wrong with it, otherwise "".
func (d *Decoder) timeOf(r *record) (at time.Time, why string) {
	text, plain := r.text[fTime], r.plain.has(fTime)
	if plain && len(text) > 0 && bytes.Equal(text, d.timeText) {
		return d.time, ""
	}
	if r.timeIsNumber {
		return epoch(text)
	}
	if at, why = sampleTime(text); why == "" && plain {
		d.timeText, d.time = append(d.timeText[:0], text...), at
	}
	return at, why
}

// sampleTime reads the layouts that senders of metrics really use (facts: events 1.11): RFC 3339 with any fraction, a
// missing zone meaning UTC, blanks beside the colons; RFC 1123 in GMT or UTC; and the digits of an epoch.
func sampleTime(text []byte) (at time.Time, why string) {
	at, ok := scan.Time(text)
	switch {
	case ok:
	case len(text) == 0:
		return at, "is empty"
	case text[0] >= '0' && text[0] <= '9' && bytes.IndexByte(text, '/') > 0:
		return at, "can be read as two dates: write the year first, 2006-01-02T15:04:05Z"
	case bytes.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) < 0:
		return epoch(text)
	case bytes.Contains(text, []byte(": ")):
		at, ok = scan.Time(bytes.ReplaceAll(text, []byte(": "), []byte(":")))
	default:
		at, ok = rfc1123(text)
	}
	switch {
	case !ok:
		return at, "is no time that can be read: write it as 2006-01-02T15:04:05Z"
	case at.Year() < 1970:
		return at, "is before 1970"
	}
	return at, ""
}

// rfc1123 reads a time of an HTTP header. The weekday is not held against it: the documentation itself gets it wrong.
// Of the zones only GMT and UTC are known; time.Parse would take any other for UTC too.
func rfc1123(text []byte) (time.Time, bool) {
	if !bytes.HasSuffix(text, []byte(" GMT")) && !bytes.HasSuffix(text, []byte(" UTC")) {
		return time.Time{}, false
	}
	at, err := time.Parse("Mon, 02 Jan 2006 15:04:05", string(text[:len(text)-4]))
	return at, err == nil
}

// The instants between which an epoch must lie, in seconds: the years 2000 to 2099. So narrow a range tells seconds,
// milliseconds, microseconds and nanoseconds apart by their size alone.
const (
	epochFirst = 946_684_800
	epochEnd   = 4_102_444_800
)

// epoch reads the digits of an epoch, with a fraction or without.
func epoch(text []byte) (at time.Time, why string) {
	whole, fraction, ok := decimal(text)
	if !ok {
		return at, "is no plain count of seconds, milliseconds or nanoseconds"
	}
	for unit := int64(time.Second); unit > 0; unit /= 1000 {
		perSecond := int64(time.Second) / unit
		if seconds := whole / perSecond; seconds >= epochFirst && seconds < epochEnd {
			nanos := whole%perSecond*unit + fraction*unit/int64(time.Second)
			return time.Unix(seconds, nanos).UTC(), ""
		}
	}
	return at, "is not within the years 2000 to 2099, whether in seconds, milliseconds or nanoseconds"
}

// decimal reads digits, a point, and digits; the fraction is in thousand-millionths, cut off beyond them.
func decimal(text []byte) (whole, fraction int64, ok bool) {
	digits, rest, pointed := bytes.Cut(text, []byte("."))
	if len(digits) == 0 || len(digits) > 19 || pointed && len(rest) == 0 {
		return 0, 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' || whole > (math.MaxInt64-9)/10 {
			return 0, 0, false
		}
		whole = whole*10 + int64(c-'0')
	}
	unit := int64(time.Second)
	for _, c := range rest {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		unit /= 10
		fraction += int64(c-'0') * unit
	}
	return whole, fraction, true
}

// grainOf reads the length of an element's span, 0 for a point in time; why says what is wrong with it, otherwise "".
func (d *Decoder) grainOf(r *record, f field) (grain time.Duration, why string) {
	if !r.has(f) {
		return 0, ""
	}
	text := r.text[f]
	if len(text) > 0 && bytes.Equal(text, d.grainText) {
		return d.grain, ""
	}
	if grain, why = sampleGrain(text); why == "" && r.plain.has(f) {
		d.grainText, d.grain = append(d.grainText[:0], text...), grain
	}
	return grain, why
}

// maxGrain is the longest span that a sample may cover.
const maxGrain = 366 * 24 * time.Hour

// sampleGrain reads an ISO 8601 duration (facts: events 1.1). Months and years have no fixed length and are refused.
func sampleGrain(text []byte) (grain time.Duration, why string) {
	const unreadable = "is no ISO 8601 duration such as PT1M"
	text = bytes.ToUpper(text)
	rest, ok := bytes.CutPrefix(text, []byte("P"))
	if !ok || len(rest) == 0 {
		return 0, unreadable
	}
	// order falls with each part: weeks, days, hours, minutes, seconds.
	order, clock := len(grainUnits), false
	for len(rest) > 0 {
		if rest[0] == 'T' {
			if clock || len(rest) == 1 {
				return 0, unreadable
			}
			clock, rest = true, rest[1:]
		}
		n := bytes.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n <= 0 {
			return 0, unreadable
		}
		if !clock && (rest[n] == 'Y' || rest[n] == 'M') {
			return 0, "has no fixed length: write days or less"
		}
		whole, fraction, ok := decimal(rest[:n])
		i := grainUnit(rest[n], clock)
		if !ok || i < 0 || i >= order || fraction != 0 && len(rest) > n+1 {
			return 0, unreadable
		}
		unit := grainUnits[i].length
		if whole > int64(maxGrain/unit) {
			return 0, "is longer than a year"
		}
		grain += time.Duration(whole)*unit + time.Duration(fraction)*(unit/time.Second)
		order, rest = i, rest[n+1:]
	}
	if grain > maxGrain {
		return 0, "is longer than a year"
	}
	return grain, ""
}

// grainUnits are the parts of a duration, the shortest first.
var grainUnits = [...]struct {
	letter byte
	clock  bool
	length time.Duration
}{
	{'S', true, time.Second},
	{'M', true, time.Minute},
	{'H', true, time.Hour},
	{'D', false, 24 * time.Hour},
	{'W', false, 7 * 24 * time.Hour},
}

// grainUnit is the index of the unit that a letter names, negative if it names none there.
func grainUnit(letter byte, clock bool) int {
	for i, u := range grainUnits {
		if u.letter == letter && u.clock == clock {
			return i
		}
	}
	return -1
}
