package arm

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

type machineDoc struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	InstanceID string            `json:"instanceId,omitempty"`
	Location   string            `json:"location"`
	Zones      []string          `json:"zones,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties map[string]any    `json:"properties,omitempty"`
}

// doc renders a machine of a set; with view, its power state too.
func (m *machine) doc(s *set, view bool) machineDoc {
	p := map[string]any{
		"provisioningState": m.state, "timeCreated": stamp(m.madeAt),
		"hardwareProfile": map[string]any{"vmSize": m.size},
	}
	if m.spot {
		p["priority"], p["evictionPolicy"] = s.Priority, s.EvictionPolicy
	} else if s.interruptible() {
		p["priority"] = Regular
	}
	if view {
		p["instanceView"] = m.instanceView()
	}
	if m.protected() {
		p["protectionPolicy"] = map[string]any{"protectFromScaleIn": true, "protectFromScaleSetActions": m.fromActions}
	}
	d := machineDoc{Name: m.name, Location: s.Location, Tags: m.tags, Properties: p}
	if m.zone != "" {
		d.Zones = []string{m.zone}
	}
	if s.Orchestration == Uniform {
		d.InstanceID = strconv.Itoa(m.ordinal)
		d.ID = s.resourceID() + "/virtualMachines/" + d.InstanceID
		d.Type = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
		return d
	}
	p["virtualMachineScaleSet"] = map[string]any{"id": s.resourceID()}
	d.ID = "/subscriptions/" + s.subscription + "/resourceGroups/" + s.group + "/providers/Microsoft.Compute/virtualMachines/" + m.name
	d.Type = "Microsoft.Compute/virtualMachines"
	return d
}

// instanceView has statuses and, of a machine with the health extension, what that says.
func (m *machine) instanceView() map[string]any {
	v := map[string]any{"statuses": m.statuses()}
	if m.health != nil {
		code := "HealthState/unhealthy"
		if *m.health {
			code = "HealthState/healthy"
		}
		v["vmHealth"] = map[string]any{"status": map[string]any{"code": code, "level": "Info"}}
	}
	return v
}

func (m *machine) statuses() []map[string]any {
	out := []map[string]any{{"code": "ProvisioningState/" + strings.ToLower(m.state), "level": "Info"}}
	if m.power != "" {
		out = append(out, map[string]any{"code": "PowerState/" + m.power, "level": "Info"})
	}
	return out
}

var setFilter = regexp.MustCompile(`(?i)^'virtualMachineScaleSet/id' eq '([^']+)'$`)

// listMachines lists a resource group's machines; instance views come only with the filter on a set (facts: VMSS 3.2).
func (w *world) listMachines(c call) answer {
	filter, view := strings.TrimSpace(c.query.Get("$filter")), strings.EqualFold(c.query.Get("$expand"), "instanceView")
	only := ""
	if filter != "" {
		m := setFilter.FindStringSubmatch(filter)
		if m == nil {
			return failure(http.StatusBadRequest, "InvalidParameter", "The filter '"+filter+"' is not supported.")
		}
		only = m[1]
	} else if view {
		return failure(http.StatusBadRequest, "InvalidParameter", "$expand=instanceView is supported together with the filter on 'virtualMachineScaleSet/id' only.")
	}
	docs := []machineDoc{}
	for _, s := range w.ordered() {
		if s.Orchestration != Flexible || !strings.EqualFold(s.subscription, c.args["sub"]) ||
			!strings.EqualFold(s.group, c.args["group"]) || (only != "" && !strings.EqualFold(only, s.resourceID())) {
			continue
		}
		for _, m := range s.machines {
			docs = append(docs, m.doc(s, view))
		}
	}
	return w.page(c, docs)
}

// listInstances lists a set's own machines: whole on Uniform, identities only on Flexible (facts: VMSS 3.2).
func (w *world) listInstances(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	docs := []machineDoc{}
	for _, m := range s.machines {
		d := m.doc(s, strings.EqualFold(c.query.Get("$expand"), "instanceView"))
		if s.Orchestration == Flexible {
			d.Properties = nil
		}
		docs = append(docs, d)
	}
	return w.page(c, docs)
}

// instanceView counts a Uniform set's machines by state; on Flexible the call does not exist (facts: VMSS 1.4).
func (w *world) instanceView(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	if s.Orchestration == Flexible {
		return failure(http.StatusConflict, "OperationNotAllowed",
			"Operation 'VirtualMachineScaleSets.instanceView.GET' is not allowed on Virtual Machine Scale Set '"+s.name+"'.")
	}
	counts := map[string]int{}
	var order []string
	for _, m := range s.machines {
		for _, st := range m.statuses() {
			code := st["code"].(string)
			if counts[code] == 0 {
				order = append(order, code)
			}
			counts[code]++
		}
	}
	summary := []map[string]any{}
	for _, code := range order {
		summary = append(summary, map[string]any{"code": code, "count": counts[code]})
	}
	return success(map[string]any{
		"virtualMachine": map[string]any{"statusesSummary": summary},
		"statuses":       []map[string]any{{"code": "ProvisioningState/" + strings.ToLower(s.state), "level": "Info"}},
	})
}

// page cuts out the page that $skiptoken names and links to the next one.
func (w *world) page(c call, docs []machineDoc) answer {
	from := 0
	if t := c.query.Get("$skiptoken"); t != "" {
		raw, err := base64.RawURLEncoding.DecodeString(t)
		n, convErr := strconv.Atoi(string(raw))
		if err != nil || convErr != nil || n < 0 {
			return failure(http.StatusBadRequest, "InvalidParameter", "The skip token is invalid.")
		}
		from = min(n, len(docs))
	}
	to := min(from+w.cfg.pageSize(), len(docs))
	out := map[string]any{"value": docs[from:to]}
	if to < len(docs) {
		q := url.Values{}
		for k, v := range c.query {
			q[k] = v
		}
		q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to))))
		out["nextLink"] = fmt.Sprintf("https://%s%s?%s", c.host, c.path, q.Encode())
	}
	return success(out)
}
