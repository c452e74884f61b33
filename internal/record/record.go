// Package record reads and writes recorded events: one JSON object a line, in a file that may be compressed by gzip.
//
// A recording keeps what a reader of the hub could see and nothing that it made of it, so what is written, read and sent
// again has the same bytes as body.
package record

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Event is one event as a hub holds it.
type Event struct {
	// Hub is "namespace/hub" in small letters, empty where the recording does not say.
	Hub       string
	Partition string
	// Sequence is the sequence number within the partition, Offset its opaque companion.
	Sequence   int64
	Offset     string
	EnqueuedAt time.Time
	// Key is the partition key, empty for none.
	Key string
	// Properties are the application's properties. In a file, bytes count as text and times are RFC 3339, so after
	// reading they hold strings, booleans, int64, uint64 where that is too small, float64 and nil.
	Properties map[string]any
	// System are the properties of the message that its sender may set, such as content-type and message-id.
	System map[string]any
	Body   []byte
}

// line is an event as a file holds it: the body as text where it is text, else in base64.
type line struct {
	Hub        string          `json:"hub,omitempty"`
	Partition  string          `json:"partition"`
	Sequence   *int64          `json:"sequence"`
	Offset     string          `json:"offset,omitempty"`
	EnqueuedAt time.Time       `json:"enqueued_at"`
	Key        string          `json:"partition_key,omitempty"`
	Properties map[string]any  `json:"properties,omitempty"`
	System     map[string]any  `json:"system,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
	BodyBase64 *string         `json:"body_base64,omitempty"`
}

// lineOf makes a line of an event.
func lineOf(e *Event) (*line, error) {
	l := &line{
		Hub: e.Hub, Partition: e.Partition, Sequence: &e.Sequence, Offset: e.Offset, EnqueuedAt: e.EnqueuedAt.UTC(), Key: e.Key,
		Properties: plain(e.Properties), System: plain(e.System),
	}
	if !utf8.Valid(e.Body) {
		encoded := base64.StdEncoding.EncodeToString(e.Body)
		l.BodyBase64 = &encoded
		return l, nil
	}
	text, err := marshal(string(e.Body))
	l.Body = text
	return l, err
}

// event makes an event of a line.
func (l *line) event() (Event, error) {
	e := Event{
		Hub: l.Hub, Partition: l.Partition, Offset: l.Offset, EnqueuedAt: l.EnqueuedAt.UTC(), Key: l.Key,
		Properties: numbers(l.Properties), System: numbers(l.System),
	}
	switch {
	case l.Partition == "":
		return e, errors.New(`"partition" is missing; right would be the partition's ID as text`)
	case l.Sequence == nil:
		return e, errors.New(`"sequence" is missing; right would be the sequence number`)
	case *l.Sequence < 0:
		return e, fmt.Errorf(`"sequence" is %d; right would be a number from 0`, *l.Sequence)
	case l.EnqueuedAt.IsZero():
		return e, errors.New(`"enqueued_at" is missing; right would be the instant of arrival in RFC 3339`)
	case (l.Body == nil) == (l.BodyBase64 == nil):
		return e, errors.New(`one of "body" and "body_base64" is needed, and not both`)
	}
	e.Sequence = *l.Sequence
	if l.BodyBase64 != nil {
		body, err := base64.StdEncoding.DecodeString(*l.BodyBase64)
		if err != nil {
			return e, fmt.Errorf(`"body_base64": %w`, err)
		}
		e.Body = body
		return e, nil
	}
	if l.Body[0] != '"' {
		// A line written by hand may hold the body as JSON and not as text.
		e.Body = l.Body
		return e, nil
	}
	var text string
	if err := json.Unmarshal(l.Body, &text); err != nil {
		return e, fmt.Errorf(`"body": %w`, err)
	}
	e.Body = []byte(text)
	return e, nil
}

// plain are properties as JSON has them; what JSON does not know is left out.
func plain(values map[string]any) map[string]any {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]any, len(values))
	for name, value := range values {
		switch v := value.(type) {
		case []byte:
			out[name] = string(v)
		case time.Time:
			out[name] = v.UTC().Format(time.RFC3339Nano)
		case *string:
			if v != nil {
				out[name] = *v
			}
		case fmt.Stringer:
			out[name] = v.String()
		case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, nil:
			out[name] = v
		case float32, float64:
			// Infinities and NaN have no form in JSON.
			if _, err := json.Marshal(v); err == nil {
				out[name] = v
			}
		}
	}
	return out
}

// numbers makes int64 or float64 of what was read with its digits kept.
func numbers(values map[string]any) map[string]any {
	for name, value := range values {
		n, ok := value.(json.Number)
		if !ok {
			continue
		}
		if i, err := n.Int64(); err == nil {
			values[name] = i
		} else if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
			values[name] = u
		} else if f, err := n.Float64(); err == nil {
			values[name] = f
		} else {
			values[name] = n.String()
		}
	}
	return values
}
