package doctor

import (
	"strings"

	"trimtab/internal/scale"
)

// The rights at a scale set, as deploy/roles/trimtab-sets.json grants them (facts: VMSS 6).
var (
	// setRights are needed for every set.
	setRights = []string{
		"Microsoft.Compute/virtualMachineScaleSets/read",
		"Microsoft.Compute/virtualMachineScaleSets/write",
	}
	// uniformRights and flexibleRights are needed for one kind: a Flexible set makes real machines in the caller's name.
	uniformRights = []string{
		"Microsoft.Compute/virtualMachineScaleSets/instanceView/read",
		"Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
		"Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
	}
	flexibleRights = []string{
		"Microsoft.Compute/virtualMachines/read",
		"Microsoft.Compute/virtualMachines/instanceView/read",
		"Microsoft.Compute/virtualMachines/write",
		"Microsoft.Compute/virtualMachines/delete",
		"Microsoft.Network/networkInterfaces/read",
		"Microsoft.Network/networkInterfaces/write",
		"Microsoft.Network/networkInterfaces/delete",
		"Microsoft.Network/networkInterfaces/join/action",
		"Microsoft.Network/virtualNetworks/subnets/join/action",
	}
	// chosenRights are needed where a pool removes chosen machines.
	chosenRights = []string{"Microsoft.Compute/virtualMachineScaleSets/delete/action"}
	// uniformPower and flexiblePower are needed where it deallocates them: on a Flexible set each machine is asked for by its
	// own.
	uniformPower = []string{
		"Microsoft.Compute/virtualMachineScaleSets/deallocate/action",
		"Microsoft.Compute/virtualMachineScaleSets/start/action",
	}
	flexiblePower = []string{
		"Microsoft.Compute/virtualMachines/deallocate/action",
		"Microsoft.Compute/virtualMachines/start/action",
	}
	// lookRights are the doctor's own.
	lookRights = []string{
		"Microsoft.Insights/autoscaleSettings/read",
		"Microsoft.Authorization/permissions/read",
	}
)

// SetRights are all rights at a scale set that Trimtab has a use for.
func SetRights() []string {
	var all []string
	for _, group := range [][]string{setRights, uniformRights, flexibleRights, chosenRights, uniformPower, flexiblePower, lookRights} {
		all = append(all, group...)
	}
	return all
}

// SubscriptionRights are those that lie above resource groups, as deploy/roles/trimtab-subscription.json grants them.
func SubscriptionRights() []string {
	return []string{
		"Microsoft.Compute/locations/operations/read",
		"Microsoft.Compute/locations/usages/read",
		"Microsoft.Compute/skus/read",
		"Microsoft.Insights/autoscaleSettings/read",
	}
}

// Rights judges what the caller may do at a scale set. A pool that observes needs to read only.
func Rights(p *scale.Pool, orchestration scale.Orchestration, granted []scale.Permission) []Finding {
	a := &about{subject: p.Name}
	needed, power := setRights, []string(nil)
	switch orchestration {
	case scale.Flexible:
		needed, power = append(append([]string{}, needed...), flexibleRights...), flexiblePower
	case scale.Uniform:
		needed, power = append(append([]string{}, needed...), uniformRights...), uniformPower
	}
	const do = "assign the role of deploy/roles/trimtab-sets.json to the app's identity on the scale set's resource group"
	lacks := missing(granted, needed)
	switch {
	case len(lacks) == 0:
		a.ok("rights", "the identity may read and write the scale set")
	case p.Mode != scale.Enforce && len(missing(granted, readsOf(needed))) == 0:
		a.add("rights", Warning, do+", before the pool enforces", "the identity may read the scale set and lacks, to change it: %s", strings.Join(lacks, ", "))
	default:
		a.add("rights", Problem, do, "the identity lacks: %s", strings.Join(lacks, ", "))
	}
	choose := func(asked bool, needed []string, what string) {
		level := Warning
		if asked && p.Mode == scale.Enforce {
			level = Problem
		}
		if lacks := missing(granted, needed); len(lacks) > 0 {
			a.add("rights_to_choose", level, do, "%s needs: %s", what, strings.Join(lacks, ", "))
		}
	}
	parks := p.Rails.Shrink.Parks()
	choose(len(p.Rails.Shrink.Order) > 0 && !parks, chosenRights, "to remove chosen machines")
	if parks {
		choose(true, power, "to deallocate chosen machines and to start them again")
	}
	if wide := tooWide(granted); wide != "" {
		a.add("rights_too_wide", Warning, "take that role away and assign the one of deploy/roles/trimtab-sets.json",
			"the identity may do %q here, far more than scaling needs", wide)
	}
	return a.all
}

func readsOf(actions []string) (reads []string) {
	for _, action := range actions {
		if strings.HasSuffix(action, "/read") {
			reads = append(reads, action)
		}
	}
	return reads
}

// tooWide is an action that is granted and lets its holder do anything, empty for none.
func tooWide(granted []scale.Permission) string {
	for _, p := range granted {
		for _, action := range p.Actions {
			if action == "*" || strings.EqualFold(action, "Microsoft.Compute/*") || strings.EqualFold(action, "Microsoft.Authorization/*") {
				return action
			}
		}
	}
	return ""
}

// missing are the actions that no permission grants.
func missing(granted []scale.Permission, actions []string) (lacks []string) {
	for _, action := range actions {
		if !allowed(granted, action) {
			lacks = append(lacks, action)
		}
	}
	return lacks
}

// allowed reports whether one permission grants the action and does not take it out itself: what one role takes out
// another may grant.
func allowed(granted []scale.Permission, action string) bool {
	for _, p := range granted {
		if anyCovers(p.Actions, action) && !anyCovers(p.NotActions, action) {
			return true
		}
	}
	return false
}

func anyCovers(patterns []string, action string) bool {
	for _, p := range patterns {
		if covers(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

// covers reports whether a pattern, in which an asterisk stands for any text, means the action.
func covers(pattern, action string) bool {
	head, tail, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == action
	}
	if !strings.HasPrefix(action, head) {
		return false
	}
	for rest := action[len(head):]; ; rest = rest[1:] {
		if covers(tail, rest) {
			return true
		}
		if rest == "" {
			return false
		}
	}
}
