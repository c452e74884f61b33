package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// mend does about an error what was not tried before: first the least that may help, in the end the most.
func (s *search) mend(e *ast.Error, tried int) {
	file := e.Location.File
	at, inRule := s.ruleOf(e.Location)
	if tried == 0 {
		if name := twoOfAKind.FindStringSubmatch(e.Message); name != nil {
			s.forget(strings.Join(name[1:], ""))
			return
		}
		if path := atData.FindStringSubmatch(e.Message); path != nil {
			s.forget("data." + strings.ReplaceAll(path[1], "/", "."))
			return
		}
		if inRule && s.mendName(e, at) {
			return
		}
	}
	if inRule && tried == 0 && strings.HasPrefix(e.Message, "rules must not shadow") {
		s.forget(nameOf(s.left[file], s.left[file].Rules[at.index]).String())
		return
	}
	if inRule && tried <= 1 {
		s.left[file].Rules[at.index] = stubOf(s.left[file].Rules[at.index])
		s.stubs[at] = true
		return
	}
	if tried == 0 {
		// Outside of rules there is metadata to be at fault.
		s.left[file].Annotations = nil
		return
	}
	s.lost.add(packageName(s.left[file]), anything)
	delete(s.left, file)
}

// mendName replaces a name that nothing has by an unknown one, wherever in the rule it stands; false for other errors.
func (s *search) mendName(e *ast.Error, at ruleAt) bool {
	if name := unsafeVar.FindStringSubmatch(e.Message); name != nil {
		v := ast.Var(name[1])
		if declares(s.left[at.file].Rules[at.index], v) {
			return false
		}
		s.vars[at] = append(s.vars[at], v)
		return true
	}
	for _, pattern := range []*regexp.Regexp{unknownCall, misfitCall} {
		if name := pattern.FindStringSubmatch(e.Message); name != nil {
			s.calls[spot{at.file, e.Location.Row, strings.Join(name[1:], "")}] = true
			return true
		}
	}
	return false
}

// ruleOf is the rule that a place is in.
func (s *search) ruleOf(at *ast.Location) (ruleAt, bool) {
	for i, r := range s.left[at.File].Rules {
		if l := r.Location; l.Offset <= at.Offset && at.Offset < l.Offset+max(len(l.Text), 1) {
			return ruleAt{at.File, i}, true
		}
	}
	return ruleAt{}, false
}

// declares reports whether a rule has a variable of its own of that name.
func declares(r *ast.Rule, v ast.Var) bool {
	found := false
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		var vars []*ast.Term
		switch t := e.Terms.(type) {
		case *ast.SomeDecl:
			vars = t.Symbols
		case *ast.Every:
			vars = []*ast.Term{t.Key, t.Value}
		case []*ast.Term:
			if e.IsAssignment() {
				vars = t[1:2]
			}
		}
		for _, t := range vars {
			if t != nil {
				ast.WalkVars(t, func(w ast.Var) bool { found = found || w == v; return false })
			}
		}
		return false
	})
	return found
}

// stubOf is a rule of the same name and arguments whose value is not known.
func stubOf(r *ast.Rule) *ast.Rule {
	stub := &ast.Rule{
		Head: r.Head.Copy(), Body: ast.NewBody(ast.NewExpr(ast.BooleanTerm(true).SetLocation(r.Location))),
		Location: r.Location, Module: r.Module,
	}
	stub.Body[0].Location = r.Location
	unknown := func() *ast.Term { return ast.NewTerm(unknownValue.Copy()).SetLocation(r.Location) }
	for i := range stub.Head.Args {
		stub.Head.Args[i] = ast.VarTerm(fmt.Sprintf("%s__stub%d", ast.WildcardPrefix, i)).SetLocation(r.Location)
	}
	for i := 1; i < len(stub.Head.Reference); i++ {
		if !stub.Head.Reference[i].IsGround() {
			stub.Head.Reference[i] = unknown()
		}
	}
	if stub.Head.Key != nil {
		stub.Head.Key = unknown()
	}
	if stub.Head.Value != nil {
		stub.Head.Value = unknown()
	}
	return stub
}

// forget gives each rule of a name that cannot stand a name of its own, so that what is in it can be checked still.
func (s *search) forget(rule string) {
	for file, m := range s.left {
		for i, r := range m.Rules {
			ref := nameOf(m, r).String() + "."
			if !strings.HasPrefix(ref, rule+".") && !strings.HasPrefix(rule+".", ref) {
				continue
			}
			s.lost.add(packageName(m), string(r.Head.Ref()[0].Value.(ast.Var)))
			name := ast.Var(fmt.Sprintf("__%d_%s", i, strings.Map(word, file)))
			r.Head.Name = name
			r.Head.SetRef(slices.Concat(ast.Ref{ast.NewTerm(name).SetLocation(r.Location)}, r.Head.Ref()[1:]))
			r.Default = false
		}
	}
}

// nameOf is the full name of a rule.
func nameOf(m *ast.Module, r *ast.Rule) ast.Ref {
	head := r.Head.Ref()
	return slices.Concat(m.Package.Path, ast.Ref{ast.StringTerm(string(head[0].Value.(ast.Var)))}, head[1:])
}

func word(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}

// replace puts unknown values and functions into resolved modules where they were found wanting.
func (s *search) replace(resolved map[string]*ast.Module) {
	for at, vars := range s.vars {
		if m := resolved[at.file]; m != nil {
			m.Rules[at.index] = withoutVars(m.Rules[at.index], vars)
		}
	}
	for at := range s.stubs {
		// Once more, now that nothing in the package can be taken for a part of what is not known.
		if m := resolved[at.file]; m != nil {
			m.Rules[at.index] = stubOf(m.Rules[at.index])
		}
	}
	for file, m := range resolved {
		mended := func(call []*ast.Term, at *ast.Location) []*ast.Term {
			function := call[0].String()
			if !s.calls[spot{file, rowOf(at), function}] && !s.calls[spot{file, rowOf(call[0].Location), function}] || len(call) > mostArgs {
				return call
			}
			unknown := ast.MustParseRef(fmt.Sprintf("data.__unknown__.f%d", max(len(call)-1, 1)))
			call = slices.Concat([]*ast.Term{ast.NewTerm(unknown).SetLocation(at)}, call[1:])
			if len(call) == 1 {
				call = append(call, ast.BooleanTerm(true).SetLocation(at))
			}
			return call
		}
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if call, ok := t.Value.(ast.Call); ok {
				t.Value = ast.Call(mended(call, t.Location))
			}
			return false
		})
		ast.WalkExprs(m, func(e *ast.Expr) bool {
			if e.IsCall() {
				e.Terms = mended(e.Terms.([]*ast.Term), e.Location)
			}
			return false
		})
	}
}

// withoutVars is a rule with unknown values in the place of variables.
func withoutVars(r *ast.Rule, vars []ast.Var) *ast.Rule {
	t := ast.NewGenericTransformer(func(x any) (any, error) {
		switch x := x.(type) {
		case ast.Var:
			if slices.Contains(vars, x) {
				return unknownValue.Copy(), nil
			}
		case ast.Ref:
			if head, ok := x[0].Value.(ast.Var); ok && slices.Contains(vars, head) {
				return unknownValue.Copy().Concat(x[1:]), nil
			}
		}
		return x, nil
	})
	if changed, err := ast.Transform(t, r.Copy()); err == nil {
		return changed.(*ast.Rule)
	}
	return r // found at fault again, and replaced as a whole
}
