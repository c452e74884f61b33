// Package spell says which of some names somebody may have meant. Every name that a person writes and nobody knows is
// refused with what it answers. It is pure: the answer depends on the names alone.
package spell

import (
	"slices"
	"strings"
)

// Meant says which of the names somebody may have meant: the nearest one, or else all of them.
func Meant(name string, names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	if best := Nearest(name, names); best != "" {
		return "did you mean " + best + "?"
	}
	names = slices.Sorted(slices.Values(names))
	if len(names) > 20 {
		return "there are " + strings.Join(names[:20], ", ") + ", …"
	}
	return "there are " + strings.Join(names, ", ")
}

// Nearest is the name that differs in the fewest letters, whatever their case; empty where none is like it: where more
// than two letters, or a third of them, differ. Of several the first counts.
func Nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements that make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
