package vmss

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// How many seconds' refill the front door's buckets hold: 250 calls at 25 a second for reads, 200 at 10 for writes and,
// apart from them, deletions (facts: VMSS 1.5).
const (
	doorReadBurst  = 10
	doorWriteBurst = 20
)

// door paces requests as Resource Manager's front door lets them in: a bucket for each subscription and kind of call,
// refilled each second (facts: VMSS 1.5). A request that finds none left waits for its turn, which is a second away and
// not a minute: five hundred sets that want a change in the same minute get it as fast as the platform takes them, and
// none is refused. It stands in the pipeline of every client, so nothing gets past it.
//
// Where within a second the platform refills its bucket nobody knows. So ours holds one refill less than the platform's
// and is refilled by whole seconds counted from when it was last known to be right, which is then never too early. The
// answers' headers say how many are left: they give back what was held back, and take away what others have used.
type door struct {
	now           func() time.Time
	reads, writes int // a second; negative: unbounded

	mu      sync.Mutex
	buckets map[string]*doorBucket
}

type doorBucket struct {
	refill, most, tokens float64
	at                   time.Time
	// growing is how many calls wait that nothing yields to: those that yield wait for them.
	growing int
	// pace is the part of the refill that we take while others are about, who were last seen at others.
	pace   pace
	others time.Time
	// debt is what was lately missing that we did not take.
	debt float64
	// flying is how many requests were let through and are not answered, taken how many were ever let through.
	flying, taken int
}

// pass is one request that was let through. Beside is how many others were flying then, serial its number.
type pass struct {
	*doorBucket
	beside, serial int
}

func newDoor(b Budgets, now func() time.Time) *door {
	return &door{now: now, reads: b.DoorReads, writes: b.DoorWrites, buckets: map[string]*doorBucket{}}
}

// doorError is a request that could not wait for its turn: nothing was sent.
type doorError struct{ wait time.Duration }

func (e doorError) Error() string {
	return fmt.Sprintf("not sent: the subscription's calls are used up for %v", e.wait)
}

// NonRetriable is how azcore knows that trying again will not help.
func (doorError) NonRetriable() {}

// Do is azcore's.
func (d *door) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	subscription, found := subscriptionOf(raw.URL.Path)
	kind := kindOf(raw.Method)
	if !found || d.rate(kind) < 0 {
		return req.Next()
	}
	c, _ := raw.Context().Value(callKey{}).(call)
	p, err := d.enter(raw.Context(), kind+" "+subscription, kind, c.yields)
	if err != nil {
		return nil, err
	}
	resp, err := req.Next()
	left := -1
	if resp != nil {
		if n, err := strconv.Atoi(resp.Header.Get("x-ms-ratelimit-remaining-subscription-" + kind)); err == nil && n >= 0 {
			left = n
		}
	}
	d.leave(p, left)
	return resp, err
}

// enter takes one call, and waits for it no longer than for half of the time that its context leaves. A call that yields
// waits for all who do not, and leaves them a share: what there is too much of costs a minute more, what is missing hurts.
func (d *door) enter(ctx context.Context, key, kind string, yields bool) (pass, error) {
	patience := time.Duration(math.MaxInt64)
	if end, ok := ctx.Deadline(); ok {
		// A context's deadline lies on the wall clock, whatever clock the pool lives by.
		patience = time.Until(end) / 2
	}
	waits := false
	defer func() {
		if waits {
			d.grows(key, -1)
		}
	}()
	for {
		p, wait := d.take(key, kind, yields)
		if wait == 0 {
			return p, nil
		}
		if !waits && !yields {
			waits = true
			d.grows(key, 1)
		}
		if patience -= wait; patience <= 0 || !pause(ctx, wait) {
			return pass{}, doorError{wait}
		}
	}
}

func (d *door) rate(kind string) int {
	if kind == "reads" {
		return d.reads
	}
	return d.writes
}

// grows counts those who wait and do not yield.
func (d *door) grows(key string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buckets[key].growing += n
}

// take takes a call, or says how long until it is worth asking again.
func (d *door) take(key, kind string, yields bool) (pass, time.Duration) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.buckets[key]
	if b == nil {
		refill, burst := float64(d.rate(kind)), float64(doorWriteBurst)
		if kind == "reads" {
			burst = doorReadBurst
		}
		b = &doorBucket{refill: refill, most: refill * (burst - 1), tokens: refill * (burst - 1), at: now}
		d.buckets[key] = b
	}
	b.fill(now)
	if b.tokens < 1 || yields && (b.growing > 0 || b.tokens < 1+shrinkLeaves*b.most) {
		return pass{}, max(b.at.Add(time.Second).Sub(now), time.Millisecond)
	}
	if b.tokens == b.most {
		// The seconds are counted from here on: a full bucket has nothing to wait for.
		b.at = now
	}
	b.tokens--
	b.flying++
	b.taken++
	return pass{doorBucket: b, beside: b.flying - 1, serial: b.taken}, 0
}

// fill adds the refill of each whole second. A clock that was set back adds nothing and takes nothing.
func (b *doorBucket) fill(now time.Time) {
	n := now.Sub(b.at) / time.Second
	switch {
	case n < 0:
		b.at = now
	case n > 0:
		b.tokens = min(b.most, b.tokens+float64(n)*b.refill*b.pace.share())
		b.at = b.at.Add(n * time.Second)
		b.debt *= math.Pow(othersFade, float64(n))
	}
}

// leave takes note of an answer, with the number of calls that it says are left, negative where it does not say. Whatever
// flew at the same time may or may not be in that number, answered by now or not: answers overtake each other.
func (d *door) leave(p pass, left int) {
	b := p.doorBucket
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	b.flying--
	if left < 0 {
		return
	}
	b.fill(now)
	if d := now.Sub(b.others); !b.others.IsZero() && d < othersStay && d >= 0 {
		b.shared(now, left)
		return
	}
	b.pace = pace{}
	least, most := min(float64(left-p.beside-(b.taken-p.serial)), b.most), float64(left)
	switch {
	case b.tokens < least:
		b.debt = max(0, b.debt-(least-b.tokens))
		b.tokens, b.at = least, now
	case b.tokens > most:
		b.debt += b.tokens - most
		b.tokens, b.at = most, now
	}
	if b.debt > othersOwe*b.refill {
		b.others, b.debt = now, 0
		b.pace = pace{less: 1 - paceFirst}
		b.shared(now, left)
	}
}

const (
	// othersOwe is how many seconds' refill must be missing lately, which we did not take, for others to be about: so much
	// is never missing because of answers that were on their way while a refill came.
	othersOwe = 1.5
	// othersFade is what a second leaves of what was missing.
	othersFade = 0.8
	// othersStay is how long others count as being about who were seen to use the same bucket.
	othersStay = 5 * time.Minute
	// othersKeep is the share of the platform's bucket that is left alone while others are about: what several take at the
	// same time, none knowing of the others, comes out of it.
	othersKeep = 0.2
)

// shared takes note of what is left while others are about: other processes of this program, or anybody with the same
// identity. Each sees only what is left, so each leaves a part of the bucket alone and learns how much of the refill it may
// take (facts: VMSS 1.5 has no header that says who took the rest).
func (b *doorBucket) shared(now time.Time, left int) {
	keep := othersKeep * (b.most + b.refill)
	b.pace.hear(now, float64(left) < keep)
	if b.pace.tight {
		// Alone we leave so much: others are about.
		b.others = now
	}
	b.tokens = min(b.tokens, max(0, float64(left)-keep))
}

// kindOf is how the front door counts a method.
func kindOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead:
		return "reads"
	case http.MethodDelete:
		return "deletes"
	}
	return "writes"
}

// subscriptionOf takes the subscription from a path.
func subscriptionOf(path string) (string, bool) {
	part := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	if len(part) < 2 || !strings.EqualFold(part[0], "subscriptions") {
		return "", false
	}
	return strings.ToLower(part[1]), true
}
