package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// A policy most of whose rules are single reasons without a condition is asked for each of them in turn rather than for
// the set that they make, with its settings put in their places: then what the library is called with are constants,
// which the evaluator neither copies nor compares anew. That is all the partial evaluation there is; OPA's own does not
// end on policies such as these (facts: opa 3.4). Whatever does not fit is asked for as before.

// own is the question of a policy with its settings; ok is false if the policy does not fit, or lacks a setting.
func (a *asked) own(policy string, shape shape, settings ast.Value) (q question, ok bool) {
	object, isObject := settings.(ast.Object)
	if !isObject || !shape.countable {
		return q, false
	}
	q = question{compiler: a.compiler.QueryCompiler(), direct: true, own: true}
	for _, m := range a.compiler.Modules {
		if policyName(m) != policy {
			continue
		}
		for _, r := range m.Rules {
			k, isSet := ruleSetNamed(r.Head.Name)
			if !isSet {
				continue
			}
			key, body, fits := put(r, object)
			if !fits {
				return q, false
			}
			q.elements[k] = append(q.elements[k], key)
			q.body = append(q.body, body...)
		}
	}
	if shape.whole.blends {
		q.body = append(q.body, ast.Equality.Expr(ast.NewTerm(varBlend), ast.NewTerm(ast.Ref{
			ast.DefaultRootDocument, ast.StringTerm("pools"), ast.StringTerm(policy), ast.StringTerm(string(varBlend)),
		})))
	}
	for i, e := range q.body {
		e.Index = i
	}
	return q, true
}

// put is a rule's body with settings in the place of what reads them, and the variable that holds its element. Compiled
// variables are named apart throughout a bundle, so bodies can stand beside each other.
func put(r *ast.Rule, settings ast.Object) (key ast.Var, body ast.Body, ok bool) {
	if key, ok = r.Head.Key.Value.(ast.Var); !ok || r.Else != nil {
		return key, nil, false
	}
	values := map[ast.Var]*ast.Term{}
	for _, e := range r.Body {
		if len(e.With) > 0 || e.Negated {
			return key, nil, false
		}
		if v, value := reading(e, settings); value != nil {
			values[v] = value
			continue
		}
		body = append(body, e.Copy())
	}
	if values[key] != nil || len(body) == 0 {
		return key, nil, false
	}
	for i, e := range body {
		with, err := ast.TransformVars(e, func(v ast.Var) (ast.Value, error) {
			if value := values[v]; value != nil {
				return value.Value, nil
			}
			return v, nil
		})
		if body[i], ok = with.(*ast.Expr); err != nil || !ok {
			return key, nil, false
		}
	}
	return key, body, true
}

// reading is the variable that an expression gives the value of a setting, and that value; nil for any other expression.
func reading(e *ast.Expr, settings ast.Object) (ast.Var, *ast.Term) {
	if !e.IsEquality() {
		return "", nil
	}
	v, isVar := e.Operand(0).Value.(ast.Var)
	ref, isRef := e.Operand(1).Value.(ast.Ref)
	if !isVar || !isRef || len(ref) < 3 || !ref[0].Equal(ast.InputRootDocument) || !ref[1].Equal(keySettings) || !ref.IsGround() {
		return "", nil
	}
	value, err := settings.Find(ref[2:])
	if err != nil {
		return "", nil
	}
	return v, ast.NewTerm(value)
}
