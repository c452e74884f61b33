package doctor

import (
	"fmt"
	"strings"

	"trimtab/internal/scale"
)

// Series is a metric of a resource of which samples come, and that no signal listens to.
type Series struct {
	Resource, Metric string
	// Dimensions are those of one of its samples: key=value pairs, with a backslash before what is none of the marks between.
	Dimensions string
	Samples    int64
}

// offer is the series as a pool's definition would name it. A signal without dimensions hears none that has some, and what
// an agent calls a host or a service is told by the agent's tags.
func (s Series) offer() string {
	resource := s.Resource
	if !strings.HasPrefix(resource, "/") && strings.Contains(resource, "/") {
		resource = "*"
	}
	text := fmt.Sprintf("\"NAME\": {\"resource\": %q, \"metric\": %q", resource, s.Metric)
	if keys := keysOf(s.Dimensions); len(keys) > 0 {
		for i, key := range keys {
			keys[i] = fmt.Sprintf("%q: \"*\"", key)
		}
		text += ", \"dimensions\": {" + strings.Join(keys, ", ") + "}"
	}
	return text + "}"
}

// keysOf are the names of dimensions.
func keysOf(dimensions string) (keys []string) {
	var key strings.Builder
	inKey := true
	for i := 0; i < len(dimensions); i++ {
		c := dimensions[i]
		switch {
		case c == '\\' && i+1 < len(dimensions):
			if i++; inKey {
				key.WriteByte(dimensions[i])
			}
		case c == '=' && inKey:
			keys = append(keys, key.String())
			key.Reset()
			inKey = false
		case c == ',' && !inKey:
			inKey = true
		case inKey:
			key.WriteByte(c)
		}
	}
	return keys
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
	a.add("unrouted", OK, "to use one, add to a pool's signals: "+series[0].offer()+"; a dimension may have one value in place of *",
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
