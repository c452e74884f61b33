package autoscale

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// expression reads one expression of ARM's template language from its beginning.
type expression struct {
	template *template
	rest     string
	depth    int
}

// mostDepth bounds how deep calls lie in one another.
const mostDepth = 200

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	fields  = letters + "-$"
)

// value is the value of what comes next; the error says what is wrong with how it is written.
func (e *expression) value() (any, error) {
	if e.depth++; e.depth > mostDepth {
		return nil, fmt.Errorf("calls lie more than %d deep", mostDepth)
	}
	defer func() { e.depth-- }()
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
		name := e.take(letters)
		if strings.HasPrefix(e.rest, ".") {
			// A function of the template's own stands behind its namespace.
			e.rest = e.rest[1:]
			name += "." + e.take(letters)
		}
		arguments, err := e.arguments(name)
		if err != nil {
			return nil, err
		}
		v = e.template.call(name, arguments)
	}
	return e.selected(v)
}

// selected follows .name and [index] behind a value; a ? before them asks for no more than may be there.
func (e *expression) selected(v any) (any, error) {
	for {
		e.space()
		e.rest = strings.TrimPrefix(e.rest, "?")
		switch {
		case strings.HasPrefix(e.rest, ".?"):
			e.rest = e.rest[1:]
		case strings.HasPrefix(e.rest, "."):
			e.rest = e.rest[1:]
			e.rest = strings.TrimPrefix(e.rest, "?")
			v = within(v, e.take(fields))
		case strings.HasPrefix(e.rest, "["):
			e.rest = strings.TrimPrefix(e.rest[1:], "?")
			index, err := e.value()
			if err != nil {
				return nil, err
			}
			if e.space(); !strings.HasPrefix(e.rest, "]") {
				return nil, fmt.Errorf("] is missing before %q", e.rest)
			}
			e.rest = e.rest[1:]
			if o, isOpen := index.(open); isOpen {
				v = o
				continue
			}
			v = within(v, asText(index))
		default:
			return v, nil
		}
	}
}

func within(v any, name string) any {
	switch v := v.(type) {
	case open:
		return v
	case map[string]any:
		if next, ok := (part{at: v}).find(name); ok {
			return next
		}
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return open{why: fmt.Sprintf("there is no %q in what stands before it", name), standIn: name}
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
