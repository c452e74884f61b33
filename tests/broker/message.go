package broker

import "time"

// The sections of a message (AMQP 1.0, part 3, 3.2).
const (
	sectionHeader      = 0x70
	sectionDelivery    = 0x71
	sectionAnnotations = 0x72
	sectionProperties  = 0x73
	sectionApplication = 0x74
	sectionData        = 0x75
	sectionValue       = 0x77
)

// The annotations that Event Hubs puts on what it delivers (facts: rig A2.7).
const (
	keySequence  = symbol("x-opt-sequence-number")
	keyOffset    = symbol("x-opt-offset")
	keyEnqueued  = symbol("x-opt-enqueued-time")
	keyPartition = symbol("x-opt-partition-key")
)

// batchFormat marks a transfer each of whose data sections is a whole message.
const batchFormat = 0x80013700

// message is what the broker looks at in a message.
type message struct {
	annotations, application dict
	properties               list
	data                     [][]byte
	// bare is the message without what a broker may change: everything behind the annotations, as it came.
	bare []byte
}

func parseMessage(raw []byte) (message, error) {
	var m message
	d := decoder{rest: raw}
	for len(d.rest) > 0 {
		at := d.rest
		value, err := d.next()
		if err != nil {
			return m, err
		}
		s, _ := value.(described)
		switch s.code {
		case sectionHeader, sectionDelivery:
			continue
		case sectionAnnotations:
			m.annotations, _ = s.value.(dict)
			continue
		case sectionProperties:
			m.properties, _ = s.value.(list)
		case sectionApplication:
			m.application, _ = s.value.(dict)
		case sectionData:
			p, _ := s.value.([]byte)
			m.data = append(m.data, p)
		}
		m.bare = append(m.bare, at[:len(at)-len(d.rest)]...)
	}
	return m, nil
}

// stored is an event as a partition keeps it.
type stored struct {
	sequence   int64
	offset     int64
	enqueuedAt time.Time
	key        string
	message    message
	// wire is what readers are sent.
	wire []byte
}

// stamp makes the event's wire form: the annotations of the broker, then the message as it came.
func (e *stored) stamp() {
	a := dict{keySequence: e.sequence, keyOffset: offsetText(e.offset), keyEnqueued: e.enqueuedAt}
	if e.key != "" {
		a[keyPartition] = e.key
	}
	e.wire = append(put(nil, described{sectionAnnotations, a}), e.message.bare...)
}

// body is the event's body: its data sections together, as AMQP has it.
func (e *stored) body() []byte {
	body := []byte{}
	for _, part := range e.message.data {
		body = append(body, part...)
	}
	return body
}

// encodeMessage makes a message of a body and its properties.
func encodeMessage(e *Event) []byte {
	var raw []byte
	if e.ContentType != "" {
		raw = put(raw, described{sectionProperties, list{nil, nil, nil, nil, nil, nil, symbol(e.ContentType)}})
	}
	if len(e.Properties) > 0 {
		application := dict{}
		for name, value := range e.Properties {
			application[name] = value
		}
		raw = put(raw, described{sectionApplication, application})
	}
	return put(raw, described{sectionData, append([]byte{}, e.Body...)})
}
