package arm

import (
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Names of usage that are no family's (facts: VMSS 3.3).
const (
	usageCores = "cores"
	usageSpot  = "lowPriorityCores"
)

// plenty is the limit of what has no quota of its own.
const plenty = 100_000

// Quota is a limit on cores in a region. Spot machines count against lowPriorityCores alone, deallocated ones included
// (facts: VMSS 2.2, 3.3); the others against cores and their family, unless they are deallocated.
type Quota struct {
	// Location is every region if it is empty.
	Location string `json:"location"`
	// Name is cores, lowPriorityCores or a family such as standardDSv5Family.
	Name  string `json:"name"`
	Limit int    `json:"limit"`
	// Late lets the PATCH be taken and its operation fail: both are seen (facts: VMSS 3.3).
	Late bool `json:"late"`
	// Lift takes the quota away.
	Lift bool `json:"lift"`
}

func (q Quota) turn(w *world) error {
	if q.Name == "" || q.Limit < 0 {
		return fmt.Errorf("quota: %q to %d: want a name and a limit of 0 or more", q.Name, q.Limit)
	}
	for i, old := range w.quotas {
		if old.Name == q.Name && old.Location == q.Location {
			w.quotas = append(w.quotas[:i:i], w.quotas[i+1:]...)
			break
		}
	}
	if !q.Lift {
		w.quotas = append(w.quotas, q)
	}
	return nil
}

var sizeShape = regexp.MustCompile(`^Standard_([A-Z]+)(\d+)(?:-\d+)?([a-z]*)(?:_(v\d+))?`)

// coresOf reads the number of cores from a size's name, which holds it; 2 where it does not.
func coresOf(size string) int {
	if m := sizeShape.FindStringSubmatch(size); m != nil {
		if n, err := strconv.Atoi(m[2]); err == nil {
			return n
		}
	}
	return 2
}

// familyOf makes the name of a size's family as usages spell it: Standard_D2s_v5 is of standardDSv5Family.
func familyOf(size string) string {
	if m := sizeShape.FindStringSubmatch(size); m != nil {
		return "standard" + m[1] + strings.ToUpper(m[3]) + m[4] + "Family"
	}
	return "standardFamily"
}

// counters are the usages that a machine of a size counts against.
func counters(size string, spot bool) []string {
	if spot {
		return []string{usageSpot}
	}
	return []string{familyOf(size), usageCores}
}

// used is what counts against each usage of a subscription in a region.
func (w *world) used(subscription, location string) map[string]int {
	used := map[string]int{usageCores: 0, usageSpot: 0}
	for _, s := range w.sets {
		if !strings.EqualFold(s.subscription, subscription) || !strings.EqualFold(s.Location, location) {
			continue
		}
		for _, m := range s.machines {
			if (m.power == powerDeallocated && !m.spot) || m.state == stateDeleting || m.extra || m.fails && !m.failsOn {
				continue
			}
			for _, name := range counters(m.size, m.spot) {
				used[name] += coresOf(m.size)
			}
		}
	}
	return used
}

// limit is the quota that holds for a usage in a region, nil for none.
func (w *world) limit(location, name string) *Quota {
	for i, q := range w.quotas {
		if strings.EqualFold(q.Name, name) && (q.Location == "" || strings.EqualFold(q.Location, location)) {
			return &w.quotas[i]
		}
	}
	return nil
}

// beyond is the refusal of d further machines that would pass a quota, nil if they fit. late is true where the quota
// shows in the operation only.
func (w *world) beyond(s *set, size string, spot bool, d int) (refusal *Plan, late bool) {
	if d <= 0 || len(w.quotas) == 0 {
		return nil, false
	}
	used := w.used(s.subscription, s.Location)
	for _, name := range counters(size, spot) {
		q := w.limit(s.Location, name)
		need := d * coresOf(size)
		if q == nil || used[name]+need <= q.Limit {
			continue
		}
		what := name + " Cores"
		switch name {
		case usageSpot:
			what = "LowPriorityCores"
		case usageCores:
			what = "Total Regional Cores"
		}
		return &Plan{Status: stateFailed, Code: "OperationNotAllowed", Message: fmt.Sprintf(
			"Operation could not be completed as it results in exceeding approved %s quota. Additional details - Deployment Model: Resource Manager, "+
				"Location: %s, Current Limit: %d, Current Usage: %d, Additional Required: %d, (Minimum) New Limit Required: %d.",
			what, s.Location, q.Limit, used[name], need, used[name]+need)}, q.Late
	}
	return nil, false
}

// refuseGrowth is the answer to a PATCH that grows a set past a quota which is checked at once.
func (w *world) refuseGrowth(s *set, ch change) *answer {
	if ch.capacity == nil || *ch.capacity <= s.nominal || len(s.Sizes) > 0 {
		return nil
	}
	d := *ch.capacity - s.nominal
	old := s.mix
	if ch.mixGiven {
		s.mix = ch.mix
	}
	regular := s.split(d)
	s.mix = old
	for _, part := range []struct {
		spot bool
		n    int
	}{{false, regular}, {true, d - regular}} {
		if refusal, late := w.beyond(s, s.Size, part.spot, part.n); refusal != nil && !late {
			a := failure(http.StatusConflict, refusal.Code, refusal.Message)
			return &a
		}
	}
	return nil
}

// listUsages answers what is used and allowed in a region.
func (w *world) listUsages(c call) answer {
	used := w.used(c.args["sub"], c.args["location"])
	for _, q := range w.quotas {
		if q.Location == "" || strings.EqualFold(q.Location, c.args["location"]) {
			used[q.Name] += 0
		}
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	sort.Strings(names)
	value := []map[string]any{}
	for _, name := range names {
		limit := plenty
		if q := w.limit(c.args["location"], name); q != nil {
			limit = q.Limit
		}
		value = append(value, map[string]any{
			"unit": "Count", "currentValue": used[name], "limit": limit,
			"name": map[string]any{"value": name, "localizedValue": localized(name)},
		})
	}
	return success(map[string]any{"value": value})
}

func localized(name string) string {
	switch name {
	case usageCores:
		return "Total Regional vCPUs"
	case usageSpot:
		return "Total Regional Spot vCPUs"
	}
	return name + " vCPUs"
}
