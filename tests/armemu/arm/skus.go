package arm

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Restrict takes a size away from the subscription, in a region or one of its zones: the list of sizes says so, and growth
// with that size is refused with SkuNotAvailable (facts: VMSS 3.3).
type Restrict struct {
	Size     string `json:"size"`
	Location string `json:"location"`
	// Zone restricts one zone only: machines that would come up there fail.
	Zone string `json:"zone"`
	// Lift takes the restriction away.
	Lift bool `json:"lift"`
}

func (r Restrict) turn(w *world) error {
	if r.Size == "" {
		return fmt.Errorf("restrict: want a size")
	}
	w.restricted = slices.DeleteFunc(w.restricted, func(old Restrict) bool {
		return strings.EqualFold(old.Size, r.Size) && strings.EqualFold(old.Location, r.Location) && old.Zone == r.Zone
	})
	if !r.Lift {
		w.restricted = append(w.restricted, r)
	}
	if r.Zone != "" {
		return Scarce{Size: r.Size, Location: r.Location, Zone: r.Zone, Code: "SkuNotAvailable", Lift: r.Lift}.turn(w)
	}
	return nil
}

func (r Restrict) fits(size, location string) bool {
	return strings.EqualFold(r.Size, size) && (r.Location == "" || strings.EqualFold(r.Location, location))
}

// refuseSize is the answer to growth with a size that the subscription may not use.
func (w *world) refuseSize(s *set, ch change) *answer {
	if ch.capacity == nil || *ch.capacity <= s.nominal || len(s.Sizes) > 0 {
		return nil
	}
	for _, r := range w.restricted {
		if r.Zone == "" && r.fits(s.Size, s.Location) {
			return refusal(http.StatusConflict, "SkuNotAvailable", "The requested tier for resource '%s' is currently not available in location '%s' for subscription '%s'. "+
				"Try another tier or deploy to a different location.", s.resourceID(), s.Location, s.subscription)
		}
	}
	return nil
}

// commonSizes are listed wherever there is a set, beside the sizes that sets have.
var commonSizes = []string{"Standard_D2s_v5", "Standard_D4s_v5", "Standard_D8s_v5", "Standard_D2as_v5", "Standard_E4s_v5", "Standard_F4s_v2", "Standard_M64s"}

var locationFilter = regexp.MustCompile(`(?i)^location eq '([^']+)'$`)

// listSKUs lists the sizes of machines, of one region where the filter names it.
func (w *world) listSKUs(c call) answer {
	only := ""
	if filter := strings.TrimSpace(c.query.Get("$filter")); filter != "" {
		m := locationFilter.FindStringSubmatch(filter)
		if m == nil {
			return failure(http.StatusBadRequest, "InvalidParameter", "The filter '"+filter+"' is not supported.")
		}
		only = strings.ToLower(m[1])
	}
	sizes, zones := map[string][]string{}, map[string][]string{}
	for _, s := range w.ordered() {
		at := strings.ToLower(s.Location)
		if !strings.EqualFold(s.subscription, c.args["sub"]) || (only != "" && only != at) {
			continue
		}
		have := append([]string{}, commonSizes...)
		if len(s.Sizes) > 0 {
			have = append(have, s.Sizes...)
		} else {
			have = append(have, s.Size)
		}
		sizes[at], zones[at] = append(sizes[at], have...), append(zones[at], s.Zones...)
	}
	value := []map[string]any{}
	for _, at := range sortedKeys(sizes) {
		all := unique(sizes[at])
		for _, size := range all {
			value = append(value, w.skuOf(size, at, unique(zones[at])))
		}
	}
	return success(map[string]any{"value": value})
}

// skuOf is one size in one region.
func (w *world) skuOf(size, location string, zones []string) map[string]any {
	restrictions := []map[string]any{}
	for _, r := range w.restricted {
		if !r.fits(size, location) {
			continue
		}
		kind, info, values := "Location", map[string]any{"locations": []string{location}}, []string{location}
		if r.Zone != "" {
			kind, info = "Zone", map[string]any{"locations": []string{location}, "zones": []string{r.Zone}}
		}
		restrictions = append(restrictions, map[string]any{
			"type": kind, "values": values, "restrictionInfo": info, "reasonCode": "NotAvailableForSubscription",
		})
	}
	capability := func(name, value string) map[string]any { return map[string]any{"name": name, "value": value} }
	title := func(b bool) string { return strings.ToUpper(strconv.FormatBool(b)[:1]) + strconv.FormatBool(b)[1:] }
	return map[string]any{
		"resourceType": "virtualMachines", "name": size, "tier": "Standard", "size": strings.TrimPrefix(size, "Standard_"),
		"family": familyOf(size), "locations": []string{location},
		"locationInfo": []map[string]any{{"location": location, "zones": zones}},
		"capabilities": []map[string]any{
			capability("vCPUs", strconv.Itoa(coresOf(size))), capability("MemoryGB", strconv.Itoa(4*coresOf(size))),
			capability("LowPriorityCapable", title(!strings.HasPrefix(size, "Standard_B"))),
			capability("MemoryPreservingMaintenanceSupported", title(preserves(size))),
		},
		"restrictions": restrictions,
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func unique(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return slices.Compact(all)
}
