package hub

import (
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// systemOf are the properties of a message that its sender may set, by their names in AMQP (1.0, part 3, 3.2.4). Nil if it
// set none.
func systemOf(p *azeventhubs.AMQPAnnotatedMessageProperties) map[string]any {
	if p == nil {
		return nil
	}
	system := map[string]any{}
	for name, text := range map[string]*string{
		"content-type": p.ContentType, "content-encoding": p.ContentEncoding, "to": p.To, "subject": p.Subject,
		"reply-to": p.ReplyTo, "group-id": p.GroupID, "reply-to-group-id": p.ReplyToGroupID,
	} {
		if text != nil && *text != "" {
			system[name] = *text
		}
	}
	for name, at := range map[string]*time.Time{"absolute-expiry-time": p.AbsoluteExpiryTime, "creation-time": p.CreationTime} {
		if at != nil {
			system[name] = at.UTC()
		}
	}
	for name, id := range map[string]any{"message-id": p.MessageID, "correlation-id": p.CorrelationID} {
		switch v := id.(type) {
		case nil:
		case fmt.Stringer:
			system[name] = v.String() // a UUID
		default:
			system[name] = id
		}
	}
	if len(p.UserID) > 0 {
		system["user-id"] = p.UserID
	}
	if p.GroupSequence != nil {
		system["group-sequence"] = int64(*p.GroupSequence)
	}
	if len(system) == 0 {
		return nil
	}
	return system
}

// message is an event as AMQP has it. Properties of a type that theirs cannot have, and names that none has, are left out:
// a recording may say what some other reader of the hub saw.
func message(o *Outgoing) *azeventhubs.AMQPAnnotatedMessage {
	p := &azeventhubs.AMQPAnnotatedMessageProperties{
		MessageID: identifier(o.System["message-id"]), CorrelationID: identifier(o.System["correlation-id"]),
		AbsoluteExpiryTime: instant(o.System["absolute-expiry-time"]), CreationTime: instant(o.System["creation-time"]),
	}
	for name, into := range map[string]**string{
		"content-type": &p.ContentType, "content-encoding": &p.ContentEncoding, "to": &p.To, "subject": &p.Subject,
		"reply-to": &p.ReplyTo, "group-id": &p.GroupID, "reply-to-group-id": &p.ReplyToGroupID,
	} {
		if text, ok := o.System[name].(string); ok && text != "" {
			*into = &text
		}
	}
	if o.ContentType != "" {
		p.ContentType = &o.ContentType
	}
	switch v := o.System["user-id"].(type) {
	case string:
		p.UserID = []byte(v)
	case []byte:
		p.UserID = v
	}
	if n, ok := o.System["group-sequence"].(int64); ok && n >= 0 && n <= 1<<32-1 {
		sequence := uint32(n)
		p.GroupSequence = &sequence
	}
	return &azeventhubs.AMQPAnnotatedMessage{
		ApplicationProperties: o.Properties, Body: azeventhubs.AMQPAnnotatedMessageBody{Data: [][]byte{o.Body}}, Properties: p,
	}
}

// identifier is an ID as AMQP knows it: a text, bytes, or a whole number without a sign.
func identifier(value any) any {
	switch v := value.(type) {
	case string, []byte, uint64:
		return v
	case int64:
		if v >= 0 {
			return uint64(v)
		}
	}
	return nil
}

// instant is a time, or what is written as one.
func instant(value any) *time.Time {
	switch v := value.(type) {
	case time.Time:
		return &v
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return &at
		}
	}
	return nil
}
