package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call answers a request for a claim or of management.
func (b *Broker) call(l *link, m message) {
	back := field[string](m.properties, 4)
	out := l.session.connection.replies[back]
	if out == nil {
		return // nobody to tell
	}
	code, description, body := int32(200), "OK", any(nil)
	if l.node.claims {
		if err := b.claim(l.session.connection, m); err != nil {
			code, description = 401, err.Error()
		} else {
			code, description = 202, "Accepted"
		}
	} else if err := b.refused(Calls, fmt.Sprint(m.application["name"])); err != nil {
		code, description = 500, err.Error()
	} else if body, err = b.manage(m.application); err != nil {
		code, description = 404, err.Error()
	}
	raw := put(nil, described{sectionProperties, list{nil, nil, back, nil, nil, m.properties.at(0)}})
	raw = put(raw, described{sectionApplication, dict{"status-code": code, "status-description": description}})
	out.waiting = append(out.waiting, put(raw, described{sectionValue, body}))
	out.pump()
}

// manage reads the properties of a hub or of a partition (facts: rig A2.3).
func (b *Broker) manage(request dict) (any, error) {
	name := fmt.Sprint(request["name"])
	h := b.hubs[strings.ToLower(name)]
	if h == nil || request["operation"] != "READ" {
		return nil, notFound(name)
	}
	switch request["type"] {
	case "com.microsoft:eventhub":
		ids := make([]string, len(h.partitions))
		for i, p := range h.partitions {
			ids[i] = p.id
		}
		return dict{
			"name": h.Name, "type": request["type"], "created_at": h.createdAt, "partition_count": int32(len(ids)),
			"partition_ids": ids, "georeplication_factor": int32(1),
		}, nil
	case "com.microsoft:partition":
		p := h.partition(fmt.Sprint(request["partition"]))
		if p == nil {
			return nil, notFound(name + "/Partitions/" + fmt.Sprint(request["partition"]))
		}
		sequence, offset := p.last()
		return dict{
			"name": h.Name, "type": request["type"], "partition": p.id, "begin_sequence_number": p.begin,
			"last_enqueued_sequence_number": sequence, "last_enqueued_offset": offsetText(offset),
			"last_enqueued_time_utc": p.lastAt, "is_partition_empty": len(p.events) == 0,
		}, nil
	}
	return nil, notFound(fmt.Sprint(request["type"]))
}

// claim takes a token for an audience.
func (b *Broker) claim(c *connection, m message) error {
	audience, _ := m.application["name"].(string)
	token := ""
	d := decoder{rest: m.bare}
	for len(d.rest) > 0 {
		value, err := d.next()
		if err != nil {
			return err
		}
		if s, ok := value.(described); ok && s.code == sectionValue {
			token, _ = s.value.(string)
		}
	}
	if err := b.trusts(audience, token); err != nil {
		return err
	}
	if u, err := url.Parse(audience); err == nil {
		c.granted[strings.ToLower(strings.Split(strings.Trim(u.Path, "/"), "/")[0])] = true
	}
	return nil
}

// trusts checks a token, where there is a key to check it by.
func (b *Broker) trusts(audience, token string) error {
	if b.options.Key == "" && b.options.Token == "" {
		return nil
	}
	if b.options.Token != "" && token == b.options.Token {
		return nil
	}
	bad := fault{"amqp:unauthorized-access", "The token is not valid for " + audience}
	fields, ok := strings.CutPrefix(token, "SharedAccessSignature ")
	if !ok || b.options.Key == "" {
		return bad
	}
	values, err := url.ParseQuery(fields)
	if err != nil {
		return bad
	}
	expires, err := strconv.ParseInt(values.Get("se"), 10, 64)
	if err != nil || time.Unix(expires, 0).Before(b.options.Now()) || !strings.EqualFold(values.Get("sr"), audience) {
		return bad
	}
	// What is signed is the audience as it stands in the token, escapes and all.
	resource, _, _ := strings.Cut(strings.TrimPrefix(fields, "sr="), "&")
	mac := hmac.New(sha256.New, []byte(b.options.Key))
	_, _ = mac.Write([]byte(resource + "\n" + values.Get("se")))
	if !hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(values.Get("sig"))) {
		return bad
	}
	return nil
}

// admit lets a link in that has a claim to its hub.
func (b *Broker) admit(c *connection, address string, n node) error {
	if n.calls {
		return nil
	}
	if (b.options.Key != "" || b.options.Token != "") && !c.granted[strings.ToLower(n.hub.Name)] {
		return fault{"amqp:unauthorized-access", "Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation."}
	}
	return b.refused(Attaches, address)
}
