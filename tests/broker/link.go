package broker

import (
	"encoding/binary"
	"fmt"
)

// session is one session of a connection; it belongs to the broker's lock, as its links do.
type session struct {
	connection *connection
	channel    uint16
	links      map[uint32]*link
	// nextIn and nextOut count transfer frames; window is how many more the peer takes; nextDelivery numbers deliveries.
	nextIn, nextOut, window, nextDelivery uint32
}

// link is one link, named by the same handle both ways.
type link struct {
	session *session
	name    string
	handle  uint32
	// outgoing is true where the broker sends.
	outgoing bool
	address  string
	node     node
	// credit is how many deliveries may still come or go, count how many did.
	credit, count uint32
	// dead is true after the broker has detached the link.
	dead bool

	// What is coming in piece by piece.
	partial  []byte
	format   uint32
	delivery uint32

	// What waits for credit: an answer may be ready before the peer has granted any (facts: rig A3).
	waiting [][]byte
	reader  *reader
}

func (s *session) send(code uint64, f list) { s.connection.write(frame(0, s.channel, code, f, nil)) }

func (s *session) handle(code uint64, f list, payload []byte) error {
	switch code {
	case frameAttach:
		s.attach(f)
	case frameFlow:
		s.flow(f)
	case frameTransfer:
		return s.transfer(f, payload)
	case frameDetach:
		if l := s.links[field[uint32](f, 0)]; l != nil {
			if !l.dead {
				s.send(frameDetach, list{l.handle, true})
			}
			l.drop()
			delete(s.links, l.handle)
		}
	case frameEnd:
		for _, l := range s.links {
			l.drop()
		}
		delete(s.connection.sessions, s.channel)
		s.send(frameEnd, list{})
	case frameDisposition:
		// What goes out is settled when it is sent.
	default:
		return fmt.Errorf("amqp: performative %#x", code)
	}
	return nil
}

// attach answers a new link. One whose node is not there gets no terminus, and the error at once; one that is refused for
// another reason is attached and then detached, as the service does (facts: rig A3).
func (s *session) attach(f list) {
	b := s.connection.broker
	source, target := f.terminus(5), f.terminus(6)
	l := &link{session: s, name: field[string](f, 0), handle: field[uint32](f, 1), outgoing: field[bool](f, 2), address: field[string](target, 0)}
	s.links[l.handle] = l
	wanted := l.address
	if l.outgoing {
		wanted = field[string](source, 0)
	}
	found, err := b.find(wanted)
	if err == nil && !found.calls && (found.group != "") != l.outgoing {
		err = fault{"amqp:not-allowed", fmt.Sprintf("%s is not for links of this direction", wanted)}
	}
	if err == nil {
		err = b.admit(s.connection, wanted, found)
	}
	settling := f.at(3)
	if l.outgoing {
		settling = uint8(1) // settled when sent: the SDK gives no credit back otherwise (facts: rig A3)
	}
	if err != nil {
		s.send(frameAttach, list{l.name, l.handle, !l.outgoing, settling, f.at(4), nil, nil, nil, nil, uint32(0)})
		l.detach(err)
		return
	}
	l.node = found
	s.send(frameAttach, list{
		l.name, l.handle, !l.outgoing, settling, f.at(4),
		described{0x28, source},
		described{0x29, target},
		nil, nil, uint32(0),
		uint64(b.options.MaxMessage), nil, nil,
		dict{},
	})
	switch {
	case l.outgoing && found.calls:
		s.connection.replies[l.address] = l
	case l.outgoing:
		properties, _ := f.at(13).(dict)
		b.read(l, source, properties)
	default:
		l.credit = grant
		l.grant(false)
	}
}

// flow takes the peer's credit. One without a handle is for the session, and may let any link go on.
func (s *session) flow(f list) {
	s.window = field[uint32](f, 0) + field[uint32](f, 1) - s.nextOut
	handle, ok := f.at(4).(uint32)
	if !ok {
		for _, l := range s.links {
			l.pump()
		}
		return
	}
	l := s.links[handle]
	if l == nil || !l.outgoing || l.dead {
		return
	}
	l.credit = field[uint32](f, 5) + field[uint32](f, 6) - l.count
	l.pump()
	if field[bool](f, 8) { // drain: what is not used is given up
		l.count += l.credit
		l.credit = 0
		l.grant(true)
	}
}

// transfer takes a piece of a message, and the message with its last piece.
func (s *session) transfer(f list, payload []byte) error {
	s.nextIn++
	l := s.links[field[uint32](f, 0)]
	if l == nil || l.outgoing {
		return fmt.Errorf("amqp: transfer on handle %d", field[uint32](f, 0))
	}
	if len(l.partial) == 0 {
		l.delivery, l.format = field[uint32](f, 1), field[uint32](f, 3)
	}
	l.partial = append(l.partial, payload...)
	if field[bool](f, 5) {
		return nil
	}
	raw := l.partial
	l.partial = nil
	if l.dead {
		return nil
	}
	l.count++
	l.credit--
	state, answer := s.connection.broker.take(l, l.format, raw)
	if !answer {
		return errClosed
	}
	if !field[bool](f, 4) {
		s.send(frameDisposition, list{true, l.delivery, l.delivery, true, state})
	}
	if l.credit < grant/2 && !l.dead {
		l.credit = grant
		l.grant(false)
	}
	return nil
}

// grant is the credit that a sender is given.
const grant = 1000

// grant tells the peer the link's credit.
func (l *link) grant(drain bool) {
	s := l.session
	s.send(frameFlow, list{s.nextIn, uint32(1 << 30), s.nextOut, uint32(1 << 30), l.handle, l.count, l.credit, uint32(0), drain})
}

// pump sends what waits, as far as credit and window reach.
func (l *link) pump() {
	for len(l.waiting) > 0 && l.credit > 0 {
		l.deliver(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
	if l.reader != nil {
		l.reader.pump()
	}
}

// deliver sends one settled message, cut to the peer's frames.
func (l *link) deliver(message []byte) {
	s := l.session
	tag := binary.BigEndian.AppendUint32(nil, l.count)
	for first := true; first || len(message) > 0; first = false {
		n := min(len(message), int(s.connection.maxFrame)-128)
		f := list{l.handle, nil, nil, nil, true, n < len(message)}
		if first {
			f[1], f[2], f[3] = s.nextDelivery, tag, uint32(0)
		}
		s.connection.write(frame(0, s.channel, frameTransfer, f, message[:n]))
		message = message[n:]
		s.nextOut++
		s.window--
	}
	s.nextDelivery++
	l.count++
	l.credit--
}

// detach closes the link from the broker's side, with the error.
func (l *link) detach(err error) {
	f, ok := err.(fault)
	if !ok {
		f = fault{"amqp:internal-error", err.Error()}
	}
	l.dead = true
	l.session.send(frameDetach, list{l.handle, true, described{0x1d, list{symbol(f.condition), f.description}}})
	l.drop()
}

// drop takes the link out of what the broker keeps.
func (l *link) drop() {
	if l.reader != nil {
		l.reader.leave()
		l.reader = nil
	}
	if c := l.session.connection; c.replies[l.address] == l {
		delete(c.replies, l.address)
	}
}
