package invocation

import "encoding/json"

// ContentType is the content type that every reply must carry: the host fails an invocation whose reply has another,
// and net/http would guess text/plain (facts: functions-host 3.2).
const ContentType = "application/json; charset=utf-8"

// Reply is the answer to an invocation. Its zero value is a valid answer and says that all went well; what decides
// between well and not well is the status it is sent with, and with any but 2xx the host does not look at it.
type Reply struct {
	// Logs are written to the function's log, each on a line of its own.
	Logs []string
}

// JSON is the reply as the host reads it, never empty: without a body the host waits until the function times out
// (facts: functions-host 3.2). There are no output bindings, so the outputs are empty.
func (r Reply) JSON() []byte {
	logs := r.Logs
	if logs == nil {
		logs = []string{}
	}
	// Strings always marshal: what is not UTF-8 in them is replaced.
	body, err := json.Marshal(struct {
		Outputs     struct{}
		Logs        []string
		ReturnValue any
	}{Logs: logs})
	if err != nil {
		return []byte(`{"Outputs":{},"Logs":[],"ReturnValue":null}`)
	}
	return body
}
