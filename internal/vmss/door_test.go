package vmss_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
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

// writes answers changes as the front door lets them in, and remembers in which order they came.
type writes struct {
	mu      sync.Mutex
	at      time.Time
	left    int
	refused int
	sent    []int
}

func (w *writes) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var doc struct{ SKU struct{ Capacity int } }
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	time.Sleep(time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at.IsZero() {
		w.at = time.Now()
	}
	for now := time.Now(); now.Sub(w.at) >= time.Second; w.at = w.at.Add(time.Second) {
		w.left = min(200, w.left+10)
	}
	status := http.StatusOK
	if w.left == 0 {
		w.refused++
		status = http.StatusTooManyRequests
	} else {
		w.left--
		w.sent = append(w.sent, doc.SKU.Capacity)
	}
	h := http.Header{"X-Ms-Ratelimit-Remaining-Subscription-Writes": {strconv.Itoa(w.left)}}
	const done = `{"etag":"\"2\"","sku":{"capacity":3},"properties":{"provisioningState":"Succeeded"}}`
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(done)), Request: r, ProtoMajor: 1, ProtoMinor: 1}, nil
}

// through makes a fleet whose only limit is the front door's.
func through(t *testing.T, rt http.RoundTripper, b vmss.Budgets) *vmss.Fleet {
	t.Helper()
	b.SetReads, b.SetWrites, b.SubscriptionReads, b.SubscriptionWrites = -1, -1, -1, -1
	f, err := vmss.New(staticCredential{token: "t"}, vmss.Options{
		Endpoint: "https://arm.invalid", Now: time.Now, Transport: rt, ReadRetries: -1, ReadTimeout: time.Hour, ChangeTimeout: time.Hour, Budgets: b,
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
		if took := time.Since(begun); d.refused > 0 || took < time.Second || took > 8*time.Second {
			t.Errorf("with three calls left to us, 20 took %v and %d were refused; want a wait of some seconds", took, d.refused)
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

func TestProcessesThatShareAFrontDoorAreRefusedNothing(t *testing.T) {
	for seed := range uint64(8) {
		for processes := 2; processes <= 4; processes++ {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 2))
				d := &frontDoor{most: 250, refill: 25, left: 250, slow: time.Duration(1+random.IntN(100)) * time.Millisecond, random: random}
				d.at = time.Now().Add(-time.Duration(random.Int64N(int64(time.Second))))
				begun, each := time.Now(), 1600/processes
				var group sync.WaitGroup
				for range processes {
					f := through(t, d, vmss.Budgets{})
					for range 8 {
						group.Go(func() {
							for range each / 8 {
								if err := read(t.Context(), f, web); err != nil {
									t.Errorf("seed %d, %d processes: %v", seed, processes, err)
									return
								}
							}
						})
					}
				}
				group.Wait()
				// Nobody says who takes what, so something is left alone; but not most of it.
				served := each / 8 * 8 * processes
				least := time.Duration((served-250)/25) * time.Second
				if took := d.last.Sub(begun); d.refused > 0 || d.served != served || took > 2*least {
					t.Errorf("seed %d, %d processes: %d served, %d refused in %v; want %d, none and at most %v", seed, processes, d.served, d.refused, took, served, 2*least)
				} else {
					t.Logf("seed %d, %d processes: %v, the bucket allows %v", seed, processes, took, least)
				}
			})
		}
	}
}

func TestAShrinkWaitsAtTheFrontDoorForAllWhoGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &writes{left: 200}
		f := through(t, w, vmss.Budgets{})
		send := func(shrink bool, capacity int) {
			_, err := f.Change(t.Context(), web, scale.Change{Capacity: &capacity, ETag: `"1"`, Shrink: shrink})
			if err != nil {
				t.Errorf("%d, a shrink: %v: %v", capacity, shrink, err)
			}
		}
		var group sync.WaitGroup
		// So many first that no more than a tenth is left, then shrinks and growth for what is left, shrinks before growth.
		for range 182 {
			send(false, 1)
		}
		for range 30 {
			group.Go(func() { send(true, 2) })
		}
		time.Sleep(time.Millisecond)
		for range 40 {
			group.Go(func() { send(false, 3) })
		}
		group.Wait()
		lastGrowth, firstShrink := 0, len(w.sent)
		for i, n := range w.sent {
			switch n {
			case 3:
				lastGrowth = i
			case 2:
				firstShrink = min(firstShrink, i)
			}
		}
		if firstShrink < lastGrowth-1 || w.refused > 0 {
			t.Errorf("the first shrink went as number %d, the last growth as number %d; %d were refused", firstShrink, lastGrowth, w.refused)
		}
	})
}
