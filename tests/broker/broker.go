// Package broker stands in for Azure Event Hubs: an AMQP 1.0 broker with partitions, consumer groups, sequence numbers,
// offsets, start positions, owner levels, claims and management calls, as the SDK for Go meets them (facts: rig A;
// events 3). It runs within a test, over plain TCP or TLS, and breaks on request.
//
// The invariant: what it accepted stays, in order, numbered without a gap from what retention left; whatever fault is
// asked for, it never shows a reader something else.
//
// It does not hash partition keys as the service does, so no test may count on where a key goes; it knows no throughput
// units and no web sockets.
package broker

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how a broker is to be.
type Options struct {
	Hubs []Hub
	// Namespace is the fully qualified name that clients call it by over TLS.
	Namespace string
	// TLS makes it speak TLS, with a certificate for Namespace that CA signs.
	TLS bool
	// Key is the shared key that tokens must be signed with, in the form of a connection string's SharedAccessKey. Empty
	// accepts every token, and links without one.
	Key string
	// Token is the bearer token that is accepted beside signed ones.
	Token string
	// MaxMessage bounds a message or a batch, in bytes; 1 MiB where 0.
	MaxMessage int
	// Now is the clock of arrivals; the wall's where nil.
	Now func() time.Time
	// Log is told of connections that end in an error; it may be nil.
	Log func(format string, args ...any)
}

// Hub is one event hub. The consumer group $Default is always there.
type Hub struct {
	Name       string
	Partitions int
	Groups     []string
}

// Broker is a running broker. Its methods may be called at any time by anybody.
type Broker struct {
	options  Options
	listener net.Listener
	authority
	running sync.WaitGroup

	mu          sync.Mutex
	hubs        map[string]*hub
	connections map[*connection]bool
	closed      bool
	faults
}

// Start starts a broker on a free port of the loopback interface.
func Start(o Options) (*Broker, error) {
	o.Namespace = cmp.Or(o.Namespace, "broker.servicebus.windows.net")
	o.MaxMessage = cmp.Or(o.MaxMessage, 1<<20)
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Broker{options: o, hubs: map[string]*hub{}, connections: map[*connection]bool{}}
	for _, h := range o.Hubs {
		if h.Name == "" || h.Partitions < 1 {
			return nil, fmt.Errorf("broker: hub %q with %d partitions", h.Name, h.Partitions)
		}
		b.hubs[strings.ToLower(h.Name)] = newHub(h, o.Now())
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.listener = listener
	if o.TLS {
		if b.authority, err = newAuthority(o.Namespace); err != nil {
			_ = listener.Close()
			return nil, err
		}
		b.listener = tls.NewListener(listener, b.server)
	}
	b.running.Go(b.accept)
	return b, nil
}

func (b *Broker) accept() {
	for {
		nc, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.running.Go(func() { b.serve(nc) })
	}
}

func (b *Broker) serve(nc net.Conn) {
	c := newConnection(b, nc)
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		_ = nc.Close()
		return
	}
	b.connections[c] = true
	b.mu.Unlock()
	b.running.Go(c.flush)
	err := c.run()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && b.options.Log != nil {
		b.options.Log("broker: connection from %s: %v", nc.RemoteAddr(), err)
	}
	b.mu.Lock()
	delete(b.connections, c)
	for _, s := range c.sessions {
		for _, l := range s.links {
			l.drop()
		}
	}
	b.mu.Unlock()
	c.close()
}

// Close cuts every connection and waits until nothing of the broker runs.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	_ = b.listener.Close()
	b.Cut()
	b.running.Wait()
}

// Address is where it listens, as host:port.
func (b *Broker) Address() string { return b.listener.Addr().String() }

// Namespace is the name that readers of a hub know it by: the address where it speaks without TLS, because a connection
// string for the emulator names that.
func (b *Broker) Namespace() string {
	if b.options.TLS {
		return b.options.Namespace
	}
	return b.Address()
}

// ConnectionString reaches the broker: without TLS by the SDK's switch for the emulator, with it by the namespace's name,
// where the client must be told the address.
func (b *Broker) ConnectionString() string {
	key := cmp.Or(b.options.Key, "bm9uZQ==")
	if b.options.TLS {
		return "Endpoint=sb://" + b.options.Namespace + ";SharedAccessKeyName=test;SharedAccessKey=" + key
	}
	return "Endpoint=sb://" + b.Address() + ";SharedAccessKeyName=test;SharedAccessKey=" + key + ";UseDevelopmentEmulator=true"
}

// fault is an error as AMQP names it.
type fault struct{ condition, description string }

func (f fault) Error() string { return f.condition + ": " + f.description }

func notFound(address string) error {
	return fault{"amqp:not-found", fmt.Sprintf("The messaging entity '%s' could not be found.", address)}
}

// node is what a link leads to: calls (claims or management), a hub, one of its partitions, or that for a group.
type node struct {
	calls, claims bool
	hub           *hub
	partition     *partition
	group         string
}

// find resolves an address; names are met in any case.
func (b *Broker) find(address string) (node, error) {
	parts := strings.Split(strings.Trim(address, "/"), "/")
	if len(parts) == 1 && parts[0] == "$cbs" {
		return node{calls: true, claims: true}, nil
	}
	if strings.EqualFold(parts[len(parts)-1], "$management") {
		return node{calls: true}, nil
	}
	n := node{hub: b.hubs[strings.ToLower(parts[0])]}
	if n.hub == nil {
		return n, notFound(address)
	}
	switch {
	case len(parts) == 1:
		return n, nil
	case len(parts) == 3 && strings.EqualFold(parts[1], "Partitions"):
		n.partition = n.hub.partition(parts[2])
	case len(parts) == 5 && strings.EqualFold(parts[1], "ConsumerGroups") && strings.EqualFold(parts[3], "Partitions"):
		n.group, n.partition = strings.ToLower(parts[2]), n.hub.partition(parts[4])
		if !n.hub.groups[n.group] {
			return n, notFound(address)
		}
	}
	if n.partition == nil {
		return n, notFound(address)
	}
	return n, nil
}

// take takes a message on an incoming link and says how it is settled; answer is false where the connection was cut
// instead.
func (b *Broker) take(l *link, format uint32, raw []byte) (state described, answer bool) {
	m, err := parseMessage(raw)
	if err != nil {
		return rejected(fault{"amqp:decode-error", err.Error()}), true
	}
	if l.node.calls {
		b.call(l, m)
		return accepted, true
	}
	if err := b.refused(Sends, l.address); err != nil {
		return rejected(err), true
	}
	if len(raw) > b.options.MaxMessage {
		return rejected(fault{"amqp:link:message-size-exceeded", fmt.Sprintf("%d bytes", len(raw))}), true
	}
	messages := []message{m}
	if format == batchFormat {
		messages = messages[:0]
		for _, data := range m.data {
			one, err := parseMessage(data)
			if err != nil {
				return rejected(fault{"amqp:decode-error", err.Error()}), true
			}
			messages = append(messages, one)
		}
	}
	key, _ := m.annotations[keyPartition].(string)
	p := l.node.partition
	if p == nil {
		p = l.node.hub.choose(key)
	}
	for _, one := range messages {
		k, ok := one.annotations[keyPartition].(string)
		if !ok {
			k = key
		}
		p.append(one, k, b.options.Now())
	}
	p.pump()
	if b.unsettled > 0 {
		b.unsettled--
		l.session.connection.cut()
		return described{}, false
	}
	return accepted, true
}

var accepted = described{0x24, list{}}

func rejected(err error) described {
	f, ok := err.(fault)
	if !ok {
		f = fault{"amqp:internal-error", err.Error()}
	}
	return described{0x25, list{described{0x1d, list{symbol(f.condition), f.description}}}}
}

func offsetText(offset int64) string { return strconv.FormatInt(offset, 10) }
