package arm

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// bill is what a call was charged to: the buckets of its own policy first, then those that count machines.
type bill struct {
	policies []string
	buckets  []*tokens
	// own is how many of the buckets are of the call's own policy; each is charged one call for so many machines, the others
	// one for each machine.
	own, batch int
}

// batchPolicies are the further policies that a scale operation falls under. The page on throttling errors names them and
// shows what was left of them in one answer; how much they hold is a choice.
var batchPolicies = []policy{
	{"VMScaleSetBatchedVMRequests", 0, 0, 1500, 5000}, {"VmssQueuedVMOperations", 0, 0, 1500, 5000},
}

// charge counts a call at the compute provider: at the resource's bucket and at the region's, both of which every answer
// names (facts: VMSS 1.5). A call that is refused is charged to neither.
func (w *world) charge(p policy, c call, region string, h http.Header) (*bill, *answer) {
	if !w.cfg.limited() || p == policyNone {
		return nil, nil
	}
	b := &bill{batch: w.cfg.BatchMachines}
	add := func(p policy, key string, most, refill float64) {
		b.policies = append(b.policies, p.name)
		b.buckets = append(b.buckets, w.bucket(p.name+"|"+key, most, refill, time.Minute, c.now))
	}
	where := strings.ToLower(c.args["sub"]) + "|" + region
	if p.resourceMax > 0 {
		add(p, strings.ToLower(strings.TrimRight(c.path, "/")), p.resourceMax, p.resourceRefill)
	}
	add(p, where, p.regionMax, p.regionRefill)
	b.own = len(b.buckets)
	if b.batch > 0 && (p.name == policyUpdateSet.name || p.name == policyDeleteSet.name || p.name == policyPutSet.name) {
		for _, extra := range batchPolicies {
			add(extra, where, extra.regionMax, extra.regionRefill)
		}
	}
	var wait time.Duration
	worst, holds := p.name, 0
	for i, one := range b.buckets {
		if d := one.wait(c.now); d > wait {
			wait, worst, holds = d, b.policies[i], int(one.most)
		}
	}
	if wait > 0 {
		b.show(h)
		a := throttled(worst, holds, c.now, seconds(wait))
		return nil, &a
	}
	for _, one := range b.buckets[:b.own] {
		one.left--
	}
	h.Set("x-ms-request-charge", "1")
	b.show(h)
	return b, nil
}

// further charges a scale operation for its machines: one call for each batch of them, and each machine to the policies
// that count machines. A bucket may owe afterwards, for what was begun is not undone.
func (b *bill) further(machines int, h http.Header) {
	if b == nil || len(b.buckets) == b.own {
		return
	}
	calls := max((machines+b.batch-1)/b.batch, 1)
	for i, one := range b.buckets {
		if i < b.own {
			one.left -= float64(calls - 1)
		} else {
			one.left -= float64(machines)
		}
	}
	h.Set("x-ms-request-charge", strconv.Itoa(calls))
	b.show(h)
}

// show names what is left in an answer's headers, one for each policy and level.
func (b *bill) show(h http.Header) {
	h.Del("x-ms-ratelimit-remaining-resource")
	for i, one := range b.buckets {
		h.Add("x-ms-ratelimit-remaining-resource", fmt.Sprintf("Microsoft.Compute/%s;%d", b.policies[i], max(int(one.left), 0)))
	}
}

// Batch says how many machines of a scale operation are charged as one call from now on; 0 for any number.
type Batch struct {
	Machines int `json:"machines"`
}

func (b Batch) turn(w *world) error {
	if b.Machines < 0 {
		return fmt.Errorf("batch: %d machines", b.Machines)
	}
	w.cfg.BatchMachines = b.Machines
	return nil
}

// limitOf is the policy that a call is counted by: a PUT that creates is of another than one that changes.
func (w *world) limitOf(r route, c call) policy {
	if c.method == http.MethodPut && r.limit == policyUpdateSet && w.sets[strings.ToLower(setRoute(c))] == nil {
		return policyPutSet
	}
	return r.limit
}
