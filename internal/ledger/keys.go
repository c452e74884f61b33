package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// The prefixes of keys, and the row key of the control row. They sort in the order in which they are read.
const (
	poolPrefix   = "pool-"
	deadPrefix   = "dead-"
	controlKey   = "0-control"
	windowPrefix = "1-window-"
	entryPrefix  = "2-entry-"
	digestPrefix = "x-"
)

// digits is how many digits of an entry key tell its time.
const digits = 19

// latest is the last instant that a key can hold, the end of what time.Time.UnixNano can.
var latest = time.Unix(0, math.MaxInt64)

// escape makes any text a key: letters, digits, point, hyphen and underscore stay, every other byte becomes a tilde and
// two hexadecimal digits. Different texts have different keys, and the service takes them all (facts: events 5.2).
func escape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "~%02x", c)
		}
	}
	return b.String()
}

// plain reports whether a byte may stand in a key as it is.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}

// partitionOf is the partition of a pool.
func partitionOf(pool string) string { return poolPrefix + escape(pool) }

// after is the smallest key that is greater than every key that begins with the prefix, which ends in a hyphen.
func after(prefix string) string { return strings.TrimSuffix(prefix, "-") + "." }

// inverted writes an instant so that later ones sort first.
func inverted(at time.Time) string {
	n := int64(math.MaxInt64)
	switch {
	case at.After(latest):
		n = 0
	case at.Unix() >= 0:
		n -= at.UnixNano()
	}
	return fmt.Sprintf("%0*d", digits, n)
}

// instantOf reads the instant back from an entry key that checkKey accepted.
func instantOf(key string) time.Time {
	n, err := strconv.ParseInt(key[:digits], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, math.MaxInt64-n).UTC()
}

// checkKey refuses an entry key that would not sort by its time: reading back to an instant, and trimming, go by key.
func checkKey(key string) error {
	if len(key) <= digits+1 || key[digits] != '-' {
		return fmt.Errorf("entry key %q does not begin with %d digits and a hyphen", key, digits)
	}
	if _, err := strconv.ParseUint(key[:digits], 10, 63); err != nil {
		return fmt.Errorf("entry key %q does not begin with %d digits", key, digits)
	}
	for i := range len(key) {
		if !plain(key[i]) {
			return fmt.Errorf("entry key %q holds more than letters, digits, points, hyphens and underscores", key)
		}
	}
	return nil
}

// check refuses a commit that no ledger may store, whatever it lies in.
func check(pool string, c *scale.Commit) error {
	if pool == "" {
		return errors.New("the pool has no name")
	}
	if c.Attempt == "" {
		return errors.New("the commit names no attempt")
	}
	if c.Control != nil && c.Control.Version != scale.ControlVersion {
		return fmt.Errorf("control row of version %d, this program writes %d", c.Control.Version, scale.ControlVersion)
	}
	seen := make(map[string]bool, len(c.Windows))
	for i := range c.Windows {
		switch w := &c.Windows[i]; {
		case w.Source == "":
			return errors.New("a window names no source")
		case seen[w.Source]:
			return fmt.Errorf("two windows of source %s in one commit", w.Source)
		case len(w.Data) > maxDocument:
			return fmt.Errorf("window of %s has %d bytes, a row holds %d", w.Source, len(w.Data), maxDocument)
		default:
			seen[w.Source] = true
		}
	}
	if e := c.Entry; e != nil {
		if err := checkKey(e.Key); err != nil {
			return err
		}
		if e.Pool != pool {
			return fmt.Errorf("entry %s is of pool %q", e.Key, e.Pool)
		}
		if e.Version != scale.EntryVersion {
			return fmt.Errorf("entry %s of version %d, this program writes %d", e.Key, e.Version, scale.EntryVersion)
		}
		if e.Key[:digits] != inverted(e.At) {
			return fmt.Errorf("entry key %q does not sort by its time %s", e.Key, e.At.UTC().Format(time.RFC3339Nano))
		}
	}
	if c.Outcome != nil {
		return checkKey(c.Outcome.Entry)
	}
	return nil
}

// letterKeys are the partition and row key of a dead letter: a function of the event's identity, so that a second
// delivery writes the same row. Later sequence numbers sort first. The time of arrival belongs to the identity: a hub that
// was created anew counts from the beginning again (facts: events 3.2).
func letterKeys(l *scale.DeadLetter) (partition, key string) {
	partition = deadPrefix + escape(l.Source.Hub+"/"+l.Source.Partition)
	if l.Source.Known && l.Source.Sequence >= 0 {
		key = fmt.Sprintf("%0*d-%0*d", digits, math.MaxInt64-l.Source.Sequence, digits, l.Source.Sequence)
		if at := l.Source.EnqueuedAt; !at.IsZero() {
			key += fmt.Sprintf("-%d", at.UnixMilli())
		}
		return partition, key
	}
	sum := sha256.Sum256(l.Body)
	return partition, digestPrefix + hex.EncodeToString(sum[:16])
}
