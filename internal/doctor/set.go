package doctor

import (
	"fmt"
	"net/http"
	"strings"

	"trimtab/internal/guard"
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

// Set judges a scale set, and what is around it, against the pool that scales it and what the pool's policy wants. The
// traps are those of the rails, which refuse or warn at run time what is a problem or a warning here.
func Set(p *scale.Pool, in *scale.Inspection, wish guard.Wish) []Finding {
	a := &about{subject: p.Name}
	f := &in.Facts
	kind := string(f.Orchestration)
	if f.Model != nil {
		kind += ", " + f.Model.Priority
	}
	if f.Mix != nil {
		kind += fmt.Sprintf(" with a mix of base %d and %d %% above", f.Mix.Base, f.Mix.RegularPercent)
	}
	a.ok("scale_set", "%s, %d instances of %s in %s, platform limit %d", kind, f.Capacity, f.Size, f.Location, f.PlatformMax)
	if p.Orchestration != "" && p.Orchestration != f.Orchestration {
		a.add("orchestration", Problem, "set orchestration to "+string(f.Orchestration)+" in the pool's data.json",
			"the pool's definition says %s, the scale set is %s", p.Orchestration, f.Orchestration)
	}
	if strings.EqualFold(f.ProvisioningState, "Failed") {
		a.add("provisioning", Warning, "look at the scale set's last operation in the activity log", "the scale set's last operation failed")
	}
	wish.Max, wish.Accept = p.Rails.Limits.Max, p.Rails.Accept
	a.traps(guard.Traps(f, wish))
	if s := f.Autoscale; s != nil && s.Whole && s.Problem == "" && len(s.Settings) == 0 {
		a.ok("autoscale", "no Azure Autoscale setting on the scale set")
	}
	return a.all
}

// traps makes findings of traps: what the rails refuse because of one keeps Trimtab from its work.
func (a *about) traps(traps []scale.Trap) {
	for _, t := range traps {
		switch t.Effect {
		case scale.TrapRefuses:
			a.add(t.Code, Problem, guard.Remedy(t.Code), "%s", t.Says)
		case scale.TrapUnseen:
			a.add(t.Code, Unknown, guard.Remedy(t.Code), "%s", t.Says)
		case scale.TrapAccepted:
			a.ok(t.Code, "accepted by the pool's definition: %s", t.Says)
		default:
			a.add(t.Code, Warning, guard.Remedy(t.Code), "%s", t.Says)
		}
	}
}
