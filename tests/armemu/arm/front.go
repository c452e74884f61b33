package arm

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Request is one line of the request log.
type Request struct {
	// At is emulated time.
	At      time.Time `json:"at"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Query   string    `json:"query,omitempty"`
	IfMatch string    `json:"if_match,omitempty"`
	// Status is 0 when the connection was dropped or left hanging.
	Status int `json:"status"`
	// Applied is true for a PATCH that had its effect, whatever became of its answer; Overtook is true for one that ended
	// the operation of an earlier PATCH.
	Applied  bool `json:"applied,omitempty"`
	Overtook bool `json:"overtook,omitempty"`
	// Makes is how many machines there are with those that a PATCH that had its effect makes or takes away; on a set that
	// has drifted that is not the counter.
	Makes *int `json:"makes,omitempty"`
	// Capacity is what a PATCH asked for, nil when it asked for none.
	Capacity *int `json:"capacity,omitempty"`
	// Body is the JSON document sent, if any.
	Body json.RawMessage `json:"body,omitempty"`
}

// keptRequests bounds the request log; the oldest lines go first.
const keptRequests = 100_000

var versionShape = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(-preview)?$`)

// serveARM is the front door: log, bearer, api-version, faults, then the resource.
func (w *world) serveARM(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 4<<20))
	if err != nil {
		failure(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The body is too large.").write(rw)
		return
	}
	w.mu.Lock()
	now := w.at()
	a, f := w.answer(now, r, body)
	w.record(now, r, body, a, f)
	rw.Header().Set("Date", now.Add(time.Duration(w.skew)*time.Second).UTC().Format(http.TimeFormat))
	w.mu.Unlock()
	f.send(rw, r, a)
}

// answer works the request out: the answer, and the fault that stands between it and the client, nil for none.
func (w *world) answer(now time.Time, r *http.Request, body []byte) (answer, *Fault) {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !isBearer || !w.tokens[token] {
		a := failure(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The token is missing or not of this authority.")
		a.header.Set("WWW-Authenticate", `Bearer authorization_uri="https://login.invalid/"`)
		return a, nil
	}
	f := w.fault(r.Method, r.URL.Path)
	if f != nil && !f.After {
		return answer{}, f
	}
	switch v := r.URL.Query().Get("api-version"); {
	case v == "":
		return failure(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter is required for all requests."), f
	case !versionShape.MatchString(v):
		return failure(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '"+v+"' is invalid."), f
	}
	return w.dispatch(call{
		now: now, method: r.Method, host: r.Host, path: r.URL.Path, header: r.Header, query: r.URL.Query(), body: body,
	}), f
}

func (w *world) record(now time.Time, r *http.Request, body []byte, a answer, f *Fault) {
	line := Request{
		At: now, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, IfMatch: r.Header.Get("If-Match"), Status: a.status,
		Applied: a.applied, Overtook: a.overtook, Makes: a.makes,
	}
	if f != nil {
		line.Status = f.Status
	}
	if json.Valid(body) {
		line.Body = body
		var doc struct {
			SKU struct {
				Capacity *int `json:"capacity"`
			} `json:"sku"`
		}
		if json.Unmarshal(body, &doc) == nil {
			line.Capacity = doc.SKU.Capacity
		}
	}
	if len(w.log) >= keptRequests {
		w.log = append(w.log[:0], w.log[keptRequests/10:]...)
	}
	w.log = append(w.log, line)
}

// serveIdentity is the managed-identity endpoint as App Service and Functions have it (facts: VMSS 7.3).
func (w *world) serveIdentity(rw http.ResponseWriter, r *http.Request, secret string, wall time.Time) {
	refuse := func(status int, message string) {
		answer{status: status, doc: map[string]any{"statusCode": status, "message": message}}.write(rw)
	}
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet:
		refuse(http.StatusMethodNotAllowed, "only GET")
	case r.Header.Get("X-Identity-Header") != secret:
		refuse(http.StatusUnauthorized, "the identity header does not match")
	case q.Get("api-version") != "2019-08-01":
		refuse(http.StatusBadRequest, "api-version 2019-08-01 is required")
	case q.Get("resource") == "":
		refuse(http.StatusBadRequest, "resource is required")
	default:
		random, err := randomHex()
		if err != nil {
			refuse(http.StatusInternalServerError, "no randomness")
			return
		}
		token := tokenOf(random, q.Get("resource"))
		w.mu.Lock()
		w.tokens[token] = true
		w.mu.Unlock()
		// The expiry is read by the credential's own clock, never by the emulated one.
		success(map[string]any{
			"access_token": token, "expires_on": strconv.FormatInt(wall.Add(24*time.Hour).Unix(), 10),
			"resource": q.Get("resource"), "token_type": "Bearer", "client_id": q.Get("client_id"),
		}).write(rw)
	}
}

// The application and the principal that tokens of the identity endpoint speak for.
const (
	Application = "5e1fa001-aaaa-4bbb-8ccc-0123456789ab"
	Principal   = "5e1f0b1d-aaaa-4bbb-8ccc-0123456789ab"
)

// tokenOf is a token as Entra ID writes those of managed identities: three parts, of which only the claims are meant to be
// read.
func tokenOf(random, audience string) string {
	part := base64.RawURLEncoding.EncodeToString
	claims, err := json.Marshal(map[string]string{"aud": audience, "appid": Application, "oid": Principal, "idtyp": "app", "uti": random})
	if err != nil {
		return random
	}
	return part([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + part(claims) + "." + part([]byte(random))
}
