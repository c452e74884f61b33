package force_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trimtab/tests/force"
)

// service counts what reached it.
func service(t *testing.T) (url string, reached *atomic.Int64) {
	t.Helper()
	reached = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reached.Add(1)
		w.Header().Set("X-Path", r.RequestURI)
		_, _ = w.Write(append([]byte(r.Method+" "), body...))
	}))
	t.Cleanup(s.Close)
	return s.URL, reached
}

func through(t *testing.T, p *force.Proxy, path string) (status int, text string, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	response, err := client.Post("http://"+p.Address()+path, "text/plain", strings.NewReader("body"))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body) + " " + response.Header.Get("X-Path"), err
}

func TestTheProxySpoilsWhatItIsToldTo(t *testing.T) {
	for name, c := range map[string]struct {
		faults  force.Faults
		down    bool
		status  int
		reached int64
	}{
		"nothing":                     {force.Faults{}, false, 200, 1},
		"a delay":                     {force.Faults{Delay: 1, Longest: time.Millisecond}, false, 200, 1},
		"503 before it is stored":     {force.Faults{RefuseBefore: 1}, false, 503, 0},
		"503 when it is stored":       {force.Faults{RefuseAfter: 1}, false, 503, 1},
		"a reset before it is stored": {force.Faults{ResetBefore: 1}, false, 0, 0},
		"a reset when it is stored":   {force.Faults{ResetAfter: 1}, false, 0, 1},
		"an outage":                   {force.Faults{}, true, 503, 0},
	} {
		t.Run(name, func(t *testing.T) {
			url, reached := service(t)
			p, err := force.NewProxy(url, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.Set(c.faults)
			p.Down(c.down)
			status, text, err := through(t, p, "/account/table(a='b%2Fc')?x=%20")
			if status != c.status || (err != nil) != (c.status == 0) || reached.Load() != c.reached {
				t.Errorf("got %d %q %v, %d reached; want %d, %d reached", status, text, err, reached.Load(), c.status, c.reached)
			}
			if c.status == 200 && text != "POST body /account/table(a='b%2Fc')?x=%20" {
				t.Errorf("not passed on as it came: %q", text)
			}
		})
	}
}

func TestTheProxyHoldsAWriteAtAMoment(t *testing.T) {
	for _, at := range []force.Moment{force.BeforeStored, force.AfterStored} {
		url, reached := service(t)
		p, err := force.NewProxy(url, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		done := make(chan int, 1)
		go func() {
			status, _, _ := through(t, p, "/account/$batch")
			done <- status
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		caught, let := p.Catch(ctx, at)
		if !caught || reached.Load() != int64(at) {
			t.Errorf("moment %d: caught %t, %d reached", at, caught, reached.Load())
		}
		let()
		if status := <-done; status != 200 || reached.Load() != 1 {
			t.Errorf("moment %d: got %d, %d reached", at, status, reached.Load())
		}
	}
}

func TestTheProxyDoesTheSameForTheSameSeed(t *testing.T) {
	run := func(seed uint64) (fates string) {
		url, _ := service(t)
		p, err := force.NewProxy(url, seed)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.Set(force.Faults{RefuseBefore: 0.5})
		for range 32 {
			status, _, _ := through(t, p, "/")
			fates += string(rune('0' + status/100))
		}
		return fates
	}
	if a, b, c := run(1), run(1), run(2); a != b || a == c {
		t.Errorf("got %s, %s and, for another seed, %s", a, b, c)
	}
}
