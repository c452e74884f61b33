package vmss

import (
	"cmp"
	"context"
	"slices"

	"trimtab/internal/scale"
)

// tagProtected is the tag that keeps a machine of a Flexible set from being chosen: its list does not show Azure's own
// protection, which a Uniform set's does (facts: VMSS 2.4).
const tagProtected = "trimtab-protected"

// Choose names the machines that are to go, at most n of those that are there, by the order of preferences. Where the set
// has a mix and Spot is not preferred, the mix decides how many of each kind. Protected machines and those that somebody
// attached are never among them, so there may be fewer. Every error is a *scale.FleetError.
func (f *Fleet) Choose(ctx context.Context, scaleSet string, facts scale.Facts, n int, order []scale.Preference) ([]string, error) {
	t, err := f.target(opCount, scaleSet)
	if err != nil {
		return nil, err
	}
	machines, fe := f.machinesOf(ctx, t, scaleSet, facts)
	if fe != nil {
		return nil, fe
	}
	return victims(machines, facts.Mix, n, order), nil
}

// victims chooses.
func victims(machines []machine, mix *scale.Mix, n int, order []scale.Preference) []string {
	var candidates []*machine
	zones := map[string]int{}
	regular, spot := 0, 0
	for i := range machines {
		m := &machines[i]
		if s := m.where(); s != there && s != pending {
			continue
		}
		zones[m.zone]++
		if m.spot {
			spot++
		} else {
			regular++
		}
		if !m.protected && !m.attached && m.name != "" {
			candidates = append(candidates, m)
		}
	}
	n = min(n, len(candidates))
	leaveRegular, leaveSpot := n, n
	if mix != nil && !slices.Contains(order, scale.PreferSpot) {
		r, s := mix.Change(regular, spot, -n)
		leaveRegular, leaveSpot = regular-r, spot-s
	}
	var names []string
	for len(names) < n {
		best := -1
		for i, m := range candidates {
			if m.spot && leaveSpot == 0 || !m.spot && leaveRegular == 0 {
				continue
			}
			if best < 0 || before(m, candidates[best], order, zones) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		m := candidates[best]
		if m.spot {
			leaveSpot--
		} else {
			leaveRegular--
		}
		zones[m.zone]--
		names = append(names, m.name)
		candidates = slices.Delete(candidates, best, best+1)
	}
	return names
}

// before reports whether a goes before b. Where no preference tells them apart, the newer goes, as it serves least, and
// then the name decides.
func before(a, b *machine, order []scale.Preference, zones map[string]int) bool {
	first := func(x, y bool) int {
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	}
	for _, p := range order {
		by := 0
		switch p {
		case scale.PreferUnhealthy:
			by = first(a.unhealthy, b.unhealthy)
		case scale.PreferSpot:
			by = first(a.spot, b.spot)
		case scale.PreferOldest:
			by = cmp.Compare(a.madeAt, b.madeAt)
		case scale.PreferNewest:
			by = cmp.Compare(b.madeAt, a.madeAt)
		case scale.PreferZoneBalance:
			by = cmp.Compare(zones[b.zone], zones[a.zone])
		}
		if by != 0 {
			return by < 0
		}
	}
	if by := cmp.Compare(b.madeAt, a.madeAt); by != 0 {
		return by < 0
	}
	return a.name < b.name
}
