package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A reason that comes out undefined leaves no trace in Rego: want simply has an element less, and the pool might shrink
// because a rule reads a name that does not exist. So each rule of want, cap and pause, and blend, gets a twin that says
// when its condition holds and its value is undefined. Twins are added to the compiled policies only: no file has them.
const unheard = "__unheard__"

// tally is how much a policy's answer holds.
type tally struct {
	// parts are the elements of want, cap and pause.
	parts  [3]int
	blends bool
}

// shape is what a policy's answer looks like when every rule was heard.
type shape struct {
	// countable is true when each rule of want, cap and pause gives exactly one element unless it is undefined.
	countable bool
	whole     tally
	// rules are the names of want, blend, cap and pause that the policy has.
	rules []string
}

// heard reports whether the answer to the short question shows that no rule was undefined.
func (s shape) heard(t tally) bool { return s.countable && t == s.whole }

// shapes are those of the policies that give want.
func shapes(m modules) map[string]shape {
	all := map[string]shape{}
	for _, module := range m.byFile {
		name := policyName(module)
		if name == "" {
			continue
		}
		s, seen := all[name]
		s.countable = s.countable || !seen
		for _, r := range module.Rules {
			name, k, ok := string(r.Head.Name), 0, false
			if k, ok = ruleSetNamed(r.Head.Name); ok || name == "blend" {
				if !slices.Contains(s.rules, name) {
					s.rules = append(s.rules, name)
				}
			}
			if ok {
				s.whole.parts[k]++
				s.countable = s.countable && isCountable(module, r)
			} else if r.Head.Name == "blend" {
				s.whole.blends = true
			}
		}
		all[name] = s
	}
	for name, s := range all {
		if s.whole.parts[wants] == 0 {
			delete(all, name)
		}
	}
	return all
}

// isCountable: without a condition, and without anything in the reason that could take several values.
func isCountable(m *ast.Module, r *ast.Rule) bool {
	if len(r.Body) != 1 || !r.Body[0].Equal(always) || r.Head.Key == nil {
		return false
	}
	known := map[ast.Var]bool{ast.DefaultRootDocument.Value.(ast.Var): true, ast.InputRootDocument.Value.(ast.Var): true}
	for _, i := range m.Imports {
		known[i.Name()] = true
	}
	countable := true
	ast.WalkVars(r.Head.Key, func(v ast.Var) bool {
		countable = countable && known[v]
		return false
	})
	return countable
}

var always = ast.NewExpr(ast.BooleanTerm(true))

// twinFrame is the twin's shape; place, condition and value are put into it.
var twinFrame = ast.MustParseRule(unheard + ` contains "place" if { [true | _ = true] == [] }`)

// withUnheard is a copy of a module, with twins if it is a policy.
func withUnheard(m *ast.Module) *ast.Module {
	m = m.Copy()
	if !isPolicy(m) {
		return m
	}
	for _, r := range m.Rules {
		value := r.Head.Key
		_, isPart := ruleSetNamed(r.Head.Name)
		switch {
		case isPart && value != nil:
		case r.Head.Name == "blend" && value == nil && !r.Default && r.Else == nil && len(r.Head.Args) == 0:
			value = r.Head.Value
		default:
			continue
		}
		m.Rules = append(m.Rules, twin(m, r, value))
	}
	return m
}

func twin(m *ast.Module, r *ast.Rule, value *ast.Term) *ast.Rule {
	t := twinFrame.Copy()
	t.Module = m
	t.Location = r.Location
	t.Head.Location = r.Location
	t.Head.Key = ast.StringTerm(fmt.Sprintf("%s %s:%d", r.Head.Name, r.Location.File, r.Location.Row))
	test := t.Body[0]
	list := test.Operand(0).Value.(*ast.ArrayComprehension)
	// The parser numbers the wildcards of each text from 0: the frame's own would be one of the rule's.
	operands := list.Body[0].Terms.([]*ast.Term)
	operands[1], operands[2] = ast.VarTerm("$"+unheard), value.Copy()
	test.Index, test.Location, list.Body[0].Location = len(r.Body), r.Location, r.Location
	t.Body = append(r.Body.Copy(), test)
	return t
}

// isPolicy reports whether a module is a package right below data.pools.
func isPolicy(m *ast.Module) bool { return policyName(m) != "" }

// policyName is the name of a policy's package below data.pools, empty for any other package.
func policyName(m *ast.Module) string {
	p := m.Package.Path
	if len(p) != 3 || !p[1].Equal(ast.InternedTerm("pools")) {
		return ""
	}
	name, _ := p[2].Value.(ast.String)
	return string(name)
}
