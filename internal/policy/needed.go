package policy

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"trimtab/policies"
)

// functionHead is the beginning of a rule with arguments.
var functionHead = regexp.MustCompile(`(?m)^(\w+)\(`)

// needed are the sources without the files of the shipped library that nothing calls: parsing and compiling are most of
// a cold start, and linear in what there is (facts: opa 3.1). Only files that are byte for byte those of this build are
// left out, because only of them it is known, from the tests, that nothing is wrong with them.
func needed(sources []source) []source {
	var kept, waiting []source
	for _, s := range sources {
		if strings.HasPrefix(s.path, "lib/") && isShipped(s) {
			waiting = append(waiting, s)
		} else {
			kept = append(kept, s)
		}
	}
	for next := 0; next < len(kept); next++ {
		waiting = slices.DeleteFunc(waiting, func(s source) bool {
			called := calls(kept[next], s)
			if called {
				kept = append(kept, s)
			}
			return called
		})
	}
	return kept
}

// calls reports whether a file may call one of the functions of another: in the same package by its name, in another by
// its name behind the package's or an alias. A comment that does so counts as well.
func calls(file, library source) bool {
	for _, head := range functionHead.FindAllSubmatch(library.text, -1) {
		name := string(head[1])
		ways := []string{"." + name + "(", `["` + name + `"](`, path.Base(path.Dir(library.path)) + "." + name}
		if path.Dir(file.path) == path.Dir(library.path) {
			ways = []string{name + "("}
		}
		if slices.ContainsFunc(ways, func(way string) bool { return bytes.Contains(file.text, []byte(way)) }) {
			return true
		}
	}
	return false
}

// isShipped reports whether a file is the one that this build carries.
func isShipped(s source) bool {
	ours, err := fs.ReadFile(policies.FS, s.path)
	return err == nil && bytes.Equal(ours, s.text)
}
