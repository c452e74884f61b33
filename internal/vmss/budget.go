package vmss

import (
	"math"
	"sync"
	"time"
)

// Budgets bound the calls that one process makes, below the platform's own limits: 12 reads and 4 writes a minute for
// each scale set, 15 questions about an operation (facts: VMSS 1.5). A zero field takes its default, a negative one
// bounds nothing.
type Budgets struct {
	// SetReads (10), SetWrites (3) and SetFollows (12) are calls a minute for each scale set.
	SetReads, SetWrites, SetFollows int
	// SubscriptionReads (400) and SubscriptionWrites (200) are calls a minute for each subscription; questions about
	// operations count as reads.
	SubscriptionReads, SubscriptionWrites int
	// SetLists (40) and SubscriptionLists (150) are pages of machines a minute; published are 300 for a subscription, and
	// none for a set.
	SetLists, SubscriptionLists int
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
	fill(&b.SubscriptionReads, 400)
	fill(&b.SubscriptionWrites, 200)
	fill(&b.SetLists, 40)
	fill(&b.SubscriptionLists, 150)
	return b
}

// callClass tells calls apart as the platform counts them.
type callClass int

const (
	classRead callClass = iota
	classWrite
	classFollow
	classList
)

// Codes of a call that was not sent.
const (
	codeSetBudget          = "SetBudget"
	codeSubscriptionBudget = "SubscriptionBudget"
	codeRetryAfter         = "RetryAfter"
)

var reasons = map[string]string{
	codeSetBudget:          "the calls allowed for this scale set are used up",
	codeSubscriptionBudget: "the calls allowed for this subscription are used up",
	codeRetryAfter:         "the service asked to be left alone",
}

// budget holds a bucket for each scale set and subscription and class of call. A bucket starts full and holds a
// minute's calls, so that a sweep over everything is not spread out, and refills evenly.
type budget struct {
	rates Budgets
	now   func() time.Time

	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

type bucketKey struct {
	id           string
	class        callClass
	subscription bool
}

type bucket struct {
	rate    float64 // a minute; negative: unbounded
	tokens  float64
	at      time.Time
	blocked time.Time
}

func newBudget(rates Budgets, now func() time.Time) *budget {
	return &budget{rates: rates, now: now, buckets: map[bucketKey]*bucket{}}
}

// take spends one call of the class on set and subscription together, or on neither: then wait is how long until it
// would go, and reason the code that says why.
func (b *budget) take(subscription, set string, c callClass) (wait time.Duration, reason string) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	own, shared := b.bucket(now, b.setKey(set, c)), b.bucket(now, b.subscriptionKey(subscription, c))
	for _, k := range []*bucket{own, shared} {
		if d := k.blocked.Sub(now); d > wait {
			wait, reason = d, codeRetryAfter
		}
	}
	if d := own.missing(); d > wait {
		wait, reason = d, codeSetBudget
	}
	if d := shared.missing(); d > wait {
		wait, reason = d, codeSubscriptionBudget
	}
	if wait == 0 {
		own.tokens--
		shared.tokens--
	}
	return wait, reason
}

// block keeps the class of calls away from the set, or from the whole subscription, for as long as the service asked.
func (b *budget) block(subscription, set string, c callClass, d time.Duration, wholeSubscription bool) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.bucket(now, b.setKey(set, c))
	if wholeSubscription {
		k = b.bucket(now, b.subscriptionKey(subscription, c))
	}
	if until := now.Add(d); until.After(k.blocked) {
		k.blocked = until
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
	case k.subscription && k.class == classWrite:
		return b.rates.SubscriptionWrites
	case k.subscription:
		return b.rates.SubscriptionReads
	case k.class == classWrite:
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
		k = &bucket{rate: rate, tokens: rate, at: now}
		b.buckets[key] = k
	}
	// A clock that was set back adds nothing and takes nothing.
	if d := now.Sub(k.at); d > 0 {
		k.tokens = min(k.rate, k.tokens+k.rate*d.Minutes())
	}
	k.at = now
	return k
}

// missing is how long until the bucket holds a whole call.
func (k *bucket) missing() time.Duration {
	// What refilling in floating point leaves out must not become one more wait.
	if k.rate < 0 || k.tokens >= 1-1e-9 {
		return 0
	}
	return time.Duration(math.Ceil((1 - k.tokens) / k.rate * float64(time.Minute)))
}
