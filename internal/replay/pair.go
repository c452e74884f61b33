package replay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
)

// half says which machines of a fleet a scale set holds.
type half int

const (
	// both: regular and Spot machines, as its mix says.
	both half = iota
	regularHalf
	spotHalf
)

func (h half) holds(m *machine) bool { return h == both || m.spot == (h == spotHalf) }

// platform is what stands behind the engine's port in a run.
type platform interface {
	engine.Fleet
	// ordered is the nominal count, of both sets of a pair together.
	ordered() int
}

// pairSet is the two sets of a pair over one fleet: each with a count, an ETag and operations of its own.
type pairSet struct {
	pool          *scale.Pool
	regular, spot *scaleSet
}

// newPlatform makes what the pool's definition names, with n regular machines in it.
func newPlatform(f *fleet, pool *scale.Pool, now func() time.Duration, n int) platform {
	if pool.SpotScaleSet == "" {
		s := newScaleSet(f, pool, now, n)
		f.onEviction = s.evicted
		return s
	}
	p := &pairSet{pool: pool, regular: newScaleSet(f, pool, now, n), spot: newScaleSet(f, pool, now, 0)}
	p.regular.half, p.spot.half, p.spot.spot = regularHalf, spotHalf, true
	f.onEviction = p.spot.evicted
	return p
}

func (p *pairSet) ordered() int { return p.regular.nominal + p.spot.nominal }

// set is the one of that ID, with the letter that its tokens begin with.
func (p *pairSet) set(id string) (*scaleSet, string, error) {
	switch {
	case strings.EqualFold(id, p.pool.ScaleSet):
		return p.regular, "r", nil
	case strings.EqualFold(id, p.pool.SpotScaleSet):
		return p.spot, "s", nil
	}
	return nil, "", &scale.FleetError{Op: "read", Class: scale.ClassMissing, Status: 404, Code: "ResourceNotFound", Message: fmt.Sprintf("no scale set %s", id)}
}

// Read reads one of the two.
func (p *pairSet) Read(ctx context.Context, id string) (scale.Facts, error) {
	s, _, err := p.set(id)
	if err != nil {
		return scale.Facts{}, err
	}
	return s.Read(ctx, id)
}

// Change changes one of the two.
func (p *pairSet) Change(ctx context.Context, id string, c scale.Change) (scale.Accepted, error) {
	s, letter, err := p.set(id)
	if err != nil {
		return scale.Accepted{}, err
	}
	a, err := s.Change(ctx, id, c)
	if a.Token != "" {
		a.Token = letter + a.Token
	}
	return a, err
}

// Follow says how an operation of one of the two stands.
func (p *pairSet) Follow(ctx context.Context, token string) (scale.Progress, error) {
	if rest, ok := strings.CutPrefix(token, "s"); ok {
		return p.spot.Follow(ctx, rest)
	}
	return p.regular.Follow(ctx, strings.TrimPrefix(token, "r"))
}
