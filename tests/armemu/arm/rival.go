package arm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Autoscale is an Azure Autoscale setting, which another writer of a set's capacity is (facts: VMSS 2.4). It is listed,
// and where EverySeconds is given it writes too: each time it moves the count by Step and keeps it in its limits.
type Autoscale struct {
	Name string `json:"name"`
	// Target is the resource ID of the set; the setting lies in its resource group unless Group names another.
	Target   string `json:"target"`
	Group    string `json:"group"`
	Disabled bool   `json:"disabled"`
	// Minimum, Maximum and Default are those of its profile; 1, 10 and 1 where Maximum is 0.
	Minimum int `json:"minimum"`
	Maximum int `json:"maximum"`
	Default int `json:"default"`
	// Step is what its rule adds each time, EverySeconds how often it looks; 0 for a setting that writes nothing.
	Step         int `json:"step"`
	EverySeconds int `json:"every_seconds"`
	// Remove takes the setting of this name away.
	Remove bool `json:"remove"`

	next time.Time
}

func (a Autoscale) turn(w *world) error {
	id, err := parseSetID(a.Target)
	if err != nil || a.Name == "" {
		return fmt.Errorf("autoscale %q: want a name and a scale set's ID, not %q", a.Name, a.Target)
	}
	if a.Group == "" {
		a.Group = id.group
	}
	if a.Maximum == 0 {
		a.Minimum, a.Maximum, a.Default = 1, 10, 1
	}
	if a.Minimum < 0 || a.Minimum > a.Maximum || a.EverySeconds < 0 {
		return fmt.Errorf("autoscale %q: %d to %d every %d s", a.Name, a.Minimum, a.Maximum, a.EverySeconds)
	}
	a.next = w.now().Add(time.Duration(a.EverySeconds) * time.Second)
	for i, old := range w.autoscale {
		if strings.EqualFold(old.Name, a.Name) {
			w.autoscale = append(w.autoscale[:i:i], w.autoscale[i+1:]...)
			break
		}
	}
	if !a.Remove {
		w.autoscale = append(w.autoscale, &a)
	}
	return nil
}

// autoscales is one look of a setting at its set. What would shrink a set that is being rebalanced waits for the next
// (auto-zone-balance-overview.md).
func (w *world) autoscales(a *Autoscale, at time.Time) {
	a.next = at.Add(time.Duration(a.EverySeconds) * time.Second)
	s := w.sets[strings.ToLower(strings.TrimRight(a.Target, "/"))]
	if s == nil || s.deleted {
		return
	}
	n := min(max(s.nominal+a.Step, a.Minimum), a.Maximum)
	if n == s.nominal || n < s.nominal && s.moving != nil {
		return
	}
	s.wroteAt = at
	w.begin(s, change{capacity: &n}, at)
}

// listAutoscale lists the settings of a subscription or of a resource group.
func (w *world) listAutoscale(c call) answer {
	value := []map[string]any{}
	for _, a := range w.autoscale {
		id, _ := parseSetID(a.Target)
		if !strings.EqualFold(id.subscription, c.args["sub"]) || (c.args["group"] != "" && !strings.EqualFold(a.Group, c.args["group"])) {
			continue
		}
		value = append(value, map[string]any{
			"id":   "/subscriptions/" + id.subscription + "/resourceGroups/" + a.Group + "/providers/microsoft.insights/autoscalesettings/" + a.Name,
			"name": a.Name, "type": "Microsoft.Insights/autoscaleSettings", "location": "westeurope",
			"properties": map[string]any{
				"name": a.Name, "enabled": !a.Disabled, "targetResourceUri": a.Target,
				"profiles": []map[string]any{{
					"name": "default", "rules": a.rules(),
					"capacity": map[string]any{"minimum": strconv.Itoa(a.Minimum), "maximum": strconv.Itoa(a.Maximum), "default": strconv.Itoa(a.Default)},
				}},
			},
		})
	}
	return success(map[string]any{"value": value})
}

// rules is the one rule of a setting that moves the count, as a setting writes it.
func (a *Autoscale) rules() []any {
	if a.Step == 0 {
		return []any{}
	}
	direction, operator := "Increase", "GreaterThan"
	if a.Step < 0 {
		direction, operator = "Decrease", "LessThan"
	}
	return []any{map[string]any{
		"metricTrigger": map[string]any{
			"metricName": "Percentage CPU", "metricResourceUri": a.Target, "timeGrain": "PT1M", "statistic": "Average",
			"timeWindow": "PT5M", "timeAggregation": "Average", "operator": operator, "threshold": 50,
		},
		"scaleAction": map[string]any{
			"direction": direction, "type": "ChangeCount", "value": strconv.Itoa(max(a.Step, -a.Step)), "cooldown": fmt.Sprintf("PT%dS", a.EverySeconds),
		},
	}}
}

// Skew puts the clock of the Date header off by so many seconds.
type Skew struct {
	Seconds int `json:"seconds"`
}

func (s Skew) turn(w *world) error {
	w.skew = s.Seconds
	return nil
}

// Remodel is what somebody else changes about a set's model: a nil field is left alone. The ETag moves, as with any write.
type Remodel struct {
	Set                  string `json:"set"`
	SinglePlacementGroup *bool  `json:"single_placement_group"`
	FaultDomains         *int   `json:"fault_domains"`
	Overprovision        *bool  `json:"overprovision"`
	ZoneBalance          *bool  `json:"zone_balance"`
	Repairs              *bool  `json:"repairs"`
	// SpotRestore is the time-out of spotRestorePolicy in ISO 8601; empty turns it off.
	SpotRestore *string `json:"spot_restore"`
}

func (r Remodel) turn(w *world) error {
	s, err := w.find(r.Set)
	if err != nil {
		return err
	}
	for _, f := range []struct{ into, from **bool }{
		{&s.SinglePlacementGroup, &r.SinglePlacementGroup}, {&s.Overprovision, &r.Overprovision}, {&s.ZoneBalance, &r.ZoneBalance},
	} {
		if *f.from != nil {
			*f.into = *f.from
		}
	}
	if r.FaultDomains != nil {
		s.FaultDomains = r.FaultDomains
	}
	if r.Repairs != nil {
		s.Repairs = *r.Repairs
	}
	if r.SpotRestore != nil {
		s.restores, s.evicted = nil, nil
		if *r.SpotRestore != "" {
			s.restores = &restorePolicy{Enabled: true, Timeout: *r.SpotRestore}
		}
	}
	s.generation++
	return nil
}
