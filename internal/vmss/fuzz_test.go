package vmss_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
)

// wire answers every request with what it holds and remembers where requests went.
type wire struct {
	status int
	header http.Header
	body   []byte
	hosts  []string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.hosts = append(w.hosts, r.URL.Scheme+"://"+r.URL.Host)
	return &http.Response{
		StatusCode: w.status, Header: w.header.Clone(), Body: io.NopCloser(bytes.NewReader(w.body)), Request: r,
		ContentLength: int64(len(w.body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

func onWire(t *testing.T, w *wire) *vmss.Fleet {
	t.Helper()
	f, err := vmss.New(staticCredential{token: "t"}, vmss.Options{Endpoint: "https://arm.invalid", Now: time.Now, Transport: w, ReadRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// No resume token, however made, takes a request to another host.
func FuzzFollowStaysAtHome(f *testing.F) {
	token := func(url string) string {
		return `{"type":"VirtualMachineScaleSetsClientUpdateResponse","token":{"asyncURL":"` + url + `","locURL":"","origURL":"https://arm.invalid/subscriptions/s/x","method":"PATCH","finalState":"","state":"InProgress"}}`
	}
	f.Add(token("https://arm.invalid/subscriptions/s/op?x=1"))
	f.Add(token("https://arm.invalid@thief.invalid/op"))
	f.Add(token("https://arm.invalid:443/op"))
	f.Add(token(`https:\/\/thief.invalid\/op`))
	f.Add(`{"type":"VirtualMachineScaleSetsClientUpdateResponse","token":{"type":"body","pollURL":"https://thief.invalid/x","state":"Updating"}}`)
	f.Add(`{"type":"VirtualMachineScaleSetsClientUpdateResponse","token":{"asyncURL":"https://arm.invalid/x","AsyncURL":"https://thief.invalid/x"}}`)
	f.Add(`{"type":"VirtualMachineScaleSetsClientUpdateResponse","token":{"asyncURL":"https://arm.invalid/x"},"Token":{"asyncURL":"https://thief.invalid/x"}}`)
	f.Add(`{"type":"VirtualMachineScaleSetsClientUpdateResponse","token":{"asyncURL":"https://thief.invalid/x"},"Token":{"asyncURL":"https://arm.invalid/x"}}`)
	f.Fuzz(func(t *testing.T, token string) {
		w := &wire{status: 200, body: []byte(`{"status":"InProgress"}`)}
		_, err := onWire(t, w).Follow(t.Context(), token)
		for _, h := range w.hosts {
			if !strings.EqualFold(h, "https://arm.invalid") && !strings.EqualFold(h, "https://arm.invalid:443") {
				t.Errorf("a request went to %s", h)
			}
		}
		var fe *scale.FleetError
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("got %T, want a FleetError", err)
		}
	})
}

// Whatever is answered, the caller gets facts that were there or a FleetError with a class.
func FuzzReadNeverInvents(f *testing.F) {
	f.Add(200, `{"etag":"\"1\"","sku":{"capacity":3},"properties":{"provisioningState":"Succeeded"}}`, "")
	f.Add(200, `{"etag":"\"1\"","sku":{},"properties":{}}`, "")
	f.Add(200, `null`, "")
	f.Add(429, throttledBody, "1200")
	f.Add(409, wrapped("OperationNotAllowed", spotQuota), "Sun, 01 Mar 2026 12:00:00 GMT")
	f.Add(500, `{"error":{"details":[{"details":[{}]}],"innererror":{"code":"x"}}}`, "-1")
	f.Add(503, `<Code>Busy</Code>`, "99999999999999999999")
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		if status < 200 || status > 599 {
			return
		}
		w := &wire{status: status, body: []byte(body), header: http.Header{"Retry-After": {after}, "Content-Type": {"application/json"}}}
		facts, err := onWire(t, w).Read(t.Context(), web)
		if err == nil {
			if !facts.Known() || facts.ETag == "" || facts.Capacity < 0 || !strings.Contains(strings.ToLower(body), "capacity") {
				t.Errorf("got %+v from %q", facts, body)
			}
			return
		}
		var fe *scale.FleetError
		if !errors.As(err, &fe) || fe.Class == "" || fe.Op != "read" || fe.RetryAfter < 0 || strings.ContainsAny(fe.Error(), "\n\r") {
			t.Errorf("got %v", err)
		}
		if facts.Known() {
			t.Errorf("got facts %+v with an error", facts)
		}
	})
}
