package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestALookIsFollowedByARestOfManyTimesItsOwnTime(t *testing.T) {
	for name, tc := range map[string]struct{ took, rest time.Duration }{
		"a small tree":              {time.Millisecond, 20 * time.Millisecond},
		"a tree of many pools":      {20 * time.Millisecond, 400 * time.Millisecond},
		"a tree that was read":      {300 * time.Millisecond, time.Second},
		"a tree that costs nothing": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				looks := 0
				p := &paced{now: time.Now, look: func(context.Context) { looks++; time.Sleep(tc.took) }}
				p.ask(t.Context())
				if tc.rest > 0 {
					time.Sleep(tc.rest - time.Nanosecond)
					p.ask(t.Context())
					if looks != 1 {
						t.Errorf("%d looks within the rest, want 1", looks)
					}
					time.Sleep(time.Nanosecond)
				}
				p.ask(t.Context())
				if looks != 2 {
					t.Errorf("%d looks after the rest, want 2", looks)
				}
			})
		})
	}
}

func TestWhoComesDuringALookDoesNotWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		p := &paced{now: time.Now, look: func(context.Context) { looks++; time.Sleep(time.Minute) }}
		var first sync.WaitGroup
		first.Go(func() { p.ask(t.Context()) })
		synctest.Wait()
		begun := time.Now()
		p.ask(t.Context())
		if waited := time.Since(begun); waited != 0 || looks != 1 {
			t.Errorf("waited %v beside %d looks, want 0s beside 1", waited, looks)
		}
		first.Wait()
	})
}

func TestAClockThatWasSetBackDoesNotHoldUpLooks(t *testing.T) {
	now, looks := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC), 0
	p := &paced{now: func() time.Time { return now }}
	p.look = func(context.Context) { looks++; now = now.Add(time.Second) }
	p.ask(t.Context())
	now = now.Add(-time.Hour)
	p.ask(t.Context())
	if looks != 2 {
		t.Errorf("%d looks, want 2", looks)
	}
}
