package guard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// Wish is what a pool wants of its scale set, as far as traps are concerned.
type Wish struct {
	// Mix is true where the policy blends regular and Spot machines on one set, StandIn where regular ones stand in for Spot.
	Mix, StandIn bool
	// Max is the most that the pool may grow to.
	Max int
	// Accept are the codes of the traps that the pool's definition accepts.
	Accept []string
}

// trap is one row of the list: sees says what is there, and nothing where the trap is not.
type trap struct {
	code   string
	sees   func(f *scale.Facts, w *Wish) (scale.Effect, string)
	remedy string
}

// list is every trap that is known, those that stop most first. There is no other list: trimtab doctor asks this one.
var list = []trap{
	{scale.TrapAutoscale, seesAutoscale, "delete the setting, or turn it off: az monitor autoscale update --ids ID --enabled false. Where it could not be looked for, assign deploy/roles/trimtab-subscription.json on the subscription"},
	{scale.TrapAttached, seesAttached, "detach them, or move them to a scale set that nothing scales; with shrink.order in the pool's data.json Trimtab chooses who goes, and never one of them"},
	{scale.TrapSpotRestore, seesSpotRestore, "disable spotRestorePolicy on the scale set, or take stand_in out of the blend"},
	{scale.TrapPlatformLimit, seesPlatformLimit, "lower limits.max to what the platform allows; a single placement group can be turned off on the scale set, which cannot be taken back"},
	{scale.TrapMix, seesMix, "take blend out of the policy, or make the pool a pair of Uniform sets"},
	{scale.TrapMixOnRegular, seesMixOnRegular, "create the scale set anew with priority Spot and a priority mix; the priority of a set cannot be changed"},
	{scale.TrapMixInOneGroup, seesMixInOneGroup, "turn singlePlacementGroup off on the scale set"},
	{scale.TrapMixFaultDomains, seesMixFaultDomains, "create the scale set anew with platformFaultDomainCount 1; where its sizes preserve memory in maintenance, accept the trap"},
	{
		scale.TrapEvictionPolicy, warns(func(m *scale.Model) bool { return m.EvictionPolicy == "Deallocate" },
			"evicted machines are deallocated: they keep their disks, count in capacity and in the Spot quota, and never come back by themselves"),
		"create the scale set anew with evictionPolicy Delete",
	},
	{
		scale.TrapOverprovision, warns(func(m *scale.Model) bool { return m.Overprovision },
			"overprovision makes more machines than were asked for and takes them away again, which counts and quota see"),
		"set overprovision to false on the scale set",
	},
	{
		scale.TrapZoneBalance, warns(func(m *scale.Model) bool { return m.ZoneBalance },
			"zoneBalance makes a growth fail where one zone has no room"),
		"set zoneBalance to false unless an even spread is worth a failed growth",
	},
	{
		scale.TrapZoneRebalance, warns(func(m *scale.Model) bool { return m.ZoneRebalance },
			"automatic zone rebalancing adds a machine for a while, moves none within 60 minutes of a change, and a change of the count ends a move"),
		"turn automatic zone rebalancing off, or do not rely on it",
	},
	{
		scale.TrapRepairs, warns(func(m *scale.Model) bool { return m.Repairs },
			"automatic repairs are on: each change begins a machine's grace period anew, so a pool that changes often puts repairs off"),
		"allow for it, or turn automatic repairs off on a set that changes often",
	},
}

// Traps are those that the facts show for a pool with such a wish, in the order of the list.
func Traps(f *scale.Facts, w Wish) (found []scale.Trap) {
	for i := range list {
		effect, says := list[i].sees(f, &w)
		if says == "" {
			continue
		}
		if slices.Contains(w.Accept, list[i].code) && slices.Contains(scale.AcceptableTraps(), list[i].code) {
			effect = scale.TrapAccepted
		}
		found = append(found, scale.Trap{Code: list[i].code, Effect: effect, Says: says})
	}
	return found
}

// Remedy is what to do about the trap with the code, empty for one that is not known.
func Remedy(code string) string {
	for i := range list {
		if list[i].code == code {
			return list[i].remedy
		}
	}
	return ""
}

// warns sees a property of the set's model that refuses nothing.
func warns(there func(*scale.Model) bool, says string) func(*scale.Facts, *Wish) (scale.Effect, string) {
	return func(f *scale.Facts, _ *Wish) (scale.Effect, string) {
		if f.Model == nil || !there(f.Model) {
			return "", ""
		}
		return scale.TrapWarns, says
	}
}

// seesAutoscale: a setting of Azure Autoscale writes the same count (facts: VMSS 2.4, 5.5 row 8).
func seesAutoscale(f *scale.Facts, _ *Wish) (scale.Effect, string) {
	a := f.Autoscale
	if a == nil {
		return "", ""
	}
	off := ""
	for _, s := range a.Settings {
		if s.Enabled {
			return scale.TrapRefuses, "an Azure Autoscale setting writes the capacity of the same scale set, so an enforcing pool changes nothing: " + s.ID
		}
		off = s.ID
	}
	switch {
	case off != "":
		return scale.TrapWarns, "an Azure Autoscale setting on the scale set is there and turned off: " + off
	case a.Problem != "":
		return scale.TrapUnseen, "Azure Autoscale settings could not be looked for: " + a.Problem
	case !a.Whole:
		return scale.TrapUnseen, "no Azure Autoscale setting in the scale set's resource group; others may not be looked at"
	}
	return "", ""
}

// seesAttached: whether attached machines count, and whether a shrink takes them, is not documented (facts: VMSS 2.4).
func seesAttached(f *scale.Facts, _ *Wish) (scale.Effect, string) {
	if f.Live == nil || f.Live.Attached == 0 {
		return "", ""
	}
	return scale.TrapRefuses, fmt.Sprintf("%d machines were attached by hand (%s): Azure does not say whether a lower count takes them, so the count is not lowered",
		f.Live.Attached, strings.Join(f.Live.AttachedNames, ", "))
}

// seesSpotRestore: the platform and the hedge would both make up for what was evicted (facts: VMSS 2.2).
func seesSpotRestore(f *scale.Facts, w *Wish) (scale.Effect, string) {
	restores := f.Model != nil && f.Model.SpotRestore || f.Pair != nil && f.Pair.SpotRestore
	switch {
	case !restores:
		return "", ""
	case w.StandIn:
		return scale.TrapRefuses, "spotRestorePolicy brings evicted Spot machines back while regular ones would stand in for them: both together overshoot, so none stands in"
	}
	return scale.TrapWarns, "spotRestorePolicy brings evicted Spot machines back, which Trimtab replaces too: there may be more than were asked for for a while"
}

func seesPlatformLimit(f *scale.Facts, w *Wish) (scale.Effect, string) {
	if f.PlatformMax <= 0 || w.Max <= f.PlatformMax {
		return "", ""
	}
	effect := scale.TrapWarns
	if f.Model != nil && f.Model.SinglePlacementGroup {
		effect = scale.TrapRefuses
	}
	return effect, fmt.Sprintf("the pool may grow to %d, the platform allows %d (%s), and no more is asked for", w.Max, f.PlatformMax, f.PlatformMaxRule)
}

func seesMix(f *scale.Facts, w *Wish) (scale.Effect, string) {
	if !w.Mix || f.Orchestration == scale.Flexible || f.Orchestration == "" {
		return "", ""
	}
	return scale.TrapRefuses, "the policy asks for a mix, and a Uniform set has none: it is left out"
}

func seesMixOnRegular(f *scale.Facts, w *Wish) (scale.Effect, string) {
	if !w.Mix || f.Orchestration != scale.Flexible || f.Spot {
		return "", ""
	}
	return scale.TrapRefuses, "the policy asks for a mix, and the profile's priority is Regular: Azure refuses a priorityMixPolicy there, so it is left out"
}

func seesMixInOneGroup(f *scale.Facts, w *Wish) (scale.Effect, string) {
	if !w.Mix || f.Orchestration != scale.Flexible || f.Model == nil || !f.Model.SinglePlacementGroup {
		return "", ""
	}
	return scale.TrapRefuses, "a mix does not go with singlePlacementGroup: it is left out"
}

// seesMixFaultDomains: which sizes preserve memory the document does not say, so their owner must (facts: VMSS 2.1).
func seesMixFaultDomains(f *scale.Facts, w *Wish) (scale.Effect, string) {
	if !w.Mix || f.Orchestration != scale.Flexible || f.Model == nil || f.Model.FaultDomains <= 1 {
		return "", ""
	}
	return scale.TrapRefuses, fmt.Sprintf("platformFaultDomainCount is %d: Azure refuses a mix there for sizes without memory-preserving updates, and allows 200 instances at most; the set's mix is left as it is",
		f.Model.FaultDomains)
}

// wish is what the pool of this walk wants of the set of its facts.
func (w *walk) wish() Wish {
	b := w.proposal.Blend
	if w.proposal.Fault != "" {
		b = nil
	}
	return Wish{
		Mix: b != nil && w.view.Facts.Pair == nil, StandIn: b != nil && b.StandIn, Max: w.view.Rails.Limits.Max, Accept: w.view.Rails.Accept,
	}
}

// refused reports whether a trap makes the rails refuse something, and what it says.
func (w *walk) refused(code string) (says string, refused bool) {
	for _, t := range w.traps {
		if t.Code == code && t.Effect == scale.TrapRefuses {
			return t.Says, true
		}
	}
	return "", false
}

// rival is what is said of another writer of the same count, empty for none.
func (w *walk) rival() string {
	says, _ := w.refused(scale.TrapAutoscale)
	return says
}

// unblended is the trap that makes the rails leave the policy's blend out, empty for none.
func (w *walk) unblended() string {
	for _, code := range []string{scale.TrapMix, scale.TrapMixOnRegular, scale.TrapMixInOneGroup, scale.TrapMixFaultDomains} {
		if _, refused := w.refused(code); refused {
			return code
		}
	}
	return ""
}

// attached lowers no count while machines are among the set's that somebody attached: nobody says whether Azure would
// take one of those. Machines that Trimtab chooses by name are none of them.
func attached(w *walk) {
	if w.number >= w.from || len(w.view.Rails.Shrink.Order) > 0 {
		return
	}
	if says, refused := w.refused(scale.TrapAttached); refused {
		w.set("live", "attached", w.from, time.Time{}, says)
	}
}
