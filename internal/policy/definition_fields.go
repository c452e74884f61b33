package policy

import (
	"slices"
	"strconv"

	"trimtab/internal/spell"
)

// required, in place of a default, says that a text must be given; mustBeGiven says it of a whole number.
const (
	required    = "\x00required"
	mustBeGiven = -1
)

// fields is an object of a definition, with its path for messages.
type fields struct {
	*definitions
	at     *node
	path   string
	known  []string
	fields map[string]*node
}

// object checks that a node is an object with none but the known names; no names at all means that any will do.
func (d *definitions) object(n *node, path string, known ...string) (fields, bool) {
	if n.kind != object {
		d.ps.add(n.file, n.line, "%s is an object, not %s", path, n.kind)
		return fields{}, false
	}
	if len(known) > 0 {
		for _, k := range n.keys {
			if !slices.Contains(known, k) {
				d.ps.add(n.fields[k].file, n.fields[k].line, "%s: unknown field %q; %s", path, k, spell.Meant(k, known))
			}
		}
	}
	return fields{definitions: d, at: n, path: path, known: known, fields: n.fields}, true
}

// sub is the object in a field, false if it is not there or is none.
func (o fields) sub(name string, known ...string) (fields, bool) {
	n := o.fields[name]
	if n == nil {
		return fields{}, false
	}
	return o.object(n, o.path+"."+name, known...)
}

// wrong is a problem at a field, or at the object that lacks it.
func (o fields) wrong(name, format string, args ...any) {
	n := o.fields[name]
	if n == nil {
		n = o.at
	}
	o.ps.add(n.file, n.line, o.path+"."+name+": "+format, args...)
}

// need is the problem of a field that is not there; one of the wrong kind, or misspelt, has its own.
func (o fields) need(name, what string) {
	if o.fields[name] == nil && !isMisspelt(o.at, name, o.known) {
		o.wrong(name, "must be given: %s", what)
	}
}

// isMisspelt reports whether a field of an object is not there, and an unknown one looks like it: what follows from its
// absence is no problem of its own.
func isMisspelt(n *node, name string, known []string) bool {
	return n.fields[name] == nil && slices.ContainsFunc(n.keys, func(k string) bool {
		return !slices.Contains(known, k) && spell.Meant(k, known) == spell.Meant(name, []string{name})
	})
}

func (o fields) text(name, otherwise string) string {
	n := o.fields[name]
	switch {
	case n == nil && otherwise == required:
		o.need(name, "a string")
		return ""
	case n == nil:
		return otherwise
	case n.kind != text:
		o.wrong(name, "a string, not %s", n.kind)
	case n.text == "" && otherwise != "":
		o.wrong(name, "is empty")
	}
	return n.text
}

func (o fields) choice(name, otherwise string, choices ...string) string {
	s := o.text(name, otherwise)
	if n := o.fields[name]; n != nil && n.kind == text && s != "" && !slices.Contains(choices, s) {
		o.wrong(name, "%q is not one of the choices; %s", s, spell.Meant(s, choices))
	}
	return s
}

func (o fields) whole(name string, least, most, otherwise int) int {
	n := o.fields[name]
	switch {
	case n == nil && otherwise == mustBeGiven:
		o.need(name, "a whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
		return 0
	case n == nil:
		return otherwise
	case n.kind != number:
		o.wrong(name, "a whole number from %d to %d, not %s", least, most, n.kind)
		return 0
	}
	i, err := strconv.Atoi(n.text)
	if err != nil || i < least || i > most {
		o.wrong(name, "%s is not a whole number from %d to %d", n.text, least, most)
		return 0
	}
	return i
}

func (o fields) flag(name string) bool {
	n := o.fields[name]
	if n == nil {
		return false
	}
	if n.kind != boolean {
		o.wrong(name, "true or false, not %s", n.kind)
	}
	return n.flag
}
