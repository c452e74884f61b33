package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// The performatives (AMQP 1.0, part 2, 2.7) and those of SASL (part 5, 5.3).
const (
	frameOpen        = 0x10
	frameBegin       = 0x11
	frameAttach      = 0x12
	frameFlow        = 0x13
	frameTransfer    = 0x14
	frameDisposition = 0x15
	frameDetach      = 0x16
	frameEnd         = 0x17
	frameClose       = 0x18
	saslMechanisms   = 0x40
	saslOutcome      = 0x44
)

const (
	maxFrame = 64 << 10
	// hugeFrame bounds what is read of a peer that does not keep to what it was told.
	hugeFrame = 2 << 20
)

var (
	headerSASL = [8]byte{'A', 'M', 'Q', 'P', 3, 1, 0, 0}
	headerAMQP = [8]byte{'A', 'M', 'Q', 'P', 0, 1, 0, 0}
)

// connection is one TCP connection. Its fields belong to the broker's lock, except for what goes out.
type connection struct {
	broker   *Broker
	net      net.Conn
	maxFrame uint32
	sessions map[uint16]*session
	// replies are the links that answers go out on, by their address.
	replies map[string]*link
	// granted are the audiences for which a token was put.
	granted map[string]bool

	mu      sync.Mutex
	more    *sync.Cond
	pending []byte
	closed  bool
}

func newConnection(b *Broker, nc net.Conn) *connection {
	c := &connection{
		broker: b, net: nc, maxFrame: 512, sessions: map[uint16]*session{}, replies: map[string]*link{}, granted: map[string]bool{},
	}
	c.more = sync.NewCond(&c.mu)
	return c
}

// write never waits: the broker's lock is held while frames are made, and a peer that does not read must not hold up the
// others.
func (c *connection) write(p []byte) {
	c.mu.Lock()
	c.pending = append(c.pending, p...)
	c.mu.Unlock()
	c.more.Signal()
}

// flush writes what is pending, until the connection is closed.
func (c *connection) flush() {
	defer func() { _ = c.net.Close() }()
	for {
		c.mu.Lock()
		for len(c.pending) == 0 && !c.closed {
			c.more.Wait()
		}
		p, done := c.pending, c.closed
		c.pending = nil
		c.mu.Unlock()
		if len(p) > 0 {
			if _, err := c.net.Write(p); err != nil {
				return
			}
		}
		if done {
			return
		}
	}
}

func (c *connection) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.more.Signal()
}

// cut ends the connection without a word.
func (c *connection) cut() {
	_ = c.net.Close()
	c.close()
}

func (c *connection) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// beat keeps a silent connection open: the peer drops one that says nothing for as long as it asked (facts: rig A2.1).
func (c *connection) beat(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range ticker.C {
		if c.isClosed() {
			return
		}
		c.write([]byte{0, 0, 0, 8, 2, 0, 0, 0})
	}
}

// frame makes one frame: kind 0 is AMQP, 1 is SASL.
func frame(kind byte, channel uint16, code uint64, fields list, payload []byte) []byte {
	b := make([]byte, 8, 64+len(payload))
	b[4], b[5] = 2, kind
	binary.BigEndian.PutUint16(b[6:], channel)
	b = append(put(b, described{code, fields}), payload...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

func readFrame(r *bufio.Reader) (channel uint16, body []byte, err error) {
	var head [8]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > hugeFrame || head[4] != 2 {
		return 0, nil, fmt.Errorf("amqp: frame header % x", head)
	}
	body = make([]byte, size-8)
	_, err = io.ReadFull(r, body)
	return binary.BigEndian.Uint16(head[6:]), body, err
}

// run answers a connection until it ends.
func (c *connection) run() error {
	r := bufio.NewReaderSize(c.net, maxFrame)
	if err := c.greet(r); err != nil {
		return err
	}
	for {
		channel, body, err := readFrame(r)
		if err != nil {
			return err
		}
		if len(body) == 0 {
			continue // the peer's own heartbeat
		}
		d := decoder{rest: body}
		value, err := d.next()
		if err != nil {
			return err
		}
		performative, ok := value.(described)
		fields, isList := performative.value.(list)
		if !ok || !isList {
			return fmt.Errorf("amqp: a frame that begins with a %T", value)
		}
		c.broker.mu.Lock()
		err = c.handle(channel, performative.code, fields, d.rest)
		c.broker.mu.Unlock()
		if errors.Is(err, errClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// greet exchanges headers, through SASL where the peer begins with it; any mechanism is let in, since what counts is the
// token that is put later.
func (c *connection) greet(r *bufio.Reader) error {
	var header [8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	if header == headerSASL {
		c.write(headerSASL[:])
		c.write(frame(1, 0, saslMechanisms, list{[]symbol{"MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"}}, nil))
		if _, _, err := readFrame(r); err != nil {
			return err
		}
		c.write(frame(1, 0, saslOutcome, list{uint8(0)}, nil))
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return err
		}
	}
	if header != headerAMQP {
		return fmt.Errorf("amqp: protocol header %q", header)
	}
	c.write(headerAMQP[:])
	return nil
}

var errClosed = errors.New("amqp: the peer closed the connection")

// handle takes one frame; the broker's lock is held.
func (c *connection) handle(channel uint16, code uint64, f list, payload []byte) error {
	switch code {
	case frameOpen:
		c.open(f)
		return nil
	case frameClose:
		c.write(frame(0, 0, frameClose, list{}, nil))
		return errClosed
	case frameBegin:
		s := &session{
			connection: c, channel: channel, links: map[uint32]*link{},
			nextIn: field[uint32](f, 1), window: field[uint32](f, 2),
		}
		c.sessions[channel] = s
		s.send(frameBegin, list{channel, uint32(0), uint32(1 << 30), uint32(1 << 30), uint32(4095)})
		return nil
	}
	s := c.sessions[channel]
	if s == nil {
		return fmt.Errorf("amqp: frame %#x on channel %d, where no session is", code, channel)
	}
	return s.handle(code, f, payload)
}

func (c *connection) open(f list) {
	c.maxFrame = maxFrame
	if asked, ok := f.at(2).(uint32); ok {
		c.maxFrame = min(asked, maxFrame)
	}
	c.write(frame(0, 0, frameOpen, list{"broker", nil, uint32(maxFrame), uint16(4999), uint32(240_000)}, nil))
	if silence := field[uint32](f, 4); silence > 0 {
		go c.beat(time.Duration(silence) * time.Millisecond / 2)
	}
}
