package policy

import (
	"slices"
	"strings"
)

// meant says which of the names somebody may have meant: the nearest one, or else all of them.
func meant(name string, names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	names = slices.Sorted(slices.Values(names))
	if len(names) > 20 {
		return "there are " + strings.Join(names[:20], ", ") + ", …"
	}
	return "there are " + strings.Join(names, ", ")
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
