package traps_test

import (
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// Azure refuses the size or the tier of a set with an instance mix when it is sent back (facts: VMSS 1.1).
func TestASetWithAnInstanceMixGrowsAndShrinksByItsCountAlone(t *testing.T) {
	sizes := []string{"Standard_D4s_v5", "Standard_D4as_v5"}
	r := newRig(t, webPool(scale.Flexible), 6, arm.Config{Sets: []arm.SetConfig{{ID: web, Capacity: 6, Sizes: sizes}}})
	r.minutes(1)
	r.turn(arm.Scarce{Size: sizes[0]})
	for _, wanted := range []int{11, 4} {
		r.policy.instances = wanted
		r.after(10 * time.Minute)
		r.minutes(15)
		r.settled(wanted)
	}
	patches := r.patches()
	if len(patches) != 2 {
		t.Fatalf("%d changes, want one up and one down: %+v", len(patches), patches)
	}
	for _, p := range patches {
		if strings.Contains(string(p.Body), `"name"`) || strings.Contains(string(p.Body), `"tier"`) {
			t.Errorf("a size or a tier was sent: %s", p.Body)
		}
	}
}
