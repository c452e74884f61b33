package vmss

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"trimtab/internal/scale"
)

// problem is one code with its message, out of an error document.
type problem struct{ code, message string }

// answer is what a response's body says about failure: the state of an operation, the problems in the order in which
// they stand, outermost first.
type answer struct {
	state    string
	problems []problem
}

// errorDoc is an error as ARM nests it.
type errorDoc struct {
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	Details    []errorDoc      `json:"details"`
	InnerError json.RawMessage `json:"innererror"`
}

// parseAnswer reads an operation's document, a resource's or an error's: wrapped in "error", as ARM and most providers
// have it, or bare, as the compute provider throttles (facts: VMSS 1.5). What cannot be read says nothing.
func parseAnswer(body []byte) answer {
	var doc struct {
		errorDoc
		Status     string    `json:"status"`
		Error      *errorDoc `json:"error"`
		Properties struct {
			ProvisioningState string `json:"provisioningState"`
		} `json:"properties"`
	}
	// A field of an unexpected type leaves the others readable.
	_ = json.Unmarshal(body, &doc)
	a := answer{state: doc.Status}
	if a.state == "" {
		a.state = doc.Properties.ProvisioningState
	}
	if doc.Error != nil {
		a.collect(*doc.Error, 0)
	} else {
		a.collect(doc.errorDoc, 0)
	}
	return a
}

// nested bounds how deep an error document is followed.
const nested = 4

func (a *answer) collect(d errorDoc, depth int) {
	if d.Code != "" || d.Message != "" {
		a.problems = append(a.problems, problem{d.Code, d.Message})
	}
	if depth == nested {
		return
	}
	for _, inner := range d.Details {
		a.collect(inner, depth+1)
	}
	var inner errorDoc
	if json.Unmarshal(d.InnerError, &inner) == nil {
		a.collect(inner, depth+1)
	}
}

// failed reports whether the state is one of the words by which operations fail (facts: VMSS 1.2).
func (a answer) failed() bool { return a.word() != "" }

func (a answer) word() string {
	switch strings.ToLower(a.state) {
	case "failed":
		return "failed"
	case "canceled", "cancelled":
		return "been canceled"
	}
	return ""
}

// failure is how a failed operation reads: status 200, because that is what the poll had (facts: VMSS 0.4).
func (a answer) failure() *scale.FleetError {
	class, p := classify(opFollow, http.StatusOK, a.problems)
	if class == scale.ClassUnknown && a.word() == "been canceled" {
		// Somebody ended it; whatever the code, it did not fail by itself.
		class = scale.ClassPreempted
	}
	if p.message == "" {
		p.message = "the operation has " + a.word()
	}
	fe := &scale.FleetError{Op: opFollow, Class: class, Status: http.StatusOK, Code: p.code, Message: shown(p.message)}
	a.detail(fe)
	return fe
}

var (
	zoneNamed  = regexp.MustCompile(`(?i)\b(?:availability )?zones?[ :]*['"\[(]*\s*['"]?([1-9])\b`)
	limitOfNil = regexp.MustCompile(`(?i)\blimit:\s*0(?:[^0-9.]|$|\.(?:[^0-9]|$))`)
)

// allowed is how many calls the bucket lets in that ran dry, which the compute provider's refusals say as JSON within the
// text of a detail (facts: VMSS 1.5); 0 where none does.
func (a answer) allowed() int {
	for _, p := range a.problems {
		var group struct {
			Allowed int `json:"allowedRequestCount"`
		}
		if json.Unmarshal([]byte(p.message), &group) == nil && group.Allowed > 0 {
			return group.Allowed
		}
	}
	return 0
}

// detail brings in what a failure's texts say besides its class: all of them, for the outer ones often quote less.
func (a answer) detail(fe *scale.FleetError) {
	for _, p := range a.problems {
		if m := zoneNamed.FindStringSubmatch(p.message); m != nil && fe.Class == scale.ClassNoCapacityZone {
			fe.Zone = m[1]
		}
		switch fe.Class {
		case scale.ClassQuota, scale.ClassQuotaRegion, scale.ClassQuotaSpot:
			fe.NoQuota = fe.NoQuota || limitOfNil.MatchString(p.message)
		}
	}
}

// retryAfter is how long a response asks to be left alone, by whichever header azcore would believe first; 0 if it does
// not ask (facts: VMSS 1.2).
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64); err == nil && n > 0 {
			return bounded(n, time.Millisecond)
		}
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return bounded(max(n, 0), time.Second)
	}
	if at, err := http.ParseTime(v); err == nil {
		return bounded(int64(max(at.Sub(now), 0)/time.Second), time.Second)
	}
	return 0
}

// bounded multiplies without overflow; a day is as good as any longer time.
func bounded(n int64, unit time.Duration) time.Duration {
	const longest = 24 * time.Hour
	if n > int64(longest/unit) {
		return longest
	}
	return time.Duration(n) * unit
}

// shownLength bounds a message: it goes into rows, entries and logs.
const shownLength = 400

var urlQuery = regexp.MustCompile(`(?i)(https?://[^\s?"'<>]*)\?[^\s"'<>]*`)

// shown makes a message of the service fit to be kept: one line, not long, and without the queries of URLs, which may
// be signed (facts: VMSS 1.2).
func shown(message string) string {
	message = strings.Join(strings.Fields(urlQuery.ReplaceAllString(message, "$1?…")), " ")
	if r := []rune(message); len(r) > shownLength {
		return string(r[:shownLength-1]) + "…"
	}
	return strings.ToValidUTF8(message, "�")
}
