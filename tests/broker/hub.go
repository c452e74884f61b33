package broker

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// Event is one event, as tests put it in and see it.
type Event struct {
	Partition  string
	Sequence   int64
	Offset     string
	EnqueuedAt time.Time
	Key        string
	// ContentType and Properties are sent with an appended event; they are not told of events that came over the wire.
	ContentType string
	Properties  map[string]any
	Body        []byte
}

// hub is one event hub.
type hub struct {
	Hub
	createdAt  time.Time
	partitions []*partition
	groups     map[string]bool
	// turn is whose turn it is to take a message that names no partition.
	turn int
}

func newHub(h Hub, now time.Time) *hub {
	out := &hub{Hub: h, createdAt: now.UTC(), groups: map[string]bool{"$default": true}}
	for i := range h.Partitions {
		out.partitions = append(out.partitions, &partition{id: strconv.Itoa(i), readers: map[*reader]bool{}})
	}
	for _, g := range h.Groups {
		out.groups[strings.ToLower(g)] = true
	}
	return out
}

func (h *hub) partition(id string) *partition {
	for _, p := range h.partitions {
		if p.id == id {
			return p
		}
	}
	return nil
}

// choose is the partition for a message that names none: by its key, else in turn.
func (h *hub) choose(key string) *partition {
	if key == "" {
		h.turn++
		return h.partitions[(h.turn-1)%len(h.partitions)]
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(key))
	return h.partitions[sum.Sum32()%uint32(len(h.partitions))]
}

// partition is a log of events: events[i] has the number begin+i.
type partition struct {
	id      string
	events  []*stored
	begin   int64
	bytes   int64
	lastAt  time.Time
	readers map[*reader]bool
}

// end is the number that the next event will have.
func (p *partition) end() int64 { return p.begin + int64(len(p.events)) }

func (p *partition) append(m message, key string, now time.Time) *stored {
	// Annotations travel in milliseconds.
	e := &stored{sequence: p.end(), offset: p.bytes, enqueuedAt: now.UTC().Truncate(time.Millisecond), key: key, message: m}
	e.stamp()
	p.bytes += int64(len(e.wire))
	p.lastAt = e.enqueuedAt
	p.events = append(p.events, e)
	return e
}

// last is the number and the offset of the newest event, -1 both where there never was one.
func (p *partition) last() (sequence, offset int64) {
	if n := len(p.events); n > 0 {
		return p.events[n-1].sequence, p.events[n-1].offset
	}
	if p.begin > 0 {
		return p.begin - 1, p.bytes
	}
	return -1, -1
}

func (p *partition) pump() {
	for r := range p.readers {
		r.pump()
	}
}

// expire forgets the oldest events, as retention does. Readers that stood among them go on with the oldest that is left.
func (p *partition) expire(n int) {
	n = min(n, len(p.events))
	p.events = p.events[n:]
	p.begin += int64(n)
	for r := range p.readers {
		r.next = max(r.next, p.begin)
	}
}

func (e *stored) event(partition string) Event {
	return Event{
		Partition: partition, Sequence: e.sequence, Offset: offsetText(e.offset), EnqueuedAt: e.enqueuedAt, Key: e.key, Body: e.body(),
	}
}

// Append puts events into a partition without a client, and returns them as they are numbered.
func (b *Broker) Append(hubName, partition string, events ...Event) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.must(hubName, partition)
	out := make([]Event, 0, len(events))
	for i := range events {
		m, err := parseMessage(encodeMessage(&events[i]))
		if err != nil {
			panic("broker: " + err.Error())
		}
		out = append(out, p.append(m, events[i].Key, b.options.Now()).event(p.id))
	}
	p.pump()
	return out
}

// Events are all events of a partition that retention has left.
func (b *Broker) Events(hubName, partition string) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.must(hubName, partition)
	out := make([]Event, 0, len(p.events))
	for _, e := range p.events {
		out = append(out, e.event(p.id))
	}
	return out
}

// Partitions are the IDs of a hub's partitions.
func (b *Broker) Partitions(hubName string) (ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.hubs[strings.ToLower(hubName)].partitions {
		ids = append(ids, p.id)
	}
	return ids
}

// must finds a partition that the test itself has asked for.
func (b *Broker) must(hubName, id string) *partition {
	if h := b.hubs[strings.ToLower(hubName)]; h != nil {
		if p := h.partition(id); p != nil {
			return p
		}
	}
	panic("broker: no partition " + hubName + "/" + id)
}
