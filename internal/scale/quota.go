package scale

import "time"

// Quota is how many more machines of a set's size the subscription's quotas leave room for in its region; nil where no
// quota is known to bind. The cores of Spot are counted apart from all others (facts: VMSS 3.3).
type Quota struct {
	ReadAt  time.Time `json:"read_at"`
	Regular *int      `json:"regular,omitempty"`
	Spot    *int      `json:"spot,omitempty"`
	// RegularName and SpotName are the names of the usages that bind.
	RegularName string `json:"regular_name,omitempty"`
	SpotName    string `json:"spot_name,omitempty"`
}
