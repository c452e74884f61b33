package policy

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"trimtab/internal/scale"
)

// silence records a rule whose value came out undefined, as the twins tell it: "want pools/web/web.rego:12". A ceiling
// or a pause that is not heard binds as one at fault does.
func silence(p *scale.Proposal, twin string) []bound {
	rule, place, _ := strings.Cut(twin, " ")
	if rule == "blend" {
		p.Faults = append(p.Faults, place+": blend is undefined")
		return nil
	}
	k, _ := ruleSetNamed(ast.Var(rule))
	detail := "the " + ruleSets[k].noun + " is undefined: something that it reads does not exist"
	p.Faults = append(p.Faults, place+": "+detail)
	r := scale.Reason{Code: "undefined", Name: place, State: scale.ReasonFault, Detail: detail}
	if k != wants {
		return []bound{{Reason: r, kind: k, stops: stopsAll}}
	}
	p.Reasons = append(p.Reasons, r)
	return nil
}

// element decodes one element of want, cap or pause; wrong says what is malformed, with as much of it as could be read.
func (k ruleSet) element(t *ast.Term) (e bound, wrong string) {
	e = bound{kind: k.id, stops: stopsAll}
	o, ok := t.Value.(ast.Object)
	if !ok {
		return e, fmt.Sprintf("a %s is an object with code, state and %s, not %s", k.noun, k.field, ast.ValueName(t.Value))
	}
	seen := false
	o.Foreach(func(name, v *ast.Term) {
		bad := ""
		if stringOf(name) == k.field {
			seen = true
			bad = k.number(v, &e)
		} else {
			bad = k.common(stringOf(name), v, &e.Reason)
		}
		if bad != "" && (wrong == "" || stringOf(name)+" "+bad < wrong) {
			wrong = stringOf(name) + " " + bad
		}
	})
	switch {
	case wrong != "":
	case e.Code == "":
		wrong = "code must be given"
	case e.State == "":
		wrong = "state must be given"
	case e.State == scale.ReasonKnown && !seen:
		wrong = k.field + " must be given for a " + k.noun + " that is known"
	case e.State == scale.ReasonFault:
		// The author's own fault, well-formed: the library makes them for calls with wrong arguments.
		return e, orElse(e.Detail, "the policy reports a fault")
	}
	return e, wrong
}

// number decodes the field that makes an element of its kind.
func (k ruleSet) number(v *ast.Term, e *bound) (bad string) {
	if k.id != pauses {
		e.Instances, bad = wantedNumber(v)
		return bad
	}
	e.stops, bad = str(v)
	if bad == "" && e.stops != stopsAll && e.stops != stopsGrow && e.stops != stopsShrink {
		bad = "is one of all, grow, shrink"
	}
	if bad != "" {
		e.stops = stopsAll
	}
	return bad
}

// common decodes a field that all elements have.
func (k ruleSet) common(name string, v *ast.Term, r *scale.Reason) (bad string) {
	switch name {
	case "code":
		if r.Code, bad = str(v); bad == "" && !codeForm.MatchString(r.Code) {
			r.Code, bad = "", "is a name in snake case"
		}
	case "name":
		r.Name, bad = str(v)
	case "detail":
		detail, isString := v.Value.(ast.String)
		if r.Detail = cut(string(detail), maxString); !isString {
			bad = "is a string, not " + ast.ValueName(v.Value)
		}
	case "state":
		var s string
		s, bad = str(v)
		r.State = scale.ReasonState(s)
		if _, known := order[r.State]; bad == "" && !known {
			bad = "is one of known, unknown, idle, fault"
		}
	case "numbers":
		r.Numbers, bad = numbers(v)
	default:
		bad = fmt.Sprintf("is no field of a %s: code, name, state, %s, numbers, detail", k.noun, k.field)
		for _, other := range ruleSets {
			if name == other.field {
				bad += fmt.Sprintf("; a %s belongs into %s", other.noun, other.rule)
			}
		}
	}
	return bad
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func str(t *ast.Term) (s, bad string) {
	v, ok := t.Value.(ast.String)
	switch {
	case !ok:
		return "", "is a string, not " + ast.ValueName(t.Value)
	case len(v) > maxString:
		return "", fmt.Sprintf("is longer than %d bytes", maxString)
	}
	return string(v), ""
}

func wantedNumber(t *ast.Term) (n int, bad string) {
	v, ok := t.Value.(ast.Number)
	if n, whole := v.Int(); ok && whole && n >= 0 && n <= maxWanted {
		return n, ""
	}
	return 0, fmt.Sprintf("is a whole number from 0 to %d", maxWanted)
}

func numbers(t *ast.Term) (all map[string]int64, bad string) {
	o, ok := t.Value.(ast.Object)
	if !ok || o.Len() > maxNumbers {
		return nil, fmt.Sprintf("is an object of at most %d whole numbers", maxNumbers)
	}
	if o.Len() == 0 {
		return nil, ""
	}
	all = make(map[string]int64, o.Len())
	o.Foreach(func(k, v *ast.Term) {
		name, isString := k.Value.(ast.String)
		number, _ := v.Value.(ast.Number)
		i, isWhole := number.Int64()
		if !isString || !isWhole || len(name) > maxString {
			bad = "is an object of names and whole numbers"
			return
		}
		all[string(name)] = i
	})
	if bad != "" {
		return nil, bad
	}
	return all, ""
}

// blend decodes the split; one that is malformed is a fault, and then the split is left alone.
func blend(p *scale.Proposal, t *ast.Term) {
	if t == nil || t.Equal(nothing) {
		return
	}
	b := scale.Blend{Rounding: scale.RegularDown}
	o, ok := t.Value.(ast.Object)
	if !ok {
		p.Faults = append(p.Faults, "blend: an object with base and regular_percent, not "+ast.ValueName(t.Value))
		return
	}
	var wrong []string
	given := 0
	o.Foreach(func(k, v *ast.Term) {
		var bad string
		switch name := stringOf(k); name {
		case "fault":
			bad = "reported: " + stringOf(v)
		case "base":
			given++
			b.Mix.Base, bad = wantedNumber(v)
		case "regular_percent":
			given++
			if b.Mix.RegularPercent, bad = wantedNumber(v); bad != "" || b.Mix.RegularPercent > 100 {
				bad = "is a whole number from 0 to 100"
			}
		case "rounding":
			var s string
			s, bad = str(v)
			if b.Rounding = scale.Rounding(s); bad == "" && b.Rounding != scale.RegularDown && b.Rounding != scale.RegularUp {
				bad = "is regular_down or regular_up"
			}
		case "stand_in":
			stand, isBool := v.Value.(ast.Boolean)
			if b.StandIn = bool(stand); !isBool {
				bad = "is true or false"
			}
		case "return_after_seconds":
			b.ReturnSeconds, bad = wantedNumber(v)
		default:
			bad = "is no field of a blend: base, regular_percent, rounding, stand_in, return_after_seconds"
		}
		if bad != "" {
			wrong = append(wrong, shorten("blend: "+stringOf(k)+" "+bad))
		}
	})
	if len(wrong) == 0 && given < 2 {
		wrong = append(wrong, "blend: base and regular_percent must be given")
	}
	if p.Faults = append(p.Faults, wrong...); len(wrong) == 0 {
		p.Blend = &b
	}
}

// stringOf is a string's value, or any other term as Rego writes it.
func stringOf(t *ast.Term) string {
	if s, ok := t.Value.(ast.String); ok {
		return shorten(string(s))
	}
	return shorten(t.String())
}
