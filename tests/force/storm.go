package force

import (
	"context"
	"math/rand/v2"
	"time"

	"trimtab/tests/armemu/arm"
)

// weather is what storage does while the storm lasts.
var weather = Faults{
	RefuseBefore: 0.02, RefuseAfter: 0.02, ResetBefore: 0.015, ResetAfter: 0.02, Delay: 0.1, Longest: 80 * time.Millisecond,
}

// kill ends one process after the other, until ctx ends: some at any instant, some in the middle of a write. It returns
// how many it has ended.
func (r *run) kill(ctx context.Context) (kills int) {
	dice := r.dice(2)
	tick := time.NewTicker(r.o.KillEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return kills
		}
		i := dice.IntN(processes)
		let := func() {}
		if at := dice.IntN(3); at < 2 {
			soon, cancel := context.WithTimeout(ctx, r.o.KillEvery/2)
			_, let = r.proxies[i].Catch(soon, Moment(at))
			cancel()
		}
		if r.end(ctx, i) {
			kills++
		}
		let()
	}
}

// end kills one process and reports whether it did; it returns when the host has started the next.
func (r *run) end(ctx context.Context, i int) bool {
	h := r.hosts[i]
	before := h.Starts()
	h.Kill()
	for h.Starts() == before {
		if pause(ctx, 2*time.Millisecond) != nil {
			break
		}
	}
	return true
}

// move hands partitions from host to host until ctx ends.
func (r *run) move(ctx context.Context) {
	dice := r.dice(3)
	for pause(ctx, time.Duration(500+dice.IntN(1500))*time.Millisecond) == nil {
		part := dice.IntN(partitions)
		r.take(part, (r.hub.owner(part)+1+dice.IntN(processes-1))%processes)
	}
}

// outages breaks storage for everybody behind one proxy now and then, until ctx ends.
func (r *run) outages(ctx context.Context) {
	dice := r.dice(4)
	for pause(ctx, time.Duration(3000+dice.IntN(4000))*time.Millisecond) == nil {
		p := r.proxies[dice.IntN(processes)]
		p.Down(true)
		_ = pause(ctx, time.Duration(100+dice.IntN(500))*time.Millisecond)
		p.Down(false)
	}
}

// turn turns the emulator's knobs until ctx ends. A knob that does not turn just now, for want of machines for instance,
// is left.
func (r *run) turn(ctx context.Context) {
	dice := r.dice(5)
	for n := 0; pause(ctx, time.Duration(100+dice.IntN(300))*time.Millisecond) == nil; n++ {
		if n%8 == 7 {
			// What nothing has met by now is taken back, or in the end nothing would go well any more.
			_ = r.arm.Turn(arm.Restore{})
			continue
		}
		_ = r.arm.Turn(r.knob(dice))
	}
}

// knob is something that goes wrong at Resource Manager.
func (r *run) knob(dice *rand.Rand) arm.Knob {
	set := scaleSets + pools[dice.IntN(len(pools))]
	yes := func() bool { return dice.IntN(2) == 0 }
	switch dice.IntN(16) {
	case 0, 1:
		return arm.Fault{Method: "PATCH", Path: set, Drop: true, After: yes()}
	case 2:
		return arm.Fault{Method: "PATCH", Path: set, Status: 503, Code: "ServerTimeout", After: yes()}
	case 3:
		return arm.Fault{Method: "PATCH", Path: set, Status: 500, Code: "InternalServerError", After: true}
	case 4:
		return arm.Fault{Method: "PATCH", Path: set, Hang: true, After: yes()}
	case 5:
		return arm.Fault{Method: "GET", Path: set, Drop: true, Times: 1 + dice.IntN(3)}
	case 6:
		return arm.Throttle{Method: []string{"GET", "PATCH"}[dice.IntN(2)], Path: set, RetryAfterSeconds: 5 + dice.IntN(60)}
	case 7:
		return arm.Fault{Method: "GET", Path: "/operations/", Status: 500, Code: "InternalServerError"}
	case 8, 9:
		return arm.PlanNext{Set: set, Plan: arm.Plan{Seconds: 30 + dice.IntN(300)}}
	case 10:
		return arm.PlanNext{Set: set, Plan: arm.Plan{
			Status: "Failed", Code: "OSProvisioningTimedOut", Message: "OS provisioning did not finish in the allotted time.",
			Created: dice.IntN(3), Seconds: dice.IntN(60),
		}}
	case 11:
		return arm.Forget{Set: set}
	case 12:
		return r.stranger(set, dice)
	case 13:
		return arm.ForeignWrite{Set: set}
	case 14:
		return r.liar(set)
	default:
		return arm.Evict{Set: scaleSets + "web", Count: 1}
	}
}

// stranger is somebody else's write, which is taken down: the judge must know what was not ours.
func (r *run) stranger(set string, dice *rand.Rand) arm.Knob {
	n := 1 + dice.IntN(70)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreign = append(r.foreign, Foreign{Set: set, At: r.now(), Capacity: n})
	return arm.ForeignWrite{Set: set, Capacity: &n}
}

// liar makes a set claim for once that it is empty. Lies that nobody has heard add up, and two in a row are believed.
func (r *run) liar(set string) arm.Knob {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreign = append(r.foreign, Foreign{Set: set, At: r.now(), Lie: true})
	return arm.ClaimCapacity{Set: set, Capacity: 0}
}
