package force

import (
	"sync"

	"trimtab/tests/fakehost"
)

// hub is a model of an event hub and its checkpoint store: what was sent stays, each partition in order, and the
// checkpoint of a partition is what its owners last wrote, unconditionally, so that an old owner may move it back.
type hub struct {
	mu         sync.Mutex
	partitions []partition
}

type partition struct {
	// events are numbered from 1, without a gap.
	events     []fakehost.Event
	checkpoint int64
	// epoch is raised when somebody else takes the partition; working counts owners, the old ones among them.
	epoch, working int
	owner          int
	// position is how far the present owner has come.
	position int64
	// exhausted are the sequence numbers of batches that failed as often as the host's policy allows.
	exhausted map[int64]bool
}

func newHub(partitions int) *hub {
	h := &hub{partitions: make([]partition, partitions)}
	for i := range h.partitions {
		h.partitions[i].exhausted = map[int64]bool{}
		h.partitions[i].owner = -1
	}
	return h
}

// send appends an event and numbers it.
func (h *hub) send(part int, e fakehost.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.partitions[part]
	e.Sequence = int64(len(p.events)) + 1
	p.events = append(p.events, e)
}

// claim makes host the owner of a partition and tells where to begin.
func (h *hub) claim(part, host int) (epoch int, from int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.partitions[part]
	p.epoch++
	p.working++
	p.owner, p.position = host, p.checkpoint
	return p.epoch, p.checkpoint
}

func (h *hub) owner(part int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.partitions[part].owner
}

// quit ends one owner's work.
func (h *hub) quit(part int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.partitions[part].working--
}

// after are up to n events behind a position, and whether the epoch still owns the partition.
func (h *hub) after(part, epoch int, position int64, n int) (events []fakehost.Event, owned bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.partitions[part]
	end := min(position+int64(n), int64(len(p.events)))
	return p.events[position:end:end], p.epoch == epoch
}

// checkpoint moves a partition's checkpoint, whoever owns it.
func (h *hub) checkpoint(part, epoch int, position int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.partitions[part]
	p.checkpoint = position
	if p.epoch == epoch {
		p.position = position
	}
}

// exhaust takes down events whose batch the host gave up.
func (h *hub) exhaust(part int, events []fakehost.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		h.partitions[part].exhausted[e.Sequence] = true
	}
}

// drained reports whether everything was delivered and nobody delivers any more but the owner.
func (h *hub) drained() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.partitions {
		if p := &h.partitions[i]; p.position != int64(len(p.events)) || p.working != 1 {
			return false
		}
	}
	return true
}

// Sent is what was sent to one partition and what the host gave up of it.
type Sent struct {
	Events    []fakehost.Event
	Exhausted map[int64]bool
}

func (h *hub) sent() []Sent {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Sent
	for i := range h.partitions {
		all = append(all, Sent{h.partitions[i].events, h.partitions[i].exhausted})
	}
	return all
}
