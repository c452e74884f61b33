package arm

import (
	"io"
	"net/http"
	"time"
)

// control is the control port: POST /turn/NAME with a knob's JSON; GET /sets, /requests, /now; DELETE /requests.
// Requests from browsers are refused: a page must not be able to turn knobs on a developer's machine.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /turn/{knob}", func(rw http.ResponseWriter, r *http.Request) {
		decode, ok := knobs[r.PathValue("knob")]
		if !ok {
			failure(http.StatusNotFound, "UnknownKnob", "There is no knob "+r.PathValue("knob")+".").write(rw)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
		if err == nil {
			var k Knob
			if k, err = decode(body); err == nil {
				err = s.Turn(k)
			}
		}
		if err != nil {
			failure(http.StatusBadRequest, "BadKnob", err.Error()).write(rw)
			return
		}
		success(map[string]any{"ok": true}).write(rw)
	})
	mux.HandleFunc("GET /sets", func(rw http.ResponseWriter, _ *http.Request) { success(s.Sets()).write(rw) })
	mux.HandleFunc("GET /requests", func(rw http.ResponseWriter, _ *http.Request) {
		log := s.Requests()
		if log == nil {
			log = []Request{}
		}
		success(log).write(rw)
	})
	mux.HandleFunc("DELETE /requests", func(rw http.ResponseWriter, _ *http.Request) {
		s.ResetRequests()
		success(map[string]any{"ok": true}).write(rw)
	})
	mux.HandleFunc("GET /now", func(rw http.ResponseWriter, _ *http.Request) {
		success(map[string]time.Time{"now": s.world.now()}).write(rw)
	})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			failure(http.StatusForbidden, "NoBrowsers", "The control port is not for browsers.").write(rw)
			return
		}
		mux.ServeHTTP(rw, r)
	})
}
