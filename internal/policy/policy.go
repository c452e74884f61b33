// Package policy turns a view into a proposal by asking Rego, and is the only room that knows Rego.
//
// A policy can reach nothing but the view that it is handed: no clock, no network, no randomness, no environment. It
// runs within a budget of steps and a deadline, and whatever goes wrong in it is a fault inside the proposal, never an
// error: the engine can not be made to act by a broken policy. The same view and revision give the same proposal.
package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// Bundle is one compiled set of policies, numbers and pools. It never changes and serves many goroutines.
type Bundle struct {
	// Pools are the definitions, sorted by name.
	Pools []scale.Pool

	revision string
	asked    asked
	// policies are the packages below data.pools that give want.
	policies map[string]shape
	terms    terms
	// steady are the rules whose answers are kept.
	steady map[string]bool
	// clocked says which policies hear the clock.
	clocked map[string]bool
}

// Revision is the digest of every file that takes part in a decision.
func (b *Bundle) Revision() string { return b.revision }

// Problem is one thing that is wrong with a tree of policies.
type Problem struct {
	// File is the path within the tree, Line its line, counted from 1.
	File string
	Line int
	Text string
}

// Error is the problem on one line.
func (p Problem) Error() string { return fmt.Sprintf("%s:%d: %s", p.File, max(p.Line, 1), p.Text) }

// problems collects what is wrong, so that an author sees all of it at once.
type problems []Problem

func (ps *problems) add(file string, line int, format string, args ...any) {
	*ps = append(*ps, Problem{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// err joins the problems in the order of files and lines, nil if there are none.
func (ps problems) err() error {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	var errs []error
	for i, p := range ps {
		if i == 0 || p != ps[i-1] {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// Load reads, checks and compiles a tree of policies. The error joins every [Problem] found, one a line, or says that
// the tree could not be read. Test files take no part.
func Load(ctx context.Context, tree fs.FS) (*Bundle, error) {
	files, err := Snapshot(tree)
	if err != nil {
		return nil, err
	}
	return LoadFiles(ctx, files)
}

// LoadFiles is [Load] for files that were read already.
func LoadFiles(ctx context.Context, files Files) (*Bundle, error) {
	var ps problems
	tree, err := readTree(files, &ps)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	data := mergeData(tree.data, &ps)
	pools := readPools(data, &ps)
	rollOut(pools, data, &ps)
	parse := func(sources []source, ps *problems) modules {
		m := parseModules(sources, data, ps)
		checkPolicies(pools, m, ps)
		return m
	}
	rest := slices.Clone(ps)
	modules := parse(needed(tree.sources), &ps)
	compiler, _ := compileModules(modules, pools, tree.schemas, &ps)
	if compiler == nil {
		// What was left out may be what was meant: problems are those of the whole tree.
		modules = parse(tree.sources, &rest)
		findFaults(modules, pools, tree.schemas, &rest)
		var failed ast.Errors
		if compiler, failed = compileModules(modules, pools, tree.schemas, &rest); compiler == nil {
			if len(rest) == 0 {
				addRego(failed, "", &rest)
			}
			return nil, rest.err()
		}
	}
	b := &Bundle{revision: tree.revision, policies: shapes(modules), steady: steadyRules(compiler)}
	b.clocked = clocked(compiler, tree.sources, b.policies)
	for _, p := range pools {
		b.Pools = append(b.Pools, p.Pool)
	}
	if b.asked, err = prepare(ctx, compiler, data, b.policies, isOurMain(tree.sources)); err == nil {
		b.terms, err = readyTerms(b.Pools)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare policies: %w", err)
	}
	return b, nil
}
