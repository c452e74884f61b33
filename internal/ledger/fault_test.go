package ledger_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"trimtab/internal/ledger"
	"trimtab/internal/ledger/ledgertest"
	"trimtab/internal/scale"
)

// passOn sends a request on its way.
type passOn = func(*http.Request) (*http.Response, error)

// lose lets the emulator do its work and loses the answer.
func lose(r *http.Request, pass passOn) (*http.Response, error) {
	reply, err := pass(r)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, reply.Body)
	_ = reply.Body.Close()
	return nil, errors.New("connection reset by peer")
}

// answer answers in the place of the emulator, which never sees the request.
func answer(status int, code string) func(*http.Request, passOn) (*http.Response, error) {
	return func(r *http.Request, _ passOn) (*http.Response, error) {
		body := fmt.Sprintf(`{"odata.error":{"code":%q,"message":{"lang":"en-US","value":"The server is busy.\nRequestId:1"}}}`, code)
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

// then lets the emulator do its work and answers with something else.
func then(status int, code string) func(*http.Request, passOn) (*http.Response, error) {
	return func(r *http.Request, pass passOn) (*http.Response, error) {
		if _, err := lose(r, pass); err == nil {
			return nil, errors.New("nothing was lost")
		}
		return answer(status, code)(r, pass)
	}
}

// late answers only when the caller has given up.
func late(r *http.Request, pass passOn) (*http.Response, error) {
	if _, err := lose(r, pass); err == nil {
		return nil, errors.New("nothing was lost")
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// fault is what happens to the transactions of a commit, one after the other; later ones pass.
type fault []func(*http.Request, passOn) (*http.Response, error)

// between puts the fault into a wire and counts the transactions that it saw.
func (f fault) between(w *wire) *atomic.Int64 {
	seen := &atomic.Int64{}
	w.between = func(r *http.Request, pass func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/$batch") {
			if n := int(seen.Add(1)); n <= len(f) && f[n-1] != nil {
				return f[n-1](r, pass)
			}
		}
		return pass(r)
	}
	return seen
}

// everything is a commit of every kind of row over what is stored.
func everything(stored scale.Stored, attempt string, n int) scale.Commit {
	at := ledgertest.Noon.Add(time.Duration(n) * time.Minute)
	c := scale.Commit{
		Attempt: attempt, Control: ledgertest.Control(at, n), ControlVersion: stored.ControlVersion,
		Windows: []scale.StoredWindow{{Source: "p0", Data: fmt.Append(nil, n)}}, Entry: ledgertest.Entry("web", at, n),
	}
	if len(stored.Windows) > 0 {
		c.Windows[0].Version = stored.Windows[0].Version
	}
	return c
}

func TestTableCommitIsRightWhateverHappensToItsRequest(t *testing.T) {
	always := func(f func(*http.Request, passOn) (*http.Response, error)) fault { return fault{f, f, f, f} }
	for _, c := range []struct {
		name string
		fault
		stored, fails bool
	}{
		{"nothing happens", nil, true, false},
		{"the reply is lost and the SDK repeats", fault{lose}, true, false},
		{"two replies are lost", fault{lose, lose}, true, false},
		{"no reply ever comes", always(lose), true, false},
		{"the service is busy at first", fault{answer(503, "ServerBusy"), answer(503, "ServerBusy")}, true, false},
		{"the service is busy for good", always(answer(503, "ServerBusy")), false, true},
		{"the service throttles at first", fault{answer(429, "TooManyRequests")}, true, false},
		{"the service stores and says that it failed", fault{then(500, "InternalError")}, true, false},
		{"the service stores and says so for good", always(then(500, "OperationTimedOut")), true, false},
		{"the service stores and answers too late", fault{late}, true, false},
		{"access is denied", fault{answer(403, "AuthorizationFailure")}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := &wire{}
			l := openTableFast(t, w)
			stored := scale.Stored{}
			for n := 1; n <= 2; n++ { // a first write, and one over what is there
				seen := c.between(w)
				err := l.Commit(t.Context(), "web", everything(stored, fmt.Sprint("a", n), n))
				if c.fails != (err != nil) || errors.Is(err, scale.ErrConflict) {
					t.Errorf("commit %d: %v, want failure %v", n, err, c.fails)
				}
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("the error has more than one line: %q", err)
				}
				if seen.Load() == 0 {
					t.Error("the fault came between nothing")
				}
				w.between = nil
				stored = loaded(t, l)
				if got := stored.Control.Facts.Capacity; c.stored && got != n || !c.stored && got != 0 {
					t.Errorf("after commit %d: stored is that of %d", n, got)
				}
			}
		})
	}
}

// openTableFast opens a table whose requests do not wait long.
func openTableFast(t *testing.T, w *wire) *ledger.Table {
	t.Helper()
	l, err := ledger.OpenTable(t.Context(), ledger.TableOptions{
		ConnectionString: server(t).ConnectionString, Table: fmt.Sprintf("fault%d", tables.Add(1)),
		TryTimeout: 2 * time.Second, Transport: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func loaded(t *testing.T, l *ledger.Table) scale.Stored {
	t.Helper()
	s, err := l.Load(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Another process reads what our lost commit stored and goes on before the SDK repeats it: the answer is still "stored",
// and the other's work stays.
func TestTableKnowsItsLostCommitAfterAnotherWentOn(t *testing.T) {
	w := &wire{}
	l, other := openTableFast(t, w), (*ledger.Table)(nil)
	fault{func(r *http.Request, pass passOn) (*http.Response, error) {
		reply, err := lose(r, pass)
		c := everything(loaded(t, other), "other", 2)
		if err := other.Commit(t.Context(), "web", c); err != nil {
			t.Errorf("the other's commit: %v", err)
		}
		return reply, err
	}}.between(w)
	other = l
	if err := l.Commit(t.Context(), "web", everything(scale.Stored{}, "ours", 1)); err != nil {
		t.Errorf("a commit that was stored: %v", err)
	}
	if got := loaded(t, l); got.Control.Facts.Capacity != 2 {
		t.Errorf("the other's control row was overwritten by %d", got.Control.Facts.Capacity)
	}
	entries, err := l.Entries(t.Context(), "web", time.Time{}, 9)
	if err != nil || len(entries) != 2 {
		t.Errorf("%d entries, %v, want both", len(entries), err)
	}
}

// A request is lost before it is stored, another process writes, and the SDK repeats: that is a conflict.
func TestTableCommitThatAnotherOvertookIsAConflict(t *testing.T) {
	w := &wire{}
	l := openTableFast(t, w)
	fault{func(*http.Request, passOn) (*http.Response, error) {
		if err := l.Commit(t.Context(), "web", everything(scale.Stored{}, "other", 2)); err != nil {
			t.Errorf("the other's commit: %v", err)
		}
		return nil, errors.New("connection refused")
	}}.between(w)
	err := l.Commit(t.Context(), "web", everything(scale.Stored{}, "ours", 1))
	if !errors.Is(err, scale.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if got := loaded(t, l); got.Control.Facts.Capacity != 2 || len(got.Windows) != 1 || string(got.Windows[0].Data) != "2" {
		t.Errorf("stored is not the other's: %+v", got)
	}
}

// When nobody can tell whether a refused write was our own earlier try, it is an error and not a conflict.
func TestTableConflictThatCannotBeLookedIntoIsAnError(t *testing.T) {
	w := &wire{}
	l := openTableFast(t, w)
	if err := l.Commit(t.Context(), "web", everything(scale.Stored{}, "first", 1)); err != nil {
		t.Fatal(err)
	}
	w.between = func(r *http.Request, pass func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return answer(403, "AuthorizationFailure")(r, pass)
		}
		return pass(r)
	}
	err := l.Commit(t.Context(), "web", everything(scale.Stored{}, "second", 2))
	if err == nil || errors.Is(err, scale.ErrConflict) {
		t.Errorf("got %v, want an error that is no conflict", err)
	}
}

func TestTableDoesNotWaitForALongRetryAfter(t *testing.T) {
	w := &wire{}
	l := openTableFast(t, w)
	w.between = func(r *http.Request, pass func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		reply, err := answer(503, "ServerBusy")(r, pass)
		reply.Header.Set("Retry-After", "120")
		return reply, err
	}
	start := time.Now()
	if _, err := l.Load(t.Context(), "web"); err == nil {
		t.Error("a busy service was read")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestTableReadsPagesThatAreEmptyOrCut(t *testing.T) {
	w := &wire{}
	l := openTableFast(t, w)
	c := everything(scale.Stored{}, "a", 1)
	for i := 1; i < 5; i++ {
		c.Windows = append(c.Windows, scale.StoredWindow{Source: fmt.Sprint("p", i), Data: []byte{byte(i)}})
	}
	if err := l.Commit(t.Context(), "web", c); err != nil {
		t.Fatal(err)
	}
	want := loaded(t, l)
	var pages atomic.Int64
	w.between = func(r *http.Request, pass func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		q := r.URL.Query()
		if pages.Add(1) == 1 {
			// The service may answer with nothing and a place to go on from (facts: events 5.1).
			reply, err := answer(200, "")(r, pass)
			reply.Body = io.NopCloser(strings.NewReader(`{"value":[]}`))
			reply.Header.Set("x-ms-continuation-NextPartitionKey", "pool-web")
			reply.Header.Set("x-ms-continuation-NextRowKey", "0-control")
			return reply, err
		}
		if pages.Load() == 2 {
			q.Del("NextPartitionKey")
			q.Del("NextRowKey")
		}
		q.Set("$top", "2")
		r.URL.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
		return pass(r)
	}
	got := loaded(t, l)
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("over pages (-want +got):\n%s", d)
	}
	if pages.Load() != 4 {
		t.Errorf("%d pages, want an empty one and three of two rows", pages.Load())
	}
}

func TestTableErrorsTellNoSignature(t *testing.T) {
	t.Parallel()
	w := &wire{between: func(r *http.Request, _ func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		broken := *r.URL
		broken.Scheme = "gopher"
		return http.DefaultClient.Get(broken.String())
	}}
	l, err := ledger.NewTable(ledger.TableOptions{Endpoint: "https://a.table.core.windows.net/?sv=1&sig=topsecret", Transport: w})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Load(t.Context(), "web")
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("load: %v", err)
	}
	err = l.Commit(t.Context(), "web", everything(scale.Stored{}, "a", 1))
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("commit: %v", err)
	}
}
