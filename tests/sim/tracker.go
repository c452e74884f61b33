package sim

import (
	"context"
	"hash/fnv"
	"strconv"
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
type tracker struct{ seed uint64 }

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
	if v.Facts.Mix != nil {
		p.Blend = &scale.Blend{Mix: scale.Mix{Base: 1 + p.Instances%2, RegularPercent: 50}, Rounding: scale.RegularDown}
	}
	return p
}
