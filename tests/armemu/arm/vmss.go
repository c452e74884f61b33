package arm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

type setDoc struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	ETag       string            `json:"etag"`
	Zones      []string          `json:"zones,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	SKU        skuDoc            `json:"sku"`
	Properties setProperties     `json:"properties"`
}

type skuDoc struct {
	Name     string `json:"name"`
	Tier     string `json:"tier,omitempty"`
	Capacity int    `json:"capacity"`
}

type setProperties struct {
	OrchestrationMode    string     `json:"orchestrationMode"`
	ProvisioningState    string     `json:"provisioningState"`
	SinglePlacementGroup *bool      `json:"singlePlacementGroup,omitempty"`
	PriorityMixPolicy    *mixDoc    `json:"priorityMixPolicy,omitempty"`
	Profile              profileDoc `json:"virtualMachineProfile"`
	FaultDomains         *int       `json:"platformFaultDomainCount,omitempty"`
	Overprovision        *bool      `json:"overprovision,omitempty"`
	ZoneBalance          *bool      `json:"zoneBalance,omitempty"`
	SpotRestore          any        `json:"spotRestorePolicy,omitempty"`
	ScaleIn              any        `json:"scaleInPolicy,omitempty"`
	SKUProfile           any        `json:"skuProfile,omitempty"`
}

type profileDoc struct {
	Priority       string         `json:"priority,omitempty"`
	EvictionPolicy string         `json:"evictionPolicy,omitempty"`
	StorageProfile map[string]any `json:"storageProfile"`
}

type mixDoc struct {
	Base    *int `json:"baseRegularPriorityCount"`
	Percent *int `json:"regularPriorityPercentageAboveBase"`
}

// doc renders the set; capacity is what the reader is to believe.
func (s *set) doc(capacity int) setDoc {
	d := setDoc{
		ID: s.resourceID(), Name: s.name, Type: "Microsoft.Compute/virtualMachineScaleSets", Location: s.Location,
		ETag: s.etag(), Zones: s.Zones, Tags: s.Tags, SKU: skuDoc{Name: s.Size, Tier: "Standard", Capacity: capacity},
		Properties: setProperties{
			OrchestrationMode: s.Orchestration, ProvisioningState: s.state, SinglePlacementGroup: s.SinglePlacementGroup,
			Profile: profileDoc{StorageProfile: map[string]any{"imageReference": s.image()}},
		},
	}
	p := &d.Properties
	p.FaultDomains, p.Overprovision, p.ZoneBalance = s.FaultDomains, s.Overprovision, s.ZoneBalance
	if s.ScaleIn != "Default" {
		p.ScaleIn = map[string]any{"rules": []string{s.ScaleIn}}
	}
	if s.SpotRestore != "" {
		// Under properties, where the SDK has it, and not where the page's sample nests it (facts: VMSS 2.2).
		p.SpotRestore = map[string]any{"enabled": true, "restoreTimeout": s.SpotRestore}
	}
	if s.Size == mixSize {
		d.SKU.Tier = ""
		sizes := []map[string]any{}
		for _, size := range s.Sizes {
			sizes = append(sizes, map[string]any{"name": size})
		}
		p.SKUProfile = map[string]any{"vmSizes": sizes, "allocationStrategy": s.AllocationStrategy}
	}
	if s.interruptible() {
		d.Properties.Profile.Priority, d.Properties.Profile.EvictionPolicy = s.Priority, s.EvictionPolicy
	}
	if s.mix != nil {
		base, percent := s.mix.Base, s.mix.RegularPercent
		d.Properties.PriorityMixPolicy = &mixDoc{Base: &base, Percent: &percent}
	}
	return d
}

func (s *set) image() map[string]any {
	if s.ImageID != "" {
		return map[string]any{"id": s.ImageID}
	}
	return map[string]any{"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
}

func (w *world) readSet(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	capacity := s.nominal
	if len(s.lies) > 0 {
		capacity, s.lies = s.lies[0], s.lies[1:]
	}
	a := success(s.doc(capacity))
	a.header.Set("ETag", s.etag())
	return a
}

func (w *world) listSets(c call) answer {
	docs := []setDoc{}
	for _, s := range w.ordered() {
		if strings.EqualFold(s.subscription, c.args["sub"]) && strings.EqualFold(s.group, c.args["group"]) {
			docs = append(docs, s.doc(s.nominal))
		}
	}
	return success(map[string]any{"value": docs})
}

// patchSet takes a change: conditional, accepted at once, followed by an operation (facts: VMSS 1.1 to 1.4).
func (w *world) patchSet(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	if want := c.header.Get("If-Match"); want != "" && want != "*" && want != s.etag() {
		return failure(http.StatusPreconditionFailed, "PreconditionFailed", fmt.Sprintf(
			"Etag provided in if-match header %s does not match etag %s of resource.", want, s.etag()))
	}
	ch, refused := s.readChange(c.body)
	if refused != nil {
		return *refused
	}
	for _, refused := range []*answer{w.unlinked(s, ch), w.refuseGrowth(s, ch)} {
		if refused != nil {
			return *refused
		}
	}
	overtook := s.current != nil && s.current.patched
	o := w.begin(s, ch, c.now)
	o.patched = true
	a := success(s.doc(s.nominal))
	regular, spot := s.live()
	makes := regular + spot
	a.applied, a.overtook, a.makes = true, overtook, &makes
	a.header.Set("Azure-AsyncOperation", o.url(c.host))
	a.header.Set("Azure-AsyncNotification", "Enabled")
	w.askToWait(a.header)
	return a
}

// readChange decodes a PATCH, telling null from absent. Fields that are not emulated are refused: to take and drop them
// would let a test pass that Azure fails.
func (s *set) readChange(body []byte) (change, *answer) {
	bad := func(status int, code, format string, args ...any) (change, *answer) {
		a := failure(status, code, fmt.Sprintf(format, args...))
		return change{}, &a
	}
	var doc struct {
		SKU *struct {
			Name     *string `json:"name"`
			Tier     *string `json:"tier"`
			Capacity *int    `json:"capacity"`
		} `json:"sku"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := decodeStrict(body, &doc); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return bad(http.StatusNotImplemented, "NotEmulated", "The emulator knows sku and properties.priorityMixPolicy only: %v.", err)
		}
		return bad(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: %v.", err)
	}
	var ch change
	if k := doc.SKU; k != nil {
		switch {
		case s.Size == mixSize && k.Name != nil && *k.Name != "Mix":
			return bad(http.StatusBadRequest, "SkuNameMustBeMixIfSkuProfileIsSpecified", "The sku name must be Mix if a sku profile is specified.")
		case s.Size == mixSize && k.Tier != nil:
			return bad(http.StatusBadRequest, "SkuTierMustNotBeSetIfSkuProfileIsSpecified", "The sku tier must not be set if a sku profile is specified.")
		case k.Capacity != nil && (*k.Capacity < 0 || *k.Capacity > s.platformMax()):
			return bad(http.StatusBadRequest, "InvalidParameter", "The value %d of parameter sku.capacity is out of range: 0 to %d.", *k.Capacity, s.platformMax())
		}
		ch.capacity = k.Capacity
		if k.Name != nil {
			ch.size = *k.Name
		}
	}
	for field, raw := range doc.Properties {
		if field != "priorityMixPolicy" {
			return bad(http.StatusNotImplemented, "NotEmulated", "The emulator does not know properties.%s.", field)
		}
		mix, err := readMix(raw)
		switch {
		case err != nil:
			return bad(http.StatusBadRequest, "InvalidParameter", "priorityMixPolicy: %v.", err)
		case mix != nil && (s.Orchestration != Flexible || !s.interruptible()):
			return bad(http.StatusBadRequest, "InvalidParameter", "A priorityMixPolicy needs Flexible orchestration and a Spot profile.")
		case mix != nil && s.SinglePlacementGroup != nil && *s.SinglePlacementGroup:
			return bad(http.StatusBadRequest, "InvalidParameter", "A priorityMixPolicy does not go with singlePlacementGroup.")
		}
		ch.mixGiven, ch.mix = true, mix
	}
	return ch, nil
}

func readMix(raw json.RawMessage) (*Mix, error) {
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil, nil
	}
	var d mixDoc
	if err := decodeStrict(raw, &d); err != nil {
		return nil, err
	}
	if d.Base == nil || d.Percent == nil {
		return nil, fmt.Errorf("both fields are needed")
	}
	if *d.Base < 0 || *d.Percent < 0 || *d.Percent > 100 {
		return nil, fmt.Errorf("base %d or percentage %d is out of range", *d.Base, *d.Percent)
	}
	return &Mix{Base: *d.Base, RegularPercent: *d.Percent}, nil
}
