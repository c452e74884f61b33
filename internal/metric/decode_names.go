package metric

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"trimtab/internal/scan"
)

// What one table of names holds at most. Names come from strangers: when a table is full it starts anew, and the names
// that are still in use come back with the next samples.
const (
	maxNames     = 1 << 16
	maxNameBytes = 4 << 20
)

// names maps names as they are written to names as samples carry them, each a string that is shared by all samples.
type names struct {
	canonical map[string]string
	bytes     int
	// last is the name that was found last among those without escapes, and lastName what it stands for: a body mostly
	// tells of one resource.
	last     []byte
	lastName string
}

// find returns what raw stands for, by way of canonical when it has not been seen; why says what is wrong with it,
// otherwise "". Plain says that raw was written without escapes.
func (n *names) find(raw []byte, plain bool, canonical func([]byte) (name, why string)) (name, why string) {
	if plain && len(raw) > 0 && string(raw) == string(n.last) {
		return n.lastName, ""
	}
	name, ok := n.canonical[string(raw)]
	if !ok {
		if name, why = canonical(raw); why != "" {
			return "", why
		}
		if n.bytes += 2 * len(raw); n.canonical == nil || n.bytes > maxNameBytes || len(n.canonical) == maxNames {
			n.canonical, n.bytes = make(map[string]string), 2*len(raw)
		}
		n.canonical[string(raw)] = name
	}
	if plain {
		n.last, n.lastName = append(n.last[:0], raw...), name
	}
	return name, ""
}

// resourceName is an ARM resource ID in small letters and without trailing slashes (facts: events 0).
func resourceName(raw []byte) (name, why string) {
	name = strings.ToLower(strings.TrimRight(string(raw), "/"))
	return name, badName(name)
}

func metricName(raw []byte) (name, why string) {
	name = strings.ToLower(string(raw))
	return name, badName(name)
}

func unitName(raw []byte) (name, why string) {
	if len(raw) == 0 {
		return "", ""
	}
	return string(raw), badName(string(raw))
}

// badName says why a name cannot be one. Backslashes, blanks, percent signs, slashes and parentheses all occur in the
// names of real counters (facts: events 1.3).
func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("is longer than %d bytes", MaxName)
	case strings.ContainsFunc(name, unicode.IsControl):
		return "holds control characters"
	}
	return ""
}

// canonicalDimensions turns an object of strings into the form that samples carry: key=value, the keys in small letters
// and in order, joined by commas. A backslash stands before each comma, equals sign and backslash of a key or a value, so
// that no two different sets of dimensions look the same. An object without fields is no dimensions at all.
func canonicalDimensions(raw []byte) (canonical, why string) {
	var s scan.Scanner
	s.Reset(raw)
	var dimensions []dimension
	for s.Object(); s.Field(); {
		key := string(s.Key())
		if s.Kind() != scan.String {
			return "", fmt.Sprintf("%s: want a string, got %s", clip([]byte(strings.ToLower(key))), s.Kind())
		}
		dimensions = append(dimensions, dimension{key, string(s.Text())})
		// What is told of so many cannot fit.
		if len(dimensions) > MaxName {
			return "", tooLongDimensions
		}
	}
	return joinDimensions(dimensions)
}

var tooLongDimensions = fmt.Sprintf("longer than %d bytes", MaxName)

// joinDimensions is the canonical form of dimensions as they were sent; why says what is wrong, otherwise "".
func joinDimensions(dimensions []dimension) (canonical, why string) {
	if len(dimensions) == 0 {
		return "", ""
	}
	pairs := make([]string, 0, len(dimensions))
	keys := make(map[string]bool, len(dimensions))
	size := 0
	for _, e := range dimensions {
		key := strings.ToLower(e.key)
		if key == "" {
			return "", "a dimension without a name"
		}
		if keys[key] {
			return "", fmt.Sprintf("%s stands there more than once", clip([]byte(key)))
		}
		keys[key] = true
		if why := badName(key); why != "" {
			return "", fmt.Sprintf("the name %s %s", clip([]byte(key)), why)
		}
		if strings.ContainsFunc(e.value, unicode.IsControl) {
			return "", fmt.Sprintf("the value of %s holds control characters", clip([]byte(key)))
		}
		pair := escapeDimension.Replace(key) + "=" + escapeDimension.Replace(e.value)
		if size += len(pair) + 1; size > MaxName {
			return "", tooLongDimensions
		}
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b string) int { return strings.Compare(unpaired(a), unpaired(b)) })
	return strings.Join(pairs, ","), ""
}

var escapeDimension = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `=`, `\=`)

// unpaired is the escaped key of a pair.
func unpaired(pair string) string {
	for i := 0; i < len(pair); i++ {
		switch pair[i] {
		case '\\':
			i++
		case '=':
			return pair[:i]
		}
	}
	return pair
}
