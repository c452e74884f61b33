package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// failure is what the service answered, in one line: the SDK's own text is the whole reply over many.
type failure struct {
	status int
	code   string
	// action is the index of the action of a transaction that failed, -1 where there is none.
	action  int
	message string
	cause   error
}

// Error says status, code and message.
func (f *failure) Error() string {
	text := fmt.Sprintf("status %d, code %s", f.status, f.code)
	if f.action >= 0 {
		text += fmt.Sprintf(", action %d", f.action)
	}
	if f.message != "" {
		text += ": " + f.message
	}
	return text
}

// Unwrap gives the SDK's error.
func (f *failure) Unwrap() error { return f.cause }

// conflict reports whether the answer says that what was read is not what is stored. A missing or vanishing table has
// the same statuses and is no conflict, so the code decides.
func (f *failure) conflict() bool {
	switch f.code {
	case "UpdateConditionNotSatisfied", "ConditionNotMet", "EntityAlreadyExists", "ResourceNotFound", "EntityNotFound":
		return true
	}
	// An answer in another format than the one asked for has no code that is read.
	return f.status == http.StatusPreconditionFailed || f.status == http.StatusConflict && f.code == ""
}

// diagnose makes a short error of the SDK's: a *failure where the service answered, and otherwise the transport's error
// without the query of its URL, which may hold a signature.
func diagnose(err error) error {
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		f := &failure{status: answer.StatusCode, code: answer.ErrorCode, action: -1, cause: err}
		if answer.RawResponse != nil && answer.RawResponse.Body != nil {
			if body, readErr := runtime.Payload(answer.RawResponse); readErr == nil {
				f.read(body)
			}
		}
		return f
	}
	var broken *url.Error
	if errors.As(err, &broken) {
		broken.URL, _, _ = strings.Cut(broken.URL, "?")
	}
	return err
}

// read takes status, code and index from the body of an answer. A transaction that failed is answered with 202 and no
// code; what happened stands only in the multipart body, as an HTTP reply within it (facts: events 5.2).
func (f *failure) read(body []byte) {
	if f.status == http.StatusAccepted {
		if _, rest, found := bytes.Cut(body, []byte("\nHTTP/1.1 ")); found && len(rest) >= 3 {
			if n, err := strconv.Atoi(string(rest[:3])); err == nil && n >= 100 {
				f.status = n
			}
		}
	}
	at := bytes.Index(body, []byte(`{"odata.error"`))
	if at < 0 {
		return
	}
	var doc struct {
		Error struct {
			Code    string `json:"code"`
			Message struct {
				Value string `json:"value"`
			} `json:"message"`
		} `json:"odata.error"`
	}
	// The document ends before the boundary that follows it.
	if err := json.NewDecoder(bytes.NewReader(body[at:])).Decode(&doc); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return
	}
	if doc.Error.Code != "" {
		f.code = doc.Error.Code
	}
	f.message, _, _ = strings.Cut(doc.Error.Message.Value, "\n")
	f.message = shorten(strings.TrimSpace(f.message), 256)
	if index, rest, found := strings.Cut(f.message, ":"); found {
		if n, err := strconv.Atoi(index); err == nil && n >= 0 && n < maxActions {
			f.action, f.message = n, strings.TrimSpace(rest)
		}
	}
}

// unsure reports whether a write that ended with the error may be stored all the same: no answer came, or the service
// failed while it worked (facts: events 5.2).
func unsure(err error) bool {
	var f *failure
	if !errors.As(err, &f) {
		return true
	}
	return f.status >= 500 || f.status == http.StatusRequestTimeout || f.status == http.StatusTooManyRequests
}
