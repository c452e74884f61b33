package autoscale

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// template is what expressions of an ARM template may refer to.
type template struct {
	options               Options
	parameters, variables part
	// busy are the names being resolved, so that a circle ends.
	busy map[string]bool
}

// newTemplate readies a template. Parameters that are given are those of the outermost.
func newTemplate(p part, o Options, outermost bool) (*template, error) {
	t := &template{options: o, parameters: p.part("parameters"), variables: p.part("variables"), busy: map[string]bool{}}
	for name := range o.Parameters {
		if outermost && t.parameters.value(name) == nil {
			return nil, fmt.Errorf("the template has no parameter %q; it has %s", name, fieldNames(t.parameters.at))
		}
	}
	return t, nil
}

// resolve replaces every expression in a value. Outside a template, and for a nil template, a value is what it is.
func (t *template) resolve(v any) (any, error) {
	if t == nil {
		return v, nil
	}
	switch v := v.(type) {
	case string:
		return t.text(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = t.resolve(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		o := make(map[string]any, len(v))
		for k, each := range v {
			if strings.EqualFold(k, "resources") || strings.EqualFold(k, "dependsOn") || strings.EqualFold(k, "tags") {
				continue // none of these says how to scale
			}
			value, err := t.resolve(each)
			if err != nil {
				return nil, err
			}
			o[k] = value
		}
		return o, nil
	}
	return v, nil
}

// text evaluates a string in brackets, as ARM does; "[[" is a bracket that is meant.
func (t *template) text(s string) (any, error) {
	trimmed := strings.TrimSpace(s)
	if !strings.HasPrefix(trimmed, "[") || !strings.HasSuffix(trimmed, "]") {
		return s, nil
	}
	if strings.HasPrefix(trimmed, "[[") {
		return trimmed[1:], nil
	}
	e := expression{template: t, rest: trimmed[1 : len(trimmed)-1]}
	v, err := e.value()
	if err == nil && strings.TrimSpace(e.rest) != "" {
		err = fmt.Errorf("%q is left over", e.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("expression %s: %w", trimmed, err)
	}
	return v, nil
}

// expression reads one expression of ARM's template language from its beginning.
type expression struct {
	template *template
	rest     string
}

func (e *expression) value() (any, error) {
	e.space()
	var v any
	switch {
	case strings.HasPrefix(e.rest, "'"):
		s, err := e.quoted()
		if err != nil {
			return nil, err
		}
		v = s
	case e.rest != "" && (e.rest[0] == '-' || e.rest[0] >= '0' && e.rest[0] <= '9'):
		v = json.Number(e.take("-0123456789.eE+"))
	default:
		name := e.take("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
		arguments, err := e.arguments(name)
		if err != nil {
			return nil, err
		}
		if v, err = e.template.call(name, arguments); err != nil {
			return nil, err
		}
	}
	return e.selected(v)
}

// selected follows .name and [index] behind a value.
func (e *expression) selected(v any) (any, error) {
	for {
		e.space()
		switch {
		case strings.HasPrefix(e.rest, "."):
			e.rest = e.rest[1:]
			name := e.take("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$")
			next, err := within(v, name)
			if err != nil {
				return nil, err
			}
			v = next
		case strings.HasPrefix(e.rest, "["):
			e.rest = e.rest[1:]
			index, err := e.value()
			if err != nil {
				return nil, err
			}
			if e.space(); !strings.HasPrefix(e.rest, "]") {
				return nil, fmt.Errorf("] is missing before %q", e.rest)
			}
			e.rest = e.rest[1:]
			if v, err = within(v, asText(index)); err != nil {
				return nil, err
			}
		default:
			return v, nil
		}
	}
}

func within(v any, name string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if next := (part{at: v}).value(name); next != nil {
			return next, nil
		}
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i], nil
		}
	}
	return nil, fmt.Errorf("there is no %q in what stands before it", name)
}

func (e *expression) space() { e.rest = strings.TrimLeft(e.rest, " \t\r\n") }

func (e *expression) take(of string) string {
	n := len(e.rest) - len(strings.TrimLeft(e.rest, of))
	s := e.rest[:n]
	e.rest = e.rest[n:]
	return s
}

// quoted reads a string; a quote is doubled within it.
func (e *expression) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(e.rest); i++ {
		switch {
		case e.rest[i] != '\'':
			b.WriteByte(e.rest[i])
		case i+1 < len(e.rest) && e.rest[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			e.rest = e.rest[i+1:]
			return b.String(), nil
		}
	}
	return "", fmt.Errorf("the string %s does not end", e.rest)
}

func (e *expression) arguments(name string) ([]any, error) {
	e.space()
	if name == "" || !strings.HasPrefix(e.rest, "(") {
		return nil, fmt.Errorf("a call of a function is expected at %q", name+e.rest)
	}
	e.rest = e.rest[1:]
	var arguments []any
	for {
		e.space()
		if strings.HasPrefix(e.rest, ")") {
			e.rest = e.rest[1:]
			return arguments, nil
		}
		v, err := e.value()
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, v)
		if e.space(); strings.HasPrefix(e.rest, ",") {
			e.rest = e.rest[1:]
		} else if !strings.HasPrefix(e.rest, ")") {
			return nil, fmt.Errorf(") is missing before %q", e.rest)
		}
	}
}
