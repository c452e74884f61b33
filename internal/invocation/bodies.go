package invocation

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"

	"trimtab/internal/scan"
)

// split turns the binding's value into the spans of the bodies. Many says that the value was a batch, believed that
// its metadata cannot have been overwritten by its events.
func (p *Parser) split() (many, believed bool, err error) {
	if p.call.decoded {
		return true, true, nil
	}
	s := &p.inner
	s.Reset(p.call.value)
	kind := s.Kind()
	switch {
	case kind == scan.Array:
		if p.elements() {
			return true, true, nil
		}
	case kind == scan.String && p.call.kind == scan.String:
		p.bodies = s.AppendText(p.bodies)
		if s.End() {
			p.spans = append(p.spans, span{to: len(p.bodies), owned: true})
			return false, false, nil
		}
		p.bodies = p.bodies[:0]
	case p.call.kind == scan.String:
		p.reserve(len(p.call.value))
		if n, ok := decode64(p.bodies[:cap(p.bodies)], p.call.value); ok {
			p.bodies = p.bodies[:n]
			p.spans = append(p.spans, span{to: n, owned: true})
			return false, true, nil
		}
	case kind != scan.Object:
		return false, false, fmt.Errorf("invocation: the binding's value is %s, neither events nor an event", kind)
	}
	// What is none of these is the text of one event, whatever it is.
	p.spans = append(p.spans[:0], span{to: len(p.call.value)})
	return false, false, nil
}

// direct decodes the bodies from a value as hosts write it for our doors: a string that holds an array of base64 strings
// and nothing else. It returns the value's length, 0 if the value is any other and must be read step by step. The text
// between the quotes is not looked at but decoded: what decodes needs no escapes.
func (p *Parser) direct(value []byte) (length int) {
	rest, ok := bytes.CutPrefix(value, []byte(`"[\"`))
	if !ok {
		return 0
	}
	p.reserve(bytes.LastIndexByte(rest, '\\'))
	for {
		end := bytes.IndexByte(rest, '\\')
		if end < 0 {
			break
		}
		from := len(p.bodies)
		n, ok := decode64(p.bodies[from:cap(p.bodies)], rest[:end])
		if !ok {
			break
		}
		p.bodies = p.bodies[:from+n]
		p.spans = append(p.spans, span{from, from + n, true})
		if next, ok := bytes.CutPrefix(rest[end:], []byte(`\",\"`)); ok {
			rest = next
			continue
		}
		if after, ok := bytes.CutPrefix(rest[end:], []byte(`\"]"`)); ok {
			return len(value) - len(after)
		}
		break
	}
	p.bodies, p.spans = p.bodies[:0], p.spans[:0]
	return 0
}

// reserve makes room for n bytes of bodies, so that none of them moves.
func (p *Parser) reserve(n int) { p.bodies = slices.Grow(p.bodies[:0], n+16) }

// elements splits the array that the text is; false, and nothing is split, if it is none.
func (p *Parser) elements() bool {
	if p.binaries() {
		return true
	}
	s := &p.inner
	s.Reset(p.call.value)
	p.spans = p.spans[:0]
	p.reserve(len(p.call.value))
	for s.Array(); s.Element(); {
		switch s.Kind() {
		case scan.String:
			from := len(p.bodies)
			p.bodies = s.AppendText(p.bodies)
			p.spans = append(p.spans, span{from, len(p.bodies), true})
		case scan.Null:
			// The host turns an empty body into null when it parses bodies.
			s.Null()
			p.spans = append(p.spans, span{})
		default:
			from := s.Offset()
			s.Skip()
			p.spans = append(p.spans, span{from, s.Offset(), false})
		}
	}
	if s.Finish() != nil {
		p.spans = p.spans[:0]
		return false
	}
	return true
}

// binaries splits an array of base64 strings; false, and nothing is split, if one of them is not that.
func (p *Parser) binaries() bool {
	s := &p.inner
	s.Reset(p.call.value)
	p.reserve(len(p.call.value))
	for s.Array(); s.Element(); {
		if s.Kind() != scan.String {
			return false
		}
		text := s.Text()
		from := len(p.bodies)
		n, ok := decode64(p.bodies[from:cap(p.bodies)], text)
		if !ok || s.Failed() {
			return false
		}
		p.bodies = p.bodies[:from+n]
		p.spans = append(p.spans, span{from, from + n, true})
	}
	return s.Finish() == nil
}

// decode64 decodes strict standard base64, padded and without line breaks, as the host writes it.
func decode64(dst, text []byte) (n int, ok bool) {
	if len(text)%4 != 0 {
		return 0, false
	}
	want := len(text) / 4 * 3
	for i := len(text); i > 0 && i > len(text)-2 && text[i-1] == '='; i-- {
		want--
	}
	if want > len(dst) {
		return 0, false
	}
	n, err := strict64.Decode(dst, text)
	// The decoder passes over line breaks; a text that held some decodes to less than its length promises.
	return n, err == nil && n == want
}

var strict64 = base64.StdEncoding.Strict()
