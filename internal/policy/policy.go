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
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"trimtab/internal/scale"
)

// Bundle is one compiled set of policies, numbers and pools. It never changes and serves many goroutines.
type Bundle struct {
	// Pools are the definitions, sorted by name.
	Pools []scale.Pool

	revision string
	// short and long are the prepared questions.
	short, long rego.PreparedEvalQuery
	// fixed are the options that are the same for every evaluation.
	fixed []rego.EvalOption
	// policies are the packages below data.pools that give want.
	policies map[string]shape
	terms    terms
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
func Load(ctx context.Context, files fs.FS) (*Bundle, error) {
	var ps problems
	tree, err := readTree(files, &ps)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	data := mergeData(tree.data, &ps)
	pools := readPools(data, &ps)
	compile := func(sources []source, ps *problems) (modules, *ast.Compiler) {
		m := parseModules(sources, data, ps)
		checkPolicies(pools, m, ps)
		return m, compileModules(m, pools, tree.schemas, ps)
	}
	rest := slices.Clone(ps)
	modules, compiler := compile(needed(tree.sources), &ps)
	if len(ps) > 0 {
		// What was left out may be what was meant: problems are those of the whole tree.
		if modules, compiler = compile(tree.sources, &rest); len(rest) > 0 {
			return nil, rest.err()
		}
	}
	b := &Bundle{revision: tree.revision, policies: shapes(modules)}
	for _, p := range pools {
		b.Pools = append(b.Pools, p.Pool)
	}
	if err := b.prepare(ctx, compiler, data); err != nil {
		return nil, fmt.Errorf("prepare policies: %w", err)
	}
	return b, nil
}

// prepare readies the questions and everything else that decisions share.
func (b *Bundle) prepare(ctx context.Context, c *ast.Compiler, data *node) error {
	store := inmem.NewFromObjectWithOpts(
		withoutDefinitions(data), inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))
	// One read transaction for the life of the bundle: the store is never written, so there is no writer to block.
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	b.fixed = []rego.EvalOption{rego.EvalTransaction(txn), rego.EvalMetrics(metrics.NoOp()), rego.EvalGenerateJSON(raw)}
	for question, query := range map[string]*rego.PreparedEvalQuery{shortQuestion: &b.short, longQuestion: &b.long} {
		*query, err = rego.New(
			rego.Query(question), rego.SetRegoVersion(ast.RegoV1), rego.Compiler(c), rego.Store(store), rego.Target("rego"),
		).PrepareForEval(ctx)
		if err != nil {
			return err
		}
	}
	b.terms, err = readyTerms(b.Pools)
	return err
}

// raw keeps results as terms: turning them into plain Go values first would cost more than decoding them.
func raw(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }
