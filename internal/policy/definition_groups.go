package policy

import (
	"strconv"
	"strings"

	"trimtab/internal/scale"
)

// A group's members are read at every decision of each of them, so that their number is bounded.
const (
	maxGroups  = 4
	maxMembers = 64
)

// groups reads the groups that a pool belongs to.
func (o fields) groups(pair bool) []scale.Membership {
	all := o.named("groups", maxGroups, "priority", "vcpus", "per_hour")
	if pair && len(all) > 0 {
		o.wrong("groups", "a pair of scale sets cannot be in a group: name each set as a pool of its own")
	}
	var groups []scale.Membership
	for _, name := range sortedNames(all) {
		f := all[name]
		m := scale.Membership{
			Group: name, Priority: f.whole("priority", 0, 1000, 0), VCPUs: f.whole("vcpus", 0, 1000, 0),
			PerHourMicro: f.price("per_hour"),
		}
		if f.fields["vcpus"] == nil && f.fields["per_hour"] == nil {
			f.wrong("vcpus", "say what an instance takes: vcpus, per_hour or both")
		}
		groups = append(groups, m)
	}
	return groups
}

// price is a number of a currency from 0 up, in millionths.
func (o fields) price(name string) int64 {
	n := o.fields[name]
	if n == nil {
		return 0
	}
	price, err := strconv.ParseFloat(n.text, 64)
	if n.kind != number || err != nil || price < 0 || price > 10_000 {
		o.wrong(name, "a price from 0 to 10000, not %s", strings.TrimSpace(string(n.kind)+" "+n.text))
		return 0
	}
	return int64(price*1e6 + 0.5)
}

// checkGroups checks that no group has too many members.
func checkGroups(pools []definition, ps *problems) {
	members, counted := map[string]int{}, map[string]definition{}
	for _, p := range pools {
		for _, m := range p.Groups {
			if first, found := counted[m.Group]; p.Spending != nil && !found {
				counted[m.Group] = p
			} else if s := p.Spending; s != nil && (s.Period != first.Spending.Period || s.Zone.String() != first.Spending.Zone.String()) {
				ps.add(p.at.file, p.at.line, "pool %s counts its money by the %s in %s, and pool %s of the same group %s by the %s in %s",
					p.Name, s.Period, s.Zone, first.Name, m.Group, first.Spending.Period, first.Spending.Zone)
			}
			if members[m.Group]++; members[m.Group] == maxMembers+1 {
				ps.add(p.at.file, p.at.line, "group %s has more than %d pools", m.Group, maxMembers)
			}
		}
	}
}
