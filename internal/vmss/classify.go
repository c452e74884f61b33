package vmss

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"trimtab/internal/scale"
)

// codes says what a code means wherever it stands: in a synchronous answer, in an operation's document, in the details
// of either (facts: VMSS 3.3). Codes that mean several things are not here.
var codes = map[string]scale.Class{
	"toomanyrequests":                       scale.ClassThrottled,
	"subscriptionrequeststhrottled":         scale.ClassThrottled,
	"preconditionfailed":                    scale.ClassPrecondition,
	"operationpreempted":                    scale.ClassPreempted,
	"retryableerrorduetoanotheroperation":   scale.ClassConflict,
	"anotheroperationinprogress":            scale.ClassConflict,
	"skunotavailable":                       scale.ClassNoSpot,
	"allocationfailed":                      scale.ClassNoCapacity,
	"zonalallocationfailed":                 scale.ClassNoCapacityZone,
	"overconstrainedallocationrequest":      scale.ClassConstrained,
	"overconstrainedzonalallocationrequest": scale.ClassConstrained,
	"spotpricegreaterthanprovidedmaxprice":  scale.ClassSpotPrice,
	"osprovisioningtimedout":                scale.ClassGuest,
	"vmstarttimedout":                       scale.ClassGuest,
	"resourcenotfound":                      scale.ClassMissing,
	"resourcegroupnotfound":                 scale.ClassMissing,
	"subscriptionnotfound":                  scale.ClassMissing,
	"authorizationfailed":                   scale.ClassForbidden,
	"linkedauthorizationfailed":             scale.ClassForbidden,
	"requestdisallowedbypolicy":             scale.ClassForbidden,
	"scopelocked":                           scale.ClassForbidden,
	"missingsubscriptionregistration":       scale.ClassForbidden,
	"propertychangenotallowed":              scale.ClassInvalid,
}

// classify says what a failure means, and which of its problems says so; the outermost if none does. Code, details and
// text go before the status, because the compute provider has one status and one code for unlike things (facts: VMSS
// 0.8); 401, 403, 404 and 412 mean one thing whatever stands below them.
func classify(op string, status int, problems []problem) (scale.Class, problem) {
	var outer problem
	if len(problems) > 0 {
		outer = problems[0]
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return scale.ClassForbidden, outer
	case http.StatusNotFound, http.StatusGone:
		return scale.ClassMissing, outer
	case http.StatusPreconditionFailed:
		return scale.ClassPrecondition, outer
	}
	for i, p := range problems {
		class, known := codes[strings.ToLower(p.code)]
		if !known {
			class, known = meaning(status, p)
		}
		if !known {
			continue
		}
		if i > 0 && strings.EqualFold(outer.code, "OperationNotAllowed") {
			// The outer code is what documents and operators call it.
			p = problem{outer.code, outer.message}
		}
		return class, p
	}
	return byStatus(op, status, outer), outer
}

// meaning reads the codes whose sense lies in their text.
func meaning(status int, p problem) (scale.Class, bool) {
	text := strings.ToLower(p.message)
	switch strings.ToLower(p.code) {
	case "quotaexceeded":
		return quota(text, true)
	case "operationnotallowed":
		if class, ok := quota(text, false); ok {
			return class, true
		}
	default:
		return "", false
	}
	switch {
	case strings.Contains(text, "marked for deletion"):
		return scale.ClassMissing, true
	case status == http.StatusTooManyRequests, strings.Contains(text, "too many requests"):
		// The text alone would do in an operation's document; a detail TooManyRequests is found in any case.
		return scale.ClassThrottled, true
	}
	return "", false
}

// quota tells the three kinds of core quota apart (facts: VMSS 3.3). The pool for Spot is looked for first: it never
// holds regular capacity back, so it must not be taken for another.
func quota(text string, certainly bool) (scale.Class, bool) {
	switch {
	case strings.Contains(text, "lowprioritycores"), strings.Contains(text, "low priority cores"), strings.Contains(text, "spot cores"):
		return scale.ClassQuotaSpot, true
	case strings.Contains(text, "total regional"):
		return scale.ClassQuotaRegion, true
	case certainly, strings.Contains(text, "cores quota"), strings.Contains(text, "quota") && strings.Contains(text, "exceed"):
		return scale.ClassQuota, true
	}
	return "", false
}

// passing are words by which an OperationNotAllowed speaks of a state that passes; without one of them it speaks of a
// feature, and the same request will never be allowed.
var passing = []string{"in progress", "is being", "are being", "is updating", "another operation", "conflict", "try again", "retry"}

// byStatus is what the status alone says.
func byStatus(op string, status int, p problem) scale.Class {
	switch {
	case status == http.StatusTooManyRequests:
		return scale.ClassThrottled
	case status < 500 && strings.EqualFold(p.code, "OperationNotAllowed"):
		text := strings.ToLower(p.message)
		for _, w := range passing {
			if strings.Contains(text, w) {
				return scale.ClassConflict
			}
		}
		return scale.ClassInvalid
	case status == http.StatusConflict, status == http.StatusLocked:
		return scale.ClassConflict
	case status == http.StatusRequestTimeout, status >= 500:
		return scale.ClassUnsure
	case status >= 400:
		return scale.ClassInvalid
	case op == opChange && status >= 200 && status < 300:
		// Taken in a way that the client cannot follow (facts: VMSS 1.2).
		return scale.ClassUnsure
	}
	return scale.ClassUnknown
}

// dry is what a refusal for want of calls says of the bucket that ran dry.
type dry struct {
	// door is true for one of the front door's; allowed is how many calls the compute provider's lets in, 0 where it does
	// not say.
	door    bool
	allowed int
}

// reach is how far the refusal of a call reaches. The compute provider does not say of which level its bucket is, but no
// set's lets in more than mostOfSet; a list of a set's own machines counts as a read there.
func (d dry) reach(c callClass) reach {
	most := mostOfSet(c)
	if c == classList {
		most = mostOfSet(classRead)
	}
	switch {
	case d.door:
		return reachDoor
	case d.allowed > most:
		return reachSubscription
	}
	return reachSet
}

// classified makes a FleetError of whatever an attempt ended with, and says which bucket was dry. No cause is kept whose
// text could carry a URL, a header or a token.
func (f *Fleet) classified(op string, err error) (fe *scale.FleetError, d dry) {
	fe = &scale.FleetError{Op: op}
	var re *azcore.ResponseError
	var te tokenError
	var de doorError
	switch {
	case errors.As(err, &de):
		fe.Class, fe.Code, fe.Message, fe.RetryAfter = scale.ClassThrottled, codeDoorBudget, "not sent: "+reasons[codeDoorBudget], de.wait
	case errors.As(err, &re):
		return f.ofResponse(fe, re)
	case errors.As(err, &te):
		// Nothing was sent, and whether to ask again is for the next attempt to see.
		fe.Class, fe.Code, fe.Message = scale.ClassUnknown, "NoToken", "no token for Resource Manager could be had; nothing was sent"
		fe.Err = cause(te.err)
	default:
		fe.Class, fe.Code, fe.Message = scale.ClassUnsure, "NoAnswer", "no answer"
		if fe.Err = cause(err); fe.Err != nil {
			fe.Message += ": " + shown(fe.Err.Error())
		}
	}
	return fe, dry{}
}

func (f *Fleet) ofResponse(fe *scale.FleetError, re *azcore.ResponseError) (*scale.FleetError, dry) {
	fe.Status = re.StatusCode
	var a answer
	header := http.Header{}
	if re.RawResponse != nil {
		header = re.RawResponse.Header
		// The SDK has read the body and left it to be read again.
		if body, err := runtime.Payload(re.RawResponse); err == nil {
			a = parseAnswer(body)
		}
	}
	if len(a.problems) == 0 || (re.ErrorCode != "" && !strings.EqualFold(re.ErrorCode, a.problems[0].code)) {
		// The header x-ms-error-code goes before the body (facts: VMSS 1.5).
		message := ""
		if len(a.problems) > 0 {
			message = a.problems[0].message
		}
		a.problems = append([]problem{{re.ErrorCode, message}}, a.problems...)
	}
	var p problem
	fe.Class, p = classify(fe.Op, fe.Status, a.problems)
	fe.Code, fe.Message = shown(p.code), shown(p.message)
	a.detail(fe)
	if fe.Message == "" {
		fe.Message = strings.ToLower(http.StatusText(fe.Status))
	}
	fe.RetryAfter = retryAfter(header, f.options.Now())
	if fe.Class != scale.ClassThrottled {
		return fe, dry{}
	}
	return fe, dry{door: frontDoor(header), allowed: a.allowed()}
}

// frontDoor reports whether a throttled answer says that the subscription's own calls at ARM have run out (facts: VMSS
// 1.5).
func frontDoor(h http.Header) bool {
	for _, kind := range []string{"reads", "writes", "deletes"} {
		if n, err := strconv.Atoi(h.Get("x-ms-ratelimit-remaining-subscription-" + kind)); err == nil && n <= 0 {
			return true
		}
	}
	return false
}

// cause is the innermost reason of a failure to get an answer. The layers around it name URLs, which may be signed: of
// them only whether the context ended is kept.
func cause(err error) error {
	for _, end := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, end) {
			return end
		}
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return nil
}
