// Package invocation reads what the Functions host posts to a custom handler, and writes what it wants to hear back.
//
// The host wraps values in up to three layers of strings, and which layers depends on the binding's dataType and
// cardinality, on the host's version and on the kind of value (facts: functions-host 2.2 to 2.6). All of that ends here:
// what leaves this package is events with their bodies as the producer sent them. As many events leave as came in; what
// an event's body holds is not looked at.
package invocation

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/scan"
)

// Event is one event of the hub.
type Event struct {
	// Source is the identity of the event; its Known is false where the host did not vouch for it.
	Source scale.Source
	// Offset is the event's offset, empty if the host did not tell. It is opaque: offsets are not to be compared.
	Offset []byte
	// Body is what the producer sent.
	Body []byte
	// Properties are the application's properties of the event, a JSON object as the host wrote it: bytes are base64
	// there and times have no zone. They are nil if there are none.
	Properties []byte
	// System are the properties of the message, likewise, and nil where they say nothing of its content.
	System []byte
}

// Invocation is one call of the host for an Event Hubs trigger.
type Invocation struct {
	// Function is the name of the function, as the host tells it.
	Function string
	Events   []Event
	// Hub is "namespace/hub" in small letters; Hub, Partition and ConsumerGroup are empty where the host did not vouch
	// for them.
	Hub, Partition, ConsumerGroup string
	Retry
	// Notes say which metadata was left out of account, and why; for the log.
	Notes []string
}

// Retry says which try of a delivery an invocation is. Both are 0 where no retry policy is in force.
type Retry struct {
	// RetryCount is 0 on the first try.
	RetryCount, MaxRetryCount int
}

// Timer is one call of the host for a timer trigger.
type Timer struct {
	Function string
	// PastDue is true when the call comes later than it was due.
	PastDue bool
	// LastAt and NextAt are zero where the host does not monitor the schedule: it never does below a minute.
	LastAt, NextAt time.Time
	Retry
}

// maxDepth is how deep an invocation may be nested. The bodies of events may lie within it, and a body that is nested
// too deep must not stop the others; what reads bodies has a limit of its own.
const maxDepth = 10_000

// Parser reads invocations. What it returns lives in the request and in buffers that it uses again, and is valid until
// the next call, except for the strings. It is made for one goroutine; its zero value is ready for use.
type Parser struct {
	outer, inner scan.Scanner
	inv          Invocation
	call         call
	text         []byte // the binding's value, one layer of string taken off
	bodies       []byte // bodies that had to be unquoted or decoded
	meta         []byte // values of the metadata, one layer of strings taken off
	hub          []byte
	spans        []span
}

// call is an invocation taken apart, its values still as the host wrote them.
type call struct {
	value []byte // of the binding, one layer of string taken off
	kind  scan.Kind
	// decoded is true when the bodies have been decoded from the value on the way.
	decoded  bool
	metadata [metadataKeys][]byte
}

// span is the body of an event: a part of the text, or of the bodies if owned.
type span struct {
	from, to int
	owned    bool
}

// Events reads an invocation for an Event Hubs trigger whose binding has the given name in function.json; an empty name
// stands for the only one there is. An error means that this is no invocation: invalid JSON, no Data, or not that
// binding. Whatever else is amiss costs metadata and leaves a note, never an event.
//
// The binding's value may be any that the six combinations of dataType and cardinality make, and what newer hosts and
// tests may send in their place (facts: functions-host 2.3, 2.6):
//
//   - an array, or a string that holds one: many events. Its strings are bodies, its other values are bodies that the
//     host has parsed, its nulls are empty bodies. If all strings of the array are strict base64 they are decoded,
//     otherwise all are text: the host never mixes the two within one batch, and with dataType binary, which our
//     doors use, all of them are base64 without exception.
//   - a string that holds a string: one event, its body that string.
//   - a string of strict base64: one event, its body the bytes.
//   - an object, or any other string: one event, its body that.
//
// Of one event the metadata is believed only where the body came as base64: the host lets other bodies overwrite it
// (facts: functions-host 2.3).
func (p *Parser) Events(body []byte, binding string) (*Invocation, error) {
	if err := p.take(body, binding); err != nil {
		return nil, err
	}
	inv := &p.inv
	*inv = Invocation{
		Function: inv.Function, Hub: inv.Hub, Partition: inv.Partition, ConsumerGroup: inv.ConsumerGroup,
		Events: inv.Events[:0], Notes: inv.Notes[:0],
	}
	many, believed, err := p.split()
	if err != nil {
		return nil, err
	}
	for _, s := range p.spans {
		from := p.call.value
		if s.owned {
			from = p.bodies
		}
		inv.Events = append(inv.Events, Event{Body: from[s.from:s.to:s.to]})
	}
	if believed {
		p.identify(many)
	} else {
		inv.Function, inv.Hub, inv.Partition, inv.ConsumerGroup = "", "", "", ""
		p.note("metadata left out of account: with cardinality one the event may have overwritten it")
	}
	return inv, nil
}

// Timer reads an invocation for a timer trigger, the binding's name as with [Parser.Events]. What it does not find is
// zero; an error means that this is no invocation for a timer.
func (p *Parser) Timer(body []byte, binding string) (*Timer, error) {
	if err := p.take(body, binding); err != nil {
		return nil, err
	}
	value := p.call.value
	s := &p.inner
	s.Reset(value)
	if s.Kind() != scan.Object {
		return nil, fmt.Errorf("invocation: the timer is %s, not an object", s.Kind())
	}
	t := &Timer{Function: p.function(), Retry: p.retry()}
	s.Reset(value)
	for s.Object(); s.Field(); {
		switch {
		case is(s.Key(), "ispastdue"):
			t.PastDue = s.Kind() == scan.True
			s.Skip()
		case is(s.Key(), "schedulestatus") && s.Kind() == scan.Object:
			for s.Object(); s.Field(); {
				switch {
				case is(s.Key(), "last") && s.Kind() == scan.String:
					t.LastAt, _ = scan.Time(s.Text())
				case is(s.Key(), "next") && s.Kind() == scan.String:
					t.NextAt, _ = scan.Time(s.Text())
				default:
					s.Skip()
				}
			}
		default:
			s.Skip()
		}
	}
	if err := s.Finish(); err != nil {
		return nil, fmt.Errorf("invocation: read the timer: %w", err)
	}
	// A schedule that never ran has the first of all dates for its last time.
	if t.LastAt.Year() <= 1 {
		t.LastAt = time.Time{}
	}
	return t, nil
}

// take takes an invocation apart.
func (p *Parser) take(body []byte, binding string) error {
	s := &p.outer
	s.Limit, p.inner.Limit = maxDepth, maxDepth
	p.call = call{}
	p.meta = p.meta[:0]
	s.Reset(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if kind := s.Kind(); kind != scan.Object {
		return fmt.Errorf("invocation: the request's body is %s, not an object", kind)
	}
	data, metadata := false, false
	for s.Object(); s.Field(); {
		switch {
		case is(s.Key(), "data"):
			if data {
				return errors.New("invocation: Data stands there twice")
			}
			data = true
			if err := p.takeBinding(binding); err != nil {
				return err
			}
		case is(s.Key(), "metadata") && s.Kind() == scan.Object && !metadata:
			metadata = true
			for s.Object(); s.Field(); {
				if k := metadataKey(s.Key()); k != metaOther && p.call.metadata[k] == nil {
					p.call.metadata[k] = s.Raw()
				} else {
					s.Skip()
				}
			}
		default:
			s.Skip()
		}
	}
	if err := s.Finish(); err != nil {
		return fmt.Errorf("invocation: read the request's body: %w", err)
	}
	if !data {
		return errors.New("invocation: the request's body has no Data")
	}
	return nil
}

// takeBinding finds the binding's value within Data.
func (p *Parser) takeBinding(binding string) error {
	s := &p.outer
	if kind := s.Kind(); kind != scan.Object {
		if kind == scan.Invalid {
			s.Skip()
			return fmt.Errorf("invocation: read the request's body: %w", s.Err())
		}
		return fmt.Errorf("invocation: Data is %s, not an object", kind)
	}
	n := 0
	for s.Object(); s.Field(); {
		n++
		if binding == "" || strings.EqualFold(string(s.Key()), binding) {
			if p.call.value != nil && binding != "" {
				return fmt.Errorf("invocation: Data has the binding %q twice", binding)
			}
			p.takeValue()
		} else {
			s.Skip()
		}
	}
	switch {
	case s.Failed():
		return fmt.Errorf("invocation: read the request's body: %w", s.Err())
	case p.call.value == nil && binding != "":
		return fmt.Errorf("invocation: Data has no binding %q", binding)
	case p.call.value == nil:
		return errors.New("invocation: Data has no binding")
	case binding == "" && n > 1:
		return fmt.Errorf("invocation: Data has %d bindings, name one", n)
	}
	return nil
}

// takeValue takes the binding's value, and one layer of string off it. The value is by far the largest part of an
// invocation, so this is done in one pass.
func (p *Parser) takeValue() {
	s := &p.outer
	c := &p.call
	c.kind = s.Kind()
	c.decoded = false
	p.bodies, p.spans = p.bodies[:0], p.spans[:0]
	if c.kind != scan.String {
		c.value = s.Raw()
		return
	}
	if end := p.direct(s.Rest()); end > 0 {
		s.Advance(end)
		c.decoded, c.value = true, []byte{}
		return
	}
	p.text = s.AppendText(slices.Grow(p.text[:0], len(s.Rest())+16))
	c.value = p.text
}

// is compares a key of the host's with a name in small letters. The host writes Data and Metadata; a host that wrote
// data would be understood too.
func is(key []byte, name string) bool {
	if len(key) != len(name) {
		return false
	}
	for i, c := range key {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

func (p *Parser) note(format string, args ...any) {
	p.inv.Notes = append(p.inv.Notes, fmt.Sprintf(format, args...))
}
