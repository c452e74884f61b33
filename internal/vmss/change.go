package vmss

import (
	"context"
	"errors"
	"math"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"trimtab/internal/scale"
)

// Change sends one conditional PATCH of sku.capacity, priorityMixPolicy or both, once: nothing below repeats it. Every
// error is a *scale.FleetError; of class unsure, it says that the write may have been applied.
func (f *Fleet) Change(ctx context.Context, scaleSet string, change scale.Change) (scale.Accepted, error) {
	t, err := f.target(opChange, scaleSet)
	if err != nil {
		return scale.Accepted{}, err
	}
	if len(change.Deallocate)+len(change.Start) > 0 {
		return f.changePower(ctx, t, change)
	}
	if len(change.Delete) > 0 {
		return f.deleteMachines(ctx, t, change)
	}
	body, err := patchOf(change)
	if err != nil {
		return scale.Accepted{}, &scale.FleetError{Op: opChange, Class: scale.ClassInvalid, Code: "RefusedUnsent", Message: err.Error(), Err: err}
	}
	share := 0.0
	if change.Shrink {
		share = shrinkLeaves
	}
	if fe := f.spendBeyond(opChange, t, classWrite, share); fe != nil {
		return scale.Accepted{}, fe
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.ChangeTimeout)
	defer cancel()
	var first *http.Response
	poller, err := t.sets.BeginUpdate(policy.WithCaptureResponse(yielding(ctx, t, classWrite, share), &first), t.group, t.name, body,
		&armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions{IfMatch: &change.ETag})
	if err != nil {
		return scale.Accepted{}, f.fail(opChange, t, classWrite, err)
	}
	if poller.Done() {
		return f.doneAtOnce(first)
	}
	token, err := poller.ResumeToken()
	if err != nil {
		return scale.Accepted{}, unsureAfterAccept("the operation cannot be resumed")
	}
	return scale.Accepted{Token: token, PollAfter: f.pollAfter(first)}, nil
}

// deleteMachines sends one deletion of machines by name, once.
func (f *Fleet) deleteMachines(ctx context.Context, t target, change scale.Change) (scale.Accepted, error) {
	if change.Capacity != nil || change.Mix != nil || len(change.Delete) > deletedAtOnce {
		err := errors.New("a deletion by name stands alone, and is of at most 1000 machines")
		return scale.Accepted{}, &scale.FleetError{Op: opChange, Class: scale.ClassInvalid, Code: "RefusedUnsent", Message: err.Error(), Err: err}
	}
	// The platform counts deletions in a bucket of their own (facts: VMSS 1.5).
	if fe := f.spendBeyond(opChange, t, classDelete, shrinkLeaves); fe != nil {
		return scale.Accepted{}, fe
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.ChangeTimeout)
	defer cancel()
	var first *http.Response
	poller, err := t.sets.BeginDeleteInstances(policy.WithCaptureResponse(yielding(ctx, t, classDelete, shrinkLeaves), &first), t.group, t.name,
		armcompute.VirtualMachineScaleSetVMInstanceRequiredIDs{InstanceIDs: to.SliceOfPtrs(change.Delete...)}, nil)
	if err != nil {
		return scale.Accepted{}, f.fail(opChange, t, classDelete, err)
	}
	return f.acceptedAs(poller, first)
}

// deletedAtOnce is how many machines one call may name.
const deletedAtOnce = 1000

// patchOf makes the sparse document: only what changes, never the size or tier, which a set with an instance mix would
// refuse (facts: VMSS 1.1).
func patchOf(c scale.Change) (armcompute.VirtualMachineScaleSetUpdate, error) {
	var u armcompute.VirtualMachineScaleSetUpdate
	switch {
	case c.ETag == "":
		return u, errors.New("a change without an ETag is not sent")
	case c.Capacity == nil && c.Mix == nil:
		return u, errors.New("the change changes nothing")
	case c.Capacity != nil && *c.Capacity < 0:
		return u, errors.New("the capacity is negative")
	case c.Mix != nil && (c.Mix.Base < 0 || c.Mix.Base > math.MaxInt32 || c.Mix.RegularPercent < 0 || c.Mix.RegularPercent > 100):
		return u, errors.New("the mix is out of range")
	}
	if c.Capacity != nil {
		u.SKU = &armcompute.SKU{Capacity: to.Ptr(int64(*c.Capacity))}
	}
	if c.Mix != nil {
		u.Properties = &armcompute.VirtualMachineScaleSetUpdateProperties{PriorityMixPolicy: &armcompute.PriorityMixPolicy{
			BaseRegularPriorityCount:           to.Ptr(int32(c.Mix.Base)),
			RegularPriorityPercentageAboveBase: to.Ptr(int32(c.Mix.RegularPercent)),
		}}
	}
	return u, nil
}

// doneAtOnce reads an answer whose body says that the operation is over (facts: VMSS 1.2).
func (f *Fleet) doneAtOnce(first *http.Response) (scale.Accepted, error) {
	body, err := runtime.Payload(first)
	if err != nil {
		return scale.Accepted{}, unsureAfterAccept("the answer could not be read")
	}
	if a := parseAnswer(body); a.failed() {
		// Taken, and over before it was answered: what it did only the facts can tell.
		return scale.Accepted{}, unsureAfterAccept("the answer says that the change has " + a.word())
	}
	return scale.Accepted{Done: true}, nil
}

func unsureAfterAccept(message string) *scale.FleetError {
	return &scale.FleetError{Op: opChange, Class: scale.ClassUnsure, Status: http.StatusOK, Code: "UnclearAnswer", Message: message}
}
