package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"trimtab/internal/forecast"
	"trimtab/internal/scale"
)

// Kind is a kind of pools.
type Kind string

// The kinds. One history has one of them; what is drawn for it comes from a stream of its own, so that a history of plain
// pools stays what it was before there were others.
const (
	// Plain pools have one scale set each, and nothing in common.
	Plain Kind = "plain"
	// Pair: two uniform sets, one regular and one Spot, are one pool.
	Pair Kind = "pair"
	// Group: pools share vCPUs, and their policies keep to them.
	Group Kind = "group"
	// Quota: the subscription's quota cuts growth.
	Quota Kind = "quota"
	// Candidate: a second policy is tried beside the pool's own, and may decide.
	Candidate Kind = "candidate"
	// Forecast: signals keep a history of their loads.
	Forecast Kind = "forecast"
	// Parked: shrinks deallocate machines by name, and growth starts them; people meddle with them.
	Parked Kind = "parked"
	// Clean: machines that failed, or were evicted and are off, are deleted at constant number.
	Clean Kind = "clean"
)

// Kinds are all there are; each is drawn as often as it stands in shares.
var (
	Kinds  = []Kind{Plain, Pair, Group, Quota, Candidate, Forecast, Parked, Clean}
	shares = map[Kind]int{Plain: 8, Pair: 5, Group: 2, Quota: 2, Candidate: 2, Forecast: 1, Parked: 4, Clean: 3}
)

// cores is what an instance takes of a group's vCPUs.
const cores = 4

// drawKind draws the kind and makes the pools such.
func (w *world) drawKind() {
	r := rand.New(rand.NewPCG(w.o.Seed, 7))
	w.kind = w.o.Kind
	n := r.IntN(27)
	for _, k := range Kinds {
		if n -= shares[k]; w.kind == "" && n < 0 {
			w.kind = k
		}
	}
	if w.real {
		w.kind = Plain
	}
	w.result.Kind = w.kind
	switch w.kind {
	case Pair:
		p := &w.pools[0].Pool
		p.Orchestration, p.SpotScaleSet, p.Rails.Shrink.Order = scale.Uniform, p.ScaleSet+"_spot", nil
		if r.IntN(2) == 0 {
			p.Rails.Repair = scale.Repair{Instances: 1 + r.IntN(3)}
		}
	case Group:
		for i := len(w.pools); i < 2+r.IntN(2); i++ {
			w.pools = append(w.pools, &pool{Pool: drawPool(r, i)})
		}
		least, most := 0, 0
		for _, p := range w.pools {
			p.Mode = scale.Enforce
			p.Groups = []scale.Membership{{Group: "west", Priority: r.IntN(3), VCPUs: cores}}
			p.Rails.Limits.Default = 0
			least, most = least+p.Rails.Limits.Min, most+p.Rails.Limits.Max
		}
		w.policy.(*tracker).vcpus = cores * (least + r.IntN(most-least))
	case Parked, Clean:
		w.drawPower(r)
	case Candidate:
		for _, p := range w.pools {
			p.Candidate = &scale.Candidate{Policy: p.Name + nextPolicy, Decides: r.IntN(3) > 0, Attempt: 1}
		}
	case Forecast:
		for _, p := range w.pools {
			for i := range p.Signals {
				p.Signals[i].Forecast = &scale.ForecastRule{
					Method: scale.SeasonalNaive, Season: 24 * time.Hour, Slot: 15 * time.Minute, Lead: 10 * time.Minute, Quantile: 90, Total: p.Signals[i].Name == "queue",
				}
			}
		}
	}
}

// addKind adds what a kind has besides its pools.
func (w *world) addKind() {
	r := rand.New(rand.NewPCG(w.o.Seed, 8))
	switch w.kind {
	case Pair:
		whole := w.pools[0]
		half := &pool{
			Pool: whole.Pool, number: whole.number, whole: whole, told: whole.told, known: whole.known,
			windows: make(map[string]*windowRow), entries: make(map[string]*entryRow), changes: make(map[string]*change),
		}
		half.Name, half.ScaleSet, half.SpotScaleSet = whole.Name+scale.SpotSuffix, whole.SpotScaleSet, ""
		whole.half = half
		w.rows = append(w.rows, half)
		regular, spot := w.sets[whole.ScaleSet], w.drawSet(r, half)
		w.sets[half.ScaleSet] = spot
		regular.spot, regular.mix, regular.lowers, regular.platformMax = false, nil, true, 1000
		spot.spot, spot.mix, spot.lowers, spot.platformMax = true, nil, true, 1000
		regular.capacity = r.IntN(whole.Rails.Limits.Max/2 + 1)
		spot.capacity = r.IntN(whole.Rails.Limits.Max/2 + 1)
		regular.live, spot.live = regular.capacity, spot.capacity
	case Parked, Clean:
		w.addPower(r)
	case Quota:
		for _, p := range w.pools {
			// One quota binds a set that is all of one kind.
			s := w.sets[p.ScaleSet]
			s.mix = nil
			s.quota = max(1, s.capacity-2+r.IntN(p.Rails.Limits.Max))
		}
	}
}

// other is the other set of a pair, nil for a pool of one.
func (p *pool) other() *pool {
	if p.half != nil {
		return p.half
	}
	return p.whole
}

// wanted is how many instances a pool must have once all is quiet.
func (w *world) wanted(p *pool) int {
	s, want := w.sets[p.ScaleSet], 0
	for i := range p.Signals {
		if p.Signals[i].Name == "cpu" {
			want = max(want, (p.demand+59)/60)
		} else {
			want = max(want, (5*p.queued+99)/100)
		}
	}
	if t := p.control.Memory.Trial; p.Candidate != nil && p.Candidate.Decides && t != nil && t.ReturnedAt.IsZero() {
		want++
	}
	if p.control.Orders.Pin.Holds(w.now) {
		want = p.control.Orders.Pin.Instances
	}
	return min(max(want, p.Rails.Limits.Min), p.Rails.Limits.Max, s.platformMax)
}

// unsettledPair says why a pair is not where its policy and rails allow: judged by its sum, and each set by its part.
func (w *world) unsettledPair(p *pool, want int) string {
	regular, spot := w.sets[p.ScaleSet].capacity, w.sets[p.half.ScaleSet].capacity
	orders := p.control.Orders
	if orders.PauseGrow.Holds(w.now) || orders.PauseShrink.Holds(w.now) {
		return ""
	}
	b := pairBlend(w.o.Seed)
	part := b.Mix.For(want, b.Rounding).Regular(want)
	// Without a budget for repair, or without room for one machine more, the parts stay as they are.
	repairs := p.Rails.Repair != scale.Repair{} && want < p.Rails.Limits.Max && !orders.Pin.Holds(w.now)
	if regular+spot == want && (regular == part || !repairs) {
		return ""
	}
	text := func(h *pool) string {
		return fmt.Sprintf("%s because of %s: %+v, back-offs %+v, short %+v", h.last.Decision.Action, h.last.Decision.Reason, h.last.Decision.Adjustments,
			h.control.Memory.BackOffs, h.control.Memory.SpotShort)
	}
	return fmt.Sprintf("%s has %d regular and %d Spot and wants %d, of which %d regular (limits %+v); last it did %s; its Spot set did %s", p.Name,
		regular, spot, want, part, p.Rails.Limits, text(p), text(p.half))
}

// pairBlend is how the tracker splits a pair.
func pairBlend(seed uint64) *scale.Blend {
	b := &scale.Blend{Mix: scale.Mix{Base: int(seed % 4), RegularPercent: []int{0, 25, 50}[seed%3]}, Rounding: scale.RegularDown}
	if seed%2 == 0 {
		b.StandIn, b.ReturnSeconds = true, 300
	}
	return b
}

// checkPair looks at a change of one set of a pair by the sum of both, as the decision saw it (invariant 3): the sum is not
// brought above the most, and no machine goes that the least needs up.
func (w *world) checkPair(t *task, p *pool, in *scale.Intent, e *scale.Entry) {
	if p.other() == nil {
		return
	}
	seen, l := e.View.Facts.Pair, p.Rails.Limits
	if seen == nil || seen.ReadAt.IsZero() {
		w.broken(1, "%s changes %s and does not know the other set", t.name, p.Name)
		return
	}
	if whole := in.To.Instances + seen.Instances; in.Direction == scale.Grow && whole > l.Max {
		w.broken(3, "%s grows %s to %d beside %d: more than %d", t.name, p.Name, in.To.Instances, seen.Instances, l.Max)
	}
	up := in.To.Instances + max(0, seen.Instances-seen.Pending)
	if in.Direction == scale.Shrink && up < l.Min {
		w.broken(3, "%s shrinks %s to %d, which leaves %d up: fewer than %d", t.name, p.Name, in.To.Instances, up, l.Min)
	}
	age := time.Duration(e.View.FactsMaxAgeSeconds) * time.Second
	if e.At.Sub(seen.ReadAt) > age {
		w.broken(1, "%s changes %s on what the other set was %v ago", t.name, p.Name, e.At.Sub(seen.ReadAt))
	}
}

// checkSum looks at a change of one set of a pair as it takes effect.
func (w *world) checkSum(p *pool, s *set, ours *change, n int) {
	if n < 0 || n > s.platformMax {
		w.broken(3, "%s is set to %d, beyond the platform's %d", p.Name, n, s.platformMax)
	}
	w.result.Counts.Pairs++
	// What strangers, evictions and slow operations did to the other set after it was read is not ours to answer for, and a
	// growth of ours is.
	other, grew := w.sets[p.other().ScaleSet], false
	for _, ch := range p.other().changes {
		grew = grew || ch.applied > 0 && ch.Direction == scale.Grow && ch.StartedAt.After(ours.readAt)
	}
	l, mine := p.Rails.Limits, s.live+n-s.capacity
	if ours.Direction == scale.Grow && s.live <= s.capacity && other.ourHand && grew && mine+min(other.live, other.capacity) > l.Max {
		w.broken(3, "%s is set to %d, which makes %d machines beside %d of %d: together more than %d", p.Name, n, mine, other.live, other.capacity, l.Max)
	}
}

// loadOthers reads rows that are no pool's.
func (w *world) loadOthers(ctx context.Context, t *task, name string) (scale.Stored, error) {
	got, err := t.cross(ctx, "load "+name, func() (any, error) {
		s := scale.Stored{}
		for source, row := range w.others[name] {
			s.Windows = append(s.Windows, scale.StoredWindow{Source: source, Data: row.data, Version: versionText(row.version)})
		}
		slices.SortFunc(s.Windows, func(a, b scale.StoredWindow) int { return strings.Compare(a.Source, b.Source) })
		return s, nil
	})
	if err != nil {
		return scale.Stored{}, err
	}
	return got.(scale.Stored), nil
}

// commitOthers writes rows that are no pool's.
func (w *world) commitOthers(ctx context.Context, t *task, name string, c scale.Commit) error {
	_, err := t.cross(ctx, "commit "+name, func() (any, error) {
		rows := w.others[name]
		if rows == nil {
			rows = make(map[string]*windowRow)
			w.others[name] = rows
		}
		for _, one := range c.Windows {
			if row := rows[one.Source]; row != nil && versionText(row.version) != one.Version || row == nil && one.Version != "" {
				return nil, scale.ErrConflict
			}
		}
		for _, one := range c.Windows {
			if rows[one.Source] == nil {
				rows[one.Source] = &windowRow{}
			}
			rows[one.Source].data = one.Data
			rows[one.Source].version++
		}
		if c.Control != nil || c.Entry != nil {
			w.broken(9, "%s stores more than rows of %s", t.name, name)
		}
		return nil, nil
	})
	return err
}

// checkHistory looks at a stored history of loads: it can be read, goes with the control row, and never goes back, so that
// each span enters it once (invariant 6).
func (w *world) checkHistory(p *pool, row *windowRow, c *scale.Commit) {
	h, err := forecast.Parse(row.data)
	if err != nil || c.Control == nil {
		w.broken(6, "the history of %s cannot be read, or came without the control row: %v", p.Name, err)
		return
	}
	if p.through == nil {
		p.through = make(map[string]time.Time)
	}
	w.result.Counts.Histories++
	for i := range p.Signals {
		name, at := p.Signals[i].Name, h.Through(&p.Signals[i])
		if at.Before(p.through[name]) {
			w.broken(6, "the history of %s %s goes back from %v to %v", p.Name, name, p.through[name], at)
		}
		p.through[name] = at
	}
}

// quotas lets the room that quotas leave change.
func (w *world) quotas() {
	if w.kind != Quota && w.kind != Parked {
		return
	}
	for _, p := range w.pools {
		if r, hit := w.fault(faultRoom); hit && w.sets[p.ScaleSet].quota != unbound {
			w.sets[p.ScaleSet].quota = 1 + r.IntN(p.Rails.Limits.Max+2)
		}
	}
}

// quotaFleet is the port of a fleet that knows what quotas leave.
type quotaFleet struct{ countingFleet }

// Quota says how many machines more fit.
func (f quotaFleet) Quota(ctx context.Context, id string, _ scale.Facts) (*scale.Quota, error) {
	t, w, s := taskOf(ctx), f.w, f.w.sets[id]
	got, err := t.cross(ctx, "arm quota "+id, func() (any, error) {
		if r, hit := w.fault(faultQuota); hit {
			return nil, fleetError("quota", scale.ClassThrottled, 429, "TooManyRequests", span(r, 5*time.Second, 20*time.Minute))
		}
		return max(0, s.quota-s.taken()), nil
	})
	if err != nil {
		return nil, err
	}
	room := got.(int)
	q := &scale.Quota{ReadAt: w.now}
	if s.spot {
		q.Spot, q.SpotName = &room, "lowPriorityCores"
	} else {
		q.Regular, q.RegularName = &room, "cores"
	}
	w.result.Counts.Quotas++
	return q, nil
}

// countEntry counts what an entry shows of the kind of its history.
func (w *world) countEntry(e *scale.Entry) {
	for _, r := range e.Proposal.Reasons {
		if r.Code == "at_most_group" {
			w.result.Counts.Capped++
		}
	}
	if e.Beside != nil {
		w.result.Counts.Tried++
	}
}

// share is how many instances the group leaves to a pool once all is quiet: what pools of higher priority have or want comes
// first, and what those of lower priority must keep is left to them.
func (w *world) share(p *pool) int {
	left := w.policy.(*tracker).vcpus / cores
	for _, o := range w.pools {
		mine, its := p.Groups[0].Priority, o.Groups[0].Priority
		switch {
		case o == p:
		case its > mine || its == mine && o.Name < p.Name:
			left -= max(w.sets[o.ScaleSet].capacity-len(w.sets[o.ScaleSet].off), w.wanted(o))
		default:
			left -= o.Rails.Limits.Min
		}
	}
	if p.control.Orders.Pin.Holds(w.now) {
		return w.wanted(p)
	}
	return max(min(w.wanted(p), left), min(p.Rails.Limits.Min, w.sets[p.ScaleSet].platformMax))
}

// ordered reports whether an order of an operator holds for some pool.
func (w *world) ordered() bool {
	for _, p := range w.pools {
		o := p.control.Orders
		if o.Freeze.Holds(w.now) || o.Pin.Holds(w.now) || o.PauseGrow.Holds(w.now) || o.PauseShrink.Holds(w.now) {
			return true
		}
	}
	return false
}

// shifts reports whether a change of one set of a pair leaves the number of both, or moves it the other way, or replaces
// Spot machines that were meant to be there and could not be had: then machines of one kind stand in for the other, and no
// cooldown of the pool's number speaks of that.
func shifts(e *scale.Entry, in *scale.Intent) bool {
	if e == nil || e.View.Facts.Pair == nil {
		return false
	}
	seen, m := e.View.Facts.Pair, &e.View.Memory
	was, meant := in.From.Instances+seen.Instances, in.From.Instances+seen.Intended
	if i := m.Intended; i != nil && i.Instances > in.From.Instances {
		meant = i.Instances + seen.Intended
	}
	if b := e.Proposal.Blend; b != nil && b.StandIn && (seen.SpotShort != nil || m.SpotShort != nil) {
		was = max(was, meant)
	}
	for _, a := range e.Decision.Adjustments {
		if a.Rail == "pair" && strings.HasPrefix(a.Code, "pair_") {
			return in.Direction == scale.Grow && a.Before <= was ||
				in.Direction == scale.Shrink && a.Before >= in.From.Instances+seen.Instances
		}
	}
	return false
}
