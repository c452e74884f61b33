// Package vmss turns a decision into a scale set: it reads the facts, sends the one conditional PATCH and asks how its
// operation stands. It is the only room that knows armcompute.
//
// It never sends a count or a mix without an ETag, nor any write twice, and never makes a fact of an answer that lacks one:
// what Azure did not say is an error here, not a zero.
package vmss

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// Operations, as scale.FleetError.Op names them.
const (
	opRead   = "read"
	opChange = "change"
	opFollow = "follow"
	opCount  = "count"
	opQuota  = "quota"
	opLook   = "look"
)

// Options say where Resource Manager is and how much of it may be used; a zero field takes its default.
type Options struct {
	// Endpoint is the base URL of Resource Manager, https, and Audience what tokens are asked for; Azure's public cloud
	// unless given.
	Endpoint string
	Audience string
	// Now is the clock for budgets and for Retry-After dates. Required.
	Now func() time.Time
	// Transport carries requests; the default trusts the system's authorities. Redirects are never followed.
	Transport http.RoundTripper
	// ReadTimeout (10 s), ChangeTimeout (30 s) and FollowTimeout (10 s) bound one call each, retries included.
	ReadTimeout   time.Duration
	ChangeTimeout time.Duration
	FollowTimeout time.Duration
	// ReadRetries is how often a failed read is sent again within its timeout: 2 unless given, negative for never.
	// Writes and questions about operations never are.
	ReadRetries int
	// RetryDelay is the pause before the first retry, doubled for each further one; 200 ms.
	RetryDelay time.Duration
	// PollAfter is how long to wait with the next question where ARM named nothing; 10 s.
	PollAfter time.Duration
	// Budgets bound the calls of this process.
	Budgets Budgets
}

// Fleet reads and changes scale sets. It may be used by several goroutines at once.
type Fleet struct {
	options Options
	cred    azcore.TokenCredential
	// client and machines resume operations of any subscription.
	client   *armcompute.VirtualMachineScaleSetsClient
	machines *armcompute.VirtualMachinesClient
	host     *url.URL
	cloud    cloud.Configuration
	budget   *budget
	door     *door

	mu      sync.Mutex
	clients map[string]*clients // by subscription
	usages  map[string]*usages  // by subscription and region
	rivals  map[string]*rivals  // by the path of the list
	// sizeLists are by subscription and region.
	sizeLists map[string]*sizes
}

// clients are the SDK's, for one subscription.
type clients struct {
	sets      *armcompute.VirtualMachineScaleSetsClient
	machines  *armcompute.VirtualMachinesClient
	instances *armcompute.VirtualMachineScaleSetVMsClient
	usageOf   *armcompute.UsageClient
	skus      *armcompute.ResourceSKUsClient
}

// New makes a Fleet that authorises itself with cred. It reaches out to nothing yet.
func New(cred azcore.TokenCredential, o Options) (*Fleet, error) {
	if cred == nil {
		return nil, errors.New("scale sets: a credential is required")
	}
	if o.Now == nil {
		return nil, errors.New("scale sets: a clock is required")
	}
	o = o.withDefaults()
	host, err := url.Parse(o.Endpoint)
	// azcore would refuse to send a token over http at the first call; say so at the start (facts: VMSS 7.3).
	if err != nil || host.Scheme != "https" || host.Host == "" || host.User != nil || host.RawQuery != "" || strings.Trim(host.Path, "/") != "" {
		return nil, errors.New("scale sets: the Resource Manager endpoint must be https://HOST[:PORT]")
	}
	f := &Fleet{
		options: o, cred: markedCredential{cred}, host: host, budget: newBudget(o.Budgets, o.Now), door: newDoor(o.Budgets, o.Now),
		clients: map[string]*clients{}, usages: map[string]*usages{}, rivals: map[string]*rivals{}, sizeLists: map[string]*sizes{},
		cloud: cloud.Configuration{
			// The authority is the credential's business; azcore wants the field to be there.
			ActiveDirectoryAuthorityHost: cloud.AzurePublic.ActiveDirectoryAuthorityHost,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: strings.TrimRight(o.Endpoint, "/"), Audience: strings.TrimRight(o.Audience, "/")},
			},
		},
	}
	if f.options.Transport == nil {
		f.options.Transport = defaultTransport()
	}
	// Any subscription does for following: a token carries whole URLs.
	any, err := f.newClients("none")
	if err != nil {
		return nil, err
	}
	f.client, f.machines = any.sets, any.machines
	return f, nil
}

func (o Options) withDefaults() Options {
	fill := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.Endpoint == "" {
		o.Endpoint = "https://management.azure.com"
	}
	if o.Audience == "" {
		o.Audience = "https://management.azure.com"
	}
	fill(&o.ReadTimeout, 10*time.Second)
	fill(&o.ChangeTimeout, 30*time.Second)
	fill(&o.FollowTimeout, 10*time.Second)
	fill(&o.RetryDelay, 200*time.Millisecond)
	fill(&o.PollAfter, 10*time.Second)
	if o.ReadRetries == 0 {
		o.ReadRetries = 2
	}
	o.Budgets = o.Budgets.withDefaults()
	return o
}

// clientOptions are those of every client of this room.
func (f *Fleet) clientOptions() *arm.ClientOptions {
	return &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud:     f.cloud,
			Transport: newTransporter(f.options.Transport),
			// Retries are this room's own: reads in retryRead, nothing else (facts: VMSS 1.3, 1.6).
			Retry:           policy.RetryOptions{MaxRetries: -1},
			PerCallPolicies: []policy.Policy{listener{f.budget}, f.door},
		},
		// Registering a provider takes a permission that scaling does not need, and minutes (facts: VMSS 1.6).
		DisableRPRegistration: true,
	}
}

func (f *Fleet) newClients(subscription string) (*clients, error) {
	factory, err := armcompute.NewClientFactory(subscription, f.cred, f.clientOptions())
	if err != nil {
		return nil, fmt.Errorf("scale sets: client for subscription %s: %w", subscription, err)
	}
	return &clients{
		sets: factory.NewVirtualMachineScaleSetsClient(), machines: factory.NewVirtualMachinesClient(),
		instances: factory.NewVirtualMachineScaleSetVMsClient(), usageOf: factory.NewUsageClient(), skus: factory.NewResourceSKUsClient(),
	}, nil
}

// target is a scale set to be called: its names, the clients of its subscription, its key in the budget.
type target struct {
	subscription, group, name, key string
	*clients
}

// target resolves a resource ID; what is not the ID of a scale set is invalid, and nothing is sent.
func (f *Fleet) target(op, scaleSet string) (target, error) {
	id, err := arm.ParseResourceID(scaleSet)
	if err != nil || !strings.EqualFold(id.ResourceType.String(), "Microsoft.Compute/virtualMachineScaleSets") ||
		id.SubscriptionID == "" || id.ResourceGroupName == "" {
		return target{}, &scale.FleetError{
			Op: op, Class: scale.ClassInvalid, Code: "InvalidResourceID", Message: fmt.Sprintf("%q is not the resource ID of a scale set", scaleSet),
		}
	}
	t := target{
		subscription: strings.ToLower(id.SubscriptionID), group: id.ResourceGroupName, name: id.Name,
		key: strings.ToLower(strings.TrimRight(scaleSet, "/")),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.clients = f.clients[t.subscription]; t.clients == nil {
		if t.clients, err = f.newClients(id.SubscriptionID); err != nil {
			return target{}, &scale.FleetError{Op: op, Class: scale.ClassInvalid, Code: "InvalidClient", Message: err.Error(), Err: err}
		}
		f.clients[t.subscription] = t.clients
	}
	return t, nil
}

// fail makes the error of an attempt and lets the budget learn what the service asked for.
func (f *Fleet) fail(op string, t target, c callClass, err error) *scale.FleetError {
	fe, d := f.classified(op, err)
	if fe.RetryAfter > 0 {
		f.budget.block(t.subscription, t.key, c, fe.RetryAfter, d.reach(c))
	}
	return fe
}

// spend takes one call from the budget, or answers why it may not be sent.
func (f *Fleet) spend(op string, t target, c callClass) *scale.FleetError {
	return f.spendBeyond(op, t, c, 0)
}

// spendBeyond is spend for a call that leaves a share of the subscription's bucket to others.
func (f *Fleet) spendBeyond(op string, t target, c callClass, share float64) *scale.FleetError {
	wait, reason := f.budget.takeBeyond(t.subscription, t.key, c, share)
	if wait == 0 {
		return nil
	}
	return &scale.FleetError{Op: op, Class: scale.ClassThrottled, Code: reason, Message: "not sent: " + reasons[reason], RetryAfter: wait}
}

// pause waits for d unless the context's end comes first: then it answers false at once, without having waited.
func pause(ctx context.Context, d time.Duration) bool {
	// A context's deadline lies on the wall clock, whatever clock the pool lives by.
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
