package sim

import (
	"context"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// moody is how long policies have faults and doubts: a function of the view alone, so that entries decide again to the
// same end.
const moody = 20 * time.Minute

// tracker is a policy in plain Go: the largest of what its signals ask for, unknown where one is missing or stale. It
// asks for no less when a signal rises. At instants that depend on the seed alone it is at fault, in doubt or without an
// opinion; with every third seed it is bold, and takes what is stale or missing at its face value: then the rails alone
// stand between it and a shrink.
type tracker struct {
	seed uint64
	// vcpus is what the pools of a group may have together; 0 without one.
	vcpus int
}

// nextPolicy ends the names of candidates: they want one instance more than the pools' own policies.
const nextPolicy = "_next"

// Revision names it.
func (t *tracker) Revision() string { return "tracker-" + strconv.FormatUint(t.seed, 10) }

// HearsClock says that sweeps may leave a pool at rest alone. The faults drawn from the instant end by themselves.
func (t *tracker) HearsClock(string) bool { return false }

// Propose is a function of the view and the seed.
func (t *tracker) Propose(_ context.Context, v *scale.View) scale.Proposal {
	p := scale.Proposal{Revision: t.Revision()}
	h := fnv.New64a()
	h.Write([]byte(strconv.FormatInt(v.Now.UnixNano(), 10)))
	draw := (h.Sum64() ^ t.seed*0x9e3779b97f4a7c15) % 100
	if !v.Now.Before(epoch.Add(moody)) {
		draw = 99
	}
	if draw == 0 {
		p.Fault = "simulated"
		return p
	}
	if draw == 2 {
		return p
	}
	trying := strings.HasSuffix(v.Policy, nextPolicy)
	if trying && draw%7 == 3 && v.Now.Before(epoch.Add(moody)) {
		p.Fault = "a candidate's fault"
		return p
	}
	bold := t.seed%3 == 0
	for _, name := range []string{"cpu", "queue"} {
		s, ok := v.Signals[name]
		if !ok {
			continue
		}
		r := scale.Reason{Code: "track", Name: name, State: scale.ReasonKnown}
		switch {
		case bold:
			r.Instances = int((s.Demand + 59_999) / 60_000)
			if name == "queue" {
				r.Instances = int((s.Total + 99_999) / 100_000)
			}
		case s.State == scale.SignalMissing || s.State == scale.SignalStale || !s.HasValue || name == "cpu" && !s.HasDemand,
			draw == 1 && name == "cpu":
			r.State, p.Doubt = scale.ReasonUnknown, true
		case name == "cpu":
			r.Instances = int((s.Demand + 59_999) / 60_000)
		default:
			r.Instances = int((s.Total + 99_999) / 100_000)
		}
		if r.State == scale.ReasonKnown && (!p.Known || r.Instances > p.Instances) {
			p.Known, p.Instances = true, r.Instances
		}
		p.Reasons = append(p.Reasons, r)
	}
	if trying && p.Known {
		p.Instances++
	}
	if g, known := v.Groups["west"]; t.vcpus > 0 {
		t.keep(v, &p, g, known)
	}
	if v.Facts.Pair != nil {
		p.Blend = pairBlend(t.seed)
	}
	if v.Facts.Mix != nil {
		p.Blend = &scale.Blend{Mix: scale.Mix{Base: 1 + p.Instances%2, RegularPercent: 50}, Rounding: scale.RegularDown}
	}
	return p
}

// keep keeps a proposal to what the group leaves, as the rule at_most_group does: the pool's share, and no growth into what
// another pool still has. A group that is not known holds the count.
func (t *tracker) keep(v *scale.View, p *scale.Proposal, g scale.GroupView, known bool) {
	here := v.Memory.Own(v.Facts)
	most := here
	if known {
		share := max(0, t.vcpus-g.Above.VCPUs-g.Below.VCPUs) / cores
		free := max(0, t.vcpus-g.Present.VCPUs) / cores
		most = min(share, max(here, free))
	} else {
		p.Doubt = true
	}
	if p.Known && p.Instances > most {
		p.Reasons = append(p.Reasons, scale.Reason{
			Code: "at_most_group", Name: "west", State: scale.ReasonKnown, Instances: most, Numbers: map[string]int64{"wanted": int64(p.Instances)},
		})
		p.Instances = most
	}
}
