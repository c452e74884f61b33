package whatif

import (
	"slices"
	"time"

	"trimtab/internal/scale"
)

// Rail is one rail on a number's way, whether it moved the number or not.
type Rail struct {
	Rail   string `json:"rail"`
	Before int    `json:"before"`
	After  int    `json:"after"`
	// Code, Until and Detail are of the rail that moved the number or ended the walk, empty for one that did not.
	Code   string    `json:"code,omitempty"`
	Until  time.Time `json:"until"`
	Detail string    `json:"detail,omitempty"`
}

// opening are the rails that may end the walk before there is a number, order those that every number passes. It is the
// order that [trimtab/internal/guard.Decide] documents.
var (
	opening = []string{"control", "facts", "freeze", "pin", "policy"}
	order   = []string{
		"limits", "platform", "pause", "signals", "live", "stabilisation", "step", "cooldown", "back_off", "in_flight", "mix",
	}
)

// Rails is the way of a decision's number: each rail in order with the number before and after it. A rail that comes
// twice stands twice. Where the walk was ended, the rails behind were not asked and are not there.
func Rails(p *scale.Proposal, d *scale.Decision) []Rail {
	number := d.From.Instances
	if p.Known && p.Fault == "" {
		number = p.Instances
	}
	ended := false
	var rails []Rail
	passed := 0
	pass := func(until int) {
		for ; passed < until; passed++ {
			rails = append(rails, Rail{Rail: order[passed], Before: number, After: number})
		}
	}
	for _, a := range d.Adjustments {
		if a.Rail == "mode" {
			continue
		}
		if i := slices.Index(order, a.Rail); i >= passed {
			pass(i)
			passed = i + 1
		}
		ended = ended || slices.Contains(opening, a.Rail) && a.After == d.From.Instances && a.Code == d.Reason && a.Rail != "pin"
		rails = append(rails, Rail{Rail: a.Rail, Before: a.Before, After: a.After, Code: a.Code, Until: a.Until, Detail: a.Detail})
		number = a.After
	}
	if !ended {
		pass(len(order))
	}
	for _, a := range d.Adjustments {
		if a.Rail == "mode" {
			rails = append(rails, Rail{Rail: a.Rail, Before: a.Before, After: a.After, Code: a.Code})
		}
	}
	return rails
}
