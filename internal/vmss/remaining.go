package vmss

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// call is what a request is for, handed down to the door and to the listener in the request's context.
type call struct {
	subscription, set string
	class             callClass
	// yields is true for a call that lets growth go first.
	yields bool
}

type callKey struct{}

// told tells door and listener what the request to come is for.
func told(ctx context.Context, t target, c callClass) context.Context {
	return context.WithValue(ctx, callKey{}, call{subscription: t.subscription, set: t.key, class: c})
}

// yielding is told for a call that leaves a share of what there is to growth, where it leaves any.
func yielding(ctx context.Context, t target, c callClass, share float64) context.Context {
	return context.WithValue(ctx, callKey{}, call{t.subscription, t.key, c, share > 0})
}

// listener lets the budget learn from each answer what the platform has left for us: others call with the same
// subscription too, and one call may be charged as several (facts: VMSS 1.5).
type listener struct{ budget *budget }

// Do is azcore's.
func (l listener) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if c, known := req.Raw().Context().Value(callKey{}).(call); known && resp != nil {
		charge, _ := strconv.Atoi(resp.Header.Get("x-ms-request-charge"))
		l.budget.hear(c, resp.Header.Values("x-ms-ratelimit-remaining-resource"), charge)
	}
	return resp, err
}

// remaining is what one policy says is left, at one level or at several.
type remaining struct {
	policy string
	left   []int
}

// remainders reads "Microsoft.Compute/POLICY;COUNT" out of headers, by policy. What cannot be read says nothing.
func remainders(lines []string) (all []remaining) {
	for _, line := range lines {
	each:
		for one := range strings.SplitSeq(line, ",") {
			name, count, found := strings.Cut(strings.TrimSpace(one), ";")
			n, err := strconv.Atoi(strings.TrimSpace(count))
			if !found || err != nil || n < 0 {
				continue
			}
			name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
			for i := range all {
				if all[i].policy == name {
					all[i].left = append(all[i].left, n)
					continue each
				}
			}
			all = append(all, remaining{name, []int{n}})
		}
	}
	return all
}

// mostOfSet is the most that the platform's bucket of one set, or of one machine, holds for a class; 0 where it has none
// (facts: VMSS 1.5). A policy's name does not say of which level a count is, so what is more than this is the
// subscription's.
func mostOfSet(c callClass) int {
	switch c {
	case classWrite, classDelete, classMachine:
		return 12
	case classFollow:
		return 45
	case classList:
		return 0
	}
	return 36
}

// hear takes what an answer says is left, and how many calls it was charged as.
func (b *budget) hear(c call, lines []string, charge int) {
	all := remainders(lines)
	if len(all) == 0 && charge <= 1 {
		return
	}
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	own, shared := b.bucket(now, b.setKey(c.set, c.class)), b.bucket(now, b.subscriptionKey(c.subscription, c.class))
	if charge > 1 {
		// One was spent; what the others owe is not owed for longer than the bucket is deep.
		own.spend(charge - 1)
		shared.spend(charge - 1)
	}
	for _, r := range all {
		machines := strings.Contains(r.policy, "batchedvm") || strings.Contains(r.policy, "queuedvm")
		least, most := r.left[0], r.left[0]
		for _, n := range r.left {
			least, most = min(least, n), max(most, n)
		}
		switch {
		case machines || strings.Contains(r.policy, "subscription"):
			b.hearShared(now, c, shared, r.policy, least)
		case most > mostOfSet(c.class):
			b.hearShared(now, c, shared, r.policy, most)
			if least < most {
				own.atMost(least - 1)
			}
		default:
			own.atMost(least - 1)
			if len(r.left) > 1 {
				// Both are few, and nobody says which is which.
				shared.atMost(least - 1)
			}
		}
	}
}

// hearShared takes what a subscription has left by one policy. Our own calls never empty the platform's bucket, which holds
// more than ours; so if little is left others are about, as further processes of this program are. Whatever each of them
// then takes at most is soon too much for all: each takes less, by half each second, until what is left grows again, and
// then slowly more. One call is left to others in any case: a count of one is none for us.
func (b *budget) hearShared(now time.Time, c call, k *bucket, name string, left int) {
	k.atMost(left - 1)
	key := c.subscription + " " + name
	b.seen[key] = max(b.seen[key], left)
	k.pace.hear(now, float64(left) < min(k.rate/2, float64(b.seen[key])/6))
	if k.pace.tight {
		k.atMost(0)
	}
}

// spend takes calls out of the bucket, as far as there are any.
func (k *bucket) spend(n int) {
	if k.rate >= 0 {
		k.tokens = max(0, k.tokens-float64(n))
	}
}

// atMost lowers the bucket to n calls.
func (k *bucket) atMost(n int) {
	if k.rate >= 0 {
		k.tokens = min(k.tokens, float64(max(0, n)))
	}
}

// pace is the part of a refill that one of several takes who share a bucket and see only what is left in it. It is learnt:
// halved each second in which too little is left, and raised by a small part of the whole after a second in which there
// was enough.
type pace struct {
	// less is what is missing from the whole, so that the zero pace takes all.
	less float64
	// tight is whether the last answer said that too little is left; tightAt is when one did, halved and raised when the
	// pace was last changed.
	tight                   bool
	tightAt, halved, raised time.Time
}

const (
	paceFirst = 1.0 / 4
	paceLeast = 1.0 / 32
	paceMore  = 1.0 / 16
	paceEvery = time.Second
)

// share is the part of the refill to take.
func (p *pace) share() float64 { return 1 - p.less }

// hear takes what an answer says: whether too little is left.
func (p *pace) hear(now time.Time, tight bool) {
	p.tight = tight
	// A clock that was set back is no second that has passed; nor does it stop one for long.
	passed := func(at time.Time) bool { d := now.Sub(at); return d >= paceEvery || d < -paceEvery }
	switch {
	case tight:
		if p.tightAt = now; passed(p.halved) {
			p.less, p.halved = 1-max(paceLeast, min(p.share()/2, paceFirst)), now
		}
	case passed(p.tightAt) && passed(p.raised):
		p.less, p.raised = max(0, p.less-paceMore), now
	}
}
