package metric

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"trimtab/internal/scan"
)

// Properties are what stands beside the body of an event, as JSON objects: the application's properties, and those of
// the message itself. Both may be nil. The Functions host writes them so; for other readers of a hub there is
// [PropertiesOf].
type Properties struct{ Application, System []byte }

// PropertiesOf is what a reader of its own makes of the properties that an AMQP library hands over: text stays, bytes
// count as text, times are written as RFC 3339 does. Kafka's headers arrive as bytes (facts: events 1.5). Values of
// other types that JSON does not know are left out.
func PropertiesOf(application, system map[string]any) Properties {
	return Properties{Application: jsonOf(application), System: jsonOf(system)}
}

// MaxProperties is how many bytes of each kind of properties a dead letter keeps.
const MaxProperties = 8 << 10

// Kept are the properties as a dead letter keeps them: those that together fit the bound, in their order. What is not an
// object of JSON is nothing.
func (p Properties) Kept() Properties {
	return Properties{Application: fitting(p.Application), System: fitting(p.System)}
}

// fitting is an object without the members that do not fit.
func fitting(raw []byte) []byte {
	var s scan.Scanner
	s.Reset(raw)
	if s.Kind() != scan.Object {
		return nil
	}
	kept := []byte{'{'}
	for s.Object(); s.Field(); {
		key, _ := json.Marshal(string(s.Key()))
		s.Kind()
		value := s.Raw()
		if len(kept)+len(key)+len(value)+3 > MaxProperties {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(append(append(kept, key...), ':'), value...)
	}
	if s.Finish() != nil || len(kept) == 1 {
		return nil
	}
	return append(kept, '}')
}

func jsonOf(values map[string]any) []byte {
	plain := make(map[string]any, len(values))
	for key, value := range values {
		switch v := value.(type) {
		case []byte:
			plain[key] = string(v)
		case time.Time:
			plain[key] = v.UTC().Format(time.RFC3339Nano)
		case *string:
			if v != nil {
				plain[key] = *v
			}
		case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, nil:
			plain[key] = v
		}
	}
	if len(plain) == 0 {
		return nil
	}
	// What was let in is what encoding/json cannot fail on.
	text, _ := json.Marshal(plain)
	return text
}

// beside is what the properties of an event say about its body.
type beside struct {
	contentType, encoding string
	// event holds the attributes of a CloudEvent in binary mode, their names without prefix; nil if there are none.
	event map[string]string
}

// attributePrefixes stand before the attributes of a CloudEvent in binary mode: two of the AMQP binding, of which a
// message uses one, and Kafka's (facts: events 1.5).
var attributePrefixes = [...]string{"cloudevents:", "cloudevents_", "ce_"}

// besideOf reads properties. What is unreadable in them says nothing: the body speaks for itself.
func besideOf(p Properties) (b beside) {
	for _, part := range [...][]byte{p.System, p.Application} {
		for key, value := range properties(part) {
			switch strings.ReplaceAll(key, "-", "") {
			case "contenttype":
				b.contentType = strings.ToLower(value)
			case "contentencoding":
				b.encoding = encodingOf(value)
			}
		}
	}
	application := properties(p.Application)
	for _, prefix := range attributePrefixes {
		version, ok := application[prefix+"specversion"]
		if !ok {
			continue
		}
		b.event = make(map[string]string)
		// Where the host wrote bytes, they are base64; the version shows it, for it is known.
		coded, _ := base64.StdEncoding.DecodeString(version)
		for key, value := range application {
			if name, ok := strings.CutPrefix(key, prefix); ok {
				if plain, err := base64.StdEncoding.DecodeString(value); err == nil && string(coded) == "1.0" {
					value = string(plain)
				}
				b.event[name] = value
			}
		}
		break
	}
	return b
}

// encodingOf is a content-encoding in small letters, also where the host wrote the bytes of one.
func encodingOf(value string) string {
	small := strings.ToLower(value)
	if plain, err := base64.StdEncoding.DecodeString(value); err == nil && !encodings[small] {
		return strings.ToLower(string(plain))
	}
	return small
}

// properties are the texts and numbers of an object, their names in small letters. Nothing comes of what is no object.
func properties(raw []byte) map[string]string {
	var s scan.Scanner
	s.Reset(raw)
	if s.Kind() != scan.Object {
		return nil
	}
	m := make(map[string]string)
	for s.Object(); s.Field(); {
		key := string(small(nil, s.Key()))
		if s.Kind() == scan.String {
			m[key] = string(s.Text())
		} else {
			m[key] = string(s.Raw())
		}
		if len(m) > MaxElements {
			return nil
		}
	}
	if s.Finish() != nil {
		return nil
	}
	return m
}

// heed takes account of what stands beside the body; reason is "" unless that settles the whole body.
func (d *Decoder) heed(p Properties) (reason, detail string) {
	b := besideOf(p)
	d.encoding, d.protobuf = b.encoding, strings.Contains(b.contentType, "protobuf")
	if b.event == nil || strings.HasPrefix(b.contentType, "application/cloudevents") {
		return "", ""
	}
	e := newCloudEvent(b.event["type"], b.event["subject"], b.event["source"])
	e.name, e.beside = strings.Replace(e.name, "a CloudEvent", "a binary CloudEvent", 1), true
	if at, why := sampleTime([]byte(b.event["time"])); why == "" {
		e.at = at
	}
	if version := b.event["specversion"]; version != "1.0" {
		return ReasonUnsupportedVersion, fmt.Sprintf("%s: want specversion 1.0, got %s", e.name, clip([]byte(version)))
	}
	d.envelope = &e
	return "", ""
}
