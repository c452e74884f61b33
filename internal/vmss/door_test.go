package vmss_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trimtab/internal/scale"
	"trimtab/internal/vmss"
)

// frontDoor answers every read of a scale set as Resource Manager's front door lets it: a bucket refilled by whole
// seconds, at an instant within the second that only it knows. Answers take a while, and overtake each other.
type frontDoor struct {
	most, refill int
	slow         time.Duration
	random       *rand.Rand

	mu      sync.Mutex
	at      time.Time
	left    int
	refused int
	served  int
	last    time.Time
}

func (d *frontDoor) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	there, back := time.Duration(d.random.Int64N(int64(d.slow))), time.Duration(d.random.Int64N(int64(d.slow)))
	d.mu.Unlock()
	time.Sleep(there)
	d.mu.Lock()
	for now := time.Now(); now.Sub(d.at) >= time.Second; d.at = d.at.Add(time.Second) {
		d.left = min(d.most, d.left+d.refill)
	}
	status, body := http.StatusOK, `{"etag":"\"1\"","sku":{"capacity":3},"properties":{"provisioningState":"Succeeded"}}`
	if d.left > 0 {
		d.left--
		d.served++
		d.last = time.Now()
	} else {
		d.refused++
		status, body = http.StatusTooManyRequests, `{}`
	}
	h := http.Header{"X-Ms-Ratelimit-Remaining-Subscription-Reads": {strconv.Itoa(d.left)}}
	d.mu.Unlock()
	time.Sleep(back)
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewBufferString(body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// through makes a fleet whose only limit is the front door's.
func through(t *testing.T, rt http.RoundTripper, b vmss.Budgets) *vmss.Fleet {
	t.Helper()
	b.SetReads, b.SetWrites, b.SubscriptionReads, b.SubscriptionWrites = -1, -1, -1, -1
	f, err := vmss.New(staticCredential{token: "t"}, vmss.Options{
		Endpoint: "https://arm.invalid", Now: time.Now, Transport: rt, ReadRetries: -1, ReadTimeout: time.Hour, Budgets: b,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheFrontDoorRefusesNothingAndIsNotKeptWaiting(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			d := &frontDoor{most: 250, refill: 25, left: 250, slow: time.Duration(1+random.IntN(400)) * time.Millisecond, random: random}
			d.at = time.Now().Add(-time.Duration(random.Int64N(int64(time.Second))))
			f := through(t, d, vmss.Budgets{})
			begun, workers := time.Now(), 40
			var group sync.WaitGroup
			for range workers {
				group.Go(func() {
					for range 20 {
						if err := read(t.Context(), f, web); err != nil {
							t.Errorf("seed %d: %v", seed, err)
							return
						}
					}
				})
			}
			group.Wait()
			// 800 calls: 250 at once and 25 a second; two seconds for what is held back, as much again for those that fly at
			// the same time and may not be counted yet, and the way there.
			most := (800-250)/25*time.Second + 2*time.Second + time.Duration(workers)*time.Second/25 + d.slow
			if took := d.last.Sub(begun); d.refused > 0 || d.served != 800 || took > most {
				t.Errorf("seed %d: %d served, %d refused in %v; want 800, none and at most %v", seed, d.served, d.refused, took, most)
			}
		})
	}
}

func TestTheFrontDoorHearsWhatOthersHaveUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &frontDoor{most: 250, refill: 25, left: 3, slow: time.Millisecond, random: rand.New(rand.NewPCG(1, 1)), at: time.Now()}
		f := through(t, d, vmss.Budgets{})
		begun := time.Now()
		for range 20 {
			if err := read(t.Context(), f, web); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); d.refused > 0 || took < time.Second || took > 3*time.Second {
			t.Errorf("with three calls left to us, 20 took %v and %d were refused; want a wait of a second or two", took, d.refused)
		}
	})
}

func TestACallThatCannotWaitForItsTurnIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &frontDoor{most: 10, refill: 1, left: 10, slow: time.Millisecond, random: rand.New(rand.NewPCG(1, 1)), at: time.Now()}
		f := through(t, d, vmss.Budgets{DoorReads: 1})
		for range 9 {
			if err := read(t.Context(), f, web); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		// One more is given back by the headers; the next would have to wait for longer than there is time.
		if err := read(ctx, f, web); err != nil {
			t.Fatal(err)
		}
		err := read(ctx, f, web)
		fe := wantClass(t, err, "read", scale.ClassThrottled, 0, "DoorBudget")
		if served := d.served; fe.RetryAfter <= 0 || served != 10 {
			t.Errorf("got Retry-After %v after %d calls", fe.RetryAfter, served)
		}
	})
}

func TestAnUnboundedDoorIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &frontDoor{most: 1000, refill: 1, left: 1000, slow: time.Nanosecond, random: rand.New(rand.NewPCG(1, 1)), at: time.Now()}
		f := through(t, d, vmss.Budgets{DoorReads: -1})
		begun := time.Now()
		for range 600 {
			if err := read(t.Context(), f, web); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("600 calls took %v", took)
		}
	})
}
