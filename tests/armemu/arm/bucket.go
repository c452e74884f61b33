package arm

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// policy is one row of the compute provider's table of limits: bucket sizes and refills a minute, for each resource and
// for a subscription in a region; 0 for no limit at that level (facts: VMSS 1.5, from Microsoft's page "Compute
// throttling limits" at 1a043fb3). The page gives no names that headers use; those here are ours, after the few that
// the page on throttling errors shows.
type policy struct {
	name                                                 string
	resourceRefill, resourceMax, regionRefill, regionMax float64
}

var (
	policyUpdateSet = policy{"UpdateVMScaleSet", 4, 12, 500, 1500}
	policyPutSet    = policy{"PutVMScaleSet", 4, 12, 125, 375}
	policyDeleteSet = policy{"DeleteVMScaleSet", 4, 12, 175, 525}
	// Of a set's start and power-off the page's note 2 says that only the subscription's limit applies.
	policyStartSet    = policy{"UpdateVMScaleSet", 0, 0, 500, 1500}
	policyPowerSet    = policy{"DeleteVMScaleSet", 0, 0, 175, 525}
	policyGetSet      = policy{"GetVMScaleSet", 12, 36, 800, 2400}
	policyHighCostSet = policy{"HighCostGetVMScaleSet", 10, 30, 360, 1080}
	policyListSets    = policy{"HighCostGetVMScaleSet", 0, 0, 360, 1080}
	policyUpdateSetVM = policy{"UpdateVMScaleSetVM", 4, 12, 500, 1500}
	policyDeleteSetVM = policy{"DeleteVMScaleSetVM", 4, 12, 500, 1500}
	policyGetSetVM    = policy{"GetVMScaleSetVM", 12, 36, 2000, 6000}
	policyUpdateVM    = policy{"UpdateVM", 4, 12, 500, 1500}
	policyDeleteVM    = policy{"DeleteVM", 4, 12, 500, 1500}
	policyGetVM       = policy{"LowCostGetVM", 12, 36, 8000, 24000}
	policyListVMs     = policy{"HighCostGetVM", 0, 0, 300, 900}
	policyOperation   = policy{"GetOperation", 15, 45, 5000, 15000}
	// policyNone is for calls that the compute provider does not answer, or whose limits its page does not name.
	policyNone = policy{}
)

// The front door's buckets, for each subscription and kind of call: sizes, and refills a second (facts: VMSS 1.5).
const (
	frontReads, frontReadsRefill   = 250, 25
	frontWrites, frontWritesRefill = 200, 10
)

// tokens is one token bucket. It starts full and is refilled in whole periods, which is the strictest reading of "every
// minute".
type tokens struct {
	left, most, refill float64
	period             time.Duration
	at                 time.Time
}

func (b *tokens) fill(now time.Time) {
	if n := now.Sub(b.at) / b.period; n > 0 {
		b.left = min(b.most, b.left+float64(n)*b.refill)
		b.at = b.at.Add(n * b.period)
	}
}

// wait is how long until there is a token.
func (b *tokens) wait(now time.Time) time.Duration {
	if b.left >= 1 {
		return 0
	}
	periods := time.Duration(1)
	for left := b.left + b.refill; left < 1; left += b.refill {
		periods++
	}
	return b.at.Add(periods * b.period).Sub(now)
}

// bucket finds a bucket and brings it up to now.
func (w *world) bucket(key string, most, refill float64, period time.Duration, now time.Time) *tokens {
	b := w.buckets[key]
	if b == nil {
		b = &tokens{left: most, most: most, refill: refill, period: period, at: now}
		w.buckets[key] = b
	}
	b.fill(now)
	return b
}

// front counts a call at the front door; an answer is its refusal.
func (w *world) front(c call, h http.Header) *answer {
	part := strings.Split(c.path, "/")
	if !w.cfg.limited() || len(part) < 3 {
		return nil
	}
	kind, most, refill := "writes", float64(frontWrites), float64(frontWritesRefill)
	switch c.method {
	case http.MethodGet, http.MethodHead:
		kind, most, refill = "reads", frontReads, frontReadsRefill
	case http.MethodDelete:
		kind = "deletes"
	}
	b := w.bucket("front|"+kind+"|"+strings.ToLower(part[2]), most, refill, time.Second, c.now)
	refused := b.left < 1
	if !refused {
		b.left--
	}
	h.Set("x-ms-ratelimit-remaining-subscription-"+kind, strconv.Itoa(int(b.left)))
	if !refused {
		return nil
	}
	after := seconds(b.wait(c.now))
	a := failure(http.StatusTooManyRequests, "SubscriptionRequestsThrottled", fmt.Sprintf(
		"Number of '%s' requests for subscription '%s' exceeded. Please try again after '%d' seconds.", kind, part[2], after))
	a.header.Set("Retry-After", strconv.Itoa(after))
	return &a
}

// throttled is the compute provider's own, unwrapped kind of refusal, by a bucket that holds so many calls.
func throttled(policy string, holds int, now time.Time, after int) answer {
	detail := fmt.Sprintf(`{"operationGroup":%q,"startTime":%q,"endTime":%q,"allowedRequestCount":%d,"measuredRequestCount":%d}`,
		policy, stamp(now.Add(-time.Minute)), stamp(now), holds, holds+1)
	a := answer{status: http.StatusTooManyRequests, header: http.Header{}, doc: map[string]any{
		"code":    "OperationNotAllowed",
		"message": "The server rejected the request because too many requests have been received for this subscription.",
		"details": []map[string]any{{"code": "TooManyRequests", "target": policy, "message": detail}},
	}}
	if after > 0 {
		a.header.Set("Retry-After", strconv.Itoa(after))
	}
	return a
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// region is where a call's resource lies: the set's, or that of the group's first set.
func (w *world) region(c call) string {
	if l := c.args["location"]; l != "" {
		return strings.ToLower(l)
	}
	for _, s := range w.ordered() {
		if strings.EqualFold(s.subscription, c.args["sub"]) && strings.EqualFold(s.group, c.args["group"]) &&
			(c.args["name"] == "" || strings.EqualFold(s.name, c.args["name"])) {
			return strings.ToLower(s.Location)
		}
	}
	return ""
}

// Drain leaves so many tokens in the buckets of a policy, as somebody else's calls would: the set's own bucket when Set
// is given, the region's otherwise. Policy may also be reads, writes or deletes, for the front door's.
type Drain struct {
	Policy string `json:"policy"`
	Set    string `json:"set"`
	Left   int    `json:"left"`
}

func (d Drain) turn(w *world) error {
	if !w.cfg.limited() {
		return fmt.Errorf("drain: no limits are in force; the configuration's limits would be %q", Documented)
	}
	set := ""
	if d.Set != "" {
		s, err := w.find(d.Set)
		if err != nil {
			return err
		}
		set = strings.ToLower(s.resourceID())
	}
	found := 0
	for key, b := range w.buckets {
		part := strings.Split(strings.TrimPrefix(key, "front|"), "|")
		own := strings.HasPrefix(part[len(part)-1], "/")
		if part[0] == d.Policy && own == (set != "") && (set == "" || strings.HasPrefix(part[1], set)) {
			b.fill(w.now())
			b.left = min(float64(d.Left), b.most)
			found++
		}
	}
	if found == 0 {
		return fmt.Errorf("drain: no bucket of %q was used yet", d.Policy)
	}
	return nil
}
