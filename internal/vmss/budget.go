package vmss

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Budgets bound the calls that one process makes, below the platform's own limits: 12 reads and 4 writes a minute for
// each scale set, 15 questions about an operation (facts: VMSS 1.5). A zero field takes its default, a negative one
// bounds nothing.
type Budgets struct {
	// SetReads (10), SetWrites (3) and SetFollows (12) are calls a minute for each scale set.
	SetReads, SetWrites, SetFollows int
	// SubscriptionReads (800) and SubscriptionWrites (500) are calls a minute for each subscription; questions about
	// operations count as reads. Published are these, and buckets that hold three minutes' calls: ours hold one, so they
	// are never ahead of the platform's, whenever within a minute that refills.
	SubscriptionReads, SubscriptionWrites int
	// SetDeletes (3) and SubscriptionDeletes (175) are deletions and deallocations a minute, which the platform counts apart.
	SetDeletes, SubscriptionDeletes int
	// SetLists (40) and SubscriptionLists (300) are pages of machines a minute; published are 300 for a subscription, and
	// none for a set. A subscription's bucket holds two minutes' pages of the three that are published.
	SetLists, SubscriptionLists int
	// DoorReads (25) and DoorWrites (10) are the calls a second that Resource Manager's front door lets in for each
	// subscription. A call beyond them waits for its turn.
	DoorReads, DoorWrites int
}

func (b Budgets) withDefaults() Budgets {
	fill := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	fill(&b.SetReads, 10)
	fill(&b.SetWrites, 3)
	fill(&b.SetFollows, 12)
	fill(&b.SubscriptionReads, 800)
	fill(&b.SubscriptionWrites, 500)
	fill(&b.SetDeletes, 3)
	fill(&b.SubscriptionDeletes, 175)
	fill(&b.SetLists, 40)
	fill(&b.SubscriptionLists, 300)
	fill(&b.DoorReads, 25)
	fill(&b.DoorWrites, 10)
	return b
}

// callClass tells calls apart as the platform counts them.
type callClass int

const (
	classRead callClass = iota
	classWrite
	classFollow
	classList
	// classDelete are deletions and deallocations of a set's machines, classMachine the changes of a single machine of a
	// Flexible set, whose own bucket stands in the set's place.
	classDelete
	classMachine
)

// Codes of a call that was not sent.
const (
	codeSetBudget          = "SetBudget"
	codeSubscriptionBudget = "SubscriptionBudget"
	codeRetryAfter         = "RetryAfter"
	codeDoorBudget         = "DoorBudget"
)

var reasons = map[string]string{
	codeSetBudget:          "the calls allowed for this scale set are used up",
	codeSubscriptionBudget: "the calls allowed for this subscription are used up",
	codeRetryAfter:         "the service asked to be left alone",
	codeDoorBudget:         "the calls that Resource Manager lets in are used up, and its turn would come too late",
}

// budget holds a bucket for each scale set and subscription and class of call. A bucket starts full and holds a
// minute's calls, so that a sweep over everything is not spread out, and refills evenly.
type budget struct {
	rates Budgets
	now   func() time.Time

	mu      sync.Mutex
	buckets map[bucketKey]*bucket
	// blocked is until when the service asked to be left alone, by set or subscription and by class of call.
	blocked map[bucketKey]time.Time
	// seen is the most that was ever left, by subscription and policy.
	seen map[string]int
}

type bucketKey struct {
	id           string
	class        callClass
	subscription bool
}

type bucket struct {
	rate   float64 // a minute; negative: unbounded
	most   float64
	tokens float64
	at     time.Time
	pace   pace
}

func newBudget(rates Budgets, now func() time.Time) *budget {
	return &budget{rates: rates, now: now, buckets: map[bucketKey]*bucket{}, blocked: map[bucketKey]time.Time{}, seen: map[string]int{}}
}

// shrinkLeaves is the share of a subscription's writes that a shrink leaves to growth: capacity that is missing hurts
// users, and what there is too much of costs a minute more.
const shrinkLeaves = 0.1

// takeBeyond spends one call of the class on set and subscription together, or on neither: then wait is how long until
// it would go, and reason the code that says why. It leaves a share of the subscription's bucket to others.
func (b *budget) takeBeyond(subscription, set string, c callClass, share float64) (wait time.Duration, reason string) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	own, shared := b.bucket(now, b.setKey(set, c)), b.bucket(now, b.subscriptionKey(subscription, c))
	for _, k := range []bucketKey{b.setKey(set, c), {subscription, c, true}} {
		if d := b.blocked[k].Sub(now); d > wait {
			wait, reason = d, codeRetryAfter
		}
	}
	if d := own.missing(0); d > wait {
		wait, reason = d, codeSetBudget
	}
	if d := shared.missing(share * shared.most); d > wait {
		wait, reason = d, codeSubscriptionBudget
	}
	if wait == 0 {
		own.tokens--
		shared.tokens--
	}
	return wait, reason
}

// reach is how far a refusal for want of calls reaches.
type reach int

const (
	// reachSet is one set, and one class of call.
	reachSet reach = iota
	// reachSubscription is every set of a subscription, and one class of call: the compute provider's bucket ran dry.
	reachSubscription
	// reachDoor is every call of a subscription that the front door counts in the same bucket.
	reachDoor
)

// doorClasses are the classes that the front door counts as reads, and those that it counts as writes.
var doorClasses = [][]callClass{{classRead, classFollow, classList}, {classWrite, classDelete, classMachine}}

// block keeps calls away from the set, from the subscription or from the front door, for as long as the service asked.
func (b *budget) block(subscription, set string, c callClass, d time.Duration, r reach) {
	until := b.now().Add(d)
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := []bucketKey{b.setKey(set, c)}
	switch r {
	case reachSet:
	case reachSubscription:
		keys[0] = bucketKey{subscription, c, true}
	case reachDoor:
		keys = keys[:0]
		for _, classes := range doorClasses {
			for _, one := range classes {
				if slices.Contains(classes, c) {
					keys = append(keys, bucketKey{subscription, one, true})
				}
			}
		}
	}
	for _, k := range keys {
		if until.After(b.blocked[k]) {
			b.blocked[k] = until
		}
	}
}

func (b *budget) setKey(set string, c callClass) bucketKey { return bucketKey{id: set, class: c} }

// subscriptionKey counts questions about operations as reads, as the front door does.
func (b *budget) subscriptionKey(subscription string, c callClass) bucketKey {
	if c == classFollow {
		c = classRead
	}
	return bucketKey{id: subscription, class: c, subscription: true}
}

func (b *budget) rate(k bucketKey) int {
	switch {
	case k.subscription && k.class == classList:
		return b.rates.SubscriptionLists
	case k.class == classList:
		return b.rates.SetLists
	case k.subscription && k.class == classDelete:
		return b.rates.SubscriptionDeletes
	case k.class == classDelete:
		return b.rates.SetDeletes
	case k.subscription && (k.class == classWrite || k.class == classMachine):
		return b.rates.SubscriptionWrites
	case k.subscription:
		return b.rates.SubscriptionReads
	case k.class == classWrite, k.class == classMachine:
		return b.rates.SetWrites
	case k.class == classFollow:
		return b.rates.SetFollows
	default:
		return b.rates.SetReads
	}
}

// bucket finds the bucket and refills it up to now.
func (b *budget) bucket(now time.Time, key bucketKey) *bucket {
	k := b.buckets[key]
	if k == nil {
		rate := float64(b.rate(key))
		k = &bucket{rate: rate, most: rate, tokens: rate, at: now}
		if key.subscription && key.class == classList {
			k.most, k.tokens = 2*rate, 2*rate
		}
		b.buckets[key] = k
	}
	// A clock that was set back adds nothing and takes nothing.
	if d := now.Sub(k.at); d > 0 {
		k.tokens = min(k.most, k.tokens+k.rate*k.pace.share()*d.Minutes())
	}
	k.at = now
	return k
}

// missing is how long until the bucket holds a whole call beyond what it keeps.
func (k *bucket) missing(keeps float64) time.Duration {
	// What refilling in floating point leaves out must not become one more wait.
	if k.rate < 0 || k.tokens >= 1+keeps-1e-9 {
		return 0
	}
	return time.Duration(math.Ceil((1 + keeps - k.tokens) / (k.rate * k.pace.share()) * float64(time.Minute)))
}
