package autoscale

import (
	"fmt"
	"strings"
)

// template is what expressions of an ARM template may refer to.
type template struct {
	options               Options
	parameters, variables part
	// given are values of parameters, by lower-cased name: those of the command for the outermost template, those that a
	// deployment hands on for one within it.
	given map[string]any
	// functions are the template's own, by lower-cased name behind that of their namespace.
	functions map[string]part
	// busy are the names being resolved, so that a circle ends.
	busy map[string]bool
	// turns are how far the copy loops around what is resolved have come, by lower-cased name; the innermost is inner.
	turns map[string]int
	inner string
	// spent is how much text has gone through functions, all templates of a file together.
	spent *int
}

// mostSpent bounds what a file may have reckoned: variables that double each other grow without end.
const mostSpent = 16 << 20

// open is a value that a file leaves to its deployment: why, and what stands for it where only a name is wanted.
type open struct{ why, standIn string }

func newTemplate(p part, o Options, given map[string]any) *template {
	t := &template{
		options: o, parameters: p.part("parameters"), variables: p.part("variables"), given: map[string]any{},
		functions: map[string]part{}, busy: map[string]bool{}, turns: map[string]int{}, spent: new(int),
	}
	for name, v := range given {
		t.given[strings.ToLower(name)] = v
	}
	for _, each := range p.list("functions") {
		space, _ := each.(map[string]any)
		members := part{at: space}.part("members")
		for name, member := range members.at {
			o, _ := member.(map[string]any)
			t.functions[strings.ToLower(part{at: space}.text("namespace")+"."+name)] = part{at: o}
		}
	}
	return t
}

// outermost is the template of a file. A parameter that was given and that it does not have is a mistake.
func outermost(p part, o Options) (*template, error) {
	t := newTemplate(p, o, o.Parameters)
	for name := range o.Parameters {
		if _, has := t.parameters.find(name); !has {
			return nil, fmt.Errorf("the template has no parameter %q; it has %s", name, fieldNames(t.parameters.at))
		}
	}
	return t, nil
}

// resolve replaces every expression in a value; what cannot be known from the file is an [open] in the result. Outside a
// template, and for a nil template, a value is what it is.
func (t *template) resolve(v any) any {
	if t == nil {
		return v
	}
	switch v := v.(type) {
	case string:
		return t.text(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = t.resolve(v[i])
		}
		return list
	case map[string]any:
		o := make(map[string]any, len(v))
		for k, each := range v {
			if strings.EqualFold(k, "resources") || strings.EqualFold(k, "dependsOn") || strings.EqualFold(k, "tags") {
				continue // none of these says how to scale
			}
			if loops, ok := each.([]any); ok && strings.EqualFold(k, "copy") {
				for _, each := range loops {
					loop, _ := each.(map[string]any)
					o[part{at: loop}.text("name")] = t.repeated(part{at: loop})
				}
				continue
			}
			o[k] = t.resolve(each)
		}
		return o
	}
	return v
}

// mostTurns is how often ARM repeats a loop at most.
const mostTurns = 800

// repeated is what a copy loop of a property or a variable gives.
func (t *template) repeated(loop part) any {
	count, why := t.count(loop)
	if why != "" {
		return open{why: why, standIn: loop.text("name")}
	}
	list := make([]any, 0, count)
	t.each(loop.text("name"), count, func() { list = append(list, t.resolve(loop.value("input"))) })
	return list
}

// count is how often a copy loop turns, or why that is not known.
func (t *template) count(loop part) (n int, why string) {
	v := t.resolve(loop.value("count"))
	if o, isOpen := v.(open); isOpen {
		return 0, o.why
	}
	n, ok := whole(v)
	if !ok || n < 0 || n > mostTurns {
		return 0, fmt.Sprintf("the loop %q turns %q times; a whole number from 0 to %d is right", loop.text("name"), asText(v), mostTurns)
	}
	return n, ""
}

// each does something for every turn of a loop, with copyIndex() at that turn.
func (t *template) each(name string, count int, do func()) {
	name = strings.ToLower(name)
	outer, before := t.inner, t.turns[name]
	defer func() { t.inner, t.turns[name] = outer, before }()
	t.inner = name
	for i := range count {
		t.turns[name] = i
		do()
	}
}

// text evaluates a string in brackets, as ARM does; "[[" is a bracket that is meant.
func (t *template) text(s string) any {
	trimmed := strings.TrimSpace(s)
	if !strings.HasPrefix(trimmed, "[") || !strings.HasSuffix(trimmed, "]") {
		return s
	}
	if strings.HasPrefix(trimmed, "[[") {
		return trimmed[1:]
	}
	e := expression{template: t, rest: trimmed[1 : len(trimmed)-1]}
	v, err := e.value()
	if err == nil && strings.TrimSpace(e.rest) != "" {
		err = fmt.Errorf("%q is left over", e.rest)
	}
	if err != nil {
		return open{why: fmt.Sprintf("expression %s: %v", trimmed, err), standIn: slug(trimmed, "open")}
	}
	if o, isOpen := v.(open); isOpen && !strings.HasPrefix(o.why, "expression ") {
		o.why = fmt.Sprintf("expression %s: %s", trimmed, o.why)
		return o
	}
	return v
}

func (t *template) parameter(name string) any {
	if v, ok := t.given[strings.ToLower(name)]; ok {
		return v
	}
	v, _ := t.parameters.find(name)
	p, ok := v.(map[string]any)
	if !ok {
		return open{why: fmt.Sprintf("the template has no parameter %q; it has %s", name, fieldNames(t.parameters.at)), standIn: name}
	}
	fallback, ok := part{at: p}.find("defaultValue")
	switch {
	case ok:
		return t.once("parameter "+strings.ToLower(name), fallback)
	case part{at: p}.truth("nullable"):
		return nil
	}
	return open{why: fmt.Sprintf("parameter %q has no default: give its value with --set %s=… or --parameters FILE", name, name), standIn: name}
}

func (t *template) variable(name string) any {
	if v, ok := t.variables.find(name); ok {
		return t.once("variable "+strings.ToLower(name), v)
	}
	for _, each := range t.variables.list("copy") {
		if loop, _ := each.(map[string]any); strings.EqualFold(part{at: loop}.text("name"), name) {
			return t.repeated(part{at: loop})
		}
	}
	return open{why: fmt.Sprintf("the template has no variable %q; it has %s", name, fieldNames(t.variables.at)), standIn: name}
}

// once resolves what a name stands for, and leaves one open that stands for itself.
func (t *template) once(name string, v any) any {
	if t.busy[name] {
		return open{why: name + " stands for itself", standIn: slug(name, "open")}
	}
	t.busy[name] = true
	defer delete(t.busy, name)
	return t.resolve(v)
}

// own is what a function of the template's gives.
func (t *template) own(f part, arguments []any) any {
	given := map[string]any{}
	parameters := map[string]any{}
	for i, v := range f.list("parameters") {
		o, _ := v.(map[string]any)
		name := part{at: o}.text("name")
		parameters[name] = o
		if i < len(arguments) {
			given[name] = arguments[i]
		}
	}
	inner := newTemplate(part{at: map[string]any{"parameters": parameters}}, t.options, given)
	inner.functions, inner.busy, inner.spent = t.functions, t.busy, t.spent
	return inner.once("function", f.part("output").value("value"))
}
