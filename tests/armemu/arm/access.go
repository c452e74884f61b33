package arm

import (
	"fmt"
	"net/http"
	"strings"
)

// Grant is a role assignment: what may be done in a scope and below it. An action may hold asterisks.
type Grant struct {
	Scope      string   `json:"scope"`
	Actions    []string `json:"actions"`
	NotActions []string `json:"not_actions"`
}

// Grants replaces every role assignment; without any, everything is allowed.
type Grants struct {
	Grants []Grant `json:"grants"`
}

func (g Grants) turn(w *world) error {
	for _, one := range g.Grants {
		if !strings.HasPrefix(one.Scope, "/") {
			return fmt.Errorf("grants: scope %q: want one that begins with a slash", one.Scope)
		}
	}
	w.grants = g.Grants
	return nil
}

// allows reports whether some assignment over the scope allows the action.
func (w *world) allows(scope, action string) bool {
	if w.grants == nil {
		return true
	}
	for _, g := range w.over(scope) {
		if anyFits(g.Actions, action) && !anyFits(g.NotActions, action) {
			return true
		}
	}
	return false
}

// over are the assignments that hold at a scope: those of it and of what it lies in.
func (w *world) over(scope string) (all []Grant) {
	scope = strings.ToLower(strings.TrimRight(scope, "/"))
	for _, g := range w.grants {
		at := strings.ToLower(strings.TrimRight(g.Scope, "/"))
		if scope == at || strings.HasPrefix(scope, at+"/") {
			all = append(all, g)
		}
	}
	return all
}

func anyFits(patterns []string, action string) bool {
	for _, p := range patterns {
		if fits(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

// fits compares an action with a pattern whose asterisks stand for anything.
func fits(pattern, action string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == action
	}
	if !strings.HasPrefix(action, parts[0]) {
		return false
	}
	rest := action[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// forbidden is the front door's refusal of what no assignment allows, nil where one does.
func (w *world) forbidden(scope, action string) *answer {
	if action == "" || w.allows(scope, action) {
		return nil
	}
	a := failure(http.StatusForbidden, "AuthorizationFailed", fmt.Sprintf(
		"The client with object id '5a1f0000-0000-4000-8000-0000000000ff' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. "+
			"If access was recently granted, please refresh your credentials.", action, scope))
	return &a
}

// linked are rights that growth of a Flexible set needs because it makes real machines in the caller's name (facts: VMSS
// 6).
var linked = []string{
	"Microsoft.Compute/virtualMachines/write", "Microsoft.Network/networkInterfaces/write",
	"Microsoft.Network/networkInterfaces/join/action", "Microsoft.Network/virtualNetworks/subnets/join/action",
}

// unlinked is the refusal of a change for want of a linked right, nil if nothing is wanting.
func (w *world) unlinked(s *set, ch change) *answer {
	if s.Orchestration != Flexible || ch.capacity == nil || *ch.capacity <= s.nominal {
		return nil
	}
	scope := "/subscriptions/" + s.subscription + "/resourceGroups/" + s.group
	for _, action := range linked {
		if !w.allows(scope, action) {
			a := failure(http.StatusForbidden, "LinkedAuthorizationFailed", fmt.Sprintf(
				"The client has permission to perform action 'Microsoft.Compute/virtualMachineScaleSets/write' on scope '%s'; however, it does not have permission "+
					"to perform action '%s' on the linked scope(s) '%s' or the linked scope(s) are invalid.", s.resourceID(), action, scope))
			return &a
		}
	}
	return nil
}

// listPermissions answers what the caller may do at a resource group or a resource; the operation is documented for these
// two and for nothing above them.
func (w *world) listPermissions(c call) answer {
	scope, _, _ := strings.Cut(strings.ToLower(c.path), "/providers/microsoft.authorization/")
	value := []map[string]any{}
	list := func(s []string) []string { return append([]string{}, s...) }
	if w.grants == nil {
		value = append(value, map[string]any{"actions": []string{"*"}, "notActions": []string{}, "dataActions": []string{}, "notDataActions": []string{}})
	}
	for _, g := range w.over(scope) {
		value = append(value, map[string]any{
			"actions": list(g.Actions), "notActions": list(g.NotActions), "dataActions": []string{}, "notDataActions": []string{},
		})
	}
	return success(map[string]any{"value": value})
}
