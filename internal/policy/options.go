package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/spell"
)

// takes are the names that the last argument of a function may hold, as the custom metadata of the function says:
// options are the fields of the object, elements those of each object in a list, be the list the argument itself or the
// value of an option. Nothing is known of what is empty.
type takes struct{ options, elements []string }

// declared are the functions that say what they take, by their references.
func declared(all map[string]*ast.Module) map[string]takes {
	found := map[string]takes{}
	for _, m := range all {
		for _, r := range m.Rules {
			for _, a := range r.Annotations {
				t := takes{namesOf(a.Custom["options"]), namesOf(a.Custom["elements"])}
				if t.options != nil || t.elements != nil {
					found[r.Ref().GroundPrefix().String()] = t
				}
			}
		}
	}
	return found
}

func namesOf(list any) (names []string) {
	items, _ := list.([]any)
	for _, item := range items {
		if name, ok := item.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// checker checks what functions are called with, as far as it can be read before any decision: what is written out in
// the call, in a rule or a local variable that it names, or in the parts of object.union, and what is a setting of the
// pools that the policy decides for. The rest the function itself refuses when it is called.
type checker struct {
	// rules are the values of rules without arguments, by their references.
	rules map[string][]written
	ps    *problems
}

// written is a value and the file that it stands in.
type written struct {
	file  string
	value *ast.Term
}

// maxFollowed bounds how many names lead from a call to what is written out.
const maxFollowed = 8

func newChecker(all map[string]*ast.Module, ps *problems) checker {
	c := checker{rules: map[string][]written{}, ps: ps}
	for file, m := range all {
		for _, r := range m.Rules {
			if len(r.Head.Args) > 0 {
				continue
			}
			name := r.Ref().String()
			for ; r != nil; r = r.Else {
				if r.Head.Value != nil {
					c.rules[name] = append(c.rules[name], written{file, r.Head.Value})
				}
			}
		}
	}
	return c
}

// checkOptions checks the last argument of a call within a rule.
func (c checker) checkOptions(t takes, call []*ast.Term, in *ast.Rule, decided []definition, file string) {
	function := call[0].String()
	function = strings.TrimPrefix(strings.TrimPrefix(function, "data."), "lib.")
	c.follow(t, function, written{file, call[len(call)-1]}, in, decided, maxFollowed)
}

// follow goes from a name to what it stands for.
func (c checker) follow(t takes, function string, w written, in *ast.Rule, decided []definition, left int) {
	if left == 0 {
		return
	}
	switch v := w.value.Value.(type) {
	case ast.Ref:
		for _, p := range decided {
			if n := p.setting(v); n != nil {
				t.checkNode(function, n, t.options, c.ps)
			}
		}
		for _, value := range c.rules[v.String()] {
			c.follow(t, function, value, nil, decided, left-1)
		}
	case ast.Var:
		for _, value := range assigned(v, in) {
			c.follow(t, function, written{w.file, value}, in, decided, left-1)
		}
	case ast.Call:
		if v[0].String() == ast.ObjectUnion.Name {
			for _, part := range v[1:] {
				c.follow(t, function, written{w.file, part}, in, decided, left-1)
			}
		}
	default:
		t.checkTerm(function, w.value, t.options, w.file, c.ps)
	}
}

// assigned are the terms that a rule's bodies give a variable.
func assigned(v ast.Var, in *ast.Rule) (terms []*ast.Term) {
	if in == nil {
		return nil
	}
	ast.WalkExprs(in, func(e *ast.Expr) bool {
		if e.IsEquality() || e.IsAssignment() {
			if name, ok := e.Operand(0).Value.(ast.Var); ok && name.Equal(v) {
				terms = append(terms, e.Operand(1))
			}
		}
		return false
	})
	return terms
}

func (t takes) checkTerm(function string, term *ast.Term, known []string, file string, ps *problems) {
	switch v := term.Value.(type) {
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) {
			name, ground := key.Value.(ast.String)
			if !ground {
				return
			}
			if text := stranger(function, string(name), known); text != "" {
				at := key.Location
				if at == nil {
					at = term.Location
				}
				ps.add(file, rowOf(at), "%s", text)
			}
			if list, ok := value.Value.(*ast.Array); ok {
				t.checkTerm(function, ast.NewTerm(list).SetLocation(value.Location), nil, file, ps)
			}
		})
	case *ast.Array:
		v.Foreach(func(item *ast.Term) {
			if _, ok := item.Value.(ast.Object); ok {
				takes{}.checkTerm(function, item, t.elements, file, ps)
			}
		})
	}
}

// checkNode is the same for a value of a data file.
func (t takes) checkNode(function string, n *node, known []string, ps *problems) {
	for _, name := range n.keys {
		value := n.fields[name]
		if text := stranger(function, name, known); text != "" {
			ps.add(value.file, value.line, "%s", text)
		}
		if value.kind == array {
			t.checkNode(function, value, nil, ps)
		}
	}
	for _, item := range n.items {
		if item.kind == object {
			takes{}.checkNode(function, item, t.elements, ps)
		}
	}
}

// stranger says that a function does not take an option; empty where it does, or where nothing is known of it.
func stranger(function, name string, known []string) string {
	if len(known) == 0 || slices.Contains(known, name) {
		return ""
	}
	return function + " has no option \"" + name + "\"; " + spell.Meant(name, known)
}

// setting is the value of a pool's settings that a reference reads as a whole; nil for any other reference.
func (p definition) setting(r ast.Ref) *node {
	if len(r) < 3 || !r[0].Equal(ast.InputRootDocument) || !r[1].Equal(keySettings) {
		return nil
	}
	n := p.body.fields["settings"]
	for _, key := range r[2:] {
		name, ground := key.Value.(ast.String)
		if n == nil || !ground {
			return nil
		}
		n = n.fields[string(name)]
	}
	return n
}
