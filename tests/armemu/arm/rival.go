package arm

import (
	"fmt"
	"strings"
)

// Autoscale is an Azure Autoscale setting, which another writer of a set's capacity is (facts: VMSS 2.4). It is listed and
// does nothing; a ForeignWrite does what it would.
type Autoscale struct {
	Name string `json:"name"`
	// Target is the resource ID of the set; the setting lies in its resource group unless Group names another.
	Target   string `json:"target"`
	Group    string `json:"group"`
	Disabled bool   `json:"disabled"`
	// Remove takes the setting of this name away.
	Remove bool `json:"remove"`
}

func (a Autoscale) turn(w *world) error {
	id, err := parseSetID(a.Target)
	if err != nil || a.Name == "" {
		return fmt.Errorf("autoscale %q: want a name and a scale set's ID, not %q", a.Name, a.Target)
	}
	if a.Group == "" {
		a.Group = id.group
	}
	for i, old := range w.autoscale {
		if strings.EqualFold(old.Name, a.Name) {
			w.autoscale = append(w.autoscale[:i:i], w.autoscale[i+1:]...)
			break
		}
	}
	if !a.Remove {
		w.autoscale = append(w.autoscale, a)
	}
	return nil
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
					"name": "default", "rules": []any{},
					"capacity": map[string]any{"minimum": "1", "maximum": "10", "default": "1"},
				}},
			},
		})
	}
	return success(map[string]any{"value": value})
}

// Skew puts the clock of the Date header off by so many seconds.
type Skew struct {
	Seconds int `json:"seconds"`
}

func (s Skew) turn(w *world) error {
	w.skew = s.Seconds
	return nil
}
