package arm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options are the outside of an emulator; the zero value is right for most tests.
type Options struct {
	// Now is the emulated clock, the wall clock if nil.
	Now func() time.Time
	// Host is the loopback address to listen on, 127.0.0.1 if empty. Anything but loopback is refused.
	Host string
}

// Endpoints are where an emulator listens, as endpoints.json has them.
type Endpoints struct {
	// ARM is the Resource Manager endpoint, https.
	ARM string `json:"arm"`
	// Identity and IdentityHeader are the values for IDENTITY_ENDPOINT and IDENTITY_HEADER.
	Identity       string `json:"identity"`
	IdentityHeader string `json:"identity_header"`
	// Control is the base URL of the control port, http.
	Control string `json:"control"`
}

// Server is a running emulator. Its methods may be called from several goroutines.
type Server struct {
	world     *world
	endpoints Endpoints
	ca        []byte
	token     string
	servers   []*http.Server
	done      sync.WaitGroup
}

// Start brings an emulator up on ports that the system chooses.
func Start(cfg Config, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	addr := net.ParseIP(o.Host)
	if addr == nil || !addr.IsLoopback() {
		return nil, fmt.Errorf("%q is not a loopback address: the emulator hands out tokens to whoever asks", o.Host)
	}
	s, err := Open(cfg, o)
	if err != nil {
		return nil, err
	}
	var leaf tls.Certificate
	if s.ca, leaf, err = authority(addr, time.Now()); err != nil {
		return nil, err
	}
	if err := s.listen(o.Host, leaf); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Open makes an emulator that does not listen: its requests come through Handler, which is what virtual time needs. It
// has no endpoints and no authority.
func Open(cfg Config, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	w, err := newWorld(cfg, o.Now)
	if err != nil {
		return nil, err
	}
	s := &Server{world: w}
	if s.token, err = randomHex(); err != nil {
		return nil, err
	}
	if s.endpoints.IdentityHeader, err = randomHex(); err != nil {
		return nil, err
	}
	w.tokens[s.token] = true
	return s, nil
}

// Handler is Resource Manager as an HTTP handler.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.world.serveARM) }

func (s *Server) listen(host string, leaf tls.Certificate) error {
	identity := func(rw http.ResponseWriter, r *http.Request) {
		s.world.serveIdentity(rw, r, s.endpoints.IdentityHeader, time.Now())
	}
	tlsConfig := &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12}
	for _, l := range []struct {
		url     *string
		form    string
		handler http.Handler
		tls     *tls.Config
	}{
		{&s.endpoints.ARM, "https://%s", http.HandlerFunc(s.world.serveARM), tlsConfig},
		{&s.endpoints.Identity, "http://%s/msi/token", http.HandlerFunc(identity), nil},
		{&s.endpoints.Control, "http://%s", s.control(), nil},
	} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return fmt.Errorf("listen on %s: %w", host, err)
		}
		*l.url = fmt.Sprintf(l.form, listener.Addr())
		srv := &http.Server{
			Handler: l.handler, TLSConfig: l.tls, ReadHeaderTimeout: 10 * time.Second,
			// Broken handshakes and dropped connections are what tests are made of.
			ErrorLog: log.New(io.Discard, "", 0),
		}
		s.servers = append(s.servers, srv)
		s.done.Go(func() {
			// Serving ends with Close, the only way it ends.
			if l.tls != nil {
				_ = srv.ServeTLS(listener, "", "")
			} else {
				_ = srv.Serve(listener)
			}
		})
	}
	return nil
}

// Close stops listening, breaks what is open and waits for the listeners to end.
func (s *Server) Close() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Close())
	}
	s.done.Wait()
	return errors.Join(errs...)
}

// Endpoints says where the emulator listens.
func (s *Server) Endpoints() Endpoints { return s.endpoints }

// CA is the certificate authority in PEM form, for SSL_CERT_FILE.
func (s *Server) CA() []byte { return slices.Clone(s.ca) }

// Token is a bearer token that ARM takes, for tests that have no need of the identity endpoint.
func (s *Server) Token() string { return s.token }

// Transport trusts the emulator's authority and nothing else.
func (s *Server) Transport() *http.Transport {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca)
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
}

// Turn turns a knob.
func (s *Server) Turn(k Knob) error {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.at()
	return k.turn(s.world)
}

// Requests is the log of the requests to ARM since the start or the last reset, oldest first.
func (s *Server) Requests() []Request {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return slices.Clone(s.world.log)
}

// ResetRequests empties the log.
func (s *Server) ResetRequests() {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.log = nil
}

// Sets is the state of all scale sets, by resource ID.
func (s *Server) Sets() []SetState {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.at()
	out := []SetState{}
	for _, set := range s.world.ordered() {
		out = append(out, set.view())
	}
	return out
}

// Set is the state of one, by resource ID or name.
func (s *Server) Set(ref string) (SetState, error) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.at()
	set, err := s.world.find(ref)
	if err != nil {
		return SetState{}, err
	}
	return set.view(), nil
}
