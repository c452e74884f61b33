package arm

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Fault stands between a request and its answer, for the next Times requests that it fits. It fits authenticated
// requests to ARM.
type Fault struct {
	// Method and Path select requests: Path is a part of the URL's path, without regard to case. Empty fits all.
	Method string `json:"method"`
	Path   string `json:"path"`
	// Status, Code and Message make the error; Body replaces the whole document.
	Status  int               `json:"status"`
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Body    json.RawMessage   `json:"body"`
	Headers map[string]string `json:"headers"`
	// Times is how many requests it meets; 1 if it is 0.
	Times int `json:"times"`
	// After lets the request have its effect first: applied, and the answer lost.
	After bool `json:"after"`
	// Drop breaks the connection instead of answering, Hang answers nothing until the client has gone.
	Drop bool `json:"drop"`
	Hang bool `json:"hang"`
}

// fault takes the first fault that fits.
func (w *world) fault(method, path string) *Fault {
	for i, f := range w.faults {
		if (f.Method != "" && !strings.EqualFold(f.Method, method)) ||
			!strings.Contains(strings.ToLower(path), strings.ToLower(f.Path)) {
			continue
		}
		if f.Times--; f.Times <= 0 {
			w.faults = append(w.faults[:i:i], w.faults[i+1:]...)
		}
		return f
	}
	return nil
}

// send writes the answer, or what the fault makes of it; a nil fault makes nothing of it.
func (f *Fault) send(rw http.ResponseWriter, r *http.Request, a answer) {
	switch {
	case f == nil:
		a.write(rw)
	case f.Drop:
		// The server's own way to break off without an answer.
		panic(http.ErrAbortHandler)
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		out := failure(f.Status, f.Code, f.message())
		if len(f.Body) > 0 {
			out.doc = f.Body
		}
		for k, v := range f.Headers {
			out.header.Set(k, v)
		}
		out.write(rw)
	}
}

func (f *Fault) message() string {
	if f.Message != "" {
		return f.Message
	}
	return "The emulator was told to answer so."
}
