package replay

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// scaleSet is a fleet behind the engine's port: a nominal count, a mix, an ETag, and one operation at a time, as Azure
// Resource Manager shows them (facts: VMSS 1.1 to 1.4, 2.1).
type scaleSet struct {
	*fleet
	pool    *scale.Pool
	now     func() time.Duration
	nominal int
	mix     *scale.Mix
	spot    bool
	version int
	ops     []operation
	// half says which of the fleet's machines are its own.
	half half
}

// operation is a change under way.
type operation struct {
	ends    time.Duration
	failure *scale.FleetError
}

var _ engine.Fleet = (*scaleSet)(nil)

// newScaleSet makes the set that the pool's definition expects. A flexible one has a priority mix, all regular until the
// policy asks for something else; a uniform one is regular.
func newScaleSet(f *fleet, pool *scale.Pool, now func() time.Duration, n int) *scaleSet {
	s := &scaleSet{fleet: f, pool: pool, now: now, nominal: n, version: 1}
	if pool.SpotScaleSet == "" && pool.Orchestration == scale.Flexible && f.world.Spot.Model != "never" {
		s.spot, s.mix = true, &scale.Mix{RegularPercent: 100}
	}
	return s
}

// evicted takes machines that went out of the nominal count, where the world does so.
func (s *scaleSet) evicted(_ time.Duration, _ int, machines []int) {
	if s.world.Spot.EvictionLowers {
		s.nominal -= len(machines)
		s.version++
	}
}

func (s *scaleSet) ordered() int { return s.nominal }

func (s *scaleSet) etag() string { return `"` + strconv.Itoa(s.version) + `"` }

// Read reads the facts.
func (s *scaleSet) Read(context.Context, string) (scale.Facts, error) {
	now := s.now()
	state := "Succeeded"
	if n := len(s.ops); n > 0 {
		switch last := &s.ops[n-1]; {
		case last.ends > now:
			state = "Updating"
		case last.failure != nil:
			state = "Failed"
		}
	}
	f := scale.Facts{
		ReadAt: s.start.Add(now), Capacity: s.nominal, ETag: s.etag(), ProvisioningState: state,
		Orchestration: s.pool.Orchestration, Spot: s.spot, Size: "modelled", Location: "modelled",
		PlatformMax: 1000, PlatformMaxRule: "scale set", Live: s.live(now),
	}
	if s.mix != nil {
		m := *s.mix
		f.Mix = &m
	}
	return f, nil
}

// live counts the machines one by one. The platform calls a machine up when its boot has ended.
func (s *scaleSet) live(now time.Duration) *scale.Live {
	l := &scale.Live{ReadAt: s.start.Add(now), ByZone: make(map[string]scale.ZoneCount, len(s.market.Zones))}
	for i := range s.machines {
		m := &s.machines[i]
		if !s.half.holds(m) {
			continue
		}
		zone := s.market.Zones[m.zone]
		z := l.ByZone[zone]
		l.Instances++
		pending := m.upAt > now
		if pending {
			z.Pending++
		}
		switch {
		case m.spot:
			l.Spot++
			z.Spot++
			if pending {
				l.PendingSpot++
			}
		default:
			l.Regular++
			z.Regular++
			if pending {
				l.PendingRegular++
			}
		}
		l.ByZone[zone] = z
	}
	if s.world.Spot.MissedStays {
		l.Failed = max(0, s.nominal-l.Instances)
	}
	return l
}

// Change takes one conditional write. What Spot could not be had fails the operation; what could stays (facts: VMSS 2.8).
func (s *scaleSet) Change(_ context.Context, _ string, c scale.Change) (scale.Accepted, error) {
	now := s.now()
	if c.ETag != s.etag() {
		return scale.Accepted{}, &scale.FleetError{
			Op: "change", Class: scale.ClassPrecondition, Status: 412, Code: "PreconditionFailed", Message: "the set has changed",
		}
	}
	mix := s.mix
	if c.Mix != nil {
		m := *c.Mix
		mix = &m
	}
	n := s.nominal
	if c.Capacity != nil {
		n = *c.Capacity
	}
	regular, spot := s.split(n-s.nominal, n, mix)
	if refused := s.quota(now, regular, spot); refused != nil {
		return scale.Accepted{}, refused
	}
	s.moves = append(s.moves, move{at: now, by: n - s.nominal, of: s.half})
	s.version++
	s.nominal, s.mix = n, mix
	op := operation{ends: now}
	for _, part := range []struct {
		n    int
		spot bool
	}{{regular, false}, {spot, true}} {
		if part.n < 0 {
			s.remove(now, -part.n, part.spot)
			op.ends = max(op.ends, now+s.deleting())
			continue
		}
		had, up := s.add(now, part.n, part.spot)
		op.ends = max(op.ends, up)
		if missing := part.n - had; missing > 0 {
			op.failure = &scale.FleetError{
				Op: "follow", Class: scale.ClassNoSpot, Status: 200, Code: "SkuNotAvailable",
				Message: fmt.Sprintf("%d of %d Spot instances could not be had", missing, part.n),
			}
			if !s.world.Spot.MissedStays {
				s.nominal -= missing
				s.version++
			}
		}
	}
	if n := len(s.ops); n > 0 && s.ops[n-1].ends > now {
		s.ops[n-1] = operation{ends: now, failure: &scale.FleetError{
			Op: "follow", Class: scale.ClassPreempted, Status: 200, Code: "OperationPreempted", Message: "a newer write came",
		}}
	}
	s.ops = append(s.ops, op)
	return scale.Accepted{Token: strconv.Itoa(len(s.ops) - 1), PollAfter: 10 * time.Second}, nil
}

// split deals a change of so many machines to regular and Spot, as the platform does for a set with a mix (facts: VMSS
// 2.1).
func (s *scaleSet) split(d, n int, mix *scale.Mix) (regular, spot int) {
	switch {
	case s.half == spotHalf:
		return 0, d
	case mix == nil:
		return d, 0
	}
	have := 0
	for i := range s.machines {
		if !s.machines[i].spot {
			have++
		}
	}
	if d >= 0 {
		regular = min(max(mix.Regular(n)-have, 0), d)
		return regular, d - regular
	}
	regular = min(max(have-mix.Regular(n), 0), -d)
	// What the mix would take of a kind that is not there is taken of the other.
	spot = min(-d-regular, len(s.machines)-have)
	return -min(-d-spot, have), -spot
}

func (s *scaleSet) quota(now time.Duration, regular, spot int) error {
	c := s.count(now)
	for _, q := range []struct {
		limit, have, more int
		class             scale.Class
	}{
		{s.world.QuotaRegular, c.regular + c.pendingRegular, regular, scale.ClassQuota},
		{s.world.QuotaSpot, c.spot + c.pendingSpot, spot, scale.ClassQuotaSpot},
	} {
		if q.limit > 0 && q.more > 0 && q.have+q.more > q.limit {
			s.event(now, "quota", "", q.have+q.more-q.limit)
			return &scale.FleetError{
				Op: "change", Class: q.class, Status: 409, Code: "OperationNotAllowed",
				Message: fmt.Sprintf("quota of %d would be exceeded by %d", q.limit, q.have+q.more-q.limit),
			}
		}
	}
	return nil
}

// Follow says how an operation stands.
func (s *scaleSet) Follow(_ context.Context, token string) (scale.Progress, error) {
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= len(s.ops) {
		return scale.Progress{}, &scale.FleetError{Op: "follow", Class: scale.ClassMissing, Status: 404, Code: "NotFound", Message: "no such operation"}
	}
	if op := &s.ops[i]; op.ends <= s.now() {
		return scale.Progress{Done: true, Failure: op.failure}, nil
	}
	return scale.Progress{PollAfter: 10 * time.Second}, nil
}
