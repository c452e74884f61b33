package engine_test

import (
	"fmt"
	"testing"
	"time"
)

func TestASetWhoseLastMachineWasEvictedAndToldOfComesBackAtOnce(t *testing.T) {
	w := newWorld(t, webPool("web"))
	e := w.engine()
	ingest(t, e, w.minutes("web", 0, 1, 3, 60))
	s := w.sets[setID+"web"]
	s.capacity, s.generation = 0, s.generation+1
	w.advance(time.Minute)
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprintf("web_%d", i))
	}
	ingest(t, e, w.told(1, 1, w.preempted("web", "e1", all...)))
	if len(s.patches) != 1 || s.capacity == 0 {
		t.Errorf("%d changes, capacity %d: it held because of %s", len(s.patches), s.capacity, w.entries("web")[0].Decision.Reason)
	}
}
