package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// asked is everything that questions share, and the questions themselves, compiled.
type asked struct {
	compiler *ast.Compiler
	store    storage.Store
	txn      storage.Transaction
	// short asks a policy for what it gives and nothing else, for policies whose answer shows by its size that every rule
	// was heard. long also asks for the rules that were not.
	short map[string]question
	long  question
}

// question is a compiled query.
type question struct {
	body     ast.Body
	compiler ast.QueryCompiler
	// direct is true for one that goes past the entry point, which costs a quarter of a decision and does nothing but
	// gather what the policy gives.
	direct bool
	// own is true for one that asks for each element by itself: elements are the variables that hold those of each set.
	own      bool
	elements [len(ruleSets)][]ast.Var
}

// given is what a policy gave; nil where it gives none of the kind.
type given struct {
	version, blend, fault *ast.Term
	// sets are want, cap and pause.
	sets   [len(ruleSets)]*ast.Term
	silent []*ast.Term
}

// prepare compiles the questions. Where the tree's entry point is the shipped one, policies are asked directly; what
// comes out is the same, a test compares.
func prepare(ctx context.Context, c *ast.Compiler, data *node, policies map[string]shape, direct bool) (asked, error) {
	a := asked{compiler: c, short: make(map[string]question, len(policies)), store: inmem.NewFromObjectWithOpts(
		withoutDefinitions(data), inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))}
	var err error
	// One read transaction for the life of the bundle: the store is never written, so there is no writer to block.
	if a.txn, err = a.store.NewTransaction(ctx); err != nil {
		return a, err
	}
	if a.long, err = a.question(`proposal = data.main.proposal; silent = data.pools[input.pool.policy].` + unheard); err != nil {
		return a, err
	}
	main, err := a.question(`proposal = data.main.proposal`)
	if err != nil {
		return a, err
	}
	for name, shape := range policies {
		if a.short[name] = main; !direct || !shape.countable {
			continue
		}
		rules := make([]string, len(shape.rules))
		for i, rule := range shape.rules {
			rules[i] = fmt.Sprintf("%s = data.pools.%s.%s", rule, name, rule)
		}
		q, err := a.question(strings.Join(rules, "; "))
		if err != nil {
			return a, err
		}
		q.direct = true
		a.short[name] = q
	}
	return a, nil
}

func (a *asked) question(text string) (question, error) {
	body, err := ast.ParseBody(text)
	if err != nil {
		return question{}, err
	}
	q := question{compiler: a.compiler.QueryCompiler()}
	q.body, err = q.compiler.Compile(body)
	return q, err
}

// answer evaluates a question; nil without an error if something that it asks for is undefined.
func (a *asked) answer(ctx context.Context, q question, e *evaluation) (g *given, failed []topdown.Error, err error) {
	query := topdown.NewQuery(q.body).WithQueryCompiler(q.compiler).WithCompiler(a.compiler).WithStore(a.store).
		WithTransaction(a.txn).WithInput(ast.NewTerm(e.input)).WithCancel(e.spent).WithTime(e.view.Now).
		WithMetrics(metrics.NoOp()).WithBuiltinErrorList(&failed).WithVirtualCache(e.answers)
	err = query.Iter(ctx, func(r topdown.QueryResult) error {
		if q.direct {
			g = &given{version: version, blend: r[varBlend]}
			for _, k := range ruleSets {
				g.sets[k.id] = q.set(k, r)
			}
			return nil
		}
		g = fromProposal(r["proposal"])
		g.silent, _ = elements(r["silent"])
		return nil
	})
	return g, failed, err
}

// set is a set of the answer; nil if the policy has none.
func (q *question) set(k ruleSet, r topdown.QueryResult) *ast.Term {
	if !q.own {
		return r[ast.Var(k.rule)]
	}
	if len(q.elements[k.id]) == 0 {
		return nil
	}
	all := make([]*ast.Term, 0, len(q.elements[k.id]))
	for _, v := range q.elements[k.id] {
		// Equal elements are one, as in a set.
		if e := r[v]; !slices.ContainsFunc(all, e.Equal) {
			all = append(all, e)
		}
	}
	return ast.ArrayTerm(all...)
}

const varBlend = ast.Var("blend")

// fromProposal takes the entry point's object apart.
func fromProposal(t *ast.Term) *given {
	o, ok := t.Value.(ast.Object)
	if !ok {
		return &given{fault: ast.StringTerm("the proposal is no object")}
	}
	g := &given{version: o.Get(keyVersion), blend: o.Get(key("blend")), fault: o.Get(key("fault"))}
	for _, k := range ruleSets {
		g.sets[k.id] = o.Get(key(k.rule))
	}
	return g
}

// isOurMain reports whether the entry point is the one that this build carries.
func isOurMain(sources []source) bool {
	ours := 0
	for _, s := range sources {
		if strings.HasPrefix(s.path, "main/") {
			if !isShipped(s) {
				return false
			}
			ours++
		}
	}
	return ours == 1
}
