package vmss

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// poweredAtOnce is how many machines one change of their power may name: on a Flexible set each takes a call, and all of
// them must be answered within ChangeTimeout.
const poweredAtOnce = 100

// changePower deallocates or starts machines by name. A Uniform set takes all names in one call. A Flexible set has no such
// call, and each machine is asked for by its own (Microsoft's page "Orchestration modes API comparison": for Deallocate and
// Start of a scale set, invoke the single VM's).
func (f *Fleet) changePower(ctx context.Context, t target, change scale.Change) (scale.Accepted, error) {
	names := append(append([]string{}, change.Deallocate...), change.Start...)
	var problem string
	switch {
	case change.Capacity != nil || change.Mix != nil || len(change.Delete) > 0 || len(change.Deallocate) > 0 && len(change.Start) > 0:
		problem = "to deallocate or to start machines stands alone"
	case len(names) > poweredAtOnce:
		problem = "at most 100 machines are deallocated or started at once"
	case change.Orchestration != scale.Flexible && change.Orchestration != scale.Uniform:
		problem = "machines of a set of unknown orchestration cannot be named"
	}
	if problem != "" {
		err := errors.New(problem)
		return scale.Accepted{}, &scale.FleetError{Op: opChange, Class: scale.ClassInvalid, Code: "RefusedUnsent", Message: problem, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.ChangeTimeout)
	defer cancel()
	if change.Orchestration == scale.Uniform {
		return f.powerSet(ctx, t, change)
	}
	return f.powerEach(ctx, t, names, len(change.Start) > 0)
}

// powerSet sends one call for all machines, once. To deallocate counts as a deletion to the platform, to start as an update
// (facts: VMSS 1.5).
func (f *Fleet) powerSet(ctx context.Context, t target, change scale.Change) (scale.Accepted, error) {
	class, share := classWrite, 0.0
	if len(change.Deallocate) > 0 {
		class, share = classDelete, shrinkLeaves
	}
	if fe := f.spendBeyond(opChange, t, class, share); fe != nil {
		return scale.Accepted{}, fe
	}
	var first *http.Response
	ctx = policy.WithCaptureResponse(yielding(ctx, t, class, share), &first)
	var p begun
	var err error
	if len(change.Deallocate) > 0 {
		p, err = t.sets.BeginDeallocate(ctx, t.group, t.name, &armcompute.VirtualMachineScaleSetsClientBeginDeallocateOptions{
			VMInstanceIDs: &armcompute.VirtualMachineScaleSetVMInstanceIDs{InstanceIDs: to.SliceOfPtrs(change.Deallocate...)},
		})
	} else {
		p, err = t.sets.BeginStart(ctx, t.group, t.name, &armcompute.VirtualMachineScaleSetsClientBeginStartOptions{
			VMInstanceIDs: &armcompute.VirtualMachineScaleSetVMInstanceIDs{InstanceIDs: to.SliceOfPtrs(change.Start...)},
		})
	}
	if err != nil {
		return scale.Accepted{}, f.fail(opChange, t, class, err)
	}
	return f.acceptedAs(p, first)
}

// begun is what the SDK's pollers have in common when an operation has begun.
type begun interface {
	Done() bool
	ResumeToken() (string, error)
}

// acceptedAs is the answer to a call by name that was taken.
func (f *Fleet) acceptedAs(p begun, first *http.Response) (scale.Accepted, error) {
	if p.Done() {
		return scale.Accepted{Done: true}, nil
	}
	token, err := p.ResumeToken()
	if err != nil {
		return scale.Accepted{}, unsureAfterAccept("the operation cannot be resumed")
	}
	return scale.Accepted{Token: token, PollAfter: f.pollAfter(first)}, nil
}

// several is the resume token of operations that make up one change: those of each machine, and what kept the rest of them
// from being asked for.
type several struct {
	Tokens  []string `json:"tokens"`
	Refused *refusal `json:"refused,omitempty"`
}

// refusal is a failure as a token keeps it.
type refusal struct {
	Class   scale.Class `json:"class"`
	Status  int         `json:"status"`
	Code    string      `json:"code"`
	Message string      `json:"message"`
}

// powerEach sends one call for each machine, each once, until one is not taken: that is the answer where it is the first.
// Otherwise it is told when the operations of the others have ended, as the failure of a part.
func (f *Fleet) powerEach(ctx context.Context, t target, names []string, start bool) (scale.Accepted, error) {
	var all several
	taken := scale.Accepted{}
	for i, name := range names {
		a, fe := f.powerOne(ctx, t, name, start)
		if fe != nil && i == 0 {
			return scale.Accepted{}, fe
		}
		if fe != nil {
			all.Refused = &refusal{Class: fe.Class, Status: fe.Status, Code: fe.Code, Message: fe.Message}
			break
		}
		if !a.Done {
			all.Tokens = append(all.Tokens, a.Token)
		}
		taken.PollAfter = max(taken.PollAfter, a.PollAfter)
	}
	if len(all.Tokens) == 0 && all.Refused == nil {
		return scale.Accepted{Done: true}, nil
	}
	token, err := json.Marshal(all)
	if err != nil {
		return scale.Accepted{}, unsureAfterAccept("the operations cannot be written down")
	}
	taken.Token = string(token)
	return taken, nil
}

// powerOne sends the call for one machine of a Flexible set.
func (f *Fleet) powerOne(ctx context.Context, t target, name string, start bool) (scale.Accepted, *scale.FleetError) {
	one := t
	one.key = t.key + "/machines/" + name
	if fe := f.spendBeyond(opChange, one, classMachine, 0); fe != nil {
		return scale.Accepted{}, fe
	}
	var first *http.Response
	ctx = policy.WithCaptureResponse(told(ctx, one, classMachine), &first)
	var p begun
	var err error
	if start {
		p, err = t.machines.BeginStart(ctx, t.group, name, nil)
	} else {
		p, err = t.machines.BeginDeallocate(ctx, t.group, name, nil)
	}
	if err != nil {
		return scale.Accepted{}, f.fail(opChange, one, classMachine, err)
	}
	a, err := f.acceptedAs(p, first)
	if err != nil {
		var fe *scale.FleetError
		errors.As(err, &fe)
		return scale.Accepted{}, fe
	}
	return a, nil
}

// followSeveral asks about operations that make up one change, up to the first that has not ended. All having ended, the
// first failure among them is the change's.
func (f *Fleet) followSeveral(ctx context.Context, all several) (scale.Progress, error) {
	var failure *scale.FleetError
	for _, token := range all.Tokens {
		p, err := f.followOne(ctx, token)
		if err != nil || !p.Done {
			return p, err
		}
		if failure == nil {
			failure = p.Failure
		}
	}
	if r := all.Refused; failure == nil && r != nil {
		failure = &scale.FleetError{Op: opFollow, Class: r.Class, Status: r.Status, Code: r.Code, Message: r.Message}
	}
	return scale.Progress{Done: true, Failure: failure}, nil
}

// severalOf reads the token of several operations; ok is false for one of a single operation.
func severalOf(token string) (all several, ok bool) {
	var doc map[string]json.RawMessage
	if json.Unmarshal([]byte(token), &doc) != nil || doc["tokens"] == nil {
		return several{}, false
	}
	return all, json.Unmarshal([]byte(token), &all) == nil
}
