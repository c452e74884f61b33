package doctor

import (
	"fmt"
	"strings"

	"trimtab/internal/scale"
)

// Series is a metric of a resource of which samples come, and that no signal listens to.
type Series struct {
	Resource, Metric string
	Samples          int64
}

// shownSeries is how many series are named.
const shownSeries = 5

// Unrouted tells what comes and nobody listens to. That is no fault by itself: an exporter sends all metrics of a
// resource. The first of them are named in the form in which a pool's definition would take them.
func Unrouted(subject string, series []Series) Finding {
	a := &about{subject: subject}
	if len(series) == 0 {
		a.ok("unrouted", "every series that came is listened to, or none was counted yet")
		return a.all[0]
	}
	named := make([]string, 0, shownSeries)
	for _, s := range series[:min(len(series), shownSeries)] {
		named = append(named, fmt.Sprintf("%q of %s (%d samples)", s.Metric, s.Resource, s.Samples))
	}
	a.add("unrouted", OK, fmt.Sprintf("to use one, add to a pool's signals: \"NAME\": {\"resource\": %q, \"metric\": %q}", series[0].Resource, series[0].Metric),
		"%d series come that no signal listens to: %s", len(series), strings.Join(named, "; "))
	return a.all[0]
}

// Offer adds to a finding about a signal that was never seen what comes instead: the same metric of another resource, or
// other metrics of the same resource, which a misspelt definition is next to.
func Offer(findings []Finding, p *scale.Pool, series []Series) []Finding {
	for i := range findings {
		name, isSignal := strings.CutPrefix(findings[i].Check, "signal ")
		if !isSignal || findings[i].Level != Problem {
			continue
		}
		for _, s := range p.Signals {
			if s.Name != name {
				continue
			}
			var near []string
			for _, one := range series {
				if strings.EqualFold(one.Metric, s.Metric) || strings.EqualFold(one.Resource, s.Resource) {
					near = append(near, fmt.Sprintf("%q of %s", one.Metric, one.Resource))
				}
			}
			if len(near) > 0 {
				findings[i].Do += "; what comes and nobody listens to: " + strings.Join(near[:min(len(near), shownSeries)], "; ")
			}
		}
	}
	return findings
}

// Member judges a set of a pair: the regular one makes regular machines, the other one interruptible ones.
func Member(subject string, role scale.Role, in *scale.Inspection) []Finding {
	a := &about{subject: subject}
	if wantsSpot := role == scale.RoleSpot; wantsSpot != in.Facts.Spot {
		a.add("pair", Problem, "exchange scale_set and spot_scale_set in the pool's data.json, or create the set anew with the right priority",
			"the pair's %s set makes machines of priority %s", role, in.Facts.Model.Priority)
	}
	return a.all
}
