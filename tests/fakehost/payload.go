package fakehost

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Event is one event of a partition, as the broker holds it.
type Event struct {
	Body     []byte
	Sequence int64
	// Offset is text; the sequence number where empty.
	Offset     string
	EnqueuedAt time.Time
	// Key is the partition key, empty for none.
	Key        string
	Properties map[string]any
	// System are further properties of the message, by their names in AMQP.
	System map[string]any
}

// Encoding names how a trigger's cardinality and dataType make the host write events (facts: functions-host 2.3).
type Encoding string

// The encodings.
const (
	ManyBinary Encoding = "many binary"
	ManyString Encoding = "many string"
	// ManyParsed is cardinality many without a dataType: the host parses each body, and one that is no JSON fails the
	// whole batch before the handler is called.
	ManyParsed Encoding = "many"
	OneBinary  Encoding = "one binary"
	OneString  Encoding = "one string"
)

// encodingOf is the encoding that a trigger asks for, empty for what the host cannot bind.
func encodingOf(b Binding) Encoding {
	switch strings.ToLower(b.Cardinality) + " " + strings.ToLower(b.DataType) {
	case "many binary":
		return ManyBinary
	case "many string":
		return ManyString
	case "many ":
		return ManyParsed
	case "one binary":
		return OneBinary
	case "one ", "one string":
		return OneString
	}
	return ""
}

func (e Encoding) single() bool { return e == OneBinary || e == OneString }

// origin is where a batch comes from.
type origin struct {
	namespace, hub, group, partition string
}

func (o origin) context() map[string]any {
	return map[string]any{
		"IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": o.namespace, "EventHubName": o.hub,
		"ConsumerGroup": o.group, "PartitionId": o.partition,
	}
}

// retryContext is what the host says about attempts, where the function has a retry policy.
type retryContext struct {
	RetryCount    int
	MaxRetryCount int
	Exception     any
	Instance      any
	State         map[string]any
}

// envelope is the body of an invocation.
type envelope struct {
	Data     map[string]any
	Metadata map[string]any
}

// encodeEvents writes events as the host does. An error means that the host could not bind them.
func encodeEvents(f *Function, e Encoding, from origin, events []Event, now time.Time, retry *retryContext) ([]byte, error) {
	meta := map[string]any{"PartitionContext": from.context(), "TriggerPartitionContext": from.context(), "sys": sys(f.Name, now)}
	if retry != nil {
		meta["RetryContext"] = retry
	}
	var data any
	var err error
	if e.single() {
		data, err = single(e, events[0], meta)
	} else {
		data, err = many(e, events, meta)
	}
	if err != nil {
		return nil, err
	}
	return text(envelope{Data: map[string]any{f.Trigger.Name: data}, Metadata: meta})
}

func many(e Encoding, events []Event, meta map[string]any) (any, error) {
	var bodies []any
	var keys, sequences, offsets, texts, times, properties, systems []any
	for _, event := range events {
		body, err := bodyOf(e, event.Body)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
		system := systemOf(event)
		keys = append(keys, system["PartitionKey"])
		sequences = append(sequences, event.Sequence)
		offsets = append(offsets, system["OffsetString"])
		texts = append(texts, system["OffsetString"])
		times = append(times, system["EnqueuedTimeUtc"])
		properties = append(properties, propertiesOf(event))
		systems = append(systems, system)
	}
	for name, list := range map[string][]any{
		"PartitionKeyArray": keys, "SequenceNumberArray": sequences, "OffsetArray": offsets, "OffsetStringArray": texts,
		"EnqueuedTimeUtcArray": times, "PropertiesArray": properties, "SystemPropertiesArray": systems,
	} {
		quoted, err := quote(list)
		if err != nil {
			return nil, err
		}
		meta[name] = quoted
	}
	return quote(bodies)
}

// bodyOf is one body within the array of a batch.
func bodyOf(e Encoding, body []byte) (any, error) {
	switch e {
	case ManyBinary:
		return base64.StdEncoding.EncodeToString(body), nil
	case ManyString:
		return strings.ToValidUTF8(string(body), "\uFFFD"), nil
	}
	if len(body) == 0 {
		return nil, nil
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("binding parameters to complex objects uses Json.NET serialization: a body is not JSON")
	}
	return json.RawMessage(body), nil
}

// single writes the one event of a trigger with cardinality one. The host then copies the body's own top-level values
// into the metadata, over what stood there (facts: functions-host 2.3).
func single(e Encoding, event Event, meta map[string]any) (any, error) {
	system := systemOf(event)
	for name, value := range map[string]any{
		"SequenceNumber": event.Sequence, "Offset": system["OffsetString"], "OffsetString": system["OffsetString"],
	} {
		quoted, err := quote(value)
		if err != nil {
			return nil, err
		}
		meta[name] = quoted
	}
	if event.Key != "" {
		quoted, err := quote(event.Key)
		if err != nil {
			return nil, err
		}
		meta["PartitionKey"] = quoted
	}
	// A scalar time loses its fraction and its zone on the way (facts: functions-host 2.2).
	meta["EnqueuedTimeUtc"] = event.EnqueuedAt.UTC().Format("2006-01-02T15:04:05")
	meta["Properties"], meta["SystemProperties"] = propertiesOf(event), system
	if e == OneBinary {
		return base64.StdEncoding.EncodeToString(event.Body), nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(event.Body, &members); err == nil {
		for name, raw := range members {
			if raw[0] == '[' {
				continue
			}
			value := string(raw)
			_ = json.Unmarshal(raw, &value)
			quoted, err := quote(value)
			if err != nil {
				return nil, err
			}
			meta[name] = quoted
		}
	}
	return quote(strings.ToValidUTF8(string(event.Body), "\uFFFD"))
}

func systemOf(e Event) map[string]any {
	offset := e.Offset
	if offset == "" {
		offset = fmt.Sprint(e.Sequence)
	}
	system := map[string]any{
		"SequenceNumber": e.Sequence, "Offset": -1, "OffsetString": offset, "PartitionKey": nil,
		// Without a zone: UTC by contract only.
		"EnqueuedTimeUtc": e.EnqueuedAt.UTC().Format("2006-01-02T15:04:05.9999999"),
	}
	for name, value := range e.System {
		system[name] = value
	}
	if json.Valid([]byte(offset)) {
		system["Offset"] = json.Number(offset)
	}
	if e.Key != "" {
		system["PartitionKey"] = e.Key
	}
	return system
}

func propertiesOf(e Event) map[string]any {
	if e.Properties == nil {
		return map[string]any{}
	}
	return e.Properties
}

// encodeTimer writes the invocation of a timer.
func encodeTimer(f *Function, now time.Time, pastDue bool, retry *retryContext) ([]byte, error) {
	meta := map[string]any{"sys": sys(f.Name, now)}
	if retry != nil {
		meta["RetryContext"] = retry
	}
	timer := map[string]any{"Schedule": map[string]any{"AdjustForDST": true}, "ScheduleStatus": nil, "IsPastDue": pastDue}
	return text(envelope{Data: map[string]any{f.Trigger.Name: timer}, Metadata: meta})
}

func sys(function string, now time.Time) map[string]any {
	return map[string]any{
		"MethodName": function, "UtcNow": now.UTC().Format("2006-01-02T15:04:05.9999999Z"),
		"RandGuid": "58a1b8d5-e891-4138-93d9-4cd287e173df",
	}
}

// quote is the host's way with all that is no object: JSON text within a JSON string (facts: functions-host 2.2).
func quote(value any) (string, error) {
	b, err := text(value)
	return string(b), err
}

// text is JSON without the escapes of HTML, which the host does not write.
func text(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
