package doctor

import (
	"fmt"
	"net/http"
	"strings"

	"trimtab/internal/scale"
)

// Unread judges a scale set that could not be read.
func Unread(subject, check string, err *scale.FleetError) Finding {
	f := Finding{Check: check, Subject: subject, Level: Unknown, Says: err.Error(), Do: "run doctor again; if it stays so, look at the connection to Azure Resource Manager"}
	switch {
	case err.Status == http.StatusNotFound:
		f.Level, f.Do = Problem, "correct scale_set in the pool's data.json, or take the pool away"
	case err.Status == http.StatusForbidden, err.Status == http.StatusUnauthorized:
		f.Level, f.Do = Problem, "assign the role of deploy/roles/trimtab-sets.json to the app's identity on the scale set's resource group"
	case err.Class == scale.ClassInvalid:
		f.Level, f.Do = Problem, "correct scale_set in the pool's data.json: it is the full resource ID of a scale set"
	case err.Class == scale.ClassThrottled:
		f.Do = "wait, then run doctor again: Azure Resource Manager asked to be left alone"
	}
	return f
}

// Set judges a scale set's model against the pool that scales it. wantsMix is true where the pool's policy may ask for a
// blend of regular and Spot machines.
func Set(p *scale.Pool, in *scale.Inspection, wantsMix bool) []Finding {
	a := &about{subject: p.Name}
	f := &in.Facts
	kind := string(f.Orchestration) + ", " + in.Priority
	if f.Mix != nil {
		kind += fmt.Sprintf(" with a mix of base %d and %d %% above", f.Mix.Base, f.Mix.RegularPercent)
	}
	a.ok("scale_set", "%s, %d instances of %s in %s, platform limit %d", kind, f.Capacity, f.Size, f.Location, f.PlatformMax)
	if p.Orchestration != "" && p.Orchestration != f.Orchestration {
		a.add("orchestration", Problem, "set orchestration to "+string(f.Orchestration)+" in the pool's data.json",
			"the pool's definition says %s, the scale set is %s", p.Orchestration, f.Orchestration)
	}
	a.limits(p, in)
	a.mix(in, wantsMix)
	a.neighbours(in)
	return a.all
}

// limits judges what the platform allows against what the pool does (facts: VMSS 3.1).
func (a *about) limits(p *scale.Pool, in *scale.Inspection) {
	if limit := in.Facts.PlatformMax; p.Rails.Limits.Max > limit {
		do := "lower limits.max to " + fmt.Sprint(limit)
		level := Warning
		if in.SinglePlacementGroup {
			level = Problem
			do = "turn singlePlacementGroup off on the scale set (which cannot be taken back), or lower limits.max to " + fmt.Sprint(limit)
		}
		a.add("platform_limit", level, do, "the pool may grow to %d, the platform allows %d (%s)", p.Rails.Limits.Max, limit, in.Facts.PlatformMaxRule)
	}
}

// mix judges whether the platform would take a mix, and keep it (facts: VMSS 2.1, 2.2).
func (a *about) mix(in *scale.Inspection, wanted bool) {
	f := &in.Facts
	has := f.Mix != nil
	if !has && !wanted {
		return
	}
	if f.Orchestration != scale.Flexible {
		if wanted {
			a.add("mix", Problem, "take blend out of the policy, or make the pool a pair of Uniform sets",
				"the policy asks for a mix, and a Uniform set has none")
		}
		return
	}
	if !f.Spot {
		a.add("mix_on_regular", Problem, "create the scale set anew with priority Spot and a priority mix; the priority of a set cannot be changed",
			"the policy asks for a mix, and the profile's priority is Regular: Azure refuses a priorityMixPolicy there")
	}
	if in.SinglePlacementGroup {
		a.add("mix_in_one_group", Problem, "turn singlePlacementGroup off on the scale set",
			"a mix does not go with singlePlacementGroup")
	}
	if in.FaultDomains > 1 {
		a.add("mix_fault_domains", Problem, "create the scale set anew with platformFaultDomainCount 1",
			"platformFaultDomainCount is %d: Azure refuses a mix there for sizes without memory-preserving updates, and allows 200 instances at most", in.FaultDomains)
	}
	if f.Spot && has && wanted && in.EvictionPolicy == "Deallocate" {
		a.add("eviction_policy", Warning, "create the scale set anew with evictionPolicy Delete",
			"evicted machines are deallocated: they keep their disks, count in capacity and in the Spot quota, and never come back by themselves")
	}
}

// neighbours judges what else works on the set (facts: VMSS 2.4).
func (a *about) neighbours(in *scale.Inspection) {
	if in.SpotRestore {
		a.add("spot_restore", Problem, "disable spotRestorePolicy on the scale set",
			"spotRestorePolicy brings evicted Spot machines back while the policy's hedge makes them up with regular ones: both together overshoot")
	}
	if in.Overprovision {
		a.add("overprovision", Warning, "set overprovision to false on the scale set",
			"overprovision makes more machines than were asked for and takes them away again, which counts and quota see")
	}
	if in.ZoneBalance {
		a.add("zone_balance", Warning, "set zoneBalance to false unless an even spread is worth a failed growth",
			"zoneBalance makes a growth fail where one zone has no room")
	}
	if f := &in.Facts; strings.EqualFold(f.ProvisioningState, "Failed") {
		a.add("provisioning", Warning, "look at the scale set's last operation in the activity log",
			"the scale set's last operation failed")
	}
}

// Rivals judges the Azure Autoscale settings that were found. whole is false where only the set's own resource group was
// looked at.
func Rivals(subject, scaleSet string, settings []scale.Autoscaler, whole bool) []Finding {
	a := &about{subject: subject}
	target := strings.ToLower(strings.TrimRight(scaleSet, "/"))
	for _, s := range settings {
		if s.Target != target {
			continue
		}
		if s.Enabled {
			a.add("autoscale", Problem, "delete the setting or turn it off: az monitor autoscale update --ids "+s.ID+" --enabled false",
				"an Azure Autoscale setting writes the capacity of the same scale set: %s", s.ID)
		} else {
			a.add("autoscale", Warning, "delete the setting, so that nobody turns it on",
				"an Azure Autoscale setting on the scale set is there and turned off: %s", s.ID)
		}
	}
	switch {
	case len(a.all) > 0:
	case whole:
		a.ok("autoscale", "no Azure Autoscale setting on the scale set")
	default:
		a.add("autoscale", Unknown, "assign the role of deploy/roles/trimtab-subscription.json on the subscription",
			"no Azure Autoscale setting in the scale set's resource group; others may not be looked at")
	}
	return a.all
}

// Strangers judges machines that the set did not make.
func Strangers(subject string, names []string) []Finding {
	a := &about{subject: subject}
	if len(names) > 0 {
		shown := names[:min(len(names), 5)]
		a.add("attached", Problem, "detach them, or move them to a scale set that nothing scales",
			"%d machines were attached by hand (%s): whether a shrink takes them, and whether they count in capacity, Azure does not say",
			len(names), strings.Join(shown, ", "))
	}
	return a.all
}
