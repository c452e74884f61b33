package broker

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxReaders is how many readers without an owner level a partition and group may have (facts: events 3.1).
const maxReaders = 5

// spare is what remains of the peer's window, so that a large message still fits.
const spare = 32

// reader is a reader of a partition: a link that the broker sends events on.
type reader struct {
	link      *link
	partition *partition
	group     string
	name      string
	// level is the owner level, nil for none.
	level *int64
	// next is the number of the event that comes next.
	next int64
}

// read makes a reader of a link, or detaches it with the reason why not.
func (b *Broker) read(l *link, source list, properties dict) {
	p := l.node.partition
	r := &reader{link: l, partition: p, group: l.node.group}
	r.name, _ = properties[symbol("com.microsoft:receiver-name")].(string)
	if level, ok := properties[symbol("com.microsoft:epoch")].(int64); ok {
		r.level = &level
	}
	var err error
	if r.next, err = p.start(selector(source)); err != nil {
		l.detach(err)
		return
	}
	others := p.group(r.group)
	if err := r.mayEnter(others); err != nil {
		l.detach(err)
		return
	}
	if r.level != nil {
		for _, other := range others {
			other.link.detach(fault{"amqp:link:stolen", fmt.Sprintf(
				"New receiver '%s' with higher epoch of '%d' is created hence current receiver '%s' is getting disconnected.", r.name, *r.level, other.name)})
		}
	}
	l.reader = r
	p.readers[r] = true
	r.pump()
}

// mayEnter holds a reader against those that are there: the higher owner level wins, the same one too, and where one is,
// none without may be.
func (r *reader) mayEnter(others []*reader) error {
	for _, other := range others {
		switch {
		case other.level == nil:
		case r.level == nil:
			return fault{"amqp:link:stolen", fmt.Sprintf(
				"At least one receiver for the endpoint is created with epoch of '%d', and so non-epoch receiver is not allowed.", *other.level)}
		case *r.level < *other.level:
			return fault{"amqp:link:stolen", fmt.Sprintf(
				"Receiver '%s' with a higher epoch '%d' already exists. Receiver '%s' with epoch %d cannot be created.", other.name, *other.level, r.name, *r.level)}
		}
	}
	if r.level == nil && len(others) >= maxReaders {
		return fault{"amqp:resource-limit-exceeded", fmt.Sprintf(
			"Exceeded the maximum number of allowed receivers per partition in a consumer group which is %d.", maxReaders)}
	}
	return nil
}

func (r *reader) leave() { delete(r.partition.readers, r) }

// pump sends events as far as credit and window reach.
func (r *reader) pump() {
	for p := r.partition; r.next < p.end() && r.link.credit > 0 && int32(r.link.session.window) > spare; r.next++ {
		r.link.deliver(p.events[r.next-p.begin].wire)
	}
}

func (p *partition) group(name string) (all []*reader) {
	for r := range p.readers {
		if r.group == name {
			all = append(all, r)
		}
	}
	return all
}

// selector is the filter that says where to begin.
func selector(source list) string {
	filters, _ := source.at(7).(dict)
	for _, f := range filters {
		if d, ok := f.(described); ok {
			if text, ok := d.value.(string); ok {
				return text
			}
		}
	}
	return "amqp.annotation.x-opt-offset > '-1'"
}

var selection = regexp.MustCompile(`^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'([^']*)'$`)

// start finds where a reader begins. A position past the end is an error, as the service has it: the hub was made anew
// and its numbers began again.
func (p *partition) start(text string) (int64, error) {
	m := selection.FindStringSubmatch(text)
	if m == nil {
		return 0, fault{"com.microsoft:argument-error", fmt.Sprintf("The filter %q is not understood.", text)}
	}
	kind, inclusive, value := m[1], m[2] == ">=", m[3]
	if value == "@latest" {
		return p.end(), nil
	}
	want, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, fault{"com.microsoft:argument-error", fmt.Sprintf("The supplied %s '%s' is invalid.", strings.ReplaceAll(kind, "-", " "), value)}
	}
	lastSequence, lastOffset := p.last()
	switch {
	case kind == "offset" && want > lastOffset:
		return 0, fault{"com.microsoft:argument-error", fmt.Sprintf("The supplied offset '%d' is invalid. The last offset in the system is '%d'", want, lastOffset)}
	case kind == "sequence-number" && want > lastSequence:
		return 0, fault{"com.microsoft:argument-error", fmt.Sprintf("The supplied sequence number '%d' is invalid. The last sequence number in the system is '%d'", want, lastSequence)}
	}
	for _, e := range p.events {
		at := e.sequence
		switch kind {
		case "offset":
			at = e.offset
		case "enqueued-time":
			at = e.enqueuedAt.UnixMilli()
		}
		if at > want || (inclusive && at == want) {
			return e.sequence, nil
		}
	}
	return p.end(), nil
}

// Readers tells who reads a group's partitions, by the partition's ID: the names that they gave.
func (b *Broker) Readers(hubName, group string) map[string][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string][]string{}
	for _, p := range b.hubs[strings.ToLower(hubName)].partitions {
		for _, r := range p.group(strings.ToLower(group)) {
			out[p.id] = append(out[p.id], r.name)
		}
	}
	return out
}
