package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// maxDepth bounds the nesting of a data file.
const maxDepth = 64

// kind is the JSON type of a node.
type kind string

const (
	object  kind = "an object"
	array   kind = "an array"
	text    kind = "a string"
	number  kind = "a number"
	boolean kind = "a boolean"
	null    kind = "null"
)

// node is a JSON value that knows where it was written.
type node struct {
	file string
	line int
	kind kind
	// keys are an object's keys as they were written, fields its values.
	keys   []string
	fields map[string]*node
	items  []*node
	// text is a string's value, or a number as it was written.
	text string
	flag bool
	// raw is an object's own bytes; nil for one that was put together from several files.
	raw []byte
}

// reader reads one file into nodes, tracking the line.
type reader struct {
	file string
	src  []byte
	dec  *json.Decoder
	seen int
	line int
	ps   *problems
}

var errBadDocument = errors.New("document refused")

// readDocument reads one data file; nil, with a problem, for what is not one JSON object.
func readDocument(s source, ps *problems) *node {
	dec := json.NewDecoder(bytes.NewReader(s.text))
	dec.UseNumber()
	r := &reader{file: s.path, src: s.text, dec: dec, line: 1, ps: ps}
	n, err := r.value(0)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("more than one JSON value")
		}
	}
	switch {
	case errors.Is(err, errBadDocument):
		return nil
	case err != nil:
		at := r.at(int(dec.InputOffset()))
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = 1 + bytes.Count(s.text[:min(int(syntax.Offset), len(s.text))], []byte("\n"))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file ends within a value")
		}
		ps.add(s.path, at, "not JSON: %v", err)
		return nil
	case n.kind != object:
		ps.add(s.path, n.line, "a data file holds one object, not %s", n.kind)
		return nil
	}
	return n
}

// at is the line of an offset; offsets only grow.
func (r *reader) at(offset int) int {
	if offset > r.seen {
		r.line += bytes.Count(r.src[r.seen:offset], []byte("\n"))
		r.seen = offset
	}
	return r.line
}

func (r *reader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	end := int(r.dec.InputOffset())
	n := &node{file: r.file, line: r.at(end)}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			n.kind, n.fields = object, map[string]*node{}
			err = r.object(n, depth)
		} else {
			n.kind = array
			err = r.array(n, depth)
		}
		n.raw = r.src[end-1 : r.dec.InputOffset()]
	case string:
		n.kind, n.text = text, v
	case json.Number:
		n.kind, n.text = number, v.String()
	case bool:
		n.kind, n.flag = boolean, v
	default:
		n.kind = null
	}
	return n, err
}

func (r *reader) object(n *node, depth int) error {
	for r.dec.More() {
		token, err := r.dec.Token()
		if err != nil {
			return err
		}
		key, line := token.(string), r.at(int(r.dec.InputOffset()))
		value, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if _, twice := n.fields[key]; twice {
			r.ps.add(r.file, line, "%q is there twice in one object", key)
			continue
		}
		n.keys = append(n.keys, key)
		n.fields[key] = value
	}
	_, err := r.dec.Token()
	return err
}

func (r *reader) array(n *node, depth int) error {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := r.dec.Token()
	return err
}

// mergeData puts the data files together into one document, each below the path of its folder.
func mergeData(files []source, ps *problems) *node {
	root := &node{kind: object, fields: map[string]*node{}}
	for _, f := range files {
		n := readDocument(f, ps)
		if n == nil {
			continue
		}
		if dir := path.Dir(f.path); dir != "." {
			parts := strings.Split(dir, "/")
			for i := len(parts) - 1; i >= 0; i-- {
				n = &node{
					file: f.path, line: 1, kind: object,
					keys: []string{parts[i]}, fields: map[string]*node{parts[i]: n},
				}
			}
		}
		root.merge(n, ps)
	}
	return root
}

func (n *node) merge(other *node, ps *problems) {
	for _, k := range other.keys {
		theirs := other.fields[k]
		ours, both := n.fields[k]
		switch {
		case !both:
			n.keys = append(n.keys, k)
			n.fields[k] = theirs
		case ours.kind == object && theirs.kind == object:
			ours.raw = nil
			ours.merge(theirs, ps)
		default:
			ps.add(theirs.file, theirs.line, "%q is also in %s:%d", k, ours.file, ours.line)
		}
	}
}

// plain is the node as OPA's store wants it.
func (n *node) plain() any {
	switch n.kind {
	case object:
		m := make(map[string]any, len(n.keys))
		for k, v := range n.fields {
			m[k] = v.plain()
		}
		return m
	case array:
		a := make([]any, len(n.items))
		for i, v := range n.items {
			a[i] = v.plain()
		}
		return a
	case text:
		return n.text
	case number:
		return json.Number(n.text)
	case boolean:
		return n.flag
	default:
		return nil
	}
}

// withoutDefinitions is the data document less the pools' definitions: a policy reads its own pool from the input, which
// an entry records, and not from a document that a later replay would not have.
func withoutDefinitions(data *node) map[string]any {
	m := make(map[string]any, len(data.keys))
	for k, v := range data.fields {
		if k != "pools" {
			m[k] = v.plain()
		}
	}
	return m
}
