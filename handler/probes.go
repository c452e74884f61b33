package main

import (
	"encoding/json"
	"net/http"
	"time"

	"trimtab/internal/hub"
)

// probes answers an orchestrator about a process that follows a hub:
//
//	/livez   200 unless partitions have not been shared out for three times the expiry: then a restart may help
//	/readyz  200 while they are shared out as they should be: what storage that is away, or a missing right, prevents
//	/status  how far each partition has come that this process reads, which policies decide, and why a bundle was refused
//
// Nothing of it is secret, and nothing can be changed here.
type probes struct {
	state func() hub.State
	// policies is how the policies stand.
	policies func() policyState
	expiry   time.Duration
	since    time.Time
	now      func() time.Time
}

// ServeHTTP answers one probe.
func (p *probes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", http.MethodGet)
		writeJSON(w, http.StatusMethodNotAllowed, []byte(`{"status":"method not allowed"}`))
		return
	}
	state := p.state()
	at := state.ClaimedAt
	switch r.URL.Path {
	case "/livez":
		if at.Before(p.since) {
			at = p.since
		}
		p.answer(w, p.now().Sub(at) < 3*p.expiry, "alive", "partitions have not been shared out for too long")
	case "/readyz":
		p.answer(w, !at.IsZero() && p.now().Sub(at) < p.expiry, "ready", "partitions are not shared out")
	case "/status":
		body, err := json.Marshal(struct {
			hub.State
			Policies policyState `json:"policies"`
		}{state, p.policies()})
		if err != nil {
			writeJSON(w, http.StatusInternalServerError, []byte(`{"status":"not readable"}`))
			return
		}
		writeJSON(w, http.StatusOK, body)
	default:
		writeJSON(w, http.StatusNotFound, []byte(`{"status":"not found"}`))
	}
}

func (p *probes) answer(w http.ResponseWriter, well bool, yes, no string) {
	status, text := http.StatusOK, yes
	if !well {
		status, text = http.StatusServiceUnavailable, no
	}
	body, _ := json.Marshal(map[string]string{"status": text}) // a text cannot fail
	writeJSON(w, status, body)
}
