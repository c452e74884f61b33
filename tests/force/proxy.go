package force

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Faults are the chances, from 0 to 1, of what a Proxy does to one request. At most one of the first four befalls it.
type Faults struct {
	// RefuseBefore answers 503 and does not pass the request on; RefuseAfter passes it on first: stored, reply lost.
	RefuseBefore, RefuseAfter float64
	// ResetBefore breaks the connection and passes nothing on; ResetAfter breaks it when the service has answered.
	ResetBefore, ResetAfter float64
	// Delay holds the request back for up to Longest before it is passed on.
	Delay   float64
	Longest time.Duration
}

// Moment is a point in the life of a write at which a Proxy can be told to wait.
type Moment int

// The moments of a write.
const (
	BeforeStored Moment = iota
	AfterStored
)

// Tally counts what a Proxy did.
type Tally struct {
	Requests, Writes, Refused, Reset, LostReplies, Delayed int
}

// Proxy stands on loopback before the table service and spoils requests by chance. It is safe for concurrent use.
type Proxy struct {
	target *url.URL
	server *httptest.Server
	client *http.Transport

	mu     sync.Mutex
	random *rand.Rand
	faults Faults
	down   bool
	snare  *snare
	tally  Tally
}

// snare waits for the next write to come to a moment.
type snare struct {
	at     Moment
	caught chan struct{}
	let    chan struct{}
}

// NewProxy starts a proxy before target, the URL of the table service without a path. Without faults it only passes on.
func NewProxy(target string, seed uint64) (*Proxy, error) {
	to, err := url.Parse(target)
	if err != nil || to.Host == "" {
		return nil, errors.New("proxy: no URL: " + target)
	}
	p := &Proxy{
		target: to, random: rand.New(rand.NewPCG(seed, 0x7461626c65)),
		client: &http.Transport{Proxy: nil, DisableCompression: true, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute},
	}
	p.server = httptest.NewServer(p)
	return p, nil
}

// Address is where it listens, HOST:PORT.
func (p *Proxy) Address() string { return p.server.Listener.Addr().String() }

// Close stops it and breaks what is open.
func (p *Proxy) Close() {
	p.Set(Faults{})
	p.Down(false)
	p.server.CloseClientConnections()
	p.server.Close()
	p.client.CloseIdleConnections()
}

// Set changes the chances from the next request on.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Down makes every request fail with 503, or no longer.
func (p *Proxy) Down(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Tally is what was done so far.
func (p *Proxy) Tally() Tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tally
}

// Catch holds the next write at a moment and reports whether one came before ctx ended. The write is held until let is
// called, for five seconds at most. let is never nil.
func (p *Proxy) Catch(ctx context.Context, at Moment) (caught bool, let func()) {
	s := &snare{at: at, caught: make(chan struct{}), let: make(chan struct{})}
	p.mu.Lock()
	p.snare = s
	p.mu.Unlock()
	let = sync.OnceFunc(func() { close(s.let) })
	select {
	case <-s.caught:
		return true, let
	case <-ctx.Done():
	}
	p.mu.Lock()
	if p.snare == s {
		p.snare = nil
	}
	p.mu.Unlock()
	select {
	case <-s.caught:
		return true, let
	default:
		return false, let
	}
}

// hold stops a write at a moment if somebody waits for that.
func (p *Proxy) hold(at Moment) {
	p.mu.Lock()
	s := p.snare
	if s == nil || s.at != at {
		p.mu.Unlock()
		return
	}
	p.snare = nil
	p.mu.Unlock()
	close(s.caught)
	late := time.NewTimer(5 * time.Second)
	defer late.Stop()
	select {
	case <-s.let:
	case <-late.C:
	}
}

// fate is what befalls one request.
type fate struct {
	refuseBefore, refuseAfter, resetBefore, resetAfter bool
	delay                                              time.Duration
}

// draw decides a request's fate and counts it.
func (p *Proxy) draw(write bool) (f fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.Requests++
	if write {
		p.tally.Writes++
	}
	if p.faults.Delay > p.random.Float64() && p.faults.Longest > 0 {
		p.tally.Delayed++
		f.delay = time.Duration(p.random.Int64N(int64(p.faults.Longest)))
	}
	if p.down {
		p.tally.Refused++
		f.refuseBefore = true
		return f
	}
	at := p.random.Float64()
	for _, c := range []struct {
		chance float64
		does   *bool
		counts *int
	}{
		{p.faults.RefuseBefore, &f.refuseBefore, &p.tally.Refused},
		{p.faults.RefuseAfter, &f.refuseAfter, &p.tally.LostReplies},
		{p.faults.ResetBefore, &f.resetBefore, &p.tally.Reset},
		{p.faults.ResetAfter, &f.resetAfter, &p.tally.LostReplies},
	} {
		if at -= c.chance; at < 0 {
			*c.does, *c.counts = true, *c.counts+1
			break
		}
	}
	return f
}

// ServeHTTP passes one request on, or does not.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		reset(w)
		return
	}
	write := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "$batch")
	f := p.draw(write)
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		<-timer.C
	}
	if write {
		p.hold(BeforeStored)
	}
	switch {
	case f.refuseBefore:
		refuse(w)
		return
	case f.resetBefore:
		reset(w)
		return
	}
	response, err := p.pass(r, body)
	if err != nil {
		reset(w)
		return
	}
	if write {
		p.hold(AfterStored)
	}
	switch {
	case f.refuseAfter:
		refuse(w)
	case f.resetAfter:
		reset(w)
	default:
		response.write(w)
	}
}

// reply is an answer of the service, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a *reply) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	// Whoever asked may be dead by now.
	_, _ = w.Write(a.body)
}

// pass sends a request on as it came, whether or not whoever sent it still waits: a service does not take back what it
// was told.
func (p *Proxy) pass(r *http.Request, body []byte) (*reply, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	to := "http://" + p.target.Host + r.URL.RequestURI()
	out, err := http.NewRequestWithContext(ctx, r.Method, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header, out.Host = r.Header.Clone(), r.Host
	response, err := p.client.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return &reply{response.StatusCode, response.Header, text}, nil
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Ms-Error-Code", "ServerBusy")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"odata.error":{"code":"ServerBusy","message":{"lang":"en-US","value":"The server is busy."}}}`)
}

// reset ends the connection with a reset and not a farewell.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
