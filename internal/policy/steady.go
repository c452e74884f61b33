package policy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"trimtab/internal/scale"
)

// Much of what a policy reckons comes out the same in every decision of a pool: options that are checked and turned into
// thousandths, a split that stands in the file. Such rules and functions read nothing but their arguments, the settings
// and data, none of which moves. Their answers are kept for each policy and its settings, so that authors need not care
// what a check costs (docs/adr/0013).
//
// What is kept is gathered once, on a view made from the pool's definition, and never changes after that: which steps a
// decision takes is a function of bundle and view, whatever was decided before.

// maxKept bounds the answers kept for one policy and its settings.
const maxKept = 1024

// steadyRules are the paths of the rules and functions that read nothing that moves, as [rulePath] writes them.
func steadyRules(c *ast.Compiler) map[string]bool {
	s := steadiness{rules: map[string][]*ast.Rule{}, below: map[string]bool{}, known: map[string]bool{}}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			path := rulePath(r.Ref().GroundPrefix())
			s.rules[path] = append(s.rules[path], r)
			for parent := path; parent != ""; {
				parent = parent[:max(0, strings.LastIndexByte(parent, '\x00'))]
				s.below[parent] = true
			}
		}
	}
	for path := range s.rules {
		s.isSteady(path)
	}
	return s.known
}

// rulePath is a constant reference as a string; empty if it is not one.
func rulePath(ref ast.Ref) string {
	var b strings.Builder
	for i, t := range ref {
		switch v := t.Value.(type) {
		case ast.Var:
			if i > 0 {
				return ""
			}
			b.WriteString(string(v))
		case ast.String:
			b.WriteByte(0)
			b.WriteString(string(v))
		default:
			return ""
		}
	}
	return b.String()
}

// steadiness finds out which rules are steady. Rules do not call themselves, the compiler sees to that.
type steadiness struct {
	rules map[string][]*ast.Rule
	// below are the paths that have rules below them.
	below map[string]bool
	known map[string]bool
}

func (s steadiness) isSteady(path string) bool {
	if steady, done := s.known[path]; done {
		return steady
	}
	steady := true
	for _, r := range s.rules[path] {
		for ; r != nil && steady; r = r.Else {
			steady = !s.moves(r.Head) && !s.moves(r.Body)
		}
	}
	s.known[path] = steady
	return steady
}

// moves reports whether part of a rule reads something that moves. In doubt it does.
func (s steadiness) moves(part any) (moving bool) {
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.With:
			moving = true
		case ast.Ref:
			moving = moving || s.refMoves(x)
			for _, t := range x[1:] {
				visitor.Walk(t)
			}
			return true
		case ast.Var:
			moving = moving || x == ast.InputRootDocument.Value || x == ast.DefaultRootDocument.Value
		}
		return moving
	})
	visitor.Walk(part)
	return moving
}

func (s steadiness) refMoves(ref ast.Ref) bool {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		return len(ref) < 2 || !ref[1].Equal(keySettings)
	case !ref[0].Equal(ast.DefaultRootDocument):
		return false
	}
	for n := 2; n <= len(ref); n++ {
		path := rulePath(ref[:n])
		if path == "" {
			return s.below[rulePath(ref[:n-1])]
		}
		if len(s.rules[path]) > 0 {
			return !s.isSteady(path)
		}
	}
	// What has no rules at it or above it is data, unless it is a folder of rules.
	return s.below[rulePath(ref)]
}

// steadyOf holds the steady answers of a policy with its settings, once they were gathered for one of its pools.
type steadyOf struct {
	pool    scale.Pool
	once    sync.Once
	answers topdown.VirtualCache
	// own is the policy's question with these settings; nil if there is none.
	own *question
}

// memo is the cache of one evaluation: what is kept, and beside it what this evaluation finds out. Calls of functions are
// few and looked through one by one, which is cheaper than the evaluator's own tables; from the shelf's end on those hold
// them. The evaluator opens a frame where input is replaced, and there nothing is steady.
type memo struct {
	topdown.VirtualCache
	kept   topdown.VirtualCache
	frames int
	shelf  [24]call
	calls  int
}

// call is a function's call and what it gave.
type call struct {
	key   ast.Ref
	gives *ast.Term
}

func newMemo(k topdown.VirtualCache) *memo {
	return &memo{VirtualCache: topdown.NewVirtualCache(), kept: k}
}

// Push opens a frame.
func (m *memo) Push() {
	m.frames++
	m.VirtualCache.Push()
}

// Pop closes it.
func (m *memo) Pop() {
	m.frames--
	m.VirtualCache.Pop()
}

// Get answers from what is kept, else from what was put.
func (m *memo) Get(ref ast.Ref) (*ast.Term, bool) {
	if m.frames > 0 {
		return m.VirtualCache.Get(ref)
	}
	if m.kept != nil {
		if answer, undefined := m.kept.Get(ref); answer != nil || undefined {
			return answer, undefined
		}
	}
	if isCall(ref) {
		for i := range m.shelf[:m.calls] {
			if m.shelf[i].key.Equal(ref) {
				return m.shelf[i].gives, false
			}
		}
		if m.calls < len(m.shelf) {
			return nil, false
		}
	}
	return m.VirtualCache.Get(ref)
}

// Put puts an answer.
func (m *memo) Put(ref ast.Ref, value *ast.Term) {
	if m.frames == 0 && value != nil && m.calls < len(m.shelf) && isCall(ref) {
		// The evaluator uses the key's room again.
		m.shelf[m.calls] = call{slices.Clone(ref), value}
		m.calls++
		return
	}
	m.VirtualCache.Put(ref, value)
}

// isCall tells a function with its arguments from a rule.
func isCall(ref ast.Ref) bool {
	_, ok := ref[0].Value.(ast.Ref)
	return ok
}

// gatherer is a cache that also keeps what is steady.
type gatherer struct {
	memo
	steady map[string]bool
	into   topdown.VirtualCache
	count  int
}

// Put puts an answer, and keeps it if it is steady.
func (g *gatherer) Put(ref ast.Ref, value *ast.Term) {
	g.memo.Put(ref, value)
	if g.frames == 0 && g.count < maxKept && g.steady[calledPath(ref)] {
		g.count++
		g.into.Put(ref, value)
	}
}

// calledPath is the path of the rule or function that an answer belongs to; empty for anything but a whole answer.
func calledPath(key ast.Ref) string {
	function, ok := key[0].Value.(ast.Ref)
	if !ok {
		return rulePath(key)
	}
	for _, argument := range key[1:] {
		switch argument.Value.(type) {
		case ast.Null, ast.Boolean, ast.Number, ast.String, *ast.Array, ast.Object, ast.Set:
		default:
			return ""
		}
	}
	return rulePath(function)
}

// gathered is what is kept of a policy with its settings, gathered at the first decision; nil without settings of its own.
func (b *Bundle) gathered(ctx context.Context, s *steadyOf) *steadyOf {
	if s == nil {
		return nil
	}
	s.once.Do(func() {
		short := b.asked.short[s.pool.Policy]
		if q, ok := b.asked.own(s.pool.Policy, b.policies[s.pool.Policy], b.terms.pools[s.pool.Name].settings.Value); ok && short.direct {
			s.own = &q
		}
		over := true
		for n := 0; over && n < attempts; n++ {
			s.answers, over = b.gather(context.WithoutCancel(ctx), s)
		}
	})
	return s
}

// gather decides once on a view in which everything is well, and keeps what is steady; nothing if anything went wrong,
// because what went wrong would not be told again. over is true when time or memory ended it.
func (b *Bundle) gather(ctx context.Context, s *steadyOf) (answers topdown.VirtualCache, over bool) {
	spent, stop := newBudget(ctx)
	defer stop()
	defer func() {
		if recover() != nil {
			answers, over = nil, false
		}
	}()
	view := usual(&s.pool)
	input, _, err := b.terms.input(view)
	question, ok := b.asked.short[s.pool.Policy]
	if s.own != nil {
		question = *s.own
	}
	if err != nil || !ok {
		return nil, false
	}
	g := &gatherer{memo: *newMemo(nil), steady: b.steady, into: topdown.NewVirtualCache()}
	e := evaluation{b: b, view: view, input: input, spent: spent, answers: g}
	_, failed, err := b.asked.answer(spent.ctx, question, &e)
	spent.cut = topdown.IsCancel(err)
	if err != nil || len(failed) > 0 {
		return nil, spent.over()
	}
	return g.into, false
}

// usual is a view of a pool in which nothing is missing.
func usual(p *scale.Pool) *scale.View {
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	n := max(p.Rails.Limits.Default, p.Rails.Limits.Min, 1)
	v := &scale.View{
		Version: scale.ViewVersion, Now: now, Pool: p.Name, Policy: p.Policy, Mode: p.Mode, Labels: p.Labels,
		Orchestration: p.Orchestration, Rails: p.Rails, Settings: p.Settings,
		Facts:     scale.Facts{ReadAt: now, Capacity: n, Orchestration: p.Orchestration, PlatformMax: maxInstances},
		Signals:   make(map[string]scale.SignalView, len(p.Signals)),
		Schedules: make(map[string]scale.ScheduleView, len(p.Schedules)),
	}
	for _, s := range p.Signals {
		v.Signals[s.Name] = scale.SignalView{
			State: scale.SignalFresh, Unit: s.Unit, HasValue: true, HasDemand: true, Buckets: 1, Expected: 1, NewestAt: now,
		}
	}
	for _, s := range p.Schedules {
		v.Schedules[s.Name] = scale.ScheduleView{Active: true}
	}
	return v
}
