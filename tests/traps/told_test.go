package traps_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trimtab/internal/engine"
	"trimtab/internal/scale"
	"trimtab/tests/armemu/arm"
)

// tell brings the news of an eviction of machines.
func (r *rig) tell(sequence int64, machines ...string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"id":"1","topic":"/t","subject":"s","eventType":"Microsoft.ResourceNotifications.MaintenanceResources.ScheduledEventEmitted",`+
		`"eventTime":%q,"data":{"resourceInfo":{"id":"%s/providers/microsoft.maintenance/scheduledevents/e%d","properties":{"EventType":"Preempt",`+
		`"EventStatus":"Scheduled","EventId":"e%d","Resources":["%s"]}}}}`, r.clock().Format(time.RFC3339), web, sequence, sequence, strings.Join(machines, `","`))
	report, err := r.engine.Ingest(r.t.Context(), engine.Batch{Invocation: fmt.Sprintf("told-%d", sequence), Events: []engine.Event{{
		Body: []byte(body), Source: scale.Source{Hub: "ns/metrics", Partition: "0", Sequence: sequence, Known: true, EnqueuedAt: r.clock()},
	}}})
	if err != nil || report.Heeded != 1 {
		r.t.Fatalf("tell: %+v, %v", report, err)
	}
}

// Of four machines that were evicted two are told of at first. They are replaced at once, the others as soon as they are
// surely missing; the nominal count holds all four, and none is made twice.
func TestWhatNobodyToldOfIsReplacedSoonAfterWhatWasToldOf(t *testing.T) {
	for _, told := range []int{0, 2, 4} {
		t.Run(fmt.Sprintf("%d of 4 told of", told), func(t *testing.T) {
			r := newRig(t, webPool(scale.Flexible), 10, arm.Config{BootSeconds: 60, Sets: []arm.SetConfig{flexible(8)}})
			r.minutes(5)
			r.settled(10)
			var spot []string
			facts, err := r.fleet.Read(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			live, err := r.fleet.Count(t.Context(), web, facts)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range live.Each {
				if m.Spot {
					spot = append(spot, m.Name)
				}
			}
			if len(spot) != 4 {
				t.Fatalf("%d Spot machines, want 4", len(spot))
			}
			stays := false
			r.turn(arm.Evict{Set: web, Count: 4, LowerCapacity: &stays})
			if told > 0 {
				r.tell(1, spot[:told]...)
				if s := r.set(web); s.Regular.There+s.Spot.There != 6+told {
					t.Errorf("%d machines in the turn that was told of %d, want %d", s.Regular.There+s.Spot.There, told, 6+told)
				}
			}
			r.minutes(5)
			r.settled(10)
			if s := r.set(web); s.Capacity != 14 {
				t.Errorf("the nominal count is %d, want 14", s.Capacity)
			}
		})
	}
}

func TestASetWhoseLastMachineWasEvictedAndToldOfComesBackAtOnce(t *testing.T) {
	for _, told := range []bool{true, false} {
		set := arm.SetConfig{ID: web, Orchestration: arm.Uniform, Priority: arm.Spot, EvictionPolicy: arm.Delete, Capacity: 6}
		r := newRig(t, webPool(scale.Uniform), 6, arm.Config{Sets: []arm.SetConfig{set}})
		r.minutes(2)
		names := r.names()
		for i, name := range names {
			names[i] = "web_" + name
		}
		falls := true
		r.turn(arm.Evict{Set: web, Count: 6, LowerCapacity: &falls})
		r.after(2 * time.Minute)
		if told {
			r.tell(1, names...)
		} else {
			r.sweep()
		}
		switch there := r.set(web).Spot.There; {
		case told && there != 6:
			t.Errorf("%d machines in the turn that was told, want 6: it held because of %s", there, r.reason())
		case !told && there != 0:
			t.Errorf("%d machines although nobody told of evictions: the zero may be false", there)
		}
	}
}

// reason is why the last decision was made.
func (r *rig) reason() string {
	r.t.Helper()
	entries, err := r.ledger.Entries(r.t.Context(), "web", time.Time{}, 1)
	if err != nil || len(entries) == 0 {
		r.t.Fatal(err)
	}
	return entries[0].Decision.Reason
}
