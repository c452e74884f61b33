package vmss

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// call is what a request is for, handed down to the listener in the request's context.
type call struct {
	subscription, set string
	class             callClass
}

type callKey struct{}

// told tells the listener what the request to come is for.
func told(ctx context.Context, t target, c callClass) context.Context {
	return context.WithValue(ctx, callKey{}, call{t.subscription, t.key, c})
}

// listener lets the budget learn from each answer what the platform has left for us: others call with the same
// subscription too, and one call may be charged as several (facts: VMSS 1.5).
type listener struct{ budget *budget }

// Do is azcore's.
func (l listener) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if c, known := req.Raw().Context().Value(callKey{}).(call); known && resp != nil {
		for _, line := range resp.Header.Values("x-ms-ratelimit-remaining-resource") {
			for one := range strings.SplitSeq(line, ",") {
				l.budget.hear(c, one)
			}
		}
	}
	return resp, err
}

// hear takes one "Microsoft.Compute/POLICY;COUNT". What cannot be read says nothing.
func (b *budget) hear(c call, text string) {
	name, count, found := strings.Cut(strings.TrimSpace(text), ";")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if !found || err != nil || n < 0 {
		return
	}
	name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	key := b.setKey(c.set, c.class)
	if strings.Contains(name, "subscription") || strings.Contains(name, "batchedvm") || strings.Contains(name, "queuedvm") {
		key = b.subscriptionKey(c.subscription, c.class)
	}
	// One call is left to others: a count of one is none for us.
	if k := b.bucket(now, key); k.rate >= 0 {
		k.tokens = min(k.tokens, float64(max(0, n-1)))
	}
}
