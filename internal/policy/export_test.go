package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// Input is the document that a view's policy sees.
func (b *Bundle) Input(v *scale.View) (ast.Value, error) {
	input, _, err := b.terms.input(v)
	return input, err
}

// Capabilities are the built-in functions that policies have.
func Capabilities() *ast.Capabilities { return capabilities() }

// Steady reports whether the answers of a rule are kept.
func (b *Bundle) Steady(path ...string) bool {
	key := "data"
	for _, p := range path {
		key += "\x00" + p
	}
	steady, known := b.steady[key]
	if !known {
		panic("no rule " + key)
	}
	return steady
}

// Needed are the files that are compiled at first.
func Needed(files Files) map[string]bool {
	var sources []source
	for _, p := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(p, ".rego") {
			sources = append(sources, source{p, files[p]})
		}
	}
	kept := map[string]bool{}
	for _, s := range needed(sources) {
		kept[s.path] = true
	}
	return kept
}
