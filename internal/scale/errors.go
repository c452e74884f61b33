package scale

import (
	"errors"
	"fmt"
	"time"
)

// ErrConflict is what a ledger answers when what was read is no longer what is stored: the caller reads again.
var ErrConflict = errors.New("stored version has changed")

// ErrNotFound is what a ledger answers for an entry that does not exist.
var ErrNotFound = errors.New("not found")

// Class says what a failure at the scale set means for what is done next; facts: VMSS 3.3.
type Class string

// The classes of failure.
const (
	// ClassThrottled: obey Retry-After, derive nothing from the call.
	ClassThrottled Class = "throttled"
	// ClassPrecondition: the ETag did not match; read again and compare with the intent. It may have been our own write.
	ClassPrecondition Class = "precondition"
	// ClassConflict: another operation or a lock stands in the way; wait a little, same intent.
	ClassConflict Class = "conflict"
	// ClassPreempted: a newer write ended the operation.
	ClassPreempted Class = "preempted"
	// ClassUnsure: the answer was lost or was a server error; the write may have been applied or not.
	ClassUnsure Class = "unsure"
	// ClassQuota: the vCPU quota of a family is used up. ClassQuotaRegion: that of the region. ClassQuotaSpot: the
	// separate pool for Spot, which never holds regular capacity back.
	ClassQuota       Class = "quota"
	ClassQuotaRegion Class = "quota_region"
	ClassQuotaSpot   Class = "quota_spot"
	// ClassNoCapacity: the region lacks the size. ClassNoCapacityZone: a zone lacks it. ClassConstrained: this
	// combination of size, zone, priority and features. ClassNoSpot: Spot or the size is not to be had now.
	ClassNoCapacity     Class = "no_capacity"
	ClassNoCapacityZone Class = "no_capacity_zone"
	ClassConstrained    Class = "constrained"
	ClassNoSpot         Class = "no_spot"
	// ClassSpotPrice: the highest price allowed lies below the market.
	ClassSpotPrice Class = "spot_price"
	// ClassGuest: the machines came up and their systems did not.
	ClassGuest Class = "guest"
	// ClassForbidden: a permission is missing. ClassMissing: the scale set is not there. Both want a person.
	ClassForbidden Class = "forbidden"
	ClassMissing   Class = "missing"
	// ClassInvalid: ARM refused the request as it was written. ClassUnknown: none of these.
	ClassInvalid Class = "invalid"
	ClassUnknown Class = "unknown"
)

// FleetError is a failure at the scale set.
type FleetError struct {
	// Op is what was attempted: "read", "change" or "follow".
	Op    string
	Class Class
	// Status is the HTTP status, 0 when no answer came. A failed long-running operation has 200 (facts: VMSS 0.4).
	Status  int
	Code    string
	Message string
	// RetryAfter is what the service asked to be left alone for, however long; 0 if it named nothing.
	RetryAfter time.Duration
	// Zone is the availability zone that the message names, as its number; empty if it names none.
	Zone string
	// NoQuota is true where the message says that the quota's limit is 0: what was never granted passes slowly.
	NoQuota bool
	Err     error
}

// Error says operation, class, code and message, without the cause's own many lines.
func (e *FleetError) Error() string {
	return fmt.Sprintf("%s: %s (status %d, code %s): %s", e.Op, e.Class, e.Status, e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *FleetError) Unwrap() error { return e.Err }
