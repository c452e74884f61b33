package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// setRequest is what a client may send of a scale set, by PATCH or PUT.
type setRequest struct {
	ID       *string `json:"id"`
	Name     *string `json:"name"`
	Type     *string `json:"type"`
	ETag     *string `json:"etag"`
	Location *string `json:"location"`
	SKU      *struct {
		Name     *string `json:"name"`
		Tier     *string `json:"tier"`
		Capacity *int    `json:"capacity"`
	} `json:"sku"`
	Zones      []string                   `json:"zones"`
	Tags       *map[string]string         `json:"tags"`
	Properties map[string]json.RawMessage `json:"properties"`
}

func readRequest(body []byte) (doc setRequest, refused *answer) {
	if err := decodeStrict(body, &doc); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return doc, refusal(http.StatusNotImplemented, "NotEmulated", "The emulator does not know this part of a scale set: %v.", err)
		}
		return doc, refusal(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: %v.", err)
	}
	return doc, nil
}

// readChange makes a change of a document, telling null from absent.
func (s *set) readChange(doc setRequest) (ch change, refused *answer) {
	if k := doc.SKU; k != nil {
		if refused = s.readSKU(&ch, k.Name, k.Tier, k.Capacity); refused != nil {
			return ch, refused
		}
	}
	if doc.Tags != nil {
		ch.model = append(ch.model, func(s *set) { s.Tags = *doc.Tags })
	}
	if doc.Zones != nil && !slices.Equal(doc.Zones, s.Zones) {
		ch.model = append(ch.model, func(s *set) { s.Zones = doc.Zones })
	}
	names := make([]string, 0, len(doc.Properties))
	for name := range doc.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if refused = s.readProperty(&ch, name, doc.Properties[name]); refused != nil {
			return ch, refused
		}
	}
	return ch, nil
}

// patchSet takes a change: conditional, accepted at once, followed by an operation (facts: VMSS 1.1 to 1.4).
func (w *world) patchSet(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return *missing
	}
	doc, refused := readRequest(c.body)
	if refused == nil && (doc.ID != nil || doc.Name != nil || doc.Type != nil || doc.ETag != nil || doc.Location != nil) {
		refused = refusal(http.StatusBadRequest, "InvalidRequestContent", "A PATCH names neither id, name, type, etag nor location.")
	}
	if refused != nil {
		return *refused
	}
	return w.changeSet(s, c, doc)
}

// changeSet applies a document to a set that is there.
func (w *world) changeSet(s *set, c call, doc setRequest) answer {
	if want := c.header.Get("If-Match"); want != "" && want != "*" && want != s.etag() {
		return failure(http.StatusPreconditionFailed, "PreconditionFailed", fmt.Sprintf(
			"Etag provided in if-match header %s does not match etag %s of resource.", want, s.etag()))
	}
	if s.deleted {
		return *s.marked("Update Virtual Machine Scale Set")
	}
	ch, refused := s.readChange(doc)
	if refused != nil {
		return *refused
	}
	for _, refused := range []*answer{w.unlinked(s, ch), w.refuseSize(s, ch), w.refuseGrowth(s, ch)} {
		if refused != nil {
			return *refused
		}
	}
	overtook := s.current != nil && s.current.patched
	before := s.nominal
	o := w.begin(s, ch, c.now)
	o.patched = true
	a := success(s.doc(s.nominal))
	regular, spot := s.live()
	makes := regular + spot
	a.applied, a.overtook, a.makes, a.touched = true, overtook, &makes, max(s.nominal-before, before-s.nominal)
	w.follow(a.header, o, c.host)
	return a
}

// follow names the operation to follow in an answer's headers.
func (w *world) follow(h http.Header, o *operation, host string) {
	h.Set("Azure-AsyncOperation", o.url(host))
	h.Set("Azure-AsyncNotification", "Enabled")
	w.askToWait(h)
}

// marked is the refusal of a change of a set that is being deleted (facts: VMSS 1.4).
func (s *set) marked(operation string) *answer {
	return refusal(http.StatusConflict, "OperationNotAllowed",
		"Operation '%s' is not allowed on Virtual Machine Scale Set '%s' since it is marked for deletion.", operation, s.name)
}

// putSet creates a set, 201, or changes one that is there, 200 (facts: VMSS 1.2). What the document of a PUT leaves out
// stays as it is: the sparse PUT of a count has nothing under properties (facts: VMSS 1.1).
func (w *world) putSet(c call) answer {
	doc, refused := readRequest(c.body)
	if refused == nil && (doc.Location == nil || *doc.Location == "") {
		refused = refusal(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	if refused != nil {
		return *refused
	}
	s, missing := w.target(c)
	if missing == nil {
		switch {
		case c.header.Get("If-None-Match") == "*":
			return failure(http.StatusPreconditionFailed, "PreconditionFailed", "The resource exists already, and if-none-match is *.")
		case !strings.EqualFold(*doc.Location, s.Location):
			return failure(http.StatusConflict, "InvalidResourceLocation", fmt.Sprintf(
				"The resource '%s' already exists in location '%s'. A resource with the same name cannot be created in location '%s'.", s.name, s.Location, *doc.Location))
		}
		return w.changeSet(s, c, doc)
	}
	if want := c.header.Get("If-Match"); want != "" {
		return failure(http.StatusPreconditionFailed, "PreconditionFailed", "The resource is not there, and if-match is given.")
	}
	return w.createSet(c, doc)
}

// createSet makes a set whose machines come up like any others.
func (w *world) createSet(c call, doc setRequest) answer {
	cfg := SetConfig{ID: setRoute(c), Location: *doc.Location, Zones: doc.Zones}
	var capacity int
	if doc.SKU != nil {
		if doc.SKU.Name != nil {
			cfg.Size = *doc.SKU.Name
		}
		if doc.SKU.Capacity != nil {
			capacity = *doc.SKU.Capacity
		}
	}
	var profile struct {
		Priority       string `json:"priority"`
		EvictionPolicy string `json:"evictionPolicy"`
	}
	for name, into := range map[string]any{
		"orchestrationMode": &cfg.Orchestration, "platformFaultDomainCount": &cfg.FaultDomains, "zoneBalance": &cfg.ZoneBalance,
		"singlePlacementGroup": &cfg.SinglePlacementGroup, "virtualMachineProfile": &profile,
	} {
		if raw, given := doc.Properties[name]; given {
			if err := json.Unmarshal(raw, into); err != nil {
				return *refusal(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: properties.%s: %v.", name, err)
			}
		}
	}
	cfg.Priority, cfg.EvictionPolicy = profile.Priority, profile.EvictionPolicy
	if err := cfg.withDefaults().check(); err != nil {
		return *invalid("%v.", err)
	}
	s := newSet(cfg.withDefaults(), c.now)
	// The profile is the set's own now, and only what there is beside it is left to apply.
	delete(doc.Properties, "virtualMachineProfile")
	delete(doc.Properties, "singlePlacementGroup")
	ch, refused := s.readChange(doc)
	if refused == nil {
		refused = w.refuseGrowth(s, ch)
	}
	if refused != nil {
		return *refused
	}
	ch.capacity = &capacity
	w.sets[strings.ToLower(s.resourceID())] = s
	o := w.begin(s, ch, c.now)
	s.state = stateCreating
	if o.status != "" {
		s.state = o.status
	}
	a := success(s.doc(s.nominal))
	a.status, a.applied, a.touched = http.StatusCreated, true, capacity
	w.follow(a.header, o, c.host)
	return a
}

func setRoute(c call) string {
	return "/subscriptions/" + c.args["sub"] + "/resourceGroups/" + c.args["group"] + "/providers/Microsoft.Compute/virtualMachineScaleSets/" + c.args["name"]
}

// deleteSet marks a set for deletion; its machines leave, and then it is gone.
func (w *world) deleteSet(c call) answer {
	s, missing := w.target(c)
	if missing != nil {
		return answer{status: http.StatusNoContent, header: http.Header{}}
	}
	if !s.deleted {
		plan := w.preempt(s, c.now)
		s.deleted, s.evicted = true, nil
		touched := 0
		for _, m := range s.newestFirst() {
			m.leave(w.goneAt(c.now))
			touched++
		}
		a := w.accept(s, plan, c, false)
		s.state, a.touched = stateDeleting, touched
		return a
	}
	return w.accept(s, w.preempt(s, c.now), c, false)
}

// bury takes away the sets whose deletion has ended.
func (w *world) bury() {
	for key, s := range w.sets {
		if s.deleted && len(s.machines) == 0 && s.current == nil {
			delete(w.sets, key)
			w.order = nil
		}
	}
}
