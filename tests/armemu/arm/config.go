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
	// Limits is Documented where the published limits are enforced and shown in headers; empty for none (facts: VMSS 1.5).
	Limits string `json:"limits"`
	// Quotas, Grants and Autoscale are what the knobs of those names turn.
	Quotas    []Quota     `json:"quotas"`
	Grants    []Grant     `json:"grants"`
	Autoscale []Autoscale `json:"autoscale"`
	// RestoreEverySeconds is how often a spotRestorePolicy tries to bring an evicted machine back; 300 if it is 0.
	RestoreEverySeconds int `json:"restore_every_seconds"`
	// BatchMachines is how many machines of a scale operation are charged as one call; with 0 each operation is charged as
	// one, whatever its size (facts: VMSS 1.5).
	BatchMachines int `json:"batch_machines"`
	// PageSize is the length of a page of machines; 100 if it is 0.
	PageSize int `json:"page_size"`
}

// Documented is the value of Config.Limits that enforces the published limits.
const Documented = "documented"

func (c Config) limited() bool { return c.Limits == Documented }

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
