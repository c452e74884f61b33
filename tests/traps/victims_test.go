package traps_test

import (
	"net/http"
	"testing"

	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

func TestAPoolThatChoosesDeletesByName(t *testing.T) {
	for _, o := range []scale.Orchestration{scale.Flexible, scale.Uniform} {
		t.Run(string(o), func(t *testing.T) {
			pool := webPool(o)
			pool.Rails.Shrink.Order = []scale.Preference{scale.PreferOldest}
			set := flexible(10)
			if o == scale.Uniform {
				set = arm.SetConfig{ID: web, Orchestration: arm.Uniform, Capacity: 10}
			}
			r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{set}})
			r.minutes(1)
			r.policy.instances = 7
			r.minutes(1)
			r.restart()
			r.minutes(2)
			r.settled(7)
			if got := r.set(web).Capacity; got != 7 {
				t.Errorf("the nominal count is %d, want 7", got)
			}
			if o := r.outcome(); o == nil || o.Result != scale.Applied {
				t.Errorf("the outcome is %+v, want applied", o)
			}
			deleted := 0
			for _, q := range r.emu.Requests() {
				if q.Method == http.MethodPost {
					deleted++
				}
			}
			if deleted != 1 || len(r.patches()) != 0 {
				t.Errorf("%d deletions and %d changes of the count, want one and none", deleted, len(r.patches()))
			}
		})
	}
}

func TestALostAnswerToADeletionIsSettledByTheFacts(t *testing.T) {
	pool := webPool(scale.Flexible)
	pool.Rails.Shrink.Order = []scale.Preference{scale.PreferNewest}
	r := newRig(t, pool, 10, arm.Config{Sets: []arm.SetConfig{flexible(10)}})
	r.minutes(1)
	r.policy.instances = 8
	r.turn(arm.Fault{Method: "POST", Path: "/delete", Status: 500, Times: 1, After: true})
	r.minutes(6)
	r.settled(8)
	if got := r.set(web).Capacity; got != 8 {
		t.Errorf("the nominal count is %d, want 8", got)
	}
}
