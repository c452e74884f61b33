package broker

import (
	"fmt"
	"strings"
)

// Conditions that the service answers with.
const (
	ServerBusy      = "com.microsoft:server-busy"
	DetachForced    = "amqp:link:detach-forced"
	Stolen          = "amqp:link:stolen"
	Unauthorized    = "amqp:unauthorized-access"
	InternalError   = "amqp:internal-error"
	QuotaExceeded   = "amqp:resource-limit-exceeded"
	ConnectionError = "amqp:connection:forced"
)

// Operation is a kind of thing that a client asks for.
type Operation int

// The operations that can be refused.
const (
	// Sends are messages and batches.
	Sends Operation = iota
	// Attaches are new links of senders and readers.
	Attaches
	// Calls are requests of management.
	Calls
)

// faults are what the broker was asked to do wrong; they belong to its lock.
type faults struct {
	refusals []refusal
	// unsettled is how many more messages are stored without an answer.
	unsettled int
}

type refusal struct {
	operation Operation
	address   string
	condition string
	left      int
}

// Refuse makes the next n operations whose address or name contains a text fail with a condition.
func (b *Broker) Refuse(o Operation, address string, n int, condition string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusals = append(b.refusals, refusal{o, strings.ToLower(address), condition, n})
}

func (b *Broker) refused(o Operation, address string) error {
	for i := range b.refusals {
		r := &b.refusals[i]
		if r.operation == o && r.left > 0 && strings.Contains(strings.ToLower(address), r.address) {
			r.left--
			return fault{r.condition, fmt.Sprintf("asked for by the test, %d more to come", r.left)}
		}
	}
	return nil
}

// LoseSettlements stores the next n messages and cuts the connection instead of saying so: a sender that tries again
// doubles them.
func (b *Broker) LoseSettlements(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsettled = n
}

// Cut cuts every connection without a word.
func (b *Broker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.connections {
		c.cut()
	}
}

// Detach detaches the readers of a hub's partition, or of all where that is empty, with a condition. With [Stolen] it is
// what a reader sees whose partition another has taken. It returns how many there were.
func (b *Broker) Detach(hubName, partition, condition string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.hubs[strings.ToLower(hubName)].partitions {
		if partition != "" && p.id != partition {
			continue
		}
		for r := range p.readers {
			r.link.detach(fault{condition, "asked for by the test"})
			n++
		}
	}
	return n
}

// Expire forgets the oldest n events of a partition, as retention does.
func (b *Broker) Expire(hubName, partition string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.must(hubName, partition).expire(n)
}

// Recreate deletes a hub and makes it anew, empty: links to the old one are detached, numbers begin again, and
// checkpoints of before lie beyond the end.
func (b *Broker) Recreate(hubName string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := strings.ToLower(hubName)
	old := b.hubs[key]
	b.hubs[key] = newHub(old.Hub, b.options.Now())
	for c := range b.connections {
		for _, s := range c.sessions {
			for _, l := range s.links {
				if l.node.hub == old && !l.dead {
					l.detach(notFound(hubName))
				}
			}
		}
	}
}
