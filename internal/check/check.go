// Package check examines a tree of policies before it is merged: its form, whether it loads, its tests and their
// coverage, its documentation, and whether a pool's rules would fight each other.
//
// What it finds is what the product would find or do: the loader is the engine's own, and the fight of rules is found by
// asking the real policies about loads, never by looking at their text. It changes nothing.
package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"trimtab/internal/policy"
)

// Level is how grave a finding is. Notes alone are no reason to fail.
type Level string

// The levels of a finding.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Info    Level = "note"
)

// Finding is one thing that is wrong, or worth knowing.
type Finding struct {
	// Rule is the finding's kind, in kebab case, one of Rules or "regal/" with a rule of Regal's.
	Rule  string `json:"rule"`
	Level Level  `json:"level"`
	// File is the path within the tree, Line its line, counted from 1.
	File string `json:"file"`
	Line int    `json:"line"`
	// Pool is the pool concerned, empty for a finding about a file.
	Pool string `json:"pool,omitempty"`
	Text string `json:"text"`
}

// Part is one of the things that were examined.
type Part struct {
	Name string `json:"name"`
	// State is clean, findings or "not run"; Detail says how much was examined, or why nothing was.
	State  string `json:"state"`
	Detail string `json:"detail"`
}

// The states of a part.
const (
	Clean    = "clean"
	Findings = "findings"
	NotRun   = "not run"
)

// Report is what an examination came to.
type Report struct {
	Parts    []Part    `json:"parts"`
	Findings []Finding `json:"findings"`
	// Tests and Failed count tests, Coverage is the share of the tree's policies that they ran through, in per cent.
	Tests    int     `json:"tests"`
	Failed   int     `json:"failed"`
	Coverage float64 `json:"coverage"`
}

// Bad reports whether something was found that is more than a note.
func (r *Report) Bad() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level != Info })
}

// Rules are the kinds of findings, with what each means.
var Rules = map[string]string{
	"format":          "A policy is not in the form that opa fmt gives it.",
	"load":            "The tree does not load: Rego, schemas, built-in functions, definitions of pools.",
	"test":            "A test fails.",
	"no-tests":        "There is no test.",
	"coverage":        "The tests run through less of the policies than asked for.",
	"metadata":        "A package or a public rule does not say what it is for.",
	"package-path":    "A package is not named as its folder.",
	"flap":            "A shrink would be followed by growth under the same load.",
	"grows-twice":     "Growth would be repeated before the load of new instances shows.",
	"shrink-too-soon": "A shrink may follow growth before new instances bear load.",
	"late-signal":     "A signal's window or staleness is shorter than its source is late.",
	"idle-signal":     "A signal plays no part in the policy, and holds shrinks all the same.",
	"never-grows":     "No value of any signal makes the pool grow.",
	"quorum":          "The minimum is less than the majority that a quorum needs.",
	"fault":           "The policy is at fault on an ordinary view.",
}

// Options say how strict an examination is.
type Options struct {
	// Threshold is the least coverage in per cent; 0 asks for none.
	Threshold float64
}

// Run examines a tree. The error says why it could not be examined; what is wrong with it is in the report.
func Run(ctx context.Context, files fs.FS, o Options) (*Report, error) {
	r := &Report{}
	if _, err := fs.Stat(files, "."); err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	modules, err := r.read(files)
	if err != nil {
		return nil, err
	}
	bundle, err := r.load(ctx, files)
	if err != nil {
		return nil, err
	}
	if bundle == nil {
		for _, name := range []string{"tests", "pools"} {
			r.part(name, NotRun, "the tree does not load")
		}
		return r, nil
	}
	r.lint(modules)
	if err := r.test(ctx, files, o.Threshold); err != nil {
		return nil, err
	}
	r.pools(ctx, files, bundle)
	return r, ctx.Err()
}

func (r *Report) add(f Finding) {
	f.Line = max(f.Line, 1)
	r.Findings = append(r.Findings, f)
}

func (r *Report) part(name, state, format string, args ...any) {
	r.Parts = append(r.Parts, Part{Name: name, State: state, Detail: fmt.Sprintf(format, args...)})
}

// since is the state of a part that began with so many findings.
func (r *Report) since(before int) string {
	if len(r.Findings) > before {
		return Findings
	}
	return Clean
}

// Add brings in what another tool found, as a part of its own.
func (r *Report) Add(part Part, findings []Finding) {
	r.Parts = append(r.Parts, part)
	for _, f := range findings {
		r.add(f)
	}
}

// Sort orders the findings by file, line and text.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Text, b.Text))
	})
}

// load loads the tree as the engine does; nil if it does not load.
func (r *Report) load(ctx context.Context, files fs.FS) (*policy.Bundle, error) {
	before := len(r.Findings)
	bundle, err := policy.Load(ctx, files)
	if err != nil {
		problems := flat(err)
		if len(problems) == 0 {
			return nil, err
		}
		for _, p := range problems {
			rule := "load"
			if strings.Contains(p.Text, "a package is named as its folder") {
				rule = "package-path"
			}
			r.add(Finding{Rule: rule, Level: Error, File: p.File, Line: p.Line, Text: p.Text})
		}
		r.part("load", r.since(before), "strict compiler, schemas, closed list of built-in functions, definitions of pools")
		return nil, nil
	}
	r.part("load", r.since(before), "strict compiler, schemas, closed list of built-in functions, %d pools, revision %s", len(bundle.Pools), bundle.Revision())
	return bundle, nil
}

// flat are the problems that an error joins.
func flat(err error) []policy.Problem {
	var p policy.Problem
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []policy.Problem
		for _, each := range joined.Unwrap() {
			all = append(all, flat(each)...)
		}
		return all
	}
	if errors.As(err, &p) {
		return []policy.Problem{p}
	}
	return nil
}
