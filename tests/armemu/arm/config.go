package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The orchestration modes, priorities and eviction policies, as ARM writes them.
const (
	Flexible   = "Flexible"
	Uniform    = "Uniform"
	Regular    = "Regular"
	Spot       = "Spot"
	Delete     = "Delete"
	Deallocate = "Deallocate"
)

// Config says which scale sets there are and how the platform behaves. The zero value is an empty platform on which
// machines boot at once and operations are over at the first poll.
type Config struct {
	Sets []SetConfig `json:"sets"`
	// BootSeconds is how long a machine takes from creation until it runs, DeleteSeconds until it is gone.
	BootSeconds   int `json:"boot_seconds"`
	DeleteSeconds int `json:"delete_seconds"`
	// Polls is how many polls of an operation answer InProgress at least, whatever the clock says.
	Polls int `json:"polls"`
	// PollAfterMilliseconds is what unfinished answers ask for by Retry-After-Ms, 0 for no header.
	PollAfterMilliseconds int `json:"poll_after_milliseconds"`
	// OperationTTLSeconds is how long the record of an ended operation is kept; a day if it is 0.
	OperationTTLSeconds int `json:"operation_ttl_seconds"`
	// PageSize is the length of a page of machines; 100 if it is 0.
	PageSize int `json:"page_size"`
}

// SetConfig is one scale set as it is at the start.
type SetConfig struct {
	// ID is the full ARM resource ID.
	ID            string `json:"id"`
	Location      string `json:"location"`
	Size          string `json:"size"`
	Orchestration string `json:"orchestration"`
	// Priority is the profile's, EvictionPolicy the profile's too; Regular and Deallocate unless given (facts: VMSS 2.2).
	Priority       string `json:"priority"`
	EvictionPolicy string `json:"eviction_policy"`
	Capacity       int    `json:"capacity"`
	Mix            *Mix   `json:"mix"`
	// SinglePlacementGroup is left out of the model when nil.
	SinglePlacementGroup *bool `json:"single_placement_group"`
	// ImageID names a managed or gallery image; a marketplace image when empty.
	ImageID string            `json:"image_id"`
	Tags    map[string]string `json:"tags"`
	// BootSeconds replaces the platform's for this set.
	BootSeconds *int `json:"boot_seconds"`
	// ETagMovesAtEnd makes the ETag move when an operation ends as well as when it begins; whether Azure does that is
	// not documented (facts: VMSS 10b).
	ETagMovesAtEnd bool `json:"etag_moves_at_end"`
}

// Mix is a priority mix policy.
type Mix struct {
	Base           int `json:"base"`
	RegularPercent int `json:"regular_percent"`
}

// regular is how many of n machines are regular: the floor of the share above the base, Spot takes the remainder
// (facts: VMSS 2.1).
func (m Mix) regular(n int) int {
	if n <= m.Base {
		return n
	}
	return m.Base + m.RegularPercent*(n-m.Base)/100
}

// ParseConfig reads a Config from JSON; unknown fields are refused.
func ParseConfig(data []byte) (Config, error) {
	var c Config
	if err := decodeStrict(data, &c); err != nil {
		return Config{}, fmt.Errorf("emulator configuration: %w", err)
	}
	return c, nil
}

func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

// setID is a scale set's resource ID, taken apart.
type setID struct{ subscription, group, name string }

func parseSetID(id string) (setID, error) {
	p := strings.Split(strings.Trim(id, "/"), "/")
	if len(p) != 8 || !strings.EqualFold(p[0], "subscriptions") || !strings.EqualFold(p[2], "resourceGroups") ||
		!strings.EqualFold(p[4]+"/"+p[5]+"/"+p[6], "providers/Microsoft.Compute/virtualMachineScaleSets") {
		return setID{}, fmt.Errorf("%q is not the resource ID of a scale set", id)
	}
	return setID{subscription: p[1], group: p[3], name: p[7]}, nil
}

func (c SetConfig) withDefaults() SetConfig {
	fill := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	fill(&c.Location, "westeurope")
	fill(&c.Size, "Standard_D2s_v5")
	fill(&c.Orchestration, Flexible)
	fill(&c.Priority, Regular)
	fill(&c.EvictionPolicy, Deallocate)
	return c
}

func (c SetConfig) check() error {
	switch {
	case c.Orchestration != Flexible && c.Orchestration != Uniform:
		return fmt.Errorf("orchestration %q: want Flexible or Uniform", c.Orchestration)
	case c.EvictionPolicy != Delete && c.EvictionPolicy != Deallocate:
		return fmt.Errorf("eviction_policy %q: want Delete or Deallocate", c.EvictionPolicy)
	case c.Capacity < 0:
		return fmt.Errorf("capacity %d is negative", c.Capacity)
	case c.Mix != nil && (c.Orchestration != Flexible || c.Priority == Regular):
		return errors.New("a mix needs a Flexible set whose priority is Spot")
	case c.Mix != nil && c.SinglePlacementGroup != nil && *c.SinglePlacementGroup:
		return errors.New("a mix does not go with a single placement group")
	}
	return nil
}

func (c Config) operationTTL() time.Duration {
	if c.OperationTTLSeconds == 0 {
		return 24 * time.Hour
	}
	return time.Duration(c.OperationTTLSeconds) * time.Second
}

func (c Config) pageSize() int {
	if c.PageSize == 0 {
		return 100
	}
	return c.PageSize
}
