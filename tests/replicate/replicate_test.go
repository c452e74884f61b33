package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestEveryRowLiesWithinItsBand(t *testing.T) {
	s := setup{ctx: t.Context(), starts: 120, seed: 7, shared: t.TempDir()}
	var out bytes.Buffer
	if err := s.run(&out); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if text := out.String(); strings.Contains(text, "OUTSIDE") || !strings.Contains(text, "missing: app-metrics/crane_input0.csv") {
		t.Errorf("want every row within, and what is missing named:\n%s", text)
	}
}

func TestARowOutsideItsBandFails(t *testing.T) {
	r := row{ours: 3, low: 1, high: 2.9}
	if r.within() {
		t.Error("3 lies within 1 to 2.9")
	}
	// With Spot and none exchanged, waiting for it pays even less.
	s := setup{starts: 60, seed: 7}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	right := hurry(s.spot22, s.starts, s.seed, 60, uniformProgress)
	for _, rooms := range s.spot22.Rooms {
		for i := range rooms {
			rooms[i] = 1 - min(rooms[i], 1)
		}
	}
	if wrong := hurry(s.spot22, s.starts, s.seed, 60, uniformProgress); wrong.regular < right.regular+3 {
		t.Errorf("%g hours on demand with the trace upside down, %g with it", wrong.regular, right.regular)
	}
}

func TestOurOwnPoliciesRunWithoutAFault(t *testing.T) {
	s := setup{ctx: t.Context(), starts: 4, days: 1, seed: 3}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	s.spot22.Zones, s.spot22.Rooms = s.spot22.Zones[:1], s.spot22.Rooms[:1]
	rows, err := s.libraryDeadlines()
	if err != nil || len(rows) != 4 || rows[3].ours != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	d, err := s.duels(s.corridorWorld(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := d.means(func(int) bool { return true })
	if ours.available < 95 || ours.cost < 30 || ours.cost > 80 || theirs.available < 95 {
		t.Errorf("a day of the hedge came to %+v, one of SpotHedge to %+v", ours, theirs)
	}
}
