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
	var kept []source
	var waiting []shelved
	for _, s := range sources {
		if strings.HasPrefix(s.path, "lib/") && isShipped(s) {
			waiting = append(waiting, shelve(s))
		} else {
			kept = append(kept, s)
		}
	}
	for next := 0; next < len(kept); next++ {
		waiting = slices.DeleteFunc(waiting, func(s shelved) bool {
			called := s.calledBy(kept[next])
			if called {
				kept = append(kept, s.source)
			}
			return called
		})
	}
	return kept
}

// shelved is a file of the library with the ways in which its functions are called: in the same package by their names,
// in others by their names behind the package's or an alias. A comment that does so counts as well.
type shelved struct {
	source
	within, abroad [][]byte
}

func shelve(s source) shelved {
	out := shelved{source: s}
	pkg := path.Base(path.Dir(s.path))
	for _, head := range functionHead.FindAllSubmatch(s.text, -1) {
		name := string(head[1])
		out.within = append(out.within, []byte(name+"("))
		out.abroad = append(out.abroad, []byte("."+name+"("), []byte(`["`+name+`"](`), []byte(pkg+"."+name))
	}
	return out
}

// calledBy reports whether a file may call one of the functions.
func (s shelved) calledBy(file source) bool {
	ways := s.abroad
	if path.Dir(file.path) == path.Dir(s.path) {
		ways = s.within
	}
	return slices.ContainsFunc(ways, func(way []byte) bool { return bytes.Contains(file.text, way) })
}

// isShipped reports whether a file is the one that this build carries.
func isShipped(s source) bool {
	ours, err := fs.ReadFile(policies.FS, s.path)
	return err == nil && bytes.Equal(ours, s.text)
}
